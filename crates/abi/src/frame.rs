//! A thread's frame page, which its handler and the nucleus share: all registers of the thread where it was, one 64-bit word
//! each, at these indices. The nucleus writes it when the handler asks (HANDLER_FRAME) and when the thread goes to sleep
//! (HANDLER_SLEEP), and reads it when the thread goes on from there (HANDLER_RESUME, THREAD_WAKE).
//!
//! What is read is not believed: of the flags only those count that a program may set itself, and an instruction pointer outside
//! of the user's half is refused, as is the beginning of a segment there. Words that are not named here are ignored.
//!
//! FLOAT_FRAME stores floating-point and SIMD registers at [`FLOAT`], and loads them from there: on x86-64 as an XSAVE area in
//! standard form with the state of x87, SSE and AVX (SDM 1, 13.4), on arm64 q0 to q31, then FPSR and FPCR in a word each.

/// Offset in bytes of the floating-point registers.
pub const FLOAT: usize = 512;
const _: () =
    assert!(WORDS * 8 <= FLOAT && FLOAT + float::WORDS * 8 <= crate::layout::PAGE as usize);

/// Floating-point and SIMD registers, as words.
pub mod float {
    #[cfg(target_arch = "x86_64")]
    pub const WORDS: usize = 832 / 8;
    #[cfg(target_arch = "aarch64")]
    pub const WORDS: usize = 2 * 32 + 2;
}

#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

#[cfg(target_arch = "aarch64")]
pub use aarch64::*;

/// In the order of the nucleus's own store.
#[cfg(target_arch = "x86_64")]
mod x86_64 {
    pub const R15: usize = 0;
    pub const R14: usize = 1;
    pub const R13: usize = 2;
    pub const R12: usize = 3;
    pub const R11: usize = 4;
    pub const R10: usize = 5;
    pub const R9: usize = 6;
    pub const R8: usize = 7;
    pub const RBP: usize = 8;
    pub const RDI: usize = 9;
    pub const RSI: usize = 10;
    pub const RDX: usize = 11;
    pub const RCX: usize = 12;
    pub const RBX: usize = 13;
    pub const RAX: usize = 14;
    pub const RIP: usize = 17;
    pub const RFLAGS: usize = 19;
    pub const RSP: usize = 20;
    /// Where `fs` and `gs` begin.
    pub const FS_BASE: usize = 22;
    pub const GS_BASE: usize = 23;
    pub const WORDS: usize = 24;
    pub const BASES: [usize; 2] = [FS_BASE, GS_BASE];

    /// What a system call's number was in, and where its result goes.
    pub const NUMBER: usize = RAX;
    pub const RESULT: usize = RAX;
    pub const POINTER: usize = RIP;
    pub const STACK: usize = RSP;
    pub const FLAGS: usize = RFLAGS;
    /// Carry, parity, adjust, zero, sign, trap, direction, overflow.
    pub const FLAGS_ALLOWED: u64 = 0xdd5;
}

/// x0 to x30 at 0 to 30.
#[cfg(target_arch = "aarch64")]
mod aarch64 {
    pub const SP: usize = 31;
    pub const PC: usize = 32;
    pub const PSTATE: usize = 33;
    /// TPIDR_EL0.
    pub const TPIDR: usize = 34;
    pub const WORDS: usize = 35;
    pub const BASES: [usize; 1] = [TPIDR];

    /// What a system call's number was in, and where its result goes.
    pub const NUMBER: usize = 8;
    pub const RESULT: usize = 0;
    pub const POINTER: usize = PC;
    pub const STACK: usize = SP;
    pub const FLAGS: usize = PSTATE;
    /// Negative, zero, carry, overflow.
    pub const FLAGS_ALLOWED: u64 = 0xf000_0000;
}
