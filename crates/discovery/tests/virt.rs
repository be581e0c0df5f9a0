//! An arm64 machine, from its devicetree: nothing on PCI has a place yet.

mod fake;

use discovery::{discover, Firmware, Request};
use fake::{arm, device, Fake, Function};
use machine::{Arch, Source, Value, WindowKind};

const BLOB: &[u8] = include_bytes!("fixtures/virt.dtb");

#[test]
fn nodes_become_devices() {
    let machine = arm(&mut Fake::default());
    let serial = device(&machine, "dt/pl011@9000000");
    assert_eq!(
        serial.fact("compatible"),
        Some(&Value::Texts(vec![
            "arm,pl011".into(),
            "arm,primecell".into()
        ]))
    );
    assert_eq!(
        serial.fact("clock_frequency"),
        Some(&Value::Number(24_000_000))
    );
    assert_eq!(
        (serial.windows[0].base, serial.windows[0].size),
        (0x900_0000, 0x1000)
    );
    assert_eq!(
        (
            serial.wires[0].line,
            serial.wires[0].level,
            serial.wires[0].low
        ),
        (33, true, false)
    );
    let controller = device(&machine, "dt/intc@8000000");
    let bases: Vec<u64> = controller.windows.iter().map(|w| w.base).collect();
    assert_eq!(bases, [0x800_0000, 0x80a_0000]);
    let timer: Vec<u32> = device(&machine, "dt/timer")
        .wires
        .iter()
        .map(|w| w.line)
        .collect();
    assert_eq!(timer, [29, 30, 27, 26]);
    let power = device(&machine, "dt/psci");
    assert_eq!(power.fact("method"), Some(&Value::Text("hvc".into())));
    assert_eq!(power.fact("conduit"), Some(&Value::Text("hvc".into())));
    assert_eq!(machine.cpus.len(), 1);
}

#[test]
fn places_are_assigned_where_there_are_none() {
    let mut fake = Fake::default();
    fake.pci
        .insert((0, 0, 0), Function::new(0x1b36, 8, 0x060000));
    let nic = Function::new(0x1af4, 0x1041, 0x020000)
        .bar(1, 0x1000, 0, 0)
        .bar(2, 0x20, 1, 0)
        .bar(4, 0x4000, 4, 0)
        .pin(1);
    fake.pci.insert((0, 1, 0), nic);
    fake.pci
        .insert((0, 2, 0), Function::new(0x1b36, 1, 0x060400).bridge(0, 0));
    fake.pci.insert(
        (1, 3, 0),
        Function::new(0x1234, 1, 0x010000)
            .bar(0, 0x10000, 0, 0)
            .pin(2),
    );
    let machine = arm(&mut fake);
    let nic = device(&machine, "pci/00:01.0");
    assert!(nic.windows.iter().all(|w| w.source == Source::Assigned));
    let memory = 0x1000_0000..0x3eff_0000;
    for window in &nic.windows {
        assert_eq!(window.base % window.size, 0);
        // Ports are reached through memory on this machine.
        assert_eq!(window.kind, WindowKind::Memory);
        match window.index {
            2 => assert!((0x3eff_0000..0x3f00_0000).contains(&window.base)),
            _ => assert!(memory.contains(&window.base)),
        }
    }
    assert_eq!(nic.wires[0].line, 32 + 4);
    // The bridge got a bus, and a window around what is behind it.
    let bridge = &fake.pci[&(0, 2, 0)];
    assert_eq!(bridge.get(0x18) & 0x00ff_ffff, 0x0001_0100);
    let behind = device(&machine, "pci/01:03.0");
    let base = behind.windows[0].base;
    let window = bridge.get(0x20);
    assert_eq!((window as u64 & 0xfff0) << 16, base & 0xfff0_0000);
    assert_eq!(window as u64 >> 16 & 0xfff0, (base >> 16) & 0xfff0);
    // Device 3, pin B behind device 2: turned by 3, then the host's map: (2 + (1 + 3) % 4) % 4.
    let pin = (1 + 3) % 4;
    assert_eq!(behind.wires[0].line, 32 + 3 + (2 + pin) % 4);
    // No two windows overlap.
    let mut all: Vec<_> = machine
        .devices
        .iter()
        .filter(|d| d.bus == "pci")
        .flat_map(|d| &d.windows)
        .collect();
    all.sort_by_key(|w| w.base);
    assert!(all
        .windows(2)
        .all(|pair| pair[0].base + pair[0].size <= pair[1].base));
}

#[test]
fn memory_is_known_before_the_heap() {
    let boot = discovery::devicetree::boot(BLOB).unwrap();
    assert_eq!(boot.ram(), [(0x4000_0000, 128 << 20)]);
    assert_eq!(boot.initrd, None);
    assert_eq!(boot.arguments(), b"");
}

#[test]
fn processors_memory_and_console() {
    let blob = include_bytes!("fixtures/numa.dtb");
    let request = Request {
        firmware: Firmware::Devicetree(blob),
        memory: vec![machine::MemoryRange {
            base: 0x4000_0000,
            size: 512 << 20,
            kind: machine::MemoryKind::Ram,
            source: Source::Firmware(*b"dtb "),
            facts: Vec::new(),
        }],
        ..Request::new(Arch::Aarch64)
    };
    let machine = discover(&mut Fake::mapped_at(0x40_1000_0000), request);
    let of = |facts: &[machine::Fact], name: &str| match facts.iter().find(|f| f.name == name) {
        Some(machine::Fact {
            value: Value::Number(n),
            ..
        }) => *n,
        other => panic!("{name}: {other:?}"),
    };
    let places: Vec<[u64; 5]> = (machine.cpus.iter())
        .map(|cpu| {
            let of = |name| of(&cpu.facts, name);
            [cpu.id, of("node"), of("package"), of("core"), of("thread")]
        })
        .collect();
    assert_eq!(
        places,
        [
            [0, 0, 0, 0, 0],
            [1, 0, 0, 0, 1],
            [2, 1, 1, 1, 0],
            [3, 1, 1, 1, 1]
        ]
    );
    let ram: Vec<(u64, u64)> = (machine.memory.iter())
        .filter(|r| r.kind == machine::MemoryKind::Ram)
        .map(|r| (r.base, of(&r.facts, "node")))
        .collect();
    assert_eq!(ram, [(0x4000_0000, 0), (0x5000_0000, 1)]);
    let serial = device(&machine, "dt/pl011@9000000");
    assert_eq!(serial.fact("console"), Some(&Value::Flag(true)));
}
