//! What a boot entry must know before there is a heap: RAM, reservations, the initial file, the command line.

use super::{
    blob::{Blob, Token},
    tree::number,
};

/// Most ranges of each kind; further ones are refused.
pub const MOST: usize = 96;

/// Most bytes of the command line; the rest is left out.
pub const LINE: usize = 512;

/// Physical ranges as (base, bytes).
pub struct Boot {
    ram: ([(u64, u64); MOST], usize),
    reserved: ([(u64, u64); MOST], usize),
    pub initrd: Option<(u64, u64)>,
    arguments: ([u8; LINE], usize),
}

impl Boot {
    pub fn ram(&self) -> &[(u64, u64)] {
        &self.ram.0[..self.ram.1]
    }
    pub fn reserved(&self) -> &[(u64, u64)] {
        &self.reserved.0[..self.reserved.1]
    }
    /// The command line, up to [`LINE`] bytes of it.
    pub fn arguments(&self) -> &[u8] {
        &self.arguments.0[..self.arguments.1]
    }
}

fn push(to: &mut ([(u64, u64); MOST], usize), range: (u64, u64)) -> Result<(), &'static str> {
    let Some(slot) = to.0.get_mut(to.1) else {
        return Err("more memory ranges than anything has");
    };
    *slot = range;
    to.1 += 1;
    Ok(())
}

/// The nodes of which something is wanted.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Root,
    Memory,
    /// What holds reserved memory, and one piece of it.
    Reserved,
    Piece,
    Chosen,
    Other,
}

/// Reads memory nodes, reservations, the initial file and the command line without allocating.
///
/// # Errors
/// Says what is wrong.
pub fn boot(blob: &[u8]) -> Result<Boot, &'static str> {
    let blob = Blob::new(blob)?;
    let mut found = Boot {
        ram: ([(0, 0); MOST], 0),
        reserved: ([(0, 0); MOST], 0),
        initrd: None,
        arguments: ([0; LINE], 0),
    };
    for entry in blob.reservations() {
        push(&mut found.reserved, entry)?;
    }
    let mut initrd = (0, 0);
    let mut depth = 0u32;
    let mut place = Place::Other;
    // Properties stand before the nodes within (5.4.2): cells of the root, then of what holds reserved memory.
    let (mut cells, mut inner) = ((2, 1), (2, 1));
    for token in blob.tokens() {
        match token? {
            Token::Begin(name) => {
                depth += 1;
                place = match (depth, place) {
                    (1, _) => Place::Root,
                    (2, _) => {
                        inner = cells;
                        match name.split('@').next() {
                            Some("memory") => Place::Memory,
                            Some("reserved-memory") => Place::Reserved,
                            Some("chosen") => Place::Chosen,
                            _ => Place::Other,
                        }
                    }
                    (3, Place::Reserved) => Place::Piece,
                    _ => Place::Other,
                };
            }
            Token::End => {
                // The next piece of reserved memory stands beside this one.
                place = match place {
                    Place::Piece => Place::Reserved,
                    _ => Place::Other,
                };
                depth = depth.saturating_sub(1);
            }
            Token::Property(name, value) => match (place, name) {
                (Place::Root, "#address-cells") => cells.0 = count(value, 2),
                (Place::Root, "#size-cells") => cells.1 = count(value, 1),
                (Place::Reserved, "#address-cells") => inner.0 = count(value, 2),
                (Place::Reserved, "#size-cells") => inner.1 = count(value, 1),
                (Place::Memory, "reg") => regions(value, cells, &mut found.ram)?,
                (Place::Piece, "reg") => regions(value, inner, &mut found.reserved)?,
                (Place::Chosen, "linux,initrd-start") => initrd.0 = number(value),
                (Place::Chosen, "linux,initrd-end") => initrd.1 = number(value),
                (Place::Chosen, "bootargs") => found.arguments = copied(value),
                _ => {}
            },
        }
    }
    let (from, to): (u64, u64) = initrd;
    found.initrd = (from != 0 && to > from).then(|| (from, to - from));
    Ok(found)
}

fn copied(line: &[u8]) -> ([u8; LINE], usize) {
    let mut copy = [0; LINE];
    let length = line.len().min(LINE);
    copy[..length].copy_from_slice(&line[..length]);
    (copy, length)
}

fn count(value: &[u8], default: usize) -> usize {
    match *value {
        [0, 0, 0, count] if count <= 4 => count as usize,
        _ => default,
    }
}

fn regions(
    reg: &[u8],
    (address, size): (usize, usize),
    to: &mut ([(u64, u64); MOST], usize),
) -> Result<(), &'static str> {
    if address == 0 || size == 0 {
        return Err("memory without an address or a size");
    }
    for entry in reg.chunks_exact(4 * (address + size)) {
        let (base, bytes) = entry.split_at(4 * address);
        let (base, bytes) = (number(base), number(bytes));
        if base.checked_add(bytes).is_none() {
            return Err("a memory range wraps around");
        }
        if bytes != 0 {
            push(to, (base, bytes))?;
        }
    }
    Ok(())
}
