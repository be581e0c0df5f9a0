//! Rules that are well formed and mean nothing sensible: whatever the specialiser makes of one does, access by access, what
//! the rule means. The generator is that of the specialiser's own fuzz target (`crates/synthesis/tests/fuzz`).
//!
//! `FUZZ_ROUNDS=20000 FUZZ_SEED=7 cargo test --release -p meaning --test fuzz` looks for long.

#[path = "../../synthesis/tests/fuzz/generator.rs"]
#[allow(dead_code)]
mod generator;

use abi::status;
use generator::{change, choices, device, texts, ODD};
use graph::{Access, Conduit, Fence, Late, Space, Width, Window};
use machine::{Arch, Cpu, Device, Machine};
use meaning::{Fault, Given, Meaning, Outside};
use noise::Random;
use rulebook::tree::{Book, ItemKind, Routine, TypeBase};
use std::collections::BTreeMap;
use synthesis::{Choice, LiveAccess};

const ARENA: u64 = 0x10_0000;
const POOL: u64 = 0x80_0000;
const POOL_SIZE: usize = 0x1_0000;
/// Accesses after which a run is given up: each loop has a bound, their product may be large.
const LONG: usize = 1 << 14;

/// A device that answers anything, the same each time it is asked in the same order, and memory.
#[derive(Clone)]
struct World {
    seed: u64,
    asked: u64,
    last: u64,
    time: u64,
    lane: u64,
    state: Vec<u8>,
    arena: Vec<u8>,
    pool: Vec<u8>,
    seen: [Vec<u8>; 2],
    trace: Vec<String>,
}

impl World {
    fn new(seed: u64, state: usize, arena: usize) -> World {
        World {
            seed,
            asked: 0,
            last: 0,
            time: 0,
            lane: 0,
            state: vec![0; state],
            arena: vec![0; arena],
            pool: (0..POOL_SIZE).map(|k| (k * 7 + k / 256) as u8).collect(),
            seen: [Vec::new(), Vec::new()],
            trace: Vec::new(),
        }
    }

    fn answer(&mut self, width: Width) -> u64 {
        self.asked += 1;
        let mut random = Random::new(self.seed ^ self.asked.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random.word();
        let value = match random.below(6) {
            0 => self.last,
            1 => u64::MAX,
            2 => random.word(),
            3 => 0,
            _ => random.pick(&ODD),
        };
        value & width.mask()
    }

    fn note(&mut self, line: String) {
        self.look();
        self.trace.push(line);
        if self.trace.len() > LONG {
            self.time = self.time.saturating_add(1 << 50);
        }
    }

    /// What changed in arena and pool since the outside could last see them.
    fn look(&mut self) {
        for k in 0..2 {
            let now = [&self.arena, &self.pool][k];
            let before = &mut self.seen[k];
            if before == now {
                continue;
            }
            let first = before.is_empty() && k == 1;
            before.resize(now.len(), 0);
            if !first {
                for at in 0..now.len() {
                    if before[at] != now[at] {
                        let name = ["arena", "pool"][k];
                        self.trace.push(format!("{name}[{at:#x}] = {:#x}", now[at]));
                    }
                }
            }
            before.clone_from(now);
        }
    }

    fn space(&mut self, space: Space) -> &mut Vec<u8> {
        match space {
            Space::State => &mut self.state,
            Space::Arena => &mut self.arena,
            Space::Pool => &mut self.pool,
        }
    }

    fn told(&mut self) -> Vec<String> {
        self.look();
        std::mem::take(&mut self.trace)
    }
}

impl Access for World {
    fn read(&mut self, window: u8, at: u64, width: Width) -> u64 {
        let value = self.answer(width);
        self.note(format!("read {window} {at:#x} {width:?} gives {value:#x}"));
        value
    }
    fn write(&mut self, window: u8, at: u64, width: Width, value: u64) {
        let value = value & width.mask();
        self.last = value;
        self.note(format!("write {window} {at:#x} {width:?} = {value:#x}"));
    }
    fn pool_size(&self) -> Option<u64> {
        Some(POOL_SIZE as u64)
    }
    fn load(&mut self, space: Space, at: u64, width: Width) -> u64 {
        let mut word = [0; 8];
        let length = width.bytes() as usize;
        if let Some(bytes) = usize::try_from(at)
            .ok()
            .and_then(|at| self.space(space).get(at..at.checked_add(length)?))
        {
            word[..length].copy_from_slice(bytes);
        }
        u64::from_le_bytes(word)
    }
    fn store(&mut self, space: Space, at: u64, width: Width, value: u64) {
        let length = width.bytes() as usize;
        if let Some(bytes) = usize::try_from(at)
            .ok()
            .and_then(|at| self.space(space).get_mut(at..at.checked_add(length)?))
        {
            bytes.copy_from_slice(&value.to_le_bytes()[..length]);
        }
    }
    fn fence(&mut self, fence: Fence) {
        self.note(format!("{fence:?}"));
    }
    fn late(&mut self, late: Late) -> u64 {
        match late {
            Late::ArenaDma => ARENA,
            Late::PoolDma => POOL,
            Late::Lane => self.lane,
        }
    }
    fn clock(&mut self) -> u64 {
        self.time = self.time.saturating_add(100_000);
        self.time
    }
    fn pause(&mut self, ns: u64) {
        self.note(format!("pause {ns}"));
        self.time = self.time.saturating_add(ns);
    }
    fn up(&mut self, which: u8, args: &[u64]) -> u64 {
        self.note(format!("up {which} {args:x?}"));
        0
    }
    fn firmware(&mut self, _: Conduit, args: [u64; 4]) -> u64 {
        let value = self.answer(Width::B64);
        self.note(format!("firmware {args:x?} gives {value:#x}"));
        value
    }
}

impl LiveAccess for World {
    fn open(&mut self, _: u8, _: &Window) -> bool {
        true
    }
}

impl Outside for World {
    fn open(&mut self, _: u8, _: &Window) -> bool {
        true
    }
}

/// What became of it all.
#[derive(Default, Debug)]
struct Count {
    books: usize,
    refused: usize,
    learned: usize,
    entries: usize,
    accesses: usize,
    /// Comparisons given up, and why.
    left: BTreeMap<String, usize>,
}

impl Count {
    fn left(&mut self, why: &str) -> Result<(), String> {
        *self.left.entry(why.into()).or_default() += 1;
        Ok(())
    }
}

fn parted(what: &str, meant: &[String], done: &[String]) -> Option<String> {
    let mut pairs = meant.iter().zip(done);
    let at = pairs.position(|(a, b)| a != b);
    let at = at.or((meant.len() != done.len()).then(|| meant.len().min(done.len())))?;
    let before = meant[at.saturating_sub(3)..at].join("; ");
    Some(format!(
        "{what}, access {at}, after {before:?}:\n  means {:?}\n  does  {:?}",
        meant.get(at),
        done.get(at)
    ))
}

/// Numbers of windows depend on which was named first, and nobody sees them: bases do.
fn placed(trace: Vec<String>, windows: &[Window]) -> Vec<String> {
    let placed = |line: String| {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        if matches!(words[0].as_str(), "read" | "write") {
            let window = words[1].parse().ok().and_then(|n: usize| windows.get(n));
            words[1] = window.map_or("?".into(), |w| format!("{:?} {:#x}", w.kind, w.base));
        }
        words.join(" ")
    };
    trace.into_iter().map(placed).collect()
}

struct Windows<'w>(&'w mut World, Vec<Window>);

macro_rules! through {
    ($($name:ident($($arg:ident: $kind:ty),*) $(-> $out:ty)?;)*) => {
        impl Access for Windows<'_> {
            $(fn $name(&mut self $(, $arg: $kind)*) $(-> $out)? { self.0.$name($($arg),*) })*
        }
    };
}

through! {
    read(window: u8, at: u64, width: Width) -> u64;
    write(window: u8, at: u64, width: Width, value: u64);
    load(space: Space, at: u64, width: Width) -> u64;
    store(space: Space, at: u64, width: Width, value: u64);
    fence(fence: Fence);
    late(late: Late) -> u64;
    clock() -> u64;
    pause(ns: u64);
    up(which: u8, args: &[u64]) -> u64;
    firmware(conduit: Conduit, args: [u64; 4]) -> u64;
}

impl LiveAccess for Windows<'_> {
    fn open(&mut self, _: u8, window: &Window) -> bool {
        self.1.push(window.clone());
        true
    }
}

impl Outside for Windows<'_> {
    fn open(&mut self, _: u8, window: &Window) -> bool {
        self.1.push(window.clone());
        true
    }
}

fn tried(book: &Book, random: &mut Random, count: &mut Count) -> Result<(), String> {
    count.books += 1;
    let choices = choices(book);
    let cpus = [1, 1, 3][count.books % 3];
    let told = [
        ("timer_vector", 0xf0),
        ("line_vector", 0x20),
        ("spurious_vector", 0xff),
        ("cpus", cpus),
    ];
    for _ in 0..2 {
        if choices.is_empty() {
            return Ok(());
        }
        let choice = choices[random.below(choices.len())].clone();
        let bus = random.pick(&["pci", "platform", "cpu"]);
        let device = device(book, bus, random);
        let machine = Machine {
            cpus: vec![Cpu {
                id: 0,
                facts: Vec::new(),
            }],
            devices: vec![device.clone()],
            ..Machine::new(random.pick(&[Arch::X86_64, Arch::Aarch64]))
        };
        one(book, &machine, device, &choice, &told, random, count)?;
    }
    Ok(())
}

/// The first run, and what is made of its facts.
fn one(
    book: &Book,
    machine: &Machine,
    mut device: Device,
    choice: &Choice,
    told: &[(&str, u64)],
    random: &mut Random,
    count: &mut Count,
) -> Result<(), String> {
    let seed = random.word();
    let cpus = told
        .iter()
        .find(|(n, _)| *n == "cpus")
        .map_or(1, |(_, n)| *n);
    let (mut live, mut plain) = (
        World::new(seed, 1 << 16, 1 << 16),
        World::new(seed, 1 << 16, 1 << 16),
    );
    for lane in 0..cpus {
        let mut told = told.to_vec();
        told.push(("lane", lane));
        (live.lane, plain.lane) = (lane, lane);
        let subject = synthesis::Subject {
            book,
            machine,
            device: &device,
            given: &told,
        };
        let (mut a, mut b) = (
            Windows(&mut live, Vec::new()),
            Windows(&mut plain, Vec::new()),
        );
        let learned = match lane {
            0 => synthesis::learn(subject, choice, &mut a),
            _ => synthesis::learn_joining(subject, choice, &mut a),
        };
        let Ok(learned) = learned else {
            count.refused += 1;
            return Ok(());
        };
        let subject = meaning::Subject {
            book,
            machine,
            device: &device,
            given: &told,
            rules: &choice.rules,
        };
        let means = match lane {
            0 => Meaning::learn(subject, Given::default(), &mut b),
            _ => Meaning::learn_joining(subject, Given::default(), &mut b),
        };
        let (mine, theirs) = (b.1, a.1);
        let (done, meant) = (placed(live.told(), &theirs), placed(plain.told(), &mine));
        if meant.len().max(done.len()) > LONG {
            return count.left("a first run of many accesses");
        }
        let means = match means {
            Ok(means) => means,
            Err(meaning::Unlearned::Fault(Fault::Refused(_, what))) => return count.left(&what),
            Err(meaning::Unlearned::Fault(Fault::Budget)) => return count.left("budget"),
            Err(meaning::Unlearned::Fault(fault)) => {
                return Err(format!("first run of lane {lane}: {}", fault.show(book)))
            }
            Err(other) => return Err(format!("first run of lane {lane}: {other:?}")),
        };
        if let Some(where_) = parted(&format!("first run of lane {lane}"), &meant, &done) {
            // Where objects lie is not known yet: addresses of the arena are not compared.
            if arena_address(&where_) {
                return count.left("an address of the arena in a first run");
            }
            return Err(where_);
        }
        count.accesses += meant.len();
        if means != learned {
            return Err(format!("learned\n  means {means:?}\n  finds {learned:?}"));
        }
        device.learned.extend(learned);
    }
    count.learned += 1;
    let subject = synthesis::Subject {
        book,
        machine,
        device: &device,
        given: told,
    };
    let Ok((written, names)) = synthesis::specialise_named(subject, choice) else {
        count.refused += 1;
        return Ok(());
    };
    let residual = &written.residual;
    let seed = random.word();
    let (state, arena) = (residual.state_size as usize, residual.arena_size as usize);
    if state + arena > 1 << 22 {
        return count.left("large memory");
    }
    let mut done = World::new(seed, state, arena);
    let mut meant = World::new(seed, state + (1 << 20), arena + (1 << 20));
    let given = Given {
        windows: residual.windows.clone(),
        upcalls: residual.upcalls.clone(),
        failures: residual.failures.clone(),
        facts: written.facts.clone(),
        places: names.memory.clone(),
        state: state as u64,
        arena: arena as u64,
    };
    let subject = meaning::Subject {
        book,
        machine,
        device: &device,
        given: told,
        rules: &choice.rules,
    };
    let mut rule = match Meaning::new(subject, given, &mut meant) {
        Ok(rule) => rule,
        Err(fault) => return Err(format!("driver: {}", fault.show(book))),
    };
    let named = |name: &str| residual.entries.iter().position(|e| e.name == name);
    let mut calls: Vec<usize> = named("init").into_iter().collect();
    for _ in 0..10 {
        calls.push(random.below(residual.entries.len().max(1)));
    }
    for number in calls {
        let Some(entry) = residual.entries.get(number) else {
            continue;
        };
        let words = words(
            book,
            choice,
            &entry.name,
            entry.arguments,
            &written.facts,
            random,
        );
        let lane = random.below(cpus as usize) as u64;
        (done.lane, meant.lane) = (lane, lane);
        // The device stores something, too.
        if arena > 0 && random.below(3) == 0 {
            let (at, byte) = (random.below(arena), random.word() as u8);
            done.arena[at] = byte;
            meant.arena[at] = byte;
        }
        done.told();
        meant.told();
        let ends = graph::interpret::run_within(residual, number, &words, &mut done, 2_000_000);
        let means = rule.run(&entry.name, &words, &mut meant);
        let what = format!("{}{words:x?}", entry.name);
        let (a, b) = (meant.told(), done.told());
        if a.len().max(b.len()) > LONG {
            return count.left("an entry of many accesses");
        }
        let budget = ends.fault == Some(graph::interpret::Fault::Budget);
        match means.fault {
            Some(Fault::Refused(_, why)) => return count.left(&why),
            Some(Fault::Budget) => return count.left("budget"),
            _ if budget => return count.left("budget"),
            // Both refuse it, each in its own words.
            Some(Fault::Wrong(..)) if ends.fault.is_some() => {
                return count.left("an access outside its memory or window")
            }
            Some(fault) => return Err(format!("{what}: {}", fault.show(book))),
            None => {}
        }
        if let Some(fault) = ends.fault {
            return Err(format!("{what}: the graph {fault:?}"));
        }
        if let Some(where_) = parted(&what, &a, &b) {
            if rule.own_arena() {
                return count.left("memory of instances lies where nobody tells");
            }
            return Err(where_);
        }
        if (means.status, rule.given().failures.len()) != (ends.status, residual.failures.len()) {
            return Err(format!(
                "{what}: means {:#x}, ends {:#x}",
                means.status, ends.status
            ));
        }
        count.entries += 1;
        count.accesses += a.len();
        if means.status >= status::FAIL {
            // What fails is not called again before it is recovered; whatever comes next must not differ either.
            continue;
        }
    }
    Ok(())
}

fn arena_address(line: &str) -> bool {
    let hex = line.split("0x").skip(1);
    let mut numbers = hex.filter_map(|h| {
        let end = h.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(h.len());
        u64::from_str_radix(&h[..end], 16).ok()
    });
    line.contains("arena[") || numbers.any(|n| (ARENA..ARENA + (1 << 16)).contains(&n))
}

/// Words that keep what the class promises of them.
fn words(
    book: &Book,
    choice: &Choice,
    entry: &str,
    arguments: u8,
    facts: &[(String, u64)],
    random: &mut Random,
) -> Vec<u64> {
    let class = book
        .classes
        .iter()
        .find(|c| book.name(c.name) == choice.class);
    let items = class.map_or(&[][..], |c| &c.items);
    let routine = items.iter().find_map(|item| match &item.kind {
        ItemKind::Routine(r) if r.body.is_none() && book.name(r.name) == entry => Some(r),
        _ => None,
    });
    let mut words = routine.map_or(Vec::new(), |r| promised(book, r, random));
    if words.len() + 1 == arguments.into() {
        let fact = |name: &str| facts.iter().find(|(n, _)| n == name).map(|(_, n)| *n);
        let most = fact("units").or(fact("messages")).unwrap_or(1);
        words.push(random.word() % most.max(1));
    }
    words.resize(arguments.into(), 0);
    words
}

fn promised(book: &Book, routine: &Routine, random: &mut Random) -> Vec<u64> {
    let mut words = Vec::new();
    for parameter in &routine.parameters {
        let base = parameter.kind.as_ref().map(|kind| kind.base);
        let odd = if random.below(2) == 0 {
            random.word()
        } else {
            random.pick(&ODD)
        };
        match base {
            Some(TypeBase::Bits(n) | TypeBase::Dma(n) | TypeBase::Big(n)) => {
                words.push(odd & u64::MAX >> (64 - n.clamp(1, 64)));
            }
            Some(TypeBase::Bool) => words.push(odd & 1),
            Some(TypeBase::Named(n)) if book.name(n) == "ticket" => words.push(odd & 0xffff_ffff),
            Some(TypeBase::Named(_)) => {
                // Room before it for a header.
                let at = 256 + random.below(POOL_SIZE / 2);
                words.extend([at as u64, random.below(4096) as u64]);
            }
            None => words.push(odd),
        }
    }
    words
}

#[test]
fn what_is_written_does_what_the_rule_means() {
    let texts = texts();
    let rounds = noise::rounds(400);
    let mut random = noise::seeded(0x5eed_0b0b);
    let (mut count, mut wrong) = (Count::default(), Vec::new());
    for _ in 0..rounds {
        let mut text = texts[random.below(texts.len())].clone();
        for _ in 0..random.below(4) {
            change(&mut text, &mut random);
        }
        let seed = random.word();
        let Ok(book) = rulebook::read(&[("fuzz.rule", &text)]) else {
            continue;
        };
        if let Err(why) = tried(&book, &mut Random::new(seed), &mut count) {
            let place = std::env::temp_dir().join(format!("parted-{seed:016x}.rule"));
            std::fs::write(&place, format!("# seed {seed}\n{text}")).expect("the text can be kept");
            wrong.push(format!("{why}\n  {}", place.display()));
        }
    }
    println!("{count:?}");
    assert!(
        wrong.is_empty(),
        "{}\n{} of {count:?}",
        wrong.join("\n"),
        wrong.len()
    );
    assert!(
        count.entries as u64 > rounds / 2,
        "too little was compared: {count:?}"
    );
}
