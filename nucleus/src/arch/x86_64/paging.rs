//! Page tables (SDM 3A, 4.5).

use crate::memory::{direct, Direct};
use abi::system::Error;
use core::arch::asm;
use core::cell::Cell;
use nucleus_core::{
    kernel::Kernel,
    paging::{self, Access, Words},
};

const PRESENT: u64 = 1;
const WRITE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
/// Write-through and cache-disable: uncached with the power-on attribute table.
const UNCACHED: u64 = 3 << 3;
const NO_EXECUTE: u64 = 1 << 63;

pub struct Entries;

impl paging::Entries for Entries {
    /// SDM volume 3A, table 4-15 and its neighbours: bits 52 to 62 of an entry that leads to a table are ignored.
    const COUNT: u32 = 52;

    fn table(physical: u64) -> u64 {
        physical | PRESENT | WRITE | USER
    }

    fn page(physical: u64, access: Access) -> u64 {
        let flag = |yes, flag| if yes { flag } else { 0 };
        physical
            | PRESENT
            | USER
            | flag(access.write, WRITE)
            | flag(access.device, UNCACHED)
            | flag(!access.execute, NO_EXECUTE)
    }

    fn access(entry: u64) -> Access {
        Access {
            write: entry & WRITE != 0,
            execute: entry & NO_EXECUTE == 0,
            device: entry & UNCACHED == UNCACHED,
        }
    }
}

/// The root of the tables that genesis made.
// SAFETY: private to this module, whose functions run in the nucleus alone.
static ROOT: Kernel<Cell<u64>> = unsafe { Kernel::new(Cell::new(0)) };

fn loaded() -> u64 {
    let root: u64;
    // SAFETY: reading the register has no effect.
    unsafe { asm!("mov {}, cr3", out(reg) root, options(nomem, nostack)) };
    root
}

fn load(root: u64) {
    // SAFETY: every root's upper half maps the nucleus, its stack and all RAM alike.
    unsafe { asm!("mov cr3, {}", in(reg) root, options(nostack)) };
}

/// The lower half of the tables that genesis made becomes empty: nothing is mapped there any more.
pub fn forget_identity(root: u64) {
    ROOT.set(root);
    for n in 0..256 {
        Direct(None).store(root + 8 * n, 0);
    }
    load(root);
}

/// Every address space has the nucleus's half.
pub fn share_kernel_half(root: u64) {
    let words = Direct(None);
    for n in 256..512 {
        words.store(root + 8 * n, words.load(ROOT.get() + 8 * n));
    }
}

/// What the address space register is loaded with.
pub fn space(root: u64) -> Result<u64, Error> {
    Ok(root)
}

/// New entries need no fence here.
pub fn tables_written() {}

/// An entry that may be cached is gone. Loading another space forgets all of the one before.
pub fn forget_page(space: u64, address: u64) {
    if space == loaded() {
        // SAFETY: forgets one cached entry.
        unsafe { asm!("invlpg [{}]", in(reg) address, options(nostack)) }
    }
}

/// The space's tables are about to be used for something else.
pub fn forget_space(space: u64) {
    if space == loaded() {
        load(ROOT.get());
    }
}

/// Code that was written as data needs nothing here (SDM 3A, 8.1.3: executed after an address space change or jump).
pub fn publish(address: u64, _size: u64) {
    debug_assert!(address >= direct(0));
}
