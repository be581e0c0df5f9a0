//! Instances, and what a name means in one: its own, its class's, what it stands on, the bus.

use crate::value::{Bits, Id, Locals, Num, Register, Spot, Value};
use crate::{refused, wrong, Meaning, Outside, Run};
use machine::Fact;
use rulebook::tree::{
    Class, Event, Expr, ExprKind, Item, ItemKind, Name, Place, Routine, Rule, TypeBase,
};

/// Most numbers in one set, and most members of one `each` in all.
const MOST: usize = 4096;

pub struct Instance<'a> {
    /// `rx`, `p[3].io`: what stands before its learned facts. Empty for the function.
    pub label: String,
    pub rule: &'a Rule,
    /// Of a whole rule; none for what stands inside one.
    pub class: Option<&'a Class>,
    items: Vec<(&'a Item, Vec<usize>)>,
    guards: Vec<Guard<'a>>,
    /// Parameters of a part; the number of a member of an `each`, by the name of the `each`.
    pub parameters: Locals<'a>,
    /// The `each` that it is a member of.
    pub each: Option<Name>,
    /// Where names that it does not have are looked up.
    pub lower: Option<Id>,
    /// Who hears what it says with `up`, and under which name it is used there.
    pub upper: Option<(Id, Option<Name>)>,
    pub parts: Vec<(Name, Id)>,
    pub facts: Vec<(Name, Value<'a>)>,
    pub indexed: Vec<(Name, u64, Value<'a>)>,
    /// Where its names lie in memory.
    pub memory: Vec<(Name, &'static str, Spot<'a>)>,
    pub members: Vec<(Name, Vec<(u64, Id)>)>,
}

/// A test of facts behind which items stand.
struct Guard<'a> {
    /// None: always.
    test: Option<&'a Expr>,
    /// Ways that are preferred to it: it holds only where none of these does.
    before: Vec<Option<&'a Expr>>,
    /// `else`
    negated: bool,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Open,
    /// Being worked out: what stands behind it does not count meanwhile.
    Busy,
    Is(bool),
}

fn flatten<'a>(
    items: &'a [Item],
    around: &[usize],
    flat: &mut Vec<(&'a Item, Vec<usize>)>,
    guards: &mut Vec<Guard<'a>>,
) {
    let mut behind = |test, before, negated, inner: &'a [Item], flat: &mut Vec<_>| {
        let mut path = around.to_vec();
        path.push(guards.len());
        guards.push(Guard {
            test,
            before,
            negated,
            state: State::Open,
        });
        flatten(inner, &path, flat, guards);
    };
    for item in items {
        match &item.kind {
            ItemKind::Way {
                name,
                guard,
                items: inner,
            } => behind(guard.as_ref(), preferred(*name, items), false, inner, flat),
            ItemKind::When { test, yes, no } => {
                behind(Some(test), Vec::new(), false, yes, flat);
                behind(Some(test), Vec::new(), true, no, flat);
            }
            ItemKind::Prefer(_) => {}
            _ => flat.push((item, around.to_vec())),
        }
    }
}

/// The tests of the ways that `prefer` names before this one.
fn preferred(name: Name, items: &[Item]) -> Vec<Option<&Expr>> {
    let order = items.iter().find_map(|item| match &item.kind {
        ItemKind::Prefer(names) => Some(names),
        _ => None,
    });
    let Some(at) = order.and_then(|names| names.iter().position(|n| *n == name)) else {
        return Vec::new();
    };
    let earlier = order.map_or(&[][..], |names| &names[..at]);
    let guard = |item: &'_ Item| -> Option<Name> {
        match &item.kind {
            ItemKind::Way { name, .. } => Some(*name),
            _ => None,
        }
    };
    items
        .iter()
        .filter(|item| guard(item).is_some_and(|n| earlier.contains(&n)))
        .filter_map(|item| match &item.kind {
            ItemKind::Way { guard, .. } => Some(guard.as_ref()),
            _ => None,
        })
        .collect()
}

impl<'a> Meaning<'a> {
    /// The rules of the chain, the lowest first. Parts are made with [`Self::use_parts`].
    pub(crate) fn chain(&mut self) -> Run<()> {
        let mut below: Option<Id> = None;
        for (depth, index) in self.subject.rules.iter().enumerate().rev() {
            let Some(rule) = self.subject.book.rules.get(*index) else {
                return wrong(Place::default(), "there is no such rule");
            };
            let label = match depth {
                0 => String::new(),
                _ => self.text(rule.name).to_owned(),
            };
            let id = self.instantiate(label, rule, &rule.items, below);
            if let Some(below) = below {
                self.instances[below].upper = Some((id, None));
            }
            below = Some(id);
        }
        self.function = below.unwrap_or(0);
        self.units = self.counted();
        Ok(())
    }

    /// Which instance has which number, by what the class is told.
    fn counted(&self) -> Vec<Vec<(String, u64)>> {
        let fact = |name: &str| {
            let mut facts = self.given.facts.iter();
            facts.find(|(n, _)| n == name).map(|(_, n)| *n)
        };
        let Some(way) = self.way() else {
            return Vec::new();
        };
        let numbers = |unit: u64| -> Option<Vec<(String, u64)>> {
            let own = |name: &Name| {
                let each = self.text(*name);
                let number = match unit {
                    0 => fact(each),
                    n => fact(&format!("{n}.{each}")),
                };
                Some((each.to_owned(), number?))
            };
            way.iter().map(own).collect()
        };
        let units = fact("units").unwrap_or(0);
        (0..units).filter_map(numbers).collect()
    }

    /// The function and what it stands on, the lowest first.
    pub(crate) fn chain_of(&self) -> Vec<Id> {
        let mut list = vec![self.function];
        while let Some(lower) = self.instances[list[list.len() - 1]].lower {
            list.push(lower);
        }
        list.reverse();
        list
    }

    fn instantiate(
        &mut self,
        label: String,
        rule: &'a Rule,
        items: &'a [Item],
        lower: Option<Id>,
    ) -> Id {
        let (mut flat, mut guards) = (Vec::new(), Vec::new());
        flatten(items, &[], &mut flat, &mut guards);
        let whole = std::ptr::eq(items.as_ptr(), rule.items.as_ptr());
        let mut classes = self.subject.book.classes.iter();
        self.instances.push(Instance {
            label,
            rule,
            class: classes.find(|c| whole && c.name == rule.class),
            items: flat,
            guards,
            parameters: Vec::new(),
            each: None,
            lower,
            upper: None,
            parts: Vec::new(),
            facts: Vec::new(),
            indexed: Vec::new(),
            memory: Vec::new(),
            members: Vec::new(),
        });
        let id = self.instances.len() - 1;
        let learned = self.subject.device.learned.iter();
        if !self.first || self.counting {
            for fact in learned {
                self.recall(id, fact);
            }
        }
        id
    }

    pub(crate) fn prefix(&self, id: Id) -> String {
        match self.instances[id].label.as_str() {
            "" => String::new(),
            label => format!("{label}."),
        }
    }

    /// A fact of an earlier run, if it is this instance's.
    fn recall(&mut self, id: Id, fact: &Fact) {
        let prefix = self.prefix(id);
        let Some(rest) = fact.name.strip_prefix(prefix.as_str()) else {
            return;
        };
        let (base, index) = match rest.split_once('.') {
            Some((base, index)) => match index.parse() {
                Ok(n) => (base, Some(n)),
                Err(_) => return,
            },
            None => (rest, None),
        };
        let Some(name) = self.named(base) else { return };
        let value = self.of_fact(&fact.value);
        match index {
            Some(k) => self.instances[id].indexed.push((name, k, value)),
            None => {
                let value = self.typed(id, name, value);
                self.instances[id].facts.push((name, value));
            }
        }
    }

    pub(crate) fn of_fact(&self, value: &machine::Value) -> Value<'a> {
        use machine::Value as Known;
        match value {
            Known::Number(n) => Value::number(*n),
            Known::Flag(flag) => Value::truth(*flag),
            Known::Text(text) => Value::Text(text.clone()),
            Known::Texts(texts) => Value::Texts(texts.clone()),
            Known::Bytes(bytes) => {
                Value::List(bytes.iter().map(|b| Value::number((*b).into())).collect())
            }
            Known::Numbers(list) => Value::List(list.iter().map(|n| Value::number(*n)).collect()),
        }
    }

    /// Gives a number the names of bits that its fact was declared with.
    pub(crate) fn typed(&self, id: Id, name: Name, value: Value<'a>) -> Value<'a> {
        let Value::Num(n) = value else { return value };
        let declared = self.all_items(id).find_map(|item| match &item.kind {
            ItemKind::Fact {
                name: own,
                kind: Some(kind),
                ..
            } if *own == name => Some(kind.base),
            _ => None,
        });
        Value::Num(match declared {
            Some(TypeBase::Named(bits)) => Num {
                bits: Some(Bits::Named(id, bits)),
                ..n
            },
            _ => n,
        })
    }

    /// The parts that an instance uses, and theirs.
    pub(crate) fn use_parts(&mut self, io: &mut dyn Outside, id: Id) -> Run<()> {
        for item in self.list(io, id, |k| matches!(k, ItemKind::Use { .. })) {
            let ItemKind::Use {
                name,
                part,
                arguments,
            } = &item.kind
            else {
                continue;
            };
            let (rule, names, items, lower) = self.part_named(io, id, *part, item.place)?;
            let mut values = Vec::new();
            for argument in arguments {
                let value = self.value_in(io, id, argument)?;
                values.push(self.within(id, Vec::new(), |m| m.settle(io, value, argument.place))?);
            }
            let label = format!("{}{}", self.prefix(id), self.text(*name));
            let part = self.instantiate(label, rule, items, lower);
            self.instances[part].parameters = names.iter().copied().zip(values).collect();
            self.instances[part].upper = Some((id, Some(*name)));
            self.instances[id].parts.push((*name, part));
            self.use_parts(io, part)?;
        }
        Ok(())
    }

    /// A part by its name: the rule that it is in, its parameters and items, and where its other names are looked up.
    #[allow(clippy::type_complexity)]
    fn part_named(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        part: Name,
        place: Place,
    ) -> Run<(&'a Rule, &'a [Name], &'a [Item], Option<Id>)> {
        let mut at = Some(id);
        while let Some(i) = at {
            let own = self.find(
                io,
                i,
                |k| matches!(k, ItemKind::Part { name, .. } if *name == part),
            );
            if let Some(ItemKind::Part {
                parameters, items, ..
            }) = own.map(|item| &item.kind)
            {
                return Ok((self.instances[i].rule, parameters, items, Some(i)));
            }
            at = self.instances[i].lower;
        }
        let mut rules = self.subject.book.rules.iter();
        let Some(rule) = rules.find(|r| r.name == part && !r.parameters.is_empty()) else {
            return wrong(place, format!("there is no part `{}`", self.text(part)));
        };
        // A part that is a rule of its own stands on what carries the rule that uses it.
        let mut at = id;
        while let (None, Some(lower)) = (self.instances[at].class, self.instances[at].lower) {
            at = lower;
        }
        Ok((
            rule,
            &rule.parameters,
            &rule.items,
            self.instances[at].lower,
        ))
    }

    // ---- items

    /// Items of an instance and of its class, whatever they stand behind.
    pub(crate) fn all_items(&self, id: Id) -> impl Iterator<Item = &'a Item> + '_ {
        let i = &self.instances[id];
        let class = i.class.map_or(&[][..], |c| &c.items);
        i.items.iter().map(|(item, _)| *item).chain(class)
    }

    /// The items there are of a kind: the instance's own, then its class's.
    pub(crate) fn list(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        wanted: impl Fn(&ItemKind) -> bool,
    ) -> Vec<&'a Item> {
        let mut found = Vec::new();
        for at in 0..self.instances[id].items.len() {
            let (item, guards) = self.instances[id].items[at].clone();
            if wanted(&item.kind) && guards.iter().all(|g| self.holds(io, id, *g)) {
                found.push(item);
            }
        }
        let class = self.instances[id].class.map_or(&[][..], |c| &c.items);
        found.extend(class.iter().filter(|item| wanted(&item.kind)));
        found
    }

    pub(crate) fn find(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        wanted: impl Fn(&ItemKind) -> bool,
    ) -> Option<&'a Item> {
        self.list(io, id, wanted).into_iter().next()
    }

    /// Whether the items behind a test are there. A test that cannot be decided yet hides them.
    fn holds(&mut self, io: &mut dyn Outside, id: Id, guard: usize) -> bool {
        let g = &mut self.instances[id].guards[guard];
        match g.state {
            State::Is(is) => return is,
            State::Busy => return false,
            State::Open => g.state = State::Busy,
        }
        let (test, negated) = (g.test, g.negated);
        let mut tests: Vec<_> = g.before.iter().map(|t| (*t, false)).collect();
        tests.push((test, true));
        let mut holds = Some(true);
        for (test, wanted) in tests {
            let value = match test {
                None => Some(true),
                Some(test) => self.within(id, Vec::new(), |m| m.condition(io, test)).ok(),
            };
            holds = match (holds, value) {
                (Some(all), Some(value)) => Some(all && value == wanted),
                _ => None,
            };
        }
        self.instances[id].guards[guard].state = match holds {
            Some(holds) => State::Is(holds != negated),
            None => State::Open,
        };
        holds.is_some_and(|holds| holds != negated)
    }

    /// Whether a guard behind a routine or an event holds.
    pub(crate) fn allowed(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        guard: Option<&'a Expr>,
    ) -> Run<bool> {
        match guard {
            Some(test) => self.within(id, Vec::new(), |m| m.condition(io, test)),
            None => Ok(true),
        }
    }

    pub(crate) fn routine(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        name: Name,
    ) -> Run<Option<&'a Routine>> {
        let wanted =
            |k: &ItemKind| matches!(k, ItemKind::Routine(r) if r.name == name && r.body.is_some());
        for item in self.list(io, id, wanted) {
            if let ItemKind::Routine(routine) = &item.kind {
                if self.allowed(io, id, routine.guard.as_ref())? {
                    return Ok(Some(routine));
                }
            }
        }
        Ok(None)
    }

    /// The events of an instance by the name they are told under, whose guards hold.
    pub(crate) fn events(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        part: Option<Name>,
        name: Name,
    ) -> Run<Vec<&'a Event>> {
        let wanted =
            |k: &ItemKind| matches!(k, ItemKind::Event(e) if e.part == part && e.name == name);
        let mut found = Vec::new();
        for item in self.list(io, id, wanted) {
            if let ItemKind::Event(event) = &item.kind {
                if self.allowed(io, id, event.guard.as_ref())? {
                    found.push(event);
                }
            }
        }
        Ok(found)
    }

    // ---- members of an `each`

    /// `each` items of an instance and of its parts, and whose they are.
    pub(crate) fn eaches(&mut self, io: &mut dyn Outside, id: Id) -> Vec<(Id, &'a Item)> {
        let own = self.list(io, id, |k| matches!(k, ItemKind::Each { .. }));
        let mut all: Vec<_> = own.into_iter().map(|item| (id, item)).collect();
        for (_, part) in self.instances[id].parts.clone() {
            all.extend(self.eaches(io, part));
        }
        all
    }

    fn each_item(&mut self, io: &mut dyn Outside, id: Id, name: Name) -> Option<&'a Item> {
        self.find(
            io,
            id,
            |k| matches!(k, ItemKind::Each { name: own, .. } if *own == name),
        )
    }

    pub(crate) fn per_cpu(&self, item: &Item) -> bool {
        matches!(&item.kind, ItemKind::Each { set, .. }
            if matches!(set.kind, ExprKind::Name(n) if self.text(n) == "cpus"))
    }

    /// The members of an `each`, by number: made when they are first asked for.
    pub(crate) fn members(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        name: Name,
        place: Place,
    ) -> Run<Vec<(u64, Id)>> {
        let known = self.instances[id].members.iter().find(|(n, _)| *n == name);
        if let Some((_, list)) = known {
            return Ok(list.clone());
        }
        let Some(item) = self.each_item(io, id, name) else {
            return wrong(place, format!("there is no `each {}`", self.text(name)));
        };
        let ItemKind::Each {
            set, filter, items, ..
        } = &item.kind
        else {
            return wrong(place, "no `each`");
        };
        let stem = format!("{}{}", self.prefix(id), self.text(name));
        let numbers = if self.per_cpu(item) {
            (0..self.cpus()).collect()
        } else if filter.is_some() && !self.first {
            let learned = &self.subject.device.learned;
            match learned.iter().find(|f| f.name == stem).map(|f| &f.value) {
                Some(machine::Value::Bytes(list)) => list.iter().map(|b| (*b).into()).collect(),
                Some(machine::Value::Numbers(list)) => list.clone(),
                _ => return wrong(item.place, format!("`{stem}` was not learned")),
            }
        } else {
            let value = self.value_in(io, id, set)?;
            self.numbers(io, value, set.place)?
        };
        let rule = self.instances[id].rule;
        let mut list = Vec::new();
        for number in numbers {
            let member = self.instantiate(format!("{stem}[{number}]"), rule, items, Some(id));
            let upper = self.instances[id].upper;
            let own = &mut self.instances[member];
            own.parameters.push((name, Value::number(number)));
            own.each = Some(name);
            own.upper = upper;
            list.push((number, member));
        }
        self.instances[id].members.push((name, list.clone()));
        for (_, member) in &list {
            self.use_parts(io, *member)?;
        }
        Ok(list)
    }

    /// The numbers that a set stands for.
    pub(crate) fn numbers(
        &mut self,
        io: &mut dyn Outside,
        set: Value<'a>,
        place: Place,
    ) -> Run<Vec<u64>> {
        let list = match set {
            Value::Range(lo, hi) if hi - lo > MOST as i128 => {
                return refused(place, "a set of more than 4096 numbers");
            }
            Value::Range(lo, hi) if lo >= 0 => (lo..hi).map(|k| k as u64).collect(),
            Value::Set(mask) => (0..64).filter(|k| mask >> k & 1 == 1).collect(),
            Value::List(list) => {
                let mut out = Vec::new();
                for value in list {
                    let n = self.number_of(io, value, None, place)?;
                    out.push(self.small(n, place)?);
                }
                out
            }
            Value::Each(i, name) => {
                let members = self.members(io, i, name, place)?;
                members.iter().map(|(number, _)| *number).collect()
            }
            _ => return wrong(place, "this is no set of numbers"),
        };
        Ok(list)
    }

    /// `p[k]`
    pub(crate) fn member(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        name: Name,
        k: i128,
        place: Place,
    ) -> Run<Id> {
        let members = self.members(io, id, name, place)?;
        match members.iter().find(|(number, _)| i128::from(*number) == k) {
            Some((_, member)) => Ok(*member),
            None => wrong(place, format!("there is no `{}[{k}]`", self.text(name))),
        }
    }

    /// The member of an `each … in cpus` that belongs to the CPU at work.
    pub(crate) fn at_work(&mut self, io: &mut dyn Outside, id: Id, item: &'a Item) -> Run<Id> {
        let ItemKind::Each { name, .. } = &item.kind else {
            return wrong(item.place, "no `each`");
        };
        let lane = self.lane(io)?;
        self.member(io, id, *name, lane.into(), item.place)
    }

    // ---- names

    /// A name where it stands: bound here, or the instance's.
    pub(crate) fn name(&mut self, io: &mut dyn Outside, n: Name, place: Place) -> Run<Value<'a>> {
        let bound = self.frames.last().and_then(|frame| {
            let mut locals = frame.locals.iter().rev();
            locals.find(|(name, _)| *name == n)
        });
        match bound {
            Some((_, value)) => Ok(value.clone()),
            None => self.resolve(io, self.here(), n, place),
        }
    }

    /// A name as an instance sees it.
    pub(crate) fn resolve(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        n: Name,
        place: Place,
    ) -> Run<Value<'a>> {
        let mut at = Some(id);
        while let Some(i) = at {
            if let Some(value) = self.own(io, i, n, place)? {
                return Ok(value);
            }
            at = self.instances[i].lower;
        }
        if let Some(value) = self.bus_word(io, n)? {
            return Ok(value);
        }
        match crate::builtin::FUNCTIONS.contains(&self.text(n)) {
            true => Ok(Value::Builtin),
            false => wrong(place, format!("`{}` is not known here", self.text(n))),
        }
    }

    /// A name that an instance itself gives.
    pub(crate) fn own(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        n: Name,
        place: Place,
    ) -> Run<Option<Value<'a>>> {
        let own = self.instances[id].parameters.iter();
        if let Some((_, value)) = own.into_iter().find(|(name, _)| *name == n) {
            return Ok(Some(value.clone()));
        }
        // Which members there are is learned by the same name.
        if self.each_item(io, id, n).is_some() {
            return Ok(Some(Value::Each(id, n)));
        }
        let i = &self.instances[id];
        let given = i.facts.iter().rev();
        let part = i.parts.iter().find(|(name, _)| *name == n);
        if let Some((_, value)) = given.clone().find(|(name, _)| *name == n) {
            return Ok(Some(value.clone()));
        }
        if let Some((_, part)) = part {
            return Ok(Some(Value::Instance(*part)));
        }
        if self.open.contains(&(id, n)) {
            return wrong(place, format!("`{}` rests on itself", self.text(n)));
        }
        // A fact that the rule names without a value is learned: the class's default does not hold.
        let learned = i.rule.items.iter().any(
            |item| matches!(&item.kind, ItemKind::Fact { name, value: None, .. } if *name == n),
        );
        let item = self.find(io, id, |k| match k {
            ItemKind::Reg(r) => r.name == n && r.at.is_some(),
            ItemKind::Space(s) => s.name == n && s.value.is_some(),
            ItemKind::Fact { name, value, .. } => *name == n && value.is_some() && !learned,
            ItemKind::Bits { name, .. }
            | ItemKind::State { name, .. }
            | ItemKind::Ring { name, .. }
            | ItemKind::Slots { name, .. } => *name == n,
            ItemKind::Arena(a) => a.name == n,
            ItemKind::Routine(r) => r.name == n && r.body.is_some(),
            _ => false,
        });
        let Some(item) = item else {
            let i = &self.instances[id];
            if i.indexed.iter().any(|(name, ..)| *name == n) {
                return Ok(Some(Value::Callable(id, n)));
            }
            return self.own_of_cpu(io, id, n, place);
        };
        Ok(Some(match &item.kind {
            ItemKind::Reg(reg) => Value::Register(Register {
                instance: id,
                item: reg,
                place,
                index: None,
                space_index: None,
                space: self.space_of(id, reg),
            }),
            ItemKind::Space(_) => Value::Space(id, n, None),
            ItemKind::Fact {
                parameters,
                value: Some(value),
                ..
            } if parameters.is_empty() => {
                self.open.push((id, n));
                let value = self.within(id, Vec::new(), |m| {
                    let value = m.value(io, value)?;
                    m.settle(io, value, place)
                });
                self.open.pop();
                self.typed(id, n, value?)
            }
            ItemKind::Bits { .. } => Value::BitSet(Bits::Named(id, n)),
            ItemKind::State { kind, .. } => Value::Spot(self.state(io, id, n, kind, item.place)?),
            ItemKind::Arena(arena) => Value::Spot(self.arena(io, id, arena, item.place)?),
            ItemKind::Ring { .. } => Value::Ring(id, n),
            ItemKind::Slots { .. } => Value::Slots(id, n),
            _ => Value::Callable(id, n),
        }))
    }

    /// A name that only what belongs to the CPU at work gives.
    fn own_of_cpu(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        n: Name,
        place: Place,
    ) -> Run<Option<Value<'a>>> {
        if self.open.iter().any(|(i, _)| *i == usize::MAX) {
            return Ok(None);
        }
        for item in self.list(io, id, |k| matches!(k, ItemKind::Each { .. })) {
            let ItemKind::Each { items, .. } = &item.kind else {
                continue;
            };
            if !self.per_cpu(item) || !gives(items, n) {
                continue;
            }
            let member = self.at_work(io, id, item)?;
            if let Some(value) = self.own(io, member, n, place)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// How many lanes the driver runs: as many as CPUs, or as the rule itself says.
    pub(crate) fn lanes(&mut self, io: &mut dyn Outside) -> u64 {
        let cpus = self.cpus();
        let Some(name) = self.named("lanes").filter(|_| cpus > 1) else {
            return cpus;
        };
        // What belongs to a CPU does not say how many there are.
        self.open.push((usize::MAX, name));
        let said = self.resolve(io, self.here(), name, Place::default());
        self.open.pop();
        match said {
            Ok(Value::Num(n)) => u64::try_from(n.v).unwrap_or(cpus).clamp(1, cpus),
            _ => cpus,
        }
    }

    /// The number of the CPU at work.
    pub(crate) fn lane(&mut self, io: &mut dyn Outside) -> Run<u64> {
        if self.first {
            let given = self.subject.given.iter().find(|(name, _)| *name == "lane");
            return Ok(given.map_or(0, |(_, lane)| *lane));
        }
        match self.lanes(io) {
            1 => Ok(0),
            lanes => {
                let lane = io.late(graph::Late::Lane);
                match lane < lanes {
                    true => Ok(lane),
                    false => refused(Place::default(), format!("lane {lane} of {lanes}")),
                }
            }
        }
    }
}

/// Whether items, or those behind tests among them, give a name; a learned fact may be any name.
fn gives(items: &[Item], n: Name) -> bool {
    let mut any = false;
    for item in items {
        any |= match &item.kind {
            ItemKind::Reg(r) => r.name == n,
            ItemKind::Space(s) => s.name == n,
            ItemKind::Arena(a) => a.name == n,
            ItemKind::Routine(r) => r.name == n || r.body.as_ref().is_some_and(|b| learns(b, n)),
            ItemKind::Fact { name, .. }
            | ItemKind::Bits { name, .. }
            | ItemKind::State { name, .. }
            | ItemKind::Ring { name, .. }
            | ItemKind::Slots { name, .. }
            | ItemKind::Use { name, .. }
            | ItemKind::Each { name, .. } => *name == n,
            ItemKind::Way { items, .. } => gives(items, n),
            ItemKind::When { yes, no, .. } => gives(yes, n) || gives(no, n),
            _ => false,
        };
    }
    any
}

fn learns(body: &[rulebook::tree::Stmt], n: Name) -> bool {
    use rulebook::tree::StmtKind;
    body.iter().any(|s| match &s.kind {
        StmtKind::Learn(list) => list
            .iter()
            .any(|(target, _)| matches!(target.kind, ExprKind::Name(t) if t == n)),
        StmtKind::If { yes, no, .. } | StmtKind::When { yes, no, .. } => {
            learns(yes, n) || learns(no, n)
        }
        StmtKind::For { body, .. }
        | StmtKind::While { body, .. }
        | StmtKind::Quirk { body, .. } => learns(body, n),
        _ => false,
    })
}
