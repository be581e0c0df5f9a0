//! The language by example: rule texts of `crates/rulebook/tests/run`, each with a script that says what the device
//! answers and what is called, and with what comes of it, word for word (`.trace`).
//!
//! Each text is learned and specialised for the facts of its script. The graph is run by the interpreter, and its accesses
//! are compared with the trace, which is not the specialiser's: `crates/meaning` made it out of the rule alone (and writes
//! it anew with `BLESS=1`). On x86-64 the emitted code runs beside it, as far as the device is memory that holds what was
//! written: both must end alike.

#[path = "run/code.rs"]
mod code;
#[path = "run/script.rs"]
mod script;
#[path = "run/world.rs"]
mod world;

use machine::{Arch, Cpu, Device, Machine};
use script::{Line, Script};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use synthesis::{Choice, Subject};
use world::World;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rulebook/tests/run")
}

/// How a text becomes rules: checked, or only parsed.
type Reader = fn(&[(&str, &str)]) -> Result<rulebook::Book, Vec<rulebook::Diagnostic>>;

/// The whole trace of one text.
fn run(text: &str, name: &str, script: &Script, reader: Reader) -> Result<String, String> {
    let files = [(name, text)];
    let book = reader(&files).map_err(|problems| {
        let shown: Vec<String> = problems.iter().map(|p| p.render("", &files)).collect();
        shown.concat()
    })?;
    let mut device = Device {
        facts: script.facts.clone(),
        windows: script.windows.clone(),
        wires: script.wires.clone(),
        config: script.config.clone(),
        ..Device::new("test/0".into(), &script.bus)
    };
    let machine = |device: &Device| Machine {
        cpus: vec![Cpu {
            id: 0,
            facts: Vec::new(),
        }],
        devices: vec![device.clone()],
        ..Machine::new(Arch::X86_64)
    };
    let given: Vec<(&str, u64)> = script.given.iter().map(|(n, v)| (n.as_str(), *v)).collect();
    let mut trace = String::new();

    let whole = machine(&device);
    let subject = Subject {
        book: &book,
        machine: &whole,
        device: &device,
        given: &given,
    };
    let mut first = World::new(script);
    let verdict = synthesis::match_device(subject, Some(&mut first));
    trace += &first.told();
    let Some(choice) = verdict.chosen.into_iter().next() else {
        let nearest = verdict
            .nearest
            .map_or("no rule is near".into(), |(rule, clue)| {
                format!("`{rule}` is nearest, and fails at {clue}")
            });
        return Ok(trace + &format!("not chosen: {nearest}\n"));
    };
    writeln!(
        trace,
        "chosen: {}, {} points",
        choice.title(&book),
        choice.score
    )
    .unwrap();
    let said = |error: synthesis::Error| error.show(&book);
    match synthesis::learn(subject, &choice, &mut first) {
        Ok(learned) => {
            trace += &learned_by(&mut first, &learned);
            device.learned = learned;
        }
        Err(error) => return Ok(trace + &first.told() + &format!("refused: {}\n", said(error))),
    }
    let cpus = given.iter().find(|(name, _)| *name == "cpus");
    for lane in 1..cpus.map_or(1, |(_, n)| *n) {
        let mut given = given.clone();
        given.push(("lane", lane));
        let whole = machine(&device);
        let subject = Subject {
            book: &book,
            machine: &whole,
            device: &device,
            given: &given,
        };
        first.lane = lane;
        match synthesis::learn_joining(subject, &choice, &mut first) {
            Ok(learned) => {
                trace += &learned_by(&mut first, &learned);
                device.learned.extend(learned);
            }
            Err(error) => return Ok(trace + &format!("refused: {}\n", said(error))),
        }
    }
    let whole = machine(&device);
    let subject = Subject {
        book: &book,
        machine: &whole,
        device: &device,
        given: &given,
    };
    let written = match synthesis::specialise(subject, &choice) {
        Ok(written) => written,
        Err(error) => return Ok(trace + &format!("refused: {}\n", said(error))),
    };
    written.residual.validate()?;
    for (name, value) in &written.facts {
        writeln!(trace, "fact {name} = {value:#x}").unwrap();
    }
    trace += &called(&written.residual, script)?;
    let _: &Choice = &choice;
    Ok(trace)
}

/// What a first run did, and what it learned.
fn learned_by(world: &mut World, learned: &[machine::Fact]) -> String {
    let mut trace = world.told();
    for fact in learned {
        let value = script::shown(&fact.value);
        writeln!(trace, "learned {} = {value}", fact.name).unwrap();
    }
    trace
}

/// What the script calls, and what comes of it.
fn called(residual: &graph::Residual, script: &Script) -> Result<String, String> {
    let mut trace = String::new();
    let mut scripted = World::of(script, residual);
    // The same device without answers: memory. One for the interpreter, one for the code.
    let mut plain = World::of(script, residual);
    plain.answers.clear();
    let mut beside = plain.clone();
    let code = code::Code::new(residual)?;
    for line in &script.lines {
        for world in [&mut scripted, &mut plain, &mut beside] {
            world.carry(line);
        }
        match line {
            Line::Call { entry, words } => {
                let shown: Vec<String> = words.iter().map(|w| format!("{w:#x}")).collect();
                writeln!(trace, "{entry}({})", shown.join(", ")).unwrap();
                let Some(number) = residual.entries.iter().position(|e| e.name == *entry) else {
                    let names: Vec<&str> =
                        residual.entries.iter().map(|e| e.name.as_str()).collect();
                    return Err(format!(
                        "no entry `{entry}`; there are {}",
                        names.join(", ")
                    ));
                };
                let count = usize::from(residual.entries[number].arguments);
                if words.len() != count {
                    return Err(format!("`{entry}` takes {count} words"));
                }
                let end = graph::interpret::run(residual, number, words, &mut scripted);
                trace += &scripted.told();
                writeln!(trace, "  {}", ended(residual, &end)).unwrap();
                if let Some(code) = &code {
                    let end = graph::interpret::run(residual, number, words, &mut plain);
                    let native = code.run(number, words, &mut beside);
                    let (mine, theirs) = (plain.said(), beside.said());
                    if (end.status, end.results) != native || mine != theirs || !plain.same(&beside)
                    {
                        return Err(format!(
                            "interpreter and code differ at `{entry}`: {:#x?} {mine:?}, {native:#x?} {theirs:?}",
                            (end.status, end.results),
                        ));
                    }
                }
            }
            Line::Show { space, at, length } => {
                writeln!(
                    trace,
                    "{} {at:#x}: {}",
                    space.0,
                    scripted.bytes(*space, *at, *length)
                )
                .unwrap();
            }
            Line::Device { .. } | Line::Lane(_) => {}
        }
    }
    Ok(trace)
}

fn ended(residual: &graph::Residual, end: &graph::interpret::Outcome) -> String {
    if let Some(fault) = &end.fault {
        return format!("fault: {fault:?}");
    }
    use abi::status;
    match end.status {
        status::OK => "ok".into(),
        status::BUSY => "busy".into(),
        status::NOT_MINE => "not mine".into(),
        status::AGAIN => "again".into(),
        status::GONE => "gone".into(),
        status::RESET => "reset".into(),
        status::CHANGED => "changed".into(),
        other => match other
            .checked_sub(status::FAIL)
            .map(|n| residual.failures.get(n as usize))
        {
            Some(Some(failure)) => format!("fails: {failure}"),
            _ => format!("gives {other:#x}"),
        },
    }
}

#[test]
fn texts_do_what_their_traces_say() {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder())
        .expect("the folder of rule texts is there")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|end| end == "rule"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 10);
    let mut wrong = Vec::new();
    for path in paths {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        let found = Script::read(&read(&path.with_extension("run")))
            .and_then(|script| run(&read(&path), &name, &script, rulebook::read));
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        let beside = path.with_extension("trace");
        let expected = read(&beside);
        if found != expected {
            let at = found
                .lines()
                .zip(expected.lines())
                .position(|(a, b)| a != b);
            let at = at.unwrap_or(found.lines().count().min(expected.lines().count()));
            wrong.push(format!(
                "{name}: line {} of its trace\n  expected {:?}\n  found    {:?}",
                at + 1,
                expected.lines().nth(at),
                found.lines().nth(at)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A rule that no checker has seen, with one operation for a device that is memory.
fn unchecked(operation: &str) -> String {
    let text = format!(
        "class lamp
  op glow(a: 64)
rule lantern : lamp on pci
  match vendor == 0x1234 score 9
  space r = le bar(0)
  reg OUT 0x00:32 in r
  reg T[4] 0x10:32
  slots S 4
  ring R 4 of T
  op away {{ OUT = 9;  fail dead }}
  op glow(a)
{operation}
  recover dead {{ OUT = 8 }}
"
    );
    let script = "fact vendor 0x1234\nwindow 0 memory 0x1000 256\ncall glow 9\ncall glow 2\n";
    let script = Script::read(script).expect("the script is one");
    match run(&text, "unchecked", &script, rulebook::syntax::parse) {
        Ok(trace) => trace.lines().skip(1).collect::<Vec<_>>().join("\n"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn nothing_is_believed_after_an_else_that_goes_on() {
    let found = unchecked("    check a < 4 else OUT = 1\n    T[a] = 5");
    assert!(
        found.starts_with("refused: unchecked:13:5: ") && found.contains("index can be anything"),
        "{found}"
    );
    // What was checked of a value says nothing about an equal constant.
    let constant = unchecked("    let n = 9\n    check n < 4 else OUT = 1\n    OUT = n");
    let both = "  write 32 r[0x0] = 0x1\n  write 32 r[0x0] = 0x9\n  ok";
    assert_eq!(constant, format!("glow(0x9)\n{both}\nglow(0x2)\n{both}"));
}

#[test]
fn an_else_that_leaves_by_a_call_is_seen_to_leave() {
    let found = unchecked("    check a < 4 else away()\n    T[a] = 5");
    let nine = "glow(0x9)\n  write 32 r[0x0] = 0x9\n  fails: dead";
    assert_eq!(
        found,
        format!("{nine}\nglow(0x2)\n  write 32 r[0x18] = 0x5\n  ok")
    );
}

#[test]
fn what_could_not_be_had_is_not_used() {
    for statement in [
        "    let s = take S else OUT = 1\n    OUT = s",
        "    lend R = 7 else OUT = 1",
    ] {
        let found = unchecked(statement);
        let why = "this `else` goes on to what relies on what could not be had";
        assert!(
            found.starts_with("refused: ") && found.contains(why),
            "{found}"
        );
    }
}
