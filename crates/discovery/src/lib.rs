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
mod notes;
mod pci;
mod processor;

pub use candidates::Candidate;
pub use hardware::Hardware;
pub(crate) use notes::Notes;

use alloc::{boxed::Box, vec::Vec};
use machine::{Arch, Machine, MemoryRange};

/// What the boot entry was told about the machine.
#[derive(Clone, Copy)]
pub enum Firmware<'a> {
    None,
    /// Physical address of ACPI's root pointer.
    Acpi(u64),
    /// A devicetree blob.
    Devicetree(&'a [u8]),
}

/// Discovers the machine. `memory` is the memory map as the boot entry got it; `candidates` are the places that rules name
/// for devices that no table describes.
pub fn discover(
    hardware: &mut dyn Hardware,
    arch: Arch,
    firmware: Firmware,
    memory: Vec<MemoryRange>,
    candidates: &[Candidate],
) -> Machine {
    let mut notes = Notes::default();
    let mut machine = Machine {
        memory,
        ..Machine::new(arch)
    };
    match firmware {
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
        first_bus: 0,
        last_bus: match config {
            pci::Config::Mapped { last, .. } => last,
            _ => 255,
        },
        apertures: Vec::new(),
        routings: Box::new(move |device, pin| routes.get(&(device, pin)).copied()),
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
