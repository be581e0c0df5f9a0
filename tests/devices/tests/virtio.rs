//! virtio over each of its transports, on the emulator's devices.

use classes::Class;
use device_tests::{fact, pci_device, platform_device, proof};
use machine::{Device, Source, Value, Window, WindowKind};
use qtest::{pci, peer, Config, Machine};
use synthesis::Written;

const MAC: &str = "mac=52:54:00:12:34:56";

/// Where the board's slots for virtio devices are, and how far apart.
const SLOTS: u64 = 0x0a00_0000;
const STRIDE: u64 = 0x200;

/// The board's slot that has a device of this kind, as its devicetree describes it.
fn slot(machine: &Machine, kind: u64) -> Device {
    let base = (0..32)
        .map(|k| SLOTS + k * STRIDE)
        .find(|base| machine.read(base + 8, graph::Width::B32).unwrap() == kind)
        .expect("a slot with the device");
    let compatible = fact("compatible", Value::Texts(vec!["virtio,mmio".into()]));
    let window = Window {
        index: 0,
        kind: WindowKind::Memory,
        base,
        size: STRIDE,
        source: Source::Firmware(*b"dtb "),
    };
    platform_device("dt/virtio_mmio", vec![compatible], vec![window])
}

/// A board with memory-mapped virtio, of this version of the interface.
fn board(version: u32) -> Config {
    let legacy = ["off", "on"][usize::from(version == 1)];
    Config::virt().args([
        "-global".to_string(),
        format!("virtio-mmio.force-legacy={legacy}"),
    ])
}

fn function(machine: &Machine, class: u32) -> Device {
    let found = pci::scan(machine).unwrap();
    let function = found.iter().find(|f| f.class >> 16 == class).unwrap();
    function.bus_master(true).unwrap();
    pci_device(function)
}

const TRANSPORTS: [(&str, &str); 6] = [
    ("disable-legacy=on", "virtio_pci"),
    ("disable-legacy=on,packed=on", "virtio_pci"),
    ("disable-legacy=off,disable-modern=off", "virtio_pci"),
    ("disable-legacy=off,disable-modern=on", "virtio_old"),
    ("1", "virtio_mmio"),
    ("2", "virtio_mmio"),
];

/// The device on that transport, and its driver. `kind` is virtio's number, `class` PCI's.
fn start(
    transport: (&str, &str),
    outside: &[String],
    name: &str,
    options: &str,
    (kind, class): (u64, u32),
    rule: (&str, &str),
) -> (Machine, Written) {
    let title = format!("{} on {}", rule.0, transport.1);
    if let Ok(version) = transport.0.parse() {
        let device = format!("{name}-device,{options}");
        let config = board(version).args(outside.iter().cloned());
        let machine = Machine::start(config.args(["-device", &device])).unwrap();
        let written = proof::written(&machine, &mut slot(&machine, kind), rule.1, &title);
        return (machine, written);
    }
    let device = format!("{name}-pci,{options},{}", transport.0);
    let config = Config::q35().args(outside.iter().cloned());
    let machine = Machine::start(config.args(["-device", &device])).unwrap();
    let written = proof::written(&machine, &mut function(&machine, class), rule.1, &title);
    (machine, written)
}

fn net(transport: (&str, &str), outside: &[String]) -> (Machine, Written) {
    let options = format!("netdev=n0,{MAC}");
    let rule = ("virtio_net", "nic");
    start(transport, outside, "virtio-net", &options, (1, 2), rule)
}

fn disk(transport: (&str, &str), outside: &[String]) -> (Machine, Written) {
    let rule = ("virtio_blk", "block");
    start(transport, outside, "virtio-blk", "drive=d0", (2, 1), rule)
}

#[test]
fn disks_hold_what_is_written() {
    for transport in TRANSPORTS {
        let outside = peer::Disk::new(&proof::pattern(1 << 20)).unwrap();
        let (machine, written) = disk(transport, &outside.drive("d0"));
        proof::block(&machine, &written, &outside);
    }
}

#[test]
fn cards_carry_frames_both_ways() {
    for transport in TRANSPORTS {
        let cable = peer::Cable::new().unwrap();
        let (machine, written) = net(transport, &cable.netdev("n0"));
        proof::nic(&machine, &written, &cable);
    }
}

#[test]
fn interpreter_and_code_touch_each_transport_alike() {
    for transport in TRANSPORTS {
        let outside = peer::Disk::new(&proof::pattern(1 << 20)).unwrap();
        proof::same_trace(Class::Block, || disk(transport, &outside.drive("d0")));
        let user = ["-netdev", "user,id=n0"].map(String::from);
        proof::same_trace(Class::Nic, || net(transport, &user));
        let (machine, written) = net(transport, &user);
        proof::nic_answers(&machine, &written);
    }
}

#[test]
fn a_packed_ring_is_taken_when_it_is_offered() {
    let outside = peer::Disk::new(&proof::pattern(1 << 20)).unwrap();
    let offers = |transport| {
        let (machine, written) = disk(transport, &outside.drive("d0"));
        drop(machine);
        // The split ring keeps an index that wraps at 16 bits and fills a ring of descriptor numbers; a packed one does not.
        let read = written.residual.entries.iter().find(|e| e.name == "read");
        let steps = &written.residual.graph.regions[read.unwrap().body as usize].steps;
        steps.len()
    };
    assert_ne!(offers(TRANSPORTS[0]), offers(TRANSPORTS[1]));
}
