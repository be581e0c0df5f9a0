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
    /// The lowest of ten bits of an entry that leads to a table which the processor ignores: how many entries that table has.
    const COUNT: u32;
    fn table(physical: u64) -> u64;
    fn page(physical: u64, access: Access) -> u64;
    fn access(entry: u64) -> Access;
}

#[inline]
fn slot(table: u64, address: u64, level: u32) -> u64 {
    table + ((address >> (12 + 9 * level)) & 511) * 8
}

/// The way from the root to the entry of a page: where the entries lie that lead to the tables of levels 2, 1 and 0, as far as
/// there are tables, how many these are, and the last one's place.
struct Path {
    tables: [u64; 3],
    depth: usize,
    table: u64,
}

impl Path {
    /// Where the entry of the page at `address` lies, in the table of level 0.
    #[inline]
    fn page(&self, address: u64) -> u64 {
        slot(self.table, address, 0)
    }
}

/// As far as there are tables.
#[inline]
fn walk<E: Entries>(words: &impl Words, root: u64, address: u64) -> Path {
    let mut path = Path {
        tables: [0; 3],
        depth: 0,
        table: root,
    };
    for level in [3, 2, 1] {
        let at = slot(path.table, address, level);
        let entry = words.load(at);
        if entry == 0 {
            break;
        }
        path.tables[path.depth] = at;
        path.depth += 1;
        path.table = entry & E::ADDRESS;
    }
    path
}

/// The way to a page's entry, if there are tables down to it.
#[inline]
fn find<E: Entries>(words: &impl Words, root: u64, address: u64) -> Option<Path> {
    let path = walk::<E>(words, root, address);
    (path.depth == path.tables.len()).then_some(path)
}

/// Where the entry of a page lies, and the entry that leads to its table; tables are made as they are needed.
#[inline]
fn make<E: Entries>(words: &impl Words, root: u64, address: u64) -> Result<(u64, u64), Error> {
    let (mut table, mut leads) = (root, 0);
    for level in [3, 2, 1] {
        let at = slot(table, address, level);
        table = match words.load(at) {
            0 => {
                let new = words.table()?;
                words.store(at, E::table(new));
                // Nothing leads to the root.
                if table != root {
                    count::<E>(words, leads, 1);
                }
                new
            }
            entry => entry & E::ADDRESS,
        };
        leads = at;
    }
    Ok((slot(table, address, 0), leads))
}

/// A table has one entry more (1) or less (-1): that stands in the entry that leads to it. How many it has.
#[inline]
fn count<E: Entries>(words: &impl Words, at: u64, more: i64) -> u64 {
    let entry = words.load(at).wrapping_add_signed(more << E::COUNT);
    words.store(at, entry);
    entry >> E::COUNT & 1023
}

/// Tables that have no entries any more. Whoever forgets what the processor may have remembered of them may use their pages.
#[must_use]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Freed([u64; 3]);

impl Freed {
    /// Physical addresses.
    #[inline]
    pub fn pages(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().copied().take_while(|page| *page != 0)
    }
}

/// Takes the tables on the way out that have no entries, from the last of these on.
#[inline]
fn prune<E: Entries>(words: &impl Words, tables: &[u64]) -> Freed {
    let mut freed = Freed::default();
    for (n, at) in tables.iter().enumerate().rev() {
        let entry = words.load(*at);
        if entry >> E::COUNT & 1023 != 0 {
            break;
        }
        words.store(*at, 0);
        if let Some(place) = freed.0.iter_mut().find(|place| **place == 0) {
            *place = entry & E::ADDRESS;
        }
        if n > 0 {
            count::<E>(words, tables[n - 1], -1);
        }
    }
    freed
}

/// After a page could not be mapped: takes out what tables were made for it.
pub fn tidy<E: Entries>(words: &impl Words, root: u64, address: u64) -> Freed {
    let path = walk::<E>(words, root, address);
    prune::<E>(words, &path.tables[..path.depth])
}

/// Page and what it allows at `address`.
pub fn lookup<E: Entries>(words: &impl Words, root: u64, address: u64) -> Option<(u64, Access)> {
    match words.load(find::<E>(words, root, address)?.page(address)) {
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
    let (at, leads) = make::<E>(words, root, address)?;
    if words.load(at) != 0 {
        return Err(Error::Exists);
    }
    words.store(at, E::page(page, access));
    count::<E>(words, leads, 1);
    Ok(())
}

/// Changes what may be done with the page at `address`, which is there.
pub fn protect<E: Entries>(words: &impl Words, root: u64, address: u64, access: Access) {
    if let Some(path) = find::<E>(words, root, address) {
        let at = path.page(address);
        words.store(at, E::page(words.load(at) & E::ADDRESS, access));
    }
}

/// Removes the page at `address`; its physical address, and what tables are free now.
#[inline]
pub fn unmap<E: Entries>(words: &impl Words, root: u64, address: u64) -> Option<(u64, Freed)> {
    let path = find::<E>(words, root, address)?;
    let at = path.page(address);
    match words.load(at) {
        0 => None,
        entry => Some((entry & E::ADDRESS, clear::<E>(words, &path, at))),
    }
}

/// The entry at `at` of the last table on the way goes; what tables are free now.
#[inline]
fn clear<E: Entries>(words: &impl Words, path: &Path, at: u64) -> Freed {
    words.store(at, 0);
    match count::<E>(words, path.tables[2], -1) {
        0 => prune::<E>(words, &path.tables),
        _ => Freed::default(),
    }
}

/// Removes those pages from `from` on, below `to`, that `wanted` wants (by physical address), and says each to `then`: its
/// virtual and physical address, and what tables are free now. How far it came before the budget was spent; `to` if all is done.
pub fn unmap_those<E: Entries>(
    words: &impl Words,
    root: u64,
    (from, to): (u64, u64),
    budget: &mut Budget,
    wanted: impl Fn(u64) -> bool,
    mut then: impl FnMut(u64, u64, Freed),
) -> u64 {
    let mut at = from;
    'tables: while at < to {
        if budget.is_spent() {
            return at;
        }
        budget.spend(4);
        let path = walk::<E>(words, root, at);
        if path.depth < path.tables.len() {
            // Nothing is mapped as far as the entry reaches that is not there.
            let reach = PAGE << (9 * (path.tables.len() - path.depth));
            at = (at / reach + 1) * reach;
            continue;
        }
        let end = (at / (512 * PAGE) + 1) * 512 * PAGE;
        while at < end.min(to) {
            if budget.is_spent() {
                return at;
            }
            budget.spend(1);
            let address = at;
            at += PAGE;
            let place = path.page(address);
            let entry = words.load(place);
            if entry == 0 || !wanted(entry & E::ADDRESS) {
                continue;
            }
            budget.spend(Budget::PAGE);
            let freed = clear::<E>(words, &path, place);
            let over = freed != Freed::default();
            then(address, entry & E::ADDRESS, freed);
            if over {
                continue 'tables;
            }
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
