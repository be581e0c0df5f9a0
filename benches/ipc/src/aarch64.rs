//! Loops and the server of three instructions.

use core::arch::{asm, naked_asm};

/// The emulator's counter runs at 62.5 MHz; an instruction takes a nanosecond.
pub const INSTRUCTIONS_A_TICK: u64 = 16;

pub fn counter() -> u64 {
    let ticks: u64;
    // SAFETY: reading the counter has no effect.
    unsafe { asm!("isb", "mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
    ticks
}

/// Replies with the words it was called with: a portal's entry.
// SAFETY: entered by the nucleus only; it never returns, as PORTAL_REPLY does not.
#[unsafe(naked)]
pub extern "C" fn answer() {
    naked_asm!("mov x8, #1", "svc #0", "udf #0")
}

/// `rounds` portal calls with as many words set (or the same loop without calling).
pub fn calls<const CALL: bool, const WORDS: usize>(portal: u64, rounds: u64) {
    macro_rules! turn {
        ($set:literal, $call:literal) => {
            // SAFETY: a portal call keeps the stack only: what the loop needs is there, and so are x19 and x29.
            unsafe {
                asm!("stp x19, x29, [sp, #-32]!", "stp {rounds}, {portal}, [sp, #16]",
                    "2:", $set, "ldr x9, [sp, #24]", "mov x8, xzr", $call,
                    "ldr x10, [sp, #16]", "subs x10, x10, #1", "str x10, [sp, #16]", "b.ne 2b",
                    "ldp x19, x29, [sp], #32",
                    rounds = in(reg) rounds, portal = in(reg) portal,
                    lateout("x20") _, lateout("x21") _, lateout("x22") _, lateout("x23") _, lateout("x24") _, lateout("x25") _, lateout("x26") _,
                    lateout("x27") _, lateout("x28") _, clobber_abi("C"))
            }
        };
    }
    match (CALL, WORDS) {
        (true, 0) => turn!("", "svc #0"),
        (false, 0) => turn!("", ""),
        (true, 4) => turn!("mov x0, #1\n mov x1, #2\n mov x2, #3\n mov x3, #4", "svc #0"),
        (false, 4) => turn!("mov x0, #1\n mov x1, #2\n mov x2, #3\n mov x3, #4", ""),
        (true, _) => turn!(
            "mov x0, #1\n mov x1, #2\n mov x2, #3\n mov x3, #4\n mov x4, #5\n mov x5, #6\n mov x6, #7\n mov x7, #8",
            "svc #0"
        ),
        (false, _) => turn!(
            "mov x0, #1\n mov x1, #2\n mov x2, #3\n mov x3, #4\n mov x4, #5\n mov x5, #6\n mov x6, #7\n mov x7, #8",
            ""
        ),
    }
}

/// `rounds` calls that do nothing (or the same loop without calling).
pub fn nulls<const CALL: bool>(rounds: u64) {
    macro_rules! turn {
        ($call:literal) => {
            // SAFETY: the call keeps all but the status and the first word.
            unsafe {
                asm!("2:", "mov x8, #26", $call, "subs {rounds}, {rounds}, #1", "b.ne 2b",
                    rounds = inout(reg) rounds => _, out("x8") _, out("x0") _)
            }
        };
    }
    match CALL {
        true => turn!("svc #0"),
        false => turn!(""),
    }
}

/// The number of a foreign system call that wants a number back, and the number.
pub const GETPID: u64 = 172;
pub const PID: u64 = 4711;

/// `rounds` foreign system calls (or the same loop without calling); the last result.
pub fn foreign<const CALL: bool>(rounds: u64) -> u64 {
    let mut result = 0;
    macro_rules! turn {
        ($call:literal) => {
            // SAFETY: the handler keeps all but the result.
            unsafe {
                asm!("2:", "mov x8, #{getpid}", $call, "subs {rounds}, {rounds}, #1", "b.ne 2b", rounds = inout(reg) rounds => _,
                    getpid = const GETPID, out("x8") _, inout("x0") result)
            }
        };
    }
    match CALL {
        true => turn!("svc #0"),
        false => turn!(""),
    }
    result
}

/// A foreign system call with one word.
pub fn foreign_word(number: u64, word: u64) {
    // SAFETY: the handler keeps all but the result.
    unsafe { asm!("svc #0", in("x8") number, inlateout("x0") word => _) }
}

/// A handler of foreign system calls that answers one of them, and leaves the rest to `H`.
// SAFETY: entered by the nucleus only; it never returns, as PORTAL_REPLY does not.
#[unsafe(naked)]
pub extern "C" fn personality<H: runtime::handler::Handle>() {
    naked_asm!("cmp x8, #{getpid}", "b.ne {other}", "mov x0, #{pid}", "mov x8, #1", "svc #0", "udf #0",
        getpid = const GETPID, pid = const PID, other = sym runtime::handler::enter::<H>)
}

/// Uses a floating-point register.
pub fn touch() {
    // SAFETY: nothing else in a program that is compiled without floating point uses it.
    unsafe { asm!(".arch armv8-a+fp", "fmov d0, xzr", options(nomem, nostack)) }
}
