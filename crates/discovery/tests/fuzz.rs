//! Fuzz targets on stable Rust: firmware's tables with a few bytes changed, in ways that parsers trip over, again and
//! again. Every one must end in a model, within bounds of time, reads and notes, and must write nothing.
//!
//! `FUZZ_ROUNDS=200000 FUZZ_SEED=7 cargo test --release -p discovery --test fuzz` looks for long; without these, a few
//! rounds are run, the same each time. What was found once lies in `corpus/` and is tried first.

mod fake;

use discovery::{devicetree, discover, Firmware, Request};
use fake::Fake;
use machine::{Arch, Machine};
use noise::Random;
use std::{
    panic::{catch_unwind, AssertUnwindSafe},
    path::Path,
    time::{Duration, Instant},
};

const TABLES: [(&[u8], Arch); 5] = [
    (include_bytes!("fixtures/q35.acpi"), Arch::X86_64),
    (include_bytes!("fixtures/pc.acpi"), Arch::X86_64),
    (include_bytes!("fixtures/microvm.acpi"), Arch::X86_64),
    (include_bytes!("fixtures/virt.acpi"), Arch::Aarch64),
    (include_bytes!("fixtures/numa.acpi"), Arch::Aarch64),
];
const BLOB: &[u8] = include_bytes!("fixtures/virt.dtb");
/// Many times what a discovery takes, even unoptimised on a busy computer.
const LONGEST: Duration = Duration::from_secs(20);
const MOST_READS: u64 = 200_000;

/// Numbers that lengths, counts and offsets should not have.
const ODD: [u64; 14] = [
    0,
    1,
    2,
    3,
    7,
    8,
    0x7f,
    0x80,
    0xff,
    0x100,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    u64::MAX,
];
/// Bytes that mean much in AML: operators, names, package lengths.
const AML: [u8; 40] = [
    0x00, 0x01, 0x06, 0x08, 0x0a, 0x0c, 0x0d, 0x10, 0x11, 0x12, 0x13, 0x14, 0x2e, 0x2f, 0x3f, 0x40,
    0x4f, 0x5b, 0x5c, 0x5e, 0x60, 0x68, 0x70, 0x72, 0x73, 0x80, 0x81, 0x82, 0x83, 0x86, 0x87, 0x88,
    0x8a, 0x92, 0xa0, 0xa1, 0xa2, 0xa4, 0xa5, 0xff,
];

/// One change to some bytes.
fn change(bytes: &mut Vec<u8>, random: &mut Random, from: usize, big: bool) {
    if bytes.len() <= from {
        return;
    }
    let at = from + random.below(bytes.len() - from);
    match random.below(9) {
        0 => bytes[at] = random.word() as u8,
        1 => bytes[at] ^= 1 << random.below(8),
        2 => bytes[at] = random.pick(&AML),
        3 | 4 => {
            let (value, size) = (random.pick(&ODD), random.pick(&[1, 2, 4, 8]));
            let little = value.to_le_bytes();
            for n in 0..size.min(bytes.len() - at) {
                bytes[at + n] = little[if big { size - 1 - n } else { n }];
            }
        }
        // A piece of itself elsewhere: loops, recursion, names used twice.
        5 | 6 => {
            let size = random.below(64).min(bytes.len() - at);
            let piece = bytes[at..at + size].to_vec();
            let to = from + random.below(bytes.len() - from);
            for (n, byte) in piece.into_iter().enumerate() {
                if let Some(slot) = bytes.get_mut(to + n) {
                    *slot = byte;
                }
            }
        }
        7 => {
            let size = random.below(16).min(bytes.len() - at);
            bytes.drain(at..at + size);
        }
        _ => {
            let piece: Vec<u8> = (0..random.below(16)).map(|_| random.pick(&AML)).collect();
            bytes.splice(at..at, piece);
        }
    }
}

/// Makes length and sum of a table's header right again, so that its insides are looked at.
fn mend(table: &mut [u8]) {
    if table.len() >= 36 && &table[..4] != b"RSD " {
        let size = (table.len() as u32).to_le_bytes();
        table[4..8].copy_from_slice(&size);
        table[9] = 0;
        table[9] = table.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
    }
}

fn by_acpi(pieces: &[u8], arch: Arch) -> Machine {
    let (mut fake, root) = Fake::acpi(pieces);
    fake.mapped = Some(match arch {
        Arch::X86_64 => 0xb000_0000,
        Arch::Aarch64 => 0x40_1000_0000,
    });
    let request = Request {
        firmware: Firmware::Acpi(root),
        memory: vec![machine::MemoryRange {
            base: 0x4000_0000,
            size: 512 << 20,
            kind: machine::MemoryKind::Ram,
            source: machine::Source::Firmware(*b"e820"),
            facts: Vec::new(),
        }],
        ..Request::new(arch)
    };
    let machine = discover(&mut fake, request);
    assert!(fake.reads < MOST_READS, "{} reads", fake.reads);
    machine
}

fn by_tree(blob: &[u8]) -> Machine {
    let _ = devicetree::boot(blob);
    let request = Request {
        firmware: Firmware::Devicetree(blob),
        ..Request::new(Arch::Aarch64)
    };
    discover(&mut Fake::default(), request)
}

/// Runs one input; what makes it fail is written to the corpus.
fn run(kind: &str, input: &[u8], run: impl Fn(&[u8]) -> Machine) {
    let start = Instant::now();
    let ended = catch_unwind(AssertUnwindSafe(|| run(input)));
    let took = start.elapsed();
    let why = match ended {
        Err(_) => "it panicked".to_owned(),
        Ok(_) if took > LONGEST => format!("it took {took:?}"),
        Ok(machine) if machine.notes.len() > 65 => format!("{} notes", machine.notes.len()),
        Ok(_) => return,
    };
    let sum = input.iter().fold(0xcbf2_9ce4_8422_2325u64, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    let file = format!(
        "{}/tests/corpus/{sum:016x}.{kind}",
        env!("CARGO_MANIFEST_DIR")
    );
    let kept = std::fs::write(&file, input).is_ok();
    panic!(
        "{why}; the input is {}",
        if kept { &file } else { "not kept" }
    );
}

fn pieces(fake: &Fake) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, piece) in &fake.memory {
        bytes.extend(at.to_le_bytes());
        bytes.extend((piece.len() as u64).to_le_bytes());
        bytes.extend(piece);
    }
    bytes
}

fn ending(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "x86.acpi",
        Arch::Aarch64 => "arm.acpi",
    }
}

#[test]
fn what_was_found_before() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus") {
        let path = entry.expect("a file").path();
        let name = path.to_string_lossy().into_owned();
        let input = std::fs::read(&path).expect("a file");
        count += 1;
        match name.split_once('.').map(|(_, kind)| kind) {
            Some(kind) if kind.ends_with("x86.acpi") => {
                run(kind, &input, |i| by_acpi(i, Arch::X86_64))
            }
            Some(kind) if kind.ends_with("arm.acpi") => {
                run(kind, &input, |i| by_acpi(i, Arch::Aarch64))
            }
            Some("dtb") => run("dtb", &input, by_tree),
            _ => panic!("{name}: what is that?"),
        }
    }
    assert!(count > 0);
}

#[test]
fn tables() {
    let mut random = noise::seeded(3);
    for round in 0..noise::rounds(1500) {
        let (bytes, arch) = TABLES[round as usize % TABLES.len()];
        let (mut fake, _) = Fake::acpi(bytes);
        // A half of the rounds change AML, the others any table.
        let dsdt = fake.memory.iter().position(|(_, b)| b.starts_with(b"DSDT"));
        let other = random.below(fake.memory.len());
        let which = dsdt.filter(|_| random.below(2) == 0).unwrap_or(other);
        let from = if random.below(8) == 0 { 0 } else { 36 };
        let table = &mut fake.memory[which].1;
        for _ in 0..1 + random.below(12) {
            change(table, &mut random, from, false);
        }
        if from == 36 {
            mend(table);
        }
        run(ending(arch), &pieces(&fake), |i| by_acpi(i, arch));
    }
}

#[test]
fn terms() {
    // AML out of nothing but bytes that mean something, inside of a device whose members are asked for.
    let mut random = noise::seeded(3);
    for _ in 0..noise::rounds(1500) {
        let mut body = b"\x08_HID\x0dPNP0A03\0".to_vec();
        for name in [b"_STA", b"_CRS", b"_PRT"] {
            let terms: Vec<u8> = (0..random.below(40))
                .flat_map(|_| match random.below(4) {
                    0 => b"_STA".to_vec(),
                    1 => vec![random.word() as u8],
                    _ => vec![random.pick(&AML)],
                })
                .collect();
            let length = terms.len() + 7;
            body.extend([0x14, 0x40 | (length & 15) as u8, (length >> 4) as u8]);
            body.extend(name);
            body.push(random.below(3) as u8);
            body.extend(terms);
        }
        let length = body.len() + 6;
        let mut code = vec![0x5b, 0x82, 0x40 | (length & 15) as u8, (length >> 4) as u8];
        code.extend(b"HOST");
        code.extend(body);
        let (mut fake, _) = Fake::acpi(TABLES[0].0);
        let table = fake.table(b"DSDT");
        table.truncate(36);
        table.extend(code);
        mend(table);
        run("x86.acpi", &pieces(&fake), |i| by_acpi(i, Arch::X86_64));
    }
}

#[test]
fn devicetrees() {
    let mut random = noise::seeded(3);
    for _ in 0..noise::rounds(1500) {
        let mut blob = BLOB.to_vec();
        let from = if random.below(8) == 0 { 0 } else { 40 };
        for _ in 0..1 + random.below(12) {
            change(&mut blob, &mut random, from, true);
        }
        run("dtb", &blob, by_tree);
    }
}
