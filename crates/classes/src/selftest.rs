//! The self-tests: written once per class, run on the real device before a driver is installed.
//!
//! Each is a client of the pump, polls instead of waiting for interrupts, and has an error case, since recovery
//! written from memory is wrong. None writes to a disk. What no peer answered is *unverified*, not rejected.
//!
//! ```text
//! let area = unsafe { Area::new(memory_for_rings) };
//! let mut pump = Pump::new(class, facts, residual, upcalls, memory, area.driver())?;
//! match selftest::run(&mut pump, area.client(), Effort::Quick) { … }
//! ```

mod beside;
mod block;
mod bus;
pub mod clock;
mod entropy;
mod framebuffer;
mod input;
mod lines;
mod nic;
mod serial;
pub mod timer;
mod watchdog;

use self::beside::Beside;
use crate::direct::Direct;
use crate::facts::Class;
use crate::pump::{Failure, Pump};
use crate::ring::Client;
use abi::ring::{done, Entry};
use core::fmt;

/// Bytes of pool that every self-test gets along with.
pub const POOL: usize = 64 * 1024;
/// Nothing takes longer than this on a device that works.
const PATIENCE: u64 = 1_000_000_000;
/// Longer than any rule lets a request rest.
const BOUND: u64 = 60_000_000_000;
/// Between two looks.
const STEP: u64 = 10_000;
/// Between two looks at what did not work.
const LONG_STEP: u64 = 500_000_000;

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// At boot.
    Quick,
    /// On the host, and at boot where `thorough` asks for it: also fills the device's queues, goes to the limits of what may be
    /// asked, and looks at what lies beside the buffers.
    Thorough,
    /// On a device that is made to fail: waits for longer than any rule lets a request rest.
    Patient,
}

impl Effort {
    fn patience(self) -> u64 {
        match self {
            Effort::Quick | Effort::Thorough => PATIENCE,
            Effort::Patient => BOUND,
        }
    }
}

/// What the test says about the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Verified,
    /// Installed all the same.
    Unverified(&'static str),
    /// Not installed.
    Rejected(Reason),
}

/// Why a driver is not installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It failed by itself.
    Driver(Failure),
    /// What was accepted was not answered in time.
    Silent(&'static str),
    /// It was not accepted either: there was no room, all the time.
    Busy(&'static str),
    /// It came, and was not right.
    Wrong(&'static str),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Reason::Driver(failure) => write!(f, "{failure}"),
            Reason::Silent(what) => write!(f, "no answer in time: {what}"),
            Reason::Busy(what) => write!(f, "busy all the time: {what}"),
            Reason::Wrong(what) => write!(f, "{what}"),
        }
    }
}

/// Starts the driver and tries it. The pool is the test's; what it held is lost. In the end the device is quiet, so that its
/// memory may be given to others, and the driver has to be started before it is used. On the host it also has to start once
/// more after its work, and to come to rest from there.
pub fn run(pump: &mut Pump, client: Client, effort: Effort) -> Outcome {
    if pump.pool().size() < POOL {
        return Outcome::Rejected(Reason::Wrong("the self-test was given too small a pool"));
    }
    if let Err(failure) = pump.start() {
        return Outcome::Rejected(Reason::Driver(failure));
    }
    let outcome = serves(pump, client, effort);
    let again = match effort {
        Effort::Quick => Ok(()),
        Effort::Thorough | Effort::Patient => pump.start(),
    };
    match again.and_then(|()| pump.quiet()) {
        Ok(()) => outcome,
        Err(failure) => match outcome {
            rejected @ Outcome::Rejected(_) => rejected,
            _ => Outcome::Rejected(Reason::Driver(failure)),
        },
    }
}

/// Tries a driver that was started, and leaves it as it is. Answers to others are lost.
pub fn serves(pump: &mut Pump, mut client: Client, effort: Effort) -> Outcome {
    while client.take().is_some() {}
    let class = pump.class();
    let pool = pump.pool();
    let mut bench = Bench {
        pump,
        client,
        patience: effort.patience(),
        ticket: 0,
        unit: 0,
        beside: (effort == Effort::Thorough).then(|| Beside::begin(&pool)),
    };
    let outcome = match class {
        Class::Serial => serial::run(&mut bench),
        Class::Nic => nic::run(&mut bench, effort),
        Class::Block => block::run(&mut bench),
        Class::Entropy => entropy::run(&mut bench),
        Class::Watchdog => watchdog::run(&mut bench),
        Class::Framebuffer => framebuffer::run(&mut bench),
        Class::Input => input::run(&mut bench),
        Class::Bus => bus::run(&mut bench),
    };
    let harmed = bench.beside.as_ref().is_some_and(|b| b.harmed(&pool));
    let beside = Reason::Wrong("memory beside a buffer was written to");
    let outcome = match (outcome, harmed) {
        (Ok(_), true) => Err(beside),
        (outcome, _) => outcome,
    };
    outcome.unwrap_or_else(|reason| match reason {
        Reason::Silent(what) if pump.resting() == 0 => Outcome::Rejected(Reason::Busy(what)),
        reason => Outcome::Rejected(reason),
    })
}

/// Tries a driver of a direct class that was started; `None` if the class has no self-test.
///
/// `fact`: the driver's facts. `compare`: the clock of the surroundings is another one of known rate, so a clock's rate is
/// compared with it.
pub fn direct(
    class: &str,
    driver: &mut Direct,
    fact: &dyn Fn(&str) -> Option<u64>,
    compare: bool,
) -> Option<Outcome> {
    match class {
        "clock" => Some(clock::run(driver, clock::Rate::of(fact), compare)),
        "timer" => Some(timer::run(driver, timer::far(fact("most"), fact("hz")))),
        "lines" => Some(lines::run(driver)),
        "calendar" => Some(clock::calendar(driver)),
        _ => None,
    }
}

/// The test's side of a driver.
struct Bench<'a> {
    pump: &'a mut Pump,
    client: Client,
    /// How long an answer is waited for, in nanoseconds.
    patience: u64,
    ticket: u32,
    /// The instance that is asked.
    unit: u64,
    /// What of the pool is nobody's, in a thorough test.
    beside: Option<Beside>,
}

impl Bench<'_> {
    /// Hands a request over; its ticket.
    fn ask(&mut self, kind: u16, offset: u32, length: u32, value: u64) -> Result<u32, Reason> {
        self.ticket += 1;
        let before = self.pump.facts().headroom;
        if let Some(beside) = &mut self.beside {
            let begin = u64::from(offset).saturating_sub(before);
            beside.is_used(begin, u64::from(offset) + u64::from(length));
        }
        let put = self.client.put(Entry {
            kind,
            ticket: self.ticket,
            offset,
            length,
            value,
            unit: self.unit,
            ..Entry::default()
        });
        self.client.publish();
        match put {
            true => Ok(self.ticket),
            false => Err(Reason::Wrong("the ring of requests stays full")),
        }
    }

    /// Polls the device once.
    fn poll(&mut self) -> Result<(), Reason> {
        self.pump.turn(true);
        match self.pump.failure() {
            Some(failure) => Err(Reason::Driver(failure)),
            None => Ok(()),
        }
    }

    /// The first answer that `wanted` accepts, or `None` when `patience` nanoseconds have passed.
    fn answer(
        &mut self,
        patience: u64,
        mut wanted: impl FnMut(&Entry) -> bool,
    ) -> Result<Option<Entry>, Reason> {
        let start = self.pump.clock();
        loop {
            let waited = self.pump.clock().saturating_sub(start);
            let late = waited > patience;
            self.poll()?;
            while let Some(entry) = self.client.take() {
                if wanted(&entry) {
                    return Ok(Some(entry));
                }
            }
            if late {
                return Ok(None);
            }
            let step = if waited > PATIENCE { LONG_STEP } else { STEP };
            self.pump.pause(step);
        }
    }

    /// Whether the request was carried out.
    fn finished(&mut self, ticket: u32, what: &'static str) -> Result<bool, Reason> {
        let mine = |entry: &Entry| entry.kind == done::FINISHED && entry.ticket == ticket;
        match self.answer(self.patience, mine)? {
            Some(entry) => Ok(entry.ok == 1),
            None => Err(Reason::Silent(what)),
        }
    }
}
