//! Time: nanoseconds from the generated clock, and the generated timer armed for time slices and deadlines.

use crate::{platform, STATE};
use abi::boot::{operation, BootInfo};
use core::cell::Cell;
use nucleus_core::{
    kernel::Kernel,
    time::{Counter, Ratio},
};

/// Nanoseconds a thread runs before the next of its priority.
const SLICE: u64 = 10_000_000;

#[derive(Clone, Copy, PartialEq)]
enum Armed {
    No,
    /// For the end of a slice, at most.
    Slice,
    /// For the next deadline: nobody runs.
    Far,
}

struct Clock {
    counter: Counter,
    to_nanoseconds: Cell<Ratio>,
    to_ticks: Cell<Ratio>,
    /// Nanoseconds between readings that the counter needs.
    longest: Cell<u64>,
    most: Cell<u64>,
    /// There is a timer, and something that brings its interrupt to the processor.
    wakes: Cell<bool>,
    armed: Cell<Armed>,
    until: Cell<u64>,
}

// SAFETY: private to this module, whose functions run in the nucleus alone.
static CLOCK: Kernel<Clock> = unsafe {
    Kernel::new(Clock {
        counter: Counter::new(),
        to_nanoseconds: Cell::new(Ratio::new(0, 1)),
        to_ticks: Cell::new(Ratio::new(0, 1)),
        longest: Cell::new(u64::MAX),
        most: Cell::new(1),
        wakes: Cell::new(false),
        armed: Cell::new(Armed::No),
        until: Cell::new(u64::MAX),
    })
};

pub fn start(boot: &BootInfo) {
    CLOCK.to_nanoseconds.set(Ratio::nanoseconds(boot.clock_hz));
    CLOCK.to_ticks.set(Ratio::ticks(boot.timer_hz));
    CLOCK.most.set(boot.timer_most.max(1));
    CLOCK
        .wakes
        .set(platform::bound(operation::TIMER_ARM) && platform::bound(operation::VECTORS_END));
    if platform::bound(operation::CLOCK_NOW) {
        CLOCK.counter.start(boot.clock_bits, platform::clock_now());
        CLOCK
            .longest
            .set(CLOCK.to_nanoseconds.get().of(CLOCK.counter.period() / 2));
    }
}

/// Nanoseconds since the nucleus started; 0 for ever on a machine without a clock.
pub fn now() -> u64 {
    if !platform::bound(operation::CLOCK_NOW) {
        return 0;
    }
    CLOCK
        .to_nanoseconds
        .get()
        .of(CLOCK.counter.read(platform::clock_now()))
}

fn arm(now: u64, until: u64, armed: Armed) {
    CLOCK.armed.set(armed);
    CLOCK.until.set(until);
    if CLOCK.wakes.get() {
        let ticks = CLOCK.to_ticks.get().of(until.saturating_sub(now));
        platform::timer_arm(ticks.saturating_add(1).min(CLOCK.most.get()));
    }
}

fn next_deadline() -> u64 {
    STATE
        .sleepers
        .first()
        .map_or(u64::MAX, |thread| thread.deadline.get())
}

/// Somebody is about to run: the timer must end the slice.
pub fn running() {
    if CLOCK.armed.get() != Armed::Slice {
        let now = now();
        arm(
            now,
            next_deadline().min(now.saturating_add(SLICE)),
            Armed::Slice,
        );
    }
}

/// Nobody can run. False if that may have changed meanwhile.
pub fn sleeping() -> bool {
    let deadline = next_deadline();
    let now = now();
    if deadline <= now {
        STATE.expire(now);
        return false;
    }
    if !CLOCK.wakes.get() {
        // Nothing will interrupt: deadlines are watched by looking at the clock.
        return deadline == u64::MAX;
    }
    let until = deadline.min(now.saturating_add(CLOCK.longest.get()));
    if until == u64::MAX {
        if CLOCK.armed.replace(Armed::No) != Armed::No && platform::bound(operation::TIMER_DISARM) {
            platform::timer_disarm();
        }
    } else {
        arm(now, until, Armed::Far);
    }
    true
}

/// A thread waits until then: the timer must not be later.
pub fn deadline(deadline: u64) {
    if deadline < CLOCK.until.get() {
        arm(now(), deadline, CLOCK.armed.get());
    }
}

/// The timer fired.
pub fn tick() {
    CLOCK.armed.set(Armed::No);
    CLOCK.until.set(u64::MAX);
    STATE.expire(now());
    STATE.rotate();
}
