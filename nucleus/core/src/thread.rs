//! Threads.

use crate::{portal::Portal, queue::Place, registers::Registers, task::Task};
use core::cell::Cell;

/// Calls one thread can be inside of at once.
pub const DEPTH: usize = 8;
pub const PRIORITIES: u64 = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Running, or in a queue of those that could.
    Ready,
    /// In a notification's queue.
    Waiting,
    /// In a portal's queue.
    Calling,
    /// Its task was stopped by a fault.
    Stopped,
    /// Ended; only its memory is left.
    Ended,
}

/// Where a portal call returns to.
#[repr(C)]
pub struct Frame {
    pub task: Cell<Option<&'static Task>>,
    pub pointer: Cell<u64>,
    pub stack: Cell<u64>,
    pub portal: Cell<Option<&'static Portal>>,
}
const _: () = assert!(size_of::<Frame>() == 32);

impl Frame {
    const fn new() -> Frame {
        Frame {
            task: Cell::new(None),
            pointer: Cell::new(0),
            stack: Cell::new(0),
            portal: Cell::new(None),
        }
    }
}

/// Offsets are used by the entry code.
#[repr(C)]
pub struct Thread {
    pub registers: Registers,
    /// Whose address space it is in now.
    pub task: Cell<&'static Task>,
    /// Frames in use.
    pub depth: Cell<u64>,
    pub frames: [Frame; DEPTH],
    /// Who it belongs to.
    pub home: &'static Task,
    pub priority: Cell<u64>,
    pub status: Cell<Status>,
    pub place: Place,
    /// When a wait ends by itself, and the next sleeper in that order.
    pub deadline: Cell<u64>,
    pub next_sleeper: Cell<Option<&'static Thread>>,
    /// The next thread of its home.
    pub sibling: Cell<Option<&'static Thread>>,
}

impl Thread {
    pub fn new(home: &'static Task, priority: u64) -> Thread {
        Thread {
            registers: Registers::new(),
            task: Cell::new(home),
            depth: Cell::new(0),
            frames: [const { Frame::new() }; DEPTH],
            home,
            priority: Cell::new(priority),
            status: Cell::new(Status::Ready),
            place: Place::new(),
            deadline: Cell::new(u64::MAX),
            next_sleeper: Cell::new(None),
            sibling: Cell::new(None),
        }
    }
}
