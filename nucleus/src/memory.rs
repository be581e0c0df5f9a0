//! Physical memory: who has it at the start, and the way to it through the direct map.

use crate::{account, arch, STATE};
use abi::{
    boot::{BootInfo, Range},
    layout::{self, PAGE},
};
use core::cell::Cell;
use nucleus_core::{paging::Words, ranges, task::Task};

/// Where the direct map shows a physical address.
pub fn direct(physical: u64) -> u64 {
    layout::DIRECT_MAP + physical
}

/// Physical memory as page tables are read and written. Tables are taken from a task's pool, if there is one.
pub struct Direct<'a>(pub Option<&'a Task>);

impl Words for Direct<'_> {
    #[inline]
    fn load(&self, physical: u64) -> u64 {
        // SAFETY: page tables lie in RAM, which the direct map shows; only the nucleus writes there.
        unsafe { (direct(physical) as *const u64).read_volatile() }
    }

    #[inline]
    fn store(&self, physical: u64, word: u64) {
        // SAFETY: as above; the word is an entry of a table of this nucleus.
        unsafe { (direct(physical) as *mut u64).write_volatile(word) }
    }

    fn table(&self) -> Result<u64, abi::system::Error> {
        let page = self.0.ok_or(abi::system::Error::NoRoom)?.pool.page(self)?;
        // SAFETY: the pool gave this page of its memory, which only the nucleus may touch, for a table alone.
        unsafe {
            zero(Range {
                base: page,
                size: PAGE,
            });
        }
        Ok(page)
    }
}

/// Zeroes physical memory that the nucleus owns.
///
/// # Safety
/// The range is RAM, which the direct map shows, and no Rust value that is still used lies in it.
pub unsafe fn zero(range: Range) {
    // SAFETY: the caller's promise.
    unsafe { core::ptr::write_bytes(direct(range.base) as *mut u8, 0, range.size as usize) }
}

/// Copies into physical memory that the nucleus owns.
///
/// # Safety
/// At `base` are as many bytes of RAM as `bytes` has, in which no Rust value lies; `bytes` lies elsewhere.
pub unsafe fn fill(base: u64, bytes: &[u8]) {
    // SAFETY: the caller's promise.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), direct(base) as *mut u8, bytes.len()) }
}

/// Bytes of a module.
///
/// # Safety
/// Genesis laid a module out there, as the boot information says. (Nobody writes to it: rights to modules are read-only.)
pub unsafe fn module(base: u64, size: u64) -> &'static [u8] {
    // SAFETY: the caller's promise: initialised RAM that is not written.
    unsafe { core::slice::from_raw_parts(direct(base) as *const u8, size as usize) }
}

/// What is left for the first task: `region` for what the nucleus makes it of, `free` for itself.
#[derive(Clone, Copy)]
pub struct Ram {
    pub region: Range,
    pub free: Range,
}

/// Makes the table of frames, forgets the identity map, and finds the largest range of free RAM.
/// `region`: bytes for what the nucleus makes the first task of.
pub fn start(boot: &BootInfo, region: u64) -> Ram {
    let ticks = arch::ticks();
    let ram = &boot.ram[..(boot.ram_count as usize).min(boot.ram.len())];
    let keep = &boot.keep[..(boot.keep_count as usize).min(boot.keep.len())];
    let modules = &boot.modules[..(boot.module_count as usize).min(boot.modules.len())];
    let module = |n: usize| modules[n - keep.len()];
    let taken = |n: usize| match keep.get(n) {
        Some(range) => *range,
        None => Range {
            base: module(n).base,
            size: module(n).size.next_multiple_of(PAGE),
        },
    };
    let (largest, all_free) = ranges::free(ram, taken, keep.len() + modules.len());

    let counts = ram
        .iter()
        .map(|range| (range.size / PAGE * 2).next_multiple_of(64))
        .sum::<u64>();
    let counts = counts.next_multiple_of(PAGE);
    assert!(
        largest.size > counts + region + PAGE,
        "not enough memory: {:#x} bytes are free",
        largest.size
    );
    let end = largest.base + largest.size;
    let mut at = end - counts;
    for range in ram {
        let pages = (range.size / PAGE) as usize;
        // SAFETY: this part of the largest free range is taken for the counts here and for nothing else, for good;
        // any bits are a count, and all are set at once.
        let cells = unsafe { core::slice::from_raw_parts(direct(at) as *const Cell<u16>, pages) };
        STATE.frames.add(range.base, cells);
        at += (range.size / PAGE * 2).next_multiple_of(64);
    }
    let free = Range {
        base: largest.base,
        size: largest.size - counts - region,
    };
    let region = Range {
        base: free.base + free.size,
        size: region,
    };
    STATE.frames.release(free.base, free.size);
    STATE.frames.release(region.base, region.size);
    for module in modules {
        STATE
            .frames
            .release(module.base, module.size.next_multiple_of(PAGE));
    }
    arch::forget_identity(boot.page_root);
    let given = account::Given {
        frame_table: counts,
        first_task: region.size,
        free: free.size,
        small: all_free - largest.size,
    };
    account::memory(boot, given, ticks);
    Ram { region, free }
}

/// What genesis used is zero from here on: nothing of the generator stays.
pub fn overwrite_genesis(boot: &BootInfo) {
    for range in boot.genesis.iter().take(boot.genesis_count as usize) {
        // SAFETY: whole pages of RAM that genesis alone used, and genesis is gone: the boot information says so, and the
        // nucleus's own places are none of them.
        unsafe { arch::zero(direct(range.base), range.size) };
    }
}
