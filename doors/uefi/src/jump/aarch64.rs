//! arm64: the door expects MMU and data cache to be off, and the image to be in memory rather than in a cache.

use crate::image::Placed;
use alloc::string::String;
use core::arch::asm;

/// Whether genesis can be entered from the state that firmware runs in.
///
/// # Errors
/// Never on this architecture.
pub fn possible() -> Result<(), String> {
    Ok(())
}

/// Cleans and invalidates to the point of coherency.
fn past_caches(base: u64, size: u64) {
    let kinds: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) kinds, options(nomem, nostack)) };
    let line = 4u64 << (kinds >> 16 & 15);
    let mut at = base / line * line;
    while at < base + size {
        // SAFETY: writes a line back; its contents do not change.
        unsafe { asm!("dc civac, {}", in(reg) at, options(nostack)) };
        at += line;
    }
    // SAFETY: a barrier.
    unsafe { asm!("dsb sy", options(nostack)) };
}

/// Jumps.
///
/// # Safety
/// Boot services have ended, and `placed` is what `image::place` made.
pub unsafe fn to(placed: &Placed) -> ! {
    past_caches(placed.base, placed.size);
    // The few instructions that run after the caches are off are read from memory, too.
    past_caches(to as *const () as u64, 1024);
    // SAFETY: by contract nothing of firmware or of this program is used again. Memory is mapped to itself, so that the
    // instructions go on when the MMU is off; they touch no memory. Bits cleared: MMU, data cache, instruction cache.
    unsafe {
        asm!(
            "msr daifset, #15",
            "mrs x9, CurrentEL",
            "cmp x9, #(2 << 2)",
            "b.eq 2f",
            "mrs x9, sctlr_el1",
            "bic x9, x9, #(1 << 0)",
            "bic x9, x9, #(1 << 2)",
            "bic x9, x9, #(1 << 12)",
            "msr sctlr_el1, x9",
            "isb",
            "tlbi vmalle1",
            "b 3f",
            "2:",
            "mrs x9, sctlr_el2",
            "bic x9, x9, #(1 << 0)",
            "bic x9, x9, #(1 << 2)",
            "bic x9, x9, #(1 << 12)",
            "msr sctlr_el2, x9",
            "isb",
            "tlbi alle2",
            "3:",
            "ic iallu",
            "dsb sy",
            "isb",
            "br x10",
            in("x10") placed.entry,
            in("x0") placed.told,
            options(noreturn)
        )
    }
}
