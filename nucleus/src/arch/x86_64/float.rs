//! Floating-point and SIMD registers, and the beginnings of the segments `fs` and `gs`: those of one thread are in the processor.
//!
//! Registers are loaded when a thread first uses them, which traps until then (SDM 3A, 2.5, CR0.TS), and stored when another thread
//! does. Handlers and portals run with the trap on; a handler that is entered by the short way of a system call alone does not:
//! it is trusted with its program's registers.

use super::{cpuid, model, ports};
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
    /// Whose segments it has.
    based: Cell<Option<&'static Thread>>,
    /// What XSAVE saves; 0: there is FXSAVE only.
    saved: Cell<u64>,
}

// SAFETY: private to this module, whose functions run in the nucleus alone.
static STATE: Kernel<State> = unsafe {
    Kernel::new(State {
        owner: Cell::new(None),
        usable: Cell::new(false),
        based: Cell::new(None),
        saved: Cell::new(0),
    })
};

const FS_BASE: u32 = 0xc000_0100;
const GS_BASE: u32 = 0xc000_0101;
/// Bits of MXCSR that may be set where the processor does not say which (SDM 1, 11.6.6).
const MXCSR: u64 = 0xffbf;

/// Turns SSE on, and AVX where there is XSAVE; with the trap.
pub fn start() {
    const TASK_SWITCHED: u64 = 1 << 3;
    const MONITOR: u64 = 1 << 1;
    const EMULATE: u64 = 1 << 2;
    const NUMERIC_ERRORS: u64 = 1 << 5;
    const SIMD: u64 = 1 << 9 | 1 << 10;
    const XSAVE: u64 = 1 << 18;
    let features = cpuid(1).ecx;
    let has_xsave = features >> 26 & 1 != 0;
    // SAFETY: the nucleus is compiled without floating point; what programs do with it traps until it is theirs.
    unsafe {
        let (mut cr0, mut cr4): (u64, u64);
        asm!("mov {}, cr0", out(reg) cr0, options(nomem, nostack));
        asm!("mov {}, cr4", out(reg) cr4, options(nomem, nostack));
        cr0 = (cr0 | TASK_SWITCHED | MONITOR | NUMERIC_ERRORS) & !EMULATE;
        cr4 |= SIMD | if has_xsave { XSAVE } else { 0 };
        asm!("mov cr0, {}", in(reg) cr0, options(nostack));
        asm!("mov cr4, {}", in(reg) cr4, options(nostack));
    }
    if has_xsave {
        // x87, SSE, and AVX where it is: 832 bytes (SDM 1, 13.4).
        let saved = 0b11 | u64::from(features >> 28 & 1) << 2;
        STATE.saved.set(saved);
        // SAFETY: CPUID says that the processor has these, and CR4 allows the instruction.
        unsafe {
            asm!("xsetbv", in("ecx") 0, in("eax") saved as u32, in("edx") 0, options(nomem, nostack))
        };
    }
}

/// Puts the processor's registers into the owner's memory.
fn store(float: &Float) {
    let (at, saved) = (core::ptr::from_ref(float), STATE.saved.get());
    // SAFETY: the memory is the thread's, aligned and as large as what is saved; the trap is off where this is called.
    unsafe {
        match saved {
            0 => asm!("fxsave64 [{}]", in(reg) at, options(nostack)),
            _ => {
                asm!("xsave64 [{}]", in(reg) at, in("eax") saved as u32, in("edx") 0, options(nostack))
            }
        }
    }
}

fn load(float: &Float) {
    let (at, saved) = (core::ptr::from_ref(float), STATE.saved.get());
    // SAFETY: as in `store`; the memory holds what was stored, or what `check` left, which the processor accepts.
    unsafe {
        match saved {
            0 => asm!("fxrstor64 [{}]", in(reg) at, options(nostack)),
            _ => {
                asm!("xrstor64 [{}]", in(reg) at, in("eax") saved as u32, in("edx") 0, options(nostack))
            }
        }
    }
}

/// Whether the trap is off.
fn set_usable(usable: bool) {
    STATE.usable.set(usable);
    // SAFETY: the bit decides whether floating point traps, and nothing else.
    unsafe {
        match usable {
            true => asm!("clts", options(nomem, nostack)),
            false => {
                asm!("mov {0}, cr0", "or {0}, 8", "mov cr0, {0}", out(reg) _, options(nomem, nostack))
            }
        }
    }
    ports::guard();
}

pub fn is_usable() -> bool {
    STATE.usable.get()
}

/// `thread` uses a register while that traps. Whether it may: the registers are its own then.
pub fn take(thread: &'static Thread) -> bool {
    let Some(float) = thread.may_float() else {
        return false;
    };
    set_usable(true);
    if STATE.owner.get().is_some_and(|owner| same(owner, thread)) {
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

/// What `thread` finds when it goes on.
pub fn leave_to(thread: &'static Thread) {
    let owns = STATE.owner.get().is_some_and(|owner| same(owner, thread));
    if STATE.usable.get() && !(owns && thread.may_float().is_some()) {
        set_usable(false);
    }
    if thread.home.foreign.get() && !STATE.based.get().is_some_and(|based| same(based, thread)) {
        model::write(FS_BASE, thread.bases[0].get());
        model::write(GS_BASE, thread.bases[1].get());
        STATE.based.set(Some(thread));
    }
}

/// The thread's memory holds its registers, which may stay in the processor.
pub fn float_store(thread: &'static Thread) {
    let owns = STATE.owner.get().is_some_and(|owner| same(owner, thread));
    if let Some(float) = thread.float.get().filter(|_| owns) {
        let usable = STATE.usable.get();
        set_usable(true);
        store(float);
        set_usable(usable);
    }
}

/// The processor has nothing of the thread any more: its memory is what counts.
pub fn float_drop(thread: &'static Thread) {
    if STATE.owner.get().is_some_and(|owner| same(owner, thread)) {
        STATE.owner.set(None);
        set_usable(false);
    }
}

/// What somebody else wrote there is nothing that the processor refuses to load (SDM 1, 13.8.1; 2A, FXRSTOR).
pub fn float_check(float: &Float) {
    float.0[3].set(float.0[3].get() & (MXCSR | MXCSR << 32));
    float.0[64].set(float.0[64].get() & STATE.saved.get());
    for word in &float.0[65..72] {
        word.set(0);
    }
}

/// The task is gone.
pub fn float_forget(task: &Task) {
    let is = |thread: &Cell<Option<&'static Thread>>| {
        thread.get().is_some_and(|thread| same(thread.home, task))
    };
    if is(&STATE.owner) {
        STATE.owner.set(None);
        set_usable(false);
    }
    if is(&STATE.based) {
        STATE.based.set(None);
    }
}

/// Programs cannot change the beginnings of segments themselves: the thread's are known.
pub fn bases_store(_thread: &'static Thread) {}

/// The thread's are others now.
pub fn bases_drop(thread: &'static Thread) {
    if STATE.based.get().is_some_and(|based| same(based, thread)) {
        STATE.based.set(None);
    }
}
