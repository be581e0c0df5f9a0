//! One device: learn, specialise, emit, prove.

use crate::{prove, Ground, Registers, Stages};
use abi::inventory::Proof;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use discovery::policy::Place;
use machine::Machine;
use rulebook::tree::Book;
use synthesis::{Choice, Written};

/// Why a device gets no driver.
pub enum Not {
    /// It is a controller without anything behind it.
    Needed,
    /// What went wrong.
    Written(String),
}

impl From<&str> for Not {
    fn from(why: &str) -> Not {
        Not::Written(why.to_string())
    }
}

impl From<String> for Not {
    fn from(why: String) -> Not {
        Not::Written(why)
    }
}

const GONE: &str = "the device is not in the model";
const HUNG: &str =
    "asking it hung the machine before the last reset; switch off and on to try once more";

/// What was written for one device, and whether it can be used.
pub struct Proved {
    pub written: Written,
    pub code: emit::Code,
    /// Private state as the proof left it, for a direct class.
    pub state: Vec<u8>,
    pub proof: Proof,
}

/// Writes and proves, with the device in the journal, and master of its bus if it is PCI's. Whatever comes of it, the device
/// then leaves memory alone: the proof of a driver that can be used ends so, and where there is none, `quiet` is carried out
/// here, and the device is no longer master of its bus.
pub fn write(
    book: &Book,
    machine: &mut Machine,
    device: usize,
    choice: &Choice,
    ground: &mut impl Ground,
    stages: &mut Stages,
) -> Result<Proved, Not> {
    let path = machine.devices.get(device).ok_or(GONE)?.path.clone();
    ground.bus_master(machine, &path, true);
    let proved = ground.guarded(&path, |ground| {
        let proved = steps(book, machine, device, choice, ground, stages);
        if !usable(&proved) {
            quiet(book, machine, device, choice, ground);
        }
        proved
    });
    let proved = proved.unwrap_or_else(|| Err(HUNG.into()));
    if !usable(&proved) {
        ground.bus_master(machine, &path, false);
    }
    proved
}

fn usable(proved: &Result<Proved, Not>) -> bool {
    matches!(proved, Ok(proved) if !matches!(proved.proof, Proof::Rejected(_)))
}

/// The rule's `quiet`, by the text: there is no code, or it is not to be trusted. The first run of `init` may have told the
/// device where memory is.
fn quiet(book: &Book, machine: &Machine, device: usize, choice: &Choice, ground: &mut impl Ground) {
    let Some(subject) = synthesis::subject(book, machine, device) else {
        return;
    };
    let mut registers = ground.registers(Place::Chosen);
    let rested = synthesis::quiet(subject, choice, &mut registers);
    let (path, on_pci) = (&subject.device.path, subject.device.bus == "pci");
    // On PCI, whoever is not the bus's master is quiet.
    if let (Err(error), false) = (rested, on_pci) {
        let why = error.show(book);
        ground.say(format_args!(
            "  {path}: it may still use memory, since `quiet` failed: {why}; take it out of the machine"
        ));
    }
}

fn steps(
    book: &Book,
    machine: &mut Machine,
    device: usize,
    choice: &Choice,
    ground: &mut impl Ground,
    stages: &mut Stages,
) -> Result<Proved, Not> {
    learn(book, machine, device, choice, ground)?;
    stages.passed(ground, "learn");
    let subject = synthesis::subject(book, machine, device).ok_or(GONE)?;
    if synthesis::serves_nothing(subject, choice) {
        return Err(Not::Needed);
    }
    let written = synthesis::specialise(subject, choice).map_err(|e| e.show(book))?;
    stages.passed(ground, "specialise");
    let code = emit::emit(&written.residual, ground.target()).map_err(|e| format!("{e}"))?;
    stages.passed(ground, "emit");
    let (state, proof) = prove::prove(ground, &choice.class, choice.direct, &written, &code);
    stages.passed(ground, "prove");
    Ok(Proved {
        written,
        code,
        state,
        proof,
    })
}

/// The first run of the rule's `init`, on the device itself: what it learns becomes facts of the device.
fn learn(
    book: &Book,
    machine: &mut Machine,
    device: usize,
    choice: &Choice,
    ground: &mut impl Ground,
) -> Result<(), Not> {
    let subject = synthesis::subject(book, machine, device).ok_or(GONE)?;
    let mut registers = ground.registers(Place::Chosen);
    let learned = synthesis::learn(subject, choice, &mut registers);
    let learned = learned.map_err(|e| e.show(book))?;
    if let Some(error) = registers.errors().first() {
        return Err(Not::Written(error.clone()));
    }
    let target = &mut machine.devices[device].learned;
    for fact in learned {
        if !target.iter().any(|f| f.name == fact.name) {
            target.push(fact);
        }
    }
    Ok(())
}
