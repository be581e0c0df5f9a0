//! arm64: Arm Architecture Reference Manual for A-profile (DDI 0487), chapters D1, D8, D19.

mod entry;
pub mod float;
mod paging;

pub use entry::{guard, idle, resume};
pub use paging::{
    forget_identity, forget_page, forget_space, publish, share_kernel_half, space, tables_written,
    Entries,
};

use crate::interrupts;
use core::arch::asm;

/// There are no I/O ports.
pub const HAS_PORTS: bool = false;

pub fn ports_changed() {}

/// Calls a platform operation's symbol directly, so that the call can be found and patched.
macro_rules! call {
    ($symbol:ident $(, $argument:expr)*) => { $crate::arch::call!(@ $symbol [$($argument,)*]) };
    (@ $symbol:ident [$a:expr,]) => { $crate::arch::call!(# $symbol, $a, 0u64, "x2" = 0u64) };
    (@ $symbol:ident [$a:expr, $b:expr,]) => { $crate::arch::call!(# $symbol, $a, $b, "x2" = 0u64) };
    (@ $symbol:ident [$a:expr, $b:expr, $c:expr, $d:expr, $e:expr, $f:expr,]) => {
        $crate::arch::call!(# $symbol, $a, $b, "x2" = $c, "x3" = $d, "x4" = $e, "x5" = $f)
    };
    (# $symbol:ident, $a:expr, $b:expr $(, $register:tt = $argument:expr)*) => {{
        let result: u64;
        core::arch::asm!("bl {symbol}", symbol = sym $symbol, inlateout("x0") $a => result,
            inlateout("x1") $b => _, $(inlateout($register) $argument => _,)* clobber_abi("C"));
        result
    }};
}
pub(crate) use call;

/// The instructions of a function that gives 0.
macro_rules! nothing {
    () => {
        "mov x0, xzr\nret"
    };
}
pub(crate) use nothing;

/// Exception vectors; no floating point; the counter may be read by programs.
pub fn start() {
    entry::load_vectors();
    // SAFETY: CPACR_EL1.FPEN = 0 traps floating point, which the nucleus does not use; CNTKCTL_EL1 = EL0VCTEN lets
    // programs read the counter and nothing else of the timer.
    unsafe {
        asm!("msr cpacr_el1, xzr", "msr cntkctl_el1, {}", "isb", in(reg) 1u64 << 1, options(nostack));
    }
}

/// The virtual counter.
#[inline]
pub fn ticks() -> u64 {
    let ticks: u64;
    // SAFETY: reading the counter has no effect.
    unsafe { asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
    ticks
}

/// Zeroes memory, a block of the cache at a time where the CPU can.
///
/// # Safety
/// Whole pages of RAM in the direct map, in which no Rust value lies that is still used.
pub unsafe fn zero(address: u64, size: u64) {
    let block: u64;
    // SAFETY: reading DCZID_EL0 has no effect.
    unsafe { asm!("mrs {}, dczid_el0", out(reg) block, options(nomem, nostack)) };
    let (mut at, end) = (address, address + size);
    if block & 1 << 4 == 0 {
        while at < end {
            // SAFETY: the caller's memory is free RAM in the direct map; blocks divide pages.
            unsafe { asm!("dc zva, {}", in(reg) at, options(nostack)) };
            at += 4 << (block & 15);
        }
    } else {
        // SAFETY: as above.
        unsafe { core::ptr::write_bytes(address as *mut u8, 0, size as usize) };
    }
}

/// Lines come in by their own ID.
pub fn vector_of(_number: usize, line: u32) -> u64 {
    line.into()
}

/// A message comes in as the line of its ID.
pub fn line_of_message(id: u64) -> Option<u32> {
    u32::try_from(id).ok()
}

/// Lines, the timer and messages share their numbers: the timer's is the nucleus's, and those of messages are not wired.
pub fn may_bind(line: u32) -> bool {
    let id = line.into();
    !interrupts::is_timer(id) && interrupts::message_of(id).is_none()
}

/// The timer comes in like a line, and starts masked like one.
pub fn enable_timer_line(line: u64) {
    if let Ok(line) = u32::try_from(line) {
        crate::platform::lines_unmask(line);
    }
}

pub fn halt() -> ! {
    loop {
        // SAFETY: interrupts are off: nothing runs any more.
        unsafe { asm!("wfi", options(nomem, nostack)) }
    }
}
