//! `fail NAME when RING rests TIME`: the entry `watch`, which the pump calls from time to time while something is
//! outstanding.
//!
//! A watch keeps two words: how often something came back when it last looked, and since when nothing has (0: nothing is
//! waited for). Rings count by themselves; slots that are watched count how often one was freed.

use crate::execute::Flow;
use crate::instance::{InstanceId, Specialiser};
use crate::value::{Kind, Num, Spot, Value};
use crate::{Error, Result};
use abi::status;
use alloc::{format, vec::Vec};
use graph::{BinOp, Op, Space, Width};
use rulebook::tree::{Expr, ExprKind, Item, ItemKind, Name, Place};

impl<'a> Specialiser<'a, '_> {
    /// Remembers which slots have to count.
    pub fn watched_by(&mut self, item: &'a Item) {
        let ItemKind::Watch { what, .. } = &item.kind else {
            return;
        };
        let watched = match &what.kind {
            ExprKind::Name(n) => (None, *n),
            ExprKind::Dot(part, n) => match part.kind {
                ExprKind::Name(part) => (Some(part), *n),
                _ => (None, *n),
            },
            _ => return,
        };
        if !self.rules.watched.contains(&watched) {
            self.rules.watched.push(watched);
        }
    }

    /// The watches of an instance, in the entry being written.
    pub fn watches(&mut self, i: InstanceId, now: Num<'a>) -> Result<()> {
        let items: Vec<&'a Item> = self.items(i);
        for item in items {
            if let ItemKind::Watch {
                failure,
                what,
                time,
            } = &item.kind
            {
                self.watch(i, *failure, what, time, now)?;
            }
        }
        let parts: Vec<InstanceId> = self.rules.instances[i]
            .parts
            .iter()
            .map(|(_, p)| *p)
            .collect();
        for part in parts {
            self.watches(part, now)?;
        }
        Ok(())
    }

    /// Fails when something is lent, nothing came back since the last look, and that look is `time` ago.
    fn watch(
        &mut self,
        i: InstanceId,
        failure: Name,
        what: &'a Expr,
        time: &'a Expr,
        now: Num<'a>,
    ) -> Result<()> {
        let limit = self.fact_number(i, time)?;
        self.enter(i, Vec::new());
        let value = self.value(what);
        self.leave();
        let (lent, came) = match value? {
            Value::Ring(of, ring) => self.ring_progress(of, ring, what.place)?,
            Value::Slots(of, slots) => self.slots_progress(of, slots, what.place)?,
            _ => {
                return Err(Error::new(
                    what.place,
                    "only rings and slots rest",
                    "name a `ring` or `slots`",
                ))
            }
        };
        // Names of their own beside the failure's: no text has them.
        let key = Name(failure.0 | 0x2000);
        let cell = self.memory(i, key, |s| Ok(s.state_spot(words(2))))?;
        let since_at = self.plus(cell.at, 8);
        let last = self.raw_load(Space::State, cell.at, Width::B64);
        let since = self.raw_load(Space::State, since_at, Width::B64);
        let zero = self.constant(0);
        let moved = self.out.b.bin(BinOp::Ne, last.id, came.id);
        let fresh = self.out.b.bin(BinOp::Eq, since.id, zero.id);
        let anew = self.out.b.bin(BinOp::Or, moved, fresh);
        let anew = self.node(anew, 1);
        let failed = self.failure_number(failure);
        self.branch(
            lent,
            |s| {
                s.branch(
                    anew,
                    |s| {
                        s.raw_store(Space::State, cell.at, Width::B64, came);
                        s.raw_store(Space::State, since_at, Width::B64, now);
                        Ok(Flow::Next)
                    },
                    |s| {
                        let passed = s.out.b.bin(BinOp::Sub, now.id, since.id);
                        let limit = s.out.b.constant(limit);
                        let late = s.out.b.bin(BinOp::Le, limit, passed);
                        let late = s.node(late, 1);
                        s.branch(
                            late,
                            |s| {
                                s.raw_store(Space::State, since_at, Width::B64, zero);
                                s.enter(i, Vec::new());
                                let remembered = s.remember_failed();
                                s.leave();
                                remembered?;
                                s.finish(status::FAIL + failed)
                            },
                            |_| Ok(Flow::Next),
                        )
                    },
                )
            },
            |s| {
                s.raw_store(Space::State, since_at, Width::B64, zero);
                Ok(Flow::Next)
            },
        )?;
        Ok(())
    }

    /// Whether any slot is taken, and how many were freed so far.
    fn slots_progress(
        &mut self,
        i: InstanceId,
        slots: Name,
        place: Place,
    ) -> Result<(Num<'a>, Num<'a>)> {
        let busy = self.busy_set(i, slots, place)?;
        let some = self.truth(busy);
        let freed = self.freed_cell(i, slots)?;
        Ok((some, self.raw_load(Space::State, freed.at, Width::B64)))
    }

    fn freed_cell(&mut self, i: InstanceId, slots: Name) -> Result<Spot<'a>> {
        let key = Name(slots.0 | 0x6000);
        self.memory(i, key, |s| Ok(s.state_spot(words(1))))
    }

    /// A slot was freed.
    pub fn count_freed(&mut self, i: InstanceId, slots: Name) -> Result<()> {
        // By name, as it is not known yet which instance a rule's words are about.
        let known = |part: Name| {
            self.rules
                .instances
                .iter()
                .any(|x| x.parts.contains(&(part, i)))
        };
        let meant =
            |watched: &(Option<Name>, Name)| watched.1 == slots && watched.0.is_none_or(known);
        if self.is_live() || !self.rules.watched.iter().any(meant) {
            return Ok(());
        }
        let cell = self.freed_cell(i, slots)?;
        let n = self.raw_load(Space::State, cell.at, Width::B64);
        let one = self.out.b.constant(1);
        let id = self.out.b.bin(BinOp::Add, n.id, one);
        let next = self.node(id, u64::MAX);
        self.raw_store(Space::State, cell.at, Width::B64, next);
        Ok(())
    }

    /// The time, in the entry being written.
    pub fn clock_now(&mut self) -> Num<'a> {
        let id = self.out.b.step(Op::Clock);
        self.node(id, u64::MAX)
    }

    // ---- `those k in SET where TEST`

    /// The numbers of a set for which a test holds. In code that is written, the test must be one of facts.
    pub fn those(
        &mut self,
        name: Name,
        set: &'a Expr,
        test: &'a Expr,
        place: Place,
    ) -> Result<Value<'a>> {
        let mut list = Vec::new();
        for (k, holds) in self.those_tests(name, set, test)? {
            match self.decided(holds.id) {
                Some(0) => {}
                Some(_) => list.push(Value::Num(self.constant(k))),
                None => {
                    return Err(Error::new(
                        place,
                        "which of them it holds for is known only while the driver runs",
                        format!("learn it: `learn {}s = those …`", self.text(name)),
                    ))
                }
            }
        }
        Ok(Value::List(list))
    }

    /// Each number of the set, and whether the test holds for it.
    pub fn those_tests(
        &mut self,
        name: Name,
        set: &'a Expr,
        test: &'a Expr,
    ) -> Result<Vec<(u64, Num<'a>)>> {
        let value = self.value(set)?;
        let mut out = Vec::new();
        for k in self.numbers_of(value, set.place)? {
            self.tick(test.place)?;
            let number = self.constant(k);
            let binding = crate::instance::Binding::Value(Value::Num(number));
            self.entry.scopes.push((name, binding));
            let holds = self.condition(test);
            self.entry.scopes.pop();
            out.push((k, holds?));
        }
        Ok(out)
    }
}

fn words<'a>(count: u64) -> Kind<'a> {
    let one = Kind::number(64);
    Kind::row(one, count)
}
