//! Instances: a rule, its transport and its parts, each with names, facts and memory of its own.

use crate::execute::Flow;
use crate::exits::{Exit, Exits};
use crate::folding::Folding;
use crate::guard::Guarded;
use crate::mode::Mode;
use crate::proved::Proved;
use crate::room::Room;
use crate::taken::Taken;
use crate::told::Told;
use crate::value::{Bits, Num, Spot, Value};
use crate::{Error, Result, Subject};
use alloc::{format, string::String, vec, vec::Vec};
use graph::{Builder, Id};
use rulebook::tree::{Class, Item, ItemKind, Name, Place, Rule, Stmt};

pub type InstanceId = usize;

pub struct Instance<'a> {
    /// Prefix of its learned facts: empty for the function itself.
    pub label: String,
    pub rule: &'a Rule,
    pub class: Option<&'a Class>,
    pub items: Vec<&'a Item>,
    pub guarded: Vec<Guarded<'a>>,
    pub parameters: Vec<(Name, Value<'a>)>,
    /// `each` items that make instances of their own.
    pub eaches: Vec<(Name, &'a Item)>,
    /// The instances of an `each` that this one stands for, and which of them it is.
    pub bank: Option<(usize, Num<'a>)>,
    pub lower: Option<InstanceId>,
    /// Who gets its upcalls, and under which name it is used there.
    pub upper: Option<(InstanceId, Option<Name>)>,
    pub parts: Vec<(Name, InstanceId)>,
    /// Learned facts, and facts computed once.
    pub facts: Vec<(Name, Value<'a>)>,
    /// `learn door[q]`: facts with an index.
    pub indexed: Vec<(Name, u64, Num<'a>)>,
    pub memory: Vec<(Name, Spot<'a>)>,
}

/// A name bound by `let`, `for` or a parameter.
#[derive(Clone, Debug)]
pub enum Binding<'a> {
    Value(Value<'a>),
    /// Assigned after its `let`: a local variable of the entry.
    Local {
        slot: u16,
        most: u64,
    },
}

/// One routine, event or item expression being worked on.
pub struct Frame<'a> {
    pub instance: InstanceId,
    /// Names bound before this index belong to others.
    pub scope: usize,
    /// Where `return` goes when it stands inside something decided at run time.
    pub exit: Option<Exit>,
    /// Where `stop` goes: the innermost loop.
    pub loop_exit: Option<Exit>,
    /// The value of a `return` that needed no jump.
    pub returned: Option<Value<'a>>,
    /// Names that are assigned somewhere in the routine after their `let`.
    pub assigned: Vec<Name>,
    /// Open run-time regions where it begins.
    pub nest: u32,
    /// Of the values that it returns where the run decides: the most, and whether one has only its lowest 64 bits.
    pub most: u64,
    pub cut: bool,
}

/// How much was known, and taken, when a region was opened.
#[derive(Clone, Copy)]
pub struct Mark {
    pub proved: usize,
    pub taken: usize,
}

/// What is the same in all entries: what is specialised, and what is known of it.
pub struct Rules<'a> {
    pub subject: Subject<'a>,
    pub instances: Vec<Instance<'a>>,
    pub banks: Vec<crate::each::Bank<'a>>,
    /// Values of facts with parameters, for the numbers that they were asked for.
    pub called: Vec<(InstanceId, Name, Vec<u64>, Value<'a>)>,
    /// Slots and rings that something watches, by name.
    pub watched: Vec<(Option<Name>, Name)>,
    pub folding: Folding,
}

/// What is put out: the graph of all entries, and what goes with it.
#[derive(Default)]
pub struct Out<'a> {
    pub b: Builder,
    /// How far the device reaches by what all entries tell it.
    pub reach: crate::lent::InAll<'a>,
    pub windows: Vec<graph::Window>,
    pub room: Room,
    pub told: Told,
    /// Names of places, if somebody wants them.
    pub names: Option<graph::view::Names>,
}

/// Where the specialiser is in the entry that it works on. Nothing of it is left in the next.
#[derive(Default)]
pub struct Entry<'a> {
    pub scopes: Vec<(Name, Binding<'a>)>,
    pub frames: Vec<Frame<'a>>,
    /// Blocks and loops that are open.
    pub exits: Exits,
    /// Open run-time regions of any kind.
    pub nest: u32,
    pub marks: Vec<Mark>,
    /// What is known of values in the regions that are open.
    pub proved: Proved,
    /// What was lent to the device, and what it was given.
    pub reach: crate::lent::InEntry<'a>,
    /// Slots taken in this entry: `busy` gives them back.
    pub taken: Taken<'a>,
    /// What follows in the current region is never reached, and why: something inside an expression or a call ended it.
    pub cut: Option<Flow>,
    /// What to do when the thing being asked for cannot be had.
    pub otherwise: Option<&'a Stmt>,
    /// The place of the rule that is worked on.
    pub at: Place,
    /// What had to be known and was not: told at the end of the statement.
    pub unknown: Option<Error>,
}

pub struct Specialiser<'a, 'l> {
    pub rules: Rules<'a>,
    pub out: Out<'a>,
    pub entry: Entry<'a>,
    /// What it is at, and what only that needs.
    pub mode: Mode<'a, 'l>,
    /// Steps of evaluation left: a rule cannot keep the generator busy for ever.
    budget: u64,
}

impl<'a, 'l> Specialiser<'a, 'l> {
    pub fn new(subject: Subject<'a>, mode: Mode<'a, 'l>) -> Self {
        Specialiser {
            rules: Rules {
                subject,
                instances: Vec::new(),
                banks: Vec::new(),
                called: Vec::new(),
                watched: Vec::new(),
                folding: Folding::default(),
            },
            out: Out::default(),
            entry: Entry::default(),
            mode,
            budget: 20_000_000,
        }
    }

    pub fn text(&self, name: Name) -> &'a str {
        self.rules
            .subject
            .book
            .names
            .get(name.0 as usize)
            .map_or("?", |s| s.as_str())
    }

    pub fn class_named(&self, name: Name) -> Option<&'a Class> {
        self.rules
            .subject
            .book
            .classes
            .iter()
            .find(|c| c.name == name)
    }

    /// Steps of a wait, which has its own end: its time.
    pub fn give_back(&mut self, steps: u64) {
        self.budget = self.budget.saturating_add(steps);
    }

    /// Takes one step off the budget.
    pub fn tick(&mut self, place: Place) -> Result<()> {
        self.entry.at = place;
        self.budget = self.budget.checked_sub(1).ok_or_else(|| {
            Error::new(
                place,
                "specialising this rule takes too long",
                "bound the loop that runs here with a smaller `at most`",
            )
        })?;
        Ok(())
    }

    /// A value that must be known here, or the statement ends in an error: whoever gets none carries nothing out.
    pub fn known_now(&mut self, id: Id) -> Option<u64> {
        let known = self.out.b.known(id);
        if known.is_none() && self.entry.unknown.is_none() {
            self.entry.unknown = Some(Error::new(
                self.entry.at,
                "a value is needed here that only the driver's run can know",
                "learn it first, or use a fact",
            ));
        }
        known
    }

    /// The same for several.
    pub fn all_known_now<const N: usize>(&mut self, ids: [Id; N]) -> Option<[u64; N]> {
        let mut values = [0; N];
        for (value, id) in values.iter_mut().zip(ids) {
            *value = self.known_now(id)?;
        }
        Some(values)
    }

    /// The error of something that had to be known and was not.
    pub fn told_unknown(&mut self) -> Result<()> {
        self.entry.unknown.take().map_or(Ok(()), Err)
    }

    /// Makes an instance of a rule; its parts follow with [`Self::use_parts`].
    pub fn instantiate(
        &mut self,
        label: String,
        rule: &'a Rule,
        items: &'a [Item],
        lower: Option<InstanceId>,
        bank: Option<(usize, Num<'a>)>,
    ) -> Result<InstanceId> {
        let mut flat = Vec::new();
        let mut guarded = Vec::new();
        self.flatten(items, &mut flat, &mut guarded);
        let eaches = flat
            .iter()
            .filter_map(|item| match &item.kind {
                ItemKind::Each { name, .. } => Some((*name, *item)),
                _ => None,
            })
            .collect::<Vec<_>>();
        let id = self.rules.instances.len();
        // What stands inside a rule has the rule's class around it, not beneath.
        let whole = core::ptr::eq(items.as_ptr(), rule.items.as_ptr());
        let class = if whole {
            self.class_named(rule.class)
        } else {
            None
        };
        self.rules.instances.push(Instance {
            label,
            rule,
            class,
            items: flat,
            guarded,
            parameters: Vec::new(),
            eaches,
            bank,
            lower,
            upper: None,
            parts: Vec::new(),
            facts: Vec::new(),
            indexed: Vec::new(),
            memory: Vec::new(),
        });
        if self.mode.remembers() {
            self.recall(id);
        }
        Ok(id)
    }

    /// Learned facts of an earlier run, as constants.
    fn recall(&mut self, id: InstanceId) {
        if let Some((bank, position)) = self.rules.instances[id].bank {
            if self.out.b.known(position.id).is_none() {
                return self.recall_bank(id, bank);
            }
        }
        let prefix = self.prefix(id);
        for fact in &self.rules.subject.device.learned {
            let Some(rest) = fact.name.strip_prefix(prefix.as_str()) else {
                continue;
            };
            self.recall_one(id, rest, &fact.value);
        }
    }

    /// One learned fact, by its name inside the instance.
    pub fn recall_one(&mut self, id: InstanceId, rest: &str, value: &machine::Value) {
        let (base, index) = match rest.split_once('.') {
            Some((base, index)) => match index.parse::<u64>() {
                Ok(n) => (base, Some(n)),
                Err(_) => return,
            },
            None => (rest, None),
        };
        let Some(name) = self.rules.subject.book.names.iter().position(|n| n == base) else {
            return;
        };
        let name = Name(name as u16);
        let value = self.of_fact(value);
        match (index, value) {
            (Some(n), Value::Num(v)) => self.rules.instances[id].indexed.push((name, n, v)),
            (None, value) => {
                let value = self.typed_fact(id, name, value);
                self.rules.instances[id].facts.push((name, value));
            }
            _ => {}
        }
    }

    /// `rx.` for a part, empty for the function.
    pub fn prefix(&self, id: InstanceId) -> String {
        let label = &self.rules.instances[id].label;
        if label.is_empty() {
            String::new()
        } else {
            format!("{label}.")
        }
    }

    /// Gives a learned number the bit names that its fact was declared with.
    pub fn typed_fact(&self, id: InstanceId, name: Name, value: Value<'a>) -> Value<'a> {
        let Value::Num(mut num) = value else {
            return value;
        };
        let declared = self.all_items(id).find_map(|item| match &item.kind {
            ItemKind::Fact {
                name: n,
                kind: Some(t),
                ..
            } if *n == name => Some(t),
            _ => None,
        });
        if let Some(t) = declared {
            if let rulebook::tree::TypeBase::Named(n) = t.base {
                num.bits = Some(Bits::Named(id, n));
            }
        }
        Value::Num(num)
    }

    /// Makes the parts that an instance uses.
    pub fn use_parts(&mut self, id: InstanceId) -> Result<()> {
        let uses: Vec<&'a Item> = self.rules.instances[id]
            .items
            .iter()
            .copied()
            .filter(|i| matches!(i.kind, ItemKind::Use { .. }))
            .collect();
        for item in uses {
            let ItemKind::Use {
                name,
                part,
                arguments,
            } = &item.kind
            else {
                continue;
            };
            let (rule, names, items, lower) = self.part_named(id, *part, item.place)?;
            let mut values = Vec::new();
            self.enter(id, Vec::new());
            for argument in arguments {
                values.push(self.value(argument)?);
            }
            self.leave();
            let label = format!("{}{}", self.prefix(id), self.text(*name));
            let bank = self.rules.instances[id].bank;
            let child = self.instantiate(label, rule, items, lower, bank)?;
            self.rules.instances[child]
                .parameters
                .extend(names.iter().copied().zip(values));
            self.rules.instances[child].upper = Some((id, Some(*name)));
            self.rules.instances[id].parts.push((*name, child));
            self.use_parts(child)?;
        }
        Ok(())
    }

    /// A part by name: one inside this rule (or what encloses this instance), or a rule with parameters. Gives the rule,
    /// the parameters, the items, and where its other names are looked up.
    #[allow(clippy::type_complexity)]
    fn part_named(
        &mut self,
        id: InstanceId,
        part: Name,
        place: Place,
    ) -> Result<(&'a Rule, &'a [Name], &'a [Item], Option<InstanceId>)> {
        let mut at = Some(id);
        while let Some(i) = at {
            let found = self.find_item(
                i,
                |k| matches!(k, ItemKind::Part { name, .. } if *name == part),
            );
            if let Some(Item {
                kind: ItemKind::Part {
                    parameters, items, ..
                },
                ..
            }) = found
            {
                return Ok((self.rules.instances[i].rule, parameters, items, Some(i)));
            }
            at = self.rules.instances[i].lower;
        }
        let rule = self
            .rules
            .subject
            .book
            .rules
            .iter()
            .find(|r| r.name == part && !r.parameters.is_empty())
            .ok_or_else(|| {
                Error::new(
                    place,
                    format!("there is no part `{}`", self.text(part)),
                    "name a rule with parameters, or a `part` of this rule",
                )
            })?;
        // What carries the rule carries its parts; what stands inside the rule is left behind.
        let mut at = id;
        while self.rules.instances[at].class.is_none() {
            match self.rules.instances[at].lower {
                Some(lower) => at = lower,
                None => break,
            }
        }
        let lower = self.rules.instances[at].lower;
        Ok((rule, &rule.parameters, &rule.items, lower))
    }

    pub fn enter(&mut self, instance: InstanceId, assigned: Vec<Name>) {
        let frame = Frame {
            instance,
            scope: self.entry.scopes.len(),
            exit: None,
            loop_exit: None,
            returned: None,
            assigned,
            nest: self.entry.nest,
            most: 0,
            cut: false,
        };
        self.entry.frames.push(frame);
    }

    pub fn leave(&mut self) -> Option<Value<'a>> {
        let frame = self.entry.frames.pop()?;
        self.entry.scopes.truncate(frame.scope);
        frame.returned
    }

    pub fn here(&self) -> InstanceId {
        self.entry.frames.last().map_or(0, |f| f.instance)
    }

    /// The value, if facts decide it. What does not is remembered: it may rest on a fact that differs between instances.
    pub fn decided(&mut self, id: Id) -> Option<u64> {
        let known = self.out.b.known(id);
        if known.is_none() {
            self.rules.folding.note_undecided(id);
        }
        known
    }

    pub fn constant(&mut self, v: u64) -> Num<'a> {
        Num {
            id: self.out.b.constant(v),
            most: v,
            bits: None,
            open: false,
            cut: false,
        }
    }

    pub fn node(&self, id: Id, most: u64) -> Num<'a> {
        let most = match self.out.b.known(id) {
            Some(value) => value,
            None => self.entry.proved.most(id, most.min(self.out.b.most(id))),
        };
        Num {
            id,
            most,
            bits: None,
            open: false,
            cut: false,
        }
    }

    /// The number, where only a number that is neither below 0 nor beyond 64 bits will do: it is compared, divided, an
    /// index, a count, a place.
    pub fn exact(&self, n: Num<'a>, place: Place) -> Result<Num<'a>> {
        if !n.cut {
            return Ok(n);
        }
        Err(Error::new(
            place,
            "this number can be below 0, or beyond 64 bits",
            "check first that it is not (`check b <= a`, then `a - b`), or take its lowest bits (`& 0xffff`)",
        ))
    }

    /// The value of an expression as such a number.
    pub fn exact_number(&mut self, e: &'a rulebook::tree::Expr) -> Result<Num<'a>> {
        let n = self.number(e)?;
        self.exact(n, e.place)
    }

    pub fn of_fact(&mut self, value: &machine::Value) -> Value<'a> {
        match value {
            machine::Value::Number(n) => Value::Num(self.constant(*n)),
            machine::Value::Flag(f) => Value::Num(self.constant(*f as u64)),
            machine::Value::Text(t) => Value::Text(t.clone()),
            machine::Value::Texts(t) => Value::Texts(t.clone()),
            machine::Value::Bytes(b) => Value::List(
                b.iter()
                    .map(|b| Value::Num(self.constant(*b as u64)))
                    .collect(),
            ),
            machine::Value::Numbers(b) => {
                Value::List(b.iter().map(|b| Value::Num(self.constant(*b))).collect())
            }
        }
    }

    pub fn as_fact(&self, value: &Value<'a>) -> Option<machine::Value> {
        Some(match value {
            Value::Num(n) => machine::Value::Number(self.out.b.known(n.id)?),
            Value::Text(t) => machine::Value::Text(t.clone()),
            Value::List(list) => {
                let mut bytes = vec![];
                for v in list {
                    let Value::Num(n) = v else { return None };
                    bytes.push(self.out.b.known(n.id)?);
                }
                if bytes.iter().all(|b| *b < 256) {
                    machine::Value::Bytes(bytes.iter().map(|b| *b as u8).collect())
                } else {
                    machine::Value::Numbers(bytes)
                }
            }
            _ => return None,
        })
    }
}
