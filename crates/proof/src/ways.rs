//! The five ways to run a driver (the rule's own text, interpreter, machine code for both architectures, compiled C view), and how
//! their traces are compared.

use crate::models::Model;
use crate::stand::{Outside, Stand, Written};
use crate::trace::{compare, compare_moved, settled, Difference, Line};
use crate::{failed, Error, Result};
use crate::{lanes, order, outside, rule};
use classes::selftest::{Effort, Outcome};
use classes::{Class, Units};
use graph::{Op, WindowKind};
use qtest::run::{Blob, Device, Event, Library};
use rulebook::tree::Book;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

/// Who carries the driver out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way<'p> {
    Interpreter,
    /// The rule's own text, by the interpreter of rules: no graph has any part in it.
    Rule,
    /// Emitted for this processor.
    Code,
    /// The C view, compiled by gcc.
    C,
    /// Emitted for arm64, in an emulated processor; the program that runs it there.
    Arm64(&'p Path),
}

impl<'p> Way<'p> {
    /// All of them; the interpreter, with which the others are compared, first.
    #[must_use]
    pub fn all(arm64: &'p Path) -> [Way<'p>; 5] {
        [
            Way::Interpreter,
            Way::Rule,
            Way::Code,
            Way::C,
            Way::Arm64(arm64),
        ]
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Way::Interpreter => "interpreter",
            Way::Rule => "rule",
            Way::Code => "x86-64 code",
            Way::C => "C view",
            Way::Arm64(_) => "arm64 code",
        }
    }

    /// Why a driver cannot be carried out this way, if so: there are no I/O ports and model-specific registers on arm64.
    #[must_use]
    pub fn lacks(self, residual: &graph::Residual) -> Option<&'static str> {
        let Way::Arm64(_) = self else { return None };
        let used = |kind: WindowKind| {
            let of = |window: u8| {
                let window = residual.windows.get(usize::from(window));
                window.is_some_and(|window| window.kind == kind)
            };
            residual.graph.nodes.iter().any(|op| match op {
                Op::Read { window, .. } | Op::Write { window, .. } => of(*window),
                _ => false,
            })
        };
        match (used(WindowKind::Port), used(WindowKind::Model)) {
            (true, _) => Some("it has I/O ports"),
            (_, true) => Some("it has model-specific registers"),
            _ => None,
        }
    }
}

/// What one way came to.
#[derive(Clone, Debug)]
pub struct Run<'p> {
    pub way: Way<'p>,
    pub outcome: Outcome,
    /// Accesses to the device, all of them.
    pub accesses: usize,
    pub lines: Vec<Line>,
    /// Addresses of its arena, as the device sees them.
    pub arena: Range<u64>,
}

/// What a model came to.
#[derive(Clone, Debug)]
pub struct Report<'p> {
    /// The rules that were chosen.
    pub rules: String,
    pub runs: Vec<Run<'p>>,
    /// Ways that the driver cannot be carried out, and why.
    pub left_out: Vec<(Way<'p>, &'static str)>,
    /// The first way that differs from the interpreter, and where.
    pub difference: Option<(Way<'p>, Difference)>,
    /// The graphs of two runs of one device were not the same.
    pub unlike: bool,
    /// The driver's graph without its numbers (`graph::hash::shape`).
    pub shape: Option<graph::hash::Hash>,
    /// What was not as it should be with full queues, seen from outside, or for the emulator.
    pub outside: Option<String>,
}

impl Report<'_> {
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

/// Tries a model in all ways. `arm64` is the program that runs arm64 code (package `arm64-side`).
///
/// # Errors
/// When an emulator, the rule or a compiler fails before there is anything to compare.
pub fn prove<'p>(book: &Book, model: &Model, arm64: &'p Path) -> Result<Report<'p>> {
    let mut report = once(book, model, arm64)?;
    for _ in 1..TRIES {
        if report.difference.is_none() || report.unlike {
            break;
        }
        report = once(book, model, arm64)?;
    }
    let outside = Outside::new(model)?;
    let mut stand = Stand::watched(model, &outside)?;
    let written = stand.write(book, &model.class)?;
    report.outside = thorough(&stand, &written, &model.class)
        .err()
        .map(|error| error.to_string());
    Ok(report)
}

fn once<'p>(book: &Book, model: &Model, arm64: &'p Path) -> Result<Report<'p>> {
    let outside = Outside::new(model)?;
    let mut runs: Vec<Run> = Vec::new();
    let mut left_out = Vec::new();
    let mut graphs: Vec<graph::Residual> = Vec::new();
    let mut rules = String::new();
    for way in Way::all(arm64) {
        if let Some(why) = graphs.first().and_then(|graph| way.lacks(graph)) {
            left_out.push((way, why));
            continue;
        }
        let named = |error: Error| Error(format!("{}: {error}", way.name()));
        let mut stand = Stand::start(model, &outside).map_err(named)?;
        let written = stand.write(book, &model.class).map_err(named)?;
        rules = written.choice.title(book);
        if rules != model.rules {
            return failed(format!("{rules} was chosen, and not {}", model.rules));
        }
        // All have room for what the rule puts elsewhere, so that what comes behind lies alike.
        let residual = rule::roomy(&written.residual);
        let device = match way {
            Way::Rule => rule::device(&stand, book, &written, &residual),
            way => device(&stand, &residual, way),
        };
        let mut device = device.map_err(named)?;
        let run = ran(&mut device, &written, &model.class, way, Effort::Quick);
        runs.push(run.map_err(named)?);
        graphs.push(written.residual);
    }
    let difference = runs[1..].iter().find_map(|run| {
        let lines = &runs[0].lines;
        let difference = match run.way {
            // What has no name in the graph it puts where it likes.
            Way::Rule => compare_moved(lines, &run.lines, &run.arena),
            _ => compare(lines, &run.lines),
        };
        Some((run.way, difference?))
    });
    Ok(Report {
        rules,
        unlike: graphs.windows(2).any(|two| two[0] != two[1]),
        shape: graphs
            .first()
            .and_then(|graph| graph::hash::shape(graph).ok()),
        runs,
        left_out,
        difference,
        outside: None,
    })
}

/// The driver as this way carries it out, on its device.
pub fn device(stand: &Stand, residual: &graph::Residual, way: Way) -> Result<Device> {
    let machine = &stand.machine;
    Ok(match way {
        Way::Interpreter => Device::interpret(machine, residual)?,
        Way::Rule => return failed("a rule is carried out with its book: see `rule::device`"),
        Way::Code => {
            let code = emitted(residual, emit::Target::X86_64)?;
            Device::attach(machine, Blob::new(residual, &code.bytes, &code.entries))?
        }
        Way::Arm64(program) => {
            let code = emitted(residual, emit::Target::Aarch64)?;
            let blob = Blob::new(residual, &code.bytes, &code.entries);
            Device::beside(machine, blob, program)?
        }
        Way::C => {
            let folder = tempfile::tempdir()?;
            let library = compile(residual, folder.path())?;
            Device::compiled(machine, residual, library)?
        }
    })
}

fn emitted(residual: &graph::Residual, target: emit::Target) -> Result<emit::Code> {
    emit::emit(residual, target).map_err(|error| Error(error.to_string()))
}

/// The class's self-test with full queues, then what stands outside, then what the emulator has to say: on a stand that is
/// [watched](Stand::watched).
///
/// # Errors
/// Whatever is not as it should be, in words.
pub fn thorough(stand: &Stand, written: &Written, class: &str) -> Result<()> {
    let unordered = order::findings(&written.residual);
    if !unordered.is_empty() {
        return failed(unordered.join("; "));
    }
    let mut device = device(stand, &written.residual, Way::Code)?;
    let complaints =
        |events: &[Event]| -> Result<Vec<String>> { stand.complaints(&written.residual, events) };
    let said = match Class::of_name(class) {
        Some(kind) => {
            if stand.lanes > 1 {
                lanes::together(&mut device, stand, written, kind)?;
            }
            let mut driver = device.pump(kind, units(written))?;
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
            let Some(outcome) = driver.selftest(class, &|name| written.fact(name))? else {
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
pub fn run<'p>(
    stand: &Stand,
    written: &Written,
    class: &str,
    way: Way<'p>,
    effort: Effort,
) -> Result<Run<'p>> {
    let mut device = device(stand, &written.residual, way)?;
    ran(&mut device, written, class, way, effort)
}

fn ran<'p>(
    device: &mut Device,
    written: &Written,
    class: &str,
    way: Way<'p>,
    effort: Effort,
) -> Result<Run<'p>> {
    let (outcome, events) = selftest(device, written, class, effort)?;
    Ok(Run {
        way,
        outcome,
        accesses: events
            .iter()
            .filter(|e| matches!(e, Event::Touch(_)))
            .count(),
        lines: settled(&written.residual, &written.values, &events),
        arena: device.arena(),
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
            let mut outcome = Outcome::Verified;
            // Each lane by itself, as if it were the first.
            for lane in 0..written.lanes() {
                let mut driver = device.pump_on(lane, class, units(written))?;
                outcome = driver.selftest(effort)?;
                if outcome != Outcome::Verified {
                    break;
                }
            }
            outcome
        }
        None => {
            let tried = device
                .direct()?
                .selftest(class, &|name| written.fact(name))?;
            match tried {
                Some(outcome) => outcome,
                None => return failed(format!("class {class} has no self-test")),
            }
        }
    };
    Ok((outcome, device.events()))
}

fn units(written: &Written) -> Units {
    Units::from_pairs(written.facts.iter().map(|(n, v)| (n.as_str(), *v)))
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
