//! Page tables with four levels of 512 entries, as both architectures have them. The entries themselves are in
//! `arch::entry`.

use crate::arch::entry;
use abi::layout::PAGE;

pub const LARGE: u64 = 2 << 20;

/// What a mapping allows. Everything is readable, by the kernel only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Access {
    pub write: bool,
    pub execute: bool,
    /// Uncached, in order.
    pub device: bool,
    /// In the kernel's half, the same in every address space.
    pub global: bool,
}

/// A tree of tables. Tables come from `table`, a source of zeroed pages in identity-mapped RAM.
pub struct Tables {
    pub root: u64,
    table: fn() -> u64,
    /// Bytes of tables that this builder made.
    pub bytes: u64,
}

impl Tables {
    pub fn new(table: fn() -> u64) -> Tables {
        Tables {
            root: table(),
            table,
            bytes: PAGE,
        }
    }

    /// Continues with tables made before.
    pub fn adopt(root: u64, table: fn() -> u64) -> Tables {
        Tables {
            root,
            table,
            bytes: 0,
        }
    }

    /// Maps `size` bytes at `physical` to `virt`, all whole pages; what was mapped there is replaced.
    pub fn map(&mut self, virt: u64, physical: u64, size: u64, access: Access) {
        let mut done = 0;
        while done < size {
            let (v, p) = (virt.wrapping_add(done), physical + done);
            let large = size - done >= LARGE && v.is_multiple_of(LARGE) && p.is_multiple_of(LARGE);
            let level = if large { 1 } else { 0 };
            let slot = self.slot(v, level);
            // SAFETY: `slot` gives an entry inside a table of this tree.
            unsafe { slot.write_volatile(entry::leaf(p, access, large)) };
            done += if large { LARGE } else { PAGE };
        }
    }

    /// The entry for `virt` at `level` (3 the root's, 0 a page's); tables on the way are made or split as needed.
    fn slot(&mut self, virt: u64, level: u32) -> *mut u64 {
        let mut table = self.root;
        let mut at = 3;
        loop {
            let index = virt >> (12 + 9 * at) & 511;
            let slot = (table as *mut u64).wrapping_add(index as usize);
            if at == level {
                return slot;
            }
            // SAFETY: tables are zeroed pages of RAM from `table`, identity-mapped, and only this builder writes them;
            // `index` is below 512.
            let old = unsafe { slot.read_volatile() };
            if !entry::present(old) || !entry::is_table(old) {
                let new = (self.table)();
                self.bytes += PAGE;
                if entry::present(old) {
                    split(old, new, at);
                }
                // SAFETY: as above.
                unsafe { slot.write_volatile(entry::table(new)) };
                table = new;
            } else {
                table = entry::address(old);
            }
            at -= 1;
        }
    }
}

/// Fills the table `new` with 512 parts of the block `old` that stood at `level`.
fn split(old: u64, new: u64, level: u32) {
    for n in 0..512u64 {
        let part = entry::part(old, n << (12 + 9 * (level - 1)), level - 1 == 0);
        // SAFETY: `new` is a fresh page of RAM that nothing else uses yet.
        unsafe {
            (new as *mut u64)
                .wrapping_add(n as usize)
                .write_volatile(part)
        };
    }
}

fn own_table() -> u64 {
    crate::memory::scratch(PAGE, PAGE)
}

/// Makes device registers reachable for genesis, at their physical address and uncached.
pub fn device(base: u64, size: u64) {
    identity(
        base,
        size,
        Access {
            write: true,
            execute: false,
            device: true,
            global: false,
        },
    );
}

/// Makes RAM reachable for genesis, at its physical address.
pub fn memory(base: u64, size: u64) {
    identity(
        base,
        size,
        Access {
            write: true,
            execute: true,
            device: false,
            global: false,
        },
    );
}

/// Maps every page that the range touches to itself, in genesis's own tables.
fn identity(base: u64, size: u64, access: Access) {
    let from = base / PAGE * PAGE;
    let to = base
        .saturating_add(size)
        .checked_next_multiple_of(PAGE)
        .unwrap_or(from);
    let mut tables = Tables::adopt(crate::arch::own_root(), own_table);
    tables.map(from, from, to.saturating_sub(from), access);
    crate::arch::forget_translations();
}
