//! The address space of a Linux program: which memory areas there are, what the calls on them do, and what a fault
//! would have to supply. Nothing here touches memory or page tables: the crate says what should be, its user makes it so.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod advise;
mod calls;
pub mod elf;
mod errno;
mod fault;
mod map;
mod remap;
pub mod script;
pub mod stack;

pub use calls::{File, Request};
pub use errno::Errno;
pub use fault::{Access, Fault, Supply};
pub use map::{Area, Areas, Backing, Bounds};

/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// How far below a growing stack other memory must stay, in bytes (Linux's `stack_guard_gap`, 256 pages).
pub const STACK_GAP: u64 = 256 * PAGE;

/// `PROT_*` of mmap(2) and mprotect(2).
pub mod protection {
    pub const READ: u32 = 1;
    pub const WRITE: u32 = 2;
    pub const EXEC: u32 = 4;
    /// `PROT_SEM`, which Linux accepts and ignores.
    pub const SEM: u32 = 8;
    pub const GROWS_DOWN: u32 = 0x0100_0000;
    pub const GROWS_UP: u32 = 0x0200_0000;
    pub(crate) const ALL: u32 = READ | WRITE | EXEC;
}

/// `MAP_*` of mmap(2).
pub mod map_flags {
    pub const SHARED: u32 = 1;
    pub const PRIVATE: u32 = 2;
    pub const SHARED_VALIDATE: u32 = 3;
    pub const TYPE: u32 = 0x0f;
    pub const FIXED: u32 = 0x10;
    pub const ANONYMOUS: u32 = 0x20;
    pub const GROWS_DOWN: u32 = 0x100;
    pub const NO_RESERVE: u32 = 0x4000;
    pub const FIXED_NOREPLACE: u32 = 0x0010_0000;
    /// What `MAP_SHARED_VALIDATE` accepts: the flags that were there before it (`LEGACY_MAP_MASK`).
    pub(crate) const LEGACY: u32 = 0x0007_ff3f | 0x0c00_0000 | 0x8000_0000;
}

/// `MREMAP_*` of mremap(2).
pub mod remap_flags {
    pub const MAY_MOVE: u32 = 1;
    pub const FIXED: u32 = 2;
    pub const DONT_UNMAP: u32 = 4;
}

/// The length rounded up to pages; what does not fit in 64 bits wraps to 0, as Linux's `PAGE_ALIGN` does.
pub(crate) const fn pages(length: u64) -> u64 {
    length.wrapping_add(PAGE - 1) & !(PAGE - 1)
}

pub(crate) const fn aligned(address: u64) -> bool {
    address.is_multiple_of(PAGE)
}
