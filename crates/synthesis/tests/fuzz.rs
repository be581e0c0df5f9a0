//! Fuzz targets on stable Rust: rules that are well formed and mean nothing sensible, for devices with any facts, that answer
//! anything. Matching, the first run and specialising must end in a graph that is well formed or in an error that says
//! where, within bounds of time and memory.
//!
//! `FUZZ_ROUNDS=200000 FUZZ_SEED=7 cargo test --release -p synthesis --test fuzz` looks for long; without these, a few
//! rounds are run, the same each time. What was found once lies in `corpus/` and is tried first.

#[path = "fuzz/generator.rs"]
mod generator;

use generator::{change, choices, device, rules, texts, ODD};
use graph::{Access, Conduit, Fence, Late, Space, Width};
use machine::{Arch, Cpu, Machine};
use noise::Random;
use rulebook::tree::Book;
use std::alloc::{GlobalAlloc, Layout, System};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use synthesis::{LiveAccess, Subject};

/// Many times what the largest rule takes, even unoptimised on a busy computer.
const LONGEST: Duration = Duration::from_secs(30);
/// Bytes that one specialisation may hold at once: genesis has tens of MiB.
const MOST: usize = 256 << 20;

/// The system's allocator, with an eye on how much is held.
struct Counting;
static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is left to the system's allocator; the counts change nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A device that answers anything: mostly small and odd numbers, sometimes what it was told.
struct Anything {
    random: Random,
    last: u64,
    reads: u64,
    time: u64,
}

/// Reads after which the first run is given up: each of its loops and waits has a bound, their product may be large.
const READS: u64 = 1 << 20;

impl Access for Anything {
    fn read(&mut self, _: u8, _: u64, width: Width) -> u64 {
        self.reads += 1;
        let value = match self.random.below(6) {
            0 => self.last,
            1 => u64::MAX,
            2 => self.random.word(),
            3 => 0,
            _ => self.random.pick(&ODD),
        };
        value & width.mask()
    }
    fn write(&mut self, _: u8, _: u64, _: Width, value: u64) {
        self.last = value;
    }
    fn load(&mut self, _: Space, at: u64, width: Width) -> u64 {
        self.read(0, at, width)
    }
    fn store(&mut self, _: Space, _: u64, _: Width, _: u64) {}
    fn fence(&mut self, _: Fence) {}
    fn late(&mut self, _: Late) -> u64 {
        0x10_0000
    }
    fn clock(&mut self) -> u64 {
        // It jumps when the first run takes long, so that waits end.
        self.time += if self.reads > READS { 1 << 40 } else { 1000 };
        self.time
    }
    fn pause(&mut self, ns: u64) {
        self.time = self.time.saturating_add(ns);
    }
    fn up(&mut self, _: u8, _: &[u64]) -> u64 {
        0
    }
    fn firmware(&mut self, _: Conduit, _: [u64; 4]) -> u64 {
        self.random.word()
    }
}

impl LiveAccess for Anything {
    fn open(&mut self, _: u8, _: &graph::Window) -> bool {
        self.random.below(50) != 0
    }
}

/// What became of it all.
#[derive(Default, Debug)]
struct Count {
    books: usize,
    learned: usize,
    written: usize,
    refused: usize,
}

fn tried(book: &Book, random: &mut Random, count: &mut Count) {
    count.books += 1;
    let choices = choices(book);
    let given = [
        ("timer_vector", 0xf0),
        ("line_vector", 0x20),
        // Every third for several CPUs.
        ("cpus", [1, 1, 3][count.books % 3]),
        ("lane", count.books as u64 % 3 % 2),
    ];
    for _ in 0..2 {
        if choices.is_empty() {
            return;
        }
        let choice = choices[random.below(choices.len())].clone();
        let bus = random.pick(&["pci", "platform", "cpu"]);
        let mut device = device(book, bus, random);
        let mut machine = Machine {
            cpus: vec![Cpu {
                id: 0,
                facts: Vec::new(),
            }],
            ..Machine::new(random.pick(&[Arch::X86_64, Arch::Aarch64]))
        };
        machine.devices.push(device.clone());
        let mut access = Anything {
            random: Random::new(random.word()),
            last: 0,
            reads: 0,
            time: 0,
        };
        let subject = Subject {
            book,
            machine: &machine,
            device: &device,
            given: &given,
        };
        let verdict = synthesis::match_device(subject, Some(&mut access));
        drop(verdict);
        let learned = synthesis::learn(subject, &choice, &mut access);
        let error = |error: &synthesis::Error| assert!(!error.show(book).is_empty());
        match learned {
            Ok(learned) => {
                count.learned += 1;
                let mut joining = device.clone();
                joining.learned.clone_from(&learned);
                device.learned = learned;
                let subject = Subject {
                    book,
                    machine: &machine,
                    device: &joining,
                    given: &given,
                };
                match synthesis::learn_joining(subject, &choice, &mut access) {
                    Ok(more) => device.learned.extend(more),
                    Err(why) => error(&why),
                }
            }
            Err(why) => error(&why),
        }
        let subject = Subject {
            book,
            machine: &machine,
            device: &device,
            given: &given,
        };
        match synthesis::specialise(subject, &choice) {
            Ok(written) => {
                count.written += 1;
                if let Err(why) = written.residual.validate() {
                    panic!("the graph is not well formed: {why}");
                }
            }
            Err(why) => {
                count.refused += 1;
                error(&why);
            }
        }
    }
}

/// One text with one seed; the failure, if any, with what repeats it.
fn round(text: &str, seed: u64, count: &mut Count) -> Result<(), String> {
    let start = Instant::now();
    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        if let Ok(book) = rulebook::read(&[("fuzz.rule", text)]) {
            tried(&book, &mut Random::new(seed), count);
        }
    }));
    let most = PEAK.load(Ordering::Relaxed).saturating_sub(before);
    let took = start.elapsed();
    match ended {
        Err(panic) => {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).into()));
            Err(format!("panic: {}", said.unwrap_or_default()))
        }
        Ok(()) if took > LONGEST => Err(format!("it took {took:?}")),
        Ok(()) if most > MOST => Err(format!("it held {most} bytes")),
        Ok(()) => Ok(()),
    }
}

#[test]
fn any_rule_for_any_device_ends_in_a_graph_or_an_error() {
    let mut count = Count::default();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut known = Vec::new();
    rules(&corpus, &mut known);
    for text in &known {
        // The seed stands in the first line: `# seed 123`.
        let seed = text
            .lines()
            .next()
            .and_then(|l| l.strip_prefix("# seed ")?.parse().ok());
        if let Err(why) = round(text, seed.unwrap_or(1), &mut count) {
            panic!("{}: {why}", text.lines().next().unwrap_or_default());
        }
    }
    let texts = texts();
    let rounds = noise::rounds(250);
    let mut random = noise::seeded(0x5eed_0041);
    let mut wrong = Vec::new();
    for _ in 0..rounds {
        let mut text = texts[random.below(texts.len())].clone();
        for _ in 0..random.below(4) {
            change(&mut text, &mut random);
        }
        let seed = random.word();
        if let Err(why) = round(&text, seed, &mut count) {
            let name = format!("found-{seed:016x}.rule");
            let text = format!("# seed {seed}\n{text}");
            let place = std::env::temp_dir().join(&name);
            std::fs::write(&place, text).expect("the text can be kept");
            wrong.push(format!("{why}: {}", place.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        count.books as u64 > rounds / 4 && count.written * 10 > count.books,
        "too few rules were looked at: {count:?}"
    );
    println!("{count:?}");
}
