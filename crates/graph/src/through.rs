//! Turns a residual's reads and loads into upcalls, so that whoever serves these decides which values the code gets. For tests
//! of failing devices.

use crate::{Id, Op, Residual, Space};
use alloc::{string::String, vec, vec::Vec};

/// Bit of the upcall's first word that says that memory was read, and not a window.
pub const MEMORY: u64 = 1 << 16;

impl Residual {
    /// The same driver, with an upcall behind every read of a window and every load of arena and pool: it gets the place (the
    /// window's number, or [`MEMORY`] and 0 for the arena, 1 for the pool; the width in bits above bit 32), the offset, and
    /// the value; what it gives is used instead. Its number is the one behind the last that the residual had.
    #[must_use]
    pub fn through(&self, upcall: &str) -> Residual {
        let mut out = self.clone();
        let which = out.upcalls.len() as u8;
        out.upcalls.push(String::from(upcall));
        let mut nodes: Vec<Op> = Vec::with_capacity(self.graph.nodes.len());
        // What stands for each node, and the step that comes before it.
        let mut places: Vec<(Id, Option<Id>)> = vec![(0, None); self.graph.nodes.len()];
        for (id, op) in self.graph.nodes.iter().enumerate() {
            let mut op = op.clone();
            op.operands_mut(|operand| *operand = places.get(*operand as usize).map_or(0, |p| p.0));
            let seen = seen(&op);
            nodes.push(op);
            let value = nodes.len() as Id - 1;
            places[id] = match seen {
                None => (value, None),
                Some((what, at)) => {
                    nodes.push(Op::Const(what));
                    let what = nodes.len() as Id - 1;
                    let args = vec![what, at, value];
                    nodes.push(Op::Up { which, args });
                    (nodes.len() as Id - 1, Some(value))
                }
            };
        }
        out.graph.nodes = nodes;
        for region in &mut out.graph.regions {
            let steps = region
                .steps
                .iter()
                .filter_map(|step| places.get(*step as usize));
            region.steps = steps
                .flat_map(|(id, before)| before.iter().copied().chain([*id]))
                .collect();
        }
        out
    }

    /// The same driver, whose events nobody calls: by these names no pump knows them. For tests of interrupts that are lost.
    #[must_use]
    pub fn deaf(&self) -> Residual {
        let mut out = self.clone();
        let events = out.entries.iter_mut();
        let events = events.filter(|e| e.name == "irq" || e.name == "message");
        events.for_each(|entry| entry.name.insert(0, '-'));
        out
    }
}

/// The upcall's first word, and the node that is the offset.
fn seen(op: &Op) -> Option<(u64, Id)> {
    match *op {
        Op::Read { window, at, width } => {
            Some((u64::from(window) | u64::from(width.bits()) << 32, at))
        }
        Op::Load { space, at, width } if space != Space::State => {
            let pool = u64::from(space == Space::Pool);
            Some((MEMORY | pool | u64::from(width.bits()) << 32, at))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::sample;

    #[test]
    fn it_stays_well_formed_and_keeps_its_effects() {
        for seed in 0..200 {
            let residual = sample::residual(seed);
            let through = residual.through("seen");
            through
                .validate()
                .unwrap_or_else(|why| panic!("{seed}: {why}"));
            assert_eq!(through.upcalls.len(), residual.upcalls.len() + 1);
            let count =
                |r: &crate::Residual| r.graph.regions.iter().map(|r| r.steps.len()).sum::<usize>();
            let reads = residual
                .graph
                .nodes
                .iter()
                .filter(|op| super::seen(op).is_some())
                .count();
            assert!(
                count(&through) >= count(&residual) && count(&through) <= count(&residual) + reads
            );
        }
    }
}
