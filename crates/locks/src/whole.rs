//! Locks on whole files. The owner is an open file description.

use crate::{Error, Kind};
use alloc::vec::Vec;

/// The whole-file locks of one file.
pub struct WholeLocks<O> {
    held: Vec<(O, Kind)>,
}

impl<O> Default for WholeLocks<O> {
    fn default() -> Self {
        WholeLocks { held: Vec::new() }
    }
}

impl<O: Copy + Eq> WholeLocks<O> {
    /// Sets a lock, or with no kind gives it back. True if somebody who waits may have one now, which can be so after a
    /// refusal, too: changing the kind gives the old lock back first, as flock(2) says.
    pub fn set(&mut self, owner: O, kind: Option<Kind>) -> (Result<(), Error>, bool) {
        if kind.is_some() && self.held.contains(&(owner, kind.unwrap_or(Kind::Shared))) {
            return (Ok(()), false);
        }
        let before = self.held.len();
        self.held.retain(|(holder, _)| *holder != owner);
        let given_back = self.held.len() < before;
        let Some(kind) = kind else {
            return (Ok(()), given_back);
        };
        if self.held.iter().any(|(_, other)| other.conflicts(kind)) {
            return (Err(Error::Again), given_back);
        }
        self.held.push((owner, kind));
        (Ok(()), given_back)
    }
}
