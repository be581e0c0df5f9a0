//! Rules whose devices the host cannot run, or not whole: each must become a graph, by the facts of a real device model.

use device_tests::*;
use machine::{Device, Source, Value, Window, WindowKind};
use qtest::{Config, Machine};
use synthesis::Written;

fn window(kind: WindowKind, base: u64, size: u64) -> Window {
    Window {
        index: 0,
        kind,
        base,
        size,
        source: Source::Candidate,
    }
}

fn number(name: &str, n: u64) -> machine::Fact {
    fact(name, Value::Number(n))
}

fn entries(written: &Written) -> Vec<&str> {
    written
        .residual
        .entries
        .iter()
        .map(|e| e.name.as_str())
        .collect()
}

fn write(machine: &Machine, mut device: Device, class: &str) -> (Device, Written) {
    let book = rulebook();
    let (_, written) = write_driver(&book, machine, &mut device, class, &[]);
    (device, written)
}

#[test]
fn the_line_controller_learns_how_many_lines_it_has() {
    let machine = Machine::start(Config::q35()).unwrap();
    let facts = vec![
        fact("acpi", Value::Text("APIC.1".into())),
        number("first_line", 0),
    ];
    let device = platform_device(
        "acpi/APIC.1",
        facts,
        vec![window(WindowKind::Memory, 0xfec0_0000, 0x20)],
    );
    let (device, written) = write(&machine, device, "lines");
    assert_eq!(entries(&written), ["init", "route", "mask", "unmask"]);
    assert_eq!(device.fact("count"), Some(&Value::Number(24)));
}

#[test]
fn power_is_what_the_firmware_tables_say() {
    let machine = Machine::start(Config::q35()).unwrap();
    let with = |more: Vec<machine::Fact>| {
        let mut facts = vec![
            fact("acpi", Value::Text("FACP".into())),
            number("pm1a", 0x604),
            number("s5a", 0),
            number("s5b", 0),
        ];
        facts.extend(more);
        write(
            &machine,
            platform_device("acpi/FACP", facts, vec![]),
            "power",
        )
        .1
    };
    let plain = with(vec![]);
    assert_eq!(
        entries(&plain),
        ["init", "off"],
        "no reset register, no reset operation"
    );
    let both = with(vec![
        number("reset_port", 0xcf9),
        number("reset_value", 0xf),
    ]);
    assert_eq!(entries(&both), ["init", "off", "reset"]);
}

#[test]
fn the_arm_serial_port_becomes_a_graph() {
    let machine = Machine::start(Config::virt()).unwrap();
    let facts = vec![fact("compatible", Value::Texts(vec!["arm,pl011".into()]))];
    let device = platform_device(
        "dt/pl011",
        facts,
        vec![window(WindowKind::Memory, 0x0900_0000, 0x1000)],
    );
    let (_, written) = write(&machine, device, "serial");
    assert_eq!(entries(&written), ["init", "send", "put", "irq"]);
    assert!(written.facts.contains(&("depth".to_string(), 16)));
}

#[test]
fn a_device_with_other_ids_gets_no_rule_and_the_nearest_is_told() {
    let machine = Machine::start(Config::q35()).unwrap();
    let book = rulebook();
    let found = qtest::pci::scan(&machine).unwrap();
    let device = pci_device(&found[0]);
    let model = machine_of(machine::Arch::X86_64, &device);
    let subject = synthesis::Subject {
        book: &book,
        machine: &model,
        device: &device,
        given: &[],
    };
    let verdict = synthesis::match_device(subject, None);
    assert!(verdict.chosen.is_empty());
    assert_eq!(
        verdict.nearest,
        Some(("e1000".into(), "device == 0x100e".into())),
        "the host bridge is of the same maker"
    );
}
