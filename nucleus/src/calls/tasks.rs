//! Tasks, threads and rights.

use super::{handlers, memory, Answer};
use crate::{account, arch, float, interrupts, objects, space, STATE};
use abi::{
    layout::USER_END,
    system::{may, root, Error},
};
use nucleus_core::{
    rights::{Object, Right},
    same,
    thread::{Thread, PRIORITIES},
};

/// Where a thread or a portal starts: user addresses, the stack aligned.
pub fn check_start(entry: u64, stack: u64) -> Result<(), Error> {
    if entry == 0 || entry >= USER_END || stack >= USER_END || !stack.is_multiple_of(16) {
        return Err(Error::BadArgument);
    }
    Ok(())
}

pub fn create(thread: &'static Thread) -> Answer {
    let maker = thread.task.get();
    let [donated, ceiling] = [0, 1].map(|n| thread.registers.word(n));
    let donor = maker.rights.extent(donated, may::DONATE | may::WRITE)?;
    let donated = donor.memory();
    if ceiling >= PRIORITIES {
        return Err(Error::BadArgument);
    }
    if donated.device || ceiling > maker.ceiling {
        return Err(Error::Denied);
    }
    STATE.frames.keep(donated.base, donated.size)?;
    let number = STATE.next_task.get();
    let task = objects::task(donated, number, ceiling)
        .inspect_err(|_| STATE.frames.release(donated.base, donated.size))?;
    STATE.next_task.set(number.wrapping_add(1));
    let own = Right {
        object: Object::Task(task),
        may: root::SELF_MAY,
    };
    task.rights.set(root::SELF, own);
    donor.donate(task);
    maker
        .rights
        .add(Right::whole(Object::Task(task)))
        .map(u64::from)
        .inspect_err(|_| remove(task))
}

/// Everything of the task goes; its memory is free for its right's holder.
fn remove(task: &'static nucleus_core::task::Task) {
    STATE.destroy(task, interrupts::settle);
    account::forget(task);
    float::forget(task);
    handlers::forget_pages(task, |_| true);
    space::destroy(task);
    STATE.frames.release(task.pool.base, task.pool.size);
}

pub fn destroy(thread: &'static Thread) {
    let task = thread.registers.word(0);
    match thread.task.get().rights.task(task, may::DESTROY) {
        Err(error) => thread.registers.answer(Err(error)),
        Ok(task) => take_apart(thread, task, 0),
    }
}

/// Destroys a task; its destroyer is answered, if it is still there.
pub fn take_apart(thread: &'static Thread, task: &'static nucleus_core::task::Task, answer: u64) {
    // A caller inside of the task is cut off and gets its answer there; one of its threads is gone.
    let answered = same(thread.home, task) || same(thread.task.get(), task) || inside(thread, task);
    if !answered {
        thread.registers.answer(Ok(answer));
    }
    remove(task);
}

/// Whether `thread` is in a call that `task` answers, or in an event that it handles.
fn inside(thread: &Thread, task: &nucleus_core::task::Task) -> bool {
    let frames = thread.frames.iter().take(thread.depth.get() as usize);
    let events = thread.events().filter_map(|event| event.portal.get());
    frames
        .filter_map(|frame| frame.portal.get())
        .chain(events)
        .any(|portal| same(portal.server, task))
}

pub fn thread_create(thread: &'static Thread) -> Answer {
    let rights = &thread.task.get().rights;
    let [task, entry, stack, argument, priority] =
        [0, 1, 2, 3, 4].map(|n| thread.registers.word(n));
    // Who may not say who handles the task's faults does not come to say it by a thread.
    let faults = rights.task(task, may::FAULTS).is_ok();
    let task = rights.task(task, may::START)?;
    check_start(entry, stack)?;
    if priority >= PRIORITIES {
        return Err(Error::BadArgument);
    }
    if priority > task.ceiling {
        return Err(Error::Denied);
    }
    let new = objects::thread(task, priority)?;
    let right = Right {
        object: Object::Thread(new),
        may: if faults { may::ALL } else { !may::FAULTS },
    };
    let handle = rights.add(right).inspect_err(|_| STATE.end(new))?;
    new.registers.enter(entry, stack);
    new.registers.set_word(0, argument);
    STATE.make_ready(new);
    arch::tables_written();
    Ok(handle.into())
}

pub fn right_copy(thread: &'static Thread) -> Answer {
    let rights = &thread.task.get().rights;
    let [task, right, allowed] = [0, 1, 2].map(|n| thread.registers.word(n));
    let task = rights.task(task, may::GIVE)?;
    let allowed = u32::try_from(allowed).map_err(|_| Error::BadArgument)?;
    let right = rights.get(right)?.passed_on(allowed)?;
    match right.object {
        Object::Memory(extent) => memory::derive(task, extent, extent.memory(), right.may),
        _ => task.rights.add(right).map(u64::from),
    }
}

pub fn right_drop(thread: &'static Thread) -> Answer {
    thread
        .task
        .get()
        .rights
        .drop_right(thread.registers.word(0))
        .map(|()| 0)
}

pub fn fault_bind(thread: &'static Thread) -> Answer {
    let rights = &thread.task.get().rights;
    let task = rights.task(thread.registers.word(0), may::FAULTS)?;
    let notification = rights.notification(thread.registers.word(1), may::RING)?;
    task.fault_bound
        .set(Some((notification, thread.registers.word(2))));
    Ok(0)
}
