//! Floating-point and SIMD registers, and TPIDR_EL0: those of one thread are in the processor.
//!
//! Registers are loaded when a thread first uses them, which traps until then (DDI 0487, CPACR_EL1), and stored when another thread
//! does. Handlers and portals run with the trap on; a handler that is entered by the short way of a system call alone does not:
//! it is trusted with its program's registers. Programs set TPIDR_EL0 as they like, so it is stored whenever another thread comes.

use core::arch::asm;
use core::cell::Cell;
use nucleus_core::{
    kernel::Kernel,
    same,
    task::Task,
    thread::{Float, Thread},
};

struct State {
    /// Whose registers the processor has, and whether they may be used now.
    owner: Cell<Option<&'static Thread>>,
    usable: Cell<bool>,
    /// Whose TPIDR_EL0 it has.
    based: Cell<Option<&'static Thread>>,
}

// SAFETY: private to this module, whose functions run in the nucleus alone.
static STATE: Kernel<State> = unsafe {
    Kernel::new(State {
        owner: Cell::new(None),
        usable: Cell::new(false),
        based: Cell::new(None),
    })
};

extern "C" {
    /// Not 0: floating-point registers may be used, which no server may.
    static nucleus_guarded: Kernel<Cell<u64>>;
}

/// Whether floating point traps: for programs, or for nobody while the nucleus moves registers.
fn set_trap(trap: bool) {
    let enable = if trap { 0u64 } else { 3 << 20 };
    // SAFETY: CPACR_EL1.FPEN decides whether floating point traps, and nothing else; the nucleus is compiled without.
    unsafe { asm!("msr cpacr_el1, {}", "isb", in(reg) enable, options(nomem, nostack)) };
}

fn set_usable(usable: bool) {
    STATE.usable.set(usable);
    set_trap(!usable);
    // SAFETY: a word of the entry code's data, used only with interrupts off.
    unsafe { nucleus_guarded.set(usable.into()) }
}

/// Puts the processor's registers into the owner's memory, while the trap is off.
fn store(float: &Float) {
    // SAFETY: the memory is the thread's, and as large as what is stored.
    unsafe {
        asm!(
            ".arch armv8-a+fp+simd",
            "stp q0, q1, [{at}]", "stp q2, q3, [{at}, #32]", "stp q4, q5, [{at}, #64]", "stp q6, q7, [{at}, #96]",
            "stp q8, q9, [{at}, #128]", "stp q10, q11, [{at}, #160]", "stp q12, q13, [{at}, #192]",
            "stp q14, q15, [{at}, #224]", "stp q16, q17, [{at}, #256]", "stp q18, q19, [{at}, #288]",
            "stp q20, q21, [{at}, #320]", "stp q22, q23, [{at}, #352]", "stp q24, q25, [{at}, #384]",
            "stp q26, q27, [{at}, #416]", "stp q28, q29, [{at}, #448]", "stp q30, q31, [{at}, #480]",
            "mrs {word}, fpsr", "str {word}, [{at}, #512]", "mrs {word}, fpcr", "str {word}, [{at}, #520]",
            at = in(reg) core::ptr::from_ref(float), word = out(reg) _, options(nostack),
        )
    }
}

fn load(float: &Float) {
    // SAFETY: as in `store`; every bit pattern is a register, and `float_check` left nothing that is reserved.
    unsafe {
        asm!(
            ".arch armv8-a+fp+simd",
            "ldp q0, q1, [{at}]", "ldp q2, q3, [{at}, #32]", "ldp q4, q5, [{at}, #64]", "ldp q6, q7, [{at}, #96]",
            "ldp q8, q9, [{at}, #128]", "ldp q10, q11, [{at}, #160]", "ldp q12, q13, [{at}, #192]",
            "ldp q14, q15, [{at}, #224]", "ldp q16, q17, [{at}, #256]", "ldp q18, q19, [{at}, #288]",
            "ldp q20, q21, [{at}, #320]", "ldp q22, q23, [{at}, #352]", "ldp q24, q25, [{at}, #384]",
            "ldp q26, q27, [{at}, #416]", "ldp q28, q29, [{at}, #448]", "ldp q30, q31, [{at}, #480]",
            "ldr {word}, [{at}, #512]", "msr fpsr, {word}", "ldr {word}, [{at}, #520]", "msr fpcr, {word}",
            at = in(reg) core::ptr::from_ref(float), word = out(reg) _, options(nostack),
        )
    }
}

fn is(who: &Cell<Option<&'static Thread>>, thread: &Thread) -> bool {
    who.get().is_some_and(|who| same(who, thread))
}

/// `thread` uses a register while that traps. Whether it may: the registers are its own then.
pub fn take(thread: &'static Thread) -> bool {
    let Some(float) = thread.may_float() else {
        return false;
    };
    set_usable(true);
    if is(&STATE.owner, thread) {
        return true;
    }
    if let Some(before) = STATE
        .owner
        .replace(Some(thread))
        .and_then(|owner| owner.float.get())
    {
        store(before);
    }
    load(float);
    true
}

/// From the entry code, when there is more to load for the thread that is about to run, or to take away after the one before it.
#[no_mangle]
extern "C" fn nucleus_more(thread: &'static Thread) {
    let own = is(&STATE.owner, thread) && thread.may_float().is_some();
    if STATE.usable.get() && !own {
        set_usable(false);
    }
    if thread.home.foreign.get() && !is(&STATE.based, thread) {
        if let Some(before) = STATE.based.replace(Some(thread)) {
            before.bases[0].set(base());
        }
        let base = thread.bases[0].get();
        // SAFETY: the register is the programs' alone.
        unsafe { asm!("msr tpidr_el0, {}", in(reg) base, options(nomem, nostack)) };
    }
}

fn base() -> u64 {
    let base: u64;
    // SAFETY: reading the register has no effect.
    unsafe { asm!("mrs {}, tpidr_el0", out(reg) base, options(nomem, nostack)) };
    base
}

/// The thread's memory holds its registers, which may stay in the processor.
pub fn float_store(thread: &'static Thread) {
    if let Some(float) = thread.float.get().filter(|_| is(&STATE.owner, thread)) {
        set_trap(false);
        store(float);
        set_trap(!STATE.usable.get());
    }
}

/// The processor has nothing of the thread any more: its memory is what counts.
pub fn float_drop(thread: &'static Thread) {
    if is(&STATE.owner, thread) {
        STATE.owner.set(None);
        set_usable(false);
    }
}

/// Of what somebody else wrote there, only flags and modes that there are count (DDI 0487, C5.2: FPSR, FPCR).
pub fn float_check(float: &Float) {
    float.0[64].set(float.0[64].get() & 0xf800_009f);
    float.0[65].set(float.0[65].get() & 0x07f7_9f00);
}

/// The task is gone.
pub fn float_forget(task: &Task) {
    let of = |who: &Cell<Option<&'static Thread>>| {
        who.get().is_some_and(|thread| same(thread.home, task))
    };
    if of(&STATE.owner) {
        STATE.owner.set(None);
        set_usable(false);
    }
    if of(&STATE.based) {
        STATE.based.set(None);
    }
}

/// The thread's memory has its TPIDR_EL0.
pub fn bases_store(thread: &'static Thread) {
    if is(&STATE.based, thread) {
        thread.bases[0].set(base());
    }
}

/// The thread's is another now.
pub fn bases_drop(thread: &'static Thread) {
    if is(&STATE.based, thread) {
        STATE.based.set(None);
    }
}
