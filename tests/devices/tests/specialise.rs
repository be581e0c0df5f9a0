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

    // Emitted code routes a line; the controller's own table says so.
    let code = emit::emit(&written.residual, emit::Target::X86_64).unwrap();
    let blob = qtest::run::Blob::new(&written.residual, &code.bytes, &code.entries);
    let mut running = qtest::run::Device::attach(&machine, blob).unwrap();
    let mut lines = running.direct().unwrap();
    assert_eq!(lines.start().unwrap(), abi::status::OK);
    let table = |n: u64| {
        machine
            .write(0xfec0_0000, graph::Width::B32, 0x10 + 2 * n)
            .unwrap();
        machine.read(0xfec0_0010, graph::Width::B32).unwrap()
    };
    assert_eq!(table(5) & 1 << 16, 1 << 16, "masked");
    lines.call("unmask", &[5]).unwrap();
    assert_eq!(table(5) & 1 << 16, 0);
    lines.call("mask", &[5]).unwrap();
    assert_eq!(table(5) & 1 << 16, 1 << 16);
    assert_eq!(table(4) & 1 << 16, 1 << 16, "the others stay");
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
fn the_arm_serial_port_speaks_both_ways() {
    let line = qtest::peer::Line::new().unwrap();
    let config = Config::virt()
        .args(line.chardev("c0"))
        .args(["-serial", "chardev:c0"]);
    let machine = Machine::start(config).unwrap();
    let facts = vec![fact("compatible", Value::Texts(vec!["arm,pl011".into()]))];
    let device = platform_device(
        "dt/pl011",
        facts,
        vec![window(WindowKind::Memory, 0x0900_0000, 0x1000)],
    );
    let (_, written) = write(&machine, device, "serial");
    assert_eq!(entries(&written), ["init", "send", "put", "irq"]);
    assert!(written.facts.contains(&("depth".to_string(), 16)));

    // Both ways, by the interpreter: the code of this architecture does not run here.
    let residual = &written.residual;
    let mut live = qtest::Live::new(&machine, residual).unwrap();
    let mut run = |name: &str, args: &[u64]| {
        let entry = residual
            .entries
            .iter()
            .position(|e| e.name == name)
            .unwrap();
        let outcome = graph::interpret::run(residual, entry, args, &mut live);
        assert_eq!(outcome.fault, None);
        (outcome.status, live.heard())
    };
    assert_eq!(run("init", &[]).0, abi::status::OK);
    for byte in b"MetaOS" {
        assert_eq!(run("put", &[u64::from(*byte)]).0, abi::status::OK);
    }
    let within = std::time::Duration::from_secs(5);
    assert_eq!(line.receive(6, within).unwrap(), b"MetaOS");
    line.send(b"0123456789abcdef").unwrap();
    let received = residual
        .upcalls
        .iter()
        .position(|u| u == "received")
        .unwrap();
    let mut got = Vec::new();
    for _ in 0..200 {
        let (_, heard) = run("irq", &[]);
        got.extend(
            heard
                .iter()
                .filter(|h| usize::from(h.which) == received)
                .map(|h| h.args[0] as u8),
        );
        if got.len() >= 16 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(got, b"0123456789abcdef");
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
    let (rule, clue) = verdict.nearest.unwrap();
    assert_eq!(rule, "e1000", "the host bridge is of the same maker");
    assert!(clue.contains("device == 0x100e"), "{clue}");
}
