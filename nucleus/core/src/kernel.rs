//! What only the processor that is in the nucleus touches.

use core::ops::Deref;

/// A static of the nucleus: cells that one processor alone uses, with interrupts off, so that no two uses are ever concurrent.
#[repr(transparent)]
pub struct Kernel<T>(T);

// SAFETY: `new` is unsafe, and its caller has promised that no two processors, and no interrupt, use the value at once.
unsafe impl<T> Sync for Kernel<T> {}

impl<T> Kernel<T> {
    /// # Safety
    /// The value must be reached only by code that runs on the one processor that the nucleus uses, while interrupts are off:
    /// the nucleus's own code, which is entered in no other way (`arch`'s entry code), and host tests that share it with no
    /// other thread.
    pub const unsafe fn new(value: T) -> Kernel<T> {
        Kernel(value)
    }
}

impl<T> Deref for Kernel<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}
