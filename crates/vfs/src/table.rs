//! A process's descriptors: small numbers, each naming an open file description and having the flag FD_CLOEXEC.
use crate::errno::{Errno, Result};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// What a number names: a description of [`crate::Vfs`], and whether it is closed by execve(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    pub file: u64,
    pub close_on_exec: bool,
}

/// The numbers in use, and how many there may be (`RLIMIT_NOFILE`, getrlimit(2)).
#[derive(Clone, Debug)]
pub struct Table {
    slots: BTreeMap<i32, Descriptor>,
    pub limit: i32,
}

impl Table {
    #[must_use]
    pub fn new(limit: i32) -> Table {
        Table {
            slots: BTreeMap::new(),
            limit,
        }
    }

    /// EBADF if the number is not in use.
    pub fn get(&self, fd: i32) -> Result<Descriptor> {
        self.slots.get(&fd).copied().ok_or(Errno::EBADF)
    }

    /// Sets or clears FD_CLOEXEC: EBADF.
    pub fn set_close_on_exec(&mut self, fd: i32, on: bool) -> Result<()> {
        self.slots.get_mut(&fd).ok_or(Errno::EBADF)?.close_on_exec = on;
        Ok(())
    }

    /// The lowest number from `from` on that is free: EMFILE.
    pub fn free(&self, from: i32) -> Result<i32> {
        let mut free = from.max(0);
        for (&used, _) in self.slots.range(free..) {
            if used != free {
                break;
            }
            free = free.checked_add(1).ok_or(Errno::EMFILE)?;
        }
        if free < self.limit {
            Ok(free)
        } else {
            Err(Errno::EMFILE)
        }
    }

    /// Puts a descriptor there, and returns what was there before.
    pub(crate) fn put(&mut self, fd: i32, descriptor: Descriptor) -> Option<Descriptor> {
        self.slots.insert(fd, descriptor)
    }

    pub(crate) fn take(&mut self, fd: i32) -> Result<Descriptor> {
        self.slots.remove(&fd).ok_or(Errno::EBADF)
    }

    /// The numbers in use, lowest first.
    pub fn used(&self) -> impl Iterator<Item = (i32, Descriptor)> + '_ {
        self.slots.iter().map(|(&fd, &descriptor)| (fd, descriptor))
    }

    /// The numbers that execve(2) closes.
    pub(crate) fn closed_by_exec(&self) -> Vec<i32> {
        self.used()
            .filter(|(_, d)| d.close_on_exec)
            .map(|(fd, _)| fd)
            .collect()
    }
}
