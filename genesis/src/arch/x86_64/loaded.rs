//! The loader's door, after the assembly.

/// Called by door.s: physical address of what the loader tells, time stamp at the first instruction.
#[no_mangle]
extern "C" fn door_loaded(told: u64, ticks: u64) -> ! {
    crate::log::start();
    super::set_vectors();
    super::entry::start();
    crate::loaded::start(told, ticks, super::pvh::image(), |_, _| ())
}
