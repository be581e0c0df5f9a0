//! Disk controllers with several disks, on the emulator's models of them, through emitted machine code.

use abi::ring::todo;
use classes::selftest::{Effort, Outcome};
use classes::{Class, Units};
use device_tests::*;
use emit::{emit, Target};
use qtest::run::{Blob, Device as Running, Driver};
use qtest::{pci, peer, Config, Machine};
use synthesis::Written;

fn pattern(len: usize, seed: usize) -> Vec<u8> {
    (0..len)
        .map(|k| (k * (7 + seed) + k / 512 * 13 + seed) as u8)
        .collect()
}

/// The driver of the first function of this PCI class.
fn controller(machine: &Machine, class: u32) -> Written {
    let book = rulebook();
    let found = pci::scan(machine).unwrap();
    let function = found.iter().find(|f| f.class == class).unwrap();
    function.bus_master(true).unwrap();
    let mut device = pci_device(function);
    let (_, written) = write_driver(&book, machine, &mut device, "block", &[]);
    written
}

fn attach(machine: &Machine, written: &Written, code: &emit::Code) -> Running {
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

fn units(written: &Written) -> Units {
    Units::from_pairs(written.facts.iter().map(|(n, v)| (n.as_str(), *v)))
}

/// Reads and writes each disk at both ends and across what a controller cuts, and compares with the file outside.
fn carries(driver: &mut Driver, unit: u64, disk: &peer::Disk, before: &[u8], size: u32) {
    let sectors = (before.len() / size as usize) as u64;
    let mut wanted = before.to_vec();
    for (lba, blocks, at) in [
        (0u64, 1u32, 4096u32),
        (sectors - 1, 1, 512 * 3),
        (3, 8, 100 * 512),
        (8, 128 * 512 / size, 4096 - 512),
    ] {
        let bytes = (blocks * size) as usize;
        let answer = driver
            .ask_of(unit, todo::BLOCK_READ, at, bytes as u32, lba)
            .unwrap();
        assert_eq!(answer.ok, 1, "unit {unit} reads {blocks} at {lba}");
        let mut got = vec![0; bytes];
        driver.pool().read(at.into(), &mut got);
        let from = lba as usize * size as usize;
        assert!(got == wanted[from..][..bytes], "unit {unit} at {lba}");

        let news = pattern(bytes, 40 + unit as usize);
        driver.pool().write(at.into(), &news);
        let answer = driver
            .ask_of(unit, todo::BLOCK_WRITE, at, bytes as u32, lba)
            .unwrap();
        assert_eq!(answer.ok, 1, "unit {unit} writes {blocks} at {lba}");
        wanted[from..][..bytes].copy_from_slice(&news);
    }
    let answer = driver.ask_of(unit, todo::BLOCK_FLUSH, 0, 0, 0).unwrap();
    assert_eq!(answer.ok, 1, "unit {unit} flushes");
    assert!(
        disk.bytes().unwrap() == wanted,
        "unit {unit}: what was written is there, and nothing else changed"
    );
    // An error, and the disk works afterwards.
    let past = driver
        .ask_of(unit, todo::BLOCK_READ, 0, size, sectors)
        .unwrap();
    assert_eq!(past.ok, 0, "unit {unit} reads past its end");
    let again = driver.ask_of(unit, todo::BLOCK_READ, 0, size, 0).unwrap();
    assert_eq!(again.ok, 1, "unit {unit} after an error");
}

/// All units at once, more requests than there is room for: each is answered once.
fn crowd(driver: &mut Driver, count: u64, blocks: u32) {
    let tickets: Vec<u32> = (0..90)
        .map(|k| {
            driver
                .put_to(
                    k % count,
                    todo::BLOCK_READ,
                    (k as u32 % 12) * 4096,
                    blocks * 512,
                    k,
                )
                .unwrap()
        })
        .collect();
    for ticket in tickets {
        assert_eq!(driver.wait(|e| e.ticket == ticket).unwrap().ok, 1);
    }
}

/// A disk outside, what it begins with, and the bytes of a block as the rule should find them.
struct Medium {
    disk: peer::Disk,
    before: Vec<u8>,
    block: u32,
}

impl Medium {
    fn new(bytes: usize, seed: usize, block: u32) -> Medium {
        let before = pattern(bytes, seed);
        let disk = peer::Disk::new(&before).unwrap();
        Medium {
            disk,
            before,
            block,
        }
    }
}

/// The driver finds these, in this order, and each carries what is read and written; `blocks` a request when many wait.
fn serves(machine: &Machine, written: &Written, media: &[Medium], blocks: u32) {
    let units = units(written);
    let found: Vec<u64> = (0..units.count() as u64)
        .map(|u| units.get(u).unwrap().sectors)
        .collect();
    let wanted: Vec<u64> = (media.iter())
        .map(|m| m.before.len() as u64 / u64::from(m.block))
        .collect();
    assert_eq!(found, wanted);
    let code = emit(&written.residual, Target::X86_64).unwrap();
    let mut device = attach(machine, written, &code);
    let mut driver = device.pump(Class::Block, units).unwrap();
    assert_eq!(
        driver.selftest(Effort::Thorough).unwrap(),
        Outcome::Verified
    );
    crowd(&mut driver, media.len() as u64, blocks);
    for (unit, medium) in media.iter().enumerate() {
        let Medium {
            disk,
            before,
            block,
        } = medium;
        carries(&mut driver, unit as u64, disk, before, *block);
    }
}

#[test]
fn nvme_serves_its_namespaces() {
    let media = [Medium::new(1 << 20, 1, 512), Medium::new(1 << 19, 2, 4096)];
    let machine = Machine::start(
        Config::q35()
            .args(media[0].disk.drive("d0"))
            .args(media[1].disk.drive("d1"))
            .args(["-device", "nvme,id=n0,serial=a"])
            .args(["-device", "nvme-ns,drive=d0,bus=n0,nsid=1"])
            .args([
                "-device",
                "nvme-ns,drive=d1,bus=n0,nsid=3,logical_block_size=4096,physical_block_size=4096",
            ]),
    )
    .unwrap();
    let written = controller(&machine, 0x010802);
    serves(&machine, &written, &media, 8);
}

#[test]
fn ahci_serves_its_ports() {
    let media = [Medium::new(1 << 20, 1, 512), Medium::new(1 << 19, 2, 512)];
    let machine = Machine::start(
        Config::q35()
            .args(media[0].disk.drive("d0"))
            .args(media[1].disk.drive("d1"))
            .args(["-device", "ahci,id=h0"])
            .args(["-device", "ide-hd,drive=d0,bus=h0.1"])
            .args(["-device", "ide-hd,drive=d1,bus=h0.4"]),
    )
    .unwrap();
    let written = controller_with_disks(&machine);
    serves(&machine, &written, &media, 8);
}

/// The machine has a controller of its own, without disks: ours is the other.
fn controller_with_disks(machine: &Machine) -> Written {
    let book = rulebook();
    let found = pci::scan(machine).unwrap();
    let function = found
        .iter()
        .find(|f| f.class == 0x010601 && f.slot != 31)
        .unwrap();
    function.bus_master(true).unwrap();
    let mut device = pci_device(function);
    write_driver(&book, machine, &mut device, "block", &[]).1
}

/// A disk that answers one request a second of the machine's time, and less when it is told to wait.
fn slow(disk: &peer::Disk, id: &str) -> Vec<String> {
    let mut arguments = disk.drive(id);
    if let Some(last) = arguments.last_mut() {
        last.push_str(",throttling.bps-total=512");
    }
    arguments
}

/// Requests that rest come back failed, once the device was reset. (The emulator's AHCI cannot be used for this: it waits
/// for the request that it is told to drop, on a clock that stands still.)
fn rests(machine: &Machine, written: &Written) {
    let code = emit(&written.residual, Target::X86_64).unwrap();
    assert!(written.residual.entries.iter().any(|e| e.name == "watch"));
    let mut device = attach(machine, written, &code);
    let mut driver = device.pump(Class::Block, units(written)).unwrap();
    driver.start().unwrap();
    // 64 KiB at 512 bytes a second: the first goes through at once, what follows waits for two minutes.
    let first = driver.ask(todo::BLOCK_READ, 0, 65536, 0).unwrap();
    assert_eq!(first.ok, 1);
    let stuck = driver.put(todo::BLOCK_READ, 0, 512, 0).unwrap();
    let before = driver.pump().counters().resets;
    driver.turn(true).unwrap();
    for _ in 0..8 {
        machine.pause(1_000_000_000);
        driver.turn(true).unwrap();
    }
    assert!(
        driver.news().is_empty(),
        "eight seconds are no reason to give up"
    );
    assert!(driver.pump().deadline().is_some(), "it wants to be woken");
    for _ in 0..4 {
        machine.pause(1_000_000_000);
        driver.turn(true).unwrap();
    }
    let answers = driver.news();
    assert_eq!(answers.len(), 1);
    assert_eq!((answers[0].ticket, answers[0].ok), (stuck, 0));
    assert_eq!(driver.pump().counters().resets, before + 1);
    assert_eq!(driver.pump().deadline(), None, "nothing is outstanding");
}

#[test]
fn a_namespace_that_rests_is_reset() {
    let a = peer::Disk::new(&pattern(1 << 20, 1)).unwrap();
    let machine = Machine::start(
        Config::q35()
            .args(slow(&a, "d0"))
            .args(["-device", "nvme,serial=a,drive=d0"]),
    )
    .unwrap();
    let written = controller(&machine, 0x010802);
    rests(&machine, &written);
}

/// Three drives on two channels of an old PC; `ports`: without the bus master, so that the processor moves the data.
fn drives(master: bool) {
    let media: Vec<Medium> = (1..4).map(|k| Medium::new(1 << 20, k, 512)).collect();
    let mut config = Config::q35().machine("pc,pit=off");
    for (medium, (bus, unit)) in media.iter().zip([(0, 0), (0, 1), (1, 1)]) {
        let id = format!("d{bus}{unit}");
        let device = format!("ide-hd,drive={id},bus=ide.{bus},unit={unit}");
        let drive = medium.disk.drive(&id);
        config = config.args(drive).args(["-device", &device]);
    }
    let machine = Machine::start(config).unwrap();
    let found = pci::scan(&machine).unwrap();
    let function = found.iter().find(|f| f.class >> 8 == 0x0101).unwrap();
    function.bus_master(true).unwrap();
    let mut device = pci_device(function);
    device.windows.retain(|w| master || w.index != 4);
    let (_, written) = write_driver(&rulebook(), &machine, &mut device, "block", &[]);
    serves(&machine, &written, &media, if master { 8 } else { 1 });
}

#[test]
fn ide_drives_by_bus_master() {
    drives(true);
}

#[test]
fn ide_drives_by_processor() {
    drives(false);
}

#[test]
fn interpreter_and_code_touch_the_controllers_alike() {
    let disk = peer::Disk::new(&pattern(1 << 20, 1)).unwrap();
    let start = |more: [&str; 4]| {
        let config = Config::q35().args(disk.drive("d0")).args(more);
        Machine::start(config).unwrap()
    };
    proof::same_trace(Class::Block, || {
        let machine = start([
            "-device",
            "nvme,serial=a,drive=d0",
            "-global",
            "nvme.mdts=5",
        ]);
        let written = controller(&machine, 0x010802);
        (machine, written)
    });
    proof::same_trace(Class::Block, || {
        let machine = start([
            "-device",
            "ahci,id=h0",
            "-device",
            "ide-hd,drive=d0,bus=h0.1",
        ]);
        let written = controller_with_disks(&machine);
        (machine, written)
    });
}
