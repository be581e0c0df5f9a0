//! Page tables (DDI 0487, D8.3): 4 KiB granule, user half under TTBR0 with an address space ID for each task.

use crate::memory::direct;
use abi::{boot::memory_type, system::Error};
use core::arch::asm;
use core::cell::Cell;
use nucleus_core::{
    kernel::Kernel,
    paging::{self, Access},
};

const TABLE: u64 = 3;
const USER: u64 = 1 << 6;
const READ_ONLY: u64 = 1 << 7;
const INNER_SHAREABLE: u64 = 3 << 8;
const ACCESSED: u64 = 1 << 10;
const NOT_GLOBAL: u64 = 1 << 11;
const NUCLEUS_NO_EXECUTE: u64 = 1 << 53;
const USER_NO_EXECUTE: u64 = 1 << 54;

pub struct Entries;

impl paging::Entries for Entries {
    /// DDI 0487, D8.3.1: bits 2 to 11 of a table descriptor are ignored.
    const COUNT: u32 = 2;

    fn table(physical: u64) -> u64 {
        physical | TABLE
    }

    fn page(physical: u64, access: Access) -> u64 {
        let flag = |yes, flag| if yes { flag } else { 0 };
        let memory = if access.device {
            memory_type::DEVICE
        } else {
            memory_type::NORMAL
        };
        let always = TABLE | USER | INNER_SHAREABLE | ACCESSED | NOT_GLOBAL | NUCLEUS_NO_EXECUTE;
        physical
            | always
            | memory << 2
            | flag(!access.write, READ_ONLY)
            | flag(!access.execute, USER_NO_EXECUTE)
    }

    fn access(entry: u64) -> Access {
        Access {
            write: entry & READ_ONLY == 0,
            execute: entry & USER_NO_EXECUTE == 0,
            device: entry >> 2 & 7 == memory_type::DEVICE,
        }
    }
}

/// Address space IDs in use. 8 bits are what every CPU has; 0 is nobody's.
// SAFETY: private to this module, whose functions run in the nucleus alone.
static IDENTIFIERS: Kernel<[Cell<u64>; 4]> =
    unsafe { Kernel::new([Cell::new(1), Cell::new(0), Cell::new(0), Cell::new(0)]) };

/// An empty table: nothing is mapped in the user's half.
#[repr(C, align(4096))]
struct Empty([u64; 512]);
static EMPTY: Empty = Empty([0; 512]);

fn load(space: u64) {
    // SAFETY: TTBR0 maps the user's half only, which the nucleus does not touch.
    unsafe { asm!("msr ttbr0_el1, {}", "isb", in(reg) space, options(nostack)) };
}

fn physical(address: u64) -> u64 {
    let result: u64;
    // SAFETY: an address translation has no effect but on PAR_EL1.
    unsafe {
        asm!("at s1e1r, {}", "isb", "mrs {}, par_el1", in(reg) address, out(reg) result, options(nostack))
    };
    result & 0x0000_ffff_ffff_f000
}

/// The user's half is empty from here on, and nothing of what it was is remembered.
pub fn forget_identity(_root: u64) {
    load(physical(&raw const EMPTY as u64));
    // SAFETY: forgets cached entries.
    unsafe {
        asm!(
            "dsb ish",
            "tlbi vmalle1",
            "dsb ish",
            "isb",
            options(nostack)
        )
    };
}

/// The nucleus's half has a root of its own.
pub fn share_kernel_half(_root: u64) {}

/// What TTBR0 is loaded with: the root and a free identifier.
pub fn space(root: u64) -> Result<u64, Error> {
    for (n, word) in IDENTIFIERS.iter().enumerate() {
        let free = word.get().trailing_ones();
        if free < 64 {
            word.set(word.get() | 1 << free);
            return Ok(root | (64 * n as u64 + u64::from(free)) << 48);
        }
    }
    Err(Error::NoRoom)
}

/// New entries are seen by the CPU's table walks.
pub fn tables_written() {
    // SAFETY: barriers have no other effect.
    unsafe { asm!("dsb ishst", "isb", options(nostack)) };
}

/// An entry that may be cached is gone.
pub fn forget_page(space: u64, address: u64) {
    let what = space & 0xffff << 48 | (address >> 12 & 0xfff_ffff_ffff);
    // SAFETY: forgets one cached entry.
    unsafe { asm!("dsb ishst", "tlbi vae1, {}", "dsb ish", "isb", in(reg) what, options(nostack)) };
}

/// The space's tables are about to be used for something else, and its identifier for another.
pub fn forget_space(space: u64) {
    let identifier = space >> 48;
    let loaded: u64;
    // SAFETY: reads a register and forgets cached entries.
    unsafe {
        asm!("mrs {}, ttbr0_el1", out(reg) loaded, options(nomem, nostack));
        if loaded == space {
            load(physical(&raw const EMPTY as u64));
        }
        asm!("dsb ishst", "tlbi aside1, {}", "dsb ish", "isb", in(reg) identifier << 48, options(nostack));
    }
    if let Some(word) = IDENTIFIERS.get((identifier / 64) as usize) {
        word.set(word.get() & !(1 << (identifier % 64)));
    }
}

/// Code that was written as data reaches the instruction caches (DDI 0487, B2.4.4).
pub fn publish(address: u64, size: u64) {
    debug_assert!(address >= direct(0));
    let types: u64;
    // SAFETY: reading CTR_EL0 has no effect. DminLine is the log2 of words in the smallest data cache line.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) types, options(nomem, nostack)) };
    for line in (address..address + size).step_by(4 << (types >> 16 & 15)) {
        // SAFETY: cleans a cache line of mapped RAM.
        unsafe { asm!("dc cvau, {}", in(reg) line, options(nostack)) };
    }
    // SAFETY: forgets cached instructions.
    unsafe { asm!("dsb ish", "ic iallu", "dsb ish", "isb", options(nostack)) };
}
