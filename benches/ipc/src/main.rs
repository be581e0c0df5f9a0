//! Measures the nucleus from a user program: prints `ipc.NAME VALUE`, guest instructions a round.
//!
//! Client and server are tasks of their own. Under `-icount shift=0,sleep=off` the counter of x86-64 counts
//! instructions; arm64's counts nanoseconds of the same clock in ticks of 16.
#![no_std]
#![no_main]

mod foreign;
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
mod machine;

use abi::layout::{self, PAGE};
use abi::system::{map, may, root, Handle};
use runtime::child::{self, Memory, Run};
use runtime::sys;

const ROUNDS: u64 = 4096;
const PRIORITY: u64 = 16;
/// Handles in the child's table, in the order in which they are given: 0 is its own task.
const PARENT: Handle = 1;
const BELL: Handle = 2;
const PING: Handle = 3;
const PONG: Handle = 4;
/// In the task that measures switches.
const PARTNER: Handle = 4;

runtime::program!(main);
fn main(_argument: u64) {
    let (this, right) = match runtime::startup() {
        Some(startup) => (startup.own_task, startup.memory),
        None => (root::SELF, root::MEMORY),
    };
    let mut memory = Memory { right, next: 0 };
    if let Err(error) = measure(this, &mut memory) {
        runtime::println!("ipc failed: {error:?}");
    }
    if runtime::startup().is_none() {
        let _ = sys::power_off(root::PLATFORM);
    }
    if let Some(manager) = runtime::startup().map(|startup| startup.manager) {
        let _ = sys::portal_call(manager, [abi::program::manager::OFF, 0, 0, 0, 0, 0, 0, 0]);
    }
}

/// Counter ticks a round of `what`, in instructions.
fn rounds(what: impl FnOnce(u64)) -> u64 {
    let start = machine::counter();
    what(ROUNDS);
    (machine::counter() - start) * machine::INSTRUCTIONS_A_TICK / ROUNDS
}

/// As [`rounds`], for one round.
fn each(mut what: impl FnMut()) -> u64 {
    rounds(|n| (0..n).for_each(|_| what()))
}

/// Prints what `what` costs beyond the loop around it.
fn figure(name: &str, overhead: u64, rounds: u64) {
    runtime::println!("ipc.{name} {}", rounds.saturating_sub(overhead));
}

fn measure(this: Handle, memory: &mut Memory) -> Result<(), abi::system::Error> {
    let [bell, ping, pong] = [
        sys::notification_create()?,
        sys::notification_create()?,
        sys::notification_create()?,
    ];
    let server = child::create(this, memory, PRIORITY + 2)?;
    for right in [this, bell, ping, pong] {
        sys::right_copy(server, right, may::ALL)?;
    }
    child::run::<Server>(server, 0, PRIORITY + 1)?;
    let portal = sys::wait(bell, sys::FOREVER)? as Handle;

    // Each loop without its system call, so that what remains is the call alone.
    let empty = rounds(|n| machine::calls::<false, 0>(portal.into(), n));
    figure(
        "portal_0w",
        empty,
        rounds(|n| machine::calls::<true, 0>(portal.into(), n)),
    );
    let empty = rounds(|n| machine::calls::<false, 4>(portal.into(), n));
    figure(
        "portal_4w",
        empty,
        rounds(|n| machine::calls::<true, 4>(portal.into(), n)),
    );
    let empty = rounds(|n| machine::calls::<false, 8>(portal.into(), n));
    figure(
        "portal_8w",
        empty,
        rounds(|n| machine::calls::<true, 8>(portal.into(), n)),
    );

    let empty = rounds(machine::nulls::<false>);
    figure("null_call", empty, rounds(machine::nulls::<true>));
    // What follows goes through the runtime's functions, whose own instructions are counted with the call's.
    let empty = each(|| {
        core::hint::black_box(0);
    });
    let quiet = each(|| {
        let _ = sys::notify(ping, 1);
    });
    figure("notify_no_waiter", empty, quiet);
    let _ = sys::wait(ping, 0);

    child::run::<Ponger>(server, 0, PRIORITY + 1)?;
    let pingpong = each(|| {
        let _ = sys::notify(ping, 1);
        let _ = sys::wait(pong, sys::FOREVER);
    });
    figure("notify_pingpong", empty, pingpong);
    // The ponger ends at this.
    sys::notify(ping, 2)?;

    sys::task_destroy(server)?;
    let start = memory.next;
    let plain = switch(this, memory, [bell, ping], empty, false)?;
    figure("thread_switch", 0, plain);
    memory.next = start;
    // What it costs more when both use floating-point registers between.
    let float = switch(this, memory, [bell, ping], empty, true)?;
    figure("fp_switch", plain, float);
    mappings(this, memory, empty)?;
    let now = each(|| {
        core::hint::black_box(sys::now());
    });
    figure("now", empty, now);
    foreign::measure(this, memory)
}

/// Two threads of two tasks at the same priority, above this one: each round is a switch there and one back. Of one.
fn switch(
    this: Handle,
    memory: &mut Memory,
    [bell, ping]: [Handle; 2],
    empty: u64,
    float: bool,
) -> Result<u64, abi::system::Error> {
    let partner = child::create(this, memory, PRIORITY + 2)?;
    let other = child::create(this, memory, PRIORITY + 2)?;
    if float {
        sys::float_allow(partner)?;
        sys::float_allow(other)?;
    }
    for right in [this, bell, ping] {
        sys::right_copy(partner, right, may::ALL)?;
        sys::right_copy(other, right, may::ALL)?;
    }
    sys::right_copy(other, partner, may::ALL)?;
    let argument = empty << 1 | u64::from(float);
    child::run::<Yielder>(other, argument, PRIORITY + 2)?;
    child::run::<Partner>(partner, argument, PRIORITY + 2)?;
    let cost = sys::wait(bell, sys::FOREVER)?;
    sys::task_destroy(other)?;
    Ok(cost)
}

/// One page mapped at each page of a table's reach, the table being there already.
fn mappings(this: Handle, memory: &mut Memory, empty: u64) -> Result<(), abi::system::Error> {
    const PAGES: u64 = 512;
    let page = memory.take(PAGE)?;
    let at = |n: u64| layout::MODULES + n * PAGE;
    sys::memory_map(this, page, 0, PAGE, at(0), map::WRITE)?;
    sys::memory_unmap(this, at(0), PAGE)?;
    let start = machine::counter();
    for n in 0..PAGES {
        sys::memory_map(this, page, 0, PAGE, at(n), map::WRITE)?;
    }
    let middle = machine::counter();
    for n in 0..PAGES {
        sys::memory_unmap(this, at(n), PAGE)?;
    }
    let end = machine::counter();
    for (name, ticks) in [("map", middle - start), ("unmap", end - middle)] {
        figure(name, empty, ticks * machine::INSTRUCTIONS_A_TICK / PAGES);
    }
    // A thousand mappings by a right that was made from another are taken back with it.
    const MANY: u64 = 1000;
    let copy = sys::right_copy(this, page, may::ALL)?;
    for n in 0..MANY {
        sys::memory_map(this, copy, 0, PAGE, at(n), map::WRITE)?;
    }
    let start = machine::counter();
    sys::memory_revoke(page)?;
    let ticks = machine::counter() - start;
    figure(
        "revoke_1000",
        0,
        ticks * machine::INSTRUCTIONS_A_TICK / MANY,
    );
    Ok(())
}

/// Offers a portal that answers at once.
struct Server;

impl Run for Server {
    fn run(_argument: u64) {
        let stack = abi::layout::STACK_TOP - 0x2000;
        let portal = sys::portal_create(machine::answer as *const () as u64, stack, 0);
        let given = portal.and_then(|portal| sys::right_copy(PARENT, portal, may::ALL));
        let _ = sys::notify(BELL, given.unwrap_or(0).into());
    }
}

/// Answers each ping.
struct Ponger;

impl Run for Ponger {
    fn run(_argument: u64) {
        while sys::wait(PING, sys::FOREVER) == Ok(1) {
            let _ = sys::notify(PONG, 1);
        }
    }
}

/// Measures yielding to its partner, whose task it ends then. The argument: what a round costs without yielding, times two, and
/// whether to use floating point between.
struct Yielder;

impl Run for Yielder {
    fn run(argument: u64) {
        let _ = sys::wait(PING, sys::FOREVER);
        let round = match argument & 1 {
            0 => each(sys::yield_now),
            _ => each(|| {
                machine::touch();
                sys::yield_now();
            }),
        };
        let round = round.saturating_sub(argument >> 1);
        let _ = sys::task_destroy(PARTNER);
        let _ = sys::notify(BELL, round / 2);
    }
}

/// Starts the one that measures, and yields to it for ever.
struct Partner;

impl Run for Partner {
    fn run(argument: u64) {
        let _ = sys::notify(PING, 1);
        loop {
            if argument & 1 != 0 {
                machine::touch();
            }
            sys::yield_now();
        }
    }
}
