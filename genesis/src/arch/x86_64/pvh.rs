//! The PVH door, after the assembly: the start information becomes a [`Handover`] (Xen, `arch-x86/hvm/start_info.h`).

use crate::door::{Firmware, Handover};
use crate::probe;
use abi::boot::Range;
use machine::{MemoryKind, MemoryRange, Source};

const MAGIC: u64 = 0x336e_c578;
/// More entries than any machine has; a broken table ends here.
const MOST: u64 = 128;

extern "C" {
    static image_start: u8;
    static image_end: u8;
}

/// Where this program is.
pub fn image() -> Range {
    let base = &raw const image_start as u64;
    let size = &raw const image_end as u64 - base;
    Range { base, size }
}

fn word(at: u64, bits: u32) -> u64 {
    probe::read(at, bits).unwrap_or(0)
}

/// Called by door.s: physical address of the start information, time stamp at the first instruction.
#[no_mangle]
extern "C" fn door_pvh(info: u64, ticks: u64) -> ! {
    crate::log::start();
    super::set_vectors();
    super::entry::start();
    if word(info, 32) != MAGIC {
        crate::stop!("no start information at {info:#x}");
    }
    let mut door = Handover::new("pvh", ticks);
    let image = image();
    door.take(image.base, image.size);
    let rsdp = word(info + 32, 64);
    door.firmware = Firmware::Acpi { rsdp };
    modules(&mut door, info);
    let line = word(info + 24, 64);
    if line != 0 {
        door.command_line((0..).map_while(|n| probe::read(line + n, 8).ok().map(|b| b as u8)));
    }
    if word(info + 4, 32) == 0 {
        crate::stop!("the start information has no memory map (version 0)");
    }
    let (map, count) = (word(info + 40, 64), word(info + 48, 32));
    let entries = (0..count.min(MOST)).map(|n| {
        let at = map + 24 * n;
        let kind = match word(at + 16, 32) {
            1 => MemoryKind::Ram,
            3 => MemoryKind::AcpiTables,
            4 => MemoryKind::AcpiNvs,
            _ => MemoryKind::Reserved,
        };
        (word(at, 64), word(at + 8, 64), kind)
    });
    // The map lies in memory that is about to be given to the heap, so it is copied first.
    let mut copy = [(0, 0, MemoryKind::Reserved); MOST as usize];
    let mut copied = 0;
    for (to, from) in copy.iter_mut().zip(entries) {
        *to = from;
        copied += 1;
    }
    for (base, size, kind) in &copy[..copied] {
        if *kind == MemoryKind::Ram {
            door.ram(*base, *size);
        }
    }
    // The first page holds what firmware still uses.
    door.take(0, 4096);
    door.start_memory();
    door.map = copy[..copied]
        .iter()
        .map(|(base, size, kind)| MemoryRange {
            base: *base,
            size: *size,
            kind: *kind,
            source: Source::Firmware(*b"e820"),
            facts: alloc::vec::Vec::new(),
        })
        .collect();
    crate::main(door)
}

fn modules(door: &mut Handover, info: u64) {
    let (list, count) = (word(info + 16, 64), word(info + 12, 32));
    for n in 0..count.min(8) {
        let (base, size) = (word(list + 32 * n, 64), word(list + 32 * n + 8, 64));
        if size != 0 {
            door.take(base, size);
            door.module = Some(Range { base, size });
        }
    }
}
