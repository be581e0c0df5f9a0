//! Tasks that do what they may not, die in the middle of a call, or never give the processor up.

use crate::{
    deeds::{Deed, DEEDS},
    report::Report,
    Ground,
};
use abi::system::{may, Error, Handle};
use runtime::child::{self, Run};
use runtime::sys;

const PRIORITY: u64 = 16;
/// Handles in a child's table, in the order in which they are given: 0 is its own task.
const PARENT: Handle = 1;
const BELL: Handle = 2;

pub fn all(report: &mut Report, ground: &mut Ground) {
    for deed in 0..DEEDS.len() {
        stopped(report, ground, deed);
    }
    #[cfg(target_arch = "x86_64")]
    ports(report, ground);
    dies_in_a_call(report, ground);
    endless(report, ground);
}

/// A child that was given its parent's task and a notification.
pub fn child(report: &mut Report, ground: &mut Ground, bell: Handle) -> Option<Handle> {
    let start = ground.memory.next;
    let task = child::create(ground.this, &mut ground.memory, PRIORITY + 1);
    // What the last child used is free again when it is destroyed: all children use the same memory.
    ground.memory.next = start;
    report.yes("making a child", task.is_ok());
    let task = task.ok()?;
    report.same(
        "giving it its parent",
        sys::right_copy(task, ground.this, may::ALL),
        Ok(PARENT),
    );
    let given = sys::right_copy(task, bell, may::ALL);
    report.same("giving it a bell", given, Ok(BELL));
    Some(task)
}

fn stopped(report: &mut Report, ground: &mut Ground, deed: usize) {
    let (name, kind, address) = DEEDS[deed];
    let Ok(bell) = sys::notification_create() else {
        return report.yes("a notification", false);
    };
    let Some(task) = child(report, ground, bell) else {
        return;
    };
    report.same("binding its faults", sys::fault_bind(task, bell, 2), Ok(()));
    report.yes(
        name,
        child::run::<Deed>(task, deed as u64, PRIORITY + 1).is_ok(),
    );
    report.same(name, sys::wait(bell, sys::FOREVER), Ok(2));
    let fault = sys::info_fault(task).unwrap_or_default();
    report.same(name, fault.kind, kind);
    if let Some(address) = address {
        report.same(name, fault.address, address);
    }
    report.same(name, sys::info_task(task).map(|info| info.state), Ok(2));
    report.same("its end", sys::task_destroy(task), Ok(()));
    report.same("its bell's end", sys::right_drop(bell), Ok(()));
}

/// Reads a port it was given, tells, and reads the one behind it.
#[cfg(target_arch = "x86_64")]
struct Granted;

/// Unused on every PC: reading it has no effect.
#[cfg(target_arch = "x86_64")]
const PORT: u64 = 0xed;

#[cfg(target_arch = "x86_64")]
impl Run for Granted {
    fn run(_argument: u64) {
        crate::deeds::read_port(PORT as u16);
        let _ = sys::notify(BELL, 4);
        crate::deeds::read_port(PORT as u16 + 1);
    }
}

/// Ports are a task's own: to be given needs the right to the platform.
#[cfg(target_arch = "x86_64")]
fn ports(report: &mut Report, ground: &mut Ground) {
    let Some(platform) = ground.platform else {
        return;
    };
    let Ok(bell) = sys::notification_create() else {
        return report.yes("a notification", false);
    };
    let Some(task) = child(report, ground, bell) else {
        return;
    };
    report.same("binding its faults", sys::fault_bind(task, bell, 2), Ok(()));
    for (first, count) in [(0xffff, 2), (0, 0), (u64::MAX, 2), (0x1_0000, 1)] {
        let granted = sys::ports_grant(platform, task, first, count);
        report.same("no such ports", granted, Err(Error::BadArgument));
    }
    report.same(
        "granting a port",
        sys::ports_grant(platform, task, PORT, 1),
        Ok(()),
    );
    report.yes(
        "starting it",
        child::run::<Granted>(task, 0, PRIORITY + 1).is_ok(),
    );
    report.same(
        "its own port, and another",
        sys::wait(bell, sys::FOREVER),
        Ok(6),
    );
    let fault = sys::info_fault(task).unwrap_or_default();
    report.same("the other port", (fault.kind, fault.address), (5, PORT + 1));
    report.same("its end", sys::task_destroy(task), Ok(()));
    let _ = sys::right_drop(bell);
}

/// Opens a portal and gives it to its parent. The second call of the portal never comes back by itself.
struct Server;

impl Run for Server {
    fn run(_argument: u64) {
        let portal = sys::portal_create(
            runtime::portal::entry::<Answer>(),
            abi::layout::STACK_TOP - 0x2000,
            7,
        );
        let given = portal.and_then(|portal| sys::right_copy(PARENT, portal, may::ALL));
        let _ = sys::notify(BELL, 1 << 32 | u64::from(given.unwrap_or(0)));
    }
}

struct Answer;

impl runtime::portal::Serve for Answer {
    fn serve(badge: u64, words: &mut [u64; 8]) {
        match words[0] {
            0 => *words = words.map(|word| word + badge),
            // SAFETY of nothing: it faults in the middle of the call.
            1 => deed_in_call(),
            _ => loop {
                core::hint::spin_loop();
            },
        }
    }
}

fn deed_in_call() {
    // SAFETY: it does not succeed; the nucleus stops this task.
    unsafe { (abi::layout::NUCLEUS as *mut u64).write_volatile(1) }
}

fn server(report: &mut Report, ground: &mut Ground, bell: Handle) -> Option<(Handle, Handle)> {
    let task = child(report, ground, bell)?;
    report.yes(
        "starting a server",
        child::run::<Server>(task, 0, PRIORITY + 1).is_ok(),
    );
    let portal = sys::wait(bell, sys::FOREVER).unwrap_or(0) as Handle;
    report.yes("its portal", portal != 0);
    Some((task, portal))
}

fn dies_in_a_call(report: &mut Report, ground: &mut Ground) {
    let Ok(bell) = sys::notification_create() else {
        return report.yes("a notification", false);
    };
    let Some((task, portal)) = server(report, ground, bell) else {
        return;
    };
    report.same(
        "a call",
        sys::portal_call(portal, [0, 1, 2, 3, 4, 5, 6, 7]),
        Ok([7, 8, 9, 10, 11, 12, 13, 14]),
    );
    report.same("another call", sys::portal_call(portal, [0; 8]), Ok([7; 8]));
    report.same(
        "a server that faults",
        sys::portal_call(portal, [1; 8]),
        Err(Error::Interrupted),
    );
    report.same(
        "a stopped server",
        sys::portal_call(portal, [0; 8]),
        Err(Error::Interrupted),
    );
    report.same("its end", sys::task_destroy(task), Ok(()));
    report.same(
        "no server",
        sys::portal_call(portal, [0; 8]),
        Err(Error::BadHandle),
    );
    let _ = sys::right_drop(bell);
}

/// Destroys the task of handle 3 after a while.
struct Killer;

impl Run for Killer {
    fn run(_argument: u64) {
        let until = sys::now() + 5_000_000;
        let _ = sys::wait(BELL, until);
        let _ = sys::task_destroy(3);
    }
}

/// A server that loops for ever is destroyed by a third task while it is called.
fn endless(report: &mut Report, ground: &mut Ground) {
    if sys::now() == 0 {
        return runtime::println!("hostile: no clock here: preemption was not tried");
    }
    let Ok(bell) = sys::notification_create() else {
        return report.yes("a notification", false);
    };
    let Ok(quiet) = sys::notification_create() else {
        return report.yes("a notification", false);
    };
    let start = ground.memory.next;
    let Some((task, portal)) = server(report, ground, bell) else {
        return;
    };
    ground.memory.next = start + child::bytes();
    let Some(killer) = child(report, ground, quiet) else {
        return;
    };
    let given = sys::right_copy(killer, task, may::ALL);
    report.same("giving it its victim", given, Ok(3));
    report.yes(
        "starting it",
        child::run::<Killer>(killer, 0, PRIORITY).is_ok(),
    );
    report.same(
        "a server that is killed",
        sys::portal_call(portal, [2; 8]),
        Err(Error::Interrupted),
    );
    report.same(
        "no server",
        sys::portal_call(portal, [0; 8]),
        Err(Error::BadHandle),
    );
    report.same("the killer's end", sys::task_destroy(killer), Ok(()));
    ground.memory.next = start;
    let _ = (sys::right_drop(bell), sys::right_drop(quiet));
}
