//! Locks on ranges of bytes. An owner is a process (F_SETLK) or an open file description (F_OFD_SETLK); its own locks
//! never conflict, and a new one takes the place of what it covers.

use crate::{Error, Kind};
use alloc::vec::Vec;

/// Bytes of a file, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    first: u64,
    last: u64,
}

impl Range {
    /// The greatest offset.
    pub const END: u64 = i64::MAX as u64;

    /// The range that `l_start`, counted from the file's begin, and `l_len` of a struct flock mean: a length of 0
    /// reaches to the end, a negative one lies before the start.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it begins before the file, [`Error::Overflow`] when it ends beyond the last offset.
    pub fn new(start: i64, length: i64) -> Result<Range, Error> {
        let start = u64::try_from(start).map_err(|_| Error::Invalid)?;
        let (first, last) = match length {
            0 => (start, Self::END),
            1.. => {
                let last = start + (length.unsigned_abs() - 1);
                if last > Self::END {
                    return Err(Error::Overflow);
                }
                (start, last)
            }
            _ => {
                let first = start.checked_sub(length.unsigned_abs());
                (first.ok_or(Error::Invalid)?, start - 1)
            }
        };
        Ok(Range { first, last })
    }

    /// `l_start` and `l_len` as F_GETLK shows them.
    #[must_use]
    pub const fn start_and_length(self) -> (i64, i64) {
        let length = if self.last == Self::END {
            0
        } else {
            self.last - self.first + 1
        };
        // Both are at most `END`.
        (self.first as i64, length as i64)
    }

    fn overlaps(self, other: Range) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// They overlap, or one begins where the other ends.
    fn touches(self, other: Range) -> bool {
        self.first <= other.last + 1 && other.first <= self.last + 1
    }

    fn with(self, other: Range) -> Range {
        Range {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }
}

/// One lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeLock<O> {
    /// Who holds it.
    pub owner: O,
    /// What it keeps others from.
    pub kind: Kind,
    /// On which bytes.
    pub range: Range,
}

/// The range locks of one file: those of an owner stand together, by offset; owners in the order in which they came.
pub struct RangeLocks<O> {
    locks: Vec<RangeLock<O>>,
    most: usize,
}

impl<O: Copy + Eq> RangeLocks<O> {
    /// None yet, and never more than `most`.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        RangeLocks {
            locks: Vec::new(),
            most,
        }
    }

    /// The first lock that would conflict (F_GETLK), if any.
    #[must_use]
    pub fn conflict(&self, owner: O, kind: Kind, range: Range) -> Option<RangeLock<O>> {
        let against = |lock: &&RangeLock<O>| {
            lock.owner != owner && lock.kind.conflicts(kind) && lock.range.overlaps(range)
        };
        self.locks.iter().find(against).copied()
    }

    /// Sets a lock, or with no kind takes away what the owner holds in the range (F_SETLK). True if somebody who waits
    /// may have a lock now.
    ///
    /// # Errors
    /// [`Error::Again`] when another owner's lock conflicts; [`Error::TooMany`].
    pub fn set(&mut self, owner: O, kind: Option<Kind>, range: Range) -> Result<bool, Error> {
        if kind.is_some_and(|kind| self.conflict(owner, kind, range).is_some()) {
            return Err(Error::Again);
        }
        let is_own = |lock: &RangeLock<O>| lock.owner == owner;
        let place = self.locks.iter().position(is_own);
        let place = place.unwrap_or(self.locks.len());
        let own = self.locks[place..].iter().take_while(|lock| is_own(lock));
        let mut new = Vec::new();
        let mut joined = range;
        for lock in own.clone() {
            if Some(lock.kind) == kind && lock.range.touches(range) {
                joined = joined.with(lock.range);
            } else {
                new.extend(outside(lock, range));
            }
        }
        let given_back = own.clone().any(|lock| lock.range.overlaps(range));
        let count = own.count();
        if let Some(kind) = kind {
            let before = new
                .iter()
                .take_while(|lock| lock.range.first < joined.first);
            new.insert(
                before.count(),
                RangeLock {
                    owner,
                    kind,
                    range: joined,
                },
            );
        }
        if new.len() > count && self.locks.len() - count + new.len() > self.most {
            return Err(Error::TooMany);
        }
        self.locks.splice(place..place + count, new);
        Ok(given_back)
    }

    /// All locks, as /proc/locks shows them.
    pub fn iter(&self) -> impl Iterator<Item = &RangeLock<O>> {
        self.locks.iter()
    }
}

/// What remains of a lock outside of a range: nothing, one end, or both.
fn outside<O: Copy>(lock: &RangeLock<O>, range: Range) -> impl Iterator<Item = RangeLock<O>> {
    let lock = *lock;
    let (first, last) = (lock.range.first, lock.range.last);
    let (low, high) = if lock.range.overlaps(range) {
        let low = (first < range.first).then(|| Range {
            first,
            last: range.first - 1,
        });
        let high = (last > range.last).then(|| Range {
            first: range.last + 1,
            last,
        });
        (low, high)
    } else {
        (Some(lock.range), None)
    };
    let parts = low.into_iter().chain(high);
    parts.map(move |range| RangeLock { range, ..lock })
}
