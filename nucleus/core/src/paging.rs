//! Four levels of tables of 512 entries, 4 KiB pages: the shape both architectures share.

use crate::extent::Budget;
use abi::{layout::PAGE, system::Error};

/// Physical memory as words.
pub trait Words {
    fn load(&self, physical: u64) -> u64;
    fn store(&self, physical: u64, word: u64);
    /// A zeroed page for a table.
    fn table(&self) -> Result<u64, Error>;
}

/// What a user page allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    pub write: bool,
    pub execute: bool,
    pub device: bool,
}

/// How an architecture writes entries. 0 is "nothing there".
pub trait Entries {
    const ADDRESS: u64 = 0x0000_ffff_ffff_f000;
    fn table(physical: u64) -> u64;
    fn page(physical: u64, access: Access) -> u64;
    fn access(entry: u64) -> Access;
}

#[inline]
fn slot(table: u64, address: u64, level: u32) -> u64 {
    table + ((address >> (12 + 9 * level)) & 511) * 8
}

/// Physical address of the entry for a page, if there are tables down to it.
fn find<E: Entries>(words: &impl Words, root: u64, address: u64) -> Option<u64> {
    let mut table = root;
    for level in [3, 2, 1] {
        table = match words.load(slot(table, address, level)) {
            0 => return None,
            entry => entry & E::ADDRESS,
        };
    }
    Some(slot(table, address, 0))
}

/// As [`find`], making tables.
fn make<E: Entries>(words: &impl Words, root: u64, address: u64) -> Result<u64, Error> {
    let mut table = root;
    for level in [3, 2, 1] {
        let at = slot(table, address, level);
        table = match words.load(at) {
            0 => {
                let new = words.table()?;
                words.store(at, E::table(new));
                new
            }
            entry => entry & E::ADDRESS,
        };
    }
    Ok(slot(table, address, 0))
}

/// Page and what it allows at `address`.
pub fn lookup<E: Entries>(words: &impl Words, root: u64, address: u64) -> Option<(u64, Access)> {
    match words.load(find::<E>(words, root, address)?) {
        0 => None,
        entry => Some(((entry & E::ADDRESS) | (address % PAGE), E::access(entry))),
    }
}

/// Maps one page; `Exists` if one is there.
pub fn map<E: Entries>(
    words: &impl Words,
    root: u64,
    address: u64,
    page: u64,
    access: Access,
) -> Result<(), Error> {
    let at = make::<E>(words, root, address)?;
    if words.load(at) != 0 {
        return Err(Error::Exists);
    }
    words.store(at, E::page(page, access));
    Ok(())
}

/// Removes the page at `address`; its physical address.
pub fn unmap<E: Entries>(words: &impl Words, root: u64, address: u64) -> Option<u64> {
    let at = find::<E>(words, root, address)?;
    match words.load(at) {
        0 => None,
        entry => {
            words.store(at, 0);
            Some(entry & E::ADDRESS)
        }
    }
}

/// Removes those pages from `from` on, below `to`, that `wanted` wants (by physical address), and says each to `then` (virtual and
/// physical address). How far it came before the budget was spent; `to` if all is done.
pub fn unmap_those<E: Entries>(
    words: &impl Words,
    root: u64,
    (from, to): (u64, u64),
    budget: &mut Budget,
    wanted: impl Fn(u64) -> bool,
    mut then: impl FnMut(u64, u64),
) -> u64 {
    let mut at = from;
    'tables: while at < to {
        if budget.is_spent() {
            return at;
        }
        budget.spend(4);
        let mut table = root;
        for level in [3, 2, 1] {
            table = match words.load(slot(table, at, level)) {
                0 => {
                    let reach = PAGE << (9 * level);
                    at = (at / reach + 1) * reach;
                    continue 'tables;
                }
                entry => entry & E::ADDRESS,
            };
        }
        let end = (at / (512 * PAGE) + 1) * 512 * PAGE;
        while at < end.min(to) {
            if budget.is_spent() {
                return at;
            }
            budget.spend(1);
            let place = slot(table, at, 0);
            let entry = words.load(place);
            if entry != 0 && wanted(entry & E::ADDRESS) {
                words.store(place, 0);
                then(at, entry & E::ADDRESS);
                budget.spend(Budget::PAGE);
            }
            at += PAGE;
        }
    }
    to
}

/// Physical address of each page mapped in the user's half (the lower 256 entries of the root).
pub fn each<E: Entries>(words: &impl Words, root: u64, mut then: impl FnMut(u64)) {
    let entries = |table: u64, count: u64| (0..count).map(move |n| words.load(table + 8 * n));
    let present = |entry: &u64| *entry != 0;
    for third in entries(root, 256).filter(present) {
        for second in entries(third & E::ADDRESS, 512).filter(present) {
            for first in entries(second & E::ADDRESS, 512).filter(present) {
                for page in entries(first & E::ADDRESS, 512).filter(present) {
                    then(page & E::ADDRESS)
                }
            }
        }
    }
}
