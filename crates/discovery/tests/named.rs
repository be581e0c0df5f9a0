//! Devices that only the namespace of ACPI lists.

mod fake;

use discovery::{discover, Firmware, Request};
use fake::Fake;
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

fn device<'a>(machine: &'a Machine, path: &str) -> &'a Device {
    let found = machine.devices.iter().find(|d| d.path == path);
    found.unwrap_or_else(|| {
        let paths: Vec<&str> = machine.devices.iter().map(|d| d.path.as_str()).collect();
        panic!(
            "no {path}; there are {paths:#?}; notes: {:#?}",
            machine.notes
        )
    })
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
