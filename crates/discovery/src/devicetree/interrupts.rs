//! Interrupt specifiers (2.4), resolved to the numbers that the machine's interrupt controller uses.

use super::{tree::number, Tree, SOURCE};
use crate::Notes;
use alloc::{format, vec::Vec};
use machine::Wire;

/// Specifiers of more cells are not believed.
const MOST_CELLS: usize = 8;

impl<'a> Tree<'a> {
    pub(super) fn by_phandle(&self, phandle: u64) -> Option<usize> {
        self.nodes.iter().position(|node| {
            node.number("phandle")
                .or_else(|| node.number("linux,phandle"))
                == Some(phandle)
        })
    }

    /// The node that a node's interrupts go to.
    fn interrupt_parent(&self, mut node: usize) -> Option<usize> {
        loop {
            if let Some(phandle) = self.nodes[node].number("interrupt-parent") {
                return self.by_phandle(phandle);
            }
            let parent = self.nodes[node].parent;
            if parent == node {
                return None;
            }
            node = parent;
        }
    }

    pub(super) fn interrupt_cells(&self, controller: usize) -> Option<usize> {
        let cells = self.nodes.get(controller)?.number("#interrupt-cells")? as usize;
        (1..=MOST_CELLS).contains(&cells).then_some(cells)
    }

    /// The wires of a node, in its own order; one that ends elsewhere than at a controller of numbered lines is left out.
    pub(super) fn wires(&self, node: usize, notes: &mut Notes) -> Vec<Wire> {
        let mut wires = Vec::new();
        for (controller, cells) in self.specifiers(node) {
            match wire(&cells) {
                Some(wire) => wires.push(wire),
                None => notes.say(format!(
                    "dt/{}: an interrupt at {} is not understood",
                    self.nodes[node].name, self.nodes[controller].name
                )),
            }
        }
        wires
    }

    fn specifiers(&self, node: usize) -> Vec<(usize, Vec<u64>)> {
        let mut list = Vec::new();
        if let Some(extended) = self.nodes[node].property("interrupts-extended") {
            let mut rest = cells(extended);
            while let Some((phandle, more)) = rest.split_first() {
                let Some((controller, count)) = self
                    .by_phandle(*phandle)
                    .and_then(|c| Some((c, self.interrupt_cells(c)?)))
                else {
                    break;
                };
                let Some(specifier) = more.get(..count) else {
                    break;
                };
                list.push((controller, Vec::from(specifier)));
                rest = Vec::from(&more[count..]);
            }
            return list;
        }
        let Some(bytes) = self.nodes[node].property("interrupts") else {
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

pub(super) fn cells(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(4).map(number).collect()
}

/// A specifier of three cells: shared (0) or private (1) line, its number, and flags (1 rising, 2 falling edge, 4 high,
/// 8 low level).
pub(super) fn wire(specifier: &[u64]) -> Option<Wire> {
    let [kind, number, flags] = *specifier else {
        return None;
    };
    let (first, most) = match kind {
        0 => (32, 988),
        1 => (16, 16),
        _ => return None,
    };
    (number < most).then_some(Wire {
        line: first + number as u32,
        level: flags & 0xc != 0,
        low: flags & 0xa != 0,
        source: SOURCE,
        pin: 0,
    })
}
