//! Threads.

use crate::{
    handler::{Event, Handler, Handlers},
    portal::Portal,
    queue::Place,
    registers::Registers,
    task::Task,
};
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
    /// At its own code, until it is woken or kicked (HANDLER_SLEEP).
    Asleep,
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
    /// How many of these are not for the code that runs now to leave: it is a handler's.
    pub floor: Cell<u64>,
    /// The code of what is handled on this thread now (innermost), perhaps with [`crate::handler::LATCH`]; 0 if nothing is.
    pub event: Cell<u64>,
    /// 1 while it is in the code of a foreign task, whose system calls are events.
    pub foreign: Cell<u64>,
    /// Who handles system calls, if it is a foreign thread: its own handler, or else its task's.
    pub call: Handler,
    /// What is handled; the registers that are to come back.
    pub outer: Event,
    pub frames: [Frame; DEPTH],
    /// What happened in the handler of the outer event, and is handled by another.
    pub inner: Event,
    pub handlers: Handlers,
    /// Physical address of the page that it shares with its handler.
    pub page: Cell<Option<u64>>,
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
            floor: Cell::new(0),
            event: Cell::new(0),
            foreign: Cell::new(home.foreign.get().into()),
            call: home.handlers.of(abi::system::event::SYSTEM_CALL),
            outer: Event::new(),
            frames: [const { Frame::new() }; DEPTH],
            inner: Event::new(),
            handlers: Handlers::new(),
            page: Cell::new(None),
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
