//! ACPI: the static tables, and what the namespace lists (ACPI 6.5).

mod affinity;
mod consoles;
mod described;
mod fixed;
mod hosts;
mod madt;
mod mcfg;
mod namespace;
mod prepare;
mod remapping;
mod routing;
mod tables;
mod timers;
mod topology;

pub use tables::Tables;

pub(crate) use affinity::near;
pub(crate) use madt::Overrides;
pub(crate) use mcfg::Spaces;

use crate::{aml::World, hardware::Hardware, pci, processor, Notes};
use alloc::{string::String, vec::Vec};
use machine::{Arch, Machine};
use madt::Interrupts;

/// What the buses and the rest of discovery need to know.
pub(crate) struct Found<'a> {
    pub hosts: Vec<pci::Host<'a>>,
    pub overrides: Overrides,
}

/// Everything that the tables tell of a machine, save what is on its buses.
pub(crate) fn discover<'a>(
    hardware: &mut dyn Hardware,
    machine: &mut Machine,
    (rsdp, initialise): (u64, bool),
    notes: &mut Notes,
) -> Found<'a> {
    let tables = Tables::read(hardware, rsdp, notes);
    let mut interrupts = match tables.find(b"APIC") {
        Some(table) => Interrupts::parse(table, machine.arch, notes),
        None => Default::default(),
    };
    processor::discover(hardware, machine, interrupts.listed());
    machine.facts.extend(interrupts.unusable());
    machine.facts.push(tables.names());
    machine.facts.append(&mut interrupts.facts);
    if let Some(table) = tables.find(b"PPTT") {
        topology::topology(table, &mut machine.cpus);
    }
    if let Some(table) = tables.find(b"SRAT") {
        affinity::affinity(table, machine, notes);
    }
    let overrides = interrupts.overrides;
    machine.devices.extend(interrupts.devices);
    described(machine, &tables);
    let spaces = Spaces::read(&tables, machine.arch == Arch::X86_64, notes);
    let mut world = World {
        hardware,
        spaces: &spaces,
    };
    let hosts = named(
        &mut world,
        machine,
        &tables,
        (&overrides, initialise),
        notes,
    );
    Found { hosts, overrides }
}

/// Adds what has a table of its own.
fn described(machine: &mut Machine, tables: &Tables) {
    let list = &mut machine.devices;
    list.extend(tables.find(b"FACP").and_then(fixed::fixed));
    list.extend(tables.all(b"HPET").filter_map(timers::event_timer));
    list.extend(
        tables
            .find(b"GTDT")
            .into_iter()
            .flat_map(timers::generic_timer),
    );
    list.extend(tables.find(b"SPCR").and_then(consoles::console));
    let ports = tables
        .find(b"DBG2")
        .into_iter()
        .flat_map(consoles::debug_ports);
    for port in ports {
        // The console is often the debug port, too.
        let place = |d: &machine::Device| {
            d.windows
                .first()
                .map(|w| (w.kind == machine::WindowKind::Port, w.base))
        };
        match list
            .iter_mut()
            .find(|d| place(d).is_some() && place(d) == place(&port))
        {
            Some(same) => {
                let new: Vec<_> = (port.facts.into_iter())
                    .filter(|f| same.fact(&f.name).is_none())
                    .collect();
                same.facts.extend(new);
            }
            None => list.push(port),
        }
    }
    list.extend(tables.find(b"IORT").into_iter().flat_map(remapping::nodes));
}

/// Adds the devices of the namespace; gives its PCI host bridges.
fn named<'a>(
    world: &mut World,
    machine: &mut Machine,
    tables: &Tables,
    (overrides, initialise): (&Overrides, bool),
    notes: &mut Notes,
) -> Vec<pci::Host<'a>> {
    let mut aml = routing::loaded(tables, world);
    for note in aml.notes.drain(..) {
        notes.say(note);
    }
    if let Some((a, b)) = routing::soft_off(&mut aml, world, notes) {
        fixed::sleep(&mut machine.devices, a, b);
    }
    let told = prepare::prepare(&mut aml, world, initialise, notes);
    let found = namespace::walk(&mut aml, world, notes);
    let hosts = hosts::hosts(&mut aml, world, &found, (overrides, told), |_, _| {}, notes);
    let devices = &mut machine.devices;
    namespace::add(devices, &aml, &found, overrides, &hosts.functions, notes);
    hosts.list
}

/// One entry of a `_PRT`, as [`discover`] takes it.
pub struct Route {
    /// Name of the bridge: `\\_SB.PCI0`.
    pub bridge: String,
    pub device: u8,
    /// 0 is INTA.
    pub pin: u8,
    pub line: u32,
}

/// Every entry of the `_PRT` of every PCI host bridge and of the bridges below it that can be used, for who compares them with
/// another's account; with the number of host bridges, and what discovery said.
pub fn routes(
    hardware: &mut dyn Hardware,
    rsdp: u64,
    arch: Arch,
) -> (Vec<Route>, usize, Vec<String>) {
    let mut notes = Notes::default();
    let tables = Tables::read(hardware, rsdp, &mut notes);
    let overrides = match tables.find(b"APIC") {
        Some(table) => Interrupts::parse(table, arch, &mut notes).overrides,
        None => Overrides::default(),
    };
    let spaces = Spaces::read(&tables, arch == Arch::X86_64, &mut notes);
    let mut world = World {
        hardware,
        spaces: &spaces,
    };
    let mut aml = routing::loaded(&tables, &mut world);
    let told = prepare::prepare(&mut aml, &mut world, false, &mut notes);
    let found = namespace::walk(&mut aml, &mut world, &mut notes);
    let mut routes = Vec::new();
    let each = |bridge: &str, map: &routing::Map| {
        routes.extend(map.iter().map(|((device, pin), routing)| Route {
            bridge: String::from(bridge),
            device: *device,
            pin: *pin,
            line: routing.line,
        }));
    };
    let hosts = hosts::hosts(
        &mut aml,
        &mut world,
        &found,
        (&overrides, told),
        each,
        &mut notes,
    );
    (routes, hosts.list.len(), notes.list())
}
