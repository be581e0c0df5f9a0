//! What a residual touches, as a trait: the interpreter and the specialiser's first run of `init` go through it.

use crate::{Conduit, Fence, Late, Space, Width};

/// Device, memory, clock, upcalls and firmware, for whoever carries a residual out step by step.
pub trait Access {
    /// A device read: `at` as in [`crate::Op::Read`]. The value is zero-extended.
    fn read(&mut self, window: u8, at: u64, width: Width) -> u64;
    /// A device write: the low `width` bits of `value`.
    fn write(&mut self, window: u8, at: u64, width: Width, value: u64);
    /// Bytes of the pool, where whoever carries the residual out is to check that accesses lie in it.
    fn pool_size(&self) -> Option<u64> {
        None
    }
    /// A load from state, arena or pool. The interpreter gives no offset outside state and arena, nor outside a pool whose
    /// size it is told; one outside a pool of another size is the implementor's to report, and reads 0.
    fn load(&mut self, space: Space, at: u64, width: Width) -> u64;
    fn store(&mut self, space: Space, at: u64, width: Width, value: u64);
    fn fence(&mut self, fence: Fence);
    fn late(&mut self, late: Late) -> u64;
    /// Nanoseconds; never goes back.
    fn clock(&mut self) -> u64;
    fn pause(&mut self, ns: u64);
    /// `which` indexes `Residual::upcalls`.
    fn up(&mut self, which: u8, args: &[u64]) -> u64;
    fn firmware(&mut self, conduit: Conduit, args: [u64; 4]) -> u64;
}
