//! x86-64.

use core::arch::asm;

pub const ARCH: machine::Arch = machine::Arch::X86_64;

/// The one model-specific register that every processor with a local APIC has: where that is (Intel SDM volume 3A,
/// 11.4.4). Reading another might fault, and firmware would stop.
const LOCAL_BASE: u32 = 0x1b;

pub fn cpuid(leaf: u32, sub: u32) -> [u32; 4] {
    let found = core::arch::x86_64::__cpuid_count(leaf, sub);
    [found.eax, found.ebx, found.ecx, found.edx]
}

pub fn register(number: u32) -> Option<u64> {
    if number != LOCAL_BASE {
        return None;
    }
    let (low, high): (u32, u32);
    // SAFETY: firmware runs this in ring 0, and the register is there on every 64-bit processor.
    unsafe {
        asm!("rdmsr", in("ecx") number, out("eax") low, out("edx") high, options(nomem, nostack));
    }
    Some(u64::from(high) << 32 | u64::from(low))
}

/// CPUID tells of caches.
pub fn cache(_selector: u64) -> Option<u64> {
    None
}

pub fn port_read(port: u16, bits: u32) -> u64 {
    // SAFETY: discovery's policy asks only ports that can be read without effect.
    unsafe {
        match bits {
            8 => {
                let value: u8;
                asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack));
                value.into()
            }
            16 => {
                let value: u16;
                asm!("in ax, dx", in("dx") port, out("ax") value, options(nomem, nostack));
                value.into()
            }
            _ => {
                let value: u32;
                asm!("in eax, dx", in("dx") port, out("eax") value, options(nomem, nostack));
                value.into()
            }
        }
    }
}
