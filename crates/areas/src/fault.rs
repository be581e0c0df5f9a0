//! What a page fault needs, and the address space of a child.
use crate::{protection, Area, Areas, Backing, Errno, PAGE, STACK_GAP};

/// What the program tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    Execute,
}

/// What to put at the page of the address if nothing is there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// A page of zeros, private to the program. For a write it must be one of its own.
    Zero,
    /// The object's page at this byte, itself: reads, and writes to what is shared.
    Page { id: u64, offset: u64 },
    /// A copy of the object's page at this byte, for a write to what is private.
    Copy { id: u64, offset: u64 },
}

/// Why a `SIGSEGV` is due: its `si_code` (sigaction(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `SEGV_MAPERR`: nothing is mapped there.
    Unmapped = 1,
    /// `SEGV_ACCERR`: what is mapped does not allow it.
    Denied = 2,
}

impl Areas {
    /// What a touch of this address needs. A stack above it grows if it may. Whether the object is long enough (else
    /// `SIGBUS`), and whether a page is there already, the caller knows. Reads are allowed where anything is: page
    /// tables of x86-64 cannot say "write only".
    ///
    /// # Errors
    /// Which `SIGSEGV` it is.
    pub fn lookup(&mut self, address: u64, access: Access) -> Result<Supply, Fault> {
        if self.at(address).is_none() {
            self.grow(address).map_err(|_| Fault::Unmapped)?;
        }
        let area = self.at(address).ok_or(Fault::Unmapped)?;
        let needs = match access {
            Access::Read => protection::ALL,
            Access::Write => protection::WRITE,
            Access::Execute => protection::EXEC,
        };
        if area.protection & needs == 0 {
            return Err(Fault::Denied);
        }
        let page = address & !(PAGE - 1);
        Ok(match area.part(page, area.end).backing {
            Backing::Anonymous => Supply::Zero,
            Backing::Object { id, offset } if access == Access::Write && !area.shared => {
                Supply::Copy { id, offset }
            }
            Backing::Object { id, offset } => Supply::Page { id, offset },
        })
    }

    /// Makes the stack above this address reach it (Linux's `expand_downwards`).
    fn grow(&mut self, address: u64) -> Result<(), Errno> {
        let page = address & !(PAGE - 1);
        let area = *self
            .from(address)
            .filter(|area| area.grows_down)
            .ok_or(Errno::EFAULT)?;
        let by = area.start.checked_sub(page).ok_or(Errno::EFAULT)?;
        let before = self.areas.range(..page).next_back().map(|(_, area)| area);
        let near = |before: &Area| {
            !before.grows_down
                && before.protection != 0
                && page.saturating_sub(before.end) < STACK_GAP
        };
        if page < self.bounds.low || before.is_some_and(near) {
            return Err(Errno::ENOMEM);
        }
        if area.length() + by > self.bounds.stack || !self.may_expand(by) {
            return Err(Errno::ENOMEM);
        }
        self.areas.remove(&area.start);
        self.areas.insert(
            page,
            Area {
                start: page,
                ..area
            },
        );
        self.bytes += by;
        Ok(())
    }

    /// The address space of a child after fork(2): the same areas but those that stay with the parent. Its private pages are
    /// the parent's until one of both writes, which is the caller's to see to.
    #[must_use]
    pub fn fork(&self) -> Areas {
        let mut child = self.clone();
        child.areas.retain(|_, area| !area.stays_with_parent());
        child.bytes = child.areas.values().map(Area::length).sum();
        child
    }
}
