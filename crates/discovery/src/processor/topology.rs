//! Which processors are threads of one core, and cores of one package: bits of their interrupt IDs.

use super::number;
use crate::hardware::Hardware;
use alloc::vec::Vec;
use machine::Fact;

/// More levels are not believed.
const LEVELS: u32 = 8;

/// How many bits of an ID, from the lowest, number threads, cores and dies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    pub thread: u32,
    /// Up to where the bits of threads and cores reach.
    pub core: u32,
    /// Where the number of the package begins.
    pub package: u32,
}

impl Bits {
    /// Leaves 0x1f and 0xb name the levels (Intel SDM volume 2A); else AMD's (APM volume 3, E.4.7 and E.4.16), else
    /// counts that are rounded up to powers of two (Intel SDM volume 3A, 9.9.5).
    pub fn read(hardware: &mut dyn Hardware, most: u32, extended: u32, amd: bool) -> Bits {
        for leaf in [0x1f, 0xb] {
            if most >= leaf {
                if let Some(bits) = Bits::levels(hardware, leaf) {
                    return bits;
                }
            }
        }
        let [_, b, _, d] = hardware.cpuid(1, 0);
        if d >> 28 & 1 == 0 {
            return Bits::default();
        }
        let logical = b >> 16 & 0xff;
        if amd && extended >= 0x8000_0008 {
            let c = hardware.cpuid(0x8000_0008, 0)[2];
            let package = match c >> 12 & 15 {
                0 => bits_for((c & 0xff) + 1),
                said => said,
            };
            let thread = match extended {
                0x8000_001e.. => bits_for((hardware.cpuid(0x8000_001e, 0)[1] >> 8 & 0xff) + 1),
                _ => 0,
            };
            return Bits {
                thread: thread.min(package),
                core: package,
                package,
            };
        }
        let cores = match most {
            4.. => (hardware.cpuid(4, 0)[0] >> 26) + 1,
            _ => 1,
        };
        let package = bits_for(logical.max(1));
        Bits {
            thread: package.saturating_sub(bits_for(cores)),
            core: package,
            package,
        }
    }

    fn levels(hardware: &mut dyn Hardware, leaf: u32) -> Option<Bits> {
        let mut bits = Bits::default();
        let mut any = false;
        for sub in 0..LEVELS {
            let [a, b, c, _] = hardware.cpuid(leaf, sub);
            let (shift, kind) = (a & 31, c >> 8 & 0xff);
            if kind == 0 || b & 0xffff == 0 {
                break;
            }
            any = true;
            match kind {
                1 => bits.thread = shift,
                2 => bits.core = shift,
                _ => {}
            }
            bits.package = bits.package.max(shift);
        }
        bits.core = bits.core.max(bits.thread);
        any.then_some(bits)
    }

    /// The numbers of one processor.
    pub fn facts(self, id: u64) -> Vec<Fact> {
        let part =
            |from: u32, to: u32| id.checked_shr(from).unwrap_or(0) & ((1u64 << (to - from)) - 1);
        let mut facts = Vec::from([
            number("package", id.checked_shr(self.package).unwrap_or(0)),
            number("core", part(self.thread, self.core)),
            number("thread", part(0, self.thread)),
        ]);
        if self.package > self.core {
            facts.push(number("die", part(self.core, self.package)));
        }
        facts
    }
}

/// Bits that number so many.
fn bits_for(count: u32) -> u32 {
    count.next_power_of_two().trailing_zeros()
}
