//! A thread's registers while it is not running. The layout is what the entry code of the architecture stores.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub use aarch64::*;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

use crate::handler::Event;
use abi::{frame, layout::USER_END, system::Error};

const _: () =
    assert!(COUNT == frame::BASES[0] && POINTER == frame::POINTER && STACK == frame::STACK);
const _: () =
    assert!(FLAGS_AT == frame::FLAGS && NUMBER == frame::NUMBER && RESULT == frame::RESULT);

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

    /// A thread that was stopped at its own code is about to run a handler: what the handler cannot keep is kept in `event`.
    pub fn begin(&self, event: &Event, entry: u64, stack: u64, [code, cookie, address]: [u64; 3]) {
        self.unmask();
        for (kept, at) in event.saved.iter().zip(SAVED) {
            kept.set(self.0[at].get());
        }
        event.pointer.set(self.pointer());
        event.stack.set(self.stack());
        event.flags.set(self.0[FLAGS_AT].get());
        self.0[COOKIE].set(cookie);
        self.0[CODE].set(code);
        if !crate::handler::is_call(code) {
            self.0[ADDRESS].set(address);
        }
        self.0[POINTER].set(entry);
        self.0[STACK].set(stack);
        self.ready();
    }

    /// The thread as it was before [`Registers::begin`], but for what the handler did with the registers that it must keep.
    pub fn restore(&self, event: &Event, code: u64) {
        for (kept, at) in event.saved.iter().zip(SAVED) {
            self.0[at].set(kept.get());
        }
        self.0[POINTER].set(event.pointer.get());
        self.0[STACK].set(event.stack.get());
        self.0[FLAGS_AT].set(event.flags.get());
        self.restored(code);
    }

    /// The same with the result of a system call.
    pub fn finish(&self, event: &Event, code: u64) {
        let result = self.0[ANSWER].get();
        self.restore(event, code);
        if crate::handler::is_call(code) {
            self.0[RESULT].set(result);
        }
    }

    /// As words of a frame page; the beginnings of segments are 0.
    pub fn export(&self) -> [u64; frame::WORDS] {
        core::array::from_fn(|n| match n < COUNT && frame_has(n) {
            true => self.0[n].get(),
            false => 0,
        })
    }

    /// Whether a thread may go on with these words of a frame page.
    pub fn acceptable(words: &[u64; frame::WORDS]) -> Result<(), Error> {
        // TPIDR_EL0 is a number as any other.
        let bases =
            cfg!(target_arch = "aarch64") || frame::BASES.iter().all(|at| words[*at] < USER_END);
        match words[POINTER] < USER_END && bases {
            true => Ok(()),
            false => Err(Error::BadArgument),
        }
    }

    /// From words of a frame page that are [acceptable](Registers::acceptable).
    pub fn import(&self, words: &[u64; frame::WORDS]) {
        let stored = words.iter().take(COUNT).enumerate();
        for (n, word) in stored.filter(|(n, _)| frame_has(*n)) {
            self.0[n].set(*word);
        }
        let flags = words[FLAGS_AT] & frame::FLAGS_ALLOWED | FLAGS;
        self.0[FLAGS_AT].set(flags);
        self.imported();
    }

    /// A second store with the same contents.
    pub fn copy(&self) -> Registers {
        let copy = Registers::new();
        for (to, from) in copy.0.iter().zip(&self.0) {
            to.set(from.get());
        }
        copy
    }
}
