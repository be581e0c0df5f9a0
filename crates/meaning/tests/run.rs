//! The traces of `crates/rulebook/tests/run` say what rules mean: each is made here, by the interpreter of rules, and
//! compared. `BLESS=1` writes them; what is written is to be read before it is believed.
//!
//! From the specialiser come only the rule that is chosen, what it refuses, and where objects lie in the driver's memory.

#[path = "../../synthesis/tests/run/script.rs"]
mod script;
#[path = "../../synthesis/tests/run/world.rs"]
#[allow(dead_code)]
mod world;

use abi::status;
use graph::{view::Names, Residual, Window};
use machine::{Arch, Cpu, Device, Fact, Machine};
use meaning::{Given, Meaning, Outside};
use script::{Line, Script};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use world::World;

/// Room behind what the specialiser laid out.
const ROOM: usize = 0x1_0000;

impl Outside for World {
    fn open(&mut self, index: u8, window: &Window) -> bool {
        synthesis::LiveAccess::open(self, index, window)
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rulebook/tests/run")
}

fn learned_by(world: &mut World, learned: &[Fact]) -> String {
    let mut trace = world.told();
    for fact in learned {
        let value = script::shown(&fact.value);
        writeln!(trace, "learned {} = {value}", fact.name).unwrap();
    }
    trace
}

/// What a driver is given: numbers and places that its rule says nothing of.
fn given(residual: &Residual, names: &Names, facts: &[(String, u64)]) -> Given {
    let places = names.memory.iter().cloned();
    Given {
        windows: residual.windows.clone(),
        upcalls: residual.upcalls.clone(),
        failures: residual.failures.clone(),
        facts: facts.to_vec(),
        places: places.collect(),
        state: residual.state_size.into(),
        arena: residual.arena_size.into(),
    }
}

fn subject<'a>(
    book: &'a rulebook::tree::Book,
    machine: &'a Machine,
    device: &'a Device,
    given: &'a [(&'a str, u64)],
    rules: &'a [usize],
) -> meaning::Subject<'a> {
    meaning::Subject {
        book,
        machine,
        device,
        given,
        rules,
    }
}

/// The whole trace of one text; none behind what the specialiser refuses.
fn run(text: &str, name: &str, script: &Script) -> Result<(String, bool), String> {
    let files = [(name, text)];
    let book = rulebook::read(&files).map_err(|problems| {
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
    let machine = Machine {
        cpus: vec![Cpu {
            id: 0,
            facts: Vec::new(),
        }],
        ..Machine::new(Arch::X86_64)
    };
    let told: Vec<(&str, u64)> = script.given.iter().map(|(n, v)| (n.as_str(), *v)).collect();
    let mut trace = String::new();
    let mut first = World::new(script);
    let verdict = synthesis::match_device(
        synthesis::Subject {
            book: &book,
            machine: &machine,
            device: &device,
            given: &told,
        },
        Some(&mut first),
    );
    trace += &first.told();
    let Some(choice) = verdict.chosen.into_iter().next() else {
        return Ok((trace, true));
    };
    let (title, score) = (choice.title(&book), choice.score);
    writeln!(trace, "chosen: {title}, {score} points").unwrap();

    let rules = choice.rules.clone();
    match Meaning::learn(
        subject(&book, &machine, &device, &told, &rules),
        Given::default(),
        &mut first,
    ) {
        Ok(learned) => {
            trace += &learned_by(&mut first, &learned);
            device.learned = learned;
        }
        Err(why) => return Err(format!("the first run: {why:?}")),
    }
    let cpus = told.iter().find(|(name, _)| *name == "cpus");
    for lane in 1..cpus.map_or(1, |(_, n)| *n) {
        let mut told = told.clone();
        told.push(("lane", lane));
        first.lane = lane;
        let learned = Meaning::learn_joining(
            subject(&book, &machine, &device, &told, &rules),
            Given::default(),
            &mut first,
        )
        .map_err(|why| format!("the first run of lane {lane}: {why:?}"))?;
        trace += &learned_by(&mut first, &learned);
        device.learned.extend(learned);
    }
    let written = synthesis::specialise_named(
        synthesis::Subject {
            book: &book,
            machine: &machine,
            device: &device,
            given: &told,
        },
        &choice,
    );
    let Ok((written, names)) = written else {
        return Ok((trace, true));
    };
    let residual = &written.residual;
    let mut world = World::of(script, residual);
    world.state.resize(world.state.len() + ROOM, 0);
    world.arena.resize(world.arena.len() + ROOM, 0);
    let given = given(residual, &names, &written.facts);
    let mut rule = Meaning::new(
        subject(&book, &machine, &device, &told, &rules),
        given,
        &mut world,
    )
    .map_err(|fault| fault.show(&book))?;
    for (name, value) in rule.facts() {
        writeln!(trace, "fact {name} = {value:#x}").unwrap();
    }
    for line in &script.lines {
        world.carry(line);
        match line {
            Line::Call { entry, words } => {
                let shown: Vec<String> = words.iter().map(|w| format!("{w:#x}")).collect();
                writeln!(trace, "{entry}({})", shown.join(", ")).unwrap();
                let end = rule.run(entry, words, &mut world);
                trace += &world.told();
                let ended = match end.fault {
                    Some(fault) => return Err(format!("{trace}{entry}: {}", fault.show(&book))),
                    None => ended(&rule, end.status),
                };
                writeln!(trace, "  {ended}").unwrap();
            }
            Line::Show { space, at, length } => {
                let bytes = world.bytes(*space, *at, *length);
                writeln!(trace, "{} {at:#x}: {bytes}", space.0).unwrap();
            }
            Line::Device { .. } | Line::Lane(_) => {}
        }
    }
    Ok((trace, false))
}

fn ended(rule: &Meaning, status: u64) -> String {
    match status {
        status::OK => "ok".into(),
        status::BUSY => "busy".into(),
        status::NOT_MINE => "not mine".into(),
        status::AGAIN => "again".into(),
        status::GONE => "gone".into(),
        status::RESET => "reset".into(),
        status::CHANGED => "changed".into(),
        other => {
            let failure = other.checked_sub(status::FAIL);
            let failure = failure.and_then(|n| rule.given().failures.get(n as usize));
            match failure {
                Some(failure) => format!("fails: {failure}"),
                None => format!("gives {other:#x}"),
            }
        }
    }
}

#[test]
fn the_traces_are_what_the_rules_mean() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder())
        .expect("the folder of rule texts is there")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|end| end == "rule"))
        .collect();
    paths.sort();
    let (mut wrong, mut whole) = (Vec::new(), 0);
    for path in &paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        let found = Script::read(&read(&path.with_extension("run")))
            .and_then(|script| run(&read(path), &name, &script));
        let (found, cut) = match found {
            Ok(found) => found,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        let beside = path.with_extension("trace");
        let mut expected = read(&beside);
        if cut {
            // What is chosen and what is refused the specialiser says.
            let own =
                |line: &&str| !line.starts_with("refused: ") && !line.starts_with("not chosen: ");
            expected = expected
                .lines()
                .take_while(own)
                .map(|l| format!("{l}\n"))
                .collect();
        } else {
            whole += 1;
            if bless {
                std::fs::write(&beside, &found).expect("the trace can be written");
            }
        }
        if found != expected {
            let mut lines = found.lines().zip(expected.lines());
            let at = lines.position(|(a, b)| a != b);
            let at = at.unwrap_or(found.lines().count().min(expected.lines().count()));
            wrong.push(format!(
                "{name}: line {} of its trace\n  written {:?}\n  means   {:?}",
                at + 1,
                expected.lines().nth(at),
                found.lines().nth(at)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(whole >= 19, "only {whole} texts were carried out");
}
