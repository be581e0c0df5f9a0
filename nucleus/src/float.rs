//! Floating-point and SIMD registers, and where a thread's local storage begins (the segments `fs` and `gs`, or TPIDR_EL0): those of
//! one thread are in the processor.
//!
//! Registers are loaded when a thread first uses them, which traps until then, and stored when another thread does. Handlers and
//! portals run with the trap on; a handler that is entered by the short way of a system call alone does not: it is trusted with
//! its program's registers.

use crate::arch::{self, float as machine};
use core::cell::Cell;
use nucleus_core::{kernel::Kernel, same, task::Task, thread::Thread};

struct State {
    /// Whose registers the processor has, and whether they may be used now.
    owner: Cell<Option<&'static Thread>>,
    usable: Cell<bool>,
    /// Whose local storage it has.
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

fn is(who: &Cell<Option<&'static Thread>>, thread: &Thread) -> bool {
    who.get().is_some_and(|who| same(who, thread))
}

fn set_usable(usable: bool) {
    STATE.usable.set(usable);
    machine::set_trap(!usable);
    arch::guard();
}

/// Whether floating point does not trap now.
pub fn is_usable() -> bool {
    STATE.usable.get()
}

/// `thread` uses a register while that traps. Whether it may: the registers are its own then.
pub fn take(thread: &'static Thread) -> bool {
    let Some(float) = thread.may_float() else {
        return false;
    };
    set_usable(true);
    if !is(&STATE.owner, thread) {
        let before = STATE.owner.replace(Some(thread));
        if let Some(before) = before.and_then(|before| before.float.get()) {
            machine::store(before);
        }
        machine::load(float);
    }
    true
}

/// What `thread` finds when it goes on.
pub fn leave_to(thread: &'static Thread) {
    let own = is(&STATE.owner, thread) && thread.may_float().is_some();
    if STATE.usable.get() && !own {
        set_usable(false);
    }
    if thread.home.foreign.get() && !is(&STATE.based, thread) {
        if let Some(before) = STATE.based.replace(Some(thread)) {
            machine::store_bases(before);
        }
        machine::load_bases(thread);
    }
}

/// The thread's memory holds its registers, which may stay in the processor.
pub fn store(thread: &'static Thread) {
    if let Some(float) = thread.float.get().filter(|_| is(&STATE.owner, thread)) {
        machine::set_trap(false);
        machine::store(float);
        machine::set_trap(!STATE.usable.get());
    }
}

/// The processor has nothing of the thread's registers any more: its memory is what counts.
pub fn drop(thread: &'static Thread) {
    if is(&STATE.owner, thread) {
        STATE.owner.set(None);
        set_usable(false);
    }
}

/// The thread's memory says where its local storage begins.
pub fn bases_store(thread: &'static Thread) {
    if is(&STATE.based, thread) {
        machine::store_bases(thread);
    }
}

/// It begins elsewhere now, as the thread's memory says.
pub fn bases_drop(thread: &'static Thread) {
    if is(&STATE.based, thread) {
        STATE.based.set(None);
    }
}

/// The task is gone.
pub fn forget(task: &Task) {
    let of =
        |who: &Cell<Option<&'static Thread>>| who.get().filter(|thread| same(thread.home, task));
    if let Some(thread) = of(&STATE.owner) {
        drop(thread);
    }
    if let Some(thread) = of(&STATE.based) {
        bases_drop(thread);
    }
}
