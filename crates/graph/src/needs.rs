//! What an entry needs of its context beside its windows: whoever calls it must have that to offer.

use crate::{Id, Late, Op, RegionId, Residual, Space};
use alloc::{vec, vec::Vec};

/// What one entry may use of `abi::context::Context`, whichever way it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Private state.
    pub state: bool,
    /// Memory that the device sees: arena or pool, or the device's address of one.
    pub shared: bool,
    /// The clock: it reads the time, or waits for something with a limit of time.
    pub clock: bool,
    /// It pauses.
    pub pause: bool,
    /// It calls up.
    pub upcalls: bool,
}

impl Residual {
    /// What the entry of this name needs; nothing if there is no such entry.
    pub fn needs(&self, entry: &str) -> Needs {
        let mut needs = Needs::default();
        let found = self.entries.iter().find(|e| e.name == entry);
        let mut regions: Vec<RegionId> = found.map(|e| e.body).into_iter().collect();
        let mut seen = vec![false; self.graph.nodes.len()];
        while let Some(region) = regions.pop() {
            let steps = self.graph.regions.get(region as usize);
            let mut open: Vec<Id> = steps.map_or_else(Vec::new, |r| r.steps.clone());
            while let Some(id) = open.pop() {
                let Some(op) = self.graph.nodes.get(id as usize) else {
                    continue;
                };
                if core::mem::replace(&mut seen[id as usize], true) {
                    continue;
                }
                needs.add(op);
                op.operands(|operand| open.push(operand));
                regions.extend(op.inner().into_iter().flatten());
            }
        }
        needs
    }
}

impl Needs {
    fn add(&mut self, op: &Op) {
        match op {
            Op::Load { space, .. } | Op::Store { space, .. } => match space {
                Space::State => self.state = true,
                Space::Arena | Space::Pool => self.shared = true,
            },
            Op::Late(Late::ArenaDma | Late::PoolDma) => self.shared = true,
            Op::Clock | Op::Await { .. } => self.clock = true,
            Op::Pause(_) => self.pause = true,
            Op::Up { .. } => self.upcalls = true,
            _ => {}
        }
    }
}
