//! Loops and the server of three instructions.

use core::arch::{asm, naked_asm};

pub const INSTRUCTIONS_A_TICK: u64 = 1;

pub fn counter() -> u64 {
    // SAFETY: reading the counter has no effect.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Replies with the words it was called with: a portal's entry.
// SAFETY: entered by the nucleus only; it never returns, as PORTAL_REPLY does not.
#[unsafe(naked)]
pub extern "C" fn answer() {
    naked_asm!("mov eax, 1", "syscall", "ud2")
}

/// `rounds` portal calls with as many words set (or the same loop without calling).
pub fn calls<const CALL: bool, const WORDS: usize>(portal: u64, rounds: u64) {
    macro_rules! turn {
        ($set:literal, $call:literal) => {
            // SAFETY: a portal call keeps the stack only: what the loop needs is there, and so are rbx and rbp.
            unsafe {
                asm!("push rbx", "push rbp", "push {rounds}", "push {portal}",
                    "2:", $set, "mov r14, [rsp]", "xor eax, eax", $call, "dec qword ptr [rsp + 8]", "jnz 2b",
                    "pop rax", "pop rax", "pop rbp", "pop rbx",
                    rounds = in(reg) rounds, portal = in(reg) portal,
                    lateout("rax") _, lateout("rcx") _, lateout("rdx") _, lateout("rsi") _, lateout("rdi") _, lateout("r8") _, lateout("r9") _,
                    lateout("r10") _, lateout("r11") _, lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _)
            }
        };
    }
    match (CALL, WORDS) {
        (true, 0) => turn!("", "syscall"),
        (false, 0) => turn!("", ""),
        (true, 4) => turn!("mov edi, 1\n mov esi, 2\n mov edx, 3\n mov r10d, 4", "syscall"),
        (false, 4) => turn!("mov edi, 1\n mov esi, 2\n mov edx, 3\n mov r10d, 4", ""),
        (true, _) => turn!(
            "mov edi, 1\n mov esi, 2\n mov edx, 3\n mov r10d, 4\n mov r8d, 5\n mov r9d, 6\n mov r12d, 7\n mov r13d, 8",
            "syscall"
        ),
        (false, _) => turn!(
            "mov edi, 1\n mov esi, 2\n mov edx, 3\n mov r10d, 4\n mov r8d, 5\n mov r9d, 6\n mov r12d, 7\n mov r13d, 8",
            ""
        ),
    }
}

/// `rounds` calls that do nothing (or the same loop without calling).
pub fn nulls<const CALL: bool>(rounds: u64) {
    macro_rules! turn {
        ($call:literal) => {
            // SAFETY: the call keeps all but the status, the first word, rcx and r11.
            unsafe {
                asm!("2:", "mov eax, 26", $call, "dec {rounds}", "jnz 2b", rounds = inout(reg) rounds => _,
                    out("rax") _, out("rdi") _, out("rcx") _, out("r11") _)
            }
        };
    }
    match CALL {
        true => turn!("syscall"),
        false => turn!(""),
    }
}

/// The number of a foreign system call that wants a number back, and the number.
pub const GETPID: u64 = 39;
pub const PID: u64 = 4711;

/// `rounds` foreign system calls (or the same loop without calling); the last result.
pub fn foreign<const CALL: bool>(rounds: u64) -> u64 {
    let mut result = 0;
    macro_rules! turn {
        ($call:literal) => {
            // SAFETY: the handler keeps all but the result, rcx and r11.
            unsafe {
                asm!("2:", "mov eax, {getpid}", $call, "dec {rounds}", "jnz 2b", rounds = inout(reg) rounds => _,
                    getpid = const GETPID, inout("rax") result, out("rcx") _, out("r11") _)
            }
        };
    }
    match CALL {
        true => turn!("syscall"),
        false => turn!(""),
    }
    result
}

/// A foreign system call with one word.
pub fn foreign_word(number: u64, word: u64) {
    // SAFETY: the handler keeps all but the result, rcx and r11.
    unsafe {
        asm!("syscall", inlateout("rax") number => _, in("rdi") word, out("rcx") _, out("r11") _)
    }
}

/// A handler of foreign system calls that answers one of them, and leaves the rest to `H`.
// SAFETY: entered by the nucleus only; it never returns, as PORTAL_REPLY does not.
#[unsafe(naked)]
pub extern "C" fn personality<H: runtime::handler::Handle>() {
    naked_asm!("cmp eax, {getpid}", "jne {other}", "mov r14d, {pid}", "mov eax, 1", "syscall", "ud2",
        getpid = const GETPID, pid = const PID, other = sym runtime::handler::enter::<H>)
}

/// Uses a floating-point register.
pub fn touch() {
    // SAFETY: nothing else in a program that is compiled without floating point uses it.
    unsafe { asm!("xorps xmm0, xmm0", options(nomem, nostack)) }
}
