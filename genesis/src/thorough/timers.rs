//! A timer fires when it was asked to, once, the last time it was asked; and not when it was taken back.

use super::{text, Bench, Driver, Result};
use crate::{clock, run};
use abi::boot::vector;
use alloc::{format, string::String};
use classes::direct::Direct;

/// What it is asked for, in nanoseconds.
const ASKED: [u64; 3] = [50_000, 1_000_000, 20_000_000];
/// One part in so many that it may be early or late, since its rate may have been measured for a moment only …
const TOLERANCE: u64 = 64;
/// … and nanoseconds beside: the resolution of the clock, …
const EARLY: u64 = 2_000;
/// … and the way of the interrupt.
const LATE: u64 = 50_000;
/// How often it may be late because the host was busy.
const TRIES: u32 = 5;
/// Longer than it can take.
const PATIENCE: u64 = 1_000_000_000;

struct Timer<'b> {
    bench: &'b mut Bench,
    direct: Direct<'static>,
    /// The interrupt that it raises.
    number: u64,
    wired: bool,
    hz: u64,
    most: u64,
}

/// Tries one; the figures are how late it was.
pub fn run(bench: &mut Bench, driver: &Driver) -> Result<String> {
    let direct = run::lasting(driver).ok_or_else(|| text("the code does not fit its class"))?;
    // A timer whose interrupt comes by a wire has a line; another is told its vector.
    let line = driver.fact("line");
    if let Some(line) = line {
        bench.call("lines", "unmask", [line, 0, 0, 0, 0])?;
    }
    let mut timer = Timer {
        bench,
        direct,
        number: line.unwrap_or(vector::TIMER),
        wired: line.is_some(),
        hz: driver.fact("hz").unwrap_or(0).max(1),
        most: driver.fact("most").unwrap_or(0),
    };
    let tried = tries(&mut timer);
    timer.call("disarm", 0)?;
    if let Some(line) = line {
        timer.bench.call("lines", "mask", [line, 0, 0, 0, 0])?;
    }
    tried
}

fn tries(timer: &mut Timer) -> Result<String> {
    let mut told = text("late by");
    for ns in ASKED {
        let late = timer.fires(ns)?;
        told += &format!(" {late} ns of {ns},");
    }
    // The last word counts.
    timer.arm(ASKED[2])?;
    let (asked, start) = (timer.arm(ASKED[1])?, clock::now());
    let at = timer.comes(PATIENCE)?;
    timer
        .in_time(asked, at - start)
        .map_err(|why| format!("asked anew, {why}"))?;
    timer.bench.silent(2 * ASKED[2], "asked anew")?;
    timer.arm(ASKED[1])?;
    timer.call("disarm", 0)?;
    timer.bench.silent(3 * ASKED[1], "taken back")?;
    let ticks = timer.most;
    timer.call("arm", ticks)?;
    timer.bench.silent(ASKED[1], "asked for its longest time")?;
    Ok(told + " once, not when taken back")
}

impl Timer<'_> {
    fn call(&mut self, name: &str, argument: u64) -> Result<()> {
        match self.direct.call(name, [argument, 0, 0, 0]) {
            Some(abi::status::OK) => Ok(()),
            other => Err(format!("`{name}` gives {other:x?}")),
        }
    }

    /// Asks for an interrupt; in how many nanoseconds, by whole ticks.
    fn arm(&mut self, ns: u64) -> Result<u64> {
        let ticks = (u128::from(ns) * u128::from(self.hz) / 1_000_000_000) as u64;
        let ticks = ticks.clamp(1, self.most.max(1));
        self.call("arm", ticks)?;
        Ok((u128::from(ticks) * 1_000_000_000 / u128::from(self.hz)) as u64)
    }

    fn comes(&mut self, ns: u64) -> Result<u64> {
        let at = self.bench.comes(self.number, ns, "it was asked")?;
        // A timer on a wire raises it until it is armed anew or taken back, as whoever handles it does.
        if self.wired {
            self.call("disarm", 0)?;
        }
        self.bench.end(self.number)?;
        Ok(at)
    }

    /// How late it is.
    fn in_time(&self, asked: u64, passed: u64) -> Result<u64> {
        let slack = asked / TOLERANCE;
        if passed + slack + EARLY < asked {
            return Err(format!("it fired after {passed} ns, asked for {asked}"));
        }
        match passed.saturating_sub(asked) {
            late if late > slack + LATE => {
                Err(format!("it fired after {passed} ns, asked for {asked}"))
            }
            late => Ok(late),
        }
    }

    fn fires(&mut self, ns: u64) -> Result<u64> {
        let mut outcome = Ok(0);
        for _ in 0..TRIES {
            let start = clock::now();
            let asked = self.arm(ns)?;
            let passed = self.comes(PATIENCE)? - start;
            outcome = self.in_time(asked, passed);
            // Early is wrong at once.
            if outcome.is_ok() || passed < asked {
                break;
            }
        }
        let late = outcome?;
        self.bench.silent(2 * ns, "it had fired")?;
        Ok(late)
    }
}
