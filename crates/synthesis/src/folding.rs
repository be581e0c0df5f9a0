//! Which facts that differ between instances must be folded, at the price of code for each of their values.

use alloc::{collections::BTreeSet, string::String, vec::Vec};
use graph::{Builder, Id};

/// Stands for every fact.
const ALL: &str = "*";

#[derive(Default)]
pub struct Folding {
    /// Facts that are folded, by their path without numbers.
    folded: Vec<String>,
    /// Loads of facts that differ.
    loads: Vec<(Id, String)>,
    /// Values that facts had to decide, and did not.
    undecided: Vec<Id>,
}

impl Folding {
    pub fn of(folded: Vec<String>) -> Folding {
        Folding {
            folded,
            ..Folding::default()
        }
    }

    /// The name under which all facts are folded.
    pub fn all() -> String {
        ALL.into()
    }

    pub fn is_anything(&self) -> bool {
        !self.folded.is_empty()
    }

    pub fn has(&self, fact: &str) -> bool {
        self.folded.iter().any(|f| f == fact || f == ALL)
    }

    /// A node that is the value of a fact which differs.
    pub fn note_load(&mut self, node: Id, fact: String) {
        self.loads.push((node, fact));
    }

    /// Facts had to decide a value, and did not.
    pub fn note_undecided(&mut self, node: Id) {
        self.undecided.push(node);
    }

    /// Facts that differ between instances, and on which something rests that must be known.
    pub fn deciding(&self, b: &Builder) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut stack = self.undecided.clone();
        while let Some(id) = stack.pop() {
            if !seen.insert(id) {
                continue;
            }
            if let Some((_, fact)) = self.loads.iter().find(|(n, _)| *n == id) {
                if !found.contains(fact) {
                    found.push(fact.clone());
                }
                // Its place rests on the position: that decides nothing by itself.
                continue;
            }
            b.op(id).operands(|operand| stack.push(operand));
        }
        found
    }
}
