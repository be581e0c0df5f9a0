//! What counts, and what does not.

use super::*;
use crate::{Cpu, MemoryKind, MemoryRange, Window, WindowKind, Wire};
use alloc::{string::ToString, vec};

fn fact(name: &str, value: Value, source: Source) -> Fact {
    Fact {
        name: name.to_string(),
        value,
        source,
    }
}

fn function(path: &str, parent: &str) -> Device {
    let mut device = Device::new(path.into(), "pci");
    device.parent = Some(parent.into());
    for (name, value) in [("vendor", 0x4321), ("device", 1), ("class", 0x02_0000)] {
        device
            .facts
            .push(fact(name, Value::Number(value), Source::Configuration));
    }
    device.facts.push(fact(
        "bars",
        Value::Texts(vec!["0 memory 0x1000".into()]),
        Source::Configuration,
    ));
    device.config = vec![0; 256];
    device.capabilities.push(Capability {
        id: 5,
        extended: false,
        at: 0x40,
        version: 0,
    });
    device.windows.push(Window {
        index: 0,
        kind: WindowKind::Memory,
        base: 0xfe00_0000,
        size: 0x1000,
        source: Source::Configuration,
    });
    device
}

/// A bridge at 01.0 with two functions behind it, and a function beside it.
fn sample() -> Machine {
    let mut machine = Machine::new(Arch::X86_64);
    machine.facts.push(fact(
        "cpu.vendor",
        Value::Text("someone".into()),
        Source::Processor,
    ));
    machine.cpus.push(Cpu {
        id: 0,
        facts: vec![
            fact("id", Value::Number(0), Source::Processor),
            fact("apic", Value::Flag(true), Source::Processor),
        ],
    });
    machine.devices = vec![
        function("pci/00:01.0", "acpi/PCI0"),
        function("pci/01:00.0", "pci/00:01.0"),
        function("pci/01:02.0", "pci/00:01.0"),
        function("pci/00:02.0", "acpi/PCI0"),
    ];
    machine
}

#[track_caller]
fn same(change: impl FnOnce(&mut Machine)) {
    let mut machine = sample();
    change(&mut machine);
    assert_ne!(machine, sample());
    assert_eq!(machine.identity(), sample().identity());
}

#[track_caller]
fn other(change: impl FnOnce(&mut Machine)) {
    let mut machine = sample();
    change(&mut machine);
    assert_ne!(machine.identity(), sample().identity());
}

#[test]
fn memory_does_not_count() {
    same(|m| {
        m.memory.push(MemoryRange {
            base: 0,
            size: 1 << 30,
            kind: MemoryKind::Ram,
            source: Source::Firmware(*b"e820"),
            facts: vec![],
        })
    });
}

#[test]
fn the_door_and_what_it_tells_do_not_count() {
    same(|m| {
        m.boot
            .push(fact("door", Value::Text("uefi".into()), Source::System))
    });
    same(|m| m.notes.push("odd".into()));
    same(|m| m.unknown.push("much".into()));
    // A device that only a table of the firmware describes.
    same(|m| {
        m.devices
            .push(Device::new("dt/intc@8000000".into(), "platform"))
    });
    // Its name for the host bridge.
    same(|m| {
        for device in &mut m.devices {
            if device.parent.as_deref() == Some("acpi/PCI0") {
                device.parent = Some("dt/pcie@10000000".into());
            }
        }
    });
}

#[test]
fn rates_and_what_was_measured_or_learned_do_not_count() {
    same(|m| {
        m.facts.push(fact(
            "tsc_hz",
            Value::Number(1_000_000_007),
            Source::Measured,
        ))
    });
    same(|m| {
        let learned = fact("mac", Value::Number(0x5254_0012_3456), Source::Learned);
        m.devices[1].learned.push(learned);
    });
}

#[test]
fn the_state_of_a_processor_does_not_count() {
    same(|m| m.cpus[0].facts[0].value = Value::Number(4));
    same(|m| m.cpus[0].id = 4);
    same(|m| {
        let state = fact("osxsave", Value::Flag(true), Source::Processor);
        m.cpus[0].facts.push(state);
    });
}

#[test]
fn addresses_commands_and_lines_that_firmware_chose_do_not_count() {
    same(|m| m.devices[1].windows[0].base = 0xc000_0000);
    same(|m| m.devices[1].windows.clear());
    same(|m| m.devices[1].config[4] = 7);
    same(|m| m.devices[1].config[0x3c] = 11);
    same(|m| {
        m.devices[1].wires.push(Wire {
            line: 22,
            level: true,
            low: false,
            source: Source::Firmware(*b"DSDT"),
            pin: 1,
        })
    });
    same(|m| {
        let configuration = fact(
            "configuration",
            Value::Number(0xb000_0000),
            Source::Configuration,
        );
        m.devices[1].facts.push(configuration);
    });
    same(|m| {
        let speed = fact("link_speed", Value::Number(1), Source::Configuration);
        m.devices[1].facts.push(speed);
    });
}

#[test]
fn bus_numbers_and_the_order_of_discovery_do_not_count() {
    same(|m| {
        m.devices[1].path = "pci/07:00.0".into();
        m.devices[2].path = "pci/07:02.0".into();
    });
    same(|m| m.devices.swap(1, 3));
}

#[test]
fn capabilities_that_only_mapped_space_reaches_do_not_count() {
    same(|m| {
        m.devices[1].capabilities.push(Capability {
            id: 1,
            extended: true,
            at: 0x100,
            version: 2,
        })
    });
}

#[test]
fn architecture_and_processors_count() {
    other(|m| m.arch = Arch::Aarch64);
    other(|m| m.facts[0].value = Value::Text("someone else".into()));
    other(|m| {
        m.cpus[0].facts.pop();
    });
    other(|m| m.cpus.push(m.cpus[0].clone()));
}

#[test]
fn every_function_counts_and_where_it_is() {
    other(|m| {
        m.devices.pop();
    });
    other(|m| m.devices[3].path = "pci/00:03.0".into());
    other(|m| m.devices[2].path = "pci/01:02.1".into());
    // The same function, beside the bridge instead of behind it.
    other(|m| {
        m.devices[2].path = "pci/00:04.0".into();
        m.devices[2].parent = Some("acpi/PCI0".into());
    });
    // Behind a second host bridge.
    other(|m| m.devices[3].parent = Some("acpi/PCI1".into()));
}

#[test]
fn what_a_function_says_of_itself_counts() {
    for n in 0..3 {
        other(|m| m.devices[1].facts[n].value = Value::Number(0x77));
    }
    other(|m| m.devices[1].facts[3].value = Value::Texts(vec!["0 memory 0x2000".into()]));
    other(|m| m.devices[1].facts[3].value = Value::Texts(vec!["0 memory64 0x1000".into()]));
    other(|m| m.devices[1].capabilities[0].id = 0x11);
    other(|m| m.devices[1].capabilities.clear());
}

#[test]
fn parents_in_a_circle_end() {
    let mut machine = sample();
    machine.devices[0].parent = Some("pci/01:00.0".into());
    assert_eq!(machine.functions().len(), 1);
}
