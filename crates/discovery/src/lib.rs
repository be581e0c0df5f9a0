//! Finds out what a machine is: firmware tables, processor, buses → [`machine::Machine`].
//!
//! All accesses go through the [`policy`]. What cannot be understood becomes a note; no table, however broken, makes
//! discovery fail or run on.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod acpi;
mod aml;
mod blind;
mod candidates;
pub mod devicetree;
mod hardware;
pub mod journal;
mod kind;
mod masked;
mod memory;
mod notes;
mod pci;
pub mod policy;
mod processor;
mod request;

pub use acpi::{routes, Route};
pub use hardware::Hardware;
pub use journal::Journal;
pub use kind::{kind, Kind};
pub use masked::hide as mask;
pub(crate) use notes::Notes;
pub use pci::{bus_master, old_places, Messages};
pub use request::{Firmware, Options, Request};

use alloc::{format, string::String, vec::Vec};
use machine::{Arch, Candidate, Fact, Machine, MemoryKind, MemoryRange, Source, Value, WindowKind};
use policy::{Gate, Place};

/// Discovers the machine.
pub fn discover(hardware: &mut dyn Hardware, request: Request) -> Machine {
    let mut forgetful = Journal::forgetful();
    let journal = request.journal.unwrap_or(&mut forgetful);
    let mut notes = Notes::default();
    let mut machine = Machine {
        boot: request.boot,
        ..Machine::new(request.arch)
    };
    let mut gate = Gate::new(hardware, journal, request.options.blind);
    if !request.options.blind {
        know_memory(&mut gate, &request.memory);
        machine.memory = request.memory;
    }
    for (base, size) in &request.in_use {
        gate.know(*base, *size, Place::InUse);
    }
    let mut finder = Finder {
        gate: &mut gate,
        machine: &mut machine,
        candidates: request.candidates,
        options: &request.options,
        in_use: &request.in_use,
        notes: &mut notes,
    };
    match request.firmware {
        _ if request.options.blind => finder.blind(),
        Firmware::None => {
            let said = "no firmware tables: only the processor is known";
            finder.notes.say(said.into());
            processor::discover(finder.gate, finder.machine, Default::default());
            finder.finish(&[]);
        }
        Firmware::Acpi(rsdp) => finder.by_acpi(rsdp),
        Firmware::Devicetree(blob) => finder.by_devicetree(blob),
    }
    faults(&mut gate, &mut machine, &mut notes);
    skipped(&gate, &mut machine, &mut notes);
    let ram = machine.memory.iter().filter(|r| r.kind == MemoryKind::Ram);
    let ram = ram.fold(0u64, |sum, r| sum.saturating_add(r.size));
    machine.boot.push(Fact {
        name: String::from("ram"),
        value: Value::Number(ram),
        source: Source::Inferred,
    });
    if request.options.masked {
        masked::hide(&mut machine);
    }
    machine.notes = notes.list();
    machine
}

/// RAM may be tested. Everything else that the map names is only read.
fn know_memory(gate: &mut Gate, map: &[MemoryRange]) {
    let ram = |r: &&MemoryRange| r.kind == MemoryKind::Ram;
    for range in map.iter().filter(ram) {
        gate.know(range.base, range.size, Place::Ram);
    }
    for range in map.iter().filter(|r| !ram(r)) {
        gate.know(range.base, range.size, Place::Named);
    }
}

/// What a discovery works on.
struct Finder<'f, 'h> {
    gate: &'f mut Gate<'h>,
    machine: &'f mut Machine,
    candidates: &'f [Candidate],
    options: &'f Options,
    in_use: &'f [(u64, u64)],
    notes: &'f mut Notes,
}

impl Finder<'_, '_> {
    fn by_acpi(&mut self, rsdp: u64) {
        self.gate.about = String::from("acpi");
        let found = acpi::discover(
            self.gate,
            self.machine,
            (rsdp, !self.options.as_written),
            self.notes,
        );
        self.buses(&found.hosts, &found.overrides);
        candidates::add(
            self.machine,
            self.candidates,
            &found.overrides,
            self.gate.hung(),
            self.options,
        );
        self.finish(&found.hosts);
    }

    fn by_devicetree(&mut self, blob: &[u8]) {
        let hosts = devicetree::discover(self.gate, self.machine, blob, self.notes);
        self.buses(&hosts, &Default::default());
        self.finish(&hosts);
    }

    /// Everything behind these host bridges.
    fn buses(&mut self, hosts: &[pci::Host], overrides: &acpi::Overrides) {
        self.gate.about = String::from("pci");
        for host in hosts {
            if let Some((base, size)) = host.config.range() {
                self.gate.know(base, size, Place::Configuration);
            }
        }
        let windows = self.machine.devices.iter().flat_map(|d| &d.windows);
        let taken: Vec<pci::Taken> = windows
            .map(|w| pci::Taken {
                port: w.kind == WindowKind::Port,
                base: w.base,
                size: w.size,
            })
            .chain(hosts.iter().filter_map(|host| {
                let (base, size) = host.config.range()?;
                Some(pci::Taken {
                    port: false,
                    base,
                    size,
                })
            }))
            .collect();
        let mut found = pci::discover(self.gate, hosts, &taken, self.notes);
        if self.machine.arch == Arch::X86_64 {
            for device in &mut found {
                pci::old_places(device, |line| overrides.of(line));
            }
        }
        self.machine.devices.extend(found);
    }

    /// The account of memory, once all devices are known.
    fn finish(&mut self, hosts: &[pci::Host]) {
        self.gate.about = String::from("memory");
        let bits = memory::width(self.gate, self.machine.arch);
        memory::tile(self.machine, hosts, bits, self.notes);
        memory::sample(self.gate, &mut self.machine.memory, self.in_use, self.notes);
    }
}

/// What the processor or the policy refused.
fn faults(gate: &mut Gate, machine: &mut Machine, notes: &mut Notes) {
    for (about, at, what) in gate.faults.drain(..) {
        machine.facts.push(Fact {
            name: String::from("fault"),
            value: Value::Text(format!("{about}: {at:#x}: {what}")),
            source: Source::Probe,
        });
    }
    for refusal in gate.refusals.drain(..) {
        notes.say(refusal);
    }
}

/// What hung an earlier boot.
fn skipped(gate: &Gate, machine: &mut Machine, notes: &mut Notes) {
    let hung = gate.hung();
    for probe in hung {
        notes.say(format!(
            "{probe}: its probe hung the machine before the last reset, and is not made again; switch the machine off \
             and on to try once more"
        ));
    }
    if !hung.is_empty() {
        machine.boot.push(Fact {
            name: String::from("skipped"),
            value: Value::Texts(hung.to_vec()),
            source: Source::Probe,
        });
    }
}
