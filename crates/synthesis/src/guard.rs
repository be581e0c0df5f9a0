//! Items that exist only when a test of facts holds: `when`, `way`, `prefer`.

use crate::instance::{Instance, InstanceId, Specialiser};
use crate::{Error, Result};
use alloc::vec::Vec;
use rulebook::tree::{Expr, Item, ItemKind, Name};

/// Items that exist only when a test of facts holds.
pub struct Guarded<'a> {
    /// None: always, as far as this goes.
    test: Option<&'a Expr>,
    /// Ways that are preferred: it holds only when none of them does. A way without a test always holds.
    before: Vec<Option<&'a Expr>>,
    /// Holds when the test does not (`else` items).
    negated: bool,
    /// The guard around it, which must hold too.
    around: Option<usize>,
    items: Vec<&'a Item>,
    decided: Decision,
}

#[derive(Clone, Copy, PartialEq)]
enum Decision {
    Open,
    /// Being decided right now: its own names do not count.
    Deciding,
    Is(bool),
}

impl<'a> Specialiser<'a, '_> {
    /// The items of a rule: those there always are, and those behind a test.
    pub(crate) fn flatten(
        &mut self,
        items: &'a [Item],
        flat: &mut Vec<&'a Item>,
        guarded: &mut Vec<Guarded<'a>>,
    ) {
        for item in items {
            match &item.kind {
                ItemKind::Way {
                    name,
                    guard,
                    items: own,
                } => {
                    let mut inner = Vec::new();
                    let first = guarded.len();
                    self.flatten(own, &mut inner, guarded);
                    surround(guarded, first);
                    guarded.push(Guarded {
                        around: None,
                        test: guard.as_ref(),
                        before: preferred_to(*name, items),
                        negated: false,
                        items: inner,
                        decided: Decision::Open,
                    });
                }
                ItemKind::When { test, yes, no } => {
                    for (list, negated) in [(yes, false), (no, true)] {
                        if list.is_empty() {
                            continue;
                        }
                        let mut inner = Vec::new();
                        let first = guarded.len();
                        self.flatten(list, &mut inner, guarded);
                        surround(guarded, first);
                        guarded.push(Guarded {
                            around: None,
                            test: Some(test),
                            before: Vec::new(),
                            negated,
                            items: inner,
                            decided: Decision::Open,
                        });
                    }
                }
                ItemKind::Prefer(_) => {}
                ItemKind::Watch { .. } => {
                    self.watched_by(item);
                    flat.push(item);
                }
                _ => flat.push(item),
            }
        }
    }

    /// Items of the instance and of its class, whatever guards them.
    pub fn all_items(&self, id: InstanceId) -> impl Iterator<Item = &'a Item> + '_ {
        let i = &self.rules.instances[id];
        let class = i.class.map(|c| c.items.as_slice()).unwrap_or(&[]);
        i.items
            .iter()
            .copied()
            .chain(i.guarded.iter().flat_map(|g| g.items.iter().copied()))
            .chain(class.iter())
    }

    /// Items of the instance that exist, its own first, those of its class last.
    pub fn items(&mut self, id: InstanceId) -> Vec<&'a Item> {
        self.decide(id);
        let i = &self.rules.instances[id];
        let mut list: Vec<&'a Item> = i.items.clone();
        for (k, g) in i.guarded.iter().enumerate() {
            if i.exists(k) {
                list.extend(g.items.iter().copied());
            }
        }
        if let Some(class) = i.class {
            list.extend(class.items.iter());
        }
        list
    }

    /// Decides the guards that can be decided by now, in passes, until a pass decides none.
    fn decide(&mut self, id: InstanceId) {
        let guards = &self.rules.instances[id].guarded;
        if guards.iter().any(|g| g.decided == Decision::Deciding) {
            // A test looks for a name: what was not tried yet in this pass may give it.
            self.pass(id);
            return;
        }
        while self.pass(id) {
            self.reopen(id);
        }
        self.reopen(id);
    }

    /// Tries each guard that is open once; whether any was decided. Those that were not count as being decided until the
    /// pass is over: tried again inside of each other they would take as long as there are orders to try them in.
    fn pass(&mut self, id: InstanceId) -> bool {
        let mut progress = false;
        for k in 0..self.rules.instances[id].guarded.len() {
            if self.rules.instances[id].guarded[k].decided != Decision::Open {
                continue;
            }
            self.rules.instances[id].guarded[k].decided = Decision::Deciding;
            let (test, before, negated) = {
                let g = &self.rules.instances[id].guarded[k];
                (g.test, g.before.clone(), g.negated)
            };
            self.enter(id, Vec::new());
            let holds = self.way_holds(test, &before);
            self.leave();
            if let Some(holds) = holds {
                self.rules.instances[id].guarded[k].decided = Decision::Is(holds != negated);
                progress = true;
            }
        }
        progress
    }

    fn reopen(&mut self, id: InstanceId) {
        for guard in &mut self.rules.instances[id].guarded {
            if guard.decided == Decision::Deciding {
                guard.decided = Decision::Open;
            }
        }
    }

    /// Whether a test holds and none before it does; `None` while that is not known.
    fn way_holds(&mut self, test: Option<&'a Expr>, before: &[Option<&'a Expr>]) -> Option<bool> {
        let mut holds = true;
        let tests = before.iter().map(|t| (*t, false)).chain([(test, true)]);
        for (test, wanted) in tests {
            let value = match test {
                Some(test) => {
                    let n = self.exact_number(test).ok()?;
                    self.decided(n.id)? != 0
                }
                None => true,
            };
            holds &= value == wanted;
        }
        Some(holds)
    }

    /// The item of the instance (or its class) that a predicate picks.
    pub fn find_item(
        &mut self,
        id: InstanceId,
        mut wanted: impl FnMut(&'a ItemKind) -> bool,
    ) -> Option<&'a Item> {
        if let Some(item) = self.rules.instances[id]
            .items
            .iter()
            .copied()
            .find(|i| wanted(&i.kind))
        {
            return Some(item);
        }
        self.items(id).into_iter().find(|i| wanted(&i.kind))
    }

    /// Whether the instance, or its class, has a routine of this name that does something.
    pub fn has_routine(&mut self, id: InstanceId, name: Name) -> bool {
        self.find_item(
            id,
            |k| matches!(k, ItemKind::Routine(r) if r.name == name && r.body.is_some()),
        )
        .is_some()
    }

    /// Whether a guard of a routine holds; none is true.
    pub fn guard_holds(&mut self, id: InstanceId, guard: Option<&'a Expr>) -> Result<bool> {
        let Some(test) = guard else { return Ok(true) };
        self.enter(id, Vec::new());
        let outcome = self.fact_test(test);
        self.leave();
        outcome
    }

    /// A test that facts must decide.
    pub fn fact_test(&mut self, test: &'a Expr) -> Result<bool> {
        let n = self.exact_number(test)?;
        self.decided(n.id).map(|v| v != 0).ok_or_else(|| {
            Error::new(
                test.place,
                "`when` tests something that is not a fact",
                "learn it first, or use `if`",
            )
        })
    }
}

/// The guards from `first` on stand inside the one that comes next.
fn surround(guarded: &mut [Guarded], first: usize) {
    let next = guarded.len();
    for inner in guarded.iter_mut().skip(first) {
        inner.around.get_or_insert(next);
    }
}

impl Instance<'_> {
    /// Whether a guard and all around it hold.
    fn exists(&self, at: usize) -> bool {
        let mut at = Some(at);
        while let Some(guard) = at.and_then(|k| self.guarded.get(k)) {
            if guard.decided != Decision::Is(true) {
                return false;
            }
            at = guard.around;
        }
        true
    }
}

/// The tests of the ways that `prefer` names before this one.
fn preferred_to(name: Name, items: &[Item]) -> Vec<Option<&Expr>> {
    let order = items.iter().find_map(|item| match &item.kind {
        ItemKind::Prefer(names) => Some(names),
        _ => None,
    });
    let Some(order) = order else {
        return Vec::new();
    };
    let mut before = Vec::new();
    for earlier in order.iter().take_while(|n| **n != name) {
        for item in items {
            match &item.kind {
                ItemKind::Way { name, guard, .. } if name == earlier => before.push(guard.as_ref()),
                _ => {}
            }
        }
    }
    match order.contains(&name) {
        true => before,
        false => Vec::new(),
    }
}
