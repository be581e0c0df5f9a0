//! How large each base address register's range is: write ones, read back, restore, with decoding off.

use super::{Bar, Config, Function};
use crate::{hardware::Hardware, Notes};
use alloc::{format, vec::Vec};

/// Class code of a host bridge, whose registers may be what memory itself hangs on.
const HOST_BRIDGE: u32 = 0x06_00;

pub(super) fn sizes(
    hardware: &mut dyn Hardware,
    config: &Config,
    function: &Function,
    notes: &mut Notes,
) -> Vec<Bar> {
    let count = match function.header & 0x7f {
        0 => 6,
        1 => 2,
        _ => 0,
    };
    if function.class >> 8 == HOST_BRIDGE || count == 0 {
        return Vec::new();
    }
    let address = function.address;
    let command = config.read(hardware, address, 4) as u16;
    config.write16(hardware, address, 4, command & !3);
    let mut bars = Vec::new();
    let mut index = 0;
    while index < count {
        let at = 0x10 + 4 * index as u16;
        let low = config.read(hardware, address, at);
        let port = low & 1 == 1;
        let wide = !port && low >> 1 & 3 == 2 && index + 1 < count;
        let mask = probe(hardware, config, function, at, low);
        let mut bar = Bar {
            index,
            port,
            wide,
            size: 0,
            base: (low & if port { !3 } else { !15 }) as u64,
            assigned: false,
        };
        let mut bits = mask as u64 & if port { 0xffff_fffc } else { 0xffff_fff0 };
        if wide {
            let high = config.read(hardware, address, at + 4);
            bar.base |= (high as u64) << 32;
            bits |= (probe(hardware, config, function, at + 4, high) as u64) << 32;
        } else if bits != 0 {
            // Ports may leave the upper half unimplemented.
            bits |= if port && bits >> 16 == 0 {
                0xffff_ffff_ffff_0000
            } else {
                u64::MAX << 32
            };
        }
        bar.size = bits & bits.wrapping_neg();
        let whole = bits == bar.size.wrapping_neg() && bits != 0;
        match (bits, whole && bar.base.is_multiple_of(bar.size)) {
            (0, _) => {}
            (_, true) => bars.push(bar),
            _ => notes.say(format!(
                "pci/{address}: BAR {index} has the impossible size bits {bits:#x}"
            )),
        }
        index += if wide { 2 } else { 1 };
    }
    config.write16(hardware, address, 4, command);
    bars
}

fn probe(
    hardware: &mut dyn Hardware,
    config: &Config,
    function: &Function,
    at: u16,
    old: u32,
) -> u32 {
    config.write(hardware, function.address, at, u32::MAX);
    let mask = config.read(hardware, function.address, at);
    config.write(hardware, function.address, at, old);
    mask
}
