//! What firmware hands to a kernel, read out of the machine's memory.

use anyhow::{bail, ensure, Result};
use graph::Width;
use machine::{MemoryKind, MemoryRange, Source};

/// Most entries of a memory map that are believed.
const MOST: u64 = 128;
/// Largest devicetree that is believed, bytes.
const LARGEST: u32 = 2 << 20;

pub struct Pc {
    pub rsdp: Option<u64>,
    pub memory: Vec<MemoryRange>,
}

/// From the PVH start information (Xen, `arch-x86/hvm/start_info.h`), and the firmware's memory.
pub fn over_by_pvh(emulator: &qtest::Machine, at: u64) -> Result<Pc> {
    let word = |at: u64, width: Width| emulator.read(at, width);
    ensure!(
        word(at, Width::B32)? == 0x336e_c578,
        "the firmware left no start information at {at:#x}"
    );
    let (map, count) = (word(at + 40, Width::B64)?, word(at + 48, Width::B32)?);
    let mut memory = Vec::new();
    for number in 0..count.min(MOST) {
        let entry = map + 24 * number;
        let kind = match word(entry + 16, Width::B32)? {
            1 => MemoryKind::Ram,
            3 => MemoryKind::AcpiTables,
            4 => MemoryKind::AcpiNvs,
            _ => MemoryKind::Reserved,
        };
        memory.push(range(
            word(entry, Width::B64)?,
            word(entry + 8, Width::B64)?,
            kind,
            *b"e820",
        ));
    }
    let handed = word(at + 32, Width::B64)?;
    let rsdp = match root_pointer(emulator)? {
        Some(found) => Some(found),
        None => (handed != 0).then_some(handed),
    };
    Ok(Pc { rsdp, memory })
}

fn range(base: u64, size: u64, kind: MemoryKind, table: [u8; 4]) -> MemoryRange {
    MemoryRange {
        base,
        size,
        kind,
        source: Source::Firmware(table),
        facts: Vec::new(),
    }
}

/// ACPI's root pointer (ACPI 6.5, 5.2.5.1): in the first KiB of the extended BIOS data area, or between 0xe0000 and
/// 0xfffff, on a multiple of 16, with a right checksum.
fn root_pointer(emulator: &qtest::Machine) -> Result<Option<u64>> {
    // The BIOS data area says where its extension is, as a segment.
    let extended = emulator.read(0x40e, Width::B16)? << 4;
    for (base, size) in [(extended, 0x400), (0xe_0000, 0x2_0000)] {
        if base == 0 {
            continue;
        }
        let mut area = vec![0; size];
        emulator.copy(base, &mut area)?;
        let found = (0..size).step_by(16).find(|at| {
            let start = area.get(*at..*at + 20).unwrap_or_default();
            let sum = start.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
            start.starts_with(b"RSD PTR ") && sum == 0
        });
        if let Some(at) = found {
            return Ok(Some(base + at as u64));
        }
    }
    Ok(None)
}

/// The devicetree blob at an address.
pub fn devicetree(emulator: &qtest::Machine, at: u64) -> Result<Vec<u8>> {
    let mut header = [0; 8];
    emulator.copy(at, &mut header)?;
    let [a, b, c, d, s0, s1, s2, s3] = header;
    let size = u32::from_be_bytes([s0, s1, s2, s3]);
    if [a, b, c, d] != [0xd0, 0x0d, 0xfe, 0xed] || size > LARGEST {
        bail!("there is no devicetree at {at:#x}");
    }
    let mut blob = vec![0; size as usize];
    emulator.copy(at, &mut blob)?;
    Ok(blob)
}

/// The memory map that a devicetree tells.
pub fn memory_of(blob: &[u8]) -> Result<Vec<MemoryRange>> {
    let boot = match discovery::devicetree::boot(blob) {
        Ok(boot) => boot,
        Err(why) => bail!("the devicetree is broken: {why}"),
    };
    let of = |ranges: &[(u64, u64)], kind| -> Vec<MemoryRange> {
        let all = ranges.iter();
        all.map(|(base, size)| range(*base, *size, kind, *b"dtb "))
            .collect()
    };
    let mut memory = of(boot.ram(), MemoryKind::Ram);
    memory.extend(of(boot.reserved(), MemoryKind::Reserved));
    memory.sort_by_key(|range| range.base);
    Ok(memory)
}
