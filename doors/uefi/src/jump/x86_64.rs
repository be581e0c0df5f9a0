//! x86-64: firmware leaves 64-bit mode with memory mapped to itself, which is what the door wants.

use crate::image::Placed;
use alloc::string::String;
use core::arch::asm;

/// Five levels of page tables (Intel SDM volume 3A, 2.5).
const LA57: u64 = 1 << 12;

/// Whether genesis can be entered from the state that firmware runs in.
///
/// # Errors
/// Says why not.
pub fn possible() -> Result<(), String> {
    let cr4: u64;
    // SAFETY: reads a register; firmware runs this in ring 0.
    unsafe { asm!("mov {}, cr4", out(reg) cr4, options(nomem, nostack)) };
    if cr4 & LA57 != 0 {
        return Err("firmware runs with five levels of page tables, which genesis does not".into());
    }
    Ok(())
}

/// Jumps.
///
/// # Safety
/// Boot services have ended, and `placed` is what `image::place` made.
pub unsafe fn to(placed: &Placed) -> ! {
    // SAFETY: by contract; nothing of this program is used again.
    unsafe {
        asm!(
            "cli",
            "jmp {entry}",
            entry = in(reg) placed.entry,
            in("rdi") placed.told,
            options(noreturn)
        )
    }
}
