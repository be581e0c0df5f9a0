//! Waiting with the processor at rest: a generated timer ends the wait, once timer and interrupt controller are written.
//!
//! What waits for a device would otherwise look at the clock again and again. That costs power on a machine, and in an
//! emulator that counts instructions it makes the count depend on how fast the host answers.

use crate::{arch, clock, single::Single};
use abi::{boot::NO_VECTOR, status};
use alloc::boxed::Box;
use classes::direct::Direct;

/// What is asked of the timer to see whether its interrupt comes, in nanoseconds …
const TRIED: u64 = 20_000;
/// … and how long that may take: a host that is busy may keep an emulated timer waiting. Where it comes, no longer is waited.
const PATIENCE: u64 = 50_000_000;
/// A shorter wait is not worth an interrupt.
const SHORTEST: u64 = 2_000;

/// What ends a wait.
pub struct Alarm {
    pub timer: Direct<'static>,
    pub vectors: Direct<'static>,
    /// What receives the timer's wire, and its line; a timer without one has a vector of its own.
    pub wire: Option<(Direct<'static>, u64)>,
    /// As which its interrupt comes.
    pub number: u64,
    /// The number, beside all ones, that means that there was no interrupt.
    pub spurious: u64,
    /// Ticks a second, and the longest time in ticks.
    pub hz: u64,
    pub most: u64,
}

static ALARM: Single<Option<Box<Alarm>>> = Single::new(None);

/// From now on waits are at rest, if the timer's interrupt comes when it is tried.
pub fn start(mut alarm: Alarm) -> Result<(), &'static str> {
    alarm.let_through("unmask")?;
    match alarm.tried() {
        Ok(()) => {
            ALARM.with(|kept| *kept = Some(Box::new(alarm)));
            Ok(())
        }
        Err(why) => {
            alarm.call("disarm", 0);
            alarm.let_through("mask")?;
            Err(why)
        }
    }
}

/// Waits look at the clock again. Gives back what was lent, with its line masked.
pub fn end() -> Option<Box<Alarm>> {
    let mut alarm = ALARM.with(Option::take)?;
    alarm.call("disarm", 0);
    // A line that cannot be masked is the nucleus's to mask.
    let _ = alarm.let_through("mask");
    Some(alarm)
}

/// Rests for at most so many nanoseconds; false when there is nothing that would end it. An interrupt of something else
/// ends it sooner.
pub fn rest(ns: u64) -> bool {
    if ns < SHORTEST {
        return false;
    }
    // Taken out meanwhile: should generated code of the alarm itself wait, it looks at the clock.
    let Some(mut alarm) = ALARM.with(Option::take) else {
        return false;
    };
    let asked = alarm.ask(ns);
    if asked {
        let seen = arch::rest();
        alarm.answer(seen);
    }
    ALARM.with(|kept| *kept = Some(alarm));
    asked
}

impl Alarm {
    /// Whether the operation succeeded.
    fn call(&mut self, name: &str, argument: u64) -> bool {
        self.timer.call(name, [argument, 0, 0, 0]) == Some(status::OK)
    }

    /// Asks for an interrupt in so many nanoseconds, or a tick later.
    fn ask(&mut self, ns: u64) -> bool {
        let ticks = (u128::from(ns) * u128::from(self.hz)).div_ceil(1_000_000_000) as u64;
        self.call("arm", ticks.clamp(1, self.most))
    }

    /// Masks or unmasks the timer's line.
    fn let_through(&mut self, name: &str) -> Result<(), &'static str> {
        match &mut self.wire {
            None => Ok(()),
            Some((lines, line)) => match lines.call(name, [*line, 0, 0, 0]) {
                Some(status::OK) => Ok(()),
                _ => Err("its line cannot be masked and unmasked"),
            },
        }
    }

    /// The number of an interrupt that was let in: the processor told it, or its controller is asked.
    fn taken(&mut self, seen: Option<u64>) -> Option<u64> {
        let number = match seen {
            Some(vector) => vector,
            None => self.vectors.call("take", [0; 4])?,
        };
        (number != NO_VECTOR && number != self.spurious).then_some(number)
    }

    /// Takes an interrupt that was let in, if one was, and takes the timer back: on a wire, it raises that until then. Gives the
    /// interrupt's number.
    fn answer(&mut self, seen: Option<Option<u64>>) -> Option<u64> {
        let number = seen.and_then(|seen| self.taken(seen));
        self.call("disarm", 0);
        if let Some(number) = number {
            self.vectors.call("end", [number, 0, 0, 0]);
        }
        number
    }

    /// Asks twice, and watches the clock meanwhile: at rest, an interrupt that does not come would be waited for for ever.
    /// The second one comes only if the controller has taken the end of the first for one.
    fn tried(&mut self) -> Result<(), &'static str> {
        self.tried_once()?;
        self.tried_once()
    }

    fn tried_once(&mut self) -> Result<(), &'static str> {
        if !self.ask(TRIED) {
            return Err("it cannot be armed");
        }
        let until = clock::now().saturating_add(PATIENCE);
        let seen = arch::interrupt(|| clock::now() >= until);
        match self.answer(seen) {
            Some(number) if number == self.number => Ok(()),
            Some(_) => Err("another interrupt came instead of its own"),
            None => Err("its interrupt does not come"),
        }
    }
}
