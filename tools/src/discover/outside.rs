//! An emulated machine as its firmware leaves it, discovered from outside: over the emulator's device protocol, with a
//! halted processor, by the same code that runs inside.

mod alive;
mod clues;
mod handed;
mod hardware;
mod processor;

pub use hardware::{Access, Outside};

use crate::image::Arch;
use crate::machines::Machine as Described;
use crate::workspace::Workspace;
use anyhow::{anyhow, bail, Context, Result};
use discovery::{Firmware, Request};
use machine::Candidate;
use machine::Machine;
use rulebook::tree::Book;
use synthesis::{Job, Plan};

/// A machine that was discovered, and still stands there to be asked.
pub struct Found {
    pub model: Machine,
    /// Every access that discovery made, in order.
    pub accesses: Vec<Access>,
    pub emulator: qtest::Machine,
}

/// Discovers `described`.
///
/// # Errors
/// When the emulator cannot be started, or its firmware does not come to an end.
pub fn discover(
    workspace: &Workspace,
    described: &Described,
    candidates: &[Candidate],
) -> Result<Found> {
    if described.firmware.is_some() {
        let name = &described.name;
        bail!(
            "{name} is booted by UEFI firmware, which hands nothing over that could be seen from outside: \
             ./meta discover {name} boots it"
        );
    }
    let mut arguments = described.emulator_arguments(workspace)?;
    // When it is run, its serial port is there.
    arguments.extend(["-serial".into(), "null".into()]);
    emulated(described.arch, arguments, candidates).with_context(|| described.name.clone())
}

/// Discovers the machine that the emulator makes of these arguments.
///
/// # Errors
/// As [`discover`].
pub fn emulated(arch: Arch, arguments: Vec<String>, candidates: &[Candidate]) -> Result<Found> {
    let arch = match arch {
        Arch::X86_64 => qtest::Arch::X86_64,
        Arch::Aarch64 => qtest::Arch::Aarch64,
    };
    let emulator = qtest::Machine::start(qtest::Config::emulated(arch, arguments))?;
    let handed_over = emulator.settle()?;
    let (model, accesses) = look(&emulator, handed_over, candidates)?;
    Ok(Found {
        model,
        accesses,
        emulator,
    })
}

impl Found {
    /// Asks the devices what the rules' clues ask; what they answer goes into the model. Gives the rule of each device.
    pub fn recognise(&mut self, book: &Book) -> Plan {
        let emulator = &self.emulator;
        synthesis::plan(book, &mut self.model, |subject| {
            let mut clues = clues::Clues::new(emulator);
            synthesis::match_device(subject, Some(&mut clues))
        })
    }
}

impl Found {
    /// Runs `init` of the job's rule on its device, as genesis does first; what the device tells goes into the model.
    ///
    /// # Errors
    /// When `init` fails, or needs what cannot be reached from outside.
    pub fn learn(&mut self, book: &Book, job: &Job) -> Result<()> {
        let device = &self.model.devices[job.device];
        let mut hardware = Outside::new(&self.emulator)?;
        discovery::bus_master(&mut hardware, &self.model, &device.path, true);
        let mut live = alive::Alive::new(&self.emulator, &self.model)
            .context("the model names no RAM to try a device with")?;
        let subject =
            synthesis::subject(book, &self.model, job.device).context("it is in the model")?;
        let learned = synthesis::learn(subject, &job.choice, &mut live)
            .map_err(|e| anyhow!("{} on the halted machine: {}", job.name, e.show(book)))?;
        if let Some(error) = live.errors.first() {
            bail!("{} cannot be asked from outside: {error}", job.name);
        }
        let known = &mut self.model.devices[job.device].learned;
        for fact in learned {
            if !known.iter().any(|f| f.name == fact.name) {
                known.push(fact);
            }
        }
        Ok(())
    }
}

fn look(
    emulator: &qtest::Machine,
    handed_over: u64,
    candidates: &[Candidate],
) -> Result<(Machine, Vec<Access>)> {
    let mut hardware = Outside::new(emulator)?;
    let mut blob = Vec::new();
    let request = match emulator.arch() {
        qtest::Arch::X86_64 => {
            let pc = handed::over_by_pvh(emulator, handed_over)?;
            Request {
                firmware: pc.rsdp.map_or(Firmware::None, Firmware::Acpi),
                memory: pc.memory,
                ..Request::new(machine::Arch::X86_64)
            }
        }
        qtest::Arch::Aarch64 => {
            blob = handed::devicetree(emulator, handed_over)?;
            Request {
                firmware: Firmware::Devicetree(&blob),
                memory: handed::memory_of(&blob)?,
                ..Request::new(machine::Arch::Aarch64)
            }
        }
    };
    let request = Request {
        candidates,
        ..request
    };
    let mut model = discovery::discover(&mut hardware, request);
    drop(blob);
    model.notes.extend(hardware.complaints());
    model.unknown.extend(processor::not_known(emulator.arch()));
    Ok((model, hardware.accesses))
}
