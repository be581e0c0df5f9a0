//! A program did what is not its own to do: a handler takes it, or the program's task is stopped, with a message, and nobody
//! else notices.

use crate::{println, space, STATE};
use abi::{
    layout,
    system::{event, info::Fault},
};
use nucleus_core::{handler::Unhandled, paging::Access, task::Task, thread::Thread};

/// Something happened in the code that `thread` runs; its registers are all stored.
pub fn raise(thread: &'static Thread, code: u64, address: u64, what: &str) {
    if !STATE.raise(thread, code, address) {
        stop(
            thread.task.get(),
            code,
            address,
            thread.registers.pointer(),
            what,
        );
    }
}

/// Handlers were asked, and none wants it; the thread is where it was.
pub fn unhandled(thread: &'static Thread, left: Unhandled) {
    let what = match left.code {
        event::ILLEGAL => "illegal instruction",
        event::DIVISION => "division",
        event::DEBUG => "debug trap",
        event::KICKED | event::EXPIRED => "nobody to handle a kick",
        _ => "exception",
    };
    let at = thread.registers.pointer();
    stop(thread.task.get(), left.code, left.address, at, what);
}

/// Stops a task.
fn stop(task: &'static Task, kind: u64, address: u64, at: u64, what: &str) {
    let number = task.number;
    match kind {
        event::READ | event::WRITE | event::EXECUTE => {
            let deed = ["read", "write", "execution"][(kind - 1) as usize];
            let why = reason(space::lookup(task, address), address, kind);
            println!("task {number} stopped: {deed} of {address:#x} at {at:#x} ({why})");
        }
        event::PORT => {
            println!("task {number} stopped: I/O port {address:#x} at {at:#x} (not granted)")
        }
        event::SYSTEM_CALL | event::INTERRUPT_CALL => {
            println!("task {number} stopped: foreign system call at {at:#x} (nobody handles it)")
        }
        _ => println!("task {number} stopped: {what} at {at:#x}"),
    }
    STATE.stop(task, Fault { kind, address, at });
}

fn reason(found: Option<(u64, Access)>, address: u64, kind: u64) -> &'static str {
    match found {
        _ if address >= layout::USER_END => "not the program's half",
        None => "not mapped",
        Some((_, access)) if kind == event::WRITE && !access.write => "read-only",
        Some((_, access)) if kind == event::EXECUTE && !access.execute => "not executable",
        Some(_) => "not allowed",
    }
}
