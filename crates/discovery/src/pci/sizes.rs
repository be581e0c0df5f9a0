//! The size of each base address register's range: with decoding off, ones are written and read back, and the old value is
//! restored.

use super::{Bar, Function, Host, ROM};
use crate::{hardware::Hardware, Notes};
use alloc::{format, vec::Vec};

/// Class code of a host bridge, whose registers may be what memory itself hangs on.
const HOST_BRIDGE: u32 = 0x06_00;
/// A ROM's register: whether it answers, and its address (PCI Local Bus 3.0, 6.2.5.2).
const ROM_ENABLE: u32 = 1;
const ROM_ADDRESS: u32 = 0xffff_f800;

/// Sizes one function's registers.
struct Sizing<'s> {
    hardware: &'s mut dyn Hardware,
    host: &'s Host<'s>,
    function: &'s Function,
    notes: &'s mut Notes,
    bars: Vec<Bar>,
}

pub(super) fn sizes(
    hardware: &mut dyn Hardware,
    host: &Host,
    function: &Function,
    notes: &mut Notes,
) -> Vec<Bar> {
    let (count, rom) = match function.header & 0x7f {
        0 => (6, 0x30),
        1 => (2, 0x38),
        _ => return Vec::new(),
    };
    if function.class >> 8 == HOST_BRIDGE {
        return Vec::new();
    }
    let address = function.address;
    let command = host.config.read(hardware, address, 4) as u16;
    host.config.write16(hardware, address, 4, command & !3);
    let mut sizing = Sizing {
        hardware,
        host,
        function,
        notes,
        bars: Vec::new(),
    };
    let mut index = 0;
    while index < count {
        index += sizing.register(index, count);
    }
    sizing.rom(rom);
    let bars = sizing.bars;
    host.config.write16(hardware, address, 4, command);
    bars
}

impl Sizing<'_> {
    /// Sizes the register `index`, and says how many registers it takes up.
    fn register(&mut self, index: u8, count: u8) -> u8 {
        let at = 0x10 + 4 * index as u16;
        let low = self.read(at);
        let port = low & 1 == 1;
        let wide = !port && low >> 1 & 3 == 2 && index + 1 < count;
        let mask = self.probe(at, low, u32::MAX);
        let mut bits = mask as u64 & if port { 0xffff_fffc } else { 0xffff_fff0 };
        let mut base = (low & if port { !3 } else { !15 }) as u64;
        if wide {
            let high = self.read(at + 4);
            base |= (high as u64) << 32;
            bits |= (self.probe(at + 4, high, u32::MAX) as u64) << 32;
        } else if bits != 0 {
            // Ports may leave the upper half unimplemented.
            bits |= if port && bits >> 16 == 0 {
                0xffff_ffff_ffff_0000
            } else {
                u64::MAX << 32
            };
        }
        self.take(
            Bar {
                index,
                port,
                wide,
                prefetch: !port && low >> 3 & 1 == 1,
                enabled: true,
                size: 0,
                base,
                assigned: false,
            },
            bits,
        );
        if wide {
            2
        } else {
            1
        }
    }

    fn rom(&mut self, at: u16) {
        let old = self.read(at);
        // The enable bit stays off while the address is all ones.
        let mask = self.probe(at, old, ROM_ADDRESS) & ROM_ADDRESS;
        let bits = match mask {
            0 => 0,
            mask => mask as u64 | u64::MAX << 32,
        };
        self.take(
            Bar {
                index: ROM,
                port: false,
                wide: false,
                prefetch: false,
                enabled: old & ROM_ENABLE != 0,
                size: 0,
                base: (old & ROM_ADDRESS) as u64,
                assigned: false,
            },
            bits,
        );
    }

    /// `bits` are those of the address that can be set.
    fn take(&mut self, mut bar: Bar, bits: u64) {
        bar.size = bits & bits.wrapping_neg();
        let whole = bits == bar.size.wrapping_neg() && bits != 0;
        let placed = whole
            && bar.base.is_multiple_of(bar.size)
            && bar.base.checked_add(bar.size - 1).is_some();
        match (bits, placed) {
            (0, _) => {}
            (_, true) => self.bars.push(bar),
            _ => self.notes.say(format!(
                "{}: BAR {} has the impossible size bits {bits:#x}",
                self.host.name(self.function.address),
                bar.index
            )),
        }
    }

    fn read(&mut self, at: u16) -> u32 {
        self.host
            .config
            .read(self.hardware, self.function.address, at)
    }

    /// What can be read after `ones` were written; the register is then as it was.
    fn probe(&mut self, at: u16, old: u32, ones: u32) -> u32 {
        let (config, address) = (&self.host.config, self.function.address);
        config.write(self.hardware, address, at, ones);
        let mask = config.read(self.hardware, address, at);
        config.write(self.hardware, address, at, old);
        mask
    }
}
