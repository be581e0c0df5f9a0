//! Dropping what no entry needs, and numbering the rest anew.

use crate::{traverse::resolve, traverse::Pure, Graph, Id, Op, Region, RegionId, Residual, Space};
use alloc::{vec, vec::Vec};
use core::convert::Infallible;

impl Residual {
    /// Drops unreachable regions and nodes, reads of variables and of private state whose value nobody uses, and
    /// writes to variables that nobody reads. What is left keeps its order; operands stay smaller than their users.
    ///
    /// The residual must be valid. What it does to a device does not change.
    pub fn prune(&mut self) {
        loop {
            let live = Live::of(self);
            if !drop_dead_steps(self, &live) {
                renumber(self, &live);
                return;
            }
        }
    }
}

/// What can be reached from the entries.
struct Live {
    nodes: Vec<bool>,
    regions: Vec<bool>,
    /// Nodes whose value something uses.
    used: Vec<bool>,
    /// Which entry (counted from 1) a region belongs to; 0 for none.
    owner: Vec<usize>,
}

impl Pure for Live {
    type Error = Infallible;
    fn done(&self, id: Id) -> bool {
        self.nodes[id as usize]
    }
    fn visit(&mut self, id: Id, _: &Op) -> Result<(), Infallible> {
        self.nodes[id as usize] = true;
        Ok(())
    }
}

impl Live {
    fn of(residual: &Residual) -> Live {
        let graph = &residual.graph;
        let mut live = Live {
            nodes: vec![false; graph.nodes.len()],
            regions: vec![false; graph.regions.len()],
            used: vec![false; graph.nodes.len()],
            owner: vec![0; graph.regions.len()],
        };
        for (n, entry) in residual.entries.iter().enumerate() {
            let mut open = vec![entry.body];
            while let Some(region) = open.pop() {
                live.regions[region as usize] = true;
                live.owner[region as usize] = n + 1;
                for &step in &graph.regions[region as usize].steps {
                    live.step(graph, step);
                    open.extend(graph.nodes[step as usize].inner().into_iter().flatten());
                }
            }
        }
        for (id, op) in graph.nodes.iter().enumerate() {
            if live.nodes[id] {
                op.operands(|operand| live.used[operand as usize] = true);
            }
        }
        live
    }

    fn step(&mut self, graph: &Graph, step: Id) {
        self.nodes[step as usize] = true;
        graph.nodes[step as usize].operands(|operand| {
            // An effect among the operands is a step itself and is marked there or here, which is the same.
            let Ok(()) = resolve(graph, operand, self);
        });
    }
}

/// Takes steps away that do nothing; true if there were any.
fn drop_dead_steps(residual: &mut Residual, live: &Live) -> bool {
    let read = read_locals(residual, live);
    let Graph { nodes, regions } = &mut residual.graph;
    let mut dropped = false;
    for (n, region) in regions
        .iter_mut()
        .enumerate()
        .filter(|(n, _)| live.regions[*n])
    {
        let owner = live.owner[n];
        let before = region.steps.len();
        region.steps.retain(|&id| match nodes[id as usize] {
            Op::Local(_) => live.used[id as usize],
            Op::Load { space, .. } => space != Space::State || live.used[id as usize],
            Op::SetLocal(local, _) => read.contains(&(owner, local)),
            _ => true,
        });
        dropped |= region.steps.len() != before;
    }
    dropped
}

/// Entry and number of every variable that is read.
fn read_locals(residual: &Residual, live: &Live) -> Vec<(usize, u16)> {
    let graph = &residual.graph;
    let mut read = Vec::new();
    for (n, region) in graph
        .regions
        .iter()
        .enumerate()
        .filter(|(n, _)| live.regions[*n])
    {
        for &step in &region.steps {
            if let Op::Local(local) = graph.nodes[step as usize] {
                read.push((live.owner[n], local));
            }
        }
    }
    read
}

fn renumber(residual: &mut Residual, live: &Live) {
    let nodes = numbers(&live.nodes);
    let regions = numbers(&live.regions);
    let graph = core::mem::take(&mut residual.graph);
    residual.graph.nodes = kept(graph.nodes, &live.nodes)
        .map(|mut op| {
            op.operands_mut(|id| *id = nodes[*id as usize]);
            inner_mut(&mut op, |region| *region = regions[*region as usize]);
            op
        })
        .collect();
    residual.graph.regions = kept(graph.regions, &live.regions)
        .map(|region| Region {
            steps: region.steps.iter().map(|id| nodes[*id as usize]).collect(),
        })
        .collect();
    for entry in &mut residual.entries {
        entry.body = regions[entry.body as usize];
    }
}

fn kept<'a, T: 'a>(all: Vec<T>, keep: &'a [bool]) -> impl Iterator<Item = T> + 'a {
    all.into_iter()
        .zip(keep)
        .filter(|(_, keep)| **keep)
        .map(|(one, _)| one)
}

/// New numbers of those that are kept.
fn numbers(keep: &[bool]) -> Vec<u32> {
    let mut next = 0;
    keep.iter()
        .map(|keep| {
            let number = next;
            next += *keep as u32;
            number
        })
        .collect()
}

fn inner_mut(op: &mut Op, mut f: impl FnMut(&mut RegionId)) {
    match op {
        Op::If { yes, no, .. } => {
            f(yes);
            f(no);
        }
        Op::Await { cond: body, .. } | Op::Loop { body, .. } | Op::Block(body) => f(body),
        _ => {}
    }
}
