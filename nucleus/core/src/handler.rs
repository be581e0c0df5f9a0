//! Faults and foreign system calls: they are handled on the thread itself, in the task of a handler.
//!
//! A thread is in its own code, or in the handler of an *outer* event, or that handler did something that is an *inner* event
//! for another handler. Each event lies between the frames of portal calls: those below its floor were there before it.

use crate::{
    portal::Portal,
    registers::{Registers, SAVED},
    same,
    task::{Task, TaskState},
    thread::{Status, Thread},
    State,
};
use abi::frame::WORDS;
use abi::system::{event, Error};
use core::cell::Cell;

/// In a code: the thread was kicked meanwhile.
pub const LATCH: u64 = 1 << 8;

/// Kinds of events that are bound apart, as the bits of a set.
const KINDS: usize = 7;
const _: () = assert!(event::ALL == (1 << KINDS) - 1);

/// The bit of a code's kind.
fn kind(code: u64) -> usize {
    let set = match code {
        event::READ | event::WRITE | event::EXECUTE => event::PAGES,
        event::ILLEGAL => event::ILLEGALS,
        event::DIVISION => event::DIVISIONS,
        event::DEBUG => event::DEBUGS,
        event::SYSTEM_CALL | event::INTERRUPT_CALL => event::CALLS,
        event::KICKED | event::EXPIRED => event::KICKS,
        _ => event::OTHERS,
    };
    set.trailing_zeros() as usize
}

pub fn is_call(code: u64) -> bool {
    code == event::SYSTEM_CALL || code == event::INTERRUPT_CALL
}

/// Who is entered, and the word that it is told. Offsets are used by the entry code.
#[repr(C)]
pub struct Handler {
    pub portal: Cell<Option<&'static Portal>>,
    pub cookie: Cell<u64>,
}

impl Handler {
    const fn none() -> Handler {
        Handler {
            portal: Cell::new(None),
            cookie: Cell::new(0),
        }
    }

    fn set(&self, portal: Option<&'static Portal>, cookie: u64) {
        self.portal.set(portal);
        self.cookie.set(cookie);
    }

    /// If its task runs.
    fn usable(&self) -> Option<(&'static Portal, u64)> {
        let portal = self.portal.get()?;
        (portal.server.state.get() == TaskState::Running).then(|| (portal, self.cookie.get()))
    }
}

/// A handler for each kind of event.
pub struct Handlers([Handler; KINDS]);

impl Handlers {
    pub const fn new() -> Handlers {
        Handlers([const { Handler::none() }; KINDS])
    }

    fn get(&self, code: u64) -> &Handler {
        &self.0[kind(code)]
    }

    /// A copy of the handler of a code.
    pub fn of(&self, code: u64) -> Handler {
        let handler = Handler::none();
        handler.set(self.get(code).portal.get(), self.get(code).cookie.get());
        handler
    }

    /// A handler, or none, for all kinds of the set.
    fn bind(&self, set: u64, portal: Option<&'static Portal>, cookie: u64) {
        for (n, handler) in self.0.iter().enumerate() {
            if set & 1 << n != 0 {
                handler.set(portal, cookie);
            }
        }
    }

    fn sweep(&self, dead: &impl Fn(&Portal) -> bool) {
        for handler in &self.0 {
            if handler.portal.get().is_some_and(dead) {
                handler.set(None, 0);
            }
        }
    }
}

impl Default for Handlers {
    fn default() -> Self {
        Handlers::new()
    }
}

/// An event while it is handled: where the thread was. Offsets are used by the entry code.
#[repr(C)]
pub struct Event {
    pub pointer: Cell<u64>,
    pub flags: Cell<u64>,
    pub stack: Cell<u64>,
    /// The handler's. Of the inner event: none while there is none.
    pub portal: Cell<Option<&'static Portal>>,
    /// Registers that the handler cannot keep ([`SAVED`]).
    pub saved: [Cell<u64>; SAVED.len()],
    pub address: Cell<u64>,
    /// Frames of portal calls that were there before.
    pub floor: Cell<u64>,
    /// The code of the event around this one; 0 for the outer event.
    below: Cell<u64>,
}

impl Event {
    pub const fn new() -> Event {
        Event {
            pointer: Cell::new(0),
            flags: Cell::new(0),
            stack: Cell::new(0),
            portal: Cell::new(None),
            saved: [const { Cell::new(0) }; SAVED.len()],
            address: Cell::new(0),
            floor: Cell::new(0),
            below: Cell::new(0),
        }
    }
}

impl Default for Event {
    fn default() -> Self {
        Event::new()
    }
}

impl Thread {
    /// The innermost event.
    pub fn top(&self) -> Option<&Event> {
        match (self.event.get(), self.inner.portal.get()) {
            (0, _) => None,
            (_, None) => Some(&self.outer),
            (_, Some(_)) => Some(&self.inner),
        }
    }

    /// The events, outermost first.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        let outer = (self.event.get() != 0).then_some(&self.outer);
        let inner = self.inner.portal.get().map(|_| &self.inner);
        outer.into_iter().chain(inner)
    }

    /// The innermost event and its code, if it is that event's handler that runs and not somebody whom the handler called.
    fn handling(&self) -> Result<(&Event, u64), Error> {
        let event = self.top().ok_or(Error::Denied)?;
        match self.depth.get() == event.floor.get() {
            true => Ok((event, self.event.get() & !LATCH)),
            false => Err(Error::Denied),
        }
    }

    /// Whose code it ran when an event came.
    fn origin(&self, event: &Event) -> &'static Task {
        let inner = core::ptr::eq(event, &self.inner);
        let around = if inner { self.outer.floor.get() } else { 0 };
        let floor = event.floor.get();
        let called = (floor > around).then(|| self.frames.get(floor as usize - 1));
        match called.flatten().and_then(|frame| frame.portal.get()) {
            Some(portal) => portal.server,
            None if inner => self
                .outer
                .portal
                .get()
                .map_or(self.home, |portal| portal.server),
            None => self.home,
        }
    }

    /// Who handles its system calls, for the entry code.
    fn choose_call_handler(&self) {
        let own = self.handlers.of(event::SYSTEM_CALL);
        let chosen = match own.portal.get() {
            Some(_) => own,
            None => self.home.handlers.of(event::SYSTEM_CALL),
        };
        self.call.set(chosen.portal.get(), chosen.cookie.get());
    }

    /// Whether it waits for the portal to enter it for an event, not with a call: then it is in the handler's task already.
    pub fn awaits(&self, portal: &Portal) -> bool {
        let event = self.top().and_then(|event| event.portal.get());
        event.is_some_and(|entered| same(entered, portal))
    }
}

/// Events `set` of `thread` go to `portal`, before any handler of its task.
pub fn bind_thread(
    thread: &Thread,
    set: u64,
    portal: Option<&'static Portal>,
    cookie: u64,
) -> Result<(), Error> {
    check(set, portal, thread.home)?;
    if set & event::CALLS != 0 && !thread.home.foreign.get() {
        return Err(Error::Denied);
    }
    thread.handlers.bind(set, portal, cookie);
    thread.choose_call_handler();
    Ok(())
}

/// Events `set` of the task's threads go to `portal`. One that has its first handler of system calls before its first thread
/// is foreign from then on.
pub fn bind_task(
    task: &Task,
    set: u64,
    portal: Option<&'static Portal>,
    cookie: u64,
) -> Result<(), Error> {
    check(set, portal, task)?;
    if set & event::CALLS != 0 && !task.foreign.get() {
        if task.threads.get().is_some() || portal.is_none() {
            return Err(Error::Denied);
        }
        task.foreign.set(true);
    }
    task.handlers.bind(set, portal, cookie);
    for thread in task.threads() {
        thread.choose_call_handler();
    }
    Ok(())
}

fn check(set: u64, portal: Option<&'static Portal>, task: &Task) -> Result<(), Error> {
    if set == 0 || set & !event::ALL != 0 {
        return Err(Error::BadArgument);
    }
    match portal.is_some_and(|portal| same(portal.server, task)) {
        true => Err(Error::TooDeep),
        false => Ok(()),
    }
}

/// Where an event was left that nobody handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unhandled {
    pub code: u64,
    pub address: u64,
}

/// What became of a thread that goes to sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sleep {
    Asleep,
    /// It was kicked, or the deadline has passed: it is in its handler again (or its task was stopped meanwhile).
    Handled,
    /// The same, and there is no handler any more.
    Unhandled(Unhandled),
}

impl State {
    /// `thread`, whose registers are all stored, is to be handled for `code`. It is in the handler then, or waits for it;
    /// false if there is none.
    pub fn raise(&'static self, thread: &'static Thread, code: u64, address: u64) -> bool {
        if thread.task.get().state.get() == TaskState::Stopped {
            return false;
        }
        let own = match (thread.event.get(), thread.depth.get()) {
            (0, 0) => thread.handlers.get(code).usable(),
            _ => None,
        };
        let task = || thread.task.get().handlers.get(code).usable();
        own.or_else(task)
            .is_some_and(|handler| self.handle(thread, handler, code, address))
    }

    fn handle(
        &'static self,
        thread: &'static Thread,
        (portal, cookie): (&'static Portal, u64),
        code: u64,
        address: u64,
    ) -> bool {
        let holder = portal.active.get();
        // It would wait for itself.
        if holder.is_some_and(|holder| same(holder, thread)) {
            return false;
        }
        let event = match (thread.event.get(), thread.inner.portal.get()) {
            (0, _) => &thread.outer,
            (_, None) => &thread.inner,
            _ => return false,
        };
        self.sleepers.remove(thread);
        thread.leave_queue();
        event.below.set(thread.event.get());
        event.floor.set(thread.depth.get());
        event.address.set(address);
        event.portal.set(Some(portal));
        thread.floor.set(thread.depth.get());
        thread.event.set(code);
        thread.foreign.set(0);
        let words = [code, cookie, address];
        thread
            .registers
            .begin(event, portal.entry, portal.stack, words);
        thread.task.set(portal.server);
        if holder.is_some() {
            thread.status.set(Status::Calling);
            portal.callers.insert(thread);
        } else {
            portal.active.set(Some(thread));
            self.make_ready(thread);
        }
        true
    }

    /// The innermost event is over, its handler free for others; registers are not looked at. Its code, with [`LATCH`].
    pub(crate) fn drop_event(&'static self, thread: &'static Thread) -> u64 {
        let Some(event) = thread.top() else {
            return 0;
        };
        let code = thread.event.get();
        thread.task.set(thread.origin(event));
        thread.event.set(event.below.get());
        let portal = match core::ptr::eq(event, &thread.inner) {
            true => event.portal.take(),
            false => event.portal.get(),
        };
        event.below.set(0);
        event.floor.set(0);
        event.address.set(0);
        let floor = thread.top().map_or(0, |event| event.floor.get());
        thread.floor.set(floor);
        let foreign = thread.event.get() == 0 && thread.home.foreign.get();
        thread.foreign.set(foreign.into());
        let holds = |portal: &&Portal| portal.active.get().is_some_and(|who| same(who, thread));
        if let Some(portal) = portal.filter(holds) {
            self.leave(portal);
        }
        code
    }

    /// A thread is at its own code again, and may go on, unless it was kicked meanwhile.
    fn go_on(&'static self, thread: &'static Thread, code: u64) {
        let kicked = code & LATCH != 0 && thread.event.get() == 0;
        if !(kicked && self.raise(thread, event::KICKED, 0)) {
            // Its own task may have been stopped meanwhile.
            self.make_ready(thread);
        }
    }

    /// PORTAL_REPLY of a handler: the registers are the thread's again, as the handler left them.
    pub(crate) fn answer(&'static self, thread: &'static Thread) -> Result<(), Error> {
        let (event, code) = thread.handling()?;
        thread.registers.finish(event, code);
        let code = self.drop_event(thread);
        self.go_on(thread, code);
        Ok(())
    }

    /// HANDLER_FRAME: the thread's registers as they are, which nobody has changed but the handler.
    pub fn frame(&self, thread: &Thread) -> Result<[u64; WORDS], Error> {
        let (event, code) = thread.handling()?;
        let registers = thread.registers.copy();
        registers.restore(event, code);
        Ok(thread.export(&registers))
    }

    /// HANDLER_RESUME
    pub fn resume(
        &'static self,
        thread: &'static Thread,
        words: &[u64; WORDS],
    ) -> Result<(), Error> {
        thread.handling()?;
        Registers::acceptable(words)?;
        let code = self.drop_event(thread);
        thread.import(words);
        self.go_on(thread, code);
        Ok(())
    }

    /// HANDLER_SLEEP. `page` stores the thread's registers.
    pub fn sleep(
        &'static self,
        thread: &'static Thread,
        deadline: u64,
        now: impl FnOnce() -> u64,
        page: impl FnOnce(&[u64; WORDS]),
    ) -> Result<Sleep, Error> {
        let (event, code) = thread.handling()?;
        // Inside of a portal call others wait for it.
        if event.floor.get() != 0 || event.below.get() != 0 || thread.page.get().is_none() {
            return Err(Error::Denied);
        }
        thread.registers.restore(event, code);
        page(&thread.export(&thread.registers));
        let code = self.drop_event(thread);
        let again = match (code & LATCH != 0, deadline) {
            (true, _) => event::KICKED,
            (false, u64::MAX) => 0,
            (false, _) if now() >= deadline => event::EXPIRED,
            _ => 0,
        };
        if again != 0 {
            if self.raise(thread, again, 0) {
                return Ok(Sleep::Handled);
            }
            self.make_ready(thread);
            if thread.status.get() == Status::Stopped {
                return Ok(Sleep::Handled);
            }
            return Ok(Sleep::Unhandled(Unhandled {
                code: again,
                address: 0,
            }));
        }
        thread.status.set(Status::Asleep);
        if deadline != u64::MAX {
            self.sleepers.add(thread, deadline);
        }
        Ok(Sleep::Asleep)
    }

    /// HANDLER_PASS: to the task's handler after the thread's own; else what is to be said of the task that stops.
    pub fn pass(&'static self, thread: &'static Thread) -> Result<Option<Unhandled>, Error> {
        let (event, code) = thread.handling()?;
        let (portal, address) = (event.portal.get(), event.address.get());
        let is = |handler: &Handler| match (handler.portal.get(), portal) {
            (Some(one), Some(other)) => same(one, other),
            _ => false,
        };
        let own = event.floor.get() == 0
            && event.below.get() == 0
            && is(thread.handlers.get(code))
            && !is(thread.home.handlers.get(code));
        thread.registers.restore(event, code);
        self.drop_event(thread);
        if own {
            if let Some(handler) = thread.home.handlers.get(code).usable() {
                if self.handle(thread, handler, code, address) {
                    return Ok(None);
                }
            }
        }
        self.make_ready(thread);
        Ok(Some(Unhandled { code, address }))
    }

    /// THREAD_WAKE. Whether it slept.
    pub fn awaken(
        &'static self,
        thread: &'static Thread,
        words: &[u64; WORDS],
    ) -> Result<bool, Error> {
        if thread.status.get() != Status::Asleep {
            return Ok(false);
        }
        Registers::acceptable(words)?;
        self.sleepers.remove(thread);
        thread.import(words);
        self.make_ready(thread);
        Ok(true)
    }

    /// THREAD_KICK
    pub fn kick(&'static self, thread: &'static Thread) -> Result<(), Error> {
        let status = thread.status.get();
        if status == Status::Ended || status != Status::Asleep && !thread.home.foreign.get() {
            return Err(Error::Denied);
        }
        if thread.event.get() == 0 {
            // It is at its own code, all registers stored: who runs now is somebody else.
            return match self.raise(thread, event::KICKED, 0) {
                true => Ok(()),
                false => Err(Error::Denied),
            };
        }
        let outermost = match thread.inner.portal.get() {
            Some(_) => &thread.inner.below,
            None => &thread.event,
        };
        outermost.set(outermost.get() | LATCH);
        Ok(())
    }

    /// The deadline of a thread that sleeps at its own code passed.
    pub(crate) fn expired(&'static self, thread: &'static Thread) {
        if !self.raise(thread, event::EXPIRED, 0) {
            self.sleepers.remove(thread);
            self.make_ready(thread);
            thread.task.get().orphaned.set(true);
            self.settle();
        }
    }

    /// The handler of `event` is gone: the thread is where it was, and the task whose code it ran is to be stopped.
    pub(crate) fn orphan(&'static self, thread: &'static Thread, event: &Event) {
        self.sleepers.remove(thread);
        thread.leave_queue();
        let floor = event.floor.get() as usize;
        while thread.top().is_some_and(|top| !core::ptr::eq(top, event)) {
            self.drop_event(thread);
        }
        let depth = thread.depth.get() as usize;
        for frame in thread.frames.iter().take(depth).skip(floor).rev() {
            frame.task.set(None);
            if let Some(portal) = frame.portal.take() {
                self.leave(portal);
            }
        }
        thread.depth.set(floor as u64);
        thread.registers.restore(event, thread.event.get() & !LATCH);
        self.drop_event(thread);
        thread.task.get().orphaned.set(true);
        self.make_ready(thread);
    }

    /// No handler that `dead` holds for is entered again.
    pub(crate) fn sweep_handlers(&'static self, dead: impl Fn(&Portal) -> bool) {
        for task in self.tasks.iter() {
            task.handlers.sweep(&dead);
            for thread in task.threads() {
                thread.handlers.sweep(&dead);
                thread.choose_call_handler();
            }
        }
    }
}
