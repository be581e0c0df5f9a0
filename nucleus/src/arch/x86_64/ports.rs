//! I/O ports: the bitmap holds those of one task, and is shown to that task alone.

use super::descriptors::{allow_bitmap, set_ports};
use crate::float;
use core::cell::Cell;
use nucleus_core::{
    kernel::Kernel,
    task::{Task, PORT_RANGES},
    thread::Thread,
};

type Ranges = [Cell<(u16, u16)>; PORT_RANGES];

struct Loaded {
    /// The ranges that the bitmap allows.
    ranges: Ranges,
    /// The bitmap is shown.
    shown: Cell<bool>,
}

// SAFETY: private to this module, whose functions run in the nucleus alone.
static LOADED: Kernel<Loaded> = unsafe {
    Kernel::new(Loaded {
        ranges: [const { Cell::new((0, 0)) }; PORT_RANGES],
        shown: Cell::new(false),
    })
};

/// From the entry code, when there is more to load for the thread that is about to run, or to take away after the one before it.
#[no_mangle]
extern "C" fn nucleus_more(thread: &'static Thread) {
    let task = thread.task.get();
    if LOADED.shown.get() || task.special.get() != 0 {
        show(task);
    }
    float::leave_to(thread);
}

fn show(task: &Task) {
    let has = task.ports.iter().any(|range| range.get().1 != 0);
    let pairs = || task.ports.iter().zip(&LOADED.ranges);
    if has && pairs().any(|(wanted, loaded)| wanted.get() != loaded.get()) {
        for range in &LOADED.ranges {
            set_ports(range.get().0, range.get().1, false);
        }
        for (wanted, loaded) in pairs() {
            loaded.set(wanted.get());
            set_ports(wanted.get().0, wanted.get().1, true);
        }
    }
    allow_bitmap(has);
    LOADED.shown.set(has);
    guard();
}

/// What the entry code must not leave as it is.
pub fn guard() {
    super::entry::set_guards(LOADED.shown.get(), float::is_usable());
}

/// A task got more ports: the next way out looks at them.
pub fn ports_changed() {
    LOADED.shown.set(true);
    guard();
}
