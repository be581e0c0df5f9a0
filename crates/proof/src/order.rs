//! Whether a residual keeps the order that shared memory needs: what was stored is published before a device is told of
//! it, and what a device stored is acquired before it is read, once something said that it is there.
//!
//! The emulator does all of this in order anyway, so that no run shows a fence that is missing. The walk follows every path
//! of every entry, and takes shared memory for the driver's again once it stores there. A wait, or a choice by shared memory that nothing had acquired yet, is taken for the device's word that
//! something is there; loads after it that are used as values (and not only to choose again) need an `acquire`. The client's
//! memory is left out: processors move it, too.

use graph::{Fence, Id, Op, RegionId, Residual, Space};

/// One place where the order is not kept, in words.
pub type Finding = String;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    /// `acquire` was the last word.
    Acquired,
    /// Nothing was looked at yet.
    Nothing,
    /// The device said that something is there.
    Pending,
}

#[derive(Clone, Copy)]
struct State {
    seen: Seen,
    /// Stored, and not published.
    dirty: bool,
    ended: bool,
}

impl State {
    /// Where two paths meet.
    fn or(self, other: State) -> State {
        match (self.ended, other.ended) {
            (true, _) => other,
            (_, true) => self,
            _ => State {
                seen: self.seen.max(other.seen),
                dirty: self.dirty || other.dirty,
                ended: false,
            },
        }
    }
}

/// Everything that is out of order, each once.
#[must_use]
pub fn findings(residual: &Residual) -> Vec<Finding> {
    let mut walk = Walk {
        residual,
        valued: valued(residual),
        early: vec![false; residual.graph.nodes.len()],
        found: Vec::new(),
    };
    for entry in &residual.entries {
        let state = State {
            seen: Seen::Nothing,
            // The tail of a batch comes after the operations of the batch.
            dirty: entry.name.ends_with(".then"),
            ended: false,
        };
        let before = walk.found.len();
        walk.region(entry.body, state);
        for finding in &mut walk.found[before..] {
            *finding = format!("{}: {finding}", entry.name);
        }
    }
    walk.found.sort();
    walk.found.dedup();
    walk.found
}

/// Nodes whose value goes somewhere else than into a choice.
fn valued(residual: &Residual) -> Vec<bool> {
    let nodes = &residual.graph.nodes;
    let mut valued = vec![false; nodes.len()];
    for (id, op) in nodes.iter().enumerate().rev() {
        let passes = op.is_pure() && !valued[id];
        let chooses = matches!(op, Op::If { .. } | Op::Await { .. });
        if !passes && !chooses {
            op.operands(|operand| valued[operand as usize] = true);
        }
    }
    valued
}

struct Walk<'r> {
    residual: &'r Residual,
    valued: Vec<bool>,
    /// Loads that were made before anything was acquired.
    early: Vec<bool>,
    found: Vec<Finding>,
}

impl Walk<'_> {
    fn region(&mut self, region: RegionId, mut state: State) -> State {
        let residual = self.residual;
        let Some(region) = residual.graph.regions.get(region as usize) else {
            return state;
        };
        for id in &region.steps {
            if state.ended {
                break;
            }
            state = self.step(*id, state);
        }
        state
    }

    fn step(&mut self, id: Id, mut state: State) -> State {
        let residual = self.residual;
        match &residual.graph.nodes[id as usize] {
            Op::Load { space, .. } if *space == Space::Arena => {
                self.early[id as usize] = state.seen != Seen::Acquired;
                if state.seen == Seen::Pending && self.valued[id as usize] {
                    self.found.push(format!(
                        "shared memory is read (node {id}) before `acquire`, though something said that it is there"
                    ));
                    state.seen = Seen::Acquired;
                }
            }
            Op::Store { space, .. } if *space == Space::Arena => {
                state.dirty = true;
                // Who stores has the memory: what is read next is the driver's own.
                if state.seen == Seen::Pending {
                    state.seen = Seen::Nothing;
                }
            }
            Op::Write { .. } if state.dirty => {
                self.found.push(format!(
                    "the device is written to (node {id}) before `publish`, though shared memory was stored to"
                ));
                state.dirty = false;
            }
            Op::Fence(Fence::Publish) => state.dirty = false,
            Op::Fence(Fence::Acquire) => state.seen = Seen::Acquired,
            Op::Fence(Fence::Full) => {
                state.dirty = false;
                state.seen = Seen::Acquired;
            }
            Op::If { cond, yes, no } => {
                if self.rests_on_early(*cond) {
                    state.seen = Seen::Pending;
                }
                let yes = self.region(*yes, state);
                let no = self.region(*no, state);
                state = yes.or(no);
            }
            Op::Await { cond, .. } => {
                state = self.region(*cond, state);
                state.seen = Seen::Pending;
            }
            Op::Loop { body, .. } => {
                // Twice: what one turn leaves behind is there in the next. One that stores is there to be gone through.
                let never = State {
                    ended: self.stores(*body),
                    ..state
                };
                let once = self.region(*body, state);
                let next = State {
                    ended: false,
                    ..once.or(never)
                };
                let again = self.region(*body, next);
                state = State {
                    ended: false,
                    ..never.or(once).or(again)
                };
            }
            Op::Block(body) => {
                state = State {
                    ended: false,
                    ..self.region(*body, state)
                };
            }
            Op::Return(_) | Op::Leave(_) => state.ended = true,
            _ => {}
        }
        state
    }

    /// Whether something in the region, at any depth, stores to shared memory.
    fn stores(&self, region: RegionId) -> bool {
        let Some(region) = self.residual.graph.regions.get(region as usize) else {
            return false;
        };
        region.steps.iter().any(|id| {
            let op = &self.residual.graph.nodes[*id as usize];
            matches!(op, Op::Store { space, .. } if *space == Space::Arena)
                || op
                    .inner()
                    .into_iter()
                    .flatten()
                    .any(|inner| self.stores(inner))
        })
    }

    /// Whether a choice is made by shared memory that nothing had acquired.
    fn rests_on_early(&self, id: Id) -> bool {
        let op = &self.residual.graph.nodes[id as usize];
        if matches!(op, Op::Load { space, .. } if *space == Space::Arena) {
            return self.early[id as usize];
        }
        let mut found = false;
        if op.is_pure() {
            op.operands(|operand| found |= self.rests_on_early(operand));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use graph::{Entry, Graph, Region, Width};

    /// Steps of one entry called `name`.
    fn residual(name: &str, nodes: Vec<Op>, regions: Vec<Vec<Id>>) -> Residual {
        let body = regions.len() as RegionId - 1;
        Residual {
            graph: Graph {
                nodes,
                regions: regions.into_iter().map(|steps| Region { steps }).collect(),
            },
            entries: vec![Entry {
                name: name.into(),
                arguments: 0,
                locals: 0,
                body,
                seldom: false,
            }],
            ..Residual::default()
        }
    }

    fn store(at: Id) -> Op {
        Op::Store {
            space: Space::Arena,
            at,
            width: Width::B32,
            value: at,
        }
    }

    fn write(value: Id) -> Op {
        Op::Write {
            window: 0,
            at: 0,
            width: Width::B32,
            value,
        }
    }

    #[test]
    fn a_doorbell_before_publish_is_found() {
        let nodes = vec![Op::Const(0), store(0), Op::Fence(Fence::Publish), write(0)];
        let right = residual("op", nodes.clone(), vec![vec![1, 2, 3]]);
        assert!(findings(&right).is_empty());
        let wrong = residual("op", nodes.clone(), vec![vec![1, 3]]);
        assert_eq!(findings(&wrong).len(), 1);
        let tail = residual("op.then", nodes, vec![vec![3]]);
        assert_eq!(findings(&tail).len(), 1);
    }

    #[test]
    fn a_load_behind_a_signal_needs_acquire() {
        let load = |at| Op::Load {
            space: Space::Arena,
            at,
            width: Width::B32,
        };
        let nodes = vec![
            Op::Const(0),
            load(0),
            Op::Fence(Fence::Acquire),
            Op::Const(4),
            load(3),
            write(4),
            Op::If {
                cond: 1,
                yes: 0,
                no: 1,
            },
        ];
        let right = residual(
            "irq",
            nodes.clone(),
            vec![vec![2, 4, 5], vec![], vec![1, 6]],
        );
        assert!(findings(&right).is_empty(), "{:?}", findings(&right));
        let wrong = residual("irq", nodes, vec![vec![4, 5], vec![], vec![1, 6]]);
        assert_eq!(findings(&wrong).len(), 1);
    }
}
