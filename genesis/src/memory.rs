//! Who uses which RAM: genesis's own heap grows up from the bottom of the largest free range, what the nucleus keeps
//! grows down from its top, so that what is left afterwards is one range.

use crate::{probe, single::Single};
use abi::boot::{Range, RANGES};
use abi::layout::PAGE;
use alloc::vec::Vec;

/// A sorted list of at most [`RANGES`] ranges.
#[derive(Clone, Copy)]
pub struct Ranges {
    list: [Range; RANGES],
    count: usize,
}

impl Ranges {
    pub const EMPTY: Ranges = Ranges {
        list: [Range { base: 0, size: 0 }; RANGES],
        count: 0,
    };

    pub fn all(&self) -> &[Range] {
        &self.list[..self.count]
    }

    /// False when there is no room.
    pub fn add(&mut self, base: u64, size: u64) -> bool {
        if size == 0 {
            return true;
        }
        if self.count == RANGES || base.checked_add(size).is_none() {
            return false;
        }
        let at = self
            .all()
            .iter()
            .position(|r| r.base > base)
            .unwrap_or(self.count);
        self.list.copy_within(at..self.count, at + 1);
        self.list[at] = Range { base, size };
        self.count += 1;
        true
    }

    /// Joins neighbours and overlaps.
    pub fn join(&mut self) {
        let mut joined = Ranges::EMPTY;
        for range in self.all() {
            match joined.list[..joined.count].last_mut() {
                Some(last) if range.base <= last.base + last.size => {
                    last.size = last.size.max(range.base + range.size - last.base);
                }
                _ => {
                    joined.list[joined.count] = *range;
                    joined.count += 1;
                }
            }
        }
        *self = joined;
    }

    /// What is in `self` and in no range of `other`, in whole pages. Pieces beyond the room for ranges are left out.
    pub fn without(&self, other: &Ranges) -> Ranges {
        let mut rest = Ranges::EMPTY;
        for range in self.all() {
            let mut at = range.base;
            let end = range.base + range.size;
            for hole in other.all() {
                if hole.base >= end || hole.base + hole.size <= at {
                    continue;
                }
                rest.add_pages(at, hole.base.max(at));
                at = hole.base + hole.size;
            }
            rest.add_pages(at.min(end), end);
        }
        rest
    }

    fn add_pages(&mut self, from: u64, to: u64) {
        let from = from.next_multiple_of(PAGE);
        let to = to / PAGE * PAGE;
        if from < to {
            self.add(from, to - from);
        }
    }
}

/// The heap may grow so far while the machine is looked at.
const GROWS: u64 = 16 << 20;

pub struct Memory {
    /// All RAM.
    pub ram: Ranges,
    /// Parts of it that were taken when genesis started: its image, modules, tables.
    taken: Ranges,
    /// The largest free range when genesis started; the heap's end and the lowest kept byte in it.
    bottom: u64,
    low: u64,
    high: u64,
    pub keep: Ranges,
    pub modules: Ranges,
    /// Physical address of the journal's page, if there is room for one.
    journal: Option<u64>,
}

static MEMORY: Single<Memory> = Single::new(Memory {
    ram: Ranges::EMPTY,
    taken: Ranges::EMPTY,
    bottom: 0,
    low: 0,
    high: 0,
    keep: Ranges::EMPTY,
    modules: Ranges::EMPTY,
    journal: None,
});

/// A page that is the same after a warm reset: firmware leaves it alone, and no image is loaded there. The nucleus keeps it,
/// so that it outlasts this boot, too.
fn journal(free: &Ranges) -> Option<u64> {
    let at = match crate::arch::JOURNAL {
        Some(at) => at,
        None => {
            let largest = free.all().iter().max_by_key(|r| r.size)?;
            largest.base + largest.size - PAGE
        }
    };
    let holds = |r: &Range| r.base <= at && at + PAGE <= r.base + r.size;
    free.all().iter().any(holds).then_some(at)
}

/// The journal's page.
pub fn journal_page() -> Option<u64> {
    MEMORY.with(|memory| memory.journal)
}

/// RAM is looked for in pieces of this size.
const PIECE: u64 = 1 << 20;
/// The door's own tables make memory of at least the GiB that the image is in.
const AROUND: u64 = 1 << 30;

/// The RAM around this code, found by storing and reading back: blind mode's heap. (Nothing is in a journal yet: the
/// journal needs memory. What is tried first lies directly above memory that works.)
pub fn stood_on(taken: &Ranges) -> Ranges {
    let here = stood_on as *const () as u64;
    let within = |r: &&Range| here >= r.base && here - r.base < r.size;
    let mut found = Ranges::EMPTY;
    let Some(image) = taken.all().iter().find(within) else {
        return found;
    };
    let end = image.base + image.size;
    let limit = (here / AROUND + 1) * AROUND;
    let mut at = end.next_multiple_of(PIECE);
    while at < limit && (holds_taken(taken, at) || holds(at + PIECE)) {
        at += PIECE;
    }
    found.add(
        image.base / PAGE * PAGE,
        at.min(limit) - image.base / PAGE * PAGE,
    );
    // The journal's page, if it has a place of its own, which is told by the architecture and not by firmware.
    if let Some(page) = crate::arch::JOURNAL.filter(|page| holds(page + PAGE)) {
        found.add(page, PAGE);
    }
    found
}

/// Memory that a loader filled works.
fn holds_taken(taken: &Ranges, at: u64) -> bool {
    let within = |r: &Range| at >= r.base && at - r.base < r.size;
    taken.all().iter().any(within)
}

/// Whether the last word before `end` holds what is stored. What was there is put back.
fn holds(end: u64) -> bool {
    let at = end - 8;
    let Ok(old) = probe::read(at, 64) else {
        return false;
    };
    if old == u64::MAX || probe::read(at, 64) != Ok(old) {
        return false;
    }
    let mut held = true;
    for pattern in [0x3c6d_1e95_a7f0_482b, !0x3c6d_1e95_a7f0_482b] {
        // SAFETY: above the image and in nothing that the door took, so no Rust value lives there.
        held &= unsafe { probe::write(at, 64, pattern) }.is_ok();
        // SAFETY: it is mapped: reading it raised no exception above.
        unsafe { crate::arch::past_caches(at) };
        held &= probe::read(at, 64) == Ok(pattern);
    }
    // SAFETY: as above.
    held && unsafe { probe::write(at, 64, old) }.is_ok()
}

/// RAM that discovery found, in blind mode: the nucleus gets all of it.
pub fn found(ram: impl Iterator<Item = (u64, u64)>) {
    MEMORY.with(|memory| {
        for (base, size) in ram {
            let from = base.next_multiple_of(PAGE);
            let to = base.saturating_add(size) / PAGE * PAGE;
            if from < to && !memory.ram.add(from, to - from) {
                break;
            }
        }
        memory.ram.join();
    });
}

/// Takes over the RAM. `taken` is what must not be touched yet. Only what the door's own tables reach is used; the
/// nucleus gets all of it.
pub fn start(ram: Ranges, taken: Ranges) {
    let mut reach = Ranges::EMPTY;
    for range in ram.all() {
        let end = (range.base + range.size).min(crate::arch::REACH);
        if range.base < end {
            reach.add(range.base, end - range.base);
        }
    }
    let mut taken = taken;
    let journal = journal(&reach.without(&taken));
    if let Some(at) = journal {
        taken.add(at, PAGE);
        taken.join();
    }
    let free = reach.without(&taken);
    let Some(largest) = free.all().iter().max_by_key(|r| r.size) else {
        crate::stop!("the firmware names no free memory");
    };
    MEMORY.with(|memory| {
        memory.ram = ram;
        memory.journal = journal;
        if let Some(at) = journal {
            memory.keep.add(at, PAGE);
        }
        memory.taken = taken;
        memory.bottom = largest.base;
        memory.low = largest.base;
        memory.high = largest.base + largest.size;
    });
}

/// `size` bytes above the heap, for genesis's own use; page aligned, contents unknown.
pub fn grow(size: u64) -> Option<u64> {
    MEMORY.with(|memory| {
        let size = size.checked_next_multiple_of(PAGE)?;
        let end = memory.low.checked_add(size)?;
        if end > memory.high {
            return None;
        }
        let base = memory.low;
        memory.low = end;
        Some(base)
    })
}

/// Memory that genesis uses beside the heap (arenas, pools): physical address, aligned to `align` (a power of two),
/// zeroed.
pub fn scratch(size: u64, align: u64) -> u64 {
    let align = align.max(PAGE);
    let base = MEMORY.with(|memory| {
        let base = memory.low.checked_next_multiple_of(align)?;
        let end = base.checked_add(size)?.checked_next_multiple_of(PAGE)?;
        if end > memory.high {
            return None;
        }
        memory.low = end;
        Some(base)
    });
    let Some(base) = base else {
        crate::stop!("out of memory: {size} bytes for a device");
    };
    // SAFETY: the range was free RAM above the heap, is identity-mapped, and belongs to the caller alone from now on.
    unsafe { core::ptr::write_bytes(base as *mut u8, 0, size as usize) };
    base
}

/// Pages that outlive genesis, aligned to `align`: as part of the nucleus, or as a module. Zeroed. Stops the machine
/// when there are none, since nothing can go on without.
pub fn keep(size: u64, align: u64, module: bool) -> u64 {
    let base = MEMORY.with(|memory| {
        let size = size.checked_next_multiple_of(PAGE)?;
        let base = memory.high.checked_sub(size)? / align.max(PAGE) * align.max(PAGE);
        if base < memory.low {
            return None;
        }
        memory.high = base;
        let list = if module {
            &mut memory.modules
        } else {
            &mut memory.keep
        };
        list.add(base, size);
        list.join();
        Some(base)
    });
    let Some(base) = base else {
        crate::stop!("out of memory: {size} bytes to keep");
    };
    // SAFETY: the range was free RAM below everything kept so far, is identity-mapped, and belongs to the caller alone.
    unsafe { core::ptr::write_bytes(base as *mut u8, 0, size.next_multiple_of(PAGE) as usize) };
    base
}

/// What genesis used of RAM: its image, what it was given, its heap.
pub fn used() -> Ranges {
    MEMORY.with(|memory| {
        let mut used = memory.taken;
        used.add(memory.bottom, memory.low - memory.bottom);
        used.join();
        // What the door took need not be RAM that is known: in blind mode the first pages are not.
        memory.ram.without(&memory.ram.without(&used))
    })
}

/// Whether genesis stands on this byte, or has put there what it keeps.
pub fn uses(at: u64) -> bool {
    MEMORY.with(|memory| {
        let within = |r: &Range| at >= r.base && at - r.base < r.size;
        (memory.bottom..memory.low).contains(&at)
            || memory.taken.all().iter().any(within)
            || memory.keep.all().iter().any(within)
            || memory.modules.all().iter().any(within)
    })
}

/// What must stay as it is while the machine is looked at: what is used, and where the heap grows next.
pub fn in_use() -> Vec<(u64, u64)> {
    MEMORY.with(|memory| {
        let lists = [&memory.taken, &memory.keep, &memory.modules];
        let ranges = lists.into_iter().flat_map(|list| list.all());
        let heap = memory.low - memory.bottom + GROWS;
        core::iter::once((memory.bottom, heap.min(memory.high - memory.bottom)))
            .chain(ranges.map(|r| (r.base, r.size)))
            .collect()
    })
}

pub fn with<R>(f: impl FnOnce(&Memory) -> R) -> R {
    MEMORY.with(|memory| f(memory))
}
