//! The signals that wait for one thread, or for a process.

use crate::{Set, Signal};
use alloc::collections::VecDeque;

/// Signals that were sent and not taken, with what was sent where there was room to keep it.
pub struct Pending<I> {
    set: Set,
    queue: VecDeque<(Signal, I)>,
}

impl<I> Pending<I> {
    pub(crate) const fn new() -> Self {
        Pending {
            set: Set::EMPTY,
            queue: VecDeque::new(),
        }
    }

    /// Which signals wait.
    #[must_use]
    pub const fn set(&self) -> Set {
        self.set
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn add(&mut self, signal: Signal, info: Option<I>) {
        self.set = self.set.with(Set::of(signal));
        if let Some(info) = info {
            self.queue.push_back((signal, info));
        }
    }

    pub(crate) fn forget(&mut self, set: Set) {
        self.set = self.set.without(set);
        self.queue.retain(|(signal, _)| !set.has(*signal));
    }

    /// Takes the next that is not blocked: those of `first` before all others, and then the lowest number.
    pub(crate) fn take(&mut self, blocked: Set, first: Set) -> Option<(Signal, Option<I>)> {
        let ready = self.set.without(blocked);
        let early = ready.without(first.complement());
        let signal = early.lowest().or_else(|| ready.lowest())?;
        let place = self.queue.iter().position(|(of, _)| *of == signal);
        let info = place.and_then(|place| self.queue.remove(place));
        if !self.queue.iter().any(|(of, _)| *of == signal) {
            self.set = self.set.without(Set::of(signal));
        }
        Some((signal, info.map(|(_, info)| info)))
    }
}
