//! Queues of threads, linked through the threads. A thread is in at most one.

use crate::thread::Thread;
use core::cell::Cell;

type Link = Cell<Option<&'static Thread>>;

/// In order of priority, first come first served within one.
#[repr(C)]
pub struct Queue {
    first: Link,
    last: Link,
}

/// A thread's place in a queue.
#[repr(C)]
#[derive(Default)]
pub struct Place {
    next: Link,
    previous: Link,
    queue: Cell<Option<&'static Queue>>,
}

impl Place {
    pub const fn new() -> Place {
        Place {
            next: Cell::new(None),
            previous: Cell::new(None),
            queue: Cell::new(None),
        }
    }

    pub fn queue(&self) -> Option<&'static Queue> {
        self.queue.get()
    }
}

impl Queue {
    pub const fn new() -> Queue {
        Queue {
            first: Cell::new(None),
            last: Cell::new(None),
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.first.get().is_none()
    }

    #[inline]
    pub fn first(&self) -> Option<&'static Thread> {
        self.first.get()
    }

    /// At the end.
    #[inline]
    pub fn append(&'static self, thread: &'static Thread) {
        self.insert_after(self.last.get(), thread)
    }

    /// Behind all of at least its priority.
    #[inline]
    pub fn insert(&'static self, thread: &'static Thread) {
        let mut after = self.last.get();
        while let Some(other) = after {
            if other.priority.get() >= thread.priority.get() {
                break;
            }
            after = other.place.previous.get();
        }
        self.insert_after(after, thread)
    }

    #[inline]
    fn insert_after(&'static self, after: Option<&'static Thread>, thread: &'static Thread) {
        debug_assert!(thread.place.queue.get().is_none());
        let next = after.map_or(self.first.get(), |after| after.place.next.get());
        thread.place.previous.set(after);
        thread.place.next.set(next);
        thread.place.queue.set(Some(self));
        match after {
            Some(after) => after.place.next.set(Some(thread)),
            None => self.first.set(Some(thread)),
        }
        match next {
            Some(next) => next.place.previous.set(Some(thread)),
            None => self.last.set(Some(thread)),
        }
    }

    #[inline]
    pub fn take_first(&self) -> Option<&'static Thread> {
        let first = self.first.get()?;
        first.leave_queue();
        Some(first)
    }
}

impl Default for Queue {
    fn default() -> Self {
        Queue::new()
    }
}

impl Thread {
    /// Takes it out of the queue it is in, if any.
    #[inline]
    pub fn leave_queue(&self) {
        let Some(queue) = self.place.queue.take() else {
            return;
        };
        let next = self.place.next.take();
        let previous = self.place.previous.take();
        match previous {
            Some(previous) => previous.place.next.set(next),
            None => queue.first.set(next),
        }
        match next {
            Some(next) => next.place.previous.set(previous),
            None => queue.last.set(previous),
        }
    }
}
