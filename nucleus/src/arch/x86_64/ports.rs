//! I/O ports: the bitmap holds those of one task, and is shown to that task alone.

use super::descriptors::{allow_bitmap, set_ports};
use core::cell::Cell;
use nucleus_core::{kernel::Kernel, task::PORT_RANGES};

type Ranges = [Cell<(u16, u16)>; PORT_RANGES];

/// The ranges that the bitmap allows.
// SAFETY: private to this module, whose functions run in the nucleus alone.
static LOADED: Kernel<Ranges> = unsafe { Kernel::new([const { Cell::new((0, 0)) }; PORT_RANGES]) };

/// From the entry code, when the task that is about to run, or the one before it, is a special one.
#[no_mangle]
extern "C" fn nucleus_ports(thread: &'static nucleus_core::thread::Thread) {
    let task = thread.task.get();
    let has = task.ports.iter().any(|range| range.get().1 != 0);
    if has
        && task
            .ports
            .iter()
            .zip(LOADED.iter())
            .any(|(wanted, loaded)| wanted.get() != loaded.get())
    {
        for range in LOADED.iter() {
            set_ports(range.get().0, range.get().1, false);
        }
        for (wanted, loaded) in task.ports.iter().zip(LOADED.iter()) {
            loaded.set(wanted.get());
            set_ports(wanted.get().0, wanted.get().1, true);
        }
    }
    allow_bitmap(has);
    super::entry::set_special(has);
}

/// A task got more ports: the next way out looks at them.
pub fn ports_changed() {
    super::entry::set_special(true);
}
