//! What a bridge passes on to the bus behind it (PCI-to-PCI bridge 1.2, 3.2.5).

use super::{Address, Config, Function};
use crate::hardware::Hardware;

/// Bridges pass on memory in pieces of 1 MiB and ports in pieces of 4 KiB.
pub const MEMORY_UNIT: u64 = 1 << 20;
pub const PORT_UNIT: u64 = 4096;

const PORTS: u16 = 0x1c;
const MEMORY: u16 = 0x20;
const PREFETCH: u16 = 0x24;
const PREFETCH_UPPER: u16 = 0x28;
const PORTS_UPPER: u16 = 0x30;

/// First and last byte (or port), on the bus.
pub type Span = (u64, u64);

/// `None` where nothing is passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Windows {
    pub memory: Option<Span>,
    pub prefetch: Option<Span>,
    pub ports: Option<Span>,
}

impl Windows {
    /// As the registers say, among the function's first 256 bytes.
    pub fn read(function: &Function) -> Windows {
        let word = |at: u16| {
            let bytes = function.config.get(at as usize..at as usize + 4);
            let bytes = bytes.and_then(|b| <[u8; 4]>::try_from(b).ok());
            u32::from_le_bytes(bytes.unwrap_or_default()) as u64
        };
        let (ports, memory, prefetch) = (word(PORTS), word(MEMORY), word(PREFETCH));
        // A window from 0 was never set, and one that ends before it begins is closed.
        let open = |first: u64, last: u64| (first != 0 && first <= last).then_some((first, last));
        let mut port = ((ports & 0xf0) << 8, (ports & 0xf000) | 0xfff);
        if ports & 15 == 1 {
            port.0 |= (word(PORTS_UPPER) & 0xffff) << 16;
            port.1 |= word(PORTS_UPPER) >> 16 << 16;
        }
        let span = |w: u64| ((w & 0xfff0) << 16, (w & 0xfff0_0000) | 0xf_ffff);
        let (low, mut fetch) = (span(memory), span(prefetch));
        if prefetch & 15 == 1 {
            fetch.0 |= word(PREFETCH_UPPER) << 32;
            fetch.1 |= word(PREFETCH_UPPER + 4) << 32;
        }
        Windows {
            memory: open(low.0, low.1),
            prefetch: open(fetch.0, fetch.1),
            ports: open(port.0, port.1),
        }
    }

    pub fn of(&self, port: bool) -> Option<Span> {
        if port {
            self.ports
        } else {
            self.memory
        }
    }

    /// Whether a range lies in what is passed on.
    pub fn hold(&self, port: bool, prefetch: bool, base: u64, size: u64) -> bool {
        let inside = |span: Option<Span>| {
            span.is_some_and(|(first, last)| base >= first && base + (size - 1) <= last)
        };
        inside(self.of(port)) || !port && prefetch && inside(self.prefetch)
    }
}

/// Passes on the memory, or the ports, from `span.0` to `span.1`, which are whole units.
pub fn open(
    hardware: &mut dyn Hardware,
    config: &Config,
    address: Address,
    port: bool,
    (first, last): Span,
) {
    if port {
        let window = (first >> 8 & 0xf0 | last & 0xf000) as u16;
        config.write16(hardware, address, PORTS, window);
        let upper = (first >> 16 & 0xffff | (last >> 16) << 16) as u32;
        config.write(hardware, address, PORTS_UPPER, upper);
    } else {
        let window = (first >> 16 & 0xfff0 | last & 0xfff0_0000) as u32;
        config.write(hardware, address, MEMORY, window);
    }
}

/// Closes what was never set, so that nothing else is passed on: a window from 0 would be open.
pub fn close_unset(hardware: &mut dyn Hardware, config: &Config, function: &mut Function) {
    let windows = function.windows;
    let address = function.address;
    if windows.ports.is_none() {
        config.write16(hardware, address, PORTS, 0x00f0);
    }
    if windows.memory.is_none() {
        config.write(hardware, address, MEMORY, 0x0000_fff0);
    }
    if windows.prefetch.is_none() {
        config.write(hardware, address, PREFETCH, 0x0000_fff0);
    }
}
