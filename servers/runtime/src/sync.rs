//! A lock between the threads that run in one task: its own, and those of its portals' callers.

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

static NOBODY: AtomicU32 = AtomicU32::new(u32::MAX);

/// In a copy of a program, what the original knew of its rights is not so.
#[cfg(target_os = "none")]
pub(crate) fn forget() {
    NOBODY.store(u32::MAX, Ordering::Relaxed);
}

/// A notification of this task that nobody sets, made when it is first needed.
pub(crate) fn nobody() -> Option<u32> {
    let known = NOBODY.load(Ordering::Relaxed);
    if known != u32::MAX {
        return Some(known);
    }
    let new = crate::sys::notification_create().ok()?;
    NOBODY.store(new, Ordering::Relaxed);
    Some(new)
}

/// Who finds it taken sleeps a little, so that a holder of lower priority can go on.
pub struct Mutex<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `value` is reached only through a guard, and `taken` lets one guard exist.
unsafe impl<T: Send> Sync for Mutex<T> {}

pub struct Guard<'a, T>(&'a Mutex<T>);

impl<T> Mutex<T> {
    pub const fn new(value: T) -> Mutex<T> {
        Mutex {
            taken: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    pub fn lock(&self) -> Guard<'_, T> {
        while self.taken.swap(true, Ordering::Acquire) {
            match nobody() {
                Some(notification) => {
                    let _ = crate::sys::wait(notification, crate::sys::now() + 20_000);
                }
                None => crate::sys::yield_now(),
            }
        }
        Guard(self)
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: this guard is the only one, by `taken`.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard is the only one, by `taken`.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.0.taken.store(false, Ordering::Release);
    }
}
