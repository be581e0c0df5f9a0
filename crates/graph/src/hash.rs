//! What a node is, whatever it is called and wherever it stands: BLAKE3 over operation, widths, immediates, operands,
//! and for an effect what came before it in its order.
//!
//! There are four orders: the device's, private state's, that of arena and pool, and control with its variables. An
//! effect hangs on the last one of its own order only, so two residuals that differ in how independent effects are
//! interleaved are the same. Barriers, calls and control hang on all four.

use crate::{
    traverse::{resolve, Pure},
    Entry, Fence, Graph, Id, Op, RegionId, Residual, Space,
};
use alloc::{string::String, vec, vec::Vec};
use serde::Serialize;

pub type Hash = [u8; 32];

/// The hashes of one residual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashes {
    /// Of every node that an entry reaches; all zero for the others.
    pub nodes: Vec<Hash>,
    /// Of every entry's code, its name left out.
    pub entries: Vec<Hash>,
    /// Of everything that the emitted code depends on.
    pub residual: Hash,
}

/// Hashes a residual. Names, bases of windows and numbers of nodes, regions and entries' names do not matter.
pub fn of(residual: &Residual) -> Result<Hashes, String> {
    hashes(residual, false)
}

/// The hash of a residual's shape: the same with every number left out. Two drivers of one shape do the same steps, in
/// other places, with other lengths, with another address of their own.
pub fn shape(residual: &Residual) -> Result<Hash, String> {
    hashes(residual, true).map(|hashes| hashes.residual)
}

fn hashes(residual: &Residual, shape: bool) -> Result<Hashes, String> {
    residual.validate()?;
    let mut walk = Walk {
        shape,
        graph: &residual.graph,
        nodes: vec![[0; 32]; residual.graph.nodes.len()],
        done: vec![false; residual.graph.nodes.len()],
        tokens: start(0),
        depth: 0,
    };
    let entries: Vec<Hash> = residual.entries.iter().map(|e| walk.entry(e)).collect();
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"residual");
    for window in &residual.windows {
        let size = if shape { 0 } else { window.size };
        put(&mut hasher, &(window.kind, size));
    }
    put(&mut hasher, &residual.windows.len());
    if !shape {
        put(
            &mut hasher,
            &(
                residual.state_size,
                residual.arena_size,
                residual.arena_align,
            ),
        );
    }
    put(
        &mut hasher,
        &(residual.upcalls.len(), residual.failures.len()),
    );
    for entry in &entries {
        hasher.update(entry);
    }
    Ok(Hashes {
        nodes: walk.nodes,
        entries,
        residual: *hasher.finalize().as_bytes(),
    })
}

/// Canonical bytes of immediates: postcard, as residuals travel.
fn put(hasher: &mut blake3::Hasher, value: &impl Serialize) {
    struct Bytes<'a>(&'a mut blake3::Hasher);
    impl postcard::ser_flavors::Flavor for Bytes<'_> {
        type Output = ();
        fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
            self.0.update(&[byte]);
            Ok(())
        }
        fn finalize(self) -> postcard::Result<()> {
            Ok(())
        }
    }
    // Neither the hasher nor these types can fail.
    let _ = postcard::serialize_with_flavor(value, Bytes(hasher));
}

/// Positions in `Walk::tokens`.
const DEVICE: usize = 0;
const STATE: usize = 1;
const SHARED: usize = 2;
const CONTROL: usize = 3;

/// What stands before the first effect of a region: its parameters, by order and depth. With the depth, the first
/// effect of a region is another than the first of the region around it, so that what uses one of them is clear.
fn start(depth: usize) -> [Hash; 4] {
    let parameter = |order: u8| {
        let mut hash = [0; 32];
        hash[0] = order + 1;
        hash[1] = depth as u8;
        hash
    };
    [0, 1, 2, 3].map(parameter)
}

struct Walk<'a> {
    /// Constants are all the same.
    shape: bool,
    graph: &'a Graph,
    nodes: Vec<Hash>,
    done: Vec<bool>,
    /// The last effect of each order.
    tokens: [Hash; 4],
    /// Regions around, at most `check::DEEPEST`.
    depth: usize,
}

impl Pure for Walk<'_> {
    type Error = core::convert::Infallible;
    fn done(&self, id: Id) -> bool {
        self.done[id as usize]
    }
    fn visit(&mut self, id: Id, op: &Op) -> Result<(), Self::Error> {
        let hasher = self.head(op);
        self.set(id, hasher);
        Ok(())
    }
}

impl Walk<'_> {
    fn entry(&mut self, entry: &Entry) -> Hash {
        let body = self.region(entry.body, None);
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"entry");
        put(&mut hasher, &(entry.arguments, entry.locals));
        hasher.update(&body);
        *hasher.finalize().as_bytes()
    }

    /// A region is what its last effects are; `value` is a node that it computes for the node around it.
    fn region(&mut self, id: RegionId, value: Option<Id>) -> Hash {
        self.depth += 1;
        let around = core::mem::replace(&mut self.tokens, start(self.depth));
        let graph = self.graph;
        for &step in &graph.regions[id as usize].steps {
            self.step(step, &graph.nodes[step as usize]);
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"region");
        for token in &self.tokens {
            hasher.update(token);
        }
        if let Some(value) = value {
            self.operand(&mut hasher, value);
        }
        self.tokens = around;
        self.depth -= 1;
        *hasher.finalize().as_bytes()
    }

    fn step(&mut self, id: Id, op: &Op) {
        // A wait's value is computed inside its region, so the region comes first.
        let inner: Vec<Hash> = match *op {
            Op::Await { cond, value, .. } => vec![self.region(cond, Some(value))],
            _ => {
                let regions = op.inner().into_iter().flatten();
                regions.map(|region| self.region(region, None)).collect()
            }
        };
        op.operands(|operand| {
            let Ok(()) = resolve(self.graph, operand, self);
        });
        let mut hasher = self.head(op);
        for region in &inner {
            hasher.update(region);
        }
        let orders = orders(op);
        for order in orders {
            hasher.update(&self.tokens[*order]);
        }
        self.set(id, hasher);
        for order in orders {
            self.tokens[*order] = self.nodes[id as usize];
        }
    }

    fn operand(&mut self, hasher: &mut blake3::Hasher, id: Id) {
        let Ok(()) = resolve(self.graph, id, self);
        hasher.update(&self.nodes[id as usize]);
    }

    /// Operation, immediates and operands.
    fn head(&self, op: &Op) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new();
        let mut shape = op.clone();
        let mut operands = 0u32;
        shape.operands_mut(|id| {
            operands += 1;
            *id = 0;
        });
        forget_regions(&mut shape);
        if let (true, Op::Const(number)) = (self.shape, &mut shape) {
            *number = 0;
        }
        put(&mut hasher, &shape);
        put(&mut hasher, &operands);
        op.operands(|id| {
            hasher.update(&self.nodes[id as usize]);
        });
        hasher
    }

    fn set(&mut self, id: Id, hasher: blake3::Hasher) {
        self.nodes[id as usize] = *hasher.finalize().as_bytes();
        self.done[id as usize] = true;
    }
}

/// A region's number says nothing; its hash is mixed in instead.
fn forget_regions(op: &mut Op) {
    match op {
        Op::If { yes, no, .. } => {
            *yes = 0;
            *no = 0;
        }
        Op::Await { cond: body, .. } | Op::Loop { body, .. } | Op::Block(body) => *body = 0,
        _ => {}
    }
}

/// The orders that an effect stands in.
fn orders(op: &Op) -> &'static [usize] {
    match op {
        Op::Read { .. } | Op::Write { .. } => &[DEVICE],
        Op::Load { space, .. } | Op::Store { space, .. } => match space {
            Space::State => &[STATE],
            Space::Arena | Space::Pool => &[SHARED],
        },
        Op::Fence(Fence::Publish | Fence::Acquire | Fence::Full) => &[DEVICE, SHARED],
        Op::Local(_) | Op::SetLocal(..) | Op::Result(..) => &[CONTROL],
        _ => &[DEVICE, STATE, SHARED, CONTROL],
    }
}
