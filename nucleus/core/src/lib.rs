//! The nucleus without the hardware: its objects and what system calls do to them. Runs in host tests.
//!
//! Objects live in memory that tasks donate and are reached as `&'static`: that holds from [`task::Pool::carve`] until
//! the owning task is destroyed, and [`State::destroy`] first takes back every reference to it. Nothing here
//! runs twice at once: there is one CPU in the nucleus, with interrupts off.
#![cfg_attr(not(test), no_std)]

pub mod allegation;
pub mod destroy;
pub mod extent;
pub mod frames;
pub mod handler;
pub mod interrupt;
pub mod kernel;
pub mod notification;
pub mod paging;
pub mod portal;
pub mod queue;
pub mod ranges;
pub mod registers;
pub mod rights;
pub mod schedule;
pub mod task;
pub mod thread;
pub mod time;

use core::cell::Cell;
use queue::Queue;

/// Everything the nucleus knows apart from the objects.
#[repr(C)]
pub struct State {
    /// Who runs, or ran until it stopped. First, for the entry code.
    pub current: Cell<Option<&'static thread::Thread>>,
    pub ready: schedule::Ready,
    /// Threads with a deadline.
    pub sleepers: time::Sleepers,
    pub tasks: task::Tasks,
    pub frames: frames::Frames,
    pub interrupts: interrupt::Bindings,
    pub next_task: Cell<u32>,
}

impl State {
    pub const fn new() -> State {
        State {
            current: Cell::new(None),
            ready: schedule::Ready::new(),
            sleepers: time::Sleepers::new(),
            tasks: task::Tasks::new(),
            frames: frames::Frames::new(),
            interrupts: interrupt::Bindings::new(),
            next_task: Cell::new(1),
        }
    }
}

impl Default for State {
    fn default() -> Self {
        State::new()
    }
}

/// Whether two references name the same object.
pub fn same<T>(a: &T, b: &T) -> bool {
    core::ptr::eq(a, b)
}

/// A queue that nothing is in.
pub const fn empty() -> Queue {
    Queue::new()
}

#[cfg(test)]
mod tests;
