//! Two PC machines, from the tables that their firmware left.

mod fake;

use discovery::{discover, Firmware, Request};
use fake::{device, Fake, Function};
use machine::{Arch, Candidate, Device, Machine, Source, Value, WindowKind};

fn run(fake: &mut Fake, root: u64, candidates: &[Candidate]) -> Machine {
    let request = Request {
        firmware: Firmware::Acpi(root),
        candidates,
        ..Request::new(Arch::X86_64)
    };
    discover(fake, request)
}

fn number(device: &Device, name: &str) -> Option<u64> {
    match device.fact(name) {
        Some(Value::Number(n)) => Some(*n),
        _ => None,
    }
}

const FIRST: &[u8] = include_bytes!("fixtures/q35.acpi");
const SECOND: &[u8] = include_bytes!("fixtures/pc.acpi");

fn first() -> (Fake, u64) {
    let (mut fake, root) = Fake::acpi(FIRST);
    fake.mapped = Some(0xb000_0000);
    fake.pci
        .insert((0, 0, 0), Function::new(0x8086, 0x29c0, 0x060000));
    let nic = Function::new(0x8086, 0x100e, 0x020000)
        .bar(0, 0x20000, 0, 0xfeb8_0000)
        .bar(1, 0x40, 1, 0xc000)
        .pin(1);
    fake.pci.insert((0, 2, 0), nic);
    (fake, root)
}

#[test]
fn tables_become_devices() {
    let (mut fake, root) = first();
    let machine = run(&mut fake, root, &[]);
    assert_eq!(machine.facts[0].value, Value::Text("GenuineIntel".into()));
    let cpu = device(&machine, "cpu/0");
    assert_eq!(cpu.fact("apic"), Some(&Value::Flag(true)));
    assert_eq!(cpu.fact("x2apic"), None);
    assert_eq!(cpu.windows[0].base, 0xfee0_0000);
    assert_eq!(cpu.windows[0].source, Source::Firmware(*b"APIC"));
    let controller = device(&machine, "acpi/APIC.1@fec00000");
    assert_eq!(controller.fact("acpi"), Some(&Value::Text("APIC.1".into())));
    assert_eq!(number(controller, "first_line"), Some(0));
    assert_eq!(
        device(&machine, "acpi/HPET@fed00000").windows[0].base,
        0xfed0_0000
    );
    let fixed = device(&machine, "acpi/FACP");
    assert_eq!(number(fixed, "pm1a"), Some(0x604));
    assert_eq!(number(fixed, "pm1b"), None);
    assert_eq!(number(fixed, "s5a"), Some(0));
    assert_eq!(number(fixed, "reset_port"), Some(0xcf9));
    assert_eq!(number(fixed, "reset_value"), Some(0x0f));
    assert_eq!(machine.cpus.len(), 1);
}

#[test]
fn functions_have_windows_and_wires() {
    let (mut fake, root) = first();
    let machine = run(&mut fake, root, &[]);
    let nic = device(&machine, "pci/00:02.0");
    assert_eq!(number(nic, "vendor"), Some(0x8086));
    assert_eq!(number(nic, "device"), Some(0x100e));
    assert_eq!(number(nic, "class"), Some(0x020000));
    assert_eq!(nic.config.len(), 256);
    let windows: Vec<_> = nic
        .windows
        .iter()
        .map(|w| (w.index, w.kind, w.base, w.size))
        .collect();
    assert_eq!(
        windows,
        [
            (0, WindowKind::Memory, 0xfeb8_0000, 0x20000),
            (1, WindowKind::Port, 0xc000, 0x40)
        ]
    );
    // Device 2's first pin is the controller's line 22, by the table of this machine.
    let wire = &nic.wires[0];
    assert_eq!((wire.line, wire.level, wire.low), (22, true, false));
    // Registers are as they were, and the function is on.
    assert_eq!(fake.pci[&(0, 2, 0)].get(0x10), 0xfeb8_0000);
    // Bus mastering waits for a driver.
    assert_eq!(fake.pci[&(0, 2, 0)].get(4) & 7, 3);
    assert_eq!(fake.pci[&(0, 0, 0)].get(4), 0);
}

#[test]
fn links_are_read_from_configuration_space() {
    let (mut fake, root) = Fake::acpi(SECOND);
    // The bridge that holds the links: the first is set to wire 11, the second to 10, the others are off.
    let mut bridge = Function::new(0x8086, 0x7000, 0x060100);
    bridge.put(0x60, 0x8080_0a0b);
    fake.pci.insert((0, 1, 0), bridge);
    for slot in 3..7 {
        fake.pci.insert(
            (0, slot, 0),
            Function::new(0x1000, slot as u16, 0x020000).pin(1),
        );
    }
    let machine = run(&mut fake, root, &[]);
    let line = |slot| {
        device(&machine, &format!("pci/00:{slot:02x}.0"))
            .wires
            .first()
            .map(|w| (w.line, w.level, w.low))
    };
    // Slot and pin turn through the links: 4 begins with the last, 5 with the first, 6 with the second.
    assert_eq!(line(5), Some((11, true, false)));
    assert_eq!(line(6), Some((10, true, false)));
    assert_eq!(number(device(&machine, "acpi/FACP"), "s5a"), Some(0));
    // A link that is off is told once, with what it could be set to.
    let off: Vec<&String> = (machine.notes.iter())
        .filter(|n| n.contains("leads nowhere: it is switched off"))
        .collect();
    assert_eq!(off.len(), 2, "{:#?}", machine.notes);
    assert!(off[0].contains("LNKC") && off[0].contains("could be set to 5, 10, 11"));
}

#[test]
fn candidates_give_way_to_devices() {
    let candidate = |base, line| Candidate {
        more: Vec::new(),
        kind: WindowKind::Port,
        base,
        size: 8,
        line: Some(line),
    };
    let (mut fake, root) = first();
    let machine = run(
        &mut fake,
        root,
        &[
            candidate(0x3f8, 4),
            candidate(0xc020, 3),
            candidate(0x70, 9),
            candidate(0x80, 9),
        ],
    );
    let found = device(&machine, "isa/3f8");
    assert_eq!((found.wires[0].line, found.wires[0].level), (4, false));
    assert_eq!(found.fact("candidate"), Some(&Value::Flag(true)));
    // A function has the ports of the second, the namespace names the third; a table overrides the wire of the last.
    assert!(!machine.devices.iter().any(|d| d.path == "isa/c020"));
    assert!(!machine.devices.iter().any(|d| d.path == "isa/70"));
    assert!(device(&machine, "isa/80").wires[0].level);
}

#[test]
fn discovery_repeats_exactly() {
    let (mut one, root) = first();
    let (mut two, _) = first();
    let (a, b) = (run(&mut one, root, &[]), run(&mut two, root, &[]));
    assert_eq!(a, b);
    assert_eq!(a.identity(), b.identity());
}
