//! What a boot entry must know before there is a heap: RAM, reservations, the initial file, the command line.

use super::tree::number;
use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::{Node, Property};

/// Most ranges of each kind; further ones are refused.
pub const MOST: usize = 32;

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

/// Reads memory nodes, reservations, the initial file and the command line without allocating.
///
/// # Errors
/// Says what is wrong.
pub fn boot(blob: &[u8]) -> Result<Boot, &'static str> {
    let fdt = Fdt::new(blob).map_err(|_| "not a valid devicetree blob")?;
    let mut found = Boot {
        ram: ([(0, 0); MOST], 0),
        reserved: ([(0, 0); MOST], 0),
        initrd: None,
        arguments: ([0; LINE], 0),
    };
    for entry in fdt.memory_reservations() {
        push(&mut found.reserved, (entry.address(), entry.size()))?;
    }
    let root = fdt.root();
    let cells = cells(&root);
    for node in root.children() {
        match node.name_without_address() {
            "memory" => regions(&node, cells, &mut found.ram)?,
            "reserved-memory" => {
                for child in node.children() {
                    regions(&child, cells, &mut found.reserved)?;
                }
            }
            "chosen" => {
                found.initrd = initrd(&node);
                if let Some(line) = node.property("bootargs") {
                    found.arguments = copied(line.value());
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

fn initrd(chosen: &FdtNode) -> Option<(u64, u64)> {
    let from = number(chosen.property("linux,initrd-start")?.value());
    let to = number(chosen.property("linux,initrd-end")?.value());
    (to > from).then(|| (from, to - from))
}

fn copied(line: &[u8]) -> ([u8; LINE], usize) {
    let mut copy = [0; LINE];
    let length = line.len().min(LINE);
    copy[..length].copy_from_slice(&line[..length]);
    (copy, length)
}

fn cells(node: &FdtNode) -> (usize, usize) {
    let cells = |name: &str, default| match node.property(name) {
        Some(p) if p.value().len() == 4 && p.value()[..3] == [0; 3] && p.value()[3] <= 4 => {
            p.value()[3] as usize
        }
        _ => default,
    };
    (cells("#address-cells", 2), cells("#size-cells", 1))
}

fn regions(
    node: &FdtNode,
    (address, size): (usize, usize),
    to: &mut ([(u64, u64); MOST], usize),
) -> Result<(), &'static str> {
    let Some(reg) = node.property("reg") else {
        return Ok(());
    };
    if address == 0 || size == 0 {
        return Err("memory without an address or a size");
    }
    for entry in reg.value().chunks_exact(4 * (address + size)) {
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
