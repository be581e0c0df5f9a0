//! A user program did what it may not: its task is stopped, with a message, and nobody else notices.

use crate::{println, space, STATE};
use abi::{layout, system::info::Fault};
use nucleus_core::{paging::Access, thread::Thread};

pub const READ: u64 = 1;
pub const WRITE: u64 = 2;
pub const EXECUTE: u64 = 3;
pub const ILLEGAL: u64 = 4;
#[cfg(target_arch = "x86_64")]
pub const PORT: u64 = 5;
pub const OTHER: u64 = 6;

/// Stops the task in whose code `thread` is.
pub fn stop(thread: &'static Thread, kind: u64, address: u64, at: u64, what: &str) {
    let task = thread.task.get();
    let number = task.number;
    match kind {
        READ | WRITE | EXECUTE => {
            let deed = ["read", "write", "execution"][(kind - 1) as usize];
            let why = reason(space::lookup(task, address), address, kind);
            println!("task {number} stopped: {deed} of {address:#x} at {at:#x} ({why})");
        }
        ILLEGAL | OTHER => println!("task {number} stopped: {what} at {at:#x}"),
        _ => println!("task {number} stopped: I/O port {address:#x} at {at:#x} (not granted)"),
    }
    STATE.stop(task, Fault { kind, address, at });
}

fn reason(found: Option<(u64, Access)>, address: u64, kind: u64) -> &'static str {
    match found {
        _ if address >= layout::USER_END => "not the program's half",
        None => "not mapped",
        Some((_, access)) if kind == WRITE && !access.write => "read-only",
        Some((_, access)) if kind == EXECUTE && !access.execute => "not executable",
        Some(_) => "not allowed",
    }
}
