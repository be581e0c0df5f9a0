//! Time, rest and a console for genesis itself, as soon as generated code gives them.

use crate::{arch, clock, idle, log, run, single::Single};
use abi::boot::vector;
use abi::inventory::Proof;
use alloc::boxed::Box;
use classes::direct::Direct;
use generator::{range, suppliers, Driver};

struct Clock {
    direct: &'static mut Direct<'static>,
    hz: u64,
    mask: u64,
    last: u64,
    /// Ticks passed, beyond the counter's own width.
    passed: u64,
    /// Nanoseconds that the clocks before it told.
    before: u64,
}

static CLOCK: Single<Option<Clock>> = Single::new(None);
/// Counter and nanoseconds when a clock of known rate began to tell the time.
static BEGAN: Single<Option<(u64, u64)>> = Single::new(None);
static CONSOLE: Single<Option<&'static mut Direct<'static>>> = Single::new(None);

/// Whether a clock of known rate tells the time.
pub fn timed() -> bool {
    CLOCK.with(|clock| clock.is_some())
}

/// The clock that was written last tells the time from now on: they come from the dearest to the cheapest.
pub fn clock(driver: &Driver) {
    let (Some(hz), Some(_)) = (driver.fact("hz").filter(|hz| *hz != 0), driver.entry("now")) else {
        return;
    };
    let width = driver.fact("width").unwrap_or(64).clamp(1, 64) as u32;
    let Some(direct) = run::lasting(driver) else {
        return;
    };
    let direct = Box::leak(Box::new(direct));
    let before = nanoseconds();
    let last = direct.call("now", [0; 4]).unwrap_or(0);
    CLOCK.with(|clock| {
        *clock = Some(Clock {
            direct,
            hz,
            mask: u64::MAX >> (64 - width),
            last,
            passed: 0,
            before,
        });
    });
    clock::set(nanoseconds);
    let ticks = arch::ticks();
    BEGAN.with(|began| *began = began.or(Some((ticks, before))));
}

/// Nanoseconds, and ticks of the processor's counter, that passed since there is a clock of known rate.
pub fn measured() -> Option<(u64, u64)> {
    let (ticks, ns) = BEGAN.with(|began| *began)?;
    Some((nanoseconds() - ns, arch::ticks() - ticks))
}

fn nanoseconds() -> u64 {
    CLOCK.with(|clock| {
        let Some(clock) = clock else { return 0 };
        let now = clock.direct.call("now", [0; 4]).unwrap_or(0);
        clock.passed += now.wrapping_sub(clock.last) & clock.mask;
        clock.last = now;
        clock.before + (u128::from(clock.passed) * 1_000_000_000 / u128::from(clock.hz)) as u64
    })
}

/// Where the drivers stand that wake the processor: the timer, the interrupt controller's part of this processor, and what
/// receives the timer's wire.
pub struct Wakers {
    timer: usize,
    vectors: usize,
    lines: Option<usize>,
}

/// Waits are at rest from now on, if what the nucleus would get wakes the processor. A timer is verified by that: its interrupt
/// came, twice.
pub fn rest(drivers: &mut [Driver]) -> Option<Wakers> {
    // A controller of which nobody knows what it lets through may interrupt at any time, with any vector.
    let unruly = |driver: &Driver| driver.choice.class == "lines" && !driver.usable();
    if drivers.iter().any(unruly) {
        return None;
    }
    let first = |class| suppliers(drivers, class).first().copied();
    let (timer, vectors) = (first("timer")?, first("vectors")?);
    let line = drivers[timer].fact("line");
    let lines = match line {
        None => None,
        Some(line) => {
            let has =
                |at: &usize| range(&drivers[*at]).is_some_and(|own| own.contains(&(line as u32)));
            Some(suppliers(drivers, "lines").into_iter().find(has)?)
        }
    };
    let wire = match (line, lines) {
        (Some(line), Some(at)) => Some((run::lasting(&drivers[at])?, line)),
        _ => None,
    };
    let started = idle::start(idle::Alarm {
        timer: run::lasting(&drivers[timer])?,
        vectors: run::lasting(&drivers[vectors])?,
        wire,
        number: line.unwrap_or(vector::TIMER),
        spurious: drivers[vectors].spurious(),
        hz: drivers[timer].fact("hz")?,
        most: drivers[timer].fact("most").filter(|most| *most != 0)?,
    });
    let driver = &mut drivers[timer];
    let name = &driver.name;
    match started {
        Ok(()) => {
            driver.proof = Proof::Verified;
            crate::log!("  {name}: its interrupt comes when it was asked for: verified");
            Some(Wakers {
                timer,
                vectors,
                lines,
            })
        }
        Err(why) => {
            driver.proof = Proof::Unverified(why.into());
            crate::log!("  {name}: {why}; waits look at the clock instead");
            None
        }
    }
}

/// Waits look at the clock again. What the drivers remember goes with them.
pub fn end_rest(wakers: &Wakers, drivers: &mut [Driver]) {
    let Some(alarm) = idle::end() else { return };
    drivers[wakers.timer].state = alarm.timer.state().to_vec();
    drivers[wakers.vectors].state = alarm.vectors.state().to_vec();
    if let (Some(at), Some((lines, _))) = (wakers.lines, alarm.wire) {
        drivers[at].state = lines.state().to_vec();
    }
}

/// What is logged goes out through the first serial driver from now on.
pub fn console(driver: &Driver) {
    if driver.entry("put").is_none() || CONSOLE.with(|console| console.is_some()) {
        return;
    }
    let Some(direct) = run::lasting(driver) else {
        return;
    };
    let direct = Box::leak(Box::new(direct));
    CONSOLE.with(|console| *console = Some(direct));
    log::console(put);
}

fn put(byte: u8) {
    CONSOLE.with(|console| {
        let Some(direct) = console else { return };
        if byte == b'\n' {
            direct.call("put", [u64::from(b'\r'), 0, 0, 0]);
        }
        direct.call("put", [u64::from(byte), 0, 0, 0]);
    });
}
