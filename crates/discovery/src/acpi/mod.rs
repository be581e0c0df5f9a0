//! ACPI: the static tables, and what the namespace lists (ACPI 6.5).

mod devices;
mod hosts;
mod madt;
mod mcfg;
mod namespace;
mod routing;
mod tables;

pub use tables::Tables;

pub(crate) use madt::{Interrupts, Overrides};
pub(crate) use mcfg::Spaces;

use crate::{aml::World, hardware::Hardware, pci, processor, Notes};
use alloc::vec::Vec;
use machine::{Arch, Machine};

/// What the buses and the rest of discovery need to know.
pub(crate) struct Found<'a> {
    pub hosts: Vec<pci::Host<'a>>,
    pub overrides: Overrides,
}

/// Everything that the tables tell of a machine, save what is on its buses.
pub(crate) fn discover<'a>(
    hardware: &mut dyn Hardware,
    machine: &mut Machine,
    rsdp: u64,
    notes: &mut Notes,
) -> Found<'a> {
    let tables = Tables::read(hardware, rsdp, notes);
    let interrupts = match tables.find(b"APIC") {
        Some(table) => Interrupts::parse(table, notes),
        None => Default::default(),
    };
    processor::discover(hardware, machine, &interrupts);
    let overrides = interrupts.overrides;
    machine.devices.extend(interrupts.devices);
    machine.devices.extend(devices::devices(&tables));
    let spaces = Spaces::read(&tables, machine.arch == Arch::X86_64, notes);
    let hosts = named(hardware, machine, &tables, &spaces, &overrides, notes);
    Found { hosts, overrides }
}

/// Adds the devices of the namespace; gives its PCI host bridges.
fn named<'a>(
    hardware: &mut dyn Hardware,
    machine: &mut Machine,
    tables: &Tables,
    spaces: &Spaces,
    overrides: &Overrides,
    notes: &mut Notes,
) -> Vec<pci::Host<'a>> {
    let mut aml = routing::loaded(tables, notes);
    let mut world = World { hardware, spaces };
    if let Some((a, b)) = routing::soft_off(&mut aml, &mut world, notes) {
        devices::sleep(&mut machine.devices, a, b);
    }
    routing::prepare(&mut aml, &mut world, notes);
    let found = namespace::walk(&mut aml, &mut world, notes);
    let hosts = hosts::hosts(&mut aml, &mut world, &found, overrides, notes);
    let devices = &mut machine.devices;
    namespace::add(devices, &aml, &found, overrides, &hosts.functions, notes);
    hosts.list
}
