//! A device leaves memory alone when its driver has ended, on every device model that uses memory of its own accord: after
//! the self-test, and when a driver was killed in the middle of its work. Arena and pool then get a pattern; whatever the
//! world outside does to the device, nothing of it changes, and a new driver works.

use abi::ring::todo;
use classes::selftest::{Effort, Outcome};
use classes::{Class, Units};
use proof::models::{self, Model};
use proof::stand::{Outside, Stand, Written};
use proof::ways::{self, Way};
use qtest::run::{Device, Driver};
use rulebook::tree::Book;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn models() -> Vec<Model> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models.toml");
    let mut list = models::read(&std::fs::read_to_string(path).unwrap()).unwrap();
    list.retain(|model| model.elsewhere.is_none());
    list
}

fn pump<'d>(device: &'d mut Device, written: &Written, class: Class) -> Result<Driver<'d>> {
    let units = Units::from_pairs(written.facts.iter().map(|(n, v)| (n.as_str(), *v)));
    Ok(device.pump(class, units)?)
}

/// As much as a client may ask for at once, of which the device still has some when its driver is gone.
fn ask(driver: &mut Driver, class: Class) -> Result<()> {
    let head = driver.pump().facts().headroom as u32;
    for k in 0..16 {
        let at = k * 4096;
        match class {
            Class::Nic => driver.put(todo::NIC_SUPPLY, at + head, 2048 - head, 0)?,
            Class::Block => driver.put(todo::BLOCK_READ, at, 4096, u64::from(k) * 8)?,
            Class::Entropy => driver.put(todo::ENTROPY_FILL, at, 4096, 0)?,
            Class::Serial => driver.put(todo::SERIAL_SEND, at, 64, 0)?,
            _ => return Ok(()),
        };
    }
    driver.turn(false)?;
    Ok(())
}

/// What the world outside does meanwhile: frames of many lengths, bytes on the line, time.
fn traffic(stand: &Stand) -> Result<()> {
    for round in 0..4 {
        for length in [60, 64, 600, 1514, 2000, 9000] {
            if let Some(cable) = stand.cable() {
                let mut frame = vec![0xff; 6];
                frame.extend((6..length).map(|k| (k + round) as u8 | 1));
                cable.send(&frame)?;
            }
        }
        if let Some(line) = stand.line() {
            line.send(&[b'x'; 40])?;
        }
        std::thread::sleep(Duration::from_millis(5));
        stand.machine.pause(3_000_000);
        stand.machine.sync()?;
    }
    Ok(())
}

/// Whether nothing that the device could see has changed under traffic.
fn untouched(stand: &Stand, device: &Device, when: &str) -> Result<()> {
    device.overwrite();
    let before = device.memory_seen_by_device();
    traffic(stand)?;
    let after = device.memory_seen_by_device();
    match before.iter().zip(&after).position(|(a, b)| a != b) {
        Some(at) => Err(format!("{when} its device wrote to memory: byte {at}").into()),
        None => Ok(()),
    }
}

fn quiet(book: &Book, model: &Model) -> Result<()> {
    let class = Class::of_name(&model.class).ok_or("a direct class")?;
    let outside = Outside::new(model)?;
    let mut stand = Stand::watched(model, &outside)?;
    let written = stand.write(book, &model.class)?;
    let mut device = ways::device(&stand, &written.residual, Way::Code)?;

    let outcome = pump(&mut device, &written, class)?.proved(Effort::Quick)?;
    if !matches!(outcome, Outcome::Verified) {
        return Err(format!("{outcome:?}").into());
    }
    untouched(&stand, &device, "after the self-test")?;

    let mut driver = pump(&mut device, &written, class)?;
    driver.start()?;
    ask(&mut driver, class)?;
    // Killed: nobody calls that driver any more. What comes next knows nothing of its state.
    drop(driver);
    traffic(&stand)?;
    pump(&mut device, &written, class)?.quiet()?;
    untouched(&stand, &device, "after a kill")?;

    // Killed once more, with a driver on its memory that is started at once.
    let mut driver = pump(&mut device, &written, class)?;
    driver.start()?;
    ask(&mut driver, class)?;
    drop(driver);
    let outcome = pump(&mut device, &written, class)?.selftest(Effort::Quick)?;
    if !matches!(outcome, Outcome::Verified) {
        return Err(format!("after two kills: {outcome:?}").into());
    }
    device.unharmed()?;
    let said = stand.complaints(&written.residual, &device.events())?;
    let known = |line: &&String| !stand.expected.iter().any(|part| line.contains(part));
    match said.iter().find(known) {
        Some(line) => Err(format!("the emulator complains: {line}").into()),
        None => Ok(()),
    }
}

#[test]
fn devices_leave_memory_alone_when_their_drivers_end() {
    let book = device_tests::rulebook();
    let (mut wrong, mut tried) = (Vec::new(), Vec::new());
    for model in models() {
        if reaches_memory(&book, &model) {
            tried.push(model.rules.clone());
            if let Err(error) = quiet(&book, &model) {
                wrong.push(format!("{}: {error}", model.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for rules in [
        "e1000",
        "rtl8139",
        "ahci",
        "ide",
        "nvme",
        "virtio_console on virtio_pci",
    ] {
        assert!(tried.iter().any(|r| r == rules), "{rules} was not tried");
    }
}

/// Whether the driver has a `quiet`: every driver that tells its device where memory is has one, by the specialiser.
fn reaches_memory(book: &Book, model: &Model) -> bool {
    let outside = Outside::new(model).unwrap();
    let mut stand = Stand::start(model, &outside).unwrap();
    let written = stand.write(book, &model.class).unwrap();
    written.residual.entries.iter().any(|e| e.name == "quiet")
}

/// The test above sees something: a device whose driver is killed and that nobody makes quiet stores what comes.
#[test]
fn a_device_that_is_not_made_quiet_goes_on() {
    let book = device_tests::rulebook();
    let mut still = Vec::new();
    for model in models() {
        if ![
            "e1000",
            "rtl8139-memory",
            "virtio-net-pci",
            "virtio-console",
        ]
        .contains(&&*model.name)
        {
            continue;
        }
        let class = Class::of_name(&model.class).unwrap();
        let outside = Outside::new(&model).unwrap();
        let mut stand = Stand::watched(&model, &outside).unwrap();
        let written = stand.write(&book, &model.class).unwrap();
        let mut device = ways::device(&stand, &written.residual, Way::Code).unwrap();
        let mut driver = pump(&mut device, &written, class).unwrap();
        driver.start().unwrap();
        ask(&mut driver, class).unwrap();
        drop(driver);
        let before = device.memory_seen_by_device();
        traffic(&stand).unwrap();
        if device.memory_seen_by_device() == before {
            still.push(model.name);
        }
    }
    assert!(still.is_empty(), "these wrote nothing: {still:?}");
}
