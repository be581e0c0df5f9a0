//! Generated code where it runs, with the memory it works in: from this, safe code makes a pump or a direct device.

use crate::direct::Direct;
use crate::memory::{Memory, Places};
use crate::residual::{Residual, Unfit};
use crate::{Area, Class, Pump, Units};

/// Entries that one piece of code may have.
pub const ENTRIES: usize = 64;

/// The code of one device and its surroundings, not started yet.
pub struct Stand<'a> {
    code: *const u8,
    length: usize,
    entries: [Option<(&'a str, u32)>; ENTRIES],
    memory: Memory,
    area: Area,
}

/// A device in its class's pump, and the memory of its rings.
pub struct Served {
    pub pump: Pump,
    pub area: Area,
}

impl<'a> Stand<'a> {
    /// `entries` gives name and byte offset in the code; `rings` is where the pump's rings go.
    ///
    /// # Errors
    /// More than [`ENTRIES`] entries, or one outside of the code.
    ///
    /// # Safety
    /// * `length` bytes of generated and validated code are at `code`; they can be executed, do not change, and stay as
    ///   long as whatever is made of this; each offset is where an entry begins.
    /// * The places are as [`Memory::new`] wants them, with the windows that the code was generated for.
    /// * `abi::ring::BYTES` zeroed bytes, page aligned, are at `rings`, and nothing else uses them.
    pub unsafe fn new(
        code: *const u8,
        length: usize,
        entries: impl IntoIterator<Item = (&'a str, u32)>,
        places: Places,
        rings: *mut u8,
    ) -> Result<Stand<'a>, Unfit> {
        let mut list = [None; ENTRIES];
        for (at, (name, offset)) in entries.into_iter().enumerate() {
            if offset as usize >= length {
                return Err(Unfit::Outside);
            }
            *list.get_mut(at).ok_or(Unfit::TooMany)? = Some((name, offset));
        }
        Ok(Stand {
            code,
            length,
            entries: list,
            // SAFETY: the caller vouches for the places.
            memory: unsafe { Memory::new(places) },
            // SAFETY: the caller vouches for the rings.
            area: unsafe { Area::new(rings) },
        })
    }

    /// As a device with requests. `failures` and `upcalls` are the names of the residual, by number.
    ///
    /// # Errors
    /// What does not fit the class.
    pub fn pump<'n>(
        self,
        class: Class,
        facts: Units,
        failures: impl IntoIterator<Item = &'n str> + Clone,
        upcalls: impl IntoIterator<Item = &'n str>,
    ) -> Result<Served, Unfit>
    where
        'a: 'n,
    {
        let entries = self.entries.iter().flatten().copied();
        // SAFETY: `new`'s caller vouched for code and offsets.
        let residual = unsafe { Residual::new(self.code, self.length, entries, failures) }?;
        let rings = self.area.driver_to_be();
        let pump = Pump::new(class, facts, residual, upcalls, self.memory, rings)?;
        Ok(Served {
            pump,
            area: self.area,
        })
    }

    /// As a device whose entries are called one by one.
    ///
    /// # Errors
    /// More entries than a direct class has.
    pub fn direct(self) -> Result<Direct<'a>, Unfit> {
        let entries = self.entries.into_iter().flatten();
        // SAFETY: as in `pump`.
        unsafe { Direct::new(self.code, self.length, entries, self.memory) }
    }
}
