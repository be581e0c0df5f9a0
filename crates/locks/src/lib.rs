//! Advisory file locks of a Linux personality, as state: byte ranges (fcntl(2)) and whole files (flock(2)).
//!
//! Nothing here waits: a lock that cannot be had now answers [`Error::Again`]. The tests make the same calls under Linux
//! and compare.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod range;
mod whole;

pub use range::{Range, RangeLock, RangeLocks};
pub use whole::WholeLocks;

/// What a lock keeps others from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Others may hold shared locks, too (F_RDLCK, LOCK_SH).
    Shared,
    /// Nobody else may hold any (F_WRLCK, LOCK_EX).
    Exclusive,
}

impl Kind {
    fn conflicts(self, other: Kind) -> bool {
        self == Kind::Exclusive || other == Kind::Exclusive
    }
}

/// Why a call was refused, as errno(3) names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// EAGAIN: somebody else holds a lock that conflicts.
    Again,
    /// EINVAL: the range begins before the file.
    Invalid,
    /// ENOLCK: there are too many locks.
    TooMany,
    /// EOVERFLOW: the range ends beyond what an offset can say.
    Overflow,
}

impl Error {
    /// Linux's number on x86-64 and AArch64.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Error::Again => 11,
            Error::Invalid => 22,
            Error::TooMany => 37,
            Error::Overflow => 75,
        }
    }
}
