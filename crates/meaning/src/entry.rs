//! The entries of a driver: `init` and its first run, operations, events, recoveries.

use crate::value::{Buffer, Id, Value};
use crate::{wrong, Exit, Fault, Given, Meaning, Outcome, Outside, Run, Subject, BUDGET};
use abi::status;
use graph::{Space, Width};
use machine::{Fact, Source};
use rulebook::tree::{
    Class, Event, Item, ItemKind, Name, Parameter, Place, Routine, Stmt, StmtKind, TypeBase,
};
use std::collections::BTreeMap;

/// Why a first run found no facts.
#[derive(Clone, Debug, PartialEq)]
pub enum Unlearned {
    Fault(Fault),
    /// It ended with this status instead of at its end.
    Ended(u64),
}

impl<'a> Meaning<'a> {
    fn begin(subject: Subject<'a>, given: Given, first: bool) -> Self {
        Meaning {
            subject,
            given,
            units: Vec::new(),
            instances: Vec::new(),
            function: 0,
            frames: Vec::new(),
            first,
            learned: Vec::new(),
            otherwise: None,
            taken: Vec::new(),
            batch: false,
            jump: None,
            hears: false,
            again: false,
            claimed: None,
            failed: None,
            measured: false,
            budget: BUDGET,
            counting: false,
            open: Vec::new(),
            tops: BTreeMap::new(),
        }
    }

    /// A driver whose facts were found; `subject.device.learned` holds them.
    ///
    /// # Errors
    /// When the rules do not fit together.
    pub fn new(subject: Subject<'a>, given: Given, io: &mut dyn Outside) -> Result<Self, Fault> {
        let mut m = Meaning::begin(subject, given, false);
        let function = m.chain().and_then(|()| m.use_parts(io, m.function));
        m.closed(function).map(|()| m)
    }

    /// Runs `init` for the first time, on the device itself: the facts it learned, in their order.
    ///
    /// # Errors
    /// When it does not come to its end.
    pub fn learn(
        subject: Subject<'a>,
        given: Given,
        io: &mut dyn Outside,
    ) -> Result<Vec<Fact>, Unlearned> {
        let mut m = Meaning::begin(subject, given, true);
        let done = m.first_run(io);
        m.ended_well(done)
    }

    /// The same for a CPU that starts after the first: what belongs to each CPU.
    ///
    /// # Errors
    /// When it does not come to its end.
    pub fn learn_joining(
        subject: Subject<'a>,
        given: Given,
        io: &mut dyn Outside,
    ) -> Result<Vec<Fact>, Unlearned> {
        let mut m = Meaning::begin(subject, given, true);
        m.counting = true;
        let done = m
            .chain()
            .and_then(|()| m.use_parts(io, m.function))
            .and_then(|()| m.join(io));
        m.ended_well(done)
    }

    fn first_run(&mut self, io: &mut dyn Outside) -> Run<()> {
        self.chain()?;
        self.use_parts(io, self.function)?;
        for id in self.chain_of() {
            self.begin_states(io, id)?;
            self.come_up(io, id)?;
        }
        Ok(())
    }

    fn ended_well(self, done: Run<()>) -> Result<Vec<Fact>, Unlearned> {
        match done {
            Ok(()) => Ok(self.learned),
            Err(Exit::End(status)) => Err(Unlearned::Ended(status)),
            Err(Exit::Fault(fault)) => Err(Unlearned::Fault(fault)),
            Err(Exit::Event | Exit::Jump) => Err(Unlearned::Ended(status::OK)),
        }
    }

    fn closed(&self, done: Run<()>) -> Result<(), Fault> {
        match done {
            Err(Exit::Fault(fault)) => Err(fault),
            _ => Ok(()),
        }
    }

    /// What was learned so far, windows and names that were added to those given.
    pub fn given(&self) -> &Given {
        &self.given
    }

    /// Whether any object of the arena lies where nobody said: addresses are the interpreter's own then.
    pub fn own_arena(&self) -> bool {
        self.tops.contains_key(&(Space::Arena as u8))
    }

    /// Runs an entry by its name, as the driver has it: `init`, `join`, `irq`, `message`, `watch`, `recover.NAME`, an
    /// operation, `OPERATION.then`.
    pub fn run(&mut self, entry: &str, words: &[u64], io: &mut dyn Outside) -> Outcome {
        self.frames.clear();
        self.taken.clear();
        self.otherwise = None;
        self.jump = None;
        self.batch = false;
        self.hears = matches!(entry, "irq" | "message");
        self.again = false;
        self.claimed = None;
        self.budget = BUDGET;
        let done = self.entry(io, entry, words);
        let ended = |status| Outcome {
            status,
            fault: None,
        };
        match done {
            Ok(status) => ended(status),
            Err(Exit::End(status)) => ended(status),
            Err(Exit::Event | Exit::Jump) => ended(status::OK),
            Err(Exit::Fault(fault)) => Outcome {
                status: u64::MAX,
                fault: Some(fault),
            },
        }
    }

    fn entry(&mut self, io: &mut dyn Outside, entry: &str, words: &[u64]) -> Run<u64> {
        match entry {
            // An operation of the class may be called as it likes.
            _ if self.contract(entry).is_some() => self.operation(io, entry, words),
            "init" => {
                for id in self.chain_of() {
                    self.begin_states(io, id)?;
                }
                for id in self.chain_of() {
                    self.come_up(io, id)?;
                }
                Ok(status::OK)
            }
            "join" => self.join(io).map(|()| status::OK),
            "quiet" => self.quiet(io).map(|()| status::OK),
            "irq" => self.irq(io),
            "message" => self.message(io, words.first().copied().unwrap_or(0)),
            "watch" => {
                let now = io.clock();
                for id in self.chain_of() {
                    self.watches(io, id, now)?;
                    for member in self.all_inside(io, id)? {
                        self.watches(io, member, now)?;
                    }
                }
                Ok(status::OK)
            }
            _ => match (entry.strip_prefix("recover."), entry.strip_suffix(".then")) {
                (Some(failure), _) => self.recover(io, failure).map(|()| status::OK),
                (_, Some(operation)) => self.tails(io, operation).map(|()| status::OK),
                _ => self.operation(io, entry, words),
            },
        }
    }

    /// Every `quiet` of the rule and of what it stands on, its own first.
    fn quiet(&mut self, io: &mut dyn Outside) -> Run<()> {
        for id in self.chain_of().into_iter().rev() {
            self.run_own(io, id, "quiet")?;
        }
        Ok(())
    }

    /// The routine of this name of an instance, if it has one.
    fn run_own(&mut self, io: &mut dyn Outside, id: Id, name: &str) -> Run<()> {
        let Some(name) = self.named(name) else {
            return Ok(());
        };
        let is =
            |k: &ItemKind| matches!(k, ItemKind::Routine(r) if r.name == name && r.body.is_some());
        if self.find(io, id, is).is_some() {
            self.call_routine(io, id, name, Vec::new(), Place::default())?;
        }
        Ok(())
    }

    // ---- coming up

    /// `init` of a rule, then its instances.
    fn come_up(&mut self, io: &mut dyn Outside, id: Id) -> Run<()> {
        self.run_own(io, id, "init")?;
        self.start_eaches(io, id)
    }

    fn start_eaches(&mut self, io: &mut dyn Outside, id: Id) -> Run<()> {
        for (owner, item) in self.eaches(io, id) {
            let ItemKind::Each {
                name,
                filter,
                items,
                ..
            } = &item.kind
            else {
                continue;
            };
            if filter.is_none() && !self.comes_up(items) {
                continue;
            }
            if self.per_cpu(item) {
                let member = self.at_work(io, owner, item)?;
                self.start_member(io, member, item)?;
                continue;
            }
            let mut kept = Vec::new();
            for (number, member) in self.members(io, owner, *name, item.place)? {
                if self.start_member(io, member, item)? {
                    kept.push((number, member));
                }
            }
            if self.first && filter.is_some() {
                self.learned.push(Fact {
                    name: format!("{}{}", self.prefix(owner), self.text(*name)),
                    value: machine::Value::Numbers(kept.iter().map(|(n, _)| *n).collect()),
                    source: Source::Learned,
                });
                let mut members = self.instances[owner].members.iter_mut();
                if let Some((_, list)) = members.find(|(n, _)| n == name) {
                    *list = kept;
                }
            }
        }
        Ok(())
    }

    /// Whether instances have anything to do when they come up.
    fn comes_up(&self, items: &[Item]) -> bool {
        items.iter().any(|item| match &item.kind {
            ItemKind::Routine(r) => self.text(r.name) == "init",
            ItemKind::State { value, .. } => value.is_some(),
            ItemKind::Each { .. } | ItemKind::Use { .. } => true,
            ItemKind::Way { items, .. } => self.comes_up(items),
            ItemKind::When { yes, no, .. } => self.comes_up(yes) || self.comes_up(no),
            _ => false,
        })
    }

    /// One member comes up: its filter, then its own `init`, then those inside it. Whether it is there.
    fn start_member(&mut self, io: &mut dyn Outside, member: Id, item: &'a Item) -> Run<bool> {
        let taken = self.taken.len();
        let there = self.starts(io, member, item);
        self.taken.truncate(taken);
        there
    }

    fn starts(&mut self, io: &mut dyn Outside, member: Id, item: &'a Item) -> Run<bool> {
        self.begin_states(io, member)?;
        if let ItemKind::Each {
            filter: Some(filter),
            ..
        } = &item.kind
        {
            let says = self.call_routine(io, member, *filter, Vec::new(), item.place)?;
            if self.number_of(io, says, None, item.place)?.v == 0 {
                return match self.first {
                    true => Ok(false),
                    false => self.finish(io, status::CHANGED),
                };
            }
        }
        self.come_up(io, member)?;
        Ok(true)
    }

    /// States of an instance and of its parts begin as what they are set to.
    fn begin_states(&mut self, io: &mut dyn Outside, id: Id) -> Run<()> {
        for item in self.list(io, id, |k| matches!(k, ItemKind::State { .. })) {
            if let ItemKind::State {
                name,
                value: Some(value),
                kind,
                ..
            } = &item.kind
            {
                let spot = self.state(io, id, *name, kind, item.place)?;
                let value = self.value_in(io, id, value)?;
                self.store(io, &spot, value, item.place)?;
            }
        }
        for (_, part) in self.instances[id].parts.clone() {
            self.begin_states(io, part)?;
        }
        Ok(())
    }

    /// What belongs to a CPU that starts after the first.
    fn join(&mut self, io: &mut dyn Outside) -> Run<()> {
        for id in self.chain_of() {
            for (owner, item) in self.eaches(io, id) {
                let ItemKind::Each { items, filter, .. } = &item.kind else {
                    continue;
                };
                if self.per_cpu(item) && (filter.is_some() || self.comes_up(items)) {
                    let member = self.at_work(io, owner, item)?;
                    self.start_member(io, member, item)?;
                }
            }
        }
        Ok(())
    }

    // ---- operations

    pub(crate) fn class(&self) -> Option<&'a Class> {
        let class = self.instances[self.function].rule.class;
        self.subject.book.classes.iter().find(|c| c.name == class)
    }

    /// The instances that the class's operations are for, in the order in which it counts them.
    pub(crate) fn units(&mut self, io: &mut dyn Outside) -> Run<Option<Vec<Id>>> {
        let rule = self.instances[self.function].rule;
        let Some(way) = self.way() else {
            return Ok(None);
        };
        let mut units = vec![self.function];
        for each in way {
            let mut inner = Vec::new();
            for unit in units {
                let members = self.members(io, unit, each, rule.place)?;
                inner.extend(members.into_iter().map(|(_, member)| member));
            }
            units = inner;
        }
        // Those for which facts decide differently are counted group by group, through all around them.
        let given = self.units.clone();
        let place = |unit: &Id| {
            let is =
                |words: &Vec<(String, u64)>| self.label_of(words) == self.instances[*unit].label;
            given.iter().position(is).unwrap_or(usize::MAX)
        };
        let mut keyed: Vec<_> = units.iter().map(|u| (place(u), *u)).collect();
        keyed.sort_by_key(|(k, _)| *k);
        Ok(Some(keyed.into_iter().map(|(_, u)| u).collect()))
    }

    /// The `each` that the operations are for, and those around it.
    pub(crate) fn way(&self) -> Option<Vec<Name>> {
        let rule = self.instances[self.function].rule;
        rule.each.and_then(|each| way_to(&rule.items, each))
    }

    fn label_of(&self, words: &[(String, u64)]) -> String {
        let steps: Vec<String> = words.iter().map(|(e, n)| format!("{e}[{n}]")).collect();
        steps.join(".")
    }

    /// Where an operation is: in the rule itself, or in what belongs to the CPU at work.
    pub(crate) fn home_of(&mut self, io: &mut dyn Outside, operation: Name) -> Run<Id> {
        let is = |k: &ItemKind| matches!(k, ItemKind::Routine(r) if r.name == operation && r.body.is_some());
        let function = self.function;
        if self.find(io, function, is).is_some() {
            return Ok(function);
        }
        for item in self.list(io, function, |k| matches!(k, ItemKind::Each { .. })) {
            if self.per_cpu(item) {
                let member = self.at_work(io, function, item)?;
                if self.find(io, member, is).is_some() {
                    return Ok(member);
                }
            }
        }
        Ok(function)
    }

    /// What the class asks for by this name.
    fn contract(&self, operation: &str) -> Option<&'a Routine> {
        let name = self.named(operation)?;
        let items = &self.class()?.items;
        items.iter().find_map(|item| match &item.kind {
            ItemKind::Routine(r) if r.body.is_none() && r.name == name => Some(r),
            _ => None,
        })
    }

    fn operation(&mut self, io: &mut dyn Outside, entry: &str, words: &[u64]) -> Run<u64> {
        let place = self.instances[self.function].rule.place;
        let Some(wanted) = self.contract(entry) else {
            return wrong(place, format!("there is no operation `{entry}`"));
        };
        let mut given = words.iter().copied();
        let mut values = Vec::new();
        let mut next = || given.next().unwrap_or(0);
        for parameter in &wanted.parameters {
            let first = next();
            values.push(match self.is_buffer(parameter) {
                true => Value::Buffer(Buffer {
                    space: Space::Pool,
                    at: first,
                    len: next(),
                    inward: false,
                    last: true,
                    word: None,
                }),
                false => Value::number(first),
            });
        }
        self.batch = true;
        let home = match self.units(io)? {
            Some(units) => {
                let unit = next();
                match usize::try_from(unit).ok().and_then(|u| units.get(u)) {
                    Some(unit) => *unit,
                    None => return wrong(place, format!("unit {unit} of {}", units.len())),
                }
            }
            None => self.home_of(io, wanted.name)?,
        };
        let single = home == self.function || self.instances[home].each.is_none();
        let value = self.call_routine(io, home, wanted.name, values, place)?;
        let gives = wanted.returns.is_some() && !matches!(value, Value::None);
        match gives && (single || self.instances[self.function].rule.each.is_none()) {
            true => {
                let n = self.number_of(io, value, None, place)?;
                self.fit(n, 64, place)
            }
            false => Ok(status::OK),
        }
    }

    fn is_buffer(&self, parameter: &Parameter) -> bool {
        match parameter.kind.as_ref().map(|kind| kind.base) {
            Some(TypeBase::Named(n)) => matches!(
                self.text(n),
                "bufs" | "buf" | "buffer" | "frame" | "bytes" | "data"
            ),
            _ => false,
        }
    }

    // ---- events

    /// All members of the `each` items of an instance and of its parts, and those inside them. Of what belongs to a CPU,
    /// that of the CPU at work.
    fn all_inside(&mut self, io: &mut dyn Outside, id: Id) -> Run<Vec<Id>> {
        let mut all = Vec::new();
        for (owner, item) in self.eaches(io, id) {
            let ItemKind::Each { name, .. } = &item.kind else {
                continue;
            };
            let members = match self.per_cpu(item) {
                true => vec![self.at_work(io, owner, item)?],
                false => {
                    let members = self.members(io, owner, *name, item.place)?;
                    members.into_iter().map(|(_, m)| m).collect()
                }
            };
            for member in members {
                all.push(member);
                all.extend(self.all_inside(io, member)?);
            }
        }
        Ok(all)
    }

    fn irq(&mut self, io: &mut dyn Outside) -> Run<u64> {
        let Some(irq) = self.named("irq") else {
            return Ok(status::OK);
        };
        let (mut heard, mut inside) = (false, Vec::new());
        for id in self.chain_of() {
            let events = self.events(io, id, None, irq)?;
            if let Some(event) = events.into_iter().find(|e| e.selector.is_none()) {
                heard = true;
                self.body(io, id, Vec::new(), &event.body)?;
            }
        }
        for id in self.chain_of() {
            for member in self.all_inside(io, id)? {
                let events = self.events(io, member, None, irq)?;
                inside.extend(events.into_iter().take(1).map(|e| (member, e)));
            }
        }
        for (member, event) in inside {
            heard |= self.event_of(io, member, event)?;
        }
        self.finish_by(io, heard)
    }

    /// An event of one of several; whether it was its own. One that claims nothing always is.
    fn event_of(&mut self, io: &mut dyn Outside, id: Id, event: &'a Event) -> Run<bool> {
        self.claimed = Some(!claims(&event.body));
        let taken = self.taken.len();
        let done = self.body(io, id, Vec::new(), &event.body);
        self.taken.truncate(taken);
        let claimed = self.claimed.take();
        match done {
            Ok(_) | Err(Exit::Event) => Ok(claimed == Some(true)),
            Err(exit) => Err(exit),
        }
    }

    fn finish_by(&mut self, io: &mut dyn Outside, heard: bool) -> Run<u64> {
        match heard {
            true => self.finish(io, status::OK),
            false => self.finish(io, status::NOT_MINE),
        }
    }

    fn message(&mut self, io: &mut dyn Outside, which: u64) -> Run<u64> {
        let Some(message) = self.named("message") else {
            return self.finish(io, status::NOT_MINE);
        };
        let mut heard = false;
        for id in self.chain_of() {
            let mut all = vec![id];
            all.extend(self.all_inside(io, id)?);
            for id in all {
                for event in self.events(io, id, None, message)? {
                    let Some(selector) = &event.selector else {
                        continue;
                    };
                    if self.count(io, id, selector)? == which {
                        heard |= self.event_of(io, id, event)?;
                    }
                }
            }
        }
        self.finish_by(io, heard)
    }

    /// `fail NAME when RING rests TIME`: fails where something is lent and nothing came back since so long.
    fn watches(&mut self, io: &mut dyn Outside, id: Id, now: u64) -> Run<()> {
        for item in self.list(io, id, |k| matches!(k, ItemKind::Watch { .. })) {
            let ItemKind::Watch {
                failure,
                what,
                time,
            } = &item.kind
            else {
                continue;
            };
            let time = self.count(io, id, time)?;
            let (lent, came) = match self.value_in(io, id, what)? {
                Value::Ring(of, ring) => self.ring_progress(io, of, ring, what.place)?,
                Value::Slots(of, slots) => self.slots_progress(io, of, slots, what.place)?,
                _ => return wrong(what.place, "only rings and slots rest"),
            };
            let spot = self.put(
                id,
                *failure,
                "watch",
                Space::State,
                crate::ring::words(2),
                8,
            );
            let last = io.load(Space::State, spot.at, Width::B64);
            let since = io.load(Space::State, spot.at + 8, Width::B64);
            if !lent {
                io.store(Space::State, spot.at + 8, Width::B64, 0);
            } else if last != came || since == 0 {
                io.store(Space::State, spot.at, Width::B64, came);
                io.store(Space::State, spot.at + 8, Width::B64, now);
            } else if now.wrapping_sub(since) >= time {
                io.store(Space::State, spot.at + 8, Width::B64, 0);
                self.failed = Some(id);
                let n = self.failure(*failure);
                return self.finish(io, status::FAIL + n);
            }
        }
        for (_, part) in self.instances[id].parts.clone() {
            self.watches(io, part, now)?;
        }
        Ok(())
    }

    // ---- recovering

    fn recover(&mut self, io: &mut dyn Outside, failure: &str) -> Run<()> {
        for id in self.chain_of() {
            for item in self.list(io, id, |k| matches!(k, ItemKind::Gone(_))) {
                let ItemKind::Gone(test) = &item.kind else {
                    continue;
                };
                if self.within(id, Vec::new(), |m| m.condition(io, test))? {
                    return self.finish(io, status::GONE);
                }
            }
        }
        let Some(name) = self.named(failure) else {
            return Ok(());
        };
        // Of the instance that failed, from the inside out; then parts, the function, what it stands on.
        let mut at = self.failed;
        while let Some(i) = at {
            if self.instances[i].each.is_some() {
                if let Some(body) = self.recovery(io, i, name) {
                    return self.body(io, i, Vec::new(), body).map(|_| ());
                }
            }
            at = self.instances[i].lower;
        }
        for id in self.chain_of() {
            for member in self.all_inside(io, id)? {
                if let Some(body) = self.recovery(io, member, name) {
                    return self.body(io, member, Vec::new(), body).map(|_| ());
                }
            }
        }
        for id in (0..self.instances.len()).rev() {
            if self.instances[id].each.is_some() {
                continue;
            }
            if let Some(body) = self.recovery(io, id, name) {
                return self.body(io, id, Vec::new(), body).map(|_| ());
            }
        }
        Ok(())
    }

    fn recovery(&mut self, io: &mut dyn Outside, id: Id, failure: Name) -> Option<&'a [Stmt]> {
        let is =
            |k: &ItemKind| matches!(k, ItemKind::Recover { names, .. } if names.contains(&failure));
        match self.find(io, id, is).map(|item| &item.kind) {
            Some(ItemKind::Recover { body, .. }) => Some(body),
            _ => None,
        }
    }
}

/// The way to an `each` through those around it.
fn way_to(items: &[Item], each: Name) -> Option<Vec<Name>> {
    items.iter().find_map(|item| match &item.kind {
        ItemKind::Each { name, .. } if *name == each => Some(vec![each]),
        ItemKind::Each { name, items, .. } => {
            let mut way = way_to(items, each)?;
            way.insert(0, *name);
            Some(way)
        }
        ItemKind::Way { items, .. } => way_to(items, each),
        ItemKind::When { yes, no, .. } => way_to(yes, each).or_else(|| way_to(no, each)),
        _ => None,
    })
}

fn claims(body: &[Stmt]) -> bool {
    body.iter().any(|s| match &s.kind {
        StmtKind::Claim(_) => true,
        StmtKind::If { yes, no, .. } | StmtKind::When { yes, no, .. } => claims(yes) || claims(no),
        _ => false,
    })
}

/// Nothing outside: whatever asks for it is no fact.
struct Nowhere {
    asked: bool,
}

impl graph::Access for Nowhere {
    fn read(&mut self, _: u8, _: u64, _: Width) -> u64 {
        self.asked = true;
        0
    }
    fn write(&mut self, _: u8, _: u64, _: Width, _: u64) {
        self.asked = true;
    }
    fn load(&mut self, _: Space, _: u64, _: Width) -> u64 {
        self.asked = true;
        0
    }
    fn store(&mut self, _: Space, _: u64, _: Width, _: u64) {
        self.asked = true;
    }
    fn fence(&mut self, _: graph::Fence) {
        self.asked = true;
    }
    fn late(&mut self, _: graph::Late) -> u64 {
        self.asked = true;
        0
    }
    fn clock(&mut self) -> u64 {
        self.asked = true;
        0
    }
    fn pause(&mut self, _: u64) {
        self.asked = true;
    }
    fn up(&mut self, _: u8, _: &[u64]) -> u64 {
        self.asked = true;
        0
    }
    fn firmware(&mut self, _: graph::Conduit, _: [u64; 4]) -> u64 {
        self.asked = true;
        0
    }
}

impl Outside for Nowhere {
    fn open(&mut self, _: u8, _: &graph::Window) -> bool {
        self.asked = true;
        false
    }
}

impl<'a> Meaning<'a> {
    /// What the class is told of the driver: the facts that it or the rule names, as far as they are numbers (a list of
    /// bytes is one, the first lowest). With several instances those of the first by their names, of the others as
    /// `1.sectors`, and how many there are.
    pub fn facts(&mut self) -> Vec<(String, u64)> {
        let io = &mut Nowhere { asked: false };
        let Ok(units) = self.units(io) else {
            return Vec::new();
        };
        let said = self.named("lanes").and_then(|name| {
            self.open.push((usize::MAX, name));
            let said = self.resolve(io, self.function, name, Place::default());
            self.open.pop();
            said.ok().map(|_| self.lanes(io))
        });
        let lanes = said.filter(|lanes| *lanes > 1);
        let lanes = lanes.map(|lanes| ("lanes".to_owned(), lanes));
        let Some(units) = units else {
            let mut facts = self.facts_of(io, self.function);
            facts.extend(lanes);
            return facts;
        };
        let mut all = Vec::new();
        for (k, unit) in units.iter().enumerate() {
            let mut facts = self.facts_of(io, *unit);
            let (mut at, mut around) = (*unit, Vec::new());
            while let (Some(each), Some(lower)) =
                (self.instances[at].each, self.instances[at].lower)
            {
                if let Some((_, Value::Num(n))) = self.instances[at].parameters.first() {
                    around.push((self.text(each).to_owned(), n.v as u64));
                }
                at = lower;
            }
            facts.extend(around.into_iter().rev());
            let numbered = |name: String| match k {
                0 => name,
                k => format!("{k}.{name}"),
            };
            all.extend(
                facts
                    .into_iter()
                    .map(|(name, value)| (numbered(name), value)),
            );
        }
        all.push(("units".to_owned(), units.len() as u64));
        all.extend(lanes);
        all
    }

    fn facts_of(&mut self, io: &mut Nowhere, id: Id) -> Vec<(String, u64)> {
        let is =
            |k: &ItemKind| matches!(k, ItemKind::Fact { parameters, .. } if parameters.is_empty());
        let mut items: Vec<&'a Item> = Vec::new();
        let class = self.class().map_or(&[][..], |class| &class.items);
        items.extend(class.iter().filter(|item| is(&item.kind)));
        items.extend(self.list(io, self.function, is));
        items.extend(self.list(io, id, is));
        let mut facts: Vec<(String, u64)> = Vec::new();
        for item in items {
            let ItemKind::Fact { name, .. } = &item.kind else {
                continue;
            };
            io.asked = false;
            let value = self.within(id, Vec::new(), |m| m.resolve(io, id, *name, item.place));
            let number = match value {
                Ok(Value::Num(n)) => u64::try_from(n.v).ok(),
                Ok(Value::List(list)) if list.len() <= 8 => {
                    list.iter().rev().try_fold(0u64, |sum, v| match v {
                        Value::Num(n) if (0..256).contains(&n.v) => Some(sum << 8 | n.v as u64),
                        _ => None,
                    })
                }
                _ => None,
            };
            let text = self.text(*name);
            if let (Some(n), false) = (number, facts.iter().any(|(n, _)| n == text) || io.asked) {
                facts.push((text.to_owned(), n));
            }
        }
        facts
    }
}
