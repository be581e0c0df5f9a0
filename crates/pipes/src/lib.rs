//! Pipes, event counters and epoll of a Linux personality, as state without input or output.
//!
//! Nothing here waits: what cannot go on answers [`Error::Again`], and each operation says whom it wakes. The tests
//! run the same calls under Linux and compare.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod epoll;
mod event;
mod pipe;
pub mod poll;

pub use epoll::{Epoll, Occurrence};
pub use event::EventCounter;
pub use pipe::{Outcome, Pipe};

/// Why an operation was refused, as errno(3) names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// EAGAIN: the operation would have to wait.
    Again,
    /// EPIPE: nobody is left who could read; a write is accompanied by SIGPIPE.
    Broken,
    /// EBUSY: what the pipe holds does not fit the wanted size.
    Busy,
    /// EINVAL: an argument is outside its range.
    Invalid,
    /// EPERM: the size is beyond what an ordinary user may have.
    NotPermitted,
    /// EEXIST: the descriptor is on the list already.
    Exists,
    /// ENOENT: the descriptor is not on the list.
    Missing,
}

impl Error {
    /// Linux's number on x86-64 and AArch64 (asm-generic/errno-base.h).
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Error::NotPermitted => 1,
            Error::Missing => 2,
            Error::Again => 11,
            Error::Busy => 16,
            Error::Exists => 17,
            Error::Invalid => 22,
            Error::Broken => 32,
        }
    }
}

/// Who is to look again after an operation. Each is a mask of the conditions that may have become true, or
/// [`poll::ANY`] when the source does not tell them apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wake {
    /// Those who watch the end that is read.
    pub readers: Option<u32>,
    /// Those who watch the end that is written.
    pub writers: Option<u32>,
}
