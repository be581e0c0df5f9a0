//! I/O ports.

use core::arch::asm;

/// Reads `bits` (8, 16 or 32) from a port.
pub fn port_read(port: u16, bits: u32) -> u64 {
    // SAFETY: an I/O instruction touches no memory of genesis. What it does to the device is the rule's business, which
    // was checked.
    unsafe {
        match bits {
            8 => {
                let value: u8;
                asm!("in al, dx", in("dx") port, out("al") value, options(nostack));
                value as u64
            }
            16 => {
                let value: u16;
                asm!("in ax, dx", in("dx") port, out("ax") value, options(nostack));
                value as u64
            }
            _ => {
                let value: u32;
                asm!("in eax, dx", in("dx") port, out("eax") value, options(nostack));
                value as u64
            }
        }
    }
}

/// Writes the low `bits` (8, 16 or 32) of `value` to a port.
pub fn port_write(port: u16, bits: u32, value: u64) {
    // SAFETY: as in `port_read`.
    unsafe {
        match bits {
            8 => asm!("out dx, al", in("dx") port, in("al") value as u8, options(nostack)),
            16 => asm!("out dx, ax", in("dx") port, in("ax") value as u16, options(nostack)),
            _ => asm!("out dx, eax", in("dx") port, in("eax") value as u32, options(nostack)),
        }
    }
}
