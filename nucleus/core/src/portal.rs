//! Portals: a call runs on the caller's thread, in the server's task.

use crate::{
    queue::Queue,
    same,
    task::{Task, TaskState},
    thread::{Status, Thread, DEPTH},
    State,
};
use abi::system::Error;
use core::cell::Cell;

/// Offsets are used by the entry code.
#[repr(C)]
pub struct Portal {
    pub entry: u64,
    pub stack: u64,
    pub badge: u64,
    pub server: &'static Task,
    /// Whose call is being answered.
    pub active: Cell<Option<&'static Thread>>,
    /// Who calls meanwhile.
    pub callers: Queue,
}

impl Portal {
    pub fn new(server: &'static Task, entry: u64, stack: u64, badge: u64) -> Portal {
        Portal {
            entry,
            stack,
            badge,
            server,
            active: Cell::new(None),
            callers: Queue::new(),
        }
    }
}

impl State {
    /// PORTAL_CALL. The thread continues in the server, or waits for the portal.
    pub fn call(
        &'static self,
        thread: &'static Thread,
        portal: &'static Portal,
    ) -> Result<(), Error> {
        let held = portal.active.get();
        if same(portal.server, thread.task.get())
            || thread.depth.get() as usize >= DEPTH
            || held.is_some_and(|holder| same(holder, thread))
        {
            return Err(Error::TooDeep);
        }
        if portal.server.state.get() == TaskState::Stopped {
            return Err(Error::Interrupted);
        }
        if held.is_some() {
            thread.status.set(Status::Calling);
            portal.callers.insert(thread);
        } else {
            enter(thread, portal);
        }
        Ok(())
    }

    /// PORTAL_REPLY. The words are where the caller expects them already.
    pub fn reply(&'static self, thread: &'static Thread) -> Result<(), Error> {
        if thread.depth.get() == thread.floor.get() {
            return self.answer(thread);
        }
        let top = thread.depth.get().checked_sub(1).ok_or(Error::Denied)?;
        self.back(thread, top as usize);
        thread.registers.set_status(Ok(()));
        // Its own task may have been stopped meanwhile.
        self.make_ready(thread);
        Ok(())
    }

    /// Cuts a thread off from the server of frame `level`: its caller goes on with `Interrupted`.
    pub fn cut(&'static self, thread: &'static Thread, level: usize) {
        self.sleepers.remove(thread);
        thread.leave_queue();
        self.back(thread, level);
        for n in 0..8 {
            thread.registers.set_word(n, 0);
        }
        thread.registers.set_status(Err(Error::Interrupted));
        self.make_ready(thread);
    }

    /// Returns to the caller of frame `level`, leaving the portals from there on.
    fn back(&'static self, thread: &'static Thread, level: usize) {
        while thread
            .top()
            .is_some_and(|event| event.floor.get() > level as u64)
        {
            self.drop_event(thread);
        }
        let depth = thread.depth.get() as usize;
        for frame in thread.frames[..depth].iter().skip(level).rev() {
            if let Some(task) = frame.task.take() {
                thread.task.set(task);
            }
            thread
                .registers
                .enter(frame.pointer.get(), frame.stack.get());
            if let Some(portal) = frame.portal.take() {
                self.leave(portal);
            }
        }
        thread.depth.set(level.min(depth) as u64);
    }

    /// The portal's call is over: the next caller's turn.
    pub fn leave(&'static self, portal: &'static Portal) {
        portal.active.set(None);
        if let Some(next) = portal.callers.take_first() {
            match next.awaits(portal) {
                true => portal.active.set(Some(next)),
                false => enter(next, portal),
            }
            self.make_ready(next);
        }
    }
}

fn enter(thread: &'static Thread, portal: &'static Portal) {
    let Some(frame) = thread.frames.get(thread.depth.get() as usize) else {
        return;
    };
    frame.task.set(Some(thread.task.get()));
    frame.pointer.set(thread.registers.pointer());
    frame.stack.set(thread.registers.stack());
    frame.portal.set(Some(portal));
    thread.depth.set(thread.depth.get() + 1);
    portal.active.set(Some(thread));
    thread.task.set(portal.server);
    thread.registers.enter(portal.entry, portal.stack);
    thread.registers.set_badge(portal.badge);
}
