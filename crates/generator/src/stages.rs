//! How long each step took.

use crate::Ground;
use alloc::{
    string::{String, ToString},
    vec::Vec,
};

/// Ticks by stage, in the order in which the stages were first passed.
#[derive(Default)]
pub struct Stages {
    list: Vec<(String, u64)>,
    last: u64,
}

impl Stages {
    /// `ticks`: when the first stage began.
    pub fn start(ticks: u64) -> Stages {
        Stages {
            list: Vec::new(),
            last: ticks,
        }
    }

    /// What passed since the last call belongs to this stage.
    pub fn passed(&mut self, ground: &mut impl Ground, stage: &str) {
        self.passed_at(ground.ticks(), stage);
    }

    /// The same, where the caller read the counter.
    pub fn passed_at(&mut self, now: u64, stage: &str) {
        let passed = now.saturating_sub(self.last);
        self.last = now;
        match self.list.iter_mut().find(|(name, _)| name == stage) {
            Some((_, sum)) => *sum += passed,
            None => self.list.push((stage.to_string(), passed)),
        }
    }

    /// The stages, where `ticks` of the counter are `amount` of the unit that the caller tells them in.
    pub fn told(&self, amount: u64, ticks: u64) -> Vec<(String, u64)> {
        let of = |passed: u64| {
            let told = u128::from(passed) * u128::from(amount) / u128::from(ticks.max(1));
            u64::try_from(told).unwrap_or(u64::MAX)
        };
        let list = self.list.iter();
        list.map(|(name, passed)| (name.clone(), of(*passed)))
            .collect()
    }
}
