//! Every device rule on the emulator's model of its device, through emitted machine code.

use classes::selftest::Outcome;
use classes::{selftest::Effort, Class, Facts};
use device_tests::*;
use emit::{emit, Target};
use qtest::run::{Blob, Device as Running};
use qtest::{pci, peer, Config, Machine};
use synthesis::Written;

fn running<'a>(machine: &Machine, written: &'a Written, code: &'a emit::Code) -> Running {
    let entries = written
        .residual
        .entries
        .iter()
        .zip(&code.entries)
        .map(|(e, (at, _))| (e.name.as_str(), *at))
        .collect();
    Running::attach(
        machine,
        Blob {
            code: &code.bytes,
            entries,
            residual: &written.residual,
        },
    )
    .unwrap()
}

fn facts(written: &Written) -> Facts {
    Facts::from_pairs(written.facts.iter().map(|(n, v)| (n.as_str(), *v)))
}

fn pci_driver(machine: &Machine, class_code: u32, class: &str) -> Written {
    let book = rulebook();
    let found = pci::scan(machine).unwrap();
    let function = found.iter().find(|f| f.class >> 16 == class_code).unwrap();
    function.bus_master(true).unwrap();
    let mut device = pci_device(function);
    let (_, written) = write_driver(&book, machine, &mut device, class, &[]);
    written
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|k| (k * 7 + k / 512 * 13) as u8).collect()
}

#[test]
fn virtio_blk_reads_what_the_disk_holds() {
    let bytes = pattern(1 << 20);
    let disk = peer::Disk::new(&bytes).unwrap();
    let machine = Machine::start(
        Config::q35()
            .args(disk.drive("d0"))
            .args(["-device", "virtio-blk-pci,drive=d0,disable-legacy=on"]),
    )
    .unwrap();
    let written = pci_driver(&machine, 1, "block");
    let code = emit(&written.residual, Target::X86_64).unwrap();
    let mut device = running(&machine, &written, &code);
    let mut driver = device.pump(Class::Block, facts(&written)).unwrap();
    assert_eq!(
        driver.selftest(Effort::Thorough).unwrap(),
        Outcome::Verified
    );
    for lba in [0u64, 1, 7, 2047] {
        let answer = driver
            .ask(abi::ring::todo::BLOCK_READ, 4096, 512, lba)
            .unwrap();
        assert_eq!(answer.ok, 1);
        let mut got = vec![0; 512];
        driver.pool().read(4096, &mut got);
        assert_eq!(got, bytes[lba as usize * 512..][..512]);
    }
}

fn arp_reply(request: &[u8]) -> Vec<u8> {
    let mut reply = request.to_vec();
    let station = [0x52, 0x55, 1, 2, 3, 4];
    let (mac, ip) = (request[6..12].to_vec(), request[28..32].to_vec());
    let target = request[38..42].to_vec();
    reply[0..6].copy_from_slice(&mac);
    reply[6..12].copy_from_slice(&station);
    reply[20..22].copy_from_slice(&[0, 2]);
    reply[22..28].copy_from_slice(&station);
    reply[28..32].copy_from_slice(&target);
    reply[32..38].copy_from_slice(&mac);
    reply[38..42].copy_from_slice(&ip);
    reply
}

/// Frames of every size both ways, compared byte for byte with the peer outside.
fn frames(device_args: &str) {
    let cable = peer::Cable::new().unwrap();
    let machine = Machine::start(
        Config::q35()
            .args(cable.netdev("n0"))
            .args(["-device", device_args]),
    )
    .unwrap();
    let written = pci_driver(&machine, 2, "nic");
    let code = emit(&written.residual, Target::X86_64).unwrap();
    println!("{} bytes of code", code.bytes.len());
    let facts = facts(&written);
    assert_eq!(facts.station(), Some([0x52, 0x54, 0, 0x12, 0x34, 0x56]));
    let mut device = running(&machine, &written, &code);
    let mut driver = device.pump(Class::Nic, facts).unwrap();
    driver.start().unwrap();
    let head = facts.headroom as u32;
    for k in 0..40u32 {
        let frame = pattern(60 + (k as usize * 37) % 1400);
        let at = 0x10000 + (k % 8) * 2048 + head;
        driver.pool().write(at.into(), &frame);
        let answer = driver
            .ask(abi::ring::todo::NIC_TRANSMIT, at, frame.len() as u32, 0)
            .unwrap();
        assert_eq!(answer.ok, 1, "frame {k}");
        assert_eq!(
            cable
                .receive(std::time::Duration::from_secs(5))
                .unwrap()
                .unwrap(),
            frame,
            "frame {k}"
        );
    }
    for k in 0..16u32 {
        driver
            .put(
                abi::ring::todo::NIC_SUPPLY,
                0x20000 + k * 2048 + head,
                2048 - head,
                0,
            )
            .unwrap();
    }
    driver.turn(false).unwrap();
    for k in 0..100usize {
        let mut frame = vec![0xff; 6];
        frame.extend(pattern(60 - 6 + (k * 131) % 1400));
        cable.send(&frame).unwrap();
        let got = driver
            .wait(|e| e.kind == abi::ring::done::RECEIVED)
            .unwrap();
        assert_eq!(got.length as usize, frame.len(), "frame {k}");
        let mut bytes = vec![0; frame.len()];
        driver.pool().read(got.offset.into(), &mut bytes);
        assert_eq!(bytes, frame, "frame {k}");
        driver
            .put(abi::ring::todo::NIC_SUPPLY, got.offset, 2048 - head, 0)
            .unwrap();
        driver.turn(false).unwrap();
    }
    let _ = arp_reply;
}

#[test]
fn virtio_net_carries_frames_both_ways() {
    frames("virtio-net-pci,netdev=n0,disable-legacy=on,mac=52:54:00:12:34:56");
}

#[test]
fn e1000_carries_frames_both_ways() {
    frames("e1000,netdev=n0,mac=52:54:00:12:34:56");
}

#[test]
fn uart16550_speaks_both_ways() {
    let mut line = peer::Line::new().unwrap();
    let machine = Machine::start(
        Config::q35()
            .args(line.chardev("c0"))
            .args(["-device", "isa-serial,chardev=c0"]),
    )
    .unwrap();
    let book = rulebook();
    let facts_given = vec![fact("candidate", machine::Value::Flag(true))];
    let window = machine::Window {
        index: 0,
        kind: machine::WindowKind::Port,
        base: 0x3f8,
        size: 8,
        source: machine::Source::Candidate,
    };
    let mut found = platform_device("isa/3f8", facts_given, vec![window]);
    let (_, written) = write_driver(&book, &machine, &mut found, "serial", &[]);
    let code = emit(&written.residual, Target::X86_64).unwrap();
    let mut device = running(&machine, &written, &code);
    let mut driver = device.pump(Class::Serial, facts(&written)).unwrap();
    driver.start().unwrap();
    let text = pattern(300);
    driver.pool().write(0, &text);
    let answer = driver.ask(abi::ring::todo::SERIAL_SEND, 0, 300, 0).unwrap();
    assert_eq!(answer.ok, 1);
    assert_eq!(
        line.receive(300, std::time::Duration::from_secs(5))
            .unwrap(),
        text
    );
    // Eight bytes are what the FIFO waits for; the pause that would tell of fewer never ends while the machine's clock stands.
    line.send(b"MetaOS!\n").unwrap();
    let got: Vec<u8> = (0..8)
        .map(|_| {
            driver
                .wait(|e| e.kind == abi::ring::done::RECEIVED)
                .unwrap()
                .value as u8
        })
        .collect();
    assert_eq!(got, b"MetaOS!\n");
}

#[test]
fn hpet_goes_forward() {
    let machine = Machine::start(Config::q35().real_time()).unwrap();
    let book = rulebook();
    let window = machine::Window {
        index: 0,
        kind: machine::WindowKind::Memory,
        base: 0xfed0_0000,
        size: 0x400,
        source: machine::Source::Candidate,
    };
    let mut found = platform_device(
        "acpi/HPET",
        vec![fact("acpi", machine::Value::Text("HPET".into()))],
        vec![window],
    );
    let (_, written) = write_driver(&book, &machine, &mut found, "clock", &[]);
    let code = emit(&written.residual, Target::X86_64).unwrap();
    let mut device = running(&machine, &written, &code);
    let mut clock = device.direct().unwrap();
    assert_eq!(clock.start().unwrap(), abi::status::OK);
    let before = clock.call("now", &[]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2));
    let passed = clock.call("now", &[]).unwrap() - before;
    // A tick is 10 ns; the host's time passes too.
    assert!(
        passed >= 100_000,
        "{passed} ticks in more than a millisecond"
    );
}
