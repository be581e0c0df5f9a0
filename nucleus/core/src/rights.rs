//! A task's table of rights: what each names, and what may be done with it.

use crate::{
    extent::Extent, notification::Notification, portal::Portal, same, task::Task, thread::Thread,
};
use abi::boot::Range;
use abi::layout::PAGE;
use abi::system::{may, Error, Handle};
use core::cell::Cell;

pub const COUNT: usize = 256;

/// A range of physical memory. Page aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    pub base: u64,
    pub size: u64,
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

/// What a right names. Discriminants and the place of the pointer (8) are used by the entry code.
#[repr(u32)]
#[derive(Clone, Copy)]
pub enum Object {
    None = 0,
    Portal(&'static Portal) = PORTAL,
    Notification(&'static Notification) = 2,
    Task(&'static Task) = 3,
    Thread(&'static Thread) = 4,
    /// RAM, or registers of devices.
    Memory(&'static Extent) = 5,
    /// All of the machine that is not memory.
    Platform = 7,
    /// Interrupt lines by number.
    Lines(Range) = 8,
    /// Messages by number.
    Messages(Range) = 9,
    /// I/O ports.
    Ports(Range) = 10,
    /// A portal that events enter and calls do not: its callers' registers are not only words.
    Handler(&'static Portal) = 11,
}
pub const PORTAL: u32 = 1;

/// What the numbers of a part of the platform are numbers of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Line,
    Message,
    Port,
}

impl Kind {
    /// As PLATFORM_PART says it.
    pub fn from_word(word: u64) -> Result<Kind, Error> {
        match word {
            abi::system::part::LINES => Ok(Kind::Line),
            abi::system::part::MESSAGES => Ok(Kind::Message),
            abi::system::part::PORTS => Ok(Kind::Port),
            _ => Err(Error::BadArgument),
        }
    }

    fn needs(self) -> u32 {
        match self {
            Kind::Line => may::LINES,
            Kind::Message => may::MESSAGES,
            Kind::Port => may::PORTS,
        }
    }

    pub fn object(self, range: Range) -> Object {
        match self {
            Kind::Line => Object::Lines(range),
            Kind::Message => Object::Messages(range),
            Kind::Port => Object::Ports(range),
        }
    }
}

/// A right: an object, and what may be done with it ([`may`]).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Right {
    pub object: Object,
    pub may: u32,
}

impl Right {
    pub const NONE: Right = Right {
        object: Object::None,
        may: 0,
    };

    /// With which everything may be done that there is for its kind of object.
    pub fn whole(object: Object) -> Right {
        Right {
            object,
            may: may::ALL,
        }
    }

    /// What somebody else is given of it: never more than it is.
    pub fn passed_on(self, may: u32) -> Result<Right, Error> {
        if matches!(self.object, Object::None) {
            return Err(Error::BadHandle);
        }
        self.allows(may::COPY)?;
        Ok(Right {
            may: self.may & may,
            ..self
        })
    }

    #[inline]
    pub fn allows(&self, need: u32) -> Result<(), Error> {
        match self.may & need == need {
            true => Ok(()),
            false => Err(Error::Denied),
        }
    }
}

/// One entry, of 32 bytes.
#[repr(C, align(32))]
pub struct Slot(Cell<Right>);
const _: () = assert!(size_of::<Slot>() == 32 && size_of::<Right>() == 32);

impl Slot {
    fn put(&self, right: Right) {
        if let Object::Thread(thread) = right.object {
            thread.named(true);
        }
        if let Object::Thread(thread) = self.0.replace(right).object {
            thread.named(false);
        }
    }
}

#[repr(C)]
pub struct Rights([Slot; COUNT]);

impl Rights {
    pub const fn new() -> Rights {
        Rights([const { Slot(Cell::new(Right::NONE)) }; COUNT])
    }

    #[inline]
    pub fn get(&self, handle: u64) -> Result<Right, Error> {
        let slot = usize::try_from(handle).ok().and_then(|n| self.0.get(n));
        Ok(slot.ok_or(Error::BadHandle)?.0.get())
    }

    #[inline]
    pub fn portal(&self, handle: u64) -> Result<&'static Portal, Error> {
        match self.get(handle)?.object {
            Object::Portal(portal) => Ok(portal),
            _ => Err(Error::BadHandle),
        }
    }

    #[inline]
    pub fn handler(&self, handle: u64) -> Result<&'static Portal, Error> {
        match self.get(handle)?.object {
            Object::Handler(portal) => Ok(portal),
            _ => Err(Error::BadHandle),
        }
    }

    pub fn thread(&self, handle: u64, need: u32) -> Result<&'static Thread, Error> {
        let right = self.get(handle)?;
        match right.object {
            Object::Thread(thread) => right.allows(need).map(|()| thread),
            _ => Err(Error::BadHandle),
        }
    }

    /// A notification that allows what is needed; so do those below. This one is on the way of every notification and wait.
    #[inline]
    pub fn notification(&self, handle: u64, need: u32) -> Result<&'static Notification, Error> {
        if let Some(slot) = self.0.get(handle as usize) {
            let right = slot.0.get();
            if let Object::Notification(notification) = right.object {
                if right.may & need == need {
                    return Ok(notification);
                }
            }
        }
        Err(self.no_notification(handle))
    }

    /// Why there is no such notification, or not for this.
    #[cold]
    fn no_notification(&self, handle: u64) -> Error {
        match self.get(handle).map(|right| right.object) {
            Ok(Object::Notification(_)) => Error::Denied,
            _ => Error::BadHandle,
        }
    }

    #[inline]
    pub fn task(&self, handle: u64, need: u32) -> Result<&'static Task, Error> {
        let right = self.get(handle)?;
        match right.object {
            Object::Task(task) => right.allows(need).map(|()| task),
            _ => Err(Error::BadHandle),
        }
    }

    #[inline]
    pub fn extent(&self, handle: u64, need: u32) -> Result<&'static Extent, Error> {
        let right = self.get(handle)?;
        match right.object {
            Object::Memory(extent) => right.allows(need).map(|()| extent),
            _ => Err(Error::BadHandle),
        }
    }

    #[inline]
    pub fn memory(&self, handle: u64, need: u32) -> Result<Memory, Error> {
        self.extent(handle, need).map(Extent::memory)
    }

    /// The whole platform.
    #[inline]
    pub fn platform(&self, handle: u64, need: u32) -> Result<(), Error> {
        let right = self.get(handle)?;
        match right.object {
            Object::Platform => right.allows(need),
            _ => Err(Error::BadHandle),
        }
    }

    /// The platform, or a part of it that has all of these numbers. What may be done with it.
    pub fn covers(&self, handle: u64, kind: Kind, first: u64, count: u64) -> Result<u32, Error> {
        let right = self.get(handle)?;
        let range = match (right.object, kind) {
            (Object::Platform, _) => {
                return right.allows(kind.needs()).map(|()| right.may);
            }
            (Object::Lines(range), Kind::Line)
            | (Object::Messages(range), Kind::Message)
            | (Object::Ports(range), Kind::Port) => range,
            (Object::Lines(_) | Object::Messages(_) | Object::Ports(_), _) => {
                return Err(Error::Denied);
            }
            _ => return Err(Error::BadHandle),
        };
        right.allows(kind.needs())?;
        let end = first.checked_add(count).ok_or(Error::BadArgument)?;
        match first >= range.base && end <= range.base + range.size {
            true => Ok(right.may),
            false => Err(Error::Denied),
        }
    }

    /// Puts `right` into the first free place.
    pub fn add(&self, right: Right) -> Result<Handle, Error> {
        let free = self
            .0
            .iter()
            .position(|slot| matches!(slot.0.get().object, Object::None));
        let handle = free.ok_or(Error::NoRoom)?;
        self.0[handle].put(right);
        Ok(handle as Handle)
    }

    /// Puts `right` where the first task expects it.
    pub fn set(&self, handle: Handle, right: Right) {
        if let Some(slot) = self.0.get(handle as usize) {
            slot.put(right)
        }
    }

    /// A right to memory for `task`, whose table this is. If there is no place for it, the extent is forgotten.
    pub fn add_memory(
        &self,
        task: &'static Task,
        extent: &'static Extent,
        may: u32,
    ) -> Result<Handle, Error> {
        debug_assert!(same(self, &task.rights));
        let object = Object::Memory(extent);
        let handle = self.add(Right { object, may });
        extent.held(task, handle.unwrap_or(0));
        handle.inspect_err(|_| extent.forget())
    }

    /// As [`Rights::add_memory`], where the first task expects it.
    pub fn set_memory(
        &self,
        task: &'static Task,
        handle: Handle,
        extent: &'static Extent,
        may: u32,
    ) {
        let object = Object::Memory(extent);
        self.set(handle, Right { object, may });
        extent.held(task, handle);
    }

    pub fn drop_right(&self, handle: u64) -> Result<(), Error> {
        let object = self.get(handle)?.object;
        if let Object::None = object {
            return Err(Error::BadHandle);
        }
        self.set(handle as Handle, Right::NONE);
        if let Object::Memory(extent) = object {
            extent.forget();
        }
        Ok(())
    }

    /// Drops all rights to memory.
    pub(crate) fn forget_all(&self) {
        for slot in &self.0 {
            if let Object::Memory(extent) = slot.0.get().object {
                slot.put(Right::NONE);
                extent.forget();
            }
        }
    }

    /// Drops all that `dead` holds for.
    pub fn sweep(&self, dead: impl Fn(&Object) -> bool) {
        for slot in &self.0 {
            if dead(&slot.0.get().object) {
                slot.put(Right::NONE)
            }
        }
    }

    pub fn used(&self) -> u32 {
        self.0
            .iter()
            .filter(|slot| !matches!(slot.0.get().object, Object::None))
            .count() as u32
    }
}

impl Default for Rights {
    fn default() -> Self {
        Rights::new()
    }
}
