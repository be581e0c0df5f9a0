//! Drivers whose interrupts are messages, on the emulator's devices: nobody looks at the device, messages alone say that
//! there is news.

use abi::ring::{done, todo};
use classes::Class;
use device_tests::{fact, pci_device, proof};
use machine::Value;
use qtest::{pci, peer, Capture, Config, Machine};
use std::time::Duration;
use synthesis::{Written, MESSAGES, MOST_MESSAGES};

/// The function of this PCI class with messages, and its driver by `rules`.
fn start(
    config: Config,
    most: u64,
    pci_class: u32,
    class: &str,
    rules: &str,
) -> (Machine, Capture, Written) {
    let machine = Machine::start(config).unwrap();
    let found = pci::scan(&machine).unwrap();
    let function = found.iter().find(|f| f.class >> 16 == pci_class).unwrap();
    function.bus_master(true).unwrap();
    let capture = Capture::new(&machine, function, most).unwrap();
    let mut device = pci_device(function);
    let number = Value::Number(capture.count());
    device.learned.push(fact(MESSAGES, number));
    let written = proof::written(&machine, &mut device, class, rules);
    let entries: Vec<&str> = (written.residual.entries.iter())
        .map(|e| e.name.as_str())
        .collect();
    assert!(
        entries.contains(&"message") && !entries.contains(&"irq"),
        "{rules}: {entries:?}"
    );
    (machine, capture, written)
}

/// Reads, writes and a crowd of requests, answered by message.
fn disk(config: Config, most: u64, rules: &str) {
    let outside = peer::Disk::new(&proof::pattern(1 << 20)).unwrap();
    let config = config.args(outside.drive("d0"));
    let (machine, capture, written) = start(config, most, 1, "block", rules);
    let mut device = proof::running(&machine, &written);
    let mut driver = device.pump(Class::Block, proof::facts(&written)).unwrap();
    driver.start().unwrap();
    capture.came();
    let bytes = proof::pattern(1 << 20);
    for lba in [0u64, 3, 2047] {
        let ticket = driver.put(todo::BLOCK_READ, 4096, 512, lba).unwrap();
        let answer = driver.hear(|| capture.came(), |e| e.ticket == ticket);
        assert_eq!(answer.unwrap().ok, 1, "{rules}: block {lba}");
        let mut got = vec![0; 512];
        driver.pool().read(4096, &mut got);
        assert!(got == bytes[lba as usize * 512..][..512], "block {lba}");
    }
    let tickets: Vec<u32> = (0..60)
        .map(|k| {
            driver
                .put(todo::BLOCK_READ, (k % 32) * 512, 512, k.into())
                .unwrap()
        })
        .collect();
    for ticket in tickets {
        let answer = driver.hear(|| capture.came(), |e| e.ticket == ticket);
        assert_eq!(answer.unwrap().ok, 1, "{rules}");
    }
    assert_eq!(capture.came(), 0, "{rules}: no message without news");
}

#[test]
fn nvme_tells_of_completions_by_message() {
    let nvme = || Config::q35().args(["-device", "nvme,serial=a,drive=d0"]);
    disk(nvme(), MOST_MESSAGES, "nvme");
    disk(nvme(), 1, "nvme");
}

/// virtio with as many messages as it likes, and with a single one for everything.
const VIRTIO: [(&str, &str); 3] = [
    ("disable-legacy=on", "virtio_pci"),
    ("disable-legacy=on,packed=on", "virtio_pci"),
    ("disable-legacy=off,disable-modern=on", "virtio_old"),
];

#[test]
fn virtio_disks_tell_of_completions_by_message() {
    for (options, transport) in VIRTIO {
        for most in [MOST_MESSAGES, 1] {
            let device = format!("virtio-blk-pci,drive=d0,{options}");
            let config = Config::q35().args(["-device", &device]);
            disk(config, most, &format!("virtio_blk on {transport}"));
        }
    }
}

#[test]
fn virtio_cards_tell_of_frames_by_message() {
    for (options, transport) in VIRTIO {
        for most in [MOST_MESSAGES, 1] {
            let device = format!("virtio-net-pci,netdev=n0,{options}");
            let rules = format!("virtio_net on {transport}");
            card(&device, most, &rules);
        }
    }
}

fn card(device: &str, most: u64, rules: &str) {
    let cable = peer::Cable::new().unwrap();
    let config = Config::q35().args(cable.netdev("n0"));
    let config = config.args(["-device", device]);
    let (machine, capture, written) = start(config, most, 2, "nic", rules);
    let mut device = proof::running(&machine, &written);
    let mut driver = device.pump(Class::Nic, proof::facts(&written)).unwrap();
    driver.start().unwrap();
    capture.came();
    let head = driver.pump().facts().headroom as u32;
    for k in 0..8u32 {
        let at = 0x20000 + k * 2048 + head;
        driver.put(todo::NIC_SUPPLY, at, 2048 - head, 0).unwrap();
    }
    driver.turn_for(0).unwrap();
    for k in 0..20u32 {
        let frame = proof::pattern(60 + k as usize * 37);
        let at = 0x10000 + head;
        driver.pool().write(at.into(), &frame);
        let length = frame.len() as u32;
        let ticket = driver.put(todo::NIC_TRANSMIT, at, length, 0).unwrap();
        let sent = |e: &abi::ring::Entry| e.kind == done::FINISHED && e.ticket == ticket;
        let answer = driver.hear(|| capture.came(), sent);
        assert_eq!(answer.map(|e| e.ok).ok(), Some(1), "{rules}: frame {k}");
        let got = cable.receive(Duration::from_secs(5)).unwrap().unwrap();
        assert!(got == frame, "{rules}: frame {k}");
        let mut arriving = vec![0xff; 6];
        arriving.extend(proof::pattern(54 + k as usize * 11));
        cable.send(&arriving).unwrap();
        let got = driver.hear(|| capture.came(), |e| e.kind == done::RECEIVED);
        let got = got.unwrap();
        assert_eq!(got.length as usize, arriving.len(), "{rules}: frame {k}");
        driver
            .put(todo::NIC_SUPPLY, got.offset, 2048 - head, 0)
            .unwrap();
        driver.turn_for(0).unwrap();
    }
}

/// Without messages the same rules listen to the wire.
#[test]
fn the_same_rules_have_a_wire() {
    let outside = peer::Disk::new(&proof::pattern(1 << 20)).unwrap();
    for (device, rules) in [
        ("nvme,serial=a,drive=d0", "nvme"),
        ("virtio-blk-pci,drive=d0", "virtio_blk on virtio_pci"),
    ] {
        let config = Config::q35().args(outside.drive("d0"));
        let machine = Machine::start(config.args(["-device", device])).unwrap();
        let found = pci::scan(&machine).unwrap();
        let function = found.iter().find(|f| f.class >> 16 == 1).unwrap();
        let written = proof::written(&machine, &mut pci_device(function), "block", rules);
        let has = |name| written.residual.entries.iter().any(|e| e.name == name);
        assert!(has("irq") && !has("message"), "{rules}");
        assert!(written.facts.iter().all(|(name, _)| name != MESSAGES));
    }
}
