//! Finds out what a machine is: firmware tables, processor, buses → [`machine::Machine`].
//!
//! Nothing is written but PCI configuration space, and nothing is read that no table names. What cannot be understood
//! becomes a note; no table, however broken, makes discovery fail or run on.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod acpi;
mod aml;
mod candidates;
pub mod devicetree;
mod hardware;
pub mod journal;
mod notes;
mod pci;
mod processor;
mod request;

pub use candidates::Candidate;
pub use hardware::Hardware;
pub use journal::Journal;
pub(crate) use notes::Notes;
pub use request::{Firmware, Options, Request};

use alloc::{boxed::Box, vec::Vec};
use machine::Machine;

/// Discovers the machine.
pub fn discover(hardware: &mut dyn Hardware, request: Request) -> Machine {
    let candidates = request.candidates;
    let mut notes = Notes::default();
    let mut machine = Machine {
        memory: request.memory,
        boot: request.boot,
        ..Machine::new(request.arch)
    };
    match request.firmware {
        Firmware::None => {
            notes.say("no firmware tables: only the processor is known".into());
            processor::discover(hardware, &mut machine, &Default::default());
        }
        Firmware::Acpi(rsdp) => from_acpi(hardware, &mut machine, rsdp, candidates, &mut notes),
        Firmware::Devicetree(blob) => from_devicetree(hardware, &mut machine, blob, &mut notes),
    }
    machine.notes = notes.list();
    machine
}

fn from_acpi(
    hardware: &mut dyn Hardware,
    machine: &mut Machine,
    rsdp: u64,
    candidates: &[Candidate],
    notes: &mut Notes,
) {
    let tables = acpi::Tables::read(hardware, rsdp, notes);
    let interrupts = match tables.find(b"APIC") {
        Some(table) => acpi::Interrupts::parse(table, notes),
        None => Default::default(),
    };
    processor::discover(hardware, machine, &interrupts);
    machine.devices.extend(interrupts.devices);
    let mut described = acpi::devices(&tables);
    let config = acpi::configuration(&tables, notes).unwrap_or(pci::Config::Ports);
    let mut aml = acpi::loaded(&tables, notes);
    if let Some((a, b)) = acpi::soft_off(&mut aml, hardware, &config, notes) {
        acpi::sleep(&mut described, a, b);
    }
    machine.devices.extend(described);
    let routes = acpi::routings(&mut aml, hardware, &config, &interrupts.overrides, notes);
    drop(aml);
    let host = pci::Host {
        config,
        path: "acpi/PCI".into(),
        segment: 0,
        first_bus: 0,
        last_bus: match config {
            pci::Config::Mapped { last, .. } => last,
            _ => 255,
        },
        apertures: Vec::new(),
        routings: Box::new(move |bridges, device, pin| match bridges {
            [] => routes.get(&(device, pin)).copied(),
            _ => None,
        }),
    };
    machine
        .devices
        .extend(pci::discover(hardware, &host, notes));
    candidates::add(machine, candidates, &interrupts.overrides);
}

fn from_devicetree(
    hardware: &mut dyn Hardware,
    machine: &mut Machine,
    blob: &[u8],
    notes: &mut Notes,
) {
    let tree = match devicetree::Tree::new(blob) {
        Ok(tree) => tree,
        Err(why) => {
            notes.say(alloc::format!("devicetree: {why}"));
            return;
        }
    };
    if tree.cut {
        notes.say("devicetree: too many nodes, or too deep: some are left out".into());
    }
    devicetree::processors(hardware, &tree, machine);
    machine.devices.extend(devicetree::devices(&tree, notes));
    for host in devicetree::hosts(&tree, notes) {
        machine
            .devices
            .extend(pci::discover(hardware, &host, notes));
    }
}
