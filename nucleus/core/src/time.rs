//! Counters into nanoseconds, and threads that wait for a time.

use crate::{same, thread::Thread};
use core::cell::Cell;

const SECOND: u64 = 1_000_000_000;

/// Threads with a deadline, the earliest first.
#[derive(Default)]
pub struct Sleepers(Cell<Option<&'static Thread>>);

impl Sleepers {
    pub const fn new() -> Sleepers {
        Sleepers(Cell::new(None))
    }

    #[inline]
    pub fn first(&self) -> Option<&'static Thread> {
        self.0.get()
    }

    #[inline]
    pub fn add(&self, thread: &'static Thread, deadline: u64) {
        thread.deadline.set(deadline);
        let mut link = &self.0;
        while let Some(other) = link.get() {
            if other.deadline.get() > deadline {
                break;
            }
            link = &other.next_sleeper;
        }
        thread.next_sleeper.set(link.replace(Some(thread)));
    }

    /// Nothing if it is not among them.
    #[inline]
    pub fn remove(&self, thread: &Thread) {
        if thread.deadline.replace(u64::MAX) == u64::MAX {
            return;
        }
        let mut link = &self.0;
        while let Some(other) = link.get() {
            if same(other, thread) {
                link.set(thread.next_sleeper.take());
                return;
            }
            link = &other.next_sleeper;
        }
    }
}

/// Multiplies by a ratio, without dividing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ratio(u64);

impl Ratio {
    /// `of / to`; 0 if `to` is 0.
    pub const fn new(of: u64, to: u64) -> Ratio {
        match to {
            0 => Ratio(0),
            _ => {
                let ratio = ((of as u128) << 32) / to as u128;
                Ratio(if ratio > u64::MAX as u128 {
                    u64::MAX
                } else {
                    ratio as u64
                })
            }
        }
    }

    pub const fn nanoseconds(hz: u64) -> Ratio {
        Ratio::new(SECOND, hz)
    }

    pub const fn ticks(hz: u64) -> Ratio {
        Ratio::new(hz, SECOND)
    }

    #[inline]
    pub fn of(self, value: u64) -> u64 {
        let product = (u128::from(value) * u128::from(self.0)) >> 32;
        u64::try_from(product).unwrap_or(u64::MAX)
    }
}

/// A counter of a few bits made one of 64, if it is read often enough.
#[derive(Debug, Default)]
pub struct Counter {
    last: Cell<u64>,
    total: Cell<u64>,
    mask: Cell<u64>,
}

impl Counter {
    pub const fn new() -> Counter {
        Counter {
            last: Cell::new(0),
            total: Cell::new(0),
            mask: Cell::new(0),
        }
    }

    pub fn start(&self, bits: u64, raw: u64) {
        self.mask.set(if bits >= 64 {
            u64::MAX
        } else {
            (1 << bits) - 1
        });
        self.last.set(raw);
    }

    /// Ticks since the start.
    #[inline]
    pub fn read(&self, raw: u64) -> u64 {
        let passed = raw.wrapping_sub(self.last.replace(raw)) & self.mask.get();
        self.total.set(self.total.get().wrapping_add(passed));
        self.total.get()
    }

    /// Ticks until it wraps around.
    pub fn period(&self) -> u64 {
        self.mask.get()
    }
}
