//! Rights that allow less than they might, and what lies beyond them: each deed without its right must be refused.

use crate::{report::Report, tasks, Ground};
use abi::layout::{PAGE, PROGRAM, STACK_TOP};
use abi::system::{map, may, part, root, Error, Handle};
use runtime::child::{self, Run};
use runtime::sys;

pub fn all(report: &mut Report, ground: &mut Ground) {
    own_task(report, ground);
    notifications(report, ground);
    memory(report, ground);
    tasks_of_others(report, ground);
    priorities(report, ground);
    platform(report, ground);
    a_child_without_rights(report, ground);
}

const DENIED: Error = Error::Denied;

/// Nobody decides who hears of his own faults, nor takes himself apart.
fn own_task(report: &mut Report, ground: &Ground) {
    let Ok(bell) = sys::notification_create() else {
        return report.yes("a notification", false);
    };
    let faults = sys::fault_bind(ground.this, bell, 1);
    report.same("hearing of one's own faults", faults, Err(DENIED));
    let again = sys::right_copy(ground.this, ground.this, may::ALL);
    report.yes("a copy of one's own task", again.is_ok());
    let faults = again.and_then(|again| sys::fault_bind(again, bell, 1));
    report.same("and by a copy", faults, Err(DENIED));
    report.same("one's own end", sys::task_destroy(ground.this), Err(DENIED));
    let _ = (sys::right_drop(bell), again.map(sys::right_drop));
}

fn notifications(report: &mut Report, ground: &mut Ground) {
    let this = ground.this;
    let Ok(whole) = sys::notification_create() else {
        return report.yes("a notification", false);
    };
    let ring = sys::right_copy(this, whole, may::RING | may::COPY).unwrap_or(Handle::MAX);
    report.same("ringing", sys::notify(ring, 1), Ok(()));
    report.same(
        "waiting where one may ring",
        sys::wait(ring, 0),
        Err(DENIED),
    );
    let done = sys::interrupt_done(ring, 0);
    report.same("answering where one may ring", done, Err(DENIED));
    let more = sys::right_copy(this, ring, may::ALL).unwrap_or(Handle::MAX);
    report.same("ringing by a copy", sys::notify(more, 2), Ok(()));
    report.same("a copy with more", sys::wait(more, 0), Err(DENIED));
    let wait = sys::right_copy(this, whole, may::WAIT).unwrap_or(Handle::MAX);
    report.same("waiting", sys::wait(wait, 0), Ok(3));
    report.same(
        "ringing where one may wait",
        sys::notify(wait, 1),
        Err(DENIED),
    );
    let again = sys::right_copy(this, wait, may::ALL);
    report.same("passing on what is not", again, Err(DENIED));
    if let Some(child) = tasks::child(report, ground, whole) {
        let bound = sys::fault_bind(child, wait, 1);
        report.same("faults that ring where one may wait", bound, Err(DENIED));
        report.same("its end", sys::task_destroy(child), Ok(()));
    }
    for right in [whole, ring, more, wait] {
        report.same("dropping it", sys::right_drop(right), Ok(()));
    }
}

fn memory(report: &mut Report, ground: &mut Ground) {
    const AT: u64 = 0x7000_0000;
    let this = ground.this;
    let start = ground.memory.next;
    let Ok(whole) = ground.memory.take(0x2_0000) else {
        return report.yes("memory", false);
    };
    let map = |right, flags| sys::memory_map(this, right, 0, PAGE, AT, flags);
    let unmap = || sys::memory_unmap(this, AT, PAGE);
    let read = sys::right_copy(this, whole, may::READ | may::COPY).unwrap_or(Handle::MAX);
    let wider = sys::right_copy(this, read, may::ALL).unwrap_or(Handle::MAX);
    let piece = sys::memory_part(read, 0, 0x2_0000).unwrap_or(Handle::MAX);
    for right in [read, wider, piece] {
        report.same("reading", map(right, 0), Ok(()));
        report.same("unmapping", unmap(), Ok(()));
        report.same(
            "writing what may be read",
            map(right, map::WRITE),
            Err(DENIED),
        );
        report.same(
            "running what may be read",
            map(right, map::EXECUTE),
            Err(DENIED),
        );
        let address = sys::memory_address(right);
        report.same("the address of what may be read", address, Err(DENIED));
        let task = sys::task_create(right, 0);
        report.same("a task in what may be read", task, Err(DENIED));
    }
    let write = sys::right_copy(this, whole, may::READ | may::WRITE).unwrap_or(Handle::MAX);
    report.same("writing", map(write, map::WRITE), Ok(()));
    report.same("unmapping", unmap(), Ok(()));
    report.same(
        "running what may be written",
        map(write, map::EXECUTE),
        Err(DENIED),
    );
    let part = sys::memory_part(write, 0, PAGE);
    report.same("a part of what may not be passed on", part, Err(DENIED));
    let blind = sys::right_copy(this, whole, may::WRITE).unwrap_or(Handle::MAX);
    report.same("mapping what may not be read", map(blind, 0), Err(DENIED));
    for right in [whole, read, wider, piece, write, blind] {
        report.same("dropping it", sys::right_drop(right), Ok(()));
    }
    ground.memory.next = start;
}

/// A right to another's task allows what it says.
fn tasks_of_others(report: &mut Report, ground: &mut Ground) {
    let Ok(bell) = sys::notification_create() else {
        return report.yes("a notification", false);
    };
    let Some(child) = tasks::child(report, ground, bell) else {
        return;
    };
    let tell = sys::right_copy(ground.this, child, may::TELL).unwrap_or(Handle::MAX);
    report.yes("asking about it", sys::info_task(tell).is_ok());
    let start = sys::thread_create(tell, PROGRAM, STACK_TOP, 0, 0);
    report.same("a thread where one may ask", start, Err(DENIED));
    let mapped = sys::memory_map(tell, ground.memory.right, 0, PAGE, 0x7000_0000, 0);
    report.same("mapping where one may ask", mapped, Err(DENIED));
    let unmapped = sys::memory_unmap(tell, PROGRAM, PAGE);
    report.same("unmapping where one may ask", unmapped, Err(DENIED));
    let given = sys::right_copy(tell, bell, may::ALL);
    report.same("giving where one may ask", given, Err(DENIED));
    let bound = sys::fault_bind(tell, bell, 1);
    report.same("faults where one may ask", bound, Err(DENIED));
    report.same(
        "its end, by one who may ask",
        sys::task_destroy(tell),
        Err(DENIED),
    );
    let mute = sys::right_copy(ground.this, child, may::MAP).unwrap_or(Handle::MAX);
    let asked = sys::info_task(mute).err();
    report.same("asking where one may map", asked, Some(DENIED));
    report.same("its end", sys::task_destroy(child), Ok(()));
    for right in [tell, mute] {
        let gone = sys::right_drop(right);
        report.same("rights to it are gone", gone, Err(Error::BadHandle));
    }
    let _ = sys::right_drop(bell);
}

fn priorities(report: &mut Report, ground: &mut Ground) {
    let start = ground.memory.next;
    if ground.ceiling < 31 {
        for priority in [ground.ceiling + 1, 31] {
            let thread = sys::thread_create(ground.this, PROGRAM, STACK_TOP, 0, priority);
            report.same("a thread above one's ceiling", thread, Err(DENIED));
        }
    }
    for (ceiling, error) in [(32, Error::BadArgument), (u64::MAX, Error::BadArgument)] {
        let task = child::create(ground.this, &mut ground.memory, ceiling).err();
        report.same("no such ceiling", task, Some(error));
        ground.memory.next = start;
    }
    if ground.ceiling < 31 {
        let task = child::create(ground.this, &mut ground.memory, ground.ceiling + 1).err();
        report.same("a child above one's own ceiling", task, Some(DENIED));
        ground.memory.next = start;
    }
    match child::create(ground.this, &mut ground.memory, 3) {
        Ok(task) => {
            let thread = sys::thread_create(task, PROGRAM, STACK_TOP, 0, 4);
            report.same("a thread above its task's ceiling", thread, Err(DENIED));
            report.same("its end", sys::task_destroy(task), Ok(()));
        }
        Err(_) => report.yes("a child", false),
    }
    ground.memory.next = start;
}

/// What a program may do with the platform: write to the log, and ask.
fn platform(report: &mut Report, ground: &Ground) {
    if ground.platform.is_some() {
        // The first task may do everything.
        return parts(report, ground);
    }
    let Ok(bell) = sys::notification_create() else {
        return report.yes("a notification", false);
    };
    let right = ground.tells;
    report.yes("asking", sys::info_memory().is_ok());
    for kind in [part::LINES, part::MESSAGES, part::PORTS] {
        let part = sys::platform_part(right, kind, 0, 1);
        report.same("a part of the platform", part, Err(DENIED));
    }
    let bound = sys::interrupt_bind(right, 1, false, false, bell, 1);
    report.same("binding a line", bound, Err(DENIED));
    let bound = sys::message_bind(right, 0, bell, 1);
    report.same("binding a message", bound, Err(DENIED));
    let ports = sys::ports_grant(right, ground.this, 0x80, 1);
    report.same("ports", ports, Err(DENIED));
    let device = sys::memory_device(right, 1 << 40, PAGE);
    report.same("registers", device, Err(DENIED));
    report.same("the machine's end", sys::power_off(right), Err(DENIED));
    report.same("its start", sys::power_reset(right), Err(DENIED));
    let copy = sys::right_copy(ground.this, right, may::ALL);
    report.same("passing it on", copy, Err(DENIED));
    let _ = sys::right_drop(bell);
}

/// Parts of the platform, by who has all of it.
fn parts(report: &mut Report, ground: &Ground) {
    let Some(platform) = ground.platform else {
        return;
    };
    let (this, ports) = (
        ground.this,
        sys::platform_part(platform, part::PORTS, 0x80, 8),
    );
    let ports = ports.unwrap_or(Handle::MAX);
    for (first, count) in [(0x7f, 1), (0x88, 1), (0x80, 9), (0x7f, 9), (0x87, 2)] {
        let granted = sys::ports_grant(ports, this, first, count);
        report.same("ports outside of a part", granted, Err(DENIED));
        let more = sys::platform_part(ports, part::PORTS, first, count);
        report.same("more than a part", more, Err(DENIED));
    }
    let lines = sys::platform_part(ports, part::LINES, 0x80, 1);
    report.same("lines out of ports", lines, Err(DENIED));
    for (kind, first, count) in [
        (0, 0, 1),
        (4, 0, 1),
        (part::PORTS, 0, 0),
        (part::PORTS, 1, u64::MAX),
    ] {
        let part = sys::platform_part(platform, kind, first, count);
        report.same("no such part", part, Err(Error::BadArgument));
    }
    report.same(
        "power by ports",
        sys::power_off(ports),
        Err(Error::BadHandle),
    );
    report.same("dropping it", sys::right_drop(ports), Ok(()));
}

/// What a child tries that was given a notification to ring, at this handle, and nothing else: a bit for each refusal.
const BELL: Handle = 1;
const CEILING: u64 = 18;
const TRIED: u64 = 8;

struct Tries;

impl Run for Tries {
    fn run(_argument: u64) {
        let tries = [
            sys::wait(BELL, 0).err(),
            sys::fault_bind(root::SELF, BELL, 1).err(),
            sys::thread_create(root::SELF, PROGRAM, STACK_TOP, 0, CEILING + 1).err(),
            sys::right_copy(root::SELF, BELL, may::ALL).err(),
            sys::task_destroy(root::SELF).err(),
            log(u64::from(root::SELF)),
            log(u64::from(Handle::MAX)),
            sys::info_memory().err(),
        ];
        let expected = [
            DENIED,
            DENIED,
            DENIED,
            DENIED,
            DENIED,
            Error::BadHandle,
            Error::BadHandle,
            Error::BadHandle,
        ];
        let mut bits = 0;
        for (n, (is, should)) in tries.into_iter().zip(expected).enumerate() {
            bits |= u64::from(is == Some(should)) << n;
        }
        let _ = sys::notify(BELL, 1 << TRIED | bits);
    }
}

/// A line to the log by this right.
fn log(right: u64) -> Option<Error> {
    let words = [right, PROGRAM, 1, 0, 0, 0];
    // SAFETY: LOG reads memory of this program and changes nothing here.
    unsafe { sys::any(abi::system::call::LOG, words) }.err()
}

fn a_child_without_rights(report: &mut Report, ground: &mut Ground) {
    let start = ground.memory.next;
    let Ok(bell) = sys::notification_create() else {
        return report.yes("a notification", false);
    };
    let Ok(task) = child::create(ground.this, &mut ground.memory, CEILING) else {
        return report.yes("a child", false);
    };
    let given = sys::right_copy(task, bell, may::RING);
    report.same("giving it a bell to ring", given, Ok(BELL));
    report.yes("starting it", child::run::<Tries>(task, 0, CEILING).is_ok());
    let bits = sys::wait(bell, sys::FOREVER);
    report.same("what it was refused", bits, Ok((1 << (TRIED + 1)) - 1));
    report.same("its end", sys::task_destroy(task), Ok(()));
    ground.memory.next = start;
    let _ = sys::right_drop(bell);
}
