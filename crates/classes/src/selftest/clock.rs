//! clock and calendar, direct classes: time goes forward, at the rate that is claimed, and a calendar says a date that
//! can be.

use super::{Outcome, Reason};
use crate::direct::Direct;

/// Looks at the clock.
const LOOKS: u32 = 100_000;
/// Looks in which it has to move.
const MOVES: u32 = 16;
/// Nanoseconds over which rates are compared …
const SPAN: u64 = 1_000_000;
/// … and how often that is tried, when the comparison itself was held up.
const TRIES: u32 = 8;
/// One part in so many that rates may differ: an oscillator's error and a measurement's are far smaller.
const TOLERANCE: u64 = 64;

/// How a clock counts.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Ticks a second.
    pub hz: u64,
    /// Bits before it wraps.
    pub width: u32,
}

impl Rate {
    /// As the driver's facts `hz` and `width` have it; 0 Hz: they state none.
    pub fn of(fact: &dyn Fn(&str) -> Option<u64>) -> Rate {
        Rate {
            hz: fact("hz").unwrap_or(0),
            width: fact("width").map_or(64, |bits| bits.min(64) as u32),
        }
    }

    fn mask(self) -> u64 {
        u64::MAX >> (64 - self.width.clamp(1, 64))
    }

    fn nanoseconds(self, ticks: u64) -> u64 {
        let ns = u128::from(ticks) * 1_000_000_000 / u128::from(self.hz.max(1));
        u64::try_from(ns).unwrap_or(u64::MAX)
    }
}

/// `compare`: the clock of the surroundings is another one of known rate.
pub fn run(clock: &mut Direct, rate: Rate, compare: bool) -> Outcome {
    let tried = goes_forward(clock, rate).and_then(|()| match compare {
        true => agrees(clock, rate),
        false => Ok(Outcome::Verified),
    });
    tried.unwrap_or_else(Outcome::Rejected)
}

fn now(clock: &mut Direct, rate: Rate) -> u64 {
    clock.call("now", [0; 4]).unwrap_or(0) & rate.mask()
}

/// Never back, and forward now and then.
fn goes_forward(clock: &mut Direct, rate: Rate) -> Result<(), Reason> {
    if rate.hz == 0 {
        return Err(Reason::Wrong("the clock states no rate"));
    }
    let mut last = now(clock, rate);
    let mut moved = 0;
    for _ in 0..LOOKS {
        let next = now(clock, rate);
        let passed = next.wrapping_sub(last) & rate.mask();
        if passed > rate.mask() / 2 {
            return Err(Reason::Wrong("the clock went back"));
        }
        moved += u32::from(passed > 0);
        last = next;
        if moved == MOVES {
            return Ok(());
        }
    }
    Err(Reason::Wrong("the clock stands still"))
}

/// One reading, between two of the other clock.
struct Look {
    before: u64,
    ticks: u64,
    after: u64,
}

fn look(clock: &mut Direct, rate: Rate) -> Look {
    let before = clock.clock();
    let ticks = now(clock, rate);
    let after = clock.clock();
    Look {
        before,
        ticks,
        after,
    }
}

/// The time that passed by this clock lies between the least and the most that can have passed by the other.
fn agrees(clock: &mut Direct, rate: Rate) -> Result<Outcome, Reason> {
    let period = rate.nanoseconds(rate.mask());
    for _ in 0..TRIES {
        let first = look(clock, rate);
        clock.pause(SPAN);
        let second = look(clock, rate);
        let least = second.before.saturating_sub(first.after);
        let most = second.after.saturating_sub(first.before);
        if most - least > most / TOLERANCE || most > period / 2 {
            continue;
        }
        let ticks = second.ticks.wrapping_sub(first.ticks) & rate.mask();
        let passed = rate.nanoseconds(ticks);
        let slack = most / TOLERANCE + 2 * rate.nanoseconds(1);
        return match (passed + slack < least, passed > most + slack) {
            (false, false) => Ok(Outcome::Verified),
            (true, _) => Err(Reason::Wrong("it is slower than the clock before it")),
            (_, true) => Err(Reason::Wrong("it is faster than the clock before it")),
        };
    }
    Ok(Outcome::Unverified(
        "it goes forward; its rate could not be compared in peace",
    ))
}

/// 2020 and 2200 begin.
const POSSIBLE: core::ops::Range<u64> = 1_577_836_800..7_258_118_400;

/// A calendar says a date that can be, and a second one that is not before it.
pub fn calendar(calendar: &mut Direct) -> Outcome {
    let first = calendar.call("now", [0; 4]).unwrap_or(0);
    let second = calendar.call("now", [0; 4]).unwrap_or(0);
    match (first, second) {
        (0, _) | (_, 0) => Outcome::Unverified("it does not know the date"),
        (first, second) if second < first => {
            Outcome::Rejected(Reason::Wrong("the calendar went back"))
        }
        (first, _) if !POSSIBLE.contains(&first) => {
            Outcome::Unverified("its date cannot be; its battery may have been empty")
        }
        _ => Outcome::Verified,
    }
}
