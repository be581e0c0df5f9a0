//! What every rule of a class is tried with on a device model, and what stands outside is compared with.

use crate::{rulebook, write_driver};
use abi::ring::{done, todo};
use classes::selftest::{Effort, Outcome};
use classes::{Class, Facts};
use emit::{emit, Target};
use machine::Device;
use qtest::run::{Blob, Device as Running, Driver};
use qtest::{peer, Machine};
use std::time::Duration;
use synthesis::Written;

/// The emitted code of a driver, on its device model.
pub fn running(machine: &Machine, written: &Written) -> Running {
    let code = emit(&written.residual, Target::X86_64).unwrap();
    Running::attach(
        machine,
        Blob::new(&written.residual, &code.bytes, &code.entries),
    )
    .unwrap()
}

/// What the class of a driver is told.
pub fn facts(written: &Written) -> Facts {
    Facts::from_pairs(written.facts.iter().map(|(n, v)| (n.as_str(), *v)))
}

/// Matched, learned and specialised for this device; `rules` is what has to be chosen, the function first.
pub fn written(machine: &Machine, device: &mut Device, class: &str, rules: &str) -> Written {
    let book = rulebook();
    let (choice, written) = write_driver(&book, machine, device, class, &[]);
    assert_eq!(choice.title(&book), rules);
    written
}

/// Bytes in which each place of each block differs from its neighbours.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|k| (k * 7 + k / 512 * 13) as u8).collect()
}

/// A disk of 1 MiB that holds [`pattern`]: reads, writes, a flush, a refusal, and more requests than there is room for.
pub fn block(machine: &Machine, written: &Written, disk: &peer::Disk) {
    let mut device = running(machine, written);
    let mut driver = device.pump(Class::Block, facts(written)).unwrap();
    assert_eq!(
        driver.selftest(Effort::Thorough).unwrap(),
        Outcome::Verified
    );
    let bytes = pattern(1 << 20);
    for lba in [0u64, 1, 7, 2047] {
        let answer = driver.ask(todo::BLOCK_READ, 4096, 512, lba).unwrap();
        assert_eq!(answer.ok, 1);
        let mut got = vec![0; 512];
        driver.pool().read(4096, &mut got);
        assert!(got == bytes[lba as usize * 512..][..512], "block {lba}");
    }
    let news: Vec<u8> = (0..1024).map(|k| (k * 3 + 1) as u8).collect();
    driver.pool().write(0, &news);
    assert_eq!(driver.ask(todo::BLOCK_WRITE, 0, 1024, 9).unwrap().ok, 1);
    assert_eq!(driver.ask(todo::BLOCK_FLUSH, 0, 0, 0).unwrap().ok, 1);
    let mut wanted = bytes;
    wanted[9 * 512..11 * 512].copy_from_slice(&news);
    assert!(
        disk.bytes().unwrap() == wanted,
        "the disk holds what was written, and nothing else changed"
    );
    assert_eq!(driver.ask(todo::BLOCK_READ, 0, 512, 1 << 40).unwrap().ok, 0);
    let tickets: Vec<u32> = (0..60)
        .map(|k| {
            driver
                .put(todo::BLOCK_READ, (k % 32) * 512, 512, k.into())
                .unwrap()
        })
        .collect();
    for ticket in tickets {
        assert_eq!(driver.wait(|e| e.ticket == ticket).unwrap().ok, 1);
    }
}

/// Frames of every size both ways, compared byte for byte with the peer outside.
pub fn nic(machine: &Machine, written: &Written, cable: &peer::Cable) {
    let facts = facts(written);
    assert_eq!(facts.station(), Some([0x52, 0x54, 0, 0x12, 0x34, 0x56]));
    let mut device = running(machine, written);
    let mut driver = device.pump(Class::Nic, facts).unwrap();
    driver.start().unwrap();
    sends(&mut driver, cable);
    receives(&mut driver, cable);
}

fn sends(driver: &mut Driver, cable: &peer::Cable) {
    let head = driver.pump().facts().headroom as u32;
    for k in 0..40u32 {
        let frame = pattern(60 + (k as usize * 37) % 1400);
        let at = 0x10000 + (k % 8) * 2048 + head;
        driver.pool().write(at.into(), &frame);
        let answer = driver
            .ask(todo::NIC_TRANSMIT, at, frame.len() as u32, 0)
            .unwrap();
        assert_eq!(answer.ok, 1, "frame {k}");
        let got = cable.receive(Duration::from_secs(5)).unwrap().unwrap();
        assert!(got == frame, "frame {k}");
    }
}

fn receives(driver: &mut Driver, cable: &peer::Cable) {
    let head = driver.pump().facts().headroom as u32;
    for k in 0..16u32 {
        driver
            .put(todo::NIC_SUPPLY, 0x20000 + k * 2048 + head, 2048 - head, 0)
            .unwrap();
    }
    driver.turn(false).unwrap();
    for k in 0..200usize {
        let mut frame = vec![0xff; 6];
        frame.extend(pattern(60 - 6 + (k * 131) % 1400));
        cable.send(&frame).unwrap();
        let got = driver.wait(|e| e.kind == done::RECEIVED).unwrap();
        assert_eq!(got.length as usize, frame.len(), "frame {k}");
        let mut bytes = vec![0; frame.len()];
        driver.pool().read(got.offset.into(), &mut bytes);
        assert!(bytes == frame, "frame {k}");
        driver
            .put(todo::NIC_SUPPLY, got.offset, 2048 - head, 0)
            .unwrap();
        driver.turn(false).unwrap();
    }
}

/// Bytes of a buffer that is supplied below, and how far apart they lie.
const APART: u32 = 4096;

/// Frames around every length that a card may know about, up to the longest that the cable carries. Whatever becomes of a
/// frame that is too long, the device stores nothing outside of the buffers that it was lent, outside of the pool, or
/// behind its arena (`Device::unharmed`, asked when the device is dropped), and ordinary frames arrive afterwards.
pub fn no_frame_is_too_long(machine: &Machine, written: &Written, cable: &peer::Cable) {
    const LENGTHS: [usize; 22] = [
        14, 59, 60, 61, 1513, 1514, 1515, 1517, 1518, 1519, 1522, 1523, 2047, 2048, 2049, 4000,
        4096, 9000, 16384, 32768, 40000, 65000,
    ];
    let facts = facts(written);
    let (head, buffer) = (facts.headroom as u32, facts.buffer as u32);
    let mut device = running(machine, written);
    let mut driver = device.pump(Class::Nic, facts).unwrap();
    let size = driver.pool().size();
    for length in LENGTHS {
        driver.start().unwrap();
        driver.news();
        driver.pool().write(0, &vec![0xa5; size]);
        let places: Vec<u32> = (0..8).map(|k| 0x10000 + k * APART + head).collect();
        for at in &places {
            driver.put(todo::NIC_SUPPLY, *at, buffer, 0).unwrap();
        }
        let _ = driver.turn(false);
        let mut frame = vec![0xff; 6];
        frame.extend(pattern(length - 6));
        for _ in 0..3 {
            cable.send(&frame).unwrap();
            for _ in 0..5 {
                // The driver may fail over it, and recover.
                let _ = driver.turn(true);
                machine.pause(20_000);
            }
        }
        for entry in driver.news() {
            // Of a frame longer than its ring a model of a card makes something else; that stays where frames may be.
            if entry.kind == done::RECEIVED && length <= 1514 {
                let mut bytes = vec![0; (entry.length as usize).min(length)];
                driver.pool().read(entry.offset.into(), &mut bytes);
                assert!(bytes == frame[..bytes.len()], "a frame of {length} bytes");
            }
        }
        let mut pool = vec![0; size];
        driver.pool().read(0, &mut pool);
        for at in places {
            pool[(at - head) as usize..(at + buffer) as usize].fill(0xa5);
        }
        let touched = pool.iter().position(|byte| *byte != 0xa5);
        assert_eq!(touched, None, "a frame of {length} bytes left its buffer");
    }
    driver.start().unwrap();
    driver.news();
    receives(&mut driver, cable);
    drop(driver);
    device.unharmed().unwrap();
}

/// The self-test as at boot, and with a full queue. The machine's card is on the emulator's own network, which answers.
pub fn nic_answers(machine: &Machine, written: &Written) {
    let mut device = running(machine, written);
    let mut driver = device.pump(Class::Nic, facts(written)).unwrap();
    for effort in [Effort::Quick, Effort::Thorough] {
        assert_eq!(driver.selftest(effort).unwrap(), Outcome::Verified);
    }
}

/// Accesses with repeated polling reads collapsed to one: address (windows may overlap), whether it writes.
fn collapsed(written: &Written, trace: &[qtest::Touch]) -> Vec<(u64, bool)> {
    let base = |t: &qtest::Touch| written.residual.windows[usize::from(t.window)].base;
    let mut list: Vec<(u64, bool, u64)> = trace
        .iter()
        .map(|t| (base(t) + t.at, t.write, t.value))
        .collect();
    list.dedup_by(|a, b| a == b && !a.1);
    // Addresses of arena and pool differ between two runs: values are not compared.
    list.into_iter().map(|t| (t.0, t.1)).collect()
}

/// A start by the interpreter and by emitted code does the same to the device. `start` makes the machine anew.
pub fn same_trace(kind: Class, start: impl Fn() -> (Machine, Written)) {
    let (machine, first) = start();
    let mut live = qtest::Live::new(&machine, &first.residual).unwrap();
    // As the pump starts a driver: a device that uses memory is made quiet first.
    let entries = &first.residual.entries;
    let at = |name: &str| entries.iter().position(|e| e.name == name);
    let init = at("init").expect("it is started by `init`");
    for entry in at("quiet").into_iter().chain([init]) {
        let outcome = graph::interpret::run(&first.residual, entry, &[], &mut live);
        assert_eq!((outcome.status, outcome.fault), (abi::status::OK, None));
    }
    live.check().unwrap();
    let interpreted = collapsed(&first, &live.trace());
    // One emulator at a time may have the disk.
    drop((live, machine));

    let (machine, again) = start();
    assert_eq!(
        again.residual, first.residual,
        "the same device gives the same graph"
    );
    let mut device = running(&machine, &again);
    let mut driver = device.pump(kind, facts(&again)).unwrap();
    driver.start().unwrap();
    assert_eq!(collapsed(&again, &driver.trace()), interpreted);
    assert!(driver.trace().len() > 4);
}
