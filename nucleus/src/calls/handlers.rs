//! Handlers of faults and of foreign system calls.

use super::{memory, tasks, Answer};
use crate::{clock, faults, float, memory::direct, objects, STATE};
use abi::{
    frame::{self, FLOAT},
    layout::PAGE,
    system::may,
    system::Error,
};
use core::cell::Cell;
use nucleus_core::{
    handler::{self, Sleep},
    portal::Portal,
    registers,
    rights::{Object, Right},
    task::Task,
    thread::{Float, Thread},
};

pub fn create(thread: &'static Thread) -> Answer {
    let task = thread.task.get();
    let [entry, stack] = [0, 1].map(|n| thread.registers.word(n));
    tasks::check_start(entry, stack)?;
    let portal = objects::place(task, Portal::new(task, entry, stack, 0))?;
    task.rights
        .add(Right::whole(Object::Handler(portal)))
        .map(u64::from)
}

pub fn bind(thread: &'static Thread) -> Answer {
    let rights = &thread.task.get().rights;
    let [whose, set, handler, cookie] = [0, 1, 2, 3].map(|n| thread.registers.word(n));
    let right = rights.get(whose)?;
    if !matches!(right.object, Object::Task(_) | Object::Thread(_)) {
        return Err(Error::BadHandle);
    }
    right.allows(may::FAULTS)?;
    let portal = match handler {
        u64::MAX => None,
        handle => Some(rights.handler(handle)?),
    };
    match right.object {
        Object::Task(task) => handler::bind_task(task, set, portal, cookie),
        Object::Thread(thread) => handler::bind_thread(thread, set, portal, cookie),
        _ => Err(Error::BadHandle),
    }
    .map(|()| 0)
}

pub fn frame_bind(thread: &'static Thread) -> Answer {
    let rights = &thread.task.get().rights;
    let [whose, memory, offset] = [0, 1, 2].map(|n| thread.registers.word(n));
    let whose = rights.thread(whose, may::FAULTS)?;
    let allowed = rights.extent(memory, may::READ | may::WRITE);
    let extent = rights.extent(memory, 0)?;
    let page = extent.memory().part(offset, PAGE)?;
    allowed?;
    if page.device {
        return Err(Error::Denied);
    }
    memory::seen(whose.home, extent, None)?;
    // Counted like a mapping, so that nobody donates it.
    STATE.frames.map(page.base, PAGE, false)?;
    if let Some(before) = whose.page.replace(Some(page.base)) {
        STATE.frames.unmap(before);
    }
    Ok(0)
}

/// The task's threads have no frame pages any more among those that `gone` says.
pub fn forget_pages(task: &Task, gone: impl Fn(u64) -> bool) {
    for thread in task.threads() {
        if let Some(page) = thread.page.get().filter(|page| gone(*page)) {
            thread.page.set(None);
            STATE.frames.unmap(page);
        }
    }
}

/// Puts words into a frame page, from its word `first` on.
fn store(page: u64, first: usize, words: impl IntoIterator<Item = u64>) {
    for (n, value) in words.into_iter().enumerate() {
        // SAFETY: the page is RAM (`frame_bind`), counted as mapped, so that it is neither the nucleus's nor to be donated until
        // it is bound no more; the direct map shows it, and all that is stored there fits (`abi::frame`). User programs may write it
        // meanwhile.
        unsafe {
            (direct(page) as *mut u64)
                .add(first + n)
                .write_volatile(value)
        }
    }
}

/// Words of a frame page, from its word `first` on: each is read once, and what is looked at afterwards is the copy.
fn load<const N: usize>(page: u64, first: usize) -> [u64; N] {
    // SAFETY: as in `store`; every bit pattern is a word.
    core::array::from_fn(|n| unsafe { (direct(page) as *const u64).add(first + n).read_volatile() })
}

/// Floating-point registers into a frame page, and out of it.
pub fn store_float(page: u64, float: &Float) {
    store(page, FLOAT / 8, float.0.iter().map(Cell::get));
}

pub fn load_float(page: u64, float: &Float) {
    let words: [u64; frame::float::WORDS] = load(page, FLOAT / 8);
    for (to, word) in float.0.iter().zip(words) {
        to.set(word);
    }
}

/// A thread's frame page.
pub fn page(thread: &Thread) -> Result<u64, Error> {
    thread.page.get().ok_or(Error::Denied)
}

pub fn frame(thread: &'static Thread) -> Answer {
    let page = page(thread)?;
    float::bases_store(thread);
    store(page, 0, STATE.frame(thread)?);
    Ok(thread.registers.word(0))
}

pub fn resume(thread: &'static Thread) -> Result<(), Error> {
    STATE.resume(thread, &load(page(thread)?, 0))?;
    float::bases_drop(thread);
    Ok(())
}

pub fn sleep(thread: &'static Thread) -> Result<(), Error> {
    let deadline = thread.registers.0[registers::DEADLINE].get();
    let page = page(thread)?;
    float::bases_store(thread);
    match STATE.sleep(thread, deadline, clock::now, |words| store(page, 0, *words))? {
        Sleep::Asleep => clock::deadline(deadline),
        Sleep::Handled => {}
        Sleep::Unhandled(left) => faults::unhandled(thread, left),
    }
    Ok(())
}

pub fn pass(thread: &'static Thread) -> Result<(), Error> {
    if let Some(left) = STATE.pass(thread)? {
        faults::unhandled(thread, left);
    }
    Ok(())
}

pub fn wake(thread: &'static Thread) -> Answer {
    let rights = &thread.task.get().rights;
    let whose = rights.thread(thread.registers.word(0), may::FAULTS)?;
    let woken = STATE.awaken(whose, &load(page(whose)?, 0))?;
    if woken {
        float::bases_drop(whose);
    }
    Ok(woken.into())
}

pub fn kick(thread: &'static Thread) -> Answer {
    let rights = &thread.task.get().rights;
    let whose = rights.thread(thread.registers.word(0), may::FAULTS)?;
    STATE.kick(whose).map(|()| 0)
}
