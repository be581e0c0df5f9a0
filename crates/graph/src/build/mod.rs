//! Making code graphs: pure nodes are shared and folded as they are made, effects go into the current region.

mod bounds;
pub(crate) mod fold;
#[cfg(test)]
mod tests;

use crate::{BinOp, Entry, Graph, Id, Late, Op, Region, RegionId, Width};
use alloc::{collections::BTreeMap, string::ToString, vec::Vec};
use bounds::Bound;

/// Builds the graph of one residual, entry after entry.
///
/// Regions close inside out, so a region's number is greater than those of the regions inside it.
#[derive(Default)]
pub struct Builder {
    nodes: Vec<Op>,
    bounds: Vec<Bound>,
    shared: BTreeMap<[u64; 4], Id>,
    regions: Vec<Region>,
    open: Vec<Region>,
    entries: Vec<Entry>,
    root: Option<RegionId>,
    locals: u16,
}

impl Builder {
    pub fn new() -> Builder {
        Builder::default()
    }

    pub fn constant(&mut self, value: u64) -> Id {
        self.pure(Op::Const(value))
    }

    /// The current entry's argument, counted from 0.
    pub fn arg(&mut self, n: u8) -> Id {
        self.pure(Op::Arg(n))
    }

    pub fn late(&mut self, late: Late) -> Id {
        self.pure(Op::Late(late))
    }

    pub fn bin(&mut self, op: BinOp, a: Id, b: Id) -> Id {
        fold::bin(self, op, a, b)
    }

    /// `if c != 0 { a } else { b }`
    pub fn select(&mut self, c: Id, a: Id, b: Id) -> Id {
        fold::select(self, c, a, b)
    }

    /// `(v >> lo) & ones(bits)`; bits beyond 64 read as zero.
    pub fn extract(&mut self, v: Id, lo: u8, bits: u8) -> Id {
        fold::extract(self, v, lo, bits)
    }

    /// `into` with bits `lo .. lo + bits` replaced by the low bits of `v`; what lies beyond bit 63 is lost.
    pub fn insert(&mut self, into: Id, v: Id, lo: u8, bits: u8) -> Id {
        fold::insert(self, into, v, lo, bits)
    }

    pub fn swap(&mut self, width: Width, v: Id) -> Id {
        fold::swap(self, width, v)
    }

    pub fn lowest_bit(&mut self, v: Id) -> Id {
        match self.known(v) {
            Some(c) => self.constant(c.trailing_zeros() as u64),
            None => self.pure(Op::LowestBit(v)),
        }
    }

    pub fn ones(&mut self, v: Id) -> Id {
        match self.known(v) {
            Some(c) => self.constant(c.count_ones() as u64),
            None => self.pure(Op::Ones(v)),
        }
    }

    /// The node's value, if it is a constant.
    pub fn known(&self, id: Id) -> Option<u64> {
        match self.op(id) {
            Op::Const(value) => Some(*value),
            _ => None,
        }
    }

    /// No value of the node is greater than this.
    pub fn most(&self, id: Id) -> u64 {
        self.bound(id).most
    }

    /// Every bit that may be one in some value of the node.
    pub fn possible(&self, id: Id) -> u64 {
        self.bound(id).bits
    }

    /// The bits that are one in every value of the node.
    pub fn sure(&self, id: Id) -> u64 {
        self.bound(id).sure
    }

    /// The node itself.
    pub fn op(&self, id: Id) -> &Op {
        &self.nodes[id as usize]
    }

    /// Appends an effect to the current region. The effect's value may be used only behind it in this region, and in
    /// the regions inside those later steps.
    ///
    /// # Panics
    /// If no region is open or the node is pure: a mistake of the caller's.
    pub fn step(&mut self, op: Op) -> Id {
        assert!(!op.is_pure(), "a pure node is no step");
        let id = self.push(op);
        self.open
            .last_mut()
            .expect("a step needs an open region")
            .steps
            .push(id);
        id
    }

    /// Opens a region inside the current one; steps go there until it is closed.
    pub fn open(&mut self) {
        self.open.push(Region::default());
    }

    /// Closes the current region; the node that holds it goes into the one around it.
    ///
    /// # Panics
    /// If no region is open.
    pub fn close(&mut self) -> RegionId {
        let region = self.open.pop().expect("no region is open");
        let id = self.regions.len() as RegionId;
        self.regions.push(region);
        if self.open.is_empty() {
            self.root = Some(id);
        }
        id
    }

    /// Closes the current region and puts its steps into the one around it: it was none of its own.
    ///
    /// # Panics
    /// If fewer than two regions are open.
    pub fn splice(&mut self) {
        let region = self.open.pop().expect("no region is open");
        let around = self.open.last_mut().expect("no region is around it");
        around.steps.extend(region.steps);
    }

    /// A `Leave` that goes through a block which became none passes one fewer.
    pub fn nearer(&mut self, leave: Id) {
        if let Some(Op::Leave(passed)) = self.nodes.get_mut(leave as usize) {
            *passed = passed.saturating_sub(1);
        }
    }

    /// How many regions are open.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// Whether nothing has been appended to the current region yet.
    pub fn current_is_empty(&self) -> bool {
        self.open
            .last()
            .is_some_and(|region| region.steps.is_empty())
    }

    /// Takes the last step of the current region out again, if it is this one and nothing uses it.
    pub fn take_back(&mut self, id: Id) {
        if let Some(region) = self.open.last_mut() {
            if region.steps.last() == Some(&id) {
                region.steps.pop();
            }
        }
    }

    /// The next free local variable of this entry.
    pub fn new_local(&mut self) -> u16 {
        let local = self.locals;
        self.locals += 1;
        local
    }

    /// Makes the root region that was closed last an entry. `locals` counts variables that the caller numbered
    /// itself; those of [`Builder::new_local`] are counted anyway.
    ///
    /// # Panics
    /// If a region is still open, or none was closed since the last entry.
    pub fn finish_entry(&mut self, name: &str, arguments: u8, locals: u16) {
        assert!(self.open.is_empty(), "entry `{name}` has an open region");
        let body = self.root.take().expect("the entry has no body");
        let locals = locals.max(self.locals);
        self.locals = 0;
        self.entries.push(Entry {
            name: name.to_string(),
            arguments,
            locals,
            seldom: false,
            body,
        });
    }

    pub fn into_parts(self) -> (Graph, Vec<Entry>) {
        let graph = Graph {
            nodes: self.nodes,
            regions: self.regions,
        };
        (graph, self.entries)
    }

    fn bound(&self, id: Id) -> Bound {
        self.bounds[id as usize]
    }

    /// The node as it stands, shared with an equal one that was made before.
    fn pure(&mut self, op: Op) -> Id {
        let key = key(&op);
        if let Some(&id) = self.shared.get(&key) {
            return id;
        }
        let id = self.push(op);
        self.shared.insert(key, id);
        id
    }

    fn push(&mut self, op: Op) -> Id {
        let bound = bounds::of_node(&op, |id| self.known(id), |id| self.bound(id));
        let id = self.nodes.len() as Id;
        self.nodes.push(op);
        self.bounds.push(bound);
        id
    }
}

/// What makes two pure nodes the same.
fn key(op: &Op) -> [u64; 4] {
    let place = |lo: u8, bits: u8| (lo as u64) << 8 | bits as u64;
    match *op {
        Op::Const(value) => [0, value, 0, 0],
        Op::Arg(n) => [1, n as u64, 0, 0],
        Op::Bin(op, a, b) => [2 | (op as u64) << 8, a as u64, b as u64, 0],
        Op::Select(c, a, b) => [3, c as u64, a as u64, b as u64],
        Op::Extract { value, lo, bits } => [4, value as u64, place(lo, bits), 0],
        Op::Insert {
            into,
            value,
            lo,
            bits,
        } => [5, into as u64, value as u64, place(lo, bits)],
        Op::Swap(width, v) => [6, width as u64, v as u64, 0],
        Op::LowestBit(v) => [7, v as u64, 0, 0],
        Op::Ones(v) => [8, v as u64, 0, 0],
        Op::Late(late) => [9, late as u64, 0, 0],
        _ => unreachable!("effects are never shared"),
    }
}

/// For every node, a value that none of its values is greater than.
pub fn most(graph: &Graph) -> Vec<u64> {
    let mut found: Vec<Bound> = Vec::with_capacity(graph.nodes.len());
    for op in &graph.nodes {
        let known = |id: Id| match graph.nodes.get(id as usize) {
            Some(Op::Const(value)) => Some(*value),
            _ => None,
        };
        let bound = bounds::of_node(op, known, |id| found[id as usize]);
        found.push(bound);
    }
    found.iter().map(|bound| bound.most).collect()
}
