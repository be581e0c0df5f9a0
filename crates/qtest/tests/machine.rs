//! The machine itself: its buses, lines and clock, and [`qtest::Live`] on a device model.

use graph::{Access, Late, Space, Width, Window, WindowKind};
use qtest::{pci, peer, Config, Live, Machine};
use std::time::Duration;

/// The board's serial port: QEMU's isa-serial.
fn port() -> Window {
    Window {
        name: "r".into(),
        kind: WindowKind::Port,
        base: 0x3f8,
        size: 8,
    }
}

fn live(machine: &Machine, window: Window) -> Live {
    Live::with(machine, vec![window], 64, 4096, 4096).unwrap()
}

#[test]
fn a_serial_line_speaks_both_ways() {
    let line = peer::Line::new().unwrap();
    let config = Config::q35()
        .args(line.chardev("c0"))
        .args(["-device", "isa-serial,chardev=c0"]);
    let machine = Machine::start(config).unwrap();
    let mut device = live(&machine, port());
    for byte in b"hello" {
        device.write(0, 0, Width::B8, u64::from(*byte));
    }
    assert_eq!(line.receive(5, Duration::from_secs(5)).unwrap(), b"hello");
    line.send(b"x").unwrap();
    for _ in 0..1000 {
        if device.read(0, 5, Width::B8) & 1 == 1 {
            break;
        }
        device.pause(1_000_000);
    }
    assert_eq!(device.read(0, 0, Width::B8), u64::from(b'x'));
    device.check().unwrap();
    assert_eq!(device.trace()[0].value, u64::from(b'h'));
}

#[test]
fn interrupt_lines_are_seen() {
    let config = Config::q35().args(["-chardev", "null,id=c0", "-device", "isa-serial,chardev=c0"]);
    let machine = Machine::start(config).unwrap();
    machine.intercept("ioapic").unwrap();
    let mut device = live(&machine, port());
    assert_eq!(machine.raised(4).unwrap(), 0);
    // OUT2 lets the interrupt out, ETBEI asks for one while the transmitter is empty.
    device.write(0, 4, Width::B8, 8);
    device.write(0, 1, Width::B8, 2);
    assert_eq!(machine.raised(4).unwrap(), 1);
    assert!(machine.is_up(4).unwrap());
    // Reading the cause takes it back.
    assert_eq!(device.read(0, 2, Width::B8) & 7, 2);
    assert!(!machine.is_up(4).unwrap());
}

#[test]
fn what_is_outside_reads_zero_and_is_told() {
    let machine = Machine::start(Config::q35()).unwrap();
    let mut device = live(&machine, port());
    assert_eq!(device.read(0, 8, Width::B8), 0);
    assert_eq!(device.read(3, 0, Width::B8), 0);
    assert_eq!(device.load(Space::State, 61, Width::B32), 0);
    assert_eq!(device.load(Space::Arena, u64::MAX, Width::B64), 0);
    assert_eq!(device.errors().len(), 4);
    assert!(device
        .check()
        .unwrap_err()
        .to_string()
        .contains("outside its 0x8 bytes"));
}

#[test]
fn arena_and_pool_are_the_machines_memory() {
    let machine = Machine::start(Config::q35()).unwrap();
    let mut device = live(&machine, port());
    device.store(Space::Arena, 8, Width::B32, 0x1122_3344);
    let arena = device.late(Late::ArenaDma);
    assert_eq!(machine.read(arena + 8, Width::B32).unwrap(), 0x1122_3344);
    let pool = device.late(Late::PoolDma);
    machine.write(pool + 16, Width::B16, 0xbeef).unwrap();
    assert_eq!(device.load(Space::Pool, 16, Width::B16), 0xbeef);
    assert!(device.pool().write(0, &[1, 2, 3]));
    assert_eq!(machine.read(pool, Width::B32).unwrap(), 0x0003_0201);
}

#[test]
fn functions_are_found_and_given_addresses() {
    let disk = peer::Disk::new(&[0; 4096]).unwrap();
    let config = Config::q35().args(disk.drive("d0")).args([
        "-device",
        "virtio-blk-pci,drive=d0,disable-legacy=on",
        "-device",
        "e1000",
    ]);
    let machine = Machine::start(config).unwrap();
    let found = pci::scan(&machine).unwrap();
    let disk = found.iter().find(|f| f.vendor == 0x1af4).unwrap();
    assert_eq!(disk.device, 0x1042);
    // Vendor capabilities name the parts of the device's windows; MSI-X is there too.
    let capabilities = disk.capabilities().unwrap();
    assert!(capabilities.iter().filter(|(id, _)| *id == 9).count() >= 4);
    assert!(capabilities.iter().any(|(id, _)| *id == 0x11));
    assert_eq!(disk.config().unwrap().len(), 256);
    let wide = disk.bars.iter().find(|bar| bar.wide).unwrap();
    assert_eq!(wide.kind, WindowKind::Memory);

    let card = found
        .iter()
        .find(|f| f.vendor == 0x8086 && f.device == 0x100e)
        .unwrap();
    assert_eq!(card.pin, 1);
    let (memory, port) = (card.bar(0).unwrap(), card.bar(1).unwrap());
    assert_eq!(
        (memory.size, port.kind, port.size),
        (0x20000, WindowKind::Port, 64)
    );
    // The device answers where it was put: STATUS after reset, with a link (82540EM manual, 13.4.2).
    let status = machine.read(memory.base + 8, Width::B32).unwrap();
    assert_eq!(status & 0x8000_0083, 0x8000_0083, "{status:#x}");
}

#[test]
fn arm_boards_work_too() {
    let line = peer::Line::new().unwrap();
    let config = Config::virt().args(line.chardev("c0")).args([
        "-serial",
        "chardev:c0",
        "-device",
        "virtio-net-pci,disable-legacy=on",
    ]);
    let machine = Machine::start(config).unwrap();
    let window = Window {
        name: "r".into(),
        kind: WindowKind::Memory,
        base: 0x0900_0000,
        size: 0x1000,
    };
    let mut device = live(&machine, window);
    // PL011 (ARM DDI 0183): peripheral identification, control (enabled, transmitting), a byte.
    assert_eq!(device.read(0, 0xfe0, Width::B32), 0x11);
    device.write(0, 0x30, Width::B32, 0x301);
    device.write(0, 0, Width::B32, u64::from(b'!'));
    assert_eq!(line.receive(1, Duration::from_secs(5)).unwrap(), b"!");
    device.store(Space::Arena, 0, Width::B32, 77);
    let arena = device.late(Late::ArenaDma);
    assert_eq!(machine.read(arena, Width::B32).unwrap(), 77);

    let found = pci::scan(&machine).unwrap();
    let card = found.iter().find(|f| f.vendor == 0x1af4).unwrap();
    assert_eq!((card.device, card.class), (0x1041, 0x02_0000));
    let bar = card.bars.iter().find(|bar| bar.wide).unwrap();
    assert_ne!(machine.read(bar.base, Width::B32).unwrap(), 0xffff_ffff);
}

#[test]
fn free_running_counters_go_in_real_time() {
    let machine = Machine::start(Config::q35().real_time()).unwrap();
    // HPET (IA-PC HPET 1.0a): enable, main counter.
    machine.write(0xfed0_0010, Width::B64, 1).unwrap();
    let before = machine.read(0xfed0_00f0, Width::B64).unwrap();
    machine.pause(100_000);
    let after = machine.read(0xfed0_00f0, Width::B64).unwrap();
    assert!(after > before, "{before} {after}");
}

#[test]
fn a_machine_that_cannot_be_says_why() {
    let told = Machine::start(Config::q35().args(["-device", "no-such-device"]));
    let told = told.err().unwrap().to_string();
    assert!(told.contains("no-such-device"), "{told}");
}

#[test]
fn it_ends_with_its_last_owner() {
    let machine = Machine::start(Config::q35()).unwrap();
    let other = machine.clone();
    drop(machine);
    assert!(other.alive());
    assert!(other.raised(0).unwrap() == 0);
}

/// With the machine's own firmware: what it leaves behind is there, and the emulator says what it is.
#[test]
fn firmware_leaves_tables_and_halts() {
    let config = Config::emulated(
        qtest::Arch::X86_64,
        [
            "-machine",
            "q35",
            "-m",
            "64",
            "-nodefaults",
            "-display",
            "none",
        ],
    );
    let machine = Machine::start(config).unwrap();
    let start_information = machine.settle().unwrap();
    let magic = machine.read(start_information, Width::B32).unwrap();
    assert_eq!(magic, 0x336e_c578);
    // The root pointer lies in the BIOS area.
    let mut area = vec![0; 0x2_0000];
    machine.copy(0xe_0000, &mut area).unwrap();
    assert!(area.chunks_exact(16).any(|c| c.starts_with(b"RSD PTR ")));
    let cpus = machine.ask("query-cpus-fast", serde_json::json!({}));
    assert_eq!(cpus.unwrap().as_array().map(Vec::len), Some(1));
    let refused = machine.ask("no-such-command", serde_json::json!({}));
    assert!(refused.unwrap_err().to_string().contains("no-such-command"));
}

/// Posted accesses happen in order, before the one that is waited for; many of them do not fill anything up.
#[test]
fn posted_accesses_keep_their_order() {
    let machine = Machine::start(Config::q35()).unwrap();
    let ram = machine.ram(4096, 4096).unwrap();
    for value in 0..1000 {
        machine.post_write(ram.dma(), Width::B32, value).unwrap();
    }
    assert_eq!(machine.read(ram.dma(), Width::B32).unwrap(), 999);
}

#[test]
fn an_arm64_machine_is_handed_its_devicetree() {
    let arguments = [
        "-machine",
        "virt",
        "-cpu",
        "cortex-a57",
        "-m",
        "64",
        "-nodefaults",
        "-display",
        "none",
    ];
    let config = Config::emulated(qtest::Arch::Aarch64, arguments);
    let machine = Machine::start(config).unwrap();
    let blob = machine.settle().unwrap();
    let mut magic = [0; 4];
    machine.copy(blob, &mut magic).unwrap();
    assert_eq!(u32::from_be_bytes(magic), 0xd00d_feed);
}
