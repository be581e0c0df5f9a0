//! Facts of instances: which of them tell instances apart, and where those are kept that do not.

use super::*;
use graph::{Space, Width};

/// A fact of one instance, by its name inside it.
type Known = (String, machine::Value);

/// Stands for an instance's own number among the facts that decide something.
pub(super) const NUMBER: &str = "#";

impl<'a> Specialiser<'a, '_> {
    /// What was learned about one instance: `blocks`, `io.n`, `q[1].size`, and the value.
    fn learned_of(&self, label: &str) -> Vec<Known> {
        let own = |name: &str| {
            let rest = name.strip_prefix(label)?.strip_prefix('.')?;
            Some(rest.to_string())
        };
        let mut found: Vec<Known> = Vec::new();
        for fact in &self.rules.subject.device.learned {
            // Of what was learned twice, the first counts.
            match own(&fact.name) {
                Some(name) if found.iter().all(|(known, _)| *known != name) => {
                    found.push((name, fact.value.clone()));
                }
                _ => {}
            }
        }
        found
    }

    /// Members whose facts that must be folded are equal, in the order of their first. A member stands for all instances
    /// of its number, one in each instance around it.
    pub(super) fn groups(&self, path: &str, stems: &[String], members: &[u64]) -> Vec<Vec<u64>> {
        let all: Vec<Vec<Vec<Known>>> = (members.iter())
            .map(|m| {
                let known = |stem: &String| self.learned_of(&format!("{stem}[{m}]"));
                stems.iter().map(known).collect()
            })
            .collect();
        let free = |fact: &str, value: &machine::Value| {
            let plain = matches!(value, machine::Value::Number(_) | machine::Value::Flag(_));
            let indexed = fact
                .rsplit('.')
                .next()
                .is_some_and(|k| k.parse::<u64>().is_ok());
            let everywhere = || {
                let mut each = all.iter().flatten();
                each.all(|facts| facts.iter().any(|(f, _)| f == fact))
            };
            plain && !indexed && !self.is_folded(path, fact) && everywhere()
        };
        let mut groups: Vec<(Vec<Vec<Known>>, Vec<u64>)> = Vec::new();
        for (facts, member) in all.iter().zip(members) {
            let mut key = facts.clone();
            for facts in &mut key {
                facts.retain(|(fact, value)| !free(fact, value));
            }
            if self.is_folded(path, NUMBER) {
                let own = (NUMBER.to_string(), machine::Value::Number(*member));
                key.push(alloc::vec![own]);
            }
            match groups.iter_mut().find(|(k, _)| *k == key) {
                Some((_, list)) => list.push(*member),
                None => groups.push((key, alloc::vec![*member])),
            }
        }
        groups.into_iter().map(|(_, list)| list).collect()
    }

    fn is_folded(&self, path: &str, fact: &str) -> bool {
        if !self.rules.folding.is_anything() {
            return false;
        }
        let label = format!("{path}.{}", without_numbers(fact));
        self.rules.folding.has(&label)
    }

    /// Makes room for the facts that differ inside a bank.
    pub(super) fn record_facts(&mut self, bank: &mut Bank<'a>) {
        let all: Vec<_> = bank.labels.iter().map(|l| self.learned_of(l)).collect();
        let Some(facts) = all.first() else { return };
        for (fact, value) in facts {
            // What stands inside another `each` is kept by its banks.
            if fact.contains('[') {
                continue;
            }
            let values: Vec<&machine::Value> = all
                .iter()
                .filter_map(|facts| facts.iter().find(|(f, _)| f == fact))
                .map(|(_, v)| v)
                .collect();
            if values.iter().all(|v| *v == value) {
                continue;
            }
            let values: Vec<u64> = values.iter().filter_map(|v| number(v)).collect();
            let at = self.out.room.reserve_state(8 * values.len() as u64);
            bank.records.push(Record {
                fact: fact.clone(),
                at,
                values,
            });
        }
    }

    /// Stores the facts that differ, at the start of `init`.
    pub fn fill_records(&mut self) {
        let mut stores = Vec::new();
        for record in self.rules.banks.iter().flat_map(|b| b.records.iter()) {
            for (k, value) in record.values.iter().enumerate() {
                stores.push((record.at + 8 * k as u64, *value));
            }
        }
        for (at, value) in stores {
            let (at, value) = (self.constant(at), self.constant(value));
            self.raw_store(Space::State, at, Width::B64, value);
        }
    }

    /// Facts of a view whose position is not known: those that all members share.
    pub fn recall_bank(&mut self, id: InstanceId, bank: usize) {
        let inner = match self.path_in_view(id) {
            "" => String::new(),
            path => format!("{path}."),
        };
        let Some(label) = self.rules.banks[bank].labels.first() else {
            return;
        };
        for (fact, value) in self.learned_of(label) {
            if self.rules.banks[bank]
                .records
                .iter()
                .any(|r| r.fact == fact)
            {
                continue;
            }
            if let Some(rest) = fact.strip_prefix(&inner) {
                self.recall_one(id, rest, &value);
            }
        }
    }

    /// A fact that differs between the members of a bank: loaded from its record.
    pub fn recorded(&mut self, id: InstanceId, name: Name) -> Option<Num<'a>> {
        let (bank, position) = self.rules.instances[id].bank?;
        if self.is_live() || self.out.b.known(position.id).is_some() {
            return None;
        }
        let fact = match self.path_in_view(id) {
            "" => self.text(name).to_string(),
            path => format!("{path}.{}", self.text(name)),
        };
        let (at, most) = {
            let record = self.rules.banks[bank]
                .records
                .iter()
                .find(|r| r.fact == fact)?;
            (record.at, record.values.iter().copied().max()?)
        };
        let offset = self.times(position, 8);
        let at = self.plus(offset, at);
        let n = self.raw_load(Space::State, at, Width::B64);
        let label = format!("{}.{fact}", self.rules.banks[bank].path);
        self.rules.folding.note_load(n.id, label);
        self.entry.proved.at_most(n.id, most);
        let n = self.node(n.id, most);
        match self.typed_fact(id, name, Value::Num(n)) {
            Value::Num(n) => Some(n),
            _ => None,
        }
    }

    pub fn has_records(&self) -> bool {
        self.rules.banks.iter().any(|b| !b.records.is_empty())
    }
}

/// `q[1].size` as `q.size`.
fn without_numbers(fact: &str) -> String {
    let mut inside = false;
    let kept = |c: &char| {
        let keep = !inside && *c != '[';
        inside = (inside || *c == '[') && *c != ']';
        keep
    };
    fact.chars().filter(kept).collect()
}

fn number(value: &machine::Value) -> Option<u64> {
    match value {
        machine::Value::Number(n) => Some(*n),
        machine::Value::Flag(f) => Some(*f as u64),
        _ => None,
    }
}
