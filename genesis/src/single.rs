//! State of which there is one: genesis runs on one processor, and no interrupt handler of it touches such state.

use core::cell::UnsafeCell;

/// A value that the one thread of genesis may change. [`Single::with`] calls must not nest for one value.
pub struct Single<T>(UnsafeCell<T>);

// SAFETY: genesis starts no second processor; the handler of the interrupts that it lets in only notes their number in an
// atomic, and the exception handlers only read the log.
unsafe impl<T> Sync for Single<T> {}

impl<T> Single<T> {
    pub const fn new(value: T) -> Single<T> {
        Single(UnsafeCell::new(value))
    }

    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: one thread (see above), and no caller holds the reference while it calls `with` again: `f` in each
        // module touches only its own value.
        f(unsafe { &mut *self.0.get() })
    }
}
