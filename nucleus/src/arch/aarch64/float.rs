//! How floating-point and SIMD registers and TPIDR_EL0 are loaded and stored.

use core::arch::asm;
use nucleus_core::thread::{Float, Thread};

/// Whether floating point traps (DDI 0487, CPACR_EL1).
pub fn set_trap(trap: bool) {
    let enable = if trap { 0u64 } else { 3 << 20 };
    // SAFETY: CPACR_EL1.FPEN decides whether floating point traps, and nothing else; the nucleus is compiled without.
    unsafe { asm!("msr cpacr_el1, {}", "isb", in(reg) enable, options(nomem, nostack)) };
}

/// Moves all vector registers between the processor and memory by the instruction that is named; then carries out the others.
macro_rules! move_all {
    ($move:literal, $at:expr, $($more:literal),*) => {
        asm!(
            ".arch armv8-a+fp+simd",
            concat!($move, " q0, q1, [{at}]"), concat!($move, " q2, q3, [{at}, #32]"),
            concat!($move, " q4, q5, [{at}, #64]"), concat!($move, " q6, q7, [{at}, #96]"),
            concat!($move, " q8, q9, [{at}, #128]"), concat!($move, " q10, q11, [{at}, #160]"),
            concat!($move, " q12, q13, [{at}, #192]"), concat!($move, " q14, q15, [{at}, #224]"),
            concat!($move, " q16, q17, [{at}, #256]"), concat!($move, " q18, q19, [{at}, #288]"),
            concat!($move, " q20, q21, [{at}, #320]"), concat!($move, " q22, q23, [{at}, #352]"),
            concat!($move, " q24, q25, [{at}, #384]"), concat!($move, " q26, q27, [{at}, #416]"),
            concat!($move, " q28, q29, [{at}, #448]"), concat!($move, " q30, q31, [{at}, #480]"),
            $($more,)*
            at = in(reg) $at, word = out(reg) _, options(nostack),
        )
    };
}

/// Puts the processor's registers into their thread's memory, while the trap is off.
pub fn store(float: &Float) {
    let at = core::ptr::from_ref(float);
    // SAFETY: the memory is the thread's, and as large as what is stored.
    unsafe {
        move_all!(
            "stp",
            at,
            "mrs {word}, fpsr",
            "str {word}, [{at}, #512]",
            "mrs {word}, fpcr",
            "str {word}, [{at}, #520]"
        )
    }
}

pub fn load(float: &Float) {
    let at = core::ptr::from_ref(float);
    // SAFETY: as in `store`; every bit pattern is a register, and `check` left nothing that is reserved.
    unsafe {
        move_all!(
            "ldp",
            at,
            "ldr {word}, [{at}, #512]",
            "msr fpsr, {word}",
            "ldr {word}, [{at}, #520]",
            "msr fpcr, {word}"
        )
    }
}

/// Of what somebody else wrote there, only flags and modes that there are count (DDI 0487, C5.2: FPSR, FPCR).
pub fn check(float: &Float) {
    float.0[64].set(float.0[64].get() & 0xf800_009f);
    float.0[65].set(float.0[65].get() & 0x07f7_9f00);
}

/// Programs set TPIDR_EL0 as they like: the thread's memory has what it is now.
pub fn store_bases(thread: &Thread) {
    let base: u64;
    // SAFETY: reading the register has no effect.
    unsafe { asm!("mrs {}, tpidr_el0", out(reg) base, options(nomem, nostack)) };
    thread.bases[0].set(base);
}

pub fn load_bases(thread: &Thread) {
    let base = thread.bases[0].get();
    // SAFETY: the register is the programs' alone.
    unsafe { asm!("msr tpidr_el0, {}", in(reg) base, options(nomem, nostack)) };
}
