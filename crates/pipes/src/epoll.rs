//! The list of epoll(7): which descriptors are watched for what, and which of them are to be looked at.
//!
//! A wake-up puts an entry on the ready list; asking for events looks at the ready entries only and asks each source
//! what holds. Entries that report levels go back to the end of the list, so that none starves.

use crate::{poll, Error};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

/// What a caller of epoll_wait(2) is told of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The conditions that hold, of those that were asked for.
    pub conditions: u32,
    /// The caller's own word.
    pub data: u64,
}

/// The bits that say how to report, not what.
const MANNER: u32 = poll::EDGE | poll::ONE_SHOT | poll::KEEP_AWAKE | poll::EXCLUSIVE;
/// What may stand beside EXCLUSIVE (epoll_ctl(2)).
const WITH_EXCLUSIVE: u32 =
    poll::IN | poll::OUT | poll::ERR | poll::HUP | poll::KEEP_AWAKE | poll::EDGE | poll::EXCLUSIVE;

struct Entry {
    wanted: u32,
    data: u64,
    ready: bool,
}

/// One list. `K` names a watched descriptor: its number and its open file description.
pub struct Epoll<K> {
    entries: BTreeMap<K, Entry>,
    ready: VecDeque<K>,
}

impl<K: Ord + Copy> Default for Epoll<K> {
    fn default() -> Self {
        Epoll {
            entries: BTreeMap::new(),
            ready: VecDeque::new(),
        }
    }
}

impl<K: Ord + Copy> Epoll<K> {
    /// Begins to watch (EPOLL_CTL_ADD). `holds` is what holds of the source now.
    ///
    /// # Errors
    /// [`Error::Exists`] if it is watched already; [`Error::Invalid`] for what EXCLUSIVE cannot stand beside.
    pub fn add(&mut self, key: K, wanted: u32, data: u64, holds: u32) -> Result<(), Error> {
        if wanted & poll::EXCLUSIVE != 0 && wanted & !WITH_EXCLUSIVE != 0 {
            return Err(Error::Invalid);
        }
        if self.entries.contains_key(&key) {
            return Err(Error::Exists);
        }
        let entry = Entry {
            wanted: wanted | poll::ERR | poll::HUP,
            data,
            ready: false,
        };
        self.entries.insert(key, entry);
        self.woken(key, holds);
        Ok(())
    }

    /// Watches for something else from now on (EPOLL_CTL_MOD). `holds` is what holds of the source now.
    ///
    /// # Errors
    /// [`Error::Missing`] if it is not watched; [`Error::Invalid`] if EXCLUSIVE is asked for or was.
    pub fn change(&mut self, key: K, wanted: u32, data: u64, holds: u32) -> Result<(), Error> {
        if wanted & poll::EXCLUSIVE != 0 {
            return Err(Error::Invalid);
        }
        let entry = self.entries.get_mut(&key).ok_or(Error::Missing)?;
        if entry.wanted & poll::EXCLUSIVE != 0 {
            return Err(Error::Invalid);
        }
        entry.wanted = wanted | poll::ERR | poll::HUP;
        entry.data = data;
        self.woken(key, holds);
        Ok(())
    }

    /// No longer watches (EPOLL_CTL_DEL, and when the last descriptor of the file is closed).
    ///
    /// # Errors
    /// [`Error::Missing`] if it is not watched.
    pub fn remove(&mut self, key: K) -> Result<(), Error> {
        let entry = self.entries.remove(&key).ok_or(Error::Missing)?;
        if entry.ready {
            self.ready.retain(|ready| *ready != key);
        }
        Ok(())
    }

    /// The source says that some of `conditions` may hold. True if somebody who waits for this list is to look.
    pub fn woken(&mut self, key: K, conditions: u32) -> bool {
        let Some(entry) = self.entries.get_mut(&key) else {
            return false;
        };
        // An entry that reported its one event wants nothing until it is changed, not even errors.
        if entry.wanted & !MANNER & conditions == 0 {
            return false;
        }
        if !entry.ready {
            entry.ready = true;
            self.ready.push_back(key);
        }
        true
    }

    /// True if some entry is to be looked at: what poll(2) of the list itself answers with [`poll::IN`] once a look
    /// confirms it.
    #[must_use]
    pub fn pending(&self) -> bool {
        !self.ready.is_empty()
    }

    /// What has happened, at most `most` entries, in the order of their wake-ups. `holds` says what holds of a source.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `most` is 0.
    pub fn take(
        &mut self,
        most: usize,
        mut holds: impl FnMut(K) -> u32,
    ) -> Result<Vec<Occurrence>, Error> {
        if most == 0 {
            return Err(Error::Invalid);
        }
        let mut taken = Vec::new();
        // Each entry is looked at once, those that go back to the end of the list not again.
        for _ in 0..self.ready.len() {
            if taken.len() == most {
                break;
            }
            let Some(key) = self.ready.pop_front() else {
                break;
            };
            let Some(entry) = self.entries.get_mut(&key) else {
                continue;
            };
            entry.ready = false;
            let conditions = match entry.wanted & !MANNER {
                0 => 0,
                wanted => holds(key) & wanted,
            };
            if conditions == 0 {
                continue;
            }
            taken.push(Occurrence {
                conditions,
                data: entry.data,
            });
            if entry.wanted & poll::ONE_SHOT != 0 {
                entry.wanted &= MANNER;
            } else if entry.wanted & poll::EDGE == 0 {
                entry.ready = true;
                self.ready.push_back(key);
            }
        }
        Ok(taken)
    }
}
