//! Interrupt specifiers (2.4), resolved to the numbers that the machine's interrupt controller uses.

use super::{tree::number, Tree, SOURCE};
use alloc::vec::Vec;
use machine::Wire;

/// Specifiers of more cells are not believed.
const MOST_CELLS: usize = 8;
/// A map leads to a map no more often than this; and has no more entries.
const MOST_MAPS: usize = 8;
const MOST_ENTRIES: usize = 4096;

impl<'a> Tree<'a> {
    pub(super) fn by_phandle(&self, phandle: u64) -> Option<usize> {
        let found = self.phandles.iter().find(|(own, _)| *own == phandle);
        found.map(|(_, node)| *node)
    }

    /// The node that a node's interrupts go to: what says so, or the nearest above that takes interrupts.
    fn interrupt_parent(&self, mut node: usize) -> Option<usize> {
        let from = node;
        loop {
            if let Some(phandle) = self.number_of(node, "interrupt-parent") {
                return self.by_phandle(phandle);
            }
            if node != from && self.property(node, "#interrupt-cells").is_some() {
                return Some(node);
            }
            let parent = self.nodes.get(node)?.parent;
            if parent == node {
                return None;
            }
            node = parent;
        }
    }

    pub(super) fn interrupt_cells(&self, controller: usize) -> Option<usize> {
        let cells = self.number_of(controller, "#interrupt-cells")? as usize;
        (1..=MOST_CELLS).contains(&cells).then_some(cells)
    }

    /// The wires of a node, in its own order. Those that end at another controller than the machine's own have numbers of that
    /// one's, and are left out: `others` is told of each.
    pub(super) fn wires(&self, node: usize, mut others: impl FnMut(usize)) -> Vec<Wire> {
        let mut wires = Vec::new();
        for (domain, specifier) in self.specifiers(node) {
            // Most controllers are no nexus: nothing is to be followed.
            let ended = match self.property(domain, "interrupt-map") {
                Some(_) => self.resolve(domain, self.unit(node), specifier),
                None => Some((domain, specifier)),
            };
            let found = ended.as_ref().and_then(|(at, cells)| self.wire(*at, cells));
            match found {
                Some(wire) => wires.push(wire),
                None => others(ended.map_or(domain, |(at, _)| at)),
            }
        }
        wires
    }

    /// A specifier of the machine's own controller, if that is Arm's generic one and nothing stands above it.
    pub(super) fn wire(&self, controller: usize, specifier: &[u64]) -> Option<Wire> {
        let above = self.interrupt_parent(controller);
        let node = self.nodes.get(controller)?;
        let generic = above.is_none_or(|above| above == controller)
            && node.texts("compatible").any(|name| name.contains("gic"));
        wire(specifier).filter(|_| generic)
    }

    /// The cells of a node's own address, as `interrupt-map` compares them.
    fn unit(&self, node: usize) -> Vec<u64> {
        let Some(parent) = self.nodes.get(node).map(|n| n.parent) else {
            return Vec::new();
        };
        let (address, _) = self.cells(parent);
        let reg = self.property(node, "reg").map(cells).unwrap_or_default();
        reg.into_iter().take(address).collect()
    }

    /// Follows a specifier through the maps of nexus nodes (2.4.3) to the controller that it ends at.
    pub(super) fn resolve(
        &self,
        mut at: usize,
        mut unit: Vec<u64>,
        mut specifier: Vec<u64>,
    ) -> Option<(usize, Vec<u64>)> {
        for _ in 0..MOST_MAPS {
            let Some(map) = self.property(at, "interrupt-map").map(cells) else {
                return Some((at, specifier));
            };
            let address = self.address_cells(at);
            unit.resize(address, 0);
            let key: Vec<u64> = unit.iter().chain(&specifier).copied().collect();
            let mask = self.property(at, "interrupt-map-mask").map(cells);
            let mut mask = mask.unwrap_or_default();
            mask.resize(key.len(), u64::MAX);
            let entry = self.entries(&map, key.len()).into_iter().find(|entry| {
                let same =
                    |((own, wanted), mask): ((&u64, &u64), &u64)| own & mask == wanted & mask;
                entry.key.iter().zip(&key).zip(&mask).all(same)
            })?;
            (at, unit, specifier) = (entry.controller, entry.unit, entry.specifier);
        }
        None
    }

    /// Cells of a unit address in a nexus: where the node does not say, the nearest above that does.
    fn address_cells(&self, mut node: usize) -> usize {
        loop {
            if let Some(count) = self.number_of(node, "#address-cells") {
                return count.min(4) as usize;
            }
            match self.nodes.get(node) {
                Some(inner) if node != 0 => node = inner.parent,
                _ => return 2,
            }
        }
    }

    /// The entries of an `interrupt-map` whose keys have so many cells; it ends where one is not understood.
    pub(super) fn entries(&self, map: &[u64], key: usize) -> Vec<Entry> {
        let mut list = Vec::new();
        let mut rest = map;
        while list.len() < MOST_ENTRIES {
            let Some((own, more)) = rest.split_at_checked(key) else {
                break;
            };
            let Some((phandle, more)) = more.split_first() else {
                break;
            };
            let Some(controller) = self.by_phandle(*phandle) else {
                break;
            };
            let unit = self
                .number_of(controller, "#address-cells")
                .unwrap_or(0)
                .min(4) as usize;
            let Some(count) = self.interrupt_cells(controller) else {
                break;
            };
            let Some((unit, more)) = more.split_at_checked(unit) else {
                break;
            };
            let Some((specifier, more)) = more.split_at_checked(count) else {
                break;
            };
            list.push(Entry {
                key: Vec::from(own),
                controller,
                unit: Vec::from(unit),
                specifier: Vec::from(specifier),
            });
            rest = more;
        }
        list
    }

    fn specifiers(&self, node: usize) -> Vec<(usize, Vec<u64>)> {
        let mut list = Vec::new();
        if let Some(extended) = self.property(node, "interrupts-extended") {
            let all = cells(extended);
            let mut rest = &all[..];
            while let Some((phandle, more)) = rest.split_first() {
                // An entry that is left empty.
                if *phandle == 0 {
                    rest = more;
                    continue;
                }
                let Some((controller, count)) = self
                    .by_phandle(*phandle)
                    .and_then(|c| Some((c, self.interrupt_cells(c)?)))
                else {
                    break;
                };
                let Some((specifier, more)) = more.split_at_checked(count) else {
                    break;
                };
                list.push((controller, Vec::from(specifier)));
                rest = more;
            }
            return list;
        }
        let Some(bytes) = self.property(node, "interrupts") else {
            return list;
        };
        let parent = self.interrupt_parent(node);
        if let Some((controller, count)) = parent.and_then(|c| Some((c, self.interrupt_cells(c)?)))
        {
            for specifier in cells(bytes).chunks_exact(count) {
                list.push((controller, Vec::from(specifier)));
            }
        }
        list
    }
}

/// One line of an `interrupt-map`.
pub(super) struct Entry {
    pub key: Vec<u64>,
    pub controller: usize,
    pub unit: Vec<u64>,
    pub specifier: Vec<u64>,
}

pub(super) fn cells(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(4).map(number).collect()
}

/// A specifier of three cells, or of four with the processors of a private line: shared (0) or private (1) line, the same of the extended ranges (2, 3), its number, and flags
/// (1 rising, 2 falling edge, 4 high, 8 low level).
fn wire(specifier: &[u64]) -> Option<Wire> {
    let ([kind, number, flags] | [kind, number, flags, _]) = *specifier else {
        return None;
    };
    let (first, most) = match kind {
        0 => (32, 988),
        1 => (16, 16),
        2 => (4096, 1024),
        3 => (1056, 64),
        _ => return None,
    };
    let number = u32::try_from(number).ok().filter(|n| *n < most)?;
    Some(Wire {
        line: first + number,
        level: flags & 0xc != 0,
        low: flags & 0xa != 0,
        source: SOURCE,
        pin: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::wire;

    #[test]
    fn a_fourth_cell_changes_nothing_and_numbers_have_ends() {
        let line =
            |specifier: &[u64]| wire(specifier).map(|wire| (wire.line, wire.level, wire.low));
        assert_eq!(line(&[0, 7, 4]), Some((39, true, false)));
        assert_eq!(line(&[1, 7, 8, 0x20]), Some((23, true, true)));
        assert_eq!(line(&[1, 16, 4]), None);
        assert_eq!(line(&[4, 1, 4]), None);
        assert_eq!(line(&[7, 4]), None);
    }
}
