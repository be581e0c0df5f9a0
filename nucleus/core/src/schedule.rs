//! Who runs next: 32 priorities, round robin within each.

use crate::{
    queue::Queue,
    same,
    task::TaskState,
    thread::{Status, Thread},
    State,
};
use core::cell::Cell;

/// The queues of threads that could run, and a bit for each that is not empty. The running thread is in none.
pub struct Ready {
    queues: [Queue; 32],
    some: Cell<u32>,
    /// Somebody of higher priority than the current thread became ready.
    pub urgent: Cell<bool>,
}

impl Ready {
    pub const fn new() -> Ready {
        Ready {
            queues: [const { Queue::new() }; 32],
            some: Cell::new(0),
            urgent: Cell::new(false),
        }
    }

    #[inline]
    fn highest(&self) -> Option<u32> {
        loop {
            let highest = self.some.get().checked_ilog2()?;
            if !self.queues[highest as usize].is_empty() {
                return Some(highest);
            }
            // Threads leave queues by themselves; the bit is tidied up here.
            self.some.set(self.some.get() & !(1 << highest));
        }
    }
}

impl Default for Ready {
    fn default() -> Self {
        Ready::new()
    }
}

impl State {
    /// Lets a thread that is in no queue run when its turn comes.
    #[inline]
    pub fn make_ready(&'static self, thread: &'static Thread) {
        if thread.task.get().state.get() == TaskState::Stopped {
            thread.status.set(Status::Stopped);
            return;
        }
        thread.status.set(Status::Ready);
        if self
            .current
            .get()
            .is_some_and(|current| same(current, thread))
        {
            return;
        }
        let priority = (thread.priority.get() & 31) as usize;
        self.ready.queues[priority].append(thread);
        self.ready.some.set(self.ready.some.get() | 1 << priority);
        if self
            .current
            .get()
            .is_none_or(|current| thread.priority.get() > current.priority.get())
        {
            self.ready.urgent.set(true);
        }
    }

    /// The current thread goes behind the others of its priority.
    #[inline]
    pub fn rotate(&'static self) {
        if let Some(current) = self
            .current
            .get()
            .filter(|thread| thread.status.get() == Status::Ready)
        {
            if self
                .ready
                .highest()
                .is_some_and(|highest| u64::from(highest) >= current.priority.get())
            {
                self.current.set(None);
                self.make_ready(current);
            }
        }
    }

    /// Chooses who runs: the current thread unless it cannot, or one of higher priority can.
    #[inline]
    pub fn choose(&'static self) -> Option<&'static Thread> {
        self.ready.urgent.set(false);
        let current = self
            .current
            .get()
            .filter(|thread| thread.status.get() == Status::Ready);
        let highest = self.ready.highest();
        if let Some(current) = current {
            match highest {
                Some(highest) if u64::from(highest) > current.priority.get() => {
                    self.current.set(None);
                    self.make_ready(current);
                }
                _ => return Some(current),
            }
        }
        let next = highest.and_then(|highest| self.ready.queues[highest as usize].take_first());
        self.current.set(next);
        next
    }

    /// Whether another thread of the current one's priority could run.
    pub fn crowded(&self) -> bool {
        match (self.current.get(), self.ready.highest()) {
            (Some(current), Some(highest)) => u64::from(highest) >= current.priority.get(),
            _ => false,
        }
    }
}
