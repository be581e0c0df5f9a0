//! Steps 2 to 5: match, specialise, emit and prove, device by device; and the record of it all.

mod bind;
mod platform;
mod prove;
mod record;

pub use bind::bind;
pub use record::Record;

use crate::{arch, live::Live};
use abi::inventory::Proof;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use machine::Machine;
use rulebook::tree::Book;
use synthesis::{Choice, Subject, Written};

/// The order in which classes are written: what others need first, and a console as early as can be.
const ORDER: [&str; 8] = [
    "clock", "serial", "lines", "vectors", "timer", "power", "nic", "block",
];

#[cfg(target_arch = "x86_64")]
const TARGET: emit::Target = emit::Target::X86_64;
#[cfg(target_arch = "aarch64")]
const TARGET: emit::Target = emit::Target::Aarch64;

/// Facts that this machine's nucleus decides.
const GIVEN: [(&str, u64); 2] = [
    ("timer_vector", abi::boot::vector::TIMER),
    ("spurious_vector", abi::boot::vector::SPURIOUS),
];

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
    /// Its private variables as `init` left them.
    pub state: Vec<u8>,
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

/// A device that no rule serves.
pub struct Unmatched {
    pub device: usize,
    pub nearest: Option<(String, String)>,
}

/// Everything genesis wrote.
pub struct Output {
    pub drivers: Vec<Driver>,
    pub unmatched: Vec<Unmatched>,
}

/// The places that rules name for devices that no table names.
pub fn candidates(book: &Book) -> Vec<discovery::Candidate> {
    let kind = |ports| {
        if ports {
            machine::WindowKind::Port
        } else {
            machine::WindowKind::Memory
        }
    };
    (synthesis::candidates(book).into_iter())
        .map(|c| discovery::Candidate {
            kind: kind(c.ports),
            base: c.base,
            size: c.size,
            line: c.line,
        })
        .collect()
}

/// Writes and proves a driver for each device that a rule serves. What is learned goes into the machine model.
pub fn all(book: &Book, machine: &mut Machine, stages: &mut Stages) -> Output {
    let mut jobs: Vec<(usize, Choice)> = Vec::new();
    let mut unmatched = Vec::new();
    for device in 0..machine.devices.len() {
        let verdict = {
            let subject = Subject {
                book,
                machine,
                device: &machine.devices[device],
                given: &GIVEN,
            };
            let mut probe = Live::new();
            synthesis::match_device(subject, Some(&mut probe))
        };
        if verdict.chosen.is_empty() && !is_candidate(machine, device) {
            unmatched.push(Unmatched {
                device,
                nearest: verdict.nearest,
            });
        }
        jobs.extend(verdict.chosen.into_iter().map(|choice| (device, choice)));
    }
    stages.passed("match");
    let rank = |class: &str| {
        ORDER
            .iter()
            .position(|c| *c == class)
            .unwrap_or(ORDER.len())
    };
    jobs.sort_by_key(|(_, choice)| rank(&choice.class));
    let mut drivers: Vec<Driver> = Vec::new();
    for (device, choice) in jobs {
        let name = name_for(book, &choice, &drivers);
        match one(book, machine, device, &choice, stages) {
            Ok((written, code, proof, state)) => {
                let driver = Driver {
                    device,
                    name,
                    title: choice.title(book),
                    choice,
                    written,
                    code,
                    proof,
                    state,
                };
                if !driver.choice.direct && driver.choice.class == "serial" && driver.usable() {
                    platform::console(&driver);
                }
                say(&driver, machine);
                if driver.choice.class == "clock" && driver.usable() {
                    platform::clock(&driver);
                }
                drivers.push(driver);
            }
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
                });
            }
        }
    }
    Output { drivers, unmatched }
}

fn is_candidate(machine: &Machine, device: usize) -> bool {
    machine.devices[device].fact("candidate").is_some()
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

/// `virtio-net`, then `virtio-net-2`.
fn name_for(book: &Book, choice: &Choice, drivers: &[Driver]) -> String {
    let rule = choice
        .rules
        .first()
        .and_then(|r| book.rules.get(*r))
        .map_or("?", |r| book.name(r.name));
    let base = rule.replace('_', "-");
    let same = drivers
        .iter()
        .filter(|d| {
            d.name == base
                || d.name
                    .strip_prefix(&base)
                    .is_some_and(|rest| rest.starts_with('-') && rest[1..].parse::<u32>().is_ok())
        })
        .count();
    if same == 0 {
        base
    } else {
        format!("{base}-{}", same + 1)
    }
}

type Proved = (Written, emit::Code, Proof, Vec<u8>);

fn one(
    book: &Book,
    machine: &mut Machine,
    device: usize,
    choice: &Choice,
    stages: &mut Stages,
) -> Result<Proved, String> {
    let learned = {
        let subject = Subject {
            book,
            machine,
            device: &machine.devices[device],
            given: &GIVEN,
        };
        let mut live = Live::new();
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
    let subject = Subject {
        book,
        machine,
        device: &machine.devices[device],
        given: &GIVEN,
    };
    let written = synthesis::specialise(subject, choice).map_err(|e| e.show(book))?;
    written.residual.validate()?;
    stages.passed("specialise");
    let code = emit::emit(&written.residual, TARGET).map_err(|e| format!("{e}"))?;
    stages.passed("emit");
    let (proof, state) = prove::prove(&choice.class, choice.direct, &written, &code);
    stages.passed("prove");
    Ok((written, code, proof, state))
}
