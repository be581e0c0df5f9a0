//! The counter of eventfd(2).

use crate::{poll, Error, Wake};

/// A count that writes add to and reads take from.
pub struct EventCounter {
    count: u64,
    /// A read takes one, not all (EFD_SEMAPHORE).
    one_by_one: bool,
}

impl EventCounter {
    /// A counter that stands at `count`.
    #[must_use]
    pub const fn new(count: u32, one_by_one: bool) -> EventCounter {
        EventCounter {
            count: count as u64,
            one_by_one,
        }
    }

    /// Reads into a buffer of `room` bytes: the count, which is 0 then, or 1 of a semaphore.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the room is less than 8 bytes, [`Error::Again`] when the count is 0.
    pub fn read(&mut self, room: usize) -> Result<(u64, Wake), Error> {
        if room < 8 {
            return Err(Error::Invalid);
        }
        if self.count == 0 {
            return Err(Error::Again);
        }
        let taken = if self.one_by_one { 1 } else { self.count };
        self.count -= taken;
        let wake = Wake {
            readers: None,
            writers: Some(poll::OUT),
        };
        Ok((taken, wake))
    }

    /// Adds the first 8 bytes of what is written, in the byte order of the machine.
    ///
    /// # Errors
    /// [`Error::Invalid`] for fewer than 8 bytes and for the number of all ones, [`Error::Again`] when the count would
    /// go beyond 2^64 - 2.
    pub fn write(&mut self, from: &[u8]) -> Result<Wake, Error> {
        let Some(&bytes) = from.first_chunk::<8>() else {
            return Err(Error::Invalid);
        };
        let more = u64::from_ne_bytes(bytes);
        if more == u64::MAX {
            return Err(Error::Invalid);
        }
        if u64::MAX - self.count <= more {
            return Err(Error::Again);
        }
        self.count += more;
        Ok(Wake {
            readers: Some(poll::IN),
            writers: None,
        })
    }

    /// What holds of it.
    #[must_use]
    pub const fn conditions(&self) -> u32 {
        let some = if self.count > 0 { poll::IN } else { 0 };
        let room = if self.count < u64::MAX - 1 {
            poll::OUT
        } else {
            0
        };
        some | room
    }
}
