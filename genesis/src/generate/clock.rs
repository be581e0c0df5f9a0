//! Time, and a console, as soon as generated code gives them.

use super::Driver;
use crate::{arch, log, single::Single};
use abi::context::Context;
use alloc::boxed::Box;
use classes::direct::Direct;
use machine::Machine;

struct Clock {
    direct: &'static mut Direct<'static>,
    hz: u64,
    mask: u64,
    last: u64,
    /// Ticks counted beyond the counter's own width.
    passed: u64,
}

static CLOCK: Single<Option<Clock>> = Single::new(None);
static CONSOLE: Single<Option<&'static mut Direct<'static>>> = Single::new(None);

/// From now on this clock tells the time.
pub fn start(driver: &Driver) {
    let (Some(hz), Some(_)) = (driver.fact("hz").filter(|hz| *hz != 0), driver.entry("now")) else { return };
    let width = driver.fact("width").unwrap_or(64).clamp(1, 64) as u32;
    let Some(direct) = super::prove::direct(&driver.written, &driver.code) else { return };
    CLOCK.with(|clock| {
        if clock.is_none() {
            let direct = Box::leak(Box::new(direct));
            let last = direct.call("now", [0; 4]).unwrap_or(0);
            *clock = Some(Clock { direct, hz, mask: u64::MAX >> (64 - width), last, passed: 0 });
        }
    });
}

/// What is logged goes out through this driver from now on.
pub fn console(driver: &Driver, _machine: &Machine) {
    if driver.entry("put").is_none() {
        return;
    }
    let Some(direct) = super::prove::direct(&driver.written, &driver.code) else { return };
    let fresh = CONSOLE.with(|console| {
        let fresh = console.is_none();
        if fresh {
            *console = Some(Box::leak(Box::new(direct)));
        }
        fresh
    });
    if fresh {
        log::console(put);
    }
}

fn put(byte: u8) {
    CONSOLE.with(|console| {
        if let Some(direct) = console {
            if byte == b'\n' {
                direct.call("put", [13, 0, 0, 0]);
            }
            direct.call("put", [u64::from(byte), 0, 0, 0]);
        }
    });
}

/// Nanoseconds since the clock was found; before that, processor ticks stand for them.
pub fn nanoseconds() -> u64 {
    CLOCK.with(|clock| match clock {
        Some(clock) => {
            let now = clock.direct.call("now", [0; 4]).unwrap_or(0);
            clock.passed += now.wrapping_sub(clock.last) & clock.mask;
            clock.last = now;
            (u128::from(clock.passed) * 1_000_000_000 / u128::from(clock.hz)) as u64
        }
        None => arch::ticks(),
    })
}

pub fn pause(ns: u64) {
    let start = nanoseconds();
    while nanoseconds().wrapping_sub(start) < ns {
        core::hint::spin_loop();
    }
}

pub extern "C" fn context_clock(_: *mut Context) -> u64 {
    nanoseconds()
}

pub extern "C" fn context_pause(_: *mut Context, ns: u64) {
    pause(ns);
}
