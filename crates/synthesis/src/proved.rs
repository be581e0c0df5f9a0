//! What is known of values beyond what their nodes say: what a `check` let through, what a loop's bound or the class
//! promises. It is about nodes, each of which is one value, and never about expressions, which may mean another value
//! when they are looked at again.

use alloc::{collections::BTreeMap, vec, vec::Vec};
use graph::Id;

/// What a comparison means, where its value is not 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Relation {
    /// `low < high`, or `low <= high`
    Less { low: Id, high: Id, equal: bool },
    /// Both of these hold.
    Both(Id, Id),
}

#[derive(Clone, Copy)]
enum Bound {
    Most(u64),
    Least(u64),
    /// Not above this value.
    Below(Id),
}

/// Bounds that hold from here to the end of the region that is open.
#[derive(Default)]
pub struct Proved {
    bounds: Vec<(Id, Bound)>,
    /// By the node that a comparison became. It holds wherever the node is used.
    relations: BTreeMap<Id, Relation>,
}

impl Proved {
    pub fn at_most(&mut self, id: Id, most: u64) {
        self.bounds.push((id, Bound::Most(most)));
    }

    pub fn at_least(&mut self, id: Id, least: u64) {
        self.bounds.push((id, Bound::Least(least)));
    }

    /// The most that a value can be, which is at most `known`.
    pub fn most(&self, id: Id, known: u64) -> u64 {
        let of = self.bounds.iter().filter(|(n, _)| *n == id);
        of.fold(known, |most, (_, bound)| match bound {
            Bound::Most(bound) => most.min(*bound),
            _ => most,
        })
    }

    /// The least that a value can be, which is at least `known`.
    pub fn least(&self, id: Id, known: u64) -> u64 {
        let of = self.bounds.iter().filter(|(n, _)| *n == id);
        of.fold(known, |least, (_, bound)| match bound {
            Bound::Least(bound) => least.max(*bound),
            _ => least,
        })
    }

    pub fn not_above(&mut self, low: Id, high: Id) {
        self.bounds.push((low, Bound::Below(high)));
    }

    /// Whether one value was compared with another, and is not above it.
    pub fn is_not_above(&self, low: Id, high: Id) -> bool {
        let mut of = self.bounds.iter();
        of.any(|(n, bound)| *n == low && matches!(bound, Bound::Below(n) if *n == high))
    }

    /// Remembers what a comparison is about.
    pub fn note(&mut self, id: Id, relation: Relation) {
        if let Relation::Both(a, b) = relation {
            // What it is made of is older: it is no other comparison's other name.
            if a >= id || b >= id {
                return;
            }
        }
        self.relations.insert(id, relation);
    }

    /// The comparisons that all hold where `id` is not 0: the lower and the higher side, and whether they may be equal.
    pub fn comparisons(&self, id: Id) -> Vec<(Id, Id, bool)> {
        let (mut found, mut open) = (Vec::new(), vec![id]);
        while let Some(id) = open.pop() {
            match self.relations.get(&id) {
                Some(Relation::Less { low, high, equal }) => found.push((*low, *high, *equal)),
                Some(Relation::Both(a, b)) => open.extend([*a, *b]),
                None => {}
            }
        }
        found
    }

    pub fn mark(&self) -> usize {
        self.bounds.len()
    }

    pub fn back_to(&mut self, mark: usize) {
        self.bounds.truncate(mark);
    }
}
