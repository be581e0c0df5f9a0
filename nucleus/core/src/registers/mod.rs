//! A thread's registers while it is not running. The layout is what the entry code of the architecture stores.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub use aarch64::*;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

use abi::system::Error;

impl Registers {
    /// Word `n` of a call; 0 if there is no such word.
    #[inline]
    pub fn word(&self, n: usize) -> u64 {
        WORDS
            .get(n)
            .and_then(|&at| self.0.get(at))
            .map_or(0, |cell| cell.get())
    }

    #[inline]
    pub fn set_word(&self, n: usize, value: u64) {
        if let Some(cell) = WORDS.get(n).and_then(|&at| self.0.get(at)) {
            cell.set(value)
        }
    }

    #[inline]
    pub fn set_status(&self, status: Result<(), Error>) {
        self.0[STATUS].set(match status {
            Ok(()) => 0,
            Err(error) => error as i64 as u64,
        })
    }

    /// Status and value of a call that gives one.
    #[inline]
    pub fn answer(&self, result: Result<u64, Error>) {
        match result {
            Ok(value) => {
                self.set_word(0, value);
                self.set_status(Ok(()));
            }
            Err(error) => self.set_status(Err(error)),
        }
    }

    /// Zeroes everything but the words, which pass between tasks.
    #[inline]
    pub fn scrub(&self) {
        for at in SCRUBBED {
            self.0[*at].set(0);
        }
    }

    /// A scrubbed thread about to run at `entry`.
    #[inline]
    pub fn enter(&self, entry: u64, stack: u64) {
        self.scrub();
        self.0[POINTER].set(entry);
        self.0[STACK].set(stack);
        self.ready();
    }

    #[inline]
    pub fn pointer(&self) -> u64 {
        self.0[POINTER].get()
    }

    #[inline]
    pub fn stack(&self) -> u64 {
        self.0[STACK].get()
    }

    #[inline]
    pub fn set_badge(&self, badge: u64) {
        self.0[BADGE].set(badge)
    }

    /// The portal of a PORTAL_CALL.
    #[inline]
    pub fn badge(&self) -> u64 {
        self.0[BADGE].get()
    }
}
