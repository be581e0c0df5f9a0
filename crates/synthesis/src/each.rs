//! `each p in SET`: several instances of one function, and one piece of code for those that facts do not tell apart.
//!
//! The instances of an `each` fall into *banks*: members whose deciding facts are equal. A bank has one set of memory
//! items, each reserved once a member at a fixed stride, and the code of its members is written once: its position in
//! the bank is a value, like an argument. Facts that differ inside a bank and decide nothing stay in a record in private
//! state, which `init` fills. A *view* is an instance of the rule's items for one position, known or not.

use crate::execute::Flow;
use crate::instance::{Exit, InstanceId, Specialiser};
use crate::value::{Kind, Num, Spot, Value};
use crate::{Error, Result};
use abi::status;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use graph::{BinOp, Id, Op, Space, Width};
use rulebook::tree::{Event, Item, ItemKind, Name, Place, Stmt};

/// A fact of one instance, by its name inside it.
type Known = (String, machine::Value);

/// Stands for an instance's own number among the facts that decide something.
const NUMBER: &str = "#";

/// Most instances of one `each`.
pub const MOST: usize = 64;

/// Members of an `each` that share their code.
pub struct Bank<'a> {
    pub owner: InstanceId,
    pub name: Name,
    item: &'a Item,
    /// The numbers in the set.
    pub members: Vec<u64>,
    /// How many members of the same `each` stand in banks before.
    pub first: usize,
    storage: Vec<Stored<'a>>,
    records: Vec<Record>,
    views: Vec<(Id, InstanceId)>,
}

/// Memory of one name, for all members.
struct Stored<'a> {
    /// Which instance inside the view: its label behind the view's.
    path: String,
    name: Name,
    spot: Spot<'a>,
    stride: u64,
}

/// A fact that differs inside the bank.
struct Record {
    /// `blocks`, `io.n`
    fact: String,
    /// Offset in state; a word a member.
    at: u64,
    values: Vec<u64>,
}

impl<'a> Specialiser<'a, '_> {
    /// The item of an `each` and its instances' items.
    fn each_item(&self, i: InstanceId, name: Name, place: Place) -> Result<&'a Item> {
        let found = self.instances[i].eaches.iter().find(|(n, _)| *n == name);
        found.map(|(_, item)| *item).ok_or_else(|| {
            Error::new(
                place,
                format!("there is no `each {}`", self.text(name)),
                "declare it with `each … in …`",
            )
        })
    }

    /// The banks of an `each`: made when first asked for, from what is known by then.
    pub fn banks_of(&mut self, i: InstanceId, name: Name, place: Place) -> Result<Vec<usize>> {
        let there: Vec<usize> = (0..self.banks.len())
            .filter(|b| self.banks[*b].owner == i && self.banks[*b].name == name)
            .collect();
        if !there.is_empty() {
            return Ok(there);
        }
        let item = self.each_item(i, name, place)?;
        if self.instances[i].bank.is_some() || !self.instances[i].rule.parameters.is_empty() {
            return Err(Error::new(
                item.place,
                "an `each` inside an `each` or a part",
                "count them through in one `each` of the rule: `each u in 0..4`, with `u / 2` for the outer one",
            ));
        }
        let members = self.members_now(i, item)?;
        let groups = if self.is_live() {
            alloc::vec![members]
        } else {
            self.groups(i, name, &members)
        };
        let mut first = 0;
        let mut made = Vec::new();
        for members in groups {
            let count = members.len();
            let mut bank = Bank {
                owner: i,
                name,
                item,
                members,
                first,
                storage: Vec::new(),
                records: Vec::new(),
                views: Vec::new(),
            };
            if !self.is_live() {
                self.record_facts(&mut bank);
            }
            first += count;
            self.banks.push(bank);
            made.push(self.banks.len() - 1);
        }
        Ok(made)
    }

    /// The numbers in the set, or those that the first run kept.
    fn members_now(&mut self, i: InstanceId, item: &'a Item) -> Result<Vec<u64>> {
        let ItemKind::Each {
            name, set, filter, ..
        } = &item.kind
        else {
            return Ok(Vec::new());
        };
        if filter.is_some() && !self.is_live() {
            let label = format!("{}{}", self.prefix(i), self.text(*name));
            return match self
                .subject
                .device
                .learned
                .iter()
                .find(|f| f.name == label)
                .map(|f| &f.value)
            {
                Some(machine::Value::Bytes(list)) => Ok(list.iter().map(|b| *b as u64).collect()),
                Some(machine::Value::Numbers(list)) => Ok(list.clone()),
                _ => Err(Error::new(
                    item.place,
                    format!(
                        "which `{}` there are was not learned in the first run",
                        self.text(*name)
                    ),
                    "run `init` on the device first",
                )),
            };
        }
        self.enter(i, Vec::new());
        let value = self.value(set);
        self.leave();
        let members = self.numbers_of(value?, set.place)?;
        if members.len() > MOST {
            return Err(Error::new(
                set.place,
                format!("{} instances of `{}`", members.len(), self.text(*name)),
                format!("use at most {MOST}: `0..min(n, {MOST})`"),
            ));
        }
        Ok(members)
    }

    /// A set whose elements facts decide.
    pub fn numbers_of(&mut self, value: Value<'a>, place: Place) -> Result<Vec<u64>> {
        let unknown = || {
            Error::new(
                place,
                "what is in this set is not known when the code is written",
                "learn its bounds or its list first",
            )
        };
        match value {
            Value::Range(lo, hi) => {
                let (lo, hi) = (self.decided(lo.id), self.decided(hi.id));
                let (lo, hi) = (lo.ok_or_else(unknown)?, hi.ok_or_else(unknown)?);
                Ok((lo..hi.min(lo.saturating_add(4096))).collect())
            }
            Value::SetBits(mask) => {
                let mask = self.decided(mask.id).ok_or_else(unknown)?;
                Ok((0..64).filter(|k| mask >> k & 1 == 1).collect())
            }
            Value::List(list) => {
                let mut out = Vec::new();
                for v in list {
                    let Value::Num(n) = v else {
                        return Err(unknown());
                    };
                    out.push(self.decided(n.id).ok_or_else(unknown)?);
                }
                Ok(out)
            }
            Value::Each(i, name) => self.members(i, name, place),
            _ => Err(Error::new(
                place,
                "this is no set",
                "write `a..b`, `bits(mask)`, or a list that was learned",
            )),
        }
    }

    /// The numbers of all instances of an `each`, bank after bank.
    pub fn members(&mut self, i: InstanceId, name: Name, place: Place) -> Result<Vec<u64>> {
        let banks = self.banks_of(i, name, place)?;
        let all = banks.iter().flat_map(|b| self.banks[*b].members.iter());
        Ok(all.copied().collect())
    }

    /// What was learned about one member: `blocks`, `io.n`, and the value.
    fn learned_of(&self, i: InstanceId, name: Name, member: u64) -> Vec<Known> {
        let label = format!("{}{}[{member}].", self.prefix(i), self.text(name));
        let learned = self.subject.device.learned.iter();
        learned
            .filter_map(|f| Some((f.name.strip_prefix(&label)?.to_string(), f.value.clone())))
            .collect()
    }

    /// Members whose facts that must be folded are equal, in the order of their first.
    fn groups(&self, i: InstanceId, name: Name, members: &[u64]) -> Vec<Vec<u64>> {
        let all: Vec<_> = members
            .iter()
            .map(|m| self.learned_of(i, name, *m))
            .collect();
        let free = |fact: &str, value: &machine::Value| {
            let plain = matches!(value, machine::Value::Number(_) | machine::Value::Flag(_));
            let indexed = fact
                .rsplit('.')
                .next()
                .is_some_and(|k| k.parse::<u64>().is_ok());
            let everywhere = all.iter().all(|facts| facts.iter().any(|(f, _)| f == fact));
            plain && !indexed && everywhere && !self.is_folded(name, fact)
        };
        let mut groups: Vec<(Vec<Known>, Vec<u64>)> = Vec::new();
        for (facts, member) in all.iter().zip(members) {
            let mut key = facts.clone();
            key.retain(|(fact, value)| !free(fact, value));
            if self.is_folded(name, NUMBER) {
                key.push((NUMBER.to_string(), machine::Value::Number(*member)));
            }
            match groups.iter_mut().find(|(k, _)| *k == key) {
                Some((_, list)) => list.push(*member),
                None => groups.push((key, alloc::vec![*member])),
            }
        }
        groups.into_iter().map(|(_, list)| list).collect()
    }

    fn is_folded(&self, each: Name, fact: &str) -> bool {
        let label = format!("{}.{fact}", self.text(each));
        self.folded.iter().any(|f| *f == label || f == "*")
    }

    /// Makes room for the facts that differ inside a bank.
    fn record_facts(&mut self, bank: &mut Bank<'a>) {
        let all: Vec<_> = bank
            .members
            .iter()
            .map(|m| self.learned_of(bank.owner, bank.name, *m))
            .collect();
        let Some(facts) = all.first() else { return };
        for (fact, value) in facts {
            let values: Vec<&machine::Value> = all
                .iter()
                .filter_map(|facts| facts.iter().find(|(f, _)| f == fact))
                .map(|(_, v)| v)
                .collect();
            if values.iter().all(|v| *v == value) {
                continue;
            }
            let values: Vec<u64> = values.iter().filter_map(|v| number(v)).collect();
            let spot = self.state_spot(word(values.len() as u64));
            let at = self.b.known(spot.at.id).unwrap_or(0);
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
        for record in self.banks.iter().flat_map(|b| b.records.iter()) {
            for (k, value) in record.values.iter().enumerate() {
                stores.push((record.at + 8 * k as u64, *value));
            }
        }
        for (at, value) in stores {
            let (at, value) = (self.constant(at), self.constant(value));
            self.raw_store(Space::State, at, Width::B64, value);
        }
    }

    /// The instance for one position of a bank.
    pub fn view(&mut self, bank: usize, position: Num<'a>) -> Result<InstanceId> {
        let seen = self.banks[bank].views.iter();
        if let Some((_, view)) = seen.clone().find(|(id, _)| *id == position.id) {
            return Ok(*view);
        }
        let (owner, name, item) = {
            let b = &self.banks[bank];
            (b.owner, b.name, b.item)
        };
        let ItemKind::Each { items, .. } = &item.kind else {
            return Ok(owner);
        };
        let number = self.member_number(bank, position);
        if self.b.known(number.id).is_none() {
            let label = format!("{}.{NUMBER}", self.text(name));
            self.record_loads.push((number.id, label));
        }
        let (prefix, text) = (self.prefix(owner), self.text(name));
        let label = match self.b.known(position.id) {
            Some(_) => {
                let member = self.b.known(number.id).unwrap_or(0);
                format!("{prefix}{text}[{member}]")
            }
            None => format!("{prefix}{text}[*]"),
        };
        let rule = self.instances[owner].rule;
        let id = self.instantiate(label, rule, items, Some(owner), Some((bank, position)))?;
        self.instances[id]
            .parameters
            .push((name, Value::Num(number)));
        self.instances[id].upper = self.instances[owner].upper;
        self.banks[bank].views.push((position.id, id));
        self.use_parts(id)?;
        Ok(id)
    }

    /// The number in the set that stands at a position.
    fn member_number(&mut self, bank: usize, position: Num<'a>) -> Num<'a> {
        let members = self.banks[bank].members.clone();
        if let Some(at) = self.b.known(position.id) {
            let member = members.get(at as usize).copied().unwrap_or(0);
            return self.constant(member);
        }
        let first = members.first().copied().unwrap_or(0);
        let last = members.iter().copied().max().unwrap_or(0);
        let row = members.iter().zip(first..).all(|(m, k)| *m == k);
        if row {
            return self.plus(position, first);
        }
        let mut id = self.b.constant(last);
        for (k, member) in members.iter().enumerate().rev() {
            let (at, value) = (self.b.constant(k as u64), self.b.constant(*member));
            let here = self.b.bin(BinOp::Eq, position.id, at);
            id = self.b.select(here, value, id);
        }
        self.node(id, last)
    }

    /// `p[k]`: k is a number in the set.
    pub fn member_of_each(
        &mut self,
        i: InstanceId,
        name: Name,
        k: Num<'a>,
        place: Place,
    ) -> Result<InstanceId> {
        let banks = self.banks_of(i, name, place)?;
        let text = self.text(name);
        if let Some(member) = self.b.known(k.id) {
            for b in banks {
                let at = self.banks[b].members.iter().position(|m| *m == member);
                if let Some(at) = at {
                    let position = self.constant(at as u64);
                    return self.view(b, position);
                }
            }
            return Err(Error::new(
                place,
                format!("there is no `{text}[{member}]`"),
                format!("loop over those there are: `for x in {text}`"),
            ));
        }
        let [bank] = banks[..] else {
            return Err(Error::new(
                place,
                format!("facts tell the instances of `{text}` apart, so that a number cannot choose one at run time"),
                format!("loop over them: `for x in {text}`"),
            ));
        };
        let members = &self.banks[bank].members;
        let (first, count) = (members.first().copied().unwrap_or(0), members.len() as u64);
        let row = members.iter().zip(first..).all(|(m, n)| *m == n);
        let from = self.b.constant(first);
        let id = self.b.bin(BinOp::Sub, k.id, from);
        let position = if first == 0 {
            k
        } else if self.least(k) >= first {
            self.node(id, k.most.saturating_sub(first))
        } else {
            self.node(id, u64::MAX)
        };
        if !row || position.most >= count {
            return Err(Error::new(
                place,
                format!(
                    "the number can be {}, and `{text}` has {first}..{}",
                    crate::place::bound_text(k.most),
                    first + count
                ),
                format!("check it first, or loop over them: `for x in {text}`"),
            ));
        }
        self.view(bank, position)
    }

    /// Runs `each` for every bank of an `each`: once for a member alone, in a loop for several.
    pub fn for_views(
        &mut self,
        i: InstanceId,
        name: Name,
        place: Place,
        mut each: impl FnMut(&mut Self, InstanceId) -> Result<Flow>,
    ) -> Result<Flow> {
        for bank in self.banks_of(i, name, place)? {
            let count = self.banks[bank].members.len() as u64;
            if count == 1 || self.is_live() {
                for k in 0..count {
                    if !self.is_member(bank, k) {
                        continue;
                    }
                    let position = self.constant(k);
                    let view = self.view(bank, position)?;
                    let exit = Exit {
                        depth: 0,
                        nest: self.nest,
                        result: None,
                    };
                    match self.in_loop(exit, |s| each(s, view))? {
                        Flow::Next => {}
                        Flow::Break => return Ok(Flow::Next),
                        flow => return Ok(flow),
                    }
                }
                continue;
            }
            self.for_bank(bank, &mut each)?;
        }
        Ok(Flow::Next)
    }

    /// The same for one bank, whose members are several.
    pub fn for_bank(
        &mut self,
        bank: usize,
        each: &mut dyn FnMut(&mut Self, InstanceId) -> Result<Flow>,
    ) -> Result<Flow> {
        let count = self.banks[bank].members.len() as u64;
        let slot = self.b.new_local();
        let zero = self.b.constant(0);
        self.b.step(Op::SetLocal(slot, zero));
        let count = self.constant(count);
        self.looped(count, |s| {
            let id = s.b.step(Op::Local(slot));
            s.narrowed.push((id, count.most - 1));
            let position = s.node(id, count.most - 1);
            let next = s.plus(position, 1);
            s.b.step(Op::SetLocal(slot, next.id));
            let view = s.view(bank, position)?;
            each(s, view)
        })?;
        Ok(Flow::Next)
    }

    /// In the first run: whether the filter kept it.
    fn is_member(&self, bank: usize, position: u64) -> bool {
        self.dropped
            .iter()
            .all(|(b, p)| (*b, *p) != (bank, position))
    }

    /// `for x in p`
    pub fn for_each(
        &mut self,
        names: &'a [Name],
        i: InstanceId,
        name: Name,
        body: &'a [Stmt],
        place: Place,
    ) -> Result<Flow> {
        self.for_views(i, name, place, |s, view| {
            let scope = s.scopes.len();
            let binding = crate::instance::Binding::Value(Value::Instance(view));
            s.scopes.push((names[0], binding));
            let flow = s.block(body);
            s.scopes.truncate(scope);
            flow
        })
    }

    /// Runs `work` for the instance that a number among all of an `each` names; the number is below their count.
    pub fn for_unit(
        &mut self,
        i: InstanceId,
        name: Name,
        unit: Num<'a>,
        place: Place,
        work: &mut dyn FnMut(&mut Self, InstanceId) -> Result<Flow>,
    ) -> Result<Flow> {
        let banks = self.banks_of(i, name, place)?;
        self.among(&banks, unit, work)
    }

    fn among(
        &mut self,
        banks: &[usize],
        unit: Num<'a>,
        work: &mut dyn FnMut(&mut Self, InstanceId) -> Result<Flow>,
    ) -> Result<Flow> {
        let Some((bank, rest)) = banks.split_first() else {
            return Ok(Flow::Next);
        };
        let (first, count) = {
            let b = &self.banks[*bank];
            (b.first as u64, b.members.len() as u64)
        };
        let run = |s: &mut Self, work: &mut dyn FnMut(&mut Self, InstanceId) -> Result<Flow>| {
            let position = if count == 1 {
                s.constant(0)
            } else {
                // The caller gives a number below the count; that it cannot be more is plain in the code, too.
                let from = s.b.constant(first);
                let at = s.b.bin(BinOp::Sub, unit.id, from);
                let top = s.b.constant(count - 1);
                let id = s.b.bin(BinOp::Min, at, top);
                s.node(id, count - 1)
            };
            let view = s.view(*bank, position)?;
            let flow = work(s, view)?;
            if core::mem::take(&mut s.unreachable) {
                return Ok(Flow::Ended);
            }
            Ok(flow)
        };
        if rest.is_empty() {
            return run(self, work);
        }
        let end = self.b.constant(first + count);
        let id = self.b.bin(BinOp::Lt, unit.id, end);
        let mine = self.node(id, 1);
        let scope = self.scopes.len();
        if let Some(known) = self.b.known(mine.id) {
            return match known {
                0 => self.among(rest, unit, work),
                _ => run(self, work),
            };
        }
        self.region_open();
        let a = run(self, work)?;
        self.scopes.truncate(scope);
        let yes = self.region_close();
        self.region_open();
        let b = self.among(rest, unit, work)?;
        self.scopes.truncate(scope);
        let no = self.region_close();
        self.b.step(Op::If {
            cond: mine.id,
            yes,
            no,
        });
        Ok(if a != Flow::Next && b != Flow::Next {
            Flow::Ended
        } else {
            Flow::Next
        })
    }

    // ---- memory and facts of a view

    /// The label of an instance behind that of the view it belongs to: empty, or `io`.
    fn path_in_view(&self, id: InstanceId) -> &str {
        let label = &self.instances[id].label;
        let rest = label.split_once(']').map_or("", |(_, rest)| rest);
        rest.strip_prefix('.').unwrap_or(rest)
    }

    /// Memory of a name, for the member at hand.
    pub fn banked(
        &mut self,
        id: InstanceId,
        name: Name,
        bank: usize,
        position: Num<'a>,
        make: impl FnOnce(&mut Self) -> Result<Spot<'a>>,
    ) -> Result<Spot<'a>> {
        let path = self.path_in_view(id).to_string();
        let known = self.banks[bank]
            .storage
            .iter()
            .position(|s| s.name == name && s.path == path);
        let at = match known {
            Some(at) => at,
            None => {
                self.copies = self.banks[bank].members.len() as u64;
                let spot = make(self);
                self.copies = 1;
                let (spot, stride) = (spot?, self.stride);
                self.banks[bank].storage.push(Stored {
                    path,
                    name,
                    spot,
                    stride,
                });
                self.banks[bank].storage.len() - 1
            }
        };
        let (spot, stride) = {
            let stored = &self.banks[bank].storage[at];
            (stored.spot.clone(), stored.stride)
        };
        let offset = self.times(position, stride);
        let at = self.sum(spot.at, offset);
        Ok(Spot { at, ..spot })
    }

    /// Facts of a view whose position is not known: those that all members share.
    pub fn recall_bank(&mut self, id: InstanceId, bank: usize, _position: Num<'a>) {
        let inner = match self.path_in_view(id) {
            "" => String::new(),
            path => format!("{path}."),
        };
        let (owner, name, member) = {
            let b = &self.banks[bank];
            (b.owner, b.name, b.members.first().copied().unwrap_or(0))
        };
        for (fact, value) in self.learned_of(owner, name, member) {
            if self.banks[bank].records.iter().any(|r| r.fact == fact) {
                continue;
            }
            if let Some(rest) = fact.strip_prefix(&inner) {
                self.recall_one(id, rest, &value);
            }
        }
    }

    /// A fact that differs between the members of a bank: loaded from its record.
    pub fn recorded(&mut self, id: InstanceId, name: Name) -> Option<Num<'a>> {
        let (bank, position) = self.instances[id].bank?;
        if self.is_live() || self.b.known(position.id).is_some() {
            return None;
        }
        let fact = match self.path_in_view(id) {
            "" => self.text(name).to_string(),
            path => format!("{path}.{}", self.text(name)),
        };
        let (at, most) = {
            let record = self.banks[bank].records.iter().find(|r| r.fact == fact)?;
            (record.at, record.values.iter().copied().max().unwrap_or(0))
        };
        let offset = self.times(position, 8);
        let at = self.plus(offset, at);
        let n = self.raw_load(Space::State, at, Width::B64);
        let label = format!("{}.{fact}", self.text(self.banks[bank].name));
        self.record_loads.push((n.id, label));
        self.narrowed.push((n.id, most));
        let n = self.node(n.id, most);
        match self.typed_fact(id, name, Value::Num(n)) {
            Value::Num(n) => Some(n),
            _ => None,
        }
    }

    /// Facts that differ between instances, and on which something rests that must be known.
    pub fn deciding_facts(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut seen = alloc::collections::BTreeSet::new();
        let mut stack = self.undecided.clone();
        while let Some(id) = stack.pop() {
            if !seen.insert(id) {
                continue;
            }
            if let Some((_, fact)) = self.record_loads.iter().find(|(n, _)| *n == id) {
                if !found.contains(fact) {
                    found.push(fact.clone());
                }
                // Its place rests on the position: that decides nothing by itself.
                continue;
            }
            self.b.op(id).operands(|operand| stack.push(operand));
        }
        found
    }

    pub fn has_records(&self) -> bool {
        self.banks.iter().any(|b| !b.records.is_empty())
    }

    // ---- events and failures

    /// `claim` in the event of one instance: the others may still have something to say.
    pub fn claim_one(&mut self, c: Num<'a>, slot: u16, exit: Exit) -> Result<Flow> {
        self.branch(
            c,
            |s| {
                let one = s.b.constant(1);
                s.b.step(Op::SetLocal(slot, one));
                Ok(Flow::Next)
            },
            |s| {
                s.b.step(Op::Leave((s.depth - exit.depth) as u8));
                Ok(Flow::Ended)
            },
        )
    }

    /// The event of one instance, in a block of its own: `stop` and a `claim` that fails leave it.
    pub fn run_event_of(&mut self, view: InstanceId, event: &'a Event, mine: u16) -> Result<Flow> {
        self.region_open();
        self.depth += 1;
        let exit = Exit {
            depth: self.depth,
            nest: self.nest,
            result: None,
        };
        if !claims(&event.body) {
            let one = self.b.constant(1);
            self.b.step(Op::SetLocal(mine, one));
        }
        let before = self.claims.replace((mine, exit));
        let flow = self.run_body(view, Vec::new(), &event.body);
        self.claims = before;
        self.depth -= 1;
        let region = self.region_close();
        flow?;
        self.unreachable = false;
        self.b.step(Op::Block(region));
        Ok(Flow::Next)
    }

    /// Where the number of the instance that failed last is kept.
    fn failed_cell(&mut self, owner: InstanceId, each: Name) -> Result<Spot<'a>> {
        // A name of its own beside the instance's: no text has it.
        let key = Name(each.0 | 0x4000);
        self.memory(owner, key, |s| Ok(s.state_spot(word(1))))
    }

    /// Before an instance's code ends with a failure: `recover` will want to know which one it was.
    pub fn remember_failed(&mut self) -> Result<()> {
        let Some((bank, position)) = self.instances[self.here()].bank else {
            return Ok(());
        };
        if self.is_live() {
            return Ok(());
        }
        let (owner, each, first) = {
            let b = &self.banks[bank];
            (b.owner, b.name, b.first as u64)
        };
        let cell = self.failed_cell(owner, each)?;
        let unit = self.plus(position, first);
        self.raw_store(Space::State, cell.at, Width::B64, unit);
        Ok(())
    }

    /// The number of the instance that failed last.
    pub fn failed_unit(&mut self, owner: InstanceId, each: Name) -> Result<Num<'a>> {
        let cell = self.failed_cell(owner, each)?;
        Ok(self.raw_load(Space::State, cell.at, Width::B64))
    }

    // ---- init

    /// The instances of a rule come up: the filter, then their own `init`. In the first run the filter decides; later it
    /// must say the same of those that are there.
    pub fn start_eaches(&mut self, i: InstanceId) -> Result<Flow> {
        for (name, item) in self.instances[i].eaches.clone() {
            let ItemKind::Each { filter, items, .. } = &item.kind else {
                continue;
            };
            let init = items.iter().find_map(|inner| match &inner.kind {
                ItemKind::Routine(r) if self.text(r.name) == "init" => Some(r.name),
                _ => None,
            });
            let values = items.iter().any(begins);
            if filter.is_none() && init.is_none() && !values {
                continue;
            }
            let flow = self.for_views(i, name, item.place, |s, view| {
                s.begin_states(view)?;
                if let Some(filter) = filter {
                    if s.filter_says(view, *filter, item.place)? == Flow::Ended {
                        return Ok(Flow::Ended);
                    }
                    if let Some((bank, position)) = s.instances[view].bank {
                        let at = s.b.known(position.id).unwrap_or(0);
                        if s.is_live() && !s.is_member(bank, at) {
                            return Ok(Flow::Next);
                        }
                    }
                }
                if let Some(init) = init {
                    s.call_routine(view, init, Vec::new(), item.place)?;
                }
                let over = core::mem::take(&mut s.unreachable) || s.ended.is_some();
                Ok(if over { Flow::Ended } else { Flow::Next })
            })?;
            if self.is_live() && self.ended.is_none() && filter.is_some() {
                self.learn_members(i, name, item.place)?;
            }
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    /// Whether a state of the instance, or of its parts, begins as something else than 0.
    pub fn has_beginnings(&self, id: InstanceId) -> bool {
        let parts = &self.instances[id].parts;
        self.all_items(id).any(begins) || parts.iter().any(|(_, part)| self.has_beginnings(*part))
    }

    /// Sets the states of the instance and of its parts to what they begin as.
    pub fn begin_states(&mut self, id: InstanceId) -> Result<()> {
        for item in self.items(id) {
            let ItemKind::State {
                name,
                value: Some(value),
                ..
            } = &item.kind
            else {
                continue;
            };
            let spot = self.resolve(id, *name, item.place)?;
            self.enter(id, Vec::new());
            let value = self.value(value);
            self.leave();
            if let Value::Spot(spot) = spot {
                self.store(&spot, value?, item.place)?;
            }
        }
        for (_, part) in self.instances[id].parts.clone() {
            self.begin_states(part)?;
        }
        Ok(())
    }

    fn filter_says(&mut self, view: InstanceId, filter: Name, place: Place) -> Result<Flow> {
        let value = self.call_routine(view, filter, Vec::new(), place)?;
        if core::mem::take(&mut self.unreachable) || self.ended.is_some() {
            return Ok(Flow::Ended);
        }
        let says = self.number_for(value, None, place)?;
        let says = self.truth(says);
        if self.is_live() {
            if let (Some(0), Some((bank, position))) =
                (self.b.known(says.id), self.instances[view].bank)
            {
                let at = self.b.known(position.id).unwrap_or(0);
                self.dropped.push((bank, at));
            }
            return Ok(Flow::Next);
        }
        self.branch(says, |_| Ok(Flow::Next), |s| s.finish(status::CHANGED))
    }

    fn learn_members(&mut self, i: InstanceId, name: Name, place: Place) -> Result<()> {
        let mut list = Vec::new();
        for bank in self.banks_of(i, name, place)? {
            for (k, member) in self.banks[bank].members.iter().enumerate() {
                if self.is_member(bank, k as u64) {
                    list.push(*member);
                }
            }
        }
        let name = format!("{}{}", self.prefix(i), self.text(name));
        self.learned.push(machine::Fact {
            name,
            value: machine::Value::Numbers(list),
            source: machine::Source::Learned,
        });
        Ok(())
    }
}

fn claims(body: &[Stmt]) -> bool {
    use rulebook::tree::StmtKind;
    body.iter().any(|s| match &s.kind {
        StmtKind::Claim(_) => true,
        StmtKind::When { yes, no, .. } | StmtKind::If { yes, no, .. } => claims(yes) || claims(no),
        StmtKind::Do { .. } => false,
        _ => false,
    })
}

fn word<'a>(count: u64) -> Kind<'a> {
    let one = Kind::Number {
        bits: 64,
        big: false,
        dma: false,
        fields: None,
    };
    Kind::Array(alloc::rc::Rc::new(one), count)
}

fn number(value: &machine::Value) -> Option<u64> {
    match value {
        machine::Value::Number(n) => Some(*n),
        machine::Value::Flag(f) => Some(*f as u64),
        _ => None,
    }
}

/// A state that says what it begins as.
fn begins(item: &Item) -> bool {
    matches!(&item.kind, ItemKind::State { value: Some(_), .. })
}
