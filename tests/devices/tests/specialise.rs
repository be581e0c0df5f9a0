//! Every rule becomes a graph for the device it is written for.

use device_tests::*;
use qtest::{pci, peer, Config, Machine};

fn pci_case(config: Config, class_code: u32, class: &str) {
    let machine = Machine::start(config).unwrap();
    let book = rulebook();
    let found = pci::scan(&machine).unwrap();
    let f = found.iter().find(|f| f.class >> 16 == class_code).unwrap();
    f.bus_master(true).unwrap();
    let mut d = pci_device(f);
    let (c, w) = write_driver(&book, &machine, &mut d, class, &[]);
    println!("{} {:?}", c.title(&book), w.facts);
    println!("{:?}", d.learned);
    for e in &w.residual.entries {
        println!("{} args {} locals {}", e.name, e.arguments, e.locals);
    }
    println!("{} nodes", w.residual.graph.nodes.len());
}

#[test]
fn virtio_blk() {
    let disk = peer::Disk::new(&[7; 1 << 20]).unwrap();
    pci_case(
        Config::q35()
            .args(disk.drive("d0"))
            .args(["-device", "virtio-blk-pci,drive=d0,disable-legacy=on"]),
        1,
        "block",
    );
}

#[test]
fn virtio_net() {
    let cable = peer::Cable::new().unwrap();
    pci_case(
        Config::q35()
            .args(cable.netdev("n0"))
            .args(["-device", "virtio-net-pci,netdev=n0,disable-legacy=on"]),
        2,
        "nic",
    );
}

#[test]
fn e1000() {
    let cable = peer::Cable::new().unwrap();
    pci_case(
        Config::q35()
            .args(cable.netdev("n0"))
            .args(["-device", "e1000,netdev=n0"]),
        2,
        "nic",
    );
}

#[test]
fn uart16550() {
    let machine = Machine::start(Config::q35().args([
        "-chardev",
        "null,id=c0",
        "-device",
        "isa-serial,chardev=c0",
    ]))
    .unwrap();
    let book = rulebook();
    for c in synthesis::candidates(&book) {
        println!("{c:?}");
    }
    let mut d = platform_device(
        "isa/3f8",
        vec![fact("candidate", machine::Value::Flag(true))],
        vec![machine::Window {
            index: 0,
            kind: machine::WindowKind::Port,
            base: 0x3f8,
            size: 8,
            source: machine::Source::Candidate,
        }],
    );
    let (c, w) = write_driver(&book, &machine, &mut d, "serial", &[]);
    println!(
        "{} {:?} {:?} {:?}",
        c.title(&book),
        w.facts,
        d.learned,
        c.clues
    );
    for e in &w.residual.entries {
        println!("{} args {} locals {}", e.name, e.arguments, e.locals);
    }
}

#[test]
fn hpet() {
    let machine = Machine::start(Config::q35()).unwrap();
    let book = rulebook();
    let mut d = platform_device(
        "acpi/HPET",
        vec![fact("acpi", machine::Value::Text("HPET".into()))],
        vec![machine::Window {
            index: 0,
            kind: machine::WindowKind::Memory,
            base: 0xfed00000,
            size: 0x400,
            source: machine::Source::Candidate,
        }],
    );
    let (c, w) = write_driver(&book, &machine, &mut d, "clock", &[]);
    println!(
        "{} {:?} {:?} {:?}",
        c.title(&book),
        w.facts,
        d.learned,
        c.clues
    );
    for e in &w.residual.entries {
        println!("{} args {} locals {}", e.name, e.arguments, e.locals);
    }
}

#[test]
fn ioapic() {
    let machine = Machine::start(Config::q35()).unwrap();
    let book = rulebook();
    let mut d = platform_device(
        "acpi/APIC.1",
        vec![
            fact("acpi", machine::Value::Text("APIC.1".into())),
            fact("first_line", machine::Value::Number(0)),
        ],
        vec![machine::Window {
            index: 0,
            kind: machine::WindowKind::Memory,
            base: 0xfec00000,
            size: 0x20,
            source: machine::Source::Candidate,
        }],
    );
    let (c, w) = write_driver(&book, &machine, &mut d, "lines", &[]);
    println!("{} {:?} {:?}", c.title(&book), w.facts, d.learned);
    for e in &w.residual.entries {
        println!("{} args {} locals {}", e.name, e.arguments, e.locals);
    }
}

#[test]
fn acpi_power() {
    let machine = Machine::start(Config::q35()).unwrap();
    let book = rulebook();
    let n = |name: &str, v: u64| fact(name, machine::Value::Number(v));
    let mut d = platform_device(
        "acpi/FACP",
        vec![
            fact("acpi", machine::Value::Text("FACP".into())),
            n("pm1a", 0x604),
            n("s5a", 0),
            n("s5b", 0),
            n("reset_port", 0xcf9),
            n("reset_value", 0xf),
        ],
        vec![],
    );
    let (c, w) = write_driver(&book, &machine, &mut d, "power", &[]);
    println!("{} {:?} {:?}", c.title(&book), w.facts, d.learned);
    for e in &w.residual.entries {
        println!("{} args {} locals {}", e.name, e.arguments, e.locals);
    }
}

#[test]
fn pl011() {
    let machine = Machine::start(Config::virt()).unwrap();
    let book = rulebook();
    let mut d = platform_device(
        "dt/pl011",
        vec![fact(
            "compatible",
            machine::Value::Texts(vec!["arm,pl011".into()]),
        )],
        vec![machine::Window {
            index: 0,
            kind: machine::WindowKind::Memory,
            base: 0x0900_0000,
            size: 0x1000,
            source: machine::Source::Candidate,
        }],
    );
    let (c, w) = write_driver(&book, &machine, &mut d, "serial", &[]);
    println!("{} {:?} {:?}", c.title(&book), w.facts, d.learned);
    for e in &w.residual.entries {
        println!("{} args {} locals {}", e.name, e.arguments, e.locals);
    }
}
