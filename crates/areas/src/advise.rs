//! madvise, msync and mincore: what they check, and the advice that an area remembers.
use crate::{aligned, pages, Area, Areas, Backing, Errno};

const NORMAL: u32 = 0;
const RANDOM: u32 = 1;
const SEQUENTIAL: u32 = 2;
const FREE: u32 = 8;
const DONT_FORK: u32 = 10;
const DO_FORK: u32 = 11;
const DONT_DUMP: u32 = 16;
const DO_DUMP: u32 = 17;
const WIPE_ON_FORK: u32 = 18;
const KEEP_ON_FORK: u32 = 19;

const MS_ASYNC: u32 = 1;
const MS_INVALIDATE: u32 = 2;
const MS_SYNC: u32 = 4;

impl Area {
    /// A child does not get it (`MADV_DONTFORK`).
    #[must_use]
    pub fn stays_with_parent(&self) -> bool {
        self.advice & 1 << DONT_FORK != 0
    }

    /// A child finds zeros in it (`MADV_WIPEONFORK`).
    #[must_use]
    pub fn wiped_on_fork(&self) -> bool {
        self.advice & 1 << WIPE_ON_FORK != 0
    }
}

impl Areas {
    /// madvise(2): checks the arguments, and remembers advice that stays with an area. To discard pages (`MADV_DONTNEED`,
    /// `MADV_FREE`) is the caller's task: for `MADV_DONTNEED` also when the call fails with `ENOMEM`, for what is mapped.
    /// Advice for huge pages and for page sharing is `EINVAL`, as in a Linux built without them.
    ///
    /// # Errors
    /// `EINVAL`, `ENOMEM` for holes, `EAGAIN` when it would be an area too many.
    pub fn madvise(&mut self, address: u64, length: u64, advice: u32) -> Result<(), Errno> {
        if !matches!(advice, 0..=4 | 8 | 10 | 11 | 16..=21) || !aligned(address) {
            return Err(Errno::EINVAL);
        }
        let rounded = pages(length);
        if length != 0 && rounded == 0 {
            return Err(Errno::EINVAL);
        }
        let end = address.checked_add(rounded).ok_or(Errno::EINVAL)?;
        let mut start = address;
        let mut result = Ok(());
        while start < end {
            let Some(area) = self.from(start).copied() else {
                return Err(Errno::ENOMEM);
            };
            if start < area.start {
                result = Err(Errno::ENOMEM);
                start = area.start;
                if start >= end {
                    break;
                }
            }
            let stop = area.end.min(end);
            let anonymous = area.backing == Backing::Anonymous;
            if matches!(advice, FREE | WIPE_ON_FORK) && !anonymous {
                return Err(Errno::EINVAL);
            }
            self.change(start, stop, |area| remember(area, advice))
                .map_err(|_| Errno::EAGAIN)?;
            start = stop;
        }
        result
    }

    /// msync(2): whether the range may be written back.
    ///
    /// # Errors
    /// `EINVAL` for flags and addresses, `ENOMEM` for holes.
    pub fn msync(&self, address: u64, length: u64, flags: u32) -> Result<(), Errno> {
        if flags & !(MS_ASYNC | MS_INVALIDATE | MS_SYNC) != 0 || !aligned(address) {
            return Err(Errno::EINVAL);
        }
        if flags & MS_ASYNC != 0 && flags & MS_SYNC != 0 {
            return Err(Errno::EINVAL);
        }
        self.holes(
            address,
            address.checked_add(pages(length)).ok_or(Errno::ENOMEM)?,
        )
    }

    /// mincore(2): whether every page of the range is mapped.
    ///
    /// # Errors
    /// `EINVAL` for an address within a page, `ENOMEM` for holes and what is no program's.
    pub fn mincore(&self, address: u64, length: u64) -> Result<(), Errno> {
        if !aligned(address) {
            return Err(Errno::EINVAL);
        }
        let end = address
            .checked_add(length)
            .filter(|end| *end <= self.bounds.end)
            .ok_or(Errno::ENOMEM)?;
        self.holes(address, pages(end))
    }

    /// Whether a byte at this address is mapped.
    #[must_use]
    pub fn is_mapped(&self, address: u64) -> bool {
        self.at(address).is_some()
    }

    fn holes(&self, start: u64, end: u64) -> Result<(), Errno> {
        let mut at = start;
        while at < end {
            at = self.at(at).ok_or(Errno::ENOMEM)?.end;
        }
        Ok(())
    }
}

fn remember(area: &mut Area, advice: u32) {
    let order = 1 << RANDOM | 1 << SEQUENTIAL;
    let (clear, set): (u32, u32) = match advice {
        NORMAL => (order, 0),
        RANDOM | SEQUENTIAL => (order, 1 << advice),
        DONT_FORK | DONT_DUMP | WIPE_ON_FORK => (0, 1 << advice),
        DO_FORK => (1 << DONT_FORK, 0),
        DO_DUMP => (1 << DONT_DUMP, 0),
        KEEP_ON_FORK => (1 << WIPE_ON_FORK, 0),
        _ => (0, 0),
    };
    area.advice = area.advice & !clear | set;
}
