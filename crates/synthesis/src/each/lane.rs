//! Instances by CPU: `each c in cpus`, and `lane`, the CPU at work.
//!
//! What stands inside `each c in cpus` belongs to the CPU that runs the code: its names are seen from outside without an
//! index, its operations are the rule's own, and `init` of each runs on that CPU. `c[k]` is another one's. Where there is
//! one CPU all this is decided when the code is written; else which instance is meant is a late value.

use super::*;
use crate::execute::Flow;
use graph::{BinOp, Late};
use rulebook::tree::ExprKind;

/// The fact of the installer, or of the machine, that says how many CPUs run drivers.
pub const CPUS: &str = "cpus";

/// The fact by which a rule says how many lanes its driver runs, if they may be fewer.
pub const LANES: &str = "lanes";

impl<'a> Specialiser<'a, '_> {
    /// How many CPUs run drivers.
    pub fn cpus(&mut self) -> u64 {
        match self.fact_named(CPUS) {
            // Of more than an `each` can have, the rest run no drivers.
            Some(Value::Num(n)) => self.known_now(n.id).unwrap_or(1).clamp(1, MOST as u64),
            // Neither installer nor machine says: one.
            _ => 1,
        }
    }

    /// How many lanes the driver runs: as many as CPUs, or as the rule says.
    pub fn lanes(&mut self) -> u64 {
        let cpus = self.cpus();
        if cpus == 1 {
            return 1;
        }
        let Some(name) = crate::entries::name_of(self, LANES) else {
            return cpus;
        };
        match self.said(name) {
            Some(n) => self.known_now(n.id).unwrap_or(cpus).clamp(1, cpus),
            None => cpus,
        }
    }

    /// How many lanes of requests the driver runs, where that is more than one: the rule says so.
    pub fn lanes_said(&mut self) -> Option<u64> {
        let name = crate::entries::name_of(self, LANES)?;
        self.said(name)?;
        Some(self.lanes()).filter(|lanes| *lanes > 1)
    }

    /// A number that the rule itself gives: what belongs to a CPU does not say how many there are.
    fn said(&mut self, name: Name) -> Option<Num<'a>> {
        let here = self.here();
        if self.mode.is_counting() {
            return None;
        }
        self.mode.count();
        let said = self.resolve(here, name, Place::default());
        self.mode.counted();
        match said {
            Ok(Value::Num(n)) => Some(n),
            _ => None,
        }
    }

    /// The lane at work. In the first run it is the one that is given, or the first.
    pub fn lane(&mut self) -> Num<'a> {
        if self.is_live() {
            return match self.fact_named("lane") {
                Some(Value::Num(n)) => n,
                _ => self.constant(0),
            };
        }
        let lanes = self.lanes();
        if lanes == 1 {
            return self.constant(0);
        }
        // Whoever calls gives a lane below that; that it cannot be more is plain in the code, too.
        let lane = self.out.b.late(Late::Lane);
        let top = self.out.b.constant(lanes - 1);
        let id = self.out.b.bin(BinOp::Min, lane, top);
        self.node(id, lanes - 1)
    }

    /// Whether an item is `each … in cpus`.
    pub fn per_cpu(&self, item: &Item) -> bool {
        match &item.kind {
            ItemKind::Each { set, .. } => {
                matches!(set.kind, ExprKind::Name(n) if self.text(n) == CPUS)
            }
            _ => false,
        }
    }

    /// The `each … in cpus` of an instance.
    fn cpu_eaches(&self, i: InstanceId) -> Vec<(Name, &'a Item)> {
        let eaches = self.rules.instances[i].eaches.iter();
        let mut all: Vec<_> = eaches.copied().collect();
        all.retain(|(_, item)| self.per_cpu(item));
        all
    }

    /// The instance of the CPU at work.
    pub fn at_work(&mut self, i: InstanceId, name: Name, place: Place) -> Result<InstanceId> {
        let lane = self.lane();
        self.member_of_each(i, name, lane, place)
    }

    /// A name that only what belongs to the CPU at work gives.
    pub fn own_of_lane(
        &mut self,
        i: InstanceId,
        n: Name,
        place: Place,
    ) -> Result<Option<Value<'a>>> {
        if self.mode.is_counting() {
            return Ok(None);
        }
        for (each, _) in self.cpu_eaches(i) {
            let view = self.at_work(i, each, place)?;
            if let Some(value) = self.own(view, n, place)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// Where an operation of the class is: in the instance itself, or in what belongs to the CPU at work.
    pub fn home_of(&mut self, i: InstanceId, operation: Name, place: Place) -> Result<InstanceId> {
        if self.has_routine(i, operation) {
            return Ok(i);
        }
        for (each, _) in self.cpu_eaches(i) {
            let view = self.at_work(i, each, place)?;
            if self.has_routine(view, operation) {
                return Ok(view);
            }
        }
        Ok(i)
    }

    /// What belongs to a CPU that starts after the first comes up: on that CPU.
    pub fn join(&mut self, i: InstanceId) -> Result<Flow> {
        for (owner, name, item) in self.eaches_of(i) {
            if !self.per_cpu(item) || !self.comes_up(owner, item) {
                continue;
            }
            let view = self.at_work(owner, name, item.place)?;
            let flow = self.start_view(view, item)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    /// Whether anything of an instance or of its parts comes up on every CPU.
    pub fn joins(&self, i: InstanceId) -> bool {
        let eaches = self.eaches_of(i);
        (eaches.iter()).any(|(owner, _, item)| self.per_cpu(item) && self.comes_up(*owner, item))
    }
}
