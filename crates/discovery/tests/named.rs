//! Devices that only the namespace of ACPI lists.

mod fake;

use discovery::{discover, Firmware, Request};
use fake::{device, Fake};
use machine::{Arch, Device, Machine, Value, WindowKind};

const SMALL: &[u8] = include_bytes!("fixtures/microvm.acpi");
const PC: &[u8] = include_bytes!("fixtures/q35.acpi");

fn run(bytes: &[u8]) -> Machine {
    let (mut fake, root) = Fake::acpi(bytes);
    fake.mapped = Some(0xb000_0000);
    // The event timer's first registers: the namespace looks at them to say whether it is there.
    let mut timer = 0x8086_a201_u32.to_le_bytes().to_vec();
    timer.extend(0x0098_9680_u32.to_le_bytes());
    fake.memory.push((0xfed0_0000, timer));
    let request = Request {
        firmware: Firmware::Acpi(root),
        ..Request::new(Arch::X86_64)
    };
    discover(&mut fake, request)
}

fn text(text: &str) -> Option<Value> {
    Some(Value::Text(text.into()))
}

fn places(device: &Device) -> Vec<(u8, WindowKind, u64, u64)> {
    let of = |w: &machine::Window| (w.index, w.kind, w.base, w.size);
    device.windows.iter().map(of).collect()
}

#[test]
fn a_machine_without_buses() {
    let machine = run(SMALL);
    let net = device(&machine, "acpi/\\_SB.VR23");
    assert_eq!(net.bus, "platform");
    assert_eq!(net.fact("hid").cloned(), text("LNRO0005"));
    assert_eq!(net.fact("uid"), Some(&Value::Number(0x17)));
    assert_eq!(net.fact("name").cloned(), text("\\_SB.VR23"));
    assert_eq!(places(net), [(0, WindowKind::Memory, 0xfeb0_2e00, 0x200)]);
    let wire = &net.wires[0];
    assert_eq!((wire.line, wire.level, wire.low), (47, true, false));
    let clock = device(&machine, "acpi/\\_SB.RTC");
    assert_eq!(clock.fact("hid").cloned(), text("PNP0B00"));
    assert_eq!(places(clock), [(0, WindowKind::Port, 0x70, 8)]);
    assert_eq!((clock.wires[0].line, clock.wires[0].level), (8, false));
    // No bus is there, and none is asked.
    assert!(!machine.devices.iter().any(|d| d.bus == "pci"));
    assert_eq!(machine.notes, Vec::<String>::new());
}

#[test]
fn a_machine_with_buses() {
    let machine = run(PC);
    assert_eq!(machine.notes, Vec::<String>::new());
    let keyboard = device(&machine, "acpi/\\_SB.PCI0.SF8.KBD");
    assert_eq!(
        places(keyboard),
        [
            (0, WindowKind::Port, 0x60, 1),
            (1, WindowKind::Port, 0x64, 1)
        ]
    );
    assert_eq!(keyboard.wires[0].line, 1);
    assert_eq!(keyboard.parent.as_deref(), Some("pci/00:1f.0"));
    // The host bridge keeps the configuration ports; what it passes on is not its own.
    let host = device(&machine, "acpi/\\_SB.PCI0");
    assert_eq!(host.fact("hid").cloned(), text("PNP0A08"));
    assert_eq!(
        host.fact("cid"),
        Some(&Value::Texts(vec!["PNP0A03".into()]))
    );
    assert_eq!(places(host), [(0, WindowKind::Port, 0xcf8, 8)]);
    // What a table describes is not there twice: the namespace adds its name.
    let timer = device(&machine, "acpi/HPET@fed00000");
    assert_eq!(timer.fact("hid").cloned(), text("PNP0103"));
    assert_eq!(timer.fact("name").cloned(), text("\\_SB.HPET"));
    assert_eq!(timer.windows.len(), 1);
}

#[test]
fn an_arm_machine_without_a_devicetree() {
    let machine = arm(include_bytes!("fixtures/virt.acpi"));
    assert_eq!(machine.notes, Vec::<String>::new());
    // The windows and wires stand in the order in which a devicetree has them.
    let controller = device(&machine, "acpi/APIC.12@8000000");
    assert_eq!(controller.fact("version"), Some(&Value::Number(3)));
    let bases: Vec<_> = controller
        .windows
        .iter()
        .map(|w| (w.base, w.size))
        .collect();
    assert_eq!(bases, [(0x800_0000, 0x1_0000), (0x80a_0000, 0xf6_0000)]);
    // Without a hypervisor its wire is not named.
    assert_eq!(controller.wires.len(), 0);
    let timer = device(&machine, "acpi/GTDT");
    let lines: Vec<_> = timer
        .wires
        .iter()
        .map(|w| (w.line, w.level, w.low))
        .collect();
    assert_eq!(lines, [29, 30, 27, 26].map(|line| (line, true, false)));
    let fixed = device(&machine, "acpi/FACP");
    assert_eq!(fixed.fact("method").cloned(), text("hvc"));
    assert_eq!(fixed.fact("hardware_reduced"), Some(&Value::Flag(true)));
    let serial = device(&machine, "acpi/SPCR@9000000");
    assert_eq!(serial.fact("interface"), Some(&Value::Number(3)));
    assert_eq!(serial.fact("hid").cloned(), text("ARMH0011"));
    assert_eq!(serial.fact("port_type"), Some(&Value::Number(0x8000)));
    assert_eq!((serial.wires[0].line, serial.wires[0].level), (33, true));
    let first = device(&machine, "acpi/\\_SB.VR00");
    assert_eq!(
        (first.windows[0].base, first.wires[0].line),
        (0xa00_0000, 48)
    );
    let host = device(&machine, "acpi/\\_SB.PCI0");
    assert_eq!(host.windows.len(), 0);
    assert_eq!(machine.cpus.len(), 1);
}

#[test]
fn what_is_near_to_what() {
    let machine = arm(include_bytes!("fixtures/numa.acpi"));
    let of = |cpu: &machine::Cpu, name: &str| {
        let fact = cpu.facts.iter().find(|f| f.name == name);
        fact.map(|f| f.value.clone())
    };
    let seen: Vec<_> = (machine.cpus.iter())
        .map(|cpu| (cpu.id, of(cpu, "node"), of(cpu, "core"), of(cpu, "package")))
        .collect();
    let number = |n| Some(Value::Number(n));
    assert_eq!(
        seen,
        [
            (0, number(0), number(0), number(0)),
            (1, number(1), number(1), number(0))
        ]
    );
    // One range of RAM is split where the second processor's begins.
    let ram: Vec<_> = (machine.memory.iter())
        .filter(|r| r.kind == machine::MemoryKind::Ram)
        .map(|r| {
            (
                r.base,
                r.facts
                    .iter()
                    .find(|f| f.name == "node")
                    .map(|f| f.value.clone()),
            )
        })
        .collect();
    assert_eq!(ram, [(0x4000_0000, number(0)), (0x5000_0000, number(1))]);
    let unit = device(&machine, "acpi/IORT.4@9050000");
    let lines: Vec<u32> = unit.wires.iter().map(|w| w.line).collect();
    assert_eq!(lines, [106, 107, 108, 109]);
    let root = device(&machine, "acpi/IORT.2@0");
    assert_eq!(
        root.fact("maps_to"),
        Some(&Value::Texts(vec![
            "acpi/IORT.4@9050000".into(),
            "acpi/IORT.0@0".into()
        ]))
    );
    assert_eq!(
        root.fact("maps"),
        Some(&Value::Numbers(vec![0, 0x101, 0, 0x100, 0xff00, 0x100]))
    );
}

fn arm(bytes: &[u8]) -> Machine {
    let (mut fake, root) = Fake::acpi(bytes);
    fake.mapped = Some(0x40_1000_0000);
    let request = Request {
        firmware: Firmware::Acpi(root),
        memory: vec![machine::MemoryRange {
            base: 0x4000_0000,
            size: 512 << 20,
            kind: machine::MemoryKind::Ram,
            source: machine::Source::Firmware(*b"efi "),
            facts: Vec::new(),
        }],
        ..Request::new(Arch::Aarch64)
    };
    discover(&mut fake, request)
}

#[test]
fn conditions_outside_of_methods() {
    // If (_OSI ("Windows 2015")) { Device (YES) { … } } Else { Device (NO) { … } }; If (CondRefOf (NONE)) { Device (NEVR) }
    let device_of = |name: &[u8; 4]| {
        let mut body = vec![0x5b, 0x82, 19];
        body.extend(name);
        body.extend(b"\x08_HID\x0dXXX0001");
        body.push(0);
        body[2] = body.len() as u8 - 2;
        body
    };
    let branch = |code: u8, head: &[u8], inner: &[u8]| {
        let mut bytes = vec![code, (head.len() + inner.len() + 1) as u8];
        bytes.extend(head);
        bytes.extend(inner);
        bytes
    };
    let mut body = branch(0xa0, b"_OSI\x0dWindows 2015\0", &device_of(b"YES_"));
    body.extend(branch(0xa1, b"", &device_of(b"NO__")));
    body.extend(branch(0xa0, b"\x5b\x12NONE\0", &device_of(b"NEVR")));
    let (mut fake, root) = Fake::acpi(PC);
    fake.mapped = Some(0xb000_0000);
    let table = fake.table(b"DSDT");
    table.truncate(36);
    table.extend(&body);
    let size = (table.len() as u32).to_le_bytes();
    table[4..8].copy_from_slice(&size);
    let request = Request {
        firmware: Firmware::Acpi(root),
        ..Request::new(Arch::X86_64)
    };
    let machine = discover(&mut fake, request);
    device(&machine, "acpi/\\YES");
    let named = |name| machine.devices.iter().any(|d| d.path == name);
    assert!(!named("acpi/\\NO") && !named("acpi/\\NEVR"));
    assert!(
        !machine.notes.iter().any(|n| n.contains("AML")),
        "{:?}",
        machine.notes
    );
}
