//! The client's side of a driver: its rings, its pool, and what a network card, a disk or a serial line is asked through them.
//!
//! Nothing here knows how memory is shared or a driver woken: that is a [`Ground`], of which a task in the machine has one
//! and a test on the host another.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod disk;
mod link;
mod nic;
mod terminal;

pub use disk::Disk;
pub use link::Link;
pub use nic::Nic;
pub use terminal::Terminal;

/// What a session stands on: the pool that client and driver share, and a way to wake the driver. Bytes of the pool may change
/// at any moment, so they are only copied.
pub trait Ground {
    /// Bytes of the pool.
    fn size(&self) -> usize;

    /// Copies out of the pool. `offset + to.len()` is at most `size`.
    fn read(&self, offset: usize, to: &mut [u8]);

    /// Copies into the pool, within the same bounds.
    fn write(&self, offset: usize, from: &[u8]);

    /// There is something in the rings.
    fn ring(&self);
}
