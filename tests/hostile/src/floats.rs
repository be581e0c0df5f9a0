//! Floating-point and SIMD registers: every thread has its own, and nobody else sees or changes them.

use crate::{report::Report, tasks, Ground};
use abi::frame;
use abi::layout::{self, PAGE, STACK_TOP};
use abi::system::{event, map, may, Error, Handle};
use core::arch::asm;
use runtime::child::{self, Run};
use runtime::memory::Shared;
use runtime::{portal, sys};

const PRIORITY: u64 = 16;
/// What a child finds in its table (`tasks::child`, and what is given after that).
const BELL: Handle = 2;
const SECOND: Handle = 3;
/// Rounds of each of several threads.
const ROUNDS: u64 = 200;

pub fn all(report: &mut Report, ground: &mut Ground) {
    let start = ground.memory.next;
    for trial in [
        refused,
        several_threads,
        a_server_that_uses_them,
        in_a_frame_page,
    ] {
        trial(report, ground);
        ground.memory.next = start;
    }
}

#[cfg(target_arch = "x86_64")]
const WORDS: usize = 2 * 16;
#[cfg(target_arch = "aarch64")]
const WORDS: usize = 2 * 32;
/// Where the first of them is in a frame page (SDM 1, table 10-2: behind the header and x87).
#[cfg(target_arch = "x86_64")]
const AT: usize = frame::FLOAT + 160;
#[cfg(target_arch = "aarch64")]
const AT: usize = frame::FLOAT;

type Values = [u64; WORDS];

/// An instruction for each register of the machine, whose number is `\n` in it; `{0}` is where their values are.
#[cfg(target_arch = "x86_64")]
macro_rules! each {
    ($instruction:literal, $at:expr) => {
        asm!(
            ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
            $instruction, ".endr", in(reg) $at, options(nostack)
        )
    };
}
#[cfg(target_arch = "aarch64")]
macro_rules! each {
    ($instruction:literal, $at:expr) => {
        asm!(
            ".arch armv8-a+fp+simd",
            ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31",
            $instruction, ".endr", in(reg) $at, options(nostack)
        )
    };
}

/// Puts values into all registers. A program that is compiled without floating point has nothing in them.
fn load(values: &Values) {
    let at = values.as_ptr();
    // SAFETY: the registers are used by nothing else, and the values are as many as are loaded.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        each!("movups xmm\\n, [{0} + 16 * \\n]", at)
    };
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        each!("ldr q\\n, [{0}, #(16 * \\n)]", at)
    };
}

fn store() -> Values {
    let mut values = [1; WORDS];
    let at = values.as_mut_ptr();
    // SAFETY: as in `load`; there is room for all.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        each!("movups [{0} + 16 * \\n], xmm\\n", at)
    };
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        each!("str q\\n, [{0}, #(16 * \\n)]", at)
    };
    values
}

/// Whether all are as a new thread finds them. They are not afterwards.
pub fn are_zero() -> bool {
    let zero = store() == [0; WORDS];
    load(&values(5));
    zero
}

fn values(of: u64) -> Values {
    core::array::from_fn(|n| (of << 32 | n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// A child whose threads may use them.
fn floating(report: &mut Report, ground: &mut Ground, bell: Handle) -> Option<Handle> {
    let child = tasks::child(report, ground, bell)?;
    ground.memory.next += child::bytes();
    report.same("allowing it", sys::float_allow(child), Ok(()));
    Some(child)
}

fn refused(report: &mut Report, ground: &mut Ground) {
    let Ok(bell) = sys::notification_create() else {
        return report.yes("a notification", false);
    };
    report.same(
        "a task that runs",
        sys::float_allow(ground.this),
        Err(Error::Denied),
    );
    report.same(
        "what is no task",
        sys::float_allow(bell),
        Err(Error::BadHandle),
    );
    let Some(child) = tasks::child(report, ground, bell) else {
        return;
    };
    let less = sys::right_copy(ground.this, child, !may::START).unwrap_or(Handle::MAX);
    report.same(
        "who may not start it",
        sys::float_allow(less),
        Err(Error::Denied),
    );
    ground.memory.next += child::bytes();
    let thread = child::run::<Waits>(child, 0, 1).unwrap_or(Handle::MAX);
    report.same(
        "after it began",
        sys::float_allow(child),
        Err(Error::Denied),
    );
    let framed = sys::float_frame(thread, false);
    report.same("registers that it has not", framed, Err(Error::Denied));
    report.same("its end", sys::task_destroy(child), Ok(()));
    for right in [less, bell] {
        let _ = sys::right_drop(right);
    }
}

struct Waits;

impl Run for Waits {
    fn run(_argument: u64) {
        let _ = sys::wait(BELL, sys::FOREVER);
    }
}

/// Tells bit `argument` if all is as it should be, and bit 32 more if not.
struct Counts;

impl Run for Counts {
    fn run(argument: u64) {
        // Nobody else's, and not left from before.
        let mut well = store() == [0; WORDS];
        for round in 0..ROUNDS {
            let mine = values(argument << 16 | round);
            load(&mine);
            sys::yield_now();
            well &= store() == mine;
            sys::yield_now();
            let _ = sys::now();
            well &= store() == mine;
        }
        let _ = sys::notify(BELL, 1 << (argument + if well { 0 } else { 32 }));
    }
}

fn several_threads(report: &mut Report, ground: &mut Ground) {
    let Ok(bell) = sys::notification_create() else {
        return report.yes("a notification", false);
    };
    let (Some(one), Some(two)) = (
        floating(report, ground, bell),
        floating(report, ground, bell),
    ) else {
        return;
    };
    // Threads of one task need stacks of their own; those that `child::run` starts share one.
    let threads = [(one, 0), (two, 1)];
    for (task, number) in threads {
        let thread = child::run::<Counts>(task, number, PRIORITY + 1);
        report.yes("a thread", thread.is_ok());
    }
    // One that may not, in between.
    let Some(native) = tasks::child(report, ground, bell) else {
        return;
    };
    let yields = child::run::<Yields>(native, 2, PRIORITY + 1);
    report.yes("a thread without", yields.is_ok());
    let mut told = 0;
    while told & 0x7_0000_0007 != 7 && told >> 32 == 0 {
        told |= sys::wait(bell, sys::FOREVER).unwrap_or(u64::MAX);
    }
    report.same("who kept its registers", told, 7);
    for task in [one, two, native] {
        report.same("its end", sys::task_destroy(task), Ok(()));
    }
    let _ = sys::right_drop(bell);
}

struct Yields;

impl Run for Yields {
    fn run(argument: u64) {
        for _ in 0..ROUNDS {
            sys::yield_now();
        }
        let _ = sys::notify(BELL, 1 << argument);
    }
}

/// Offers a portal whose code uses the registers.
struct Server;

impl Run for Server {
    fn run(_argument: u64) {
        let made = sys::portal_create(portal::entry::<Serves>(), STACK_TOP - 0x2000, 0);
        let given = made.and_then(|portal| sys::right_copy(1, portal, may::ALL));
        let _ = sys::notify(BELL, 1 << 32 | u64::from(given.unwrap_or(0)));
    }
}

struct Serves;

impl portal::Serve for Serves {
    fn serve(_badge: u64, words: &mut [u64; 8]) {
        if words[0] == 1 {
            load(&values(99));
        }
        words[1] = store_if(words[0] == 2);
    }
}

fn store_if(yes: bool) -> u64 {
    match yes {
        true => store()[0],
        false => 0,
    }
}

/// Calls it: with nothing, with something that it does to the registers.
struct Calls;

impl Run for Calls {
    fn run(argument: u64) {
        let mine = values(7);
        load(&mine);
        let first = sys::portal_call(SECOND, [0; 8]).is_ok();
        let kept = store() == mine;
        let second = sys::portal_call(SECOND, [argument; 8]);
        let well = first && kept && second == Err(Error::Interrupted) && store() == mine;
        let _ = sys::notify(BELL, if well { 1 } else { 2 });
    }
}

fn a_server_that_uses_them(report: &mut Report, ground: &mut Ground) {
    let before = ground.memory.next;
    // A server may not, whether its own threads may or not.
    for (deed, server_floats) in [(1, false), (2, false), (1, true), (2, true)] {
        let Ok(bell) = sys::notification_create() else {
            return report.yes("a notification", false);
        };
        let Some(client) = floating(report, ground, bell) else {
            return;
        };
        let Some(server) = tasks::child(report, ground, bell) else {
            return;
        };
        if server_floats {
            report.same("allowing it", sys::float_allow(server), Ok(()));
        }
        let started = child::run::<Server>(server, 0, PRIORITY + 1);
        report.yes("a server", started.is_ok());
        let portal = sys::wait(bell, sys::FOREVER).unwrap_or(0) as Handle;
        let given = sys::right_copy(client, portal, may::ALL);
        report.same("its portal", given, Ok(SECOND));
        let started = child::run::<Calls>(client, deed, PRIORITY + 1);
        report.yes("a client", started.is_ok());
        let told = sys::wait(bell, sys::FOREVER);
        report.same("registers of a client", told, Ok(1));
        let fault = sys::info_fault(server).map(|fault| fault.kind);
        report.same("the server's fault", fault, Ok(event::ILLEGAL));
        for task in [client, server] {
            report.same("its end", sys::task_destroy(task), Ok(()));
        }
        let _ = (sys::right_drop(bell), sys::right_drop(portal));
        ground.memory.next = before;
    }
}

/// Waits between what is done to its registers from outside.
struct Framed;

impl Run for Framed {
    fn run(_argument: u64) {
        load(&values(1));
        let _ = (sys::notify(BELL, 1), sys::wait(SECOND, sys::FOREVER));
        let well = store() == values(2);
        let _ = (
            sys::notify(BELL, if well { 2 } else { 4 }),
            sys::wait(SECOND, sys::FOREVER),
        );
        // What was written there last is all ones: whatever that means, the thread goes on.
        let _ = (store(), load(&values(3)));
        let _ = sys::notify(BELL, if store() == values(3) { 8 } else { 16 });
    }
}

fn in_a_frame_page(report: &mut Report, ground: &mut Ground) {
    const SHOWN: u64 = layout::MODULES + 0x80_0000;
    let (Ok(bell), Ok(second)) = (sys::notification_create(), sys::notification_create()) else {
        return report.yes("notifications", false);
    };
    let Some(child) = floating(report, ground, bell) else {
        return;
    };
    let given = sys::right_copy(child, second, may::ALL);
    report.same("another bell", given, Ok(SECOND));
    let Ok(page) = ground.memory.take(PAGE) else {
        return report.yes("a page", false);
    };
    let shown = sys::memory_map(ground.this, page, 0, PAGE, SHOWN, map::WRITE);
    report.same("showing it", shown, Ok(()));
    let thread = child::run::<Framed>(child, 0, PRIORITY + 1).unwrap_or(Handle::MAX);
    report.same("it waits", sys::wait(bell, sys::FOREVER), Ok(1));
    let stored = sys::float_frame(thread, false);
    report.same("without a page", stored, Err(Error::Denied));
    report.same("its page", sys::frame_bind(thread, page, 0), Ok(()));
    let stored = sys::float_frame(thread, false);
    report.same("storing", stored, Ok(()));
    let bytes = Shared::new(SHOWN, PAGE as usize);
    let found: Values = core::array::from_fn(|n| bytes.read_u64(AT + 8 * n));
    report.yes("what it had", found == values(1));
    for (n, value) in values(2).into_iter().enumerate() {
        bytes.write_u64(AT + 8 * n, value);
    }
    // SAFETY: refused, or it changes what this test changes.
    let other = unsafe {
        sys::any(
            abi::system::call::FLOAT_FRAME,
            [thread.into(), 2, 0, 0, 0, 0],
        )
    };
    report.same(
        "neither storing nor loading",
        other,
        Err(Error::BadArgument),
    );
    report.same("loading", sys::float_frame(thread, true), Ok(()));
    let _ = sys::notify(second, 1);
    report.same("what it has", sys::wait(bell, sys::FOREVER), Ok(2));
    for at in (frame::FLOAT..PAGE as usize).step_by(8) {
        bytes.write_u64(at, u64::MAX);
    }
    report.same("loading nonsense", sys::float_frame(thread, true), Ok(()));
    let _ = sys::notify(second, 1);
    report.same("it goes on", sys::wait(bell, sys::FOREVER), Ok(8));
    report.same(
        "hiding it",
        sys::memory_unmap(ground.this, SHOWN, PAGE),
        Ok(()),
    );
    report.same("its end", sys::task_destroy(child), Ok(()));
    for right in [bell, second, page] {
        let _ = sys::right_drop(right);
    }
}
