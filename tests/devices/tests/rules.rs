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

#[test]
fn virtio_blk_writes_what_it_is_given_and_says_no_past_the_end() {
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
    driver.start().unwrap();
    let news: Vec<u8> = (0..1024).map(|k| (k * 3 + 1) as u8).collect();
    driver.pool().write(0, &news);
    let answer = driver
        .ask(abi::ring::todo::BLOCK_WRITE, 0, 1024, 9)
        .unwrap();
    assert_eq!(answer.ok, 1);
    assert_eq!(
        driver
            .ask(abi::ring::todo::BLOCK_FLUSH, 0, 0, 0)
            .unwrap()
            .ok,
        1
    );
    let mut wanted = bytes.clone();
    wanted[9 * 512..11 * 512].copy_from_slice(&news);
    assert!(
        disk.bytes().unwrap() == wanted,
        "the disk holds what was written, and nothing else changed"
    );
    assert_eq!(
        driver
            .ask(abi::ring::todo::BLOCK_READ, 0, 512, 1 << 40)
            .unwrap()
            .ok,
        0
    );
    assert_eq!(
        driver
            .ask(abi::ring::todo::BLOCK_READ, 0, 512, 9)
            .unwrap()
            .ok,
        1
    );
    // More requests at once than there are slots: each is answered once.
    let tickets: Vec<u32> = (0..60)
        .map(|k| {
            driver
                .put(abi::ring::todo::BLOCK_READ, (k % 32) * 512, 512, k.into())
                .unwrap()
        })
        .collect();
    for ticket in tickets {
        assert_eq!(driver.wait(|e| e.ticket == ticket).unwrap().ok, 1);
    }
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
    let line = peer::Line::new().unwrap();
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

/// Accesses with repeated polling reads collapsed to one.
fn collapsed(trace: &[qtest::Touch]) -> Vec<(u8, u64, bool, u64)> {
    let mut list: Vec<(u8, u64, bool, u64)> = trace
        .iter()
        .map(|t| (t.window, t.at, t.write, t.value))
        .collect();
    list.dedup_by(|a, b| a == b && !a.2);
    list
}

/// `init` by the interpreter and by emitted code does the same to the device.
fn same_trace(arguments: &[&str], class_code: u32, class: &str, kind: Class) {
    let start = || Machine::start(Config::q35().args(arguments.iter().copied())).unwrap();
    let machine = start();
    let written = pci_driver(&machine, class_code, class);
    let mut live = qtest::Live::new(&machine, &written.residual).unwrap();
    let init = written
        .residual
        .entries
        .iter()
        .position(|e| e.name == "init")
        .unwrap();
    let outcome = graph::interpret::run(&written.residual, init, &[], &mut live);
    assert_eq!((outcome.status, outcome.fault), (abi::status::OK, None));
    live.check().unwrap();
    let interpreted = collapsed(&live.trace());
    // One emulator at a time may have the disk.
    drop((live, machine));

    let machine = start();
    let again = pci_driver(&machine, class_code, class);
    assert_eq!(
        again.residual, written.residual,
        "the same device gives the same graph"
    );
    let code = emit(&again.residual, Target::X86_64).unwrap();
    let mut device = running(&machine, &again, &code);
    let mut driver = device.pump(kind, facts(&again)).unwrap();
    driver.start().unwrap();
    // Addresses of arena and pool differ between the two runs: only what is not an address is compared.
    let plain = |list: Vec<(u8, u64, bool, u64)>| -> Vec<(u8, u64, bool)> {
        list.into_iter().map(|t| (t.0, t.1, t.2)).collect()
    };
    assert_eq!(plain(collapsed(&driver.trace())), plain(interpreted));
    assert!(driver.trace().len() > 10);
}

#[test]
fn interpreter_and_code_touch_the_devices_alike() {
    let disk = peer::Disk::new(&pattern(1 << 20)).unwrap();
    let drive = disk.drive("d0");
    let mut block: Vec<&str> = drive.iter().map(String::as_str).collect();
    block.extend(["-device", "virtio-blk-pci,drive=d0,disable-legacy=on"]);
    same_trace(&block, 1, "block", Class::Block);
    same_trace(
        &[
            "-netdev",
            "user,id=n0",
            "-device",
            "virtio-net-pci,netdev=n0,disable-legacy=on",
        ],
        2,
        "nic",
        Class::Nic,
    );
    same_trace(
        &["-netdev", "user,id=n0", "-device", "e1000,netdev=n0"],
        2,
        "nic",
        Class::Nic,
    );
}
