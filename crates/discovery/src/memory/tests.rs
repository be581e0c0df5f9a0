//! Maps that overlap, end nowhere, or say nothing.

use super::*;
use crate::pci::{Aperture, Config};
use alloc::{boxed::Box, vec};

const E820: Source = Source::Firmware(*b"e820");

fn range(base: u64, size: u64, kind: MemoryKind) -> MemoryRange {
    MemoryRange {
        base,
        size,
        kind,
        source: E820,
        facts: vec![],
    }
}

fn tiled(memory: Vec<MemoryRange>, devices: Vec<Device>, hosts: &[Host]) -> (Machine, Vec<String>) {
    let mut machine = Machine::new(Arch::Aarch64);
    machine.memory = memory;
    machine.devices = devices;
    let mut notes = Notes::default();
    tile(&mut machine, hosts, 36, &mut notes);
    let mut at = 0;
    for range in &machine.memory {
        assert_eq!(range.base, at, "{:#x?}", machine.memory);
        assert!(range.size > 0);
        at += range.size;
    }
    assert_eq!(at, 1 << 36);
    (machine, notes.list())
}

fn kinds(machine: &Machine) -> Vec<(u64, MemoryKind)> {
    machine.memory.iter().map(|r| (r.base, r.kind)).collect()
}

use MemoryKind::{AcpiTables, Mmio, Ram, Reserved, Rom, Void};

#[test]
fn no_map_is_void_from_end_to_end() {
    let (machine, notes) = tiled(vec![], vec![], &[]);
    assert_eq!(kinds(&machine), [(0, Void)]);
    assert_eq!(machine.memory[0].source, Source::Inferred);
    assert!(notes.is_empty());
}

#[test]
fn gaps_are_void_and_order_does_not_matter() {
    let map = vec![range(0x10_0000, 0x1000, Ram), range(0, 0x9_f000, Ram)];
    let (machine, notes) = tiled(map, vec![], &[]);
    assert_eq!(
        kinds(&machine),
        [
            (0, Ram),
            (0x9_f000, Void),
            (0x10_0000, Ram),
            (0x10_1000, Void)
        ]
    );
    assert!(notes.is_empty());
}

#[test]
fn of_ranges_that_overlap_the_more_careful_counts_with_a_note() {
    let map = vec![
        range(0, 0x10_0000, Ram),
        range(0x8_0000, 0x1_0000, Reserved),
        range(0xf_f000, 0x2000, AcpiTables),
    ];
    let (machine, notes) = tiled(map, vec![], &[]);
    assert_eq!(
        kinds(&machine),
        [
            (0, Ram),
            (0x8_0000, Reserved),
            (0x9_0000, Ram),
            (0xf_f000, AcpiTables),
            (0x10_1000, Void)
        ]
    );
    assert_eq!(
        notes,
        [
            "memory: Reserved at 0x80000 lies over Ram at 0x0; where both are, Reserved counts",
            "memory: AcpiTables at 0xff000 lies over Ram at 0x0; where both are, AcpiTables counts"
        ]
    );
}

#[test]
fn ranges_that_cannot_be_end_in_notes() {
    let map = vec![
        range(0x1000, 0, Ram),
        range(1 << 40, 0x1000, Ram),
        range(0x2000, u64::MAX, Ram),
    ];
    let (machine, notes) = tiled(map, vec![], &[]);
    assert_eq!(kinds(&machine), [(0, Void), (0x2000, Ram)]);
    assert_eq!(notes.len(), 3);
}

#[test]
fn many_overlaps_are_not_told_one_by_one() {
    let map = (0..200).map(|n| range(n * 0x100, 0x10_0000, Ram)).collect();
    let (machine, notes) = tiled(map, vec![], &[]);
    assert_eq!(machine.memory.last().map(|r| r.kind), Some(Void));
    assert_eq!(notes.len(), MOST);
}

fn device(path: &str, bus: &str, index: u8, base: u64, size: u64) -> Device {
    let mut device = Device::new(path.into(), bus);
    device.windows.push(Window {
        index,
        kind: WindowKind::Memory,
        base,
        size,
        source: Source::Configuration,
    });
    device
}

#[test]
fn windows_stand_in_what_bridges_pass_on() {
    let host = Host {
        path: "acpi/PCI0".into(),
        source: Source::Firmware(*b"DSDT"),
        segment: 0,
        config: Config::Mapped {
            base: 0xb000_0000,
            first: 0,
            last: 255,
        },
        first_bus: 0,
        last_bus: 255,
        apertures: vec![Aperture {
            port: false,
            base: 0xc000_0000,
            size: 0x1000_0000,
            bus: 0xc000_0000,
            mapped: false,
        }],
        routings: Box::new(|_, _, _| None),
    };
    let map = vec![range(0xb000_0000, 0x1000_0000, Reserved)];
    let devices = vec![
        device("pci/00:02.0", "pci", 1, 0xc100_0000, 0x1000),
        device("pci/00:02.0", "pci", 6, 0xc200_0000, 0x1000),
    ];
    let (machine, notes) = tiled(map, devices, &[host]);
    assert_eq!(
        kinds(&machine),
        [
            (0, Void),
            (0xb000_0000, Mmio),
            (0xc000_0000, Mmio),
            (0xc100_0000, Mmio),
            (0xc100_1000, Mmio),
            (0xc200_0000, Rom),
            (0xc200_1000, Mmio),
            (0xd000_0000, Void)
        ]
    );
    let names: Vec<&str> = machine.memory[1..7]
        .iter()
        .map(|r| r.facts[0].name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "configuration",
            "passed_by",
            "device",
            "passed_by",
            "device",
            "passed_by"
        ]
    );
    assert!(notes.is_empty());
}

#[test]
fn a_window_over_ram_is_said_and_ram_stays() {
    let map = vec![range(0, 0x10_0000, Ram)];
    let devices = vec![device("pci/00:03.0", "pci", 0, 0x8_0000, 0x1000)];
    let (machine, notes) = tiled(map, devices, &[]);
    assert_eq!(kinds(&machine), [(0, Ram), (0x10_0000, Void)]);
    assert!(notes[0].starts_with("pci/00:03.0: its window 0 at 0x80000 lies over"));
}

#[test]
fn what_every_pc_has_counts_only_where_nothing_is_said() {
    let mut machine = Machine::new(Arch::X86_64);
    machine.memory = vec![
        range(0, 0xa_0000, MemoryKind::Ram),
        range(0xc_0000, 0x1_0000, MemoryKind::Ram),
    ];
    tile(&mut machine, &[], 36, &mut Notes::default());
    let kinds: Vec<(u64, MemoryKind)> = machine.memory.iter().map(|r| (r.base, r.kind)).collect();
    assert_eq!(
        kinds,
        [
            (0, MemoryKind::Ram),
            (0xa_0000, MemoryKind::Reserved),
            (0xc_0000, MemoryKind::Ram),
            (0xd_0000, MemoryKind::Reserved),
            (0x10_0000, MemoryKind::Void),
            (0xfee0_0000, MemoryKind::Mmio),
            (0xfef0_0000, MemoryKind::Void)
        ]
    );
}
