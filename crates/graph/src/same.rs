//! Finds entries that do the same, so that one piece of code serves both.

use crate::{Entry, Graph, Id, Op, RegionId};
use alloc::{collections::BTreeMap, vec::Vec};

/// Expressions nested deeper count as different.
const DEEPEST: u32 = 48;

/// Whether both entries take the same arguments and run the same steps on the same values.
pub fn same(graph: &Graph, a: &Entry, b: &Entry) -> bool {
    let mut pairs = Pairs {
        graph,
        steps: BTreeMap::new(),
    };
    let shape = |entry: &Entry| (entry.arguments, entry.locals, entry.seldom);
    shape(a) == shape(b) && pairs.regions(a.body, b.body)
}

struct Pairs<'a> {
    graph: &'a Graph,
    /// Steps of the one entry, and those of the other that do the same.
    steps: BTreeMap<Id, Id>,
}

impl<'a> Pairs<'a> {
    fn regions(&mut self, a: RegionId, b: RegionId) -> bool {
        let graph = self.graph;
        let (a, b) = (
            &graph.regions[a as usize].steps,
            &graph.regions[b as usize].steps,
        );
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| self.step(*a, *b))
    }

    fn step(&mut self, a: Id, b: Id) -> bool {
        let (x, y) = (self.op(a), self.op(b));
        let alike = self.alike(x, y, 0, true)
            && x.inner()
                .into_iter()
                .flatten()
                .zip(y.inner().into_iter().flatten())
                .all(|(x, y)| self.regions(x, y));
        if !alike {
            return false;
        }
        self.steps.insert(a, b);
        // What an `Await` tests is computed inside its region.
        match (x, y) {
            (Op::Await { value: x, .. }, Op::Await { value: y, .. }) => self.values(*x, *y, 0),
            _ => true,
        }
    }

    fn values(&self, a: Id, b: Id, depth: u32) -> bool {
        if a == b || self.steps.get(&a) == Some(&b) {
            return true;
        }
        let (x, y) = (self.op(a), self.op(b));
        x.is_pure() && y.is_pure() && depth < DEEPEST && self.alike(x, y, depth + 1, false)
    }

    /// The same operation on the same operands, whatever regions are inside.
    fn alike(&self, x: &Op, y: &Op, depth: u32, step: bool) -> bool {
        if core::mem::discriminant(x) != core::mem::discriminant(y) || bare(x) != bare(y) {
            return false;
        }
        let awaits = step && matches!(x, Op::Await { .. });
        let (mut left, mut right) = (Vec::new(), Vec::new());
        x.operands(|id| left.push(id));
        y.operands(|id| right.push(id));
        let skip = usize::from(awaits);
        (left.iter().skip(skip))
            .zip(right.iter().skip(skip))
            .all(|(a, b)| self.values(*a, *b, depth))
    }

    fn op(&self, id: Id) -> &'a Op {
        &self.graph.nodes[id as usize]
    }
}

/// The operation alone: without operands and regions.
fn bare(op: &Op) -> Op {
    let mut bare = op.clone();
    bare.operands_mut(|id| *id = 0);
    match &mut bare {
        Op::If { yes, no, .. } => (*yes, *no) = (0, 0),
        Op::Await { cond: body, .. } | Op::Loop { body, .. } | Op::Block(body) => *body = 0,
        _ => {}
    }
    bare
}
