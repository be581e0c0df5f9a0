//! Steps 2 to 5: match, specialise, emit and prove, device by device; and the record of it all.

mod bind;
mod faults;
mod messages;
mod platform;
mod prove;
mod record;
mod thorough;

pub use bind::bind;
pub use faults::faults;
pub use record::keep;
pub use thorough::thorough;

use crate::{
    arch,
    discover::{self, Probing},
    live::Live,
};
use abi::inventory::Proof;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use discovery::policy::Place;
use machine::Machine;
use messages::Supply;
use rulebook::tree::Book;
use synthesis::{Choice, Job, Plan, Unmatched, Written, MESSAGES};

#[cfg(target_arch = "x86_64")]
const TARGET: emit::Target = emit::Target::X86_64;
#[cfg(target_arch = "aarch64")]
const TARGET: emit::Target = emit::Target::Aarch64;

/// One device's driver, from its rule to its proof.
pub struct Driver {
    /// Index into `Machine::devices`.
    pub device: usize,
    pub name: String,
    pub title: String,
    pub choice: Choice,
    pub written: Written,
    pub code: emit::Code,
    pub proof: Proof,
    /// Private state as `init` and the test left it, for a direct class.
    pub state: Vec<u8>,
    /// Physical address of the copy that the nucleus calls, once bound.
    pub bound: Option<u64>,
    /// The machine's number of each message that the device sends; empty if it has a wire.
    pub messages: Vec<u32>,
    /// Interrupts that its task hears before they are lost, and how many are (`fault=`).
    pub lost: Option<(u64, u64)>,
}

impl Driver {
    /// Byte offset of an entry in the code.
    pub fn entry(&self, name: &str) -> Option<u32> {
        let at = self
            .written
            .residual
            .entries
            .iter()
            .position(|e| e.name == name)?;
        self.code.entries.get(at).map(|(offset, _)| *offset)
    }

    pub fn fact(&self, name: &str) -> Option<u64> {
        self.written
            .facts
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| *v)
    }

    /// The number, beside all ones, by which it says that there was no interrupt.
    pub fn spurious(&self) -> u64 {
        self.fact("spurious").unwrap_or(abi::boot::NO_VECTOR)
    }

    pub fn usable(&self) -> bool {
        !matches!(self.proof, Proof::Rejected(_))
    }
}

/// How long each step took, in counter ticks.
#[derive(Default)]
pub struct Stages {
    list: Vec<(String, u64)>,
    last: u64,
}

impl Stages {
    pub fn start(ticks: u64) -> Stages {
        Stages {
            list: Vec::new(),
            last: ticks,
        }
    }

    /// What passed since the last call belongs to this stage.
    pub fn passed(&mut self, stage: &str) {
        let now = arch::ticks();
        let passed = now.saturating_sub(self.last);
        self.last = now;
        match self.list.iter_mut().find(|(name, _)| name == stage) {
            Some((_, sum)) => *sum += passed,
            None => self.list.push((stage.to_string(), passed)),
        }
    }
}

/// Everything genesis wrote.
pub struct Output {
    pub drivers: Vec<Driver>,
    pub unmatched: Vec<Unmatched>,
    /// Vector or interrupt ID of the first message, and how many devices send.
    pub messages: (u64, u64),
}

/// Writes and proves a driver for each device that a rule serves. What is learned goes into the machine model.
pub fn all(
    book: &Book,
    machine: &mut Machine,
    probing: &mut Probing,
    stages: &mut Stages,
) -> Output {
    let mut faults: Vec<(String, Vec<String>)> = Vec::new();
    let Plan {
        jobs,
        mut unmatched,
    } = synthesis::plan(book, machine, |subject| {
        let device = subject.device;
        let place = match device.fact("candidate") {
            Some(_) => Place::Candidate,
            None => Place::Window,
        };
        let mut live = Live::asking(place, probing.blind);
        let verdict = probing.guarded(&device.path, || {
            synthesis::match_device(subject, Some(&mut live))
        });
        if !live.errors().is_empty() {
            faults.push((device.path.clone(), live.errors().to_vec()));
        }
        verdict.unwrap_or_else(|| synthesis::match_device(subject, None))
    });
    for (path, errors) in faults {
        discover::faults(machine, &path, &errors);
    }
    stages.passed("match");
    let mut drivers: Vec<Driver> = Vec::new();
    let mut supply: Option<Supply> = None;
    let alone = alone(&jobs);
    let mut wakers = None;
    for (job, alone) in jobs.into_iter().zip(alone) {
        // Those that wait for what others answer come behind timers and interrupt controllers.
        if wakers.is_none() && !job.choice.direct && drivers.iter().any(timer) {
            wakers = Some(platform::rest(&drivers));
        }
        let offered = match &supply {
            Some(supply) if alone => supply.offer(book, machine, &job, probing),
            _ => None,
        };
        let mut proved = guarded(book, machine, job.device, &job.choice, probing, stages);
        let heard = proved.as_ref().map_or(0, |(written, ..)| heard(written));
        if let (Some(messages), 0) = (&offered, heard) {
            messages::withdraw(machine, job.device, messages, probing);
            if proved.is_ok() {
                // By other facts than those of its messages, it wants its wire after all.
                proved = guarded(book, machine, job.device, &job.choice, probing, stages);
            }
        }
        let Job {
            device,
            name,
            choice,
        } = job;
        match proved {
            Ok((written, code, state, proof)) => {
                let mut driver = Driver {
                    device,
                    name,
                    title: choice.title(book),
                    choice,
                    written,
                    code,
                    proof,
                    state,
                    bound: None,
                    messages: Vec::new(),
                    lost: None,
                };
                if let (Some(supply), Some(messages)) = (&mut supply, offered) {
                    let path = &machine.devices[device].path;
                    match driver.usable() {
                        true => driver.messages = supply.connect(&messages, heard, path, probing),
                        false => messages::withdraw(machine, device, &messages, probing),
                    }
                }
                if driver.choice.class == MESSAGES && driver.usable() {
                    // The dearest come first: what is cheaper takes its place as long as nobody uses it.
                    supply = Supply::of(&driver).or(supply);
                }
                if !driver.choice.direct && driver.choice.class == "serial" && driver.usable() {
                    platform::console(&driver);
                }
                say(&driver, machine);
                if driver.choice.class == "clock" && driver.usable() {
                    platform::clock(&driver);
                }
                drivers.push(driver);
            }
            // A controller without anything behind it gets no driver.
            Err(why) if why == NOTHING => unmatched.push(Unmatched {
                device,
                nearest: Some((choice.title(book), why)),
            }),
            Err(why) => {
                crate::log!("  {name}: not written: {why}");
                let empty = Written {
                    residual: graph::Residual::default(),
                    facts: Vec::new(),
                };
                let code = emit::Code {
                    bytes: Vec::new(),
                    entries: Vec::new(),
                };
                let title = choice.title(book);
                drivers.push(Driver {
                    device,
                    name,
                    title,
                    choice,
                    written: empty,
                    code,
                    proof: Proof::Rejected(why),
                    state: Vec::new(),
                    bound: None,
                    messages: Vec::new(),
                    lost: None,
                });
            }
        }
    }
    if let Some(Some(wakers)) = wakers {
        platform::end_rest(&wakers, &mut drivers);
    }
    say_missing(&drivers);
    Output {
        drivers,
        unmatched,
        messages: supply.map_or((0, 0), |supply| (supply.first, supply.used)),
    }
}

fn timer(driver: &Driver) -> bool {
    driver.choice.class == "timer" && driver.usable()
}

/// Of each job, whether no other one is for the same device: what a message means is one driver's to say.
fn alone(jobs: &[Job]) -> Vec<bool> {
    let count = |job: &Job| jobs.iter().filter(|j| j.device == job.device).count();
    jobs.iter().map(|job| count(job) == 1).collect()
}

/// How many messages the code hears.
fn heard(written: &Written) -> u64 {
    let fact = written.facts.iter().find(|(name, _)| name == MESSAGES);
    fact.map_or(0, |(_, n)| *n)
}

/// Says plainly which everyday class has no device.
fn say_missing(drivers: &[Driver]) {
    for (class, what) in contract::MISSED {
        if !drivers
            .iter()
            .any(|d| d.choice.class == class && d.usable())
        {
            crate::log!("  there is no {what} that can be used");
        }
    }
}

fn say(driver: &Driver, machine: &Machine) {
    let path = machine
        .devices
        .get(driver.device)
        .map_or("?", |d| d.path.as_str());
    let proof = match &driver.proof {
        Proof::Verified => "verified".to_string(),
        Proof::Unverified(why) => format!("unverified: {why}"),
        Proof::Rejected(why) => format!("rejected: {why}"),
        Proof::None => "not tested".to_string(),
    };
    crate::log!(
        "  {:<16} {:<28} {:<26} {:>5} bytes, {}",
        driver.name,
        driver.title,
        path,
        driver.code.bytes.len(),
        proof
    );
}

const NOTHING: &str = "nothing is connected to it";
const GONE: &str = "the device is not in the model";
const HUNG: &str =
    "asking it hung the machine before the last reset; switch off and on to try once more";

type Proved = (Written, emit::Code, Vec<u8>, Proof);

/// As `one`, with the device in the journal, and master of its bus if it is PCI's; it stays that if its driver can be used.
fn guarded(
    book: &Book,
    machine: &mut Machine,
    device: usize,
    choice: &Choice,
    probing: &mut Probing,
    stages: &mut Stages,
) -> Result<Proved, String> {
    let path = machine.devices.get(device).ok_or(GONE)?.path.clone();
    probing.bus_master(machine, &path, true);
    let proved = probing.guarded(&path, || one(book, machine, device, choice, stages));
    let proved = proved.unwrap_or_else(|| Err(HUNG.to_string()));
    if !matches!(&proved, Ok((.., proof)) if !matches!(proof, Proof::Rejected(_))) {
        probing.bus_master(machine, &path, false);
    }
    proved
}

fn one(
    book: &Book,
    machine: &mut Machine,
    device: usize,
    choice: &Choice,
    stages: &mut Stages,
) -> Result<Proved, String> {
    let learned = {
        let subject = synthesis::subject(book, machine, device).ok_or(GONE)?;
        let mut live = Live::chosen();
        let learned = synthesis::learn(subject, choice, &mut live);
        let learned = learned.map_err(|e| e.show(book))?;
        if let Some(error) = live.errors().first() {
            return Err(error.clone());
        }
        learned
    };
    stages.passed("learn");
    let target = &mut machine.devices[device].learned;
    for fact in learned {
        if !target.iter().any(|f| f.name == fact.name) {
            target.push(fact);
        }
    }
    let subject = synthesis::subject(book, machine, device).ok_or(GONE)?;
    if synthesis::serves_nothing(subject, choice) {
        return Err(NOTHING.into());
    }
    let written = synthesis::specialise(subject, choice).map_err(|e| e.show(book))?;
    stages.passed("specialise");
    let code = emit::emit(&written.residual, TARGET).map_err(|e| format!("{e}"))?;
    stages.passed("emit");
    let (state, proof) = prove::prove(&choice.class, choice.direct, &written, &code);
    stages.passed("prove");
    Ok((written, code, state, proof))
}
