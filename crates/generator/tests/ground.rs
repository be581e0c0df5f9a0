//! The whole generator on a made-up ground: a book of made-up rules, devices that are words of this process's memory.
//! The code it writes runs here, natively.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use abi::context::{Context, WINDOWS};
use abi::inventory::Proof;
use classes::memory::Places;
use classes::stand::Stand;
use discovery::policy::Place;
use generator::{record::Record, Driver, Ground, Registers, Stages};
use graph::{Access, Conduit, Fence, Late, Space, Width, WindowKind};
use machine::{Arch, Cpu, Device, Fact, Machine, Source, Value, Window};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;
use synthesis::{LiveAccess, Written};

const RULES: &str = r#"
rule ticker : clock on platform
  match hid == "MADE0001" score 9
  fact hz = 1000000, width = 32
  space r = le base
  reg COUNT 0:32 in r
  op now()
    COUNT = (COUNT + 1) % 0x100000000
    return COUNT
rule stopped : clock on platform
  match hid == "MADE0005" score 9
  fact hz = 1000000, width = 32
  space r = le base
  reg COUNT 0:32 ro in r
  op now() { return COUNT }
rule switch : power on platform
  match hid == "MADE0002" score 9
  space r = le base
  reg ID 0:32 ro pure in r
  reg OFF 4:32 wo
  init
    learn id = ID
  op off() { OFF = id }
rule deaf : power on platform
  match hid == "MADE0003" score 9
  space r = le base
  reg READY 0:32 ro in r
  reg OFF 4:32 wo
  init
    await READY == 1 within 1 us else fail dead
  op off() { OFF = 1 }
  recover dead { reset }
rule guard : watchdog on platform
  match hid == "MADE0004" score 9
  fact longest = 1000 ms
  space r = le base
  reg LEFT 0:32 in r
  init
    LEFT = 0
  op start(time)
    check time <= longest else busy
    LEFT = 1
  op kick() { LEFT = 1 }
rule leaky : entropy on platform
  match hid == "MADE0006" score 9
  space r = le base
  reg AT 0:32 in r
  reg READY 4:32 ro
  arena cells: 32[4] reach 32
  fact reach = 32
  init
    AT = dma cells | 1
    await READY == 1 within 1 us else fail dead
  flow quiet { AT = 0x5a }
  op fill(buf, t) { up filled(t, buf.len) }
  recover dead { reset }
"#;

/// A page of registers.
#[repr(align(4096))]
struct Page([AtomicU32; 1024]);

fn page() -> &'static Page {
    Box::leak(Box::new(Page([const { AtomicU32::new(0) }; 1024])))
}

fn address(page: &'static Page) -> u64 {
    page as *const Page as u64
}

/// Memory for a first run: the made-up rules use none.
#[derive(Default)]
struct Direct {
    windows: Vec<graph::Window>,
    errors: Vec<String>,
}

impl Direct {
    fn register(&mut self, window: u8, at: u64) -> Option<&'static AtomicU32> {
        let found = self.windows.get(usize::from(window));
        let Some(window) = found.filter(|w| at + 4 <= w.size && at.is_multiple_of(4)) else {
            self.errors.push(format!("{at:#x} is outside"));
            return None;
        };
        // SAFETY: windows are pages that `page` leaked, made of such words.
        Some(unsafe { &*((window.base + at) as *const AtomicU32) })
    }
}

impl LiveAccess for Direct {
    fn open(&mut self, index: u8, window: &graph::Window) -> bool {
        self.windows.truncate(index.into());
        self.windows.push(window.clone());
        true
    }
}

impl Registers for Direct {
    fn errors(&self) -> &[String] {
        &self.errors
    }
}

impl Access for Direct {
    fn read(&mut self, window: u8, at: u64, _: Width) -> u64 {
        let register = self.register(window, at);
        register.map_or(0, |r| r.load(Ordering::SeqCst).into())
    }
    fn write(&mut self, window: u8, at: u64, _: Width, value: u64) {
        if let Some(register) = self.register(window, at) {
            register.store(value as u32, Ordering::SeqCst);
        }
    }
    fn load(&mut self, _: Space, _: u64, _: Width) -> u64 {
        0
    }
    fn store(&mut self, _: Space, _: u64, _: Width, _: u64) {}
    fn fence(&mut self, _: Fence) {}
    fn late(&mut self, _: Late) -> u64 {
        0
    }
    fn clock(&mut self) -> u64 {
        now()
    }
    fn pause(&mut self, _: u64) {}
    fn up(&mut self, _: u8, _: &[u64]) -> u64 {
        0
    }
    fn firmware(&mut self, _: Conduit, _: [u64; 4]) -> u64 {
        0
    }
}

fn now() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

extern "C" fn context_now(_: *mut Context) -> u64 {
    now()
}

extern "C" fn context_pause(_: *mut Context, ns: u64) {
    std::thread::sleep(std::time::Duration::from_nanos(ns));
}

/// This process as a ground.
#[derive(Default)]
struct Process {
    said: Vec<String>,
    made: Vec<String>,
    /// A device that hung an earlier boot.
    hung: Option<String>,
    guarded: Vec<String>,
    masters: Vec<(String, bool)>,
    /// How many drivers there were, each time that one came which is asked.
    asked: Vec<usize>,
    ticks: u64,
    /// Memory beside what devices were lent was written to.
    harmed: Option<String>,
}

/// Fresh zeroed memory, of whole pages, that stays.
fn memory(size: usize, executable: bool) -> *mut u8 {
    let execute = if executable { libc::PROT_EXEC } else { 0 };
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    let at = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            size.max(1),
            libc::PROT_READ | libc::PROT_WRITE | execute,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(at, libc::MAP_FAILED);
    at.cast()
}

impl Ground for Process {
    type Registers = Direct;

    fn target(&self) -> emit::Target {
        emit::Target::X86_64
    }

    fn registers(&mut self, _: Place) -> Direct {
        Direct::default()
    }

    fn guarded<R>(&mut self, path: &str, work: impl FnOnce(&mut Self) -> R) -> Option<R> {
        self.guarded.push(path.into());
        (self.hung.as_deref() != Some(path)).then(|| work(self))
    }

    fn bus_master(&mut self, _: &Machine, path: &str, on: bool) {
        self.masters.push((path.into(), on));
    }

    fn messages(&mut self, _: &str, _: impl FnOnce(&mut dyn discovery::Hardware)) -> Option<()> {
        None
    }

    fn stand<'a>(
        &mut self,
        written: &'a Written,
        code: &'a emit::Code,
    ) -> Result<Stand<'a>, String> {
        let residual = &written.residual;
        let mut windows = [0; WINDOWS];
        for (to, from) in windows.iter_mut().zip(&residual.windows) {
            assert_eq!(from.kind, WindowKind::Memory);
            *to = from.base;
        }
        let arena = memory(residual.arena_size as usize, false);
        let pool = memory(classes::selftest::POOL, false);
        let places = Places {
            state: memory(residual.state_size as usize, false),
            state_size: residual.state_size as usize,
            arena,
            arena_size: residual.arena_size as usize,
            arena_dma: arena as u64,
            pool,
            pool_size: classes::selftest::POOL,
            pool_dma: pool as u64,
            windows,
            clock: context_now,
            pause: context_pause,
        };
        let text = memory(code.bytes.len(), true);
        // SAFETY: so many bytes were just mapped.
        unsafe { text.copy_from_nonoverlapping(code.bytes.as_ptr(), code.bytes.len()) };
        let entries = residual.entries.iter().zip(&code.entries);
        let entries = entries.map(|(entry, (at, _))| (entry.name.as_str(), *at));
        let rings = memory(abi::ring::BYTES, false);
        // SAFETY: generated code in executable memory that stays, with the emitter's offsets; all memory is fresh, and the
        // windows are pages of registers.
        let stand = unsafe { Stand::new(text, code.bytes.len(), entries, places, rings) };
        stand.map_err(|unfit| unfit.to_string())
    }

    fn effort(&self) -> classes::selftest::Effort {
        classes::selftest::Effort::Quick
    }

    fn unharmed(&mut self) -> Result<(), String> {
        match &self.harmed {
            Some(what) => Err(what.clone()),
            None => Ok(()),
        }
    }

    fn timed(&self) -> bool {
        false
    }

    fn ticks(&mut self) -> u64 {
        self.ticks += 10;
        self.ticks
    }

    fn say(&mut self, line: fmt::Arguments) {
        self.said.push(line.to_string());
    }

    fn made(&mut self, driver: &Driver) {
        self.made.push(driver.name.clone());
    }

    fn asked_next(&mut self, drivers: &mut [Driver]) {
        self.asked.push(drivers.len());
    }

    fn all_made(&mut self, drivers: &mut [Driver]) {
        for driver in drivers {
            driver.state.push(0x5a);
        }
    }
}

fn device(path: &str, hid: &str, base: u64) -> Device {
    let mut device = Device::new(path.into(), "platform");
    device.facts.push(Fact {
        name: "hid".into(),
        value: Value::Text(hid.into()),
        source: Source::Inferred,
    });
    device.windows.push(Window {
        index: 0,
        kind: machine::WindowKind::Memory,
        base,
        size: 0x1000,
        source: Source::Inferred,
    });
    device
}

fn machine(devices: Vec<Device>) -> Machine {
    Machine {
        cpus: vec![Cpu {
            id: 0,
            facts: Vec::new(),
        }],
        devices,
        ..Machine::new(Arch::X86_64)
    }
}

/// The classes as the shipped rules have them, and the made-up rules.
fn book() -> rulebook::tree::Book {
    let classes = concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules/classes.rule");
    let classes = std::fs::read_to_string(classes).expect("the classes are there");
    let files = [("classes.rule", classes.as_str()), ("made_up.rule", RULES)];
    rulebook::read(&files).unwrap_or_else(|problems| {
        let shown: Vec<String> = problems.iter().map(|p| p.render("", &files)).collect();
        panic!("{}", shown.concat())
    })
}

#[test]
fn a_machine_gets_its_drivers_and_each_its_verdict() {
    let (clock, switch, stuck, deaf) = (page(), page(), page(), page());
    switch.0[0].store(0x1234, Ordering::SeqCst);
    let mut machine = machine(vec![
        device("made/clock", "MADE0001", address(clock)),
        device("made/stuck", "MADE0005", address(stuck)),
        device("made/switch", "MADE0002", address(switch)),
        device("made/deaf", "MADE0003", address(deaf)),
        device("made/unknown", "MADE0009", address(deaf)),
    ]);
    let mut process = Process::default();
    let mut stages = Stages::start(0);
    let output = generator::all(&book(), &mut machine, &mut process, &mut stages);

    let of = |path: &str| {
        let mut drivers = output.drivers.iter();
        drivers
            .find(|d| machine.devices[d.device].path == path)
            .unwrap()
    };
    assert_eq!(of("made/clock").proof, Proof::Verified);
    let Proof::Rejected(why) = &of("made/stuck").proof else {
        panic!("a clock that stands still is not rejected");
    };
    assert!(why.contains("stands still"), "{why}");
    // Code that has not been called says so.
    assert!(matches!(of("made/switch").proof, Proof::Unverified(_)));
    let Proof::Rejected(why) = &of("made/deaf").proof else {
        panic!("a device that does not answer is not rejected");
    };
    assert!(why.contains("dead"), "{why}");
    assert_eq!(output.unmatched.len(), 1);

    // What was learned is in the model and in the code; nothing was switched off.
    let learned = &machine.devices[2].learned;
    assert!(learned.iter().any(|f| f.value == Value::Number(0x1234)));
    assert_eq!(switch.0[1].load(Ordering::SeqCst), 0);
    let made: Vec<&str> = process.made.iter().map(String::as_str).collect();
    assert!(
        made.contains(&of("made/clock").name.as_str()) && made.len() == 2,
        "{made:?}"
    );
    // A rejected driver's device does not master the bus; another keeps it.
    let last = |path: &str| {
        process
            .masters
            .iter()
            .rev()
            .find(|(p, _)| p == path)
            .unwrap()
            .1
    };
    assert!(last("made/clock") && last("made/switch") && !last("made/stuck") && !last("made/deaf"));
    assert!(process
        .said
        .iter()
        .any(|line| line.contains("there is no disk")));

    let mut record = Record::of(&machine, &output);
    let placed = of("made/clock");
    let at = output
        .drivers
        .iter()
        .position(|d| d.name == placed.name)
        .unwrap();
    let mut bound = vec![None; output.drivers.len()];
    bound[at] = Some(0x7000);
    record.placed(Some(0x10_0000), &bound);
    let kept = &record.devices[at];
    let (start, size) = (kept.code.0 as usize, kept.code.1 as usize);
    assert_eq!(record.codes[start..start + size], placed.code.bytes);
    assert_eq!(kept.code_at, [0x10_0000 + start as u64, 0x7000]);
    let inventory = record.inventory(&machine, stages.told(2, 1), "instructions");
    let named: Vec<&str> = inventory
        .stages
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(named, ["match", "learn", "specialise", "emit", "prove"]);
    // Each passing of a stage took ten ticks, of two instructions each.
    assert_eq!(inventory.stages[0].1, 20);
}

/// What passes its own test and stores where it was lent nothing is rejected.
#[test]
fn a_driver_whose_device_goes_too_far_is_rejected() {
    let clock = page();
    let mut machine = machine(vec![device("made/clock", "MADE0001", address(clock))]);
    let mut process = Process {
        harmed: Some("memory beside its arena was written to".into()),
        ..Process::default()
    };
    let output = generator::all(&book(), &mut machine, &mut process, &mut Stages::start(0));
    let why = "memory beside its arena was written to".into();
    assert_eq!(output.drivers[0].proof, Proof::Rejected(why));
}

/// The journal's word counts: what hung the machine is left alone, and said to be.
#[test]
fn a_device_that_hung_the_machine_is_not_asked_again() {
    let switch = page();
    let mut machine = machine(vec![device("made/switch", "MADE0002", address(switch))]);
    let mut process = Process {
        hung: Some("made/switch".into()),
        ..Process::default()
    };
    let output = generator::all(&book(), &mut machine, &mut process, &mut Stages::start(0));
    let Proof::Rejected(why) = &output.drivers[0].proof else {
        panic!("it was asked");
    };
    assert!(why.contains("hung the machine"), "{why}");
    assert!(machine.devices[0].learned.is_empty() && process.made.is_empty());
}

/// Whoever is asked comes behind what is called directly, and the ground learns of it just before; at the end it may say
/// what its own use changed.
#[test]
fn the_ground_is_told_before_one_comes_that_is_asked() {
    let (clock, guard) = (page(), page());
    let mut machine = machine(vec![
        device("made/guard", "MADE0004", address(guard)),
        device("made/clock", "MADE0001", address(clock)),
    ]);
    let mut process = Process::default();
    let output = generator::all(&book(), &mut machine, &mut process, &mut Stages::start(0));
    assert_eq!(process.asked, [1]);
    assert_eq!(output.drivers.len(), 2, "{:?}", process.said);
    assert!(output.drivers.iter().all(|d| d.state.last() == Some(&0x5a)));
}

/// What the first run of `init` told the device about memory is taken back where no driver comes of it.
#[test]
fn a_device_without_a_driver_is_left_quiet() {
    let leaky = page();
    let mut machine = machine(vec![device("made/leaky", "MADE0006", address(leaky))]);
    let mut process = Process::default();
    let output = generator::all(&book(), &mut machine, &mut process, &mut Stages::start(0));
    let Proof::Rejected(why) = &output.drivers[0].proof else {
        panic!("it was not ready");
    };
    assert!(why.contains("dead"), "{why}");
    assert_eq!(leaky.0[0].load(Ordering::SeqCst), 0x5a);
    assert_eq!(process.masters.last(), Some(&("made/leaky".into(), false)));
}
