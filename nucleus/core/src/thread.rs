//! Threads.

use crate::{
    handler::{Event, Handler, Handlers},
    portal::Portal,
    queue::Place,
    registers::Registers,
    task::Task,
};
use abi::frame;
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

/// Memory for the floating-point and SIMD registers of a thread ([`frame::FLOAT`]).
#[repr(C, align(64))]
pub struct Float(pub [Cell<u64>; frame::float::WORDS]);

impl Float {
    /// As a new program finds them.
    pub fn new() -> Float {
        let float = Float([const { Cell::new(0) }; frame::float::WORDS]);
        // The x87 control word and MXCSR, with all exceptions masked (SDM 1, tables 8-1 and 11-6).
        #[cfg(target_arch = "x86_64")]
        {
            float.0[0].set(0x37f);
            float.0[3].set(0x1f80);
        }
        float
    }
}

impl Default for Float {
    fn default() -> Self {
        Float::new()
    }
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
    /// Not 0: the way out to it has more to load, of what follows.
    pub special: Cell<u64>,
    /// Floating-point and SIMD registers, while they are in no processor; none if it may not use them.
    pub float: Cell<Option<&'static Float>>,
    /// Where the program's segments begin (x86-64), or TPIDR_EL0; used by a foreign thread alone.
    pub bases: [Cell<u64>; frame::BASES.len()],
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
    /// How many rights name it.
    rights: Cell<u32>,
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
            special: Cell::new(home.foreign.get().into()),
            float: Cell::new(None),
            bases: [const { Cell::new(0) }; frame::BASES.len()],
            page: Cell::new(None),
            home,
            priority: Cell::new(priority),
            status: Cell::new(Status::Ready),
            place: Place::new(),
            deadline: Cell::new(u64::MAX),
            next_sleeper: Cell::new(None),
            rights: Cell::new(0),
            sibling: Cell::new(None),
        }
    }

    /// One right more names it, or one less.
    pub(crate) fn named(&self, more: bool) {
        let rights = self.rights.get();
        self.rights.set(if more { rights + 1 } else { rights - 1 });
        if !more && self.is_reusable() {
            self.home.reusable.set(self.home.reusable.get() + 1);
        }
    }

    /// It comes to its end; not again if it has.
    pub(crate) fn ended(&self) {
        if self.status.replace(Status::Ended) != Status::Ended && self.is_reusable() {
            self.home.reusable.set(self.home.reusable.get() + 1);
        }
    }

    /// Whether it has ended and nothing names it.
    fn is_reusable(&self) -> bool {
        self.status.get() == Status::Ended && self.rights.get() == 0
    }

    /// It may use floating point from now on.
    pub fn give_float(&self, float: &'static Float) {
        self.float.set(Some(float));
        self.special.set(1);
    }

    /// Whether the code that it runs now may use its floating-point registers: its own, not a portal's or a handler's.
    pub fn may_float(&self) -> Option<&'static Float> {
        let own = self.depth.get() == 0 && self.event.get() == 0;
        self.float.get().filter(|_| own)
    }

    /// Registers of it, with the beginnings of segments, as words of a frame page.
    pub(crate) fn export(&self, registers: &Registers) -> [u64; frame::WORDS] {
        let mut words = registers.export();
        for (at, base) in frame::BASES.iter().zip(&self.bases) {
            words[*at] = base.get();
        }
        words
    }

    /// From acceptable words of a frame page.
    pub(crate) fn import(&self, words: &[u64; frame::WORDS]) {
        self.registers.import(words);
        for (at, base) in frame::BASES.iter().zip(&self.bases) {
            base.set(words[*at]);
        }
    }
}

impl Task {
    /// A thread of it that has ended and that nothing names: another may have its memory, in the same place of the list.
    pub fn reusable_thread(&self) -> Option<&'static Thread> {
        let left = self.reusable.get().checked_sub(1)?;
        let found = self.threads().find(|thread| thread.is_reusable())?;
        self.reusable.set(left);
        Some(found)
    }
}
