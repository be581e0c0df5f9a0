//! Generated code and the one place that calls it.

use abi::context::Context;
use contract::ENTRIES;

pub use contract::EntryId;

/// Failures that a residual may name. A status beyond is one that no `recover` serves.
pub const FAILURES: usize = 32;

/// Address of an entry point.
#[derive(Clone, Copy)]
pub(crate) struct Code(*const u8);

/// The shape of every entry. Fewer arguments are called the same way: both architectures pass six words in
/// registers, and an entry does not look at those it does not have.
type Function = extern "C" fn(*mut Context, u64, u64, u64, u64, u64) -> u64;

impl Code {
    /// Whoever calls it vouches for the address.
    pub(crate) fn at(address: *const u8) -> Code {
        Code(address)
    }

    /// # Safety
    /// `context` is what the residual was generated against: its memory, windows and upcalls are valid.
    pub(crate) unsafe fn call(self, context: *mut Context, args: [u64; 5]) -> u64 {
        // SAFETY: the address is an entry of generated code (contract of `Residual::new`), which has this shape.
        let function = unsafe { core::mem::transmute::<*const u8, Function>(self.0) };
        function(context, args[0], args[1], args[2], args[3], args[4])
    }
}

/// Why the parts of a residual do not make a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The class needs this entry.
    Missing(&'static str),
    /// An entry lies outside the code.
    Outside,
    /// More failures or upcalls than the pump serves.
    TooMany,
    /// The device cannot address the memory it was given: the bits that it has.
    Reach(u64),
}

impl core::fmt::Display for Unfit {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        match self {
            Unfit::Missing(name) => {
                write!(f, "the code has no entry `{name}`, which its class needs")
            }
            Unfit::Outside => write!(f, "an entry lies outside the code"),
            Unfit::Reach(bits) => {
                write!(
                    f,
                    "memory that the device cannot reach with its {bits} address bits"
                )
            }
            Unfit::TooMany => write!(
                f,
                "the code names more failures or upcalls than the pump serves"
            ),
        }
    }
}

/// The code of one device: entry points by name.
#[derive(Clone)]
pub struct Residual {
    entries: [Option<Code>; ENTRIES.len()],
    recover: [Option<Code>; FAILURES],
}

impl Residual {
    /// `code` and `length` are where the code is; `entries` gives name and byte offset, `failures` the names of the
    /// failures by number (for `recover.NAME`). Entries that no pump knows are passed over.
    ///
    /// # Safety
    /// The code was generated and proved, is mapped executable, does not change, and stays as long as this value and
    /// its clones; each offset is where an entry begins.
    pub unsafe fn new<'a>(
        code: *const u8,
        length: usize,
        entries: impl IntoIterator<Item = (&'a str, u32)>,
        failures: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Result<Residual, Unfit> {
        let mut made = Residual::empty();
        for (name, offset) in entries {
            if offset as usize >= length {
                return Err(Unfit::Outside);
            }
            // In bounds of the code, by the check above.
            made.put(name, code.wrapping_add(offset as usize), failures.clone())?;
        }
        Ok(made)
    }

    /// From functions, each at its own address: for tests whose residual is written by hand.
    ///
    /// # Safety
    /// Each address is a function `extern "C" fn(*mut Context, u64, u64, u64, u64, u64) -> u64` (or with fewer words).
    pub unsafe fn from_functions<'a>(
        functions: impl IntoIterator<Item = (&'a str, *const u8)>,
        failures: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Result<Residual, Unfit> {
        let mut made = Residual::empty();
        for (name, address) in functions {
            made.put(name, address, failures.clone())?;
        }
        Ok(made)
    }

    fn empty() -> Residual {
        Residual {
            entries: [None; ENTRIES.len()],
            recover: [None; FAILURES],
        }
    }

    fn put<'a>(
        &mut self,
        name: &str,
        address: *const u8,
        failures: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Unfit> {
        if let Some((_, id)) = ENTRIES.iter().find(|(known, _)| *known == name) {
            self.entries[*id as usize] = Some(Code(address));
        } else if let Some(failure) = name.strip_prefix("recover.") {
            if let Some(number) = failures.into_iter().position(|known| known == failure) {
                *self.recover.get_mut(number).ok_or(Unfit::TooMany)? = Some(Code(address));
            }
        }
        Ok(())
    }

    pub fn has(&self, id: EntryId) -> bool {
        self.entries[id as usize].is_some()
    }

    pub(crate) fn entry(&self, id: EntryId) -> Option<Code> {
        self.entries[id as usize]
    }

    /// The recovery of failure `number`.
    pub(crate) fn recovery(&self, number: u64) -> Option<Code> {
        *self.recover.get(usize::try_from(number).ok()?)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_lie_inside_the_code() {
        static CODE: [u8; 4] = [0; 4];
        // SAFETY: nothing is called.
        let made = unsafe { Residual::new(CODE.as_ptr(), 4, [("irq", 4)], []) };
        assert_eq!(made.err(), Some(Unfit::Outside));
    }

    #[test]
    fn recoveries_are_found_by_the_failures_number() {
        static CODE: [u8; 4] = [0; 4];
        // SAFETY: nothing is called.
        let made = unsafe {
            Residual::new(
                CODE.as_ptr(),
                4,
                [("recover.dead", 1), ("odd", 2)],
                ["lost", "dead"],
            )
        };
        let made = made.ok().unwrap();
        assert!(made.recovery(0).is_none());
        assert!(made.recovery(1).is_some());
        assert!(made.recovery(u64::MAX).is_none());
        assert!(!made.has(EntryId::Init));
    }
}
