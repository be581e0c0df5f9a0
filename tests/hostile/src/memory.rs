//! Memory that is taken back, or may be used otherwise than before: nothing of it stays with those who had it.

use crate::{report::Report, tasks, Ground};
use abi::layout::{PAGE, PROGRAM};
use abi::system::{call, info, map, may, Error, Handle};
use runtime::child::{self, Run};
use runtime::sys;

/// Where this program maps what it tries.
const AT: u64 = 0x7000_0000;
/// Bytes of the memory that each part here is tried on.
const SIZE: u64 = 0x4_0000;

pub fn all(report: &mut Report, ground: &mut Ground) {
    refused(report, ground);
    rights(report, ground);
    mappings(report, ground);
    tasks_in_it(report, ground);
    frame_pages(report, ground);
    protection(report, ground);
    nothing_is_used_up(report, ground);
    threads_come_and_go(report, ground);
}

/// Memory of its own, which is given up at the end of `trial`.
fn with(
    report: &mut Report,
    ground: &mut Ground,
    trial: impl FnOnce(&mut Report, &mut Ground, Handle),
) {
    let start = ground.memory.next;
    match ground.memory.take(SIZE) {
        Ok(whole) => {
            trial(report, ground, whole);
            report.same("taking all of it back", sys::memory_revoke(whole), Ok(()));
            report.same("dropping it", sys::right_drop(whole), Ok(()));
        }
        Err(_) => report.yes("memory", false),
    }
    ground.memory.next = start;
}

fn refused(report: &mut Report, ground: &mut Ground) {
    let revoked = sys::memory_revoke(ground.this);
    report.same("taking back a task", revoked, Err(Error::BadHandle));
    with(report, ground, |report, ground, whole| {
        let last = sys::right_copy(ground.this, whole, !may::COPY).unwrap_or(Handle::MAX);
        let revoked = sys::memory_revoke(last);
        report.same(
            "taking back what cannot be given",
            revoked,
            Err(Error::Denied),
        );
    });
}

/// Whether this program has a page there, where none can be mapped then.
fn shows(ground: &Ground, with: Handle, at: u64) -> bool {
    match sys::memory_map(ground.this, with, 0, PAGE, at, 0) {
        Ok(()) => sys::memory_unmap(ground.this, at, PAGE).is_err(),
        error => error == Err(Error::Exists),
    }
}

/// Whether the nucleus writes there what this program asks.
fn writable(ground: &Ground, at: u64) -> bool {
    let size = size_of::<info::Task>() as u64;
    // SAFETY: `at` lies in pages that this module maps, in which no Rust value is.
    unsafe { sys::any(call::INFO, [ground.this.into(), info::TASK, at, size, 0, 0]) }.is_ok()
}

fn rights(report: &mut Report, ground: &mut Ground) {
    with(report, ground, |report, ground, whole| {
        let part = sys::memory_part(whole, PAGE, 4 * PAGE).unwrap_or(Handle::MAX);
        let piece = sys::memory_part(part, PAGE, PAGE).unwrap_or(Handle::MAX);
        let copy = sys::right_copy(ground.this, piece, may::ALL).unwrap_or(Handle::MAX);
        let beside = sys::memory_part(whole, 8 * PAGE, PAGE).unwrap_or(Handle::MAX);
        let address = |right| sys::memory_address(right).map(|_| ());
        for right in [part, piece, copy, beside] {
            report.same("an address", address(right), Ok(()));
        }
        report.same(
            "taking back from a piece",
            sys::memory_revoke(piece),
            Ok(()),
        );
        report.same(
            "what was copied from it",
            address(copy),
            Err(Error::BadHandle),
        );
        for right in [part, piece, beside, whole] {
            report.same("what was not", address(right), Ok(()));
        }
        // Given up in the middle: what was made from it is its maker's.
        let copy = sys::right_copy(ground.this, piece, may::ALL).unwrap_or(Handle::MAX);
        report.same("giving the piece up", sys::right_drop(piece), Ok(()));
        report.same("its copy", address(copy), Ok(()));
        report.same(
            "taking back from the part",
            sys::memory_revoke(part),
            Ok(()),
        );
        report.same("its copy's copy", address(copy), Err(Error::BadHandle));
        report.same("what lies beside it", address(beside), Ok(()));
        // Out of another's table, too.
        let Some(child) = tasks::child(report, ground, part) else {
            return;
        };
        let before = sys::info_task(child).map(|told| told.rights);
        report.same(
            "taking back what a child has",
            sys::memory_revoke(whole),
            Ok(()),
        );
        let after = sys::info_task(child).map(|told| told.rights + 1);
        report.same("rights of the child", after, before);
        report.same("the part", address(part), Err(Error::BadHandle));
        report.same("its end", sys::task_destroy(child), Ok(()));
    });
}

fn mappings(report: &mut Report, ground: &mut Ground) {
    with(report, ground, |report, ground, whole| {
        let map =
            |right, offset, at| sys::memory_map(ground.this, right, offset, PAGE, at, map::WRITE);
        let part = sys::memory_part(whole, PAGE, 4 * PAGE).unwrap_or(Handle::MAX);
        // Far apart: tables of all levels lie between them.
        let places = [
            AT,
            AT + PAGE,
            AT + 0x20_0000,
            AT + 0x4000_0000,
            AT + 0x80_0000_0000,
        ];
        report.same("a page by the whole", map(whole, 0, AT + 8 * PAGE), Ok(()));
        report.same(
            "a page beside it",
            map(whole, 8 * PAGE, AT + 9 * PAGE),
            Ok(()),
        );
        for (n, at) in places.into_iter().enumerate() {
            let mapped = map(part, n as u64 % 4 * PAGE, at);
            report.same("a page by the part", mapped, Ok(()));
        }
        report.same(
            "taking back from the part",
            sys::memory_revoke(part),
            Ok(()),
        );
        for at in places {
            report.yes("what it maps itself stays", shows(ground, whole, at));
        }
        report.same(
            "taking back from the whole",
            sys::memory_revoke(whole),
            Ok(()),
        );
        for at in places {
            report.yes("what the part mapped is gone", !shows(ground, whole, at));
        }
        for at in [AT + 8 * PAGE, AT + 9 * PAGE] {
            report.yes("what the whole mapped stays", shows(ground, whole, at));
            report.same(
                "unmapping",
                sys::memory_unmap(ground.this, at, PAGE),
                Ok(()),
            );
        }
        // In another's address space, which loses its program's data that way.
        let part = sys::memory_part(whole, 0, PAGE).unwrap_or(Handle::MAX);
        let Some(child) = tasks::child(report, ground, part) else {
            return;
        };
        let before = sys::info_task(child).map(|told| told.mapped);
        for n in 0..64 {
            let mapped = sys::memory_map(child, part, 0, PAGE, AT + n * PAGE, 0);
            report.same("a page of the child", mapped, Ok(()));
        }
        report.same("a right given up", sys::right_drop(part), Ok(()));
        report.same("taking back", sys::memory_revoke(whole), Ok(()));
        let after = sys::info_task(child).map(|told| told.mapped);
        // Dropped rights belong to what they were made from, and so does what was mapped with them: that stays.
        report.same(
            "mapped with what was given up",
            after,
            before.map(|bytes| bytes + 64 * PAGE),
        );
        report.same("its end", sys::task_destroy(child), Ok(()));
    });
}

fn tasks_in_it(report: &mut Report, ground: &mut Ground) {
    with(report, ground, |report, ground, whole| {
        let part = sys::memory_part(whole, 0, SIZE / 2).unwrap_or(Handle::MAX);
        let task = sys::task_create(part, 0).unwrap_or(Handle::MAX);
        let shown = sys::memory_map(task, whole, SIZE / 2, PAGE, AT, 0);
        report.same("a page of the task", shown, Ok(()));
        let mapped = sys::memory_map(ground.this, whole, 0, PAGE, AT, 0);
        report.same("mapping what it lives in", mapped, Err(Error::Denied));
        report.same("taking it back", sys::memory_revoke(whole), Ok(()));
        let told = sys::info_task(task).map(|_| ());
        report.same("the task that lived there", told, Err(Error::BadHandle));
        let mapped = sys::memory_map(ground.this, whole, 0, PAGE, AT, 0);
        report.same("mapping what it lived in", mapped, Ok(()));
        report.same(
            "unmapping",
            sys::memory_unmap(ground.this, AT, PAGE),
            Ok(()),
        );
    });
}

fn frame_pages(report: &mut Report, ground: &mut Ground) {
    with(report, ground, |report, ground, whole| {
        let part = sys::memory_part(whole, 0, PAGE).unwrap_or(Handle::MAX);
        let Some(child) = tasks::child(report, ground, part) else {
            return;
        };
        let thread = sys::thread_create(child, PROGRAM, abi::layout::STACK_TOP, 0, 0);
        let thread = thread.unwrap_or(Handle::MAX);
        report.same("a frame page", sys::frame_bind(thread, part, 0), Ok(()));
        report.same("waking with it", sys::thread_wake(thread), Ok(false));
        report.same("taking it back", sys::memory_revoke(whole), Ok(()));
        let woken = sys::thread_wake(thread);
        report.same("waking without", woken, Err(Error::Denied));
        report.same("its end", sys::task_destroy(child), Ok(()));
    });
}

fn protection(report: &mut Report, ground: &mut Ground) {
    with(report, ground, |report, ground, whole| {
        let this = ground.this;
        let protect = |right, offset, length, at, flags| {
            sys::memory_protect(this, right, offset, length, at, flags)
        };
        let writable = |at| writable(ground, at);
        let mapped = sys::memory_map(this, whole, 0, 4 * PAGE, AT, map::WRITE);
        report.same("mapping", mapped, Ok(()));
        report.yes("writable", writable(AT));
        report.same("read-only", protect(whole, 0, 2 * PAGE, AT, 0), Ok(()));
        report.yes("not writable", !writable(AT) && !writable(AT + PAGE));
        report.yes("those beside it are", writable(AT + 2 * PAGE));
        let wrong = [
            (PAGE, PAGE, AT),
            (0, PAGE, AT + PAGE),
            (0, 8 * PAGE, AT),
            (0, PAGE, AT + 16 * PAGE),
            (0, 1, AT),
            (SIZE, PAGE, AT),
            (0, 0, AT),
            (0, PAGE, 0),
            (0, PAGE, u64::MAX - PAGE + 1),
        ];
        for (offset, length, at) in wrong {
            let answer = protect(whole, offset, length, at, map::WRITE);
            report.same("other pages", answer, Err(Error::BadArgument));
        }
        report.yes(
            "none of these did anything",
            !writable(AT) && !writable(AT + PAGE),
        );
        for flags in [map::WRITE | map::EXECUTE, map::DEVICE, 8, u64::MAX] {
            let answer = protect(whole, 0, PAGE, AT, flags);
            report.same("no such protection", answer, Err(Error::BadArgument));
        }
        let read = sys::right_copy(this, whole, may::READ).unwrap_or(Handle::MAX);
        for flags in [map::WRITE, map::EXECUTE] {
            let answer = protect(read, 0, PAGE, AT, flags);
            report.same("more than the right allows", answer, Err(Error::Denied));
        }
        let answer = sys::memory_protect(whole, whole, 0, PAGE, AT, 0);
        report.same("memory as a task", answer, Err(Error::BadHandle));
        report.same(
            "to be executed",
            protect(whole, 0, PAGE, AT, map::EXECUTE),
            Ok(()),
        );
        report.yes("not written to", !writable(AT));
        report.same(
            "writable again",
            protect(whole, 0, 2 * PAGE, AT, map::WRITE),
            Ok(()),
        );
        report.yes("as it was", writable(AT) && writable(AT + PAGE));
        report.same("unmapping", sys::memory_unmap(this, AT, 4 * PAGE), Ok(()));
    });
}

/// Threads that end, and whose rights are dropped, leave their memory to the next: with their registers, all zero again.
fn threads_come_and_go(report: &mut Report, ground: &mut Ground) {
    let Ok(bell) = sys::notification_create() else {
        return report.yes("a notification", false);
    };
    let start = ground.memory.next;
    let Some(child) = tasks::child(report, ground, bell) else {
        return;
    };
    report.same("with floating point", sys::float_allow(child), Ok(()));
    let mut used = None;
    let mut well = true;
    for n in 0..300 {
        let thread = child::run::<Ends>(child, n, 17);
        well &= sys::wait(bell, sys::FOREVER) == Ok(1);
        // It ends before anybody of less priority runs.
        well &= thread.and_then(sys::right_drop).is_ok();
        let now = sys::info_task(child).map(|told| told.donated_used);
        well &= *used.get_or_insert(now) == now;
    }
    report.yes("300 threads in the place of one", well);
    report.same("its end", sys::task_destroy(child), Ok(()));
    ground.memory.next = start;
    let _ = sys::right_drop(bell);
}

struct Ends;

impl Run for Ends {
    fn run(_argument: u64) {
        let _ = sys::notify(2, if crate::floats::are_zero() { 1 } else { 2 });
    }
}

/// What is made and taken back again and again takes no more of the donated memory than once.
fn nothing_is_used_up(report: &mut Report, ground: &mut Ground) {
    with(report, ground, |report, ground, whole| {
        let this = ground.this;
        let used = || sys::info_task(this).map(|told: info::Task| told.donated_used);
        let mut first = None;
        for n in 0..40 {
            let part = sys::memory_part(whole, 0, 4 * PAGE).unwrap_or(Handle::MAX);
            let copy = sys::right_copy(this, part, may::ALL).unwrap_or(Handle::MAX);
            let mut well = true;
            for far in 0..8 {
                let at = AT + (n * 8 + far) * 0x4000_0000;
                well &= sys::memory_map(this, copy, 0, PAGE, at, map::WRITE).is_ok();
                if far % 2 == 0 {
                    well &= sys::memory_unmap(this, at, PAGE).is_ok();
                }
            }
            report.yes("mapping and unmapping", well);
            match n % 2 {
                0 => report.same("taking it back", sys::memory_revoke(whole), Ok(())),
                _ => {
                    for right in [part, copy] {
                        report.same("dropping it", sys::right_drop(right), Ok(()));
                    }
                    for far in [1, 3, 5, 7] {
                        let at = AT + (n * 8 + far) * 0x4000_0000;
                        report.same("unmapping", sys::memory_unmap(this, at, PAGE), Ok(()));
                    }
                }
            }
            match (n, first) {
                // Memory for objects is kept for others of their kind: the first rounds may take some.
                (0 | 1, _) => first = Some(used()),
                (_, Some(first)) => report.same("donated memory that is used", used(), first),
                _ => {}
            }
        }
    });
}
