//! Time and a console for genesis itself, as soon as generated code gives them.

use super::{prove, Driver};
use crate::{clock, log, single::Single};
use alloc::boxed::Box;
use classes::direct::Direct;

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
    let Some(mut direct) = prove::direct(&driver.written, &driver.code) else {
        return;
    };
    direct.resume(&driver.state);
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

/// What is logged goes out through the first serial driver from now on.
pub fn console(driver: &Driver) {
    if driver.entry("put").is_none() || CONSOLE.with(|console| console.is_some()) {
        return;
    }
    let Some(mut direct) = prove::direct(&driver.written, &driver.code) else {
        return;
    };
    direct.resume(&driver.state);
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
