//! The arm64 doors, after the assembly: the devicetree (or what a loader tells) becomes a [`Handover`].

use crate::door::{Firmware, Handover};
use crate::probe;
use abi::boot::Range;
use discovery::devicetree::LARGEST;
use machine::{MemoryKind, MemoryRange, Source};

extern "C" {
    static image_start: u8;
    static image_end: u8;
    static early_tables: u8;
}

pub fn start() -> u64 {
    &raw const image_start as u64
}

/// Called by door.s: physical address of the devicetree, or of what a loader tells; counter at the first instruction.
#[no_mangle]
extern "C" fn door_image(dtb: u64, ticks: u64) -> ! {
    crate::log::start();
    let size = &raw const image_end as u64 - start();
    let image = Range {
        base: start(),
        size,
    };
    if crate::loaded::is_told(dtb) {
        crate::loaded::start(dtb, ticks, image, normal)
    }
    let magic = probe::read(dtb, 32).unwrap_or(0) as u32;
    let size = u32::from_be(probe::read(dtb + 4, 32).unwrap_or(0) as u32) as u64;
    if u32::from_be(magic) != 0xd00d_feed || size > LARGEST || !dtb.is_multiple_of(8) {
        crate::stop!("no devicetree of at most {LARGEST} bytes at {dtb:#x}");
    }
    // SAFETY: the door protocol puts the devicetree there, in RAM that `take` keeps from everyone, and the header says its
    // size; it is read only.
    let blob = unsafe { core::slice::from_raw_parts(dtb as *const u8, size as usize) };
    let found = match discovery::devicetree::boot(blob) {
        Ok(found) => found,
        Err(why) => crate::stop!("the devicetree at {dtb:#x} is broken: {why}"),
    };
    let mut door = Handover::new("image", ticks);
    door.take(image.base, image.size);
    door.take(dtb, size);
    door.firmware = Firmware::Devicetree { at: dtb, size };
    for (base, size) in found.reserved() {
        door.take(*base, *size);
    }
    door.command_line(found.arguments().iter().copied());
    if let Some((base, size)) = found.initrd {
        door.take(base, size);
        door.module = Some(Range { base, size });
    }
    for (base, size) in found.ram() {
        door.ram(*base, *size);
        normal(*base, *size);
    }
    super::forget_translations();
    door.start_memory();
    let source = Source::Firmware(*b"dtb ");
    let range = |(base, size): &(u64, u64), kind| MemoryRange {
        base: *base,
        size: *size,
        kind,
        source,
        facts: alloc::vec::Vec::new(),
    };
    door.map = found
        .ram()
        .iter()
        .map(|r| range(r, MemoryKind::Ram))
        .collect();
    door.map.extend(
        found
            .reserved()
            .iter()
            .map(|r| range(r, MemoryKind::Reserved)),
    );
    door.map.sort_by_key(|r| r.base);
    crate::main(door)
}

/// Makes every GiB of genesis's map that this RAM touches normal memory. Devices in the same GiB are mapped as such when
/// they are first used.
fn normal(base: u64, size: u64) {
    let table = (&raw const early_tables as u64 + 4096) as *mut u64;
    let first = base >> 30;
    let last = (base.saturating_add(size - 1) >> 30).min(511);
    for n in first..=last {
        // SAFETY: the early table has 512 entries, `n` is below; block, access flag, inner shareable, memory type 1, as in
        // door.s.
        unsafe { table.add(n as usize).write_volatile(n << 30 | 0x705) };
    }
}
