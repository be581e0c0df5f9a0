//! Small devices: randomness, watchdogs.

use abi::ring::todo;
use classes::selftest::{Effort, Outcome};
use classes::Class;
use device_tests::{fact, pci_device, proof};
use graph::Width;
use machine::{Device, Value};
use qtest::{pci, peer, Config, Machine};
use std::time::{Duration, Instant};
use synthesis::Written;

/// Where configuration space is put into memory, which firmware would do.
const CONFIG: u64 = 0xb000_0000;

/// The function with these numbers, and where its configuration space is memory.
fn function(machine: &Machine, vendor: u16, device: u16) -> Device {
    let found = pci::scan(machine).unwrap();
    let bridge = found.iter().find(|f| f.slot == 0).unwrap();
    bridge.write(0x60, Width::B32, CONFIG | 1).unwrap();
    let function = (found.iter())
        .find(|f| (f.vendor, f.device) == (vendor, device))
        .unwrap();
    function.bus_master(true).unwrap();
    let place = CONFIG + u64::from(function.slot) * 0x8000 + u64::from(function.function) * 0x1000;
    let mut device = pci_device(function);
    device
        .facts
        .push(fact("configuration", Value::Number(place)));
    device
}

fn verified(machine: &Machine, written: &Written, class: Class) {
    let mut device = proof::running(machine, written);
    let mut driver = device.pump(class, proof::facts(written)).unwrap();
    let outcome = driver.selftest(Effort::Thorough).unwrap();
    assert_eq!(outcome, Outcome::Verified);
}

fn watchdog() -> (Machine, Written) {
    let device = ["-device", "i6300esb", "-action", "watchdog=poweroff"];
    let machine = Machine::start(Config::q35().real_time().args(device)).unwrap();
    let mut found = function(&machine, 0x8086, 0x25ab);
    let written = proof::written(&machine, &mut found, "watchdog", "i6300esb");
    (machine, written)
}

#[test]
fn i6300esb_is_started_kicked_and_stopped() {
    let (machine, written) = watchdog();
    verified(&machine, &written, Class::Watchdog);
    proof::same_trace(Class::Watchdog, watchdog);
}

/// Kicked it stays silent, for longer than its time; not kicked it ends the machine.
#[test]
fn i6300esb_bites() {
    let (machine, written) = watchdog();
    let mut device = proof::running(&machine, &written);
    let mut driver = device
        .pump(Class::Watchdog, proof::facts(&written))
        .unwrap();
    driver.start().unwrap();
    let ask =
        |driver: &mut qtest::run::Driver, kind, value| driver.ask(kind, 0, 0, value).unwrap().ok;
    assert_eq!(ask(&mut driver, todo::WATCHDOG_START, 600_000_000), 1);
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(1500) {
        assert_eq!(ask(&mut driver, todo::WATCHDOG_KICK, 0), 1);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(ask(&mut driver, todo::WATCHDOG_STOP, 0), 1);
    std::thread::sleep(Duration::from_millis(1000));
    assert_eq!(ask(&mut driver, todo::WATCHDOG_START, 200_000_000), 1);
    let bitten = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        machine.sync().is_err()
    });
    assert!(bitten, "the machine should have been ended");
}

fn randomness() -> (Machine, Written) {
    let device = ["-device", "virtio-rng-pci,disable-legacy=on"];
    let machine = Machine::start(Config::q35().args(device)).unwrap();
    let mut found = function(&machine, 0x1af4, 0x1044);
    let title = "virtio_rng on virtio_pci";
    let written = proof::written(&machine, &mut found, "entropy", title);
    (machine, written)
}

#[test]
fn virtio_rng_gives_bytes_that_differ() {
    let (machine, written) = randomness();
    verified(&machine, &written, Class::Entropy);
    proof::same_trace(Class::Entropy, randomness);
}

/// What comes from outside arrives byte for byte.
#[test]
fn virtio_rng_gives_what_the_host_has() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let bytes = proof::pattern(4096);
    std::fs::write(file.path(), &bytes).unwrap();
    let source = format!("rng-random,id=r0,filename={}", file.path().display());
    let device = [
        "-object",
        &source,
        "-device",
        "virtio-rng-pci,disable-legacy=on,rng=r0",
    ];
    let machine = Machine::start(Config::q35().args(device)).unwrap();
    let mut found = function(&machine, 0x1af4, 0x1044);
    let title = "virtio_rng on virtio_pci";
    let written = proof::written(&machine, &mut found, "entropy", title);
    let mut device = proof::running(&machine, &written);
    let mut driver = device.pump(Class::Entropy, proof::facts(&written)).unwrap();
    driver.start().unwrap();
    let mut at = 0;
    for _ in 0..10 {
        let answer = driver.ask(todo::ENTROPY_FILL, 0, 100, 0).unwrap();
        assert_eq!(answer.ok, 1);
        let mut part = vec![0; answer.length as usize];
        driver.pool().read(0, &mut part);
        // The emulator throws away what it read beyond a request.
        let found = bytes[at..].windows(part.len()).position(|w| w == part);
        at += found.expect("bytes of the file, in order") + part.len();
    }
}

fn console(line: &peer::Line) -> (Machine, Written) {
    let console = [
        "-device",
        "virtio-serial-pci,disable-legacy=on",
        "-device",
        "virtconsole,chardev=c0",
    ];
    let config = Config::q35().args(line.chardev("c0")).args(console);
    let machine = Machine::start(config).unwrap();
    let mut found = function(&machine, 0x1af4, 0x1043);
    let title = "virtio_console on virtio_pci";
    let written = proof::written(&machine, &mut found, "serial", title);
    (machine, written)
}

#[test]
fn virtio_console_speaks_both_ways() {
    let line = peer::Line::new().unwrap();
    let (machine, written) = console(&line);
    verified(&machine, &written, Class::Serial);
    drop(machine);

    let line = peer::Line::new().unwrap();
    let (machine, written) = console(&line);
    let mut device = proof::running(&machine, &written);
    let mut driver = device.pump(Class::Serial, proof::facts(&written)).unwrap();
    driver.start().unwrap();
    let text = proof::pattern(3000);
    driver.pool().write(0, &text);
    assert_eq!(driver.ask(todo::SERIAL_SEND, 0, 3000, 0).unwrap().ok, 1);
    assert!(line.receive(3000, Duration::from_secs(5)).unwrap() == text);
    line.send(&text).unwrap();
    let got: Vec<u8> = (0..3000)
        .map(|_| {
            driver
                .wait(|e| e.kind == abi::ring::done::RECEIVED)
                .unwrap()
                .value as u8
        })
        .collect();
    assert!(got == text);
}
