//! Notifications: 64 bits and those who wait for any of them.

use crate::{queue::Queue, thread::Status, thread::Thread, State};
use abi::system::Error;
use core::cell::Cell;

#[derive(Default)]
pub struct Notification {
    pub bits: Cell<u64>,
    pub waiters: Queue,
}

/// What WAIT found.
#[derive(Debug, PartialEq, Eq)]
pub enum Wait {
    Bits(u64),
    /// The thread sleeps now.
    Blocked,
}

impl State {
    /// Ors the bits in. A waiter gets them all and is made ready.
    #[inline]
    pub fn notify(&'static self, notification: &'static Notification, bits: u64) {
        notification.bits.set(notification.bits.get() | bits);
        if notification.bits.get() == 0 {
            return;
        }
        if let Some(waiter) = notification.waiters.first() {
            self.wake(waiter, Ok(notification.bits.take()));
        }
    }

    /// The bits, or puts `thread` to sleep. `now` is asked for if there is a deadline to be met.
    #[inline]
    pub fn wait(
        &'static self,
        thread: &'static Thread,
        notification: &'static Notification,
        deadline: u64,
        now: impl FnOnce() -> u64,
    ) -> Result<Wait, Error> {
        let bits = notification.bits.take();
        if bits != 0 {
            return Ok(Wait::Bits(bits));
        }
        if deadline != u64::MAX {
            if now() >= deadline {
                return Err(Error::Timeout);
            }
            self.sleepers.add(thread, deadline);
        }
        thread.leave_queue();
        thread.status.set(Status::Waiting);
        notification.waiters.insert(thread);
        Ok(Wait::Blocked)
    }

    /// Ends a thread's wait, with what WAIT shall give.
    #[inline]
    pub fn wake(&'static self, thread: &'static Thread, result: Result<u64, Error>) {
        self.sleepers.remove(thread);
        thread.leave_queue();
        thread.registers.answer(result);
        self.make_ready(thread);
    }

    /// Wakes all whose deadline passed.
    pub fn expire(&'static self, now: u64) {
        while let Some(thread) = self
            .sleepers
            .first()
            .filter(|thread| thread.deadline.get() <= now)
        {
            match thread.status.get() {
                Status::Asleep => self.expired(thread),
                _ => self.wake(thread, Err(Error::Timeout)),
            }
        }
    }
}
