//! System calls: one table. Each function gets the calling thread and gives the result's first word.

mod floats;
mod handlers;
mod interrupts;
mod machine;
mod memory;
mod tasks;

use crate::{clock, leave, STATE};
use abi::system::{call, may, Error};
use nucleus_core::{
    notification::{Notification, Wait},
    portal::Portal,
    rights::{Object, Right},
    thread::Thread,
};

pub type Answer = Result<u64, Error>;
type Call = fn(&'static Thread) -> Answer;

/// Calls that leave their caller where it is. The others are in [`nucleus_move`], and refused here.
const CALLS: [Call; call::COUNT as usize] = {
    let mut table: [Call; call::COUNT as usize] = [no_call; call::COUNT as usize];
    table[call::NOTIFY as usize] = notify;
    table[call::NOW as usize] = |_| Ok(clock::now());
    table[call::TASK_CREATE as usize] = tasks::create;
    table[call::THREAD_CREATE as usize] = tasks::thread_create;
    table[call::PORTAL_CREATE as usize] = portal_create;
    table[call::NOTIFICATION_CREATE as usize] = notification_create;
    table[call::MEMORY_PART as usize] = memory::part;
    table[call::MEMORY_MAP as usize] = memory::map;
    table[call::MEMORY_UNMAP as usize] = memory::unmap;
    table[call::MEMORY_PROTECT as usize] = memory::protect;
    table[call::MEMORY_DEVICE as usize] = memory::device;
    table[call::MEMORY_ADDRESS as usize] = memory::address;
    table[call::RIGHT_COPY as usize] = tasks::right_copy;
    table[call::RIGHT_DROP as usize] = tasks::right_drop;
    table[call::INTERRUPT_BIND as usize] = interrupts::bind;
    table[call::INTERRUPT_DONE as usize] = interrupts::done;
    table[call::FAULT_BIND as usize] = tasks::fault_bind;
    table[call::POWER as usize] = machine::power;
    table[call::LOG as usize] = machine::log;
    table[call::INFO as usize] = machine::info;
    table[call::NULL as usize] = |_| Ok(0);
    table[call::HANDLER_CREATE as usize] = handlers::create;
    table[call::HANDLER_BIND as usize] = handlers::bind;
    table[call::FRAME_BIND as usize] = handlers::frame_bind;
    table[call::THREAD_WAKE as usize] = handlers::wake;
    table[call::THREAD_KICK as usize] = handlers::kick;
    table[call::PLATFORM_PART as usize] = machine::part;
    table[call::FLOAT_ALLOW as usize] = floats::allow;
    table[call::FLOAT_FRAME as usize] = floats::frame;
    table
};

/// Numbers of the calls in [`nucleus_move`], as bits: the entry code saves more registers for them.
pub const MOVING: u64 = 1 << call::PORTAL_CALL
    | 1 << call::PORTAL_REPLY
    | 1 << call::WAIT
    | 1 << call::YIELD
    | 1 << call::TASK_DESTROY
    | 1 << call::MEMORY_REVOKE
    | 1 << call::PORTS_GRANT
    | 1 << call::HANDLER_FRAME
    | 1 << call::HANDLER_RESUME
    | 1 << call::HANDLER_SLEEP
    | 1 << call::HANDLER_PASS
    | 1 << call::EXIT;

fn no_call(_: &'static Thread) -> Answer {
    Err(Error::NoCall)
}

/// Who goes on after a system call.
#[repr(transparent)]
struct Next(u64);

impl Next {
    /// The caller, with nothing changed but its words and status.
    fn caller(thread: &'static Thread) -> Next {
        Next(core::ptr::from_ref(thread) as u64)
    }

    /// Whoever's turn it is: the lowest bit says so to the entry code.
    #[cold]
    fn any() -> Next {
        Next(core::ptr::from_ref(leave()) as u64 | 1)
    }
}

/// From the entry code: a call that leaves its caller where it is.
#[no_mangle]
extern "C" fn nucleus_call(thread: &'static Thread, number: u64) -> Next {
    let call = CALLS.get(number as usize).copied().unwrap_or(no_call);
    thread.registers.answer(call(thread));
    if STATE.ready.urgent.get() {
        return Next::any();
    }
    Next::caller(thread)
}

/// From the entry code, all registers saved: a call after which the caller may sleep, be elsewhere, or be gone.
#[no_mangle]
extern "C" fn nucleus_move(thread: &'static Thread, number: u64) -> &'static Thread {
    match number {
        call::PORTAL_CALL => portal_call(thread),
        call::PORTAL_REPLY => refuse(thread, STATE.reply(thread)),
        // Words stay: they are the handled thread's.
        call::HANDLER_FRAME => thread.registers.answer(handlers::frame(thread)),
        call::HANDLER_RESUME => refuse(thread, handlers::resume(thread)),
        call::HANDLER_SLEEP => refuse(thread, handlers::sleep(thread)),
        call::HANDLER_PASS => refuse(thread, handlers::pass(thread)),
        call::WAIT => wait(thread),
        call::YIELD => {
            thread.registers.answer(Ok(0));
            STATE.rotate();
        }
        call::PORTS_GRANT => thread.registers.answer(interrupts::ports(thread)),
        call::TASK_DESTROY => tasks::destroy(thread),
        call::MEMORY_REVOKE => memory::revoke(thread),
        call::EXIT => exit(thread),
        _ => thread.registers.set_status(Err(Error::NoCall)),
    }
    leave()
}

/// What went well has moved the thread already.
fn refuse(thread: &'static Thread, result: Result<(), Error>) {
    if let Err(error) = result {
        thread.registers.set_status(Err(error));
    }
}

/// From the entry code, all registers stored: a foreign task made a system call.
#[no_mangle]
extern "C" fn nucleus_foreign_call(thread: &'static Thread) -> &'static Thread {
    crate::faults::raise(thread, abi::system::event::SYSTEM_CALL, 0, "");
    leave()
}

fn portal_call(thread: &'static Thread) {
    let portal = thread.task.get().rights.portal(thread.registers.badge());
    if let Err(error) = portal.and_then(|portal| STATE.call(thread, portal)) {
        thread.registers.set_status(Err(error));
    }
}

fn wait(thread: &'static Thread) {
    let deadline = thread.registers.word(1);
    let notification = thread
        .task
        .get()
        .rights
        .notification(thread.registers.word(0), may::WAIT);
    match notification
        .and_then(|notification| STATE.wait(thread, notification, deadline, clock::now))
    {
        Ok(Wait::Bits(bits)) => thread.registers.answer(Ok(bits)),
        Ok(Wait::Blocked) => clock::deadline(deadline),
        Err(error) => thread.registers.answer(Err(error)),
    }
}

/// Inside of a call, that call ends; else the thread. A handler does it for whom it handles.
fn exit(thread: &'static Thread) {
    match thread.depth.get() {
        0 => STATE.end(thread),
        depth => STATE.cut(thread, depth as usize - 1),
    }
}

fn notify(thread: &'static Thread) -> Answer {
    let notification = thread
        .task
        .get()
        .rights
        .notification(thread.registers.word(0), may::RING)?;
    STATE.notify(notification, thread.registers.word(1));
    Ok(0)
}

fn notification_create(thread: &'static Thread) -> Answer {
    let task = thread.task.get();
    let notification = crate::objects::place(task, Notification::default())?;
    task.rights
        .add(Right::whole(Object::Notification(notification)))
        .map(u64::from)
}

fn portal_create(thread: &'static Thread) -> Answer {
    let task = thread.task.get();
    let [entry, stack, badge] = [0, 1, 2].map(|n| thread.registers.word(n));
    tasks::check_start(entry, stack)?;
    let portal = crate::objects::place(task, Portal::new(task, entry, stack, badge))?;
    task.rights
        .add(Right::whole(Object::Portal(portal)))
        .map(u64::from)
}
