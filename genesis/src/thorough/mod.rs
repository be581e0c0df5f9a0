//! `thorough` on the command line: what drives the processor's own time and interrupts is tried with interrupts let in,
//! one at a time, before it is installed.
//!
//! This asserts what a class promises and the self-test cannot see: that clocks agree, that a timer fires when it was
//! asked to, once, and not when it was taken back; that an interrupt that has not been ended keeps others away; that a
//! masked line is silent and another comes as the vector it was routed to. A driver that fails is rejected.

mod clocks;
mod lines;
mod timers;
mod vectors;

use crate::{arch, clock, run};
use abi::boot::NO_VECTOR;
use abi::inventory::Proof;
use abi::status;
use alloc::vec::Vec;
use alloc::{
    format,
    string::{String, ToString},
};
use classes::direct::Direct;
use core::ops::Range;
use generator::{range, suppliers, Driver};
use machine::Machine;

/// What a try came to; the text is figures, or what was wrong.
enum Tried {
    Passed(String),
    Failed(String),
    /// Why it could not be tried.
    LeftOut(String),
}

type Result<T> = core::result::Result<T, String>;

impl From<Result<String>> for Tried {
    fn from(result: Result<String>) -> Tried {
        result.map_or_else(Tried::Failed, Tried::Passed)
    }
}

/// Tries clocks, timers, the interrupt controllers, and says what came of it.
///
/// `first`: the interrupt of the first message that devices send.
pub fn thorough(drivers: &mut [Driver], machine: &Machine, first: u64) {
    let mut count = [0; 3];
    let mut note = |driver: &mut Driver, tried: Tried| {
        let (at, word, text) = match tried {
            Tried::Passed(text) => {
                driver.proof = Proof::Verified;
                (0, "passed", text)
            }
            Tried::Failed(text) => {
                driver.proof = Proof::Rejected(text.clone());
                (1, "FAILED", text)
            }
            Tried::LeftOut(text) => (2, "left out", text),
        };
        count[at] += 1;
        crate::log!("  thorough: {} {word}: {text}", driver.name);
    };
    for (at, tried) in clocks::run(drivers) {
        note(&mut drivers[at], tried);
    }
    let mut bench = Bench::new(drivers, machine);
    // What receives interrupts comes first: nothing is to be said of the others without it.
    let received = bench.place("vectors", 0).map(|at| {
        let tried: Tried = vectors::run(&mut bench).into();
        let passed = matches!(tried, Tried::Passed(_));
        note(&mut drivers[at], tried);
        passed
    });
    let deaf = (received != Some(true)).then_some("interrupts are not received as they should be");
    for driver in drivers.iter_mut() {
        if driver.choice.class == "timer" && driver.usable() {
            let tried = match deaf {
                Some(why) => Tried::LeftOut(text(why)),
                None => timers::run(&mut bench, driver).into(),
            };
            note(driver, tried);
        }
    }
    let line = lines::tried(drivers, machine).unwrap_or(0);
    if let Some(at) = bench.place("lines", line) {
        let tried = match deaf {
            Some(why) => Tried::LeftOut(text(why)),
            None => lines::run(&mut bench, drivers, machine),
        };
        note(&mut drivers[at], tried);
    }
    let messages = suppliers(drivers, synthesis::MESSAGES);
    if let Some(at) = messages.first().copied() {
        let tried = match deaf {
            Some(why) => Tried::LeftOut(text(why)),
            None => lines::messages(&mut bench, drivers, first),
        };
        note(&mut drivers[at], tried);
    }
    bench.keep(drivers);
    let [passed, failed, left_out] = count;
    crate::log!("  thorough: {passed} passed, {failed} failed, {left_out} left out");
}

/// One driver of a direct class, going on where its proof left it.
struct Part {
    /// Which driver it is.
    at: usize,
    class: &'static str,
    direct: Direct<'static>,
    /// Of several that receive wires: those of this one.
    lines: Option<Range<u32>>,
}

/// What receives interrupts here: the drivers that the nucleus would get.
struct Bench {
    parts: Vec<Part>,
    /// Whom interrupts are sent to: this processor.
    cpu: u64,
    /// The number, beside all ones, that means that there was no interrupt.
    spurious: u64,
    /// Lines below this have the vector that their controller gives them.
    fixed: u64,
}

impl Bench {
    fn new(drivers: &[Driver], machine: &Machine) -> Bench {
        let parts = |class: &'static str| {
            let all = suppliers(drivers, class).into_iter();
            all.filter_map(move |at| {
                let direct = run::lasting(&drivers[at])?;
                let lines = range(&drivers[at]);
                Some(Part {
                    at,
                    class,
                    direct,
                    lines,
                })
            })
        };
        let parts: Vec<Part> = parts("vectors").take(1).chain(parts("lines")).collect();
        Bench {
            cpu: machine.cpus.first().map_or(0, |cpu| cpu.id),
            spurious: parts
                .first()
                .map_or(NO_VECTOR, |part| drivers[part.at].spurious()),
            fixed: (parts
                .iter()
                .filter_map(|part| drivers[part.at].fact("fixed")))
            .max()
            .unwrap_or(0),
            parts,
        }
    }

    fn part(&mut self, class: &str) -> Option<&mut Part> {
        self.parts.iter_mut().find(|part| part.class == class)
    }

    /// Which driver serves the class, for this line if it receives wires.
    fn place(&self, class: &str, line: u32) -> Option<usize> {
        self.which(class, line).map(|at| self.parts[at].at)
    }

    /// The part that has a line; the first of its class, if none says so.
    fn which(&self, class: &str, line: u32) -> Option<usize> {
        let own = |part: &Part| part.lines.as_ref().is_some_and(|own| own.contains(&line));
        let all = (0..self.parts.len()).filter(|at| self.parts[*at].class == class);
        let having = all.clone().find(|at| own(&self.parts[*at]));
        having.or_else(|| all.clone().next())
    }

    /// Calls an operation that gives a status.
    fn call(&mut self, class: &str, name: &str, words: [u64; 5]) -> Result<()> {
        let at = self
            .which(class, words[0] as u32)
            .ok_or_else(|| format!("there is no driver of class {class}"))?;
        let part = &mut self.parts[at];
        match part.direct.call_with(name, words) {
            Some(status::OK) => Ok(()),
            Some(status) => Err(format!("`{name}` gives status {status:#x}")),
            None => Err(format!("it has no `{name}`")),
        }
    }

    /// Sends this processor an interrupt.
    fn send(&mut self, vector: u64) -> Result<()> {
        let cpu = self.cpu;
        self.call("vectors", "send", [cpu, vector, 0, 0, 0])
    }

    fn end(&mut self, vector: u64) -> Result<()> {
        self.call("vectors", "end", [vector, 0, 0, 0, 0])
    }

    /// The next interrupt within so many nanoseconds: its number, and when it came. It is not ended.
    fn next(&mut self, ns: u64) -> Option<(u64, u64)> {
        let until = clock::now().saturating_add(ns);
        loop {
            let seen = arch::interrupt(|| clock::now() >= until)?;
            let at = clock::now();
            let number = match (seen, self.part("vectors")) {
                (Some(vector), _) => vector,
                (None, Some(part)) => part.direct.call("take", [0; 4])?,
                (None, None) => return None,
            };
            if number != NO_VECTOR && number != self.spurious {
                return Some((number, at));
            }
        }
    }

    /// This interrupt, and no other, comes within so many nanoseconds; when it did.
    fn comes(&mut self, wanted: u64, ns: u64, when: &str) -> Result<u64> {
        match self.next(ns) {
            Some((number, at)) if number == wanted => Ok(at),
            Some((number, _)) => {
                self.end(number)?;
                Err(format!("{when}: interrupt {number} came, and not {wanted}"))
            }
            None => Err(format!(
                "{when}: interrupt {wanted} did not come within {ns} ns"
            )),
        }
    }

    /// No interrupt comes for so many nanoseconds.
    fn silent(&mut self, ns: u64, when: &str) -> Result<()> {
        match self.next(ns) {
            None => Ok(()),
            Some((number, _)) => {
                self.end(number)?;
                Err(format!("{when}: interrupt {number} came"))
            }
        }
    }

    /// What the drivers remember goes with them.
    fn keep(self, drivers: &mut [Driver]) {
        for part in self.parts {
            drivers[part.at].state = part.direct.state().to_vec();
        }
    }
}

fn text(words: &str) -> String {
    words.to_string()
}
