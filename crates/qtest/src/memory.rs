//! Memory that the test and the machine share, and memory for windows and code.

use crate::{Error, Result};
use std::fs::File;
use std::os::fd::AsRawFd;

/// A mapping, gone when dropped.
pub(crate) struct Mapping {
    base: *mut u8,
    size: usize,
}

impl Mapping {
    /// A file's bytes, shared with whoever else maps it.
    pub(crate) fn shared(file: &File, size: usize) -> Result<Mapping> {
        let flags = libc::MAP_SHARED;
        Mapping::map(
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            flags,
            file.as_raw_fd(),
        )
    }

    /// Fresh zeroed memory with these permissions.
    #[cfg(feature = "run")]
    pub(crate) fn private(size: usize, protection: i32) -> Result<Mapping> {
        Mapping::map(
            size,
            protection,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
        )
    }

    fn map(size: usize, protection: i32, flags: i32, file: i32) -> Result<Mapping> {
        let size = size.max(1).next_multiple_of(4096);
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let base = unsafe { libc::mmap(std::ptr::null_mut(), size, protection, flags, file, 0) };
        if base == libc::MAP_FAILED {
            return Err(Error::Io(std::io::Error::last_os_error()));
        }
        Ok(Mapping {
            base: base.cast(),
            size,
        })
    }

    pub(crate) fn base(&self) -> *mut u8 {
        self.base
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Changes the permissions of whole pages around a range that lies inside.
    #[cfg(feature = "run")]
    pub(crate) fn protect(&self, offset: usize, length: usize, protection: i32) {
        let first = offset & !4095;
        let end = (offset + length).next_multiple_of(4096).min(self.size);
        assert!(first < end, "the range lies inside the mapping");
        // SAFETY: the pages are this mapping's; it is used only through raw pointers that expect the change.
        let done = unsafe { libc::mprotect(self.base.add(first).cast(), end - first, protection) };
        assert_eq!(done, 0, "mprotect of an own mapping");
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's, and whoever used it is gone by the owner's contract.
        unsafe { libc::munmap(self.base.cast(), self.size) };
    }
}

/// A piece of the machine's RAM. It stays allocated as long as the machine runs.
#[derive(Clone, Copy, Debug)]
pub struct Ram {
    pub(crate) base: *mut u8,
    pub(crate) size: usize,
    pub(crate) dma: u64,
}

impl Ram {
    /// Where the machine's devices see it.
    pub fn dma(&self) -> u64 {
        self.dma
    }

    pub fn size(&self) -> usize {
        self.size
    }
}
