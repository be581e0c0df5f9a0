//! Three ways to carry a driver out, and what they must have in common.

use crate::models::Model;
use crate::outside;
use crate::stand::{Outside, Stand, Written};
use crate::trace::{compare, settled, Difference, Line};
use crate::{failed, Error, Result};
use classes::selftest::{Effort, Outcome};
use classes::{Class, Units};
use qtest::run::{Blob, Device, Event, Library};
use rulebook::tree::Book;
use std::path::Path;
use std::process::Command;

/// Who carries the driver out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Interpreter,
    /// Emitted for this processor.
    Code,
    /// The C view, compiled by gcc.
    C,
}

impl Way {
    pub const ALL: [Way; 3] = [Way::Interpreter, Way::Code, Way::C];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Way::Interpreter => "interpreter",
            Way::Code => "emitted code",
            Way::C => "C view",
        }
    }
}

/// What one way came to.
#[derive(Clone, Debug)]
pub struct Run {
    pub way: Way,
    pub outcome: Outcome,
    /// Accesses to the device, all of them.
    pub accesses: usize,
    pub lines: Vec<Line>,
}

/// What a model came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// The rules that were chosen.
    pub rules: String,
    pub runs: Vec<Run>,
    /// The first way that differs from the interpreter, and where.
    pub difference: Option<(Way, Difference)>,
    /// The graphs of two runs of one device were not the same.
    pub unlike: bool,
    /// What was not as it should be with full queues, seen from outside, or for the emulator.
    pub outside: Option<String>,
}

impl Report {
    /// Every self-test verified, and nothing differs.
    #[must_use]
    pub fn good(&self) -> bool {
        self.difference.is_none()
            && !self.unlike
            && self.outside.is_none()
            && self.runs.iter().all(|run| run.outcome == Outcome::Verified)
    }
}

/// Times that traces which differ are taken again: completions that come between two looks are no difference between
/// drivers, but one that is stays.
const TRIES: usize = 3;

/// Tries a model in all three ways.
///
/// # Errors
/// When the emulator, the rule or a compiler fails before there is anything to compare.
pub fn prove(book: &Book, model: &Model) -> Result<Report> {
    let mut report = once(book, model)?;
    for _ in 1..TRIES {
        if report.difference.is_none() || report.unlike {
            break;
        }
        report = once(book, model)?;
    }
    let outside = Outside::new(model)?;
    let mut stand = Stand::watched(model, &outside)?;
    let written = stand.write(book, &model.class)?;
    report.outside = thorough(&stand, &written, &model.class)
        .err()
        .map(|error| error.to_string());
    Ok(report)
}

fn once(book: &Book, model: &Model) -> Result<Report> {
    let outside = Outside::new(model)?;
    let mut runs: Vec<Run> = Vec::new();
    let mut graphs: Vec<graph::Residual> = Vec::new();
    let mut rules = String::new();
    for way in Way::ALL {
        let named = |error: Error| Error(format!("{}: {error}", way.name()));
        let mut stand = Stand::start(model, &outside).map_err(named)?;
        let written = stand.write(book, &model.class).map_err(named)?;
        rules = written.choice.title(book);
        if rules != model.rules {
            return failed(format!("{rules} was chosen, and not {}", model.rules));
        }
        runs.push(run(&stand, &written, &model.class, way, Effort::Quick).map_err(named)?);
        graphs.push(written.residual);
    }
    let difference = runs[1..].iter().find_map(|run| {
        let difference = compare(&runs[0].lines, &run.lines)?;
        Some((run.way, difference))
    });
    Ok(Report {
        rules,
        unlike: graphs.windows(2).any(|two| two[0] != two[1]),
        runs,
        difference,
        outside: None,
    })
}

/// The driver as this way carries it out, on its device.
pub fn device(stand: &Stand, residual: &graph::Residual, way: Way) -> Result<Device> {
    let machine = &stand.machine;
    Ok(match way {
        Way::Interpreter => Device::interpret(machine, residual)?,
        Way::Code => {
            let code = emit::emit(residual, emit::Target::X86_64)
                .map_err(|error| Error(error.to_string()))?;
            Device::attach(machine, Blob::new(residual, &code.bytes, &code.entries))?
        }
        Way::C => {
            let folder = tempfile::tempdir()?;
            let library = compile(residual, folder.path())?;
            Device::compiled(machine, residual, library)?
        }
    })
}

/// The class's self-test with full queues, then what stands outside, then what the emulator has to say: on a stand that is
/// [watched](Stand::watched).
///
/// # Errors
/// Whatever is not as it should be, in words.
pub fn thorough(stand: &Stand, written: &Written, class: &str) -> Result<()> {
    let mut device = device(stand, &written.residual, Way::Code)?;
    let complaints =
        |events: &[Event]| -> Result<Vec<String>> { stand.complaints(&written.residual, events) };
    let said = match Class::of_name(class) {
        Some(kind) => {
            let pairs = written.facts.iter().map(|(n, v)| (n.as_str(), *v));
            let mut driver = device.pump(kind, Units::from_pairs(pairs))?;
            verified(driver.selftest(Effort::Thorough)?)?;
            let before = complaints(&driver.events())?;
            outside::check(&mut driver, stand, kind)?;
            // What ends the machine also ends its log.
            match stand.machine.alive() {
                true => complaints(&driver.events())?,
                false => before,
            }
        }
        None => {
            let mut driver = device.direct()?;
            let Some(outcome) = driver.selftest(class, far(written))? else {
                return failed(format!("class {class} has no self-test"));
            };
            verified(outcome)?;
            outside::direct(&mut driver, stand, written, class)?;
            complaints(&driver.events())?
        }
    };
    let known = |line: &String| {
        stand
            .expected
            .iter()
            .any(|part| line.contains(part.as_str()))
    };
    let new: Vec<String> = said.into_iter().filter(|line| !known(line)).collect();
    match new.is_empty() {
        true => Ok(()),
        false => failed(format!("the emulator complains: {}", new.join("; "))),
    }
}

fn verified(outcome: Outcome) -> Result<()> {
    match outcome {
        Outcome::Verified => Ok(()),
        Outcome::Unverified(why) => failed(format!("not verified: {why}")),
        Outcome::Rejected(why) => failed(why.to_string()),
    }
}

/// Runs the class's self-test.
pub fn run(stand: &Stand, written: &Written, class: &str, way: Way, effort: Effort) -> Result<Run> {
    let mut device = device(stand, &written.residual, way)?;
    let (outcome, events) = selftest(&mut device, written, class, effort)?;
    Ok(Run {
        way,
        outcome,
        accesses: events
            .iter()
            .filter(|e| matches!(e, Event::Touch(_)))
            .count(),
        lines: settled(&written.residual, &written.values, &events),
    })
}

/// The self-test of a class on a driver, and what it did.
pub fn selftest(
    device: &mut Device,
    written: &Written,
    class: &str,
    effort: Effort,
) -> Result<(Outcome, Vec<Event>)> {
    let outcome = match Class::of_name(class) {
        Some(class) => {
            let pairs = written.facts.iter().map(|(n, v)| (n.as_str(), *v));
            let mut driver = device.pump(class, Units::from_pairs(pairs))?;
            driver.selftest(effort)?
        }
        None => {
            let far = far(written);
            let tried = device.direct()?.selftest(class, far)?;
            match tried {
                Some(outcome) => outcome,
                None => return failed(format!("class {class} has no self-test")),
            }
        }
    };
    Ok((outcome, device.events()))
}

/// Ticks that lie a while ahead: half of the longest time, at most a second.
fn far(written: &Written) -> u64 {
    let fact = |name: &str| {
        let found = written.facts.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| *value)
    };
    let most = fact("most").unwrap_or(u64::MAX) / 2;
    most.min(fact("hz").unwrap_or(1 << 20)).max(1)
}

/// Compiles the C view without a warning, and loads it.
pub fn compile(residual: &graph::Residual, folder: &Path) -> Result<Library> {
    let (source, object) = (folder.join("driver.c"), folder.join("driver.so"));
    std::fs::write(&source, graph::view::c_file(residual))?;
    let output = Command::new("gcc")
        .args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror"])
        .args(["-shared", "-fPIC", "-o"])
        .args([&object, &source])
        .output()
        .map_err(|error| Error(format!("gcc could not be started: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said: Vec<&str> = said.lines().take(12).collect();
        return failed(format!("gcc refused the C view:\n{}", said.join("\n")));
    }
    Ok(Library::open(&object)?)
}
