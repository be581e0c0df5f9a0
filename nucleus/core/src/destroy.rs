//! Ending threads and tasks: nothing may refer to what is gone.

use crate::{
    handler::Event,
    interrupt::Line,
    notification::Notification,
    portal::Portal,
    rights::Object,
    same,
    task::{Task, TaskState},
    thread::{Status, Thread},
    State,
};
use abi::system::{event, info::Fault, Error};

/// What `task` does for a thread.
enum Serves<'a> {
    /// It answers the call of this frame.
    Call(usize),
    /// It handles this event.
    Event(&'a Event),
}

impl State {
    /// Takes a thread out of everything. Portals it was in are free for others; what it did there stays half done.
    pub fn end(&'static self, thread: &'static Thread) {
        self.sleepers.remove(thread);
        thread.leave_queue();
        thread.ended();
        while thread.top().is_some() {
            self.drop_event(thread);
        }
        let depth = thread.depth.replace(0) as usize;
        for frame in thread.frames.iter().take(depth).rev() {
            frame.task.set(None);
            if let Some(portal) = frame.portal.take() {
                self.leave(portal);
            }
        }
    }

    fn threads(&'static self) -> impl Iterator<Item = &'static Thread> {
        self.tasks.iter().flat_map(|task| task.threads())
    }

    /// The first thing of `thread` that `task` serves.
    fn served<'a>(thread: &'a Thread, task: &Task) -> Option<Serves<'a>> {
        let depth = thread.depth.get() as usize;
        let served = |portal: &'static Portal| same(portal.server, task);
        let call = thread.frames[..depth]
            .iter()
            .position(|frame| frame.portal.get().is_some_and(served));
        let mut events = thread.events();
        let event = events.find(|event| event.portal.get().is_some_and(served));
        match (call, event) {
            (Some(call), Some(event)) if (call as u64) < event.floor.get() => {
                Some(Serves::Call(call))
            }
            (_, Some(event)) => Some(Serves::Event(event)),
            (Some(call), None) => Some(Serves::Call(call)),
            (None, None) => None,
        }
    }

    /// Callers inside `task` go back with `Interrupted`; so do those that wait for it.
    fn cut_callers(&'static self, task: &'static Task, owns: impl Fn(*const u8) -> bool) {
        for thread in self.threads().filter(|thread| !same(thread.home, task)) {
            if let Some(served) = State::served(thread, task) {
                match served {
                    Serves::Call(level) => self.cut(thread, level),
                    Serves::Event(event) => self.orphan(thread, event),
                }
            } else if let Some(queue) = thread.place.queue() {
                if owns(core::ptr::from_ref(queue).cast()) {
                    self.wake(thread, Err(Error::Interrupted));
                }
            }
        }
    }

    /// Stops a task whose code did what it may not. Its threads rest where they are until it is destroyed. Tasks whose events it
    /// was handling are stopped, too.
    pub fn stop(&'static self, task: &'static Task, fault: Fault) {
        self.stop_one(task, fault);
        self.settle();
    }

    /// Stops the tasks that lost a handler in the middle of an event, and those that lose theirs by that.
    pub(crate) fn settle(&'static self) {
        while let Some(task) = self.tasks.iter().find(|task| task.orphaned.get()) {
            task.orphaned.set(false);
            if task.state.get() == TaskState::Running {
                let fault = Fault {
                    kind: event::ORPHANED,
                    address: 0,
                    at: 0,
                };
                self.stop_one(task, fault);
            }
        }
    }

    fn stop_one(&'static self, task: &'static Task, fault: Fault) {
        task.state.set(TaskState::Stopped);
        task.special.set(1);
        task.fault.set(fault);
        for thread in task.threads() {
            if same(thread.task.get(), task) && thread.status.get() == Status::Ready {
                thread.leave_queue();
                thread.status.set(Status::Stopped);
            }
        }
        // First those that wait for a portal of this task, so that none of them gets in when it becomes free.
        for thread in self
            .threads()
            .filter(|thread| thread.status.get() == Status::Calling)
        {
            let queue = thread
                .place
                .queue()
                .map(|queue| core::ptr::from_ref(queue).cast::<u8>());
            if let Some(queue) = queue.filter(|queue| self.owns(task, *queue)) {
                let callers = |portal: &Portal| core::ptr::from_ref(&portal.callers).cast();
                let entered = |event: &&Event| event.portal.get().map(callers) == Some(queue);
                match thread.top().filter(entered) {
                    Some(event) => self.orphan(thread, event),
                    None => self.wake(thread, Err(Error::Interrupted)),
                }
            }
        }
        self.cut_callers(task, |_| false);
        if let Some((notification, bits)) = task.fault_bound.get() {
            self.notify(notification, bits);
        }
    }

    /// Whether an object lies in the memory of `task`, seen through the direct map.
    fn owns(&self, task: &Task, object: *const u8) -> bool {
        task.pool
            .holds((object as u64).wrapping_sub(abi::layout::DIRECT_MAP))
    }

    /// Ends all that belongs to `task` and every reference to it. Its memory may be used for something else then.
    /// The address space and the memory itself are the caller's business; `lines` hears of its interrupt lines.
    pub fn destroy(&'static self, task: &'static Task, lines: impl FnMut(u32, Line)) {
        let owns = |object: *const u8| self.owns(task, object);
        // Marked first, so that nobody enters it while its calls are unwound.
        task.state.set(TaskState::Stopped);
        for thread in task.threads() {
            self.end(thread);
        }
        self.cut_callers(task, owns);
        for thread in task.threads() {
            self.end(thread);
        }
        let gone = |object: &Object| match object {
            Object::Portal(portal) => owns(core::ptr::from_ref::<Portal>(portal).cast()),
            Object::Notification(notification) => {
                owns(core::ptr::from_ref::<Notification>(notification).cast())
            }
            Object::Task(other) => same::<Task>(other, task),
            Object::Thread(thread) => owns(core::ptr::from_ref::<Thread>(thread).cast()),
            Object::None
            | Object::Memory(_)
            | Object::Platform
            | Object::Lines(_)
            | Object::Messages(_)
            | Object::Ports(_) => false,
            Object::Handler(portal) => owns(core::ptr::from_ref::<Portal>(portal).cast()),
        };
        self.sweep_handlers(|portal| owns(core::ptr::from_ref::<Portal>(portal).cast()));
        for other in self.tasks.iter().filter(|other| !same::<Task>(other, task)) {
            other.rights.sweep(gone);
            let bound = other.fault_bound.get();
            if bound.is_some_and(|(notification, _)| owns(core::ptr::from_ref(notification).cast()))
            {
                other.fault_bound.set(None);
            }
        }
        self.interrupts.sweep(
            |notification| owns(core::ptr::from_ref(notification).cast()),
            lines,
        );
        task.forget_memory();
        self.tasks.remove(task);
        if self
            .current
            .get()
            .is_some_and(|current| same(current.home, task))
        {
            self.current.set(None);
        }
        self.settle();
    }
}
