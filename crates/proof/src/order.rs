//! Whether a residual keeps the order that shared memory needs: what was stored is published before a device is told of
//! it, and what a device stored is acquired before it is read, once something said that it is there.
//!
//! The emulator does all of this in order anyway, so that no run shows a fence that is missing. The walk follows every path
//! of every entry, and takes shared memory for the driver's again once it stores there. A wait, or a choice by shared memory that nothing had acquired yet, is taken for the device's word that
//! something is there; loads after it that are used as values (and not only to choose again) need an `acquire`.
//!
//! Of the client's memory: an operation that gives a device its address publishes before it last writes to the device, and an
//! event acquires before it gives a buffer back. Where processors move it, neither is asked for.
//!
//! Cells lie where a counter says. That counter itself, stored to a fixed place after cells, tells a device of them. It needs
//! the same `publish` as a doorbell.

use graph::{Fence, Id, Late, Op, RegionId, Residual, Space};

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
    /// Of that, something in a cell.
    cells: bool,
    /// What the client stored was not published.
    lent: bool,
    /// The device was last written to before that.
    early: bool,
    /// Nothing was acquired yet.
    stale: bool,
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
                cells: self.cells || other.cells,
                lent: self.lent || other.lent,
                early: self.early || other.early,
                stale: self.stale || other.stale,
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
        counters: counters(residual),
        early: vec![false; residual.graph.nodes.len()],
        found: Vec::new(),
    };
    for entry in &residual.entries {
        // The tail of a batch comes after the operations of the batch.
        let tail = entry.name.ends_with(".then");
        let lends = residual.graph.nodes.contains(&Op::Late(Late::PoolDma));
        let state = State {
            seen: Seen::Nothing,
            dirty: tail,
            cells: tail,
            lent: lends && LENDING.contains(&entry.name.as_str()),
            early: false,
            stale: lends && EVENTS.contains(&entry.name.as_str()),
            ended: false,
        };
        let before = walk.found.len();
        let state = walk.region(entry.body, state);
        walk.shown(state);
        for finding in &mut walk.found[before..] {
            *finding = format!("{}: {finding}", entry.name);
        }
    }
    walk.found.sort();
    walk.found.dedup();
    walk.found
}

/// Entries that are given a buffer for the device to look at.
const LENDING: [&str; 4] = ["transmit", "write", "send", "draw"];
/// Entries that hear of the device, and the upcalls that give a buffer back which it may have written to.
const EVENTS: [&str; 2] = ["irq", "message"];
const BACK: [&str; 4] = ["finished", "received", "filled", "arrived"];

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

/// Places in private state that say where something is stored in shared memory.
fn counters(residual: &Residual) -> Vec<u64> {
    let mut counters = Vec::new();
    for op in &residual.graph.nodes {
        match op {
            Op::Store { space, at, .. } if *space == Space::Arena => {
                state_words(residual, *at, &mut counters);
            }
            _ => {}
        }
    }
    counters
}

/// The words of private state, at places that are known, that a value rests on.
fn state_words(residual: &Residual, id: Id, out: &mut Vec<u64>) {
    let nodes = &residual.graph.nodes;
    let op = &nodes[id as usize];
    match op {
        Op::Load { space, at, .. } if *space == Space::State => match nodes[*at as usize] {
            Op::Const(place) if !out.contains(&place) => out.push(place),
            _ => {}
        },
        op if op.is_pure() => op.operands(|operand| state_words(residual, operand, out)),
        _ => {}
    }
}

struct Walk<'r> {
    residual: &'r Residual,
    valued: Vec<bool>,
    /// [`counters`]
    counters: Vec<u64>,
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
            Op::Store {
                space, at, value, ..
            } if *space == Space::Arena => {
                let fixed = matches!(residual.graph.nodes[*at as usize], Op::Const(_));
                if fixed && state.cells && self.counts(*value) {
                    self.found.push(format!(
                        "a counter is stored (node {id}) before `publish`, though the cells that it tells of were stored to"
                    ));
                    state.cells = false;
                }
                state.dirty = true;
                state.cells |= !fixed;
                // Who stores has the memory: what is read next is the driver's own.
                if state.seen == Seen::Pending {
                    state.seen = Seen::Nothing;
                }
            }
            Op::Write { .. } if state.dirty => {
                self.found.push(format!(
                    "the device is written to (node {id}) before `publish`, though shared memory was stored to"
                ));
                (state.dirty, state.cells) = (false, false);
                state.early = state.lent;
            }
            Op::Write { .. } => state.early = state.lent,
            Op::Fence(fence) => {
                if *fence != Fence::Acquire {
                    (state.dirty, state.cells, state.lent) = (false, false, false);
                }
                if *fence != Fence::Publish {
                    (state.seen, state.stale) = (Seen::Acquired, false);
                }
            }
            Op::Up { which, .. } if state.stale => {
                let name = residual.upcalls.get(usize::from(*which));
                if name.is_some_and(|name| BACK.contains(&name.as_str())) {
                    self.found.push(format!(
                        "a buffer is given back (node {id}) before `acquire`, though the device may have stored to it"
                    ));
                    state.stale = false;
                }
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
            Op::Return(status) => {
                // What was not accepted is not to be looked at.
                if residual.graph.nodes[*status as usize] == Op::Const(abi::status::OK) {
                    self.shown(state);
                }
                state.ended = true;
            }
            Op::Leave(_) => state.ended = true,
            _ => {}
        }
        state
    }

    /// At the end of an entry.
    fn shown(&mut self, state: State) {
        if state.early && !state.ended {
            self.found
                .push("the device is told of the client's buffer without `publish`".into());
        }
    }

    /// Whether a value is that of a counter by which cells are stored.
    fn counts(&self, value: Id) -> bool {
        let mut words = Vec::new();
        state_words(self.residual, value, &mut words);
        words.iter().any(|word| self.counters.contains(word))
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
    fn an_index_in_memory_before_publish_is_found() {
        // A cell where a counter says, then the counter at 0.
        let counter = Op::Load {
            space: Space::State,
            at: 0,
            width: Width::B16,
        };
        let told = |value| Op::Store {
            space: Space::Arena,
            at: 0,
            width: Width::B16,
            value,
        };
        let publish = Op::Fence(Fence::Publish);
        let nodes = vec![Op::Const(0), counter, store(1), publish, told(1), told(0)];
        let right = residual("op", nodes.clone(), vec![vec![1, 2, 3, 4]]);
        assert!(findings(&right).is_empty(), "{:?}", findings(&right));
        let wrong = residual("op", nodes.clone(), vec![vec![1, 2, 4]]);
        assert_eq!(findings(&wrong).len(), 1);
        let other = residual("op", nodes.clone(), vec![vec![1, 2, 5]]);
        assert!(findings(&other).is_empty(), "{:?}", findings(&other));
        let tail = residual("op.then", nodes, vec![vec![1, 4]]);
        // The residual has no cell of that counter otherwise, but the nodes are there.
        assert_eq!(findings(&tail).len(), 1);
    }

    #[test]
    fn a_buffer_of_the_client_is_published_and_acquired() {
        let nodes = vec![
            Op::Late(Late::PoolDma),
            Op::Fence(Fence::Publish),
            write(0),
            Op::Fence(Fence::Acquire),
            Op::Up {
                which: 0,
                args: vec![],
            },
        ];
        let of = |name: &str, steps: Vec<Id>| {
            let mut residual = residual(name, nodes.clone(), vec![steps]);
            residual.upcalls = vec!["finished".into()];
            findings(&residual).len()
        };
        assert_eq!((of("write", vec![1, 2]), of("write", vec![2])), (0, 1));
        // An address first, then the doorbell.
        assert_eq!(of("write", vec![2, 1, 2]), 0);
        assert_eq!((of("irq", vec![3, 4]), of("irq", vec![4])), (0, 1));
        assert_eq!(of("kick", vec![2, 4]), 0);
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
