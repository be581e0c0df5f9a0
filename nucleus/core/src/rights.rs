//! A task's table of rights.

use crate::{notification::Notification, portal::Portal, task::Task, thread::Thread};
use abi::layout::PAGE;
use abi::system::{Error, Handle};
use core::cell::Cell;

pub const COUNT: usize = 256;

/// A range of physical memory and what may be done with it. Page aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    pub base: u64,
    pub size: u64,
    pub write: bool,
    /// Device registers, not RAM.
    pub device: bool,
}

impl Memory {
    /// The part of `length` bytes from `offset`.
    #[inline]
    pub fn part(self, offset: u64, length: u64) -> Result<Memory, Error> {
        let end = offset.checked_add(length).ok_or(Error::BadArgument)?;
        if length == 0 || end > self.size || !(offset | length).is_multiple_of(PAGE) {
            return Err(Error::BadArgument);
        }
        Ok(Memory {
            base: self.base + offset,
            size: length,
            ..self
        })
    }
}

/// Discriminants and the place of the pointer (8) are used by the entry code.
#[repr(u32)]
#[derive(Clone, Copy)]
pub enum Right {
    None = 0,
    Portal(&'static Portal) = PORTAL,
    Notification(&'static Notification) = 2,
    Task(&'static Task) = 3,
    Thread(&'static Thread) = 4,
    Memory(Memory) = 5,
    Platform = 6,
}
pub const PORTAL: u32 = 1;

/// One entry, of 32 bytes.
#[repr(C, align(32))]
pub struct Slot(Cell<Right>);
const _: () = assert!(size_of::<Slot>() == 32);

#[repr(C)]
pub struct Rights([Slot; COUNT]);

impl Rights {
    pub const fn new() -> Rights {
        Rights([const { Slot(Cell::new(Right::None)) }; COUNT])
    }

    #[inline]
    pub fn get(&self, handle: u64) -> Result<Right, Error> {
        let slot = usize::try_from(handle).ok().and_then(|n| self.0.get(n));
        Ok(slot.ok_or(Error::BadHandle)?.0.get())
    }

    #[inline]
    pub fn portal(&self, handle: u64) -> Result<&'static Portal, Error> {
        match self.get(handle)? {
            Right::Portal(portal) => Ok(portal),
            _ => Err(Error::BadHandle),
        }
    }

    #[inline]
    pub fn notification(&self, handle: u64) -> Result<&'static Notification, Error> {
        match self.get(handle)? {
            Right::Notification(notification) => Ok(notification),
            _ => Err(Error::BadHandle),
        }
    }

    #[inline]
    pub fn task(&self, handle: u64) -> Result<&'static Task, Error> {
        match self.get(handle)? {
            Right::Task(task) => Ok(task),
            _ => Err(Error::BadHandle),
        }
    }

    #[inline]
    pub fn memory(&self, handle: u64) -> Result<Memory, Error> {
        match self.get(handle)? {
            Right::Memory(memory) => Ok(memory),
            _ => Err(Error::BadHandle),
        }
    }

    #[inline]
    pub fn platform(&self, handle: u64) -> Result<(), Error> {
        match self.get(handle)? {
            Right::Platform => Ok(()),
            _ => Err(Error::BadHandle),
        }
    }

    /// Puts `right` into the first free place.
    pub fn add(&self, right: Right) -> Result<Handle, Error> {
        let free = self
            .0
            .iter()
            .position(|slot| matches!(slot.0.get(), Right::None));
        let handle = free.ok_or(Error::NoRoom)?;
        self.0[handle].0.set(right);
        Ok(handle as Handle)
    }

    /// Puts `right` where the first task expects it.
    pub fn set(&self, handle: Handle, right: Right) {
        if let Some(slot) = self.0.get(handle as usize) {
            slot.0.set(right)
        }
    }

    pub fn drop_right(&self, handle: u64) -> Result<(), Error> {
        match self.get(handle)? {
            Right::None => Err(Error::BadHandle),
            _ => {
                self.set(handle as Handle, Right::None);
                Ok(())
            }
        }
    }

    /// Drops all that `dead` holds for.
    pub fn sweep(&self, dead: impl Fn(&Right) -> bool) {
        for slot in &self.0 {
            if dead(&slot.0.get()) {
                slot.0.set(Right::None)
            }
        }
    }

    pub fn used(&self) -> u32 {
        self.0
            .iter()
            .filter(|slot| !matches!(slot.0.get(), Right::None))
            .count() as u32
    }
}

impl Default for Rights {
    fn default() -> Self {
        Rights::new()
    }
}
