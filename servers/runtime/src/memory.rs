//! Memory that a program had mapped at addresses it knows (`abi::layout`).
//!
//! These functions are safe to call because a wrong address can only stop the caller: they take nothing that the
//! program's own image, stacks or heap lie in, and a page that is not mapped is a fault of this task alone.

use abi::layout;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, AtomicU8, Ordering};
use zerocopy::{FromBytes, Immutable};

/// The addresses these functions speak for: between the stacks and the heap, or above the largest heap.
fn check(address: u64, length: u64) {
    let end = address
        .checked_add(length)
        .filter(|end| *end <= layout::USER_END);
    let between = address >= layout::STARTUP && end.is_some_and(|end| end <= layout::HEAP);
    let above = address >= layout::HEAP + (1 << 40);
    assert!(
        end.is_some() && (between || above),
        "memory {address:#x}+{length:#x} is not a mapping's"
    );
}

/// Bytes that nobody writes while this task has them (modules, inventories, code).
pub fn region(address: u64, length: usize) -> &'static [u8] {
    check(address, length as u64);
    // SAFETY: by `check` no Rust object of this program lies there; the memory is mapped, or reading it stops the
    // task; it is not written, by the contract of this function, which is for read-only mappings.
    unsafe { core::slice::from_raw_parts(address as *const u8, length) }
}

/// A structure that nobody writes, at the start of a mapping.
///
/// Only for structures that are valid for every bit pattern.
pub fn record<T: FromBytes + Immutable>(address: u64) -> &'static T {
    check(address, size_of::<T>() as u64);
    assert!(address.is_multiple_of(align_of::<T>() as u64));
    // SAFETY: as `region`; aligned, and every bit pattern is a `T`.
    unsafe { &*(address as *const T) }
}

/// Bytes that somebody else may read and write at any moment: a device, or another task.
#[derive(Clone, Copy, Debug)]
pub struct Shared {
    address: u64,
    length: usize,
}

macro_rules! cell {
    ($load:ident, $store:ident, $word:ty, $atomic:ty) => {
        pub fn $load(&self, offset: usize) -> $word {
            self.atomic::<$atomic>(offset).load(Ordering::Relaxed)
        }
        pub fn $store(&self, offset: usize, value: $word) {
            self.atomic::<$atomic>(offset)
                .store(value, Ordering::Relaxed)
        }
    };
}

impl Shared {
    pub fn new(address: u64, length: usize) -> Shared {
        check(address, length as u64);
        Shared { address, length }
    }

    pub fn address(&self) -> u64 {
        self.address
    }

    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Part of it; panics if it is not inside.
    pub fn part(&self, offset: usize, length: usize) -> Shared {
        assert!(
            offset
                .checked_add(length)
                .is_some_and(|end| end <= self.length),
            "outside of shared memory"
        );
        Shared {
            address: self.address + offset as u64,
            length,
        }
    }

    fn atomic<A: Atomic>(&self, offset: usize) -> &'static A {
        let part = self.part(offset, size_of::<A>());
        assert!(
            part.address.is_multiple_of(align_of::<A>() as u64),
            "not aligned"
        );
        // SAFETY: inside the mapping and aligned; an atomic may be shared with anyone.
        unsafe { &*(part.address as *const A) }
    }

    cell!(read_u8, write_u8, u8, AtomicU8);
    cell!(read_u16, write_u16, u16, AtomicU16);
    cell!(read_u32, write_u32, u32, AtomicU32);
    cell!(read_u64, write_u64, u64, AtomicU64);

    /// A word for both sides of a ring.
    pub fn atomic_u32(&self, offset: usize) -> &'static AtomicU32 {
        self.atomic(offset)
    }

    /// The header at the start of a ring area.
    pub fn ring_header(&self) -> &'static abi::ring::Header {
        self.atomic(0)
    }

    /// Copies out.
    pub fn read(&self, offset: usize, to: &mut [u8]) {
        let part = self.part(offset, to.len());
        // SAFETY: `part` is inside the mapping and `to` is the program's own: they do not overlap, by `check`. The
        // bytes may change meanwhile; they are copied as bytes and looked at afterwards.
        unsafe {
            core::ptr::copy_nonoverlapping(part.address as *const u8, to.as_mut_ptr(), to.len())
        }
    }

    /// Copies in.
    pub fn write(&self, offset: usize, from: &[u8]) {
        let part = self.part(offset, from.len());
        // SAFETY: as `read`, the other way.
        unsafe {
            core::ptr::copy_nonoverlapping(from.as_ptr(), part.address as *mut u8, from.len())
        }
    }

    pub fn fill(&self, byte: u8) {
        // SAFETY: inside the mapping; no Rust object lies there.
        unsafe { core::ptr::write_bytes(self.address as *mut u8, byte, self.length) }
    }
}

/// Types that may be shared with anyone: every field is atomic.
///
/// # Safety
/// That must be so.
unsafe trait Atomic: 'static {}
// SAFETY: it is an atomic.
unsafe impl Atomic for AtomicU8 {}
// SAFETY: it is an atomic.
unsafe impl Atomic for AtomicU16 {}
// SAFETY: it is an atomic.
unsafe impl Atomic for AtomicU32 {}
// SAFETY: it is an atomic.
unsafe impl Atomic for AtomicU64 {}
// SAFETY: eight atomics.
unsafe impl Atomic for abi::ring::Header {}

/// Bytes of the heap that are not in use.
pub fn heap_free() -> usize {
    crate::heap::free()
}
