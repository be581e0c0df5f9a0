//! What a rule means: an interpreter that carries the checked tree of a rule out, statement by statement.
//!
//! It is the meaning of the language against which the specialiser and all that is made of its graph are held. It is
//! written after `docs/rules.md`, folds nothing, knows no bounds of values, makes no graph and shares no code with the
//! specialiser. It is as plain as it can be, and slow. Each access goes through [`graph::Access`], the trait of the graph's
//! interpreter and of the device models, so that both can be compared access by access.
//!
//! Whatever a driver is given from outside, the interpreter is given too ([`Given`]): numbers of windows, upcalls and
//! failures, which of several instances has which number, and, where addresses are to be compared, where the objects of the
//! arena lie. None of it changes what a rule means.
//!
//! | file | what is in it |
//! |---|---|
//! | `value` | what an expression can be |
//! | `names` | instances, and what a name means in one |
//! | `layout` | where bits and members lie, where objects are put |
//! | `memory` | loads and stores |
//! | `register` | accesses to the device |
//! | `expression` | operators, members, calls |
//! | `builtin` | the words of the bus, the functions of the language |
//! | `ring`, `slots`, `spread` | what is lent, taken and cut |
//! | `statement` | statements, and where control goes |
//! | `entry` | `init`, operations, events, recoveries |
#![forbid(unsafe_code)]

mod builtin;
mod entry;
mod expression;
mod layout;
mod memory;
mod names;
mod register;
mod ring;
mod slots;
mod spread;
mod statement;
mod tails;
mod value;

pub use entry::Unlearned;

use graph::{Access, Space, Window};
use machine::{Device, Fact, Machine};
use rulebook::tree::{Book, Expr, Name, Place, Stmt};
use std::collections::BTreeMap;
use value::{Id, Locals, Value};

/// Which driver it is: the same words as the specialiser's.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub book: &'a Book,
    pub machine: &'a Machine,
    pub device: &'a Device,
    pub given: &'a [(&'a str, u64)],
    /// Indices of the rules, the function first, then what carries it.
    pub rules: &'a [usize],
}

/// What a driver gets from outside, and what means nothing to its rule.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Windows in the order of their numbers; further ones follow.
    pub windows: Vec<Window>,
    pub upcalls: Vec<String>,
    pub failures: Vec<String>,
    /// What the class is told of the driver: with several instances it says which has which number (`p`, `1.p`, …, `units`).
    /// Without it they are counted in the order of the sets.
    pub facts: Vec<(String, u64)>,
    /// Where objects lie, by name; all others are put behind `state` and `arena`.
    pub places: Vec<(Space, u64, String)>,
    /// Bytes of state and of arena that are not free for others.
    pub state: u64,
    pub arena: u64,
}

/// Device, memory, clock and upcalls, and what only comparing needs.
pub trait Outside: Access {
    /// Window number `index` is this one; false when it cannot be reached.
    fn open(&mut self, index: u8, window: &Window) -> bool;
    /// A wait begins or ends: how often the device is read inside is not the rule's to say.
    fn waits(&mut self, _begins: bool) {}
}

/// Why the interpreter stopped where a driver would have gone on.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The rule does what has no meaning: a value that does not fit, an index out of range. The specialiser has to refuse
    /// such a rule.
    Wrong(Place, String),
    /// A construct that the interpreter does not carry, by name.
    Refused(Place, String),
    /// It took too many steps.
    Budget,
}

impl Fault {
    pub fn show(&self, book: &Book) -> String {
        let at = |place: &Place| {
            let file = book.files.get(usize::from(place.file));
            let file = file.map_or("?", |f| f.as_str());
            format!("{file}:{}:{}", place.line, place.column)
        };
        match self {
            Fault::Wrong(place, what) => format!("{}: {what}", at(place)),
            Fault::Refused(place, what) => format!("{}: not carried: {what}", at(place)),
            Fault::Budget => "more than the budget of steps".into(),
        }
    }
}

/// How an entry ended: a status of `abi::status`, or the value that an operation gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub status: u64,
    pub fault: Option<Fault>,
}

/// Where control goes instead of on.
enum Exit {
    /// The entry ends with this status.
    End(u64),
    /// The event of one of several instances ends.
    Event,
    /// What stood behind `else` goes elsewhere: `Meaning::jump`.
    Jump,
    Fault(Fault),
}

type Run<T> = Result<T, Exit>;

/// Statements and turns of loops that one entry may take.
const BUDGET: u64 = 5_000_000;

/// A rule with what carries it and what it uses, being carried out.
pub struct Meaning<'a> {
    subject: Subject<'a>,
    given: Given,
    /// For each instance that the class counts, the numbers of the `each` around it by name, from the outermost in.
    units: Vec<Vec<(String, u64)>>,
    instances: Vec<names::Instance<'a>>,
    /// The function's instance.
    function: Id,
    frames: Vec<Frame<'a>>,
    /// The first run, which finds the facts; in later ones they are known.
    first: bool,
    /// … of a CPU that joins: what belongs to no CPU is known already.
    learned: Vec<Fact>,
    /// What to do when the thing being asked for cannot be had.
    otherwise: Option<&'a Stmt>,
    /// Slots taken by the operation at work.
    taken: Vec<(Id, Name, u64)>,
    /// `then` is left for the batch's end.
    batch: bool,
    /// Where what stood behind an `else` goes.
    jump: Option<statement::Flow<'a>>,
    /// Inside an event, and whether a loop met its bound there.
    hears: bool,
    again: bool,
    /// Inside the event of one of several instances: whether any claimed it so far.
    claimed: Option<bool>,
    /// The instance that failed last.
    failed: Option<Id>,
    /// Values of `measure` are not compared.
    measured: bool,
    budget: u64,
    /// The lane of a first run.
    counting: bool,
    /// Facts being worked out: one that rests on itself has no value.
    open: Vec<(Id, Name)>,
    tops: BTreeMap<u8, u64>,
}

/// A routine, event or item expression being worked on.
struct Frame<'a> {
    instance: Id,
    locals: Locals<'a>,
    /// Names that the routine assigns after their `let`.
    variables: Vec<Name>,
    /// Open loops.
    loops: u32,
}

impl<'a> Meaning<'a> {
    fn here(&self) -> Id {
        self.frames.last().map_or(self.function, |f| f.instance)
    }

    fn text(&self, name: Name) -> &'a str {
        self.subject.book.name(name)
    }

    fn named(&self, text: &str) -> Option<Name> {
        self.subject.book.find(text)
    }

    fn tick(&mut self) -> Run<()> {
        self.budget = match self.budget.checked_sub(1) {
            Some(left) => left,
            None => return Err(Exit::Fault(Fault::Budget)),
        };
        Ok(())
    }

    /// Works in an instance, with these names bound.
    fn within<T>(
        &mut self,
        instance: Id,
        locals: Locals<'a>,
        work: impl FnOnce(&mut Self) -> Run<T>,
    ) -> Run<T> {
        if self.frames.len() > 60 {
            return refused(Place::default(), "routines nested more than 60 deep");
        }
        self.frames.push(Frame {
            instance,
            locals: Vec::new(),
            variables: Vec::new(),
            loops: 0,
        });
        for (name, value) in locals {
            self.bind(name, value);
        }
        let done = work(self);
        self.frames.pop();
        done
    }

    /// What an expression of an item means in its instance.
    fn value_in(&mut self, io: &mut dyn Outside, instance: Id, e: &'a Expr) -> Run<Value<'a>> {
        self.within(instance, Vec::new(), |m| m.value(io, e))
    }

    fn bind(&mut self, name: Name, value: Value<'a>) {
        if let Some(frame) = self.frames.last_mut() {
            let value = match frame.variables.contains(&name) {
                true => variable(value),
                false => value,
            };
            frame.locals.push((name, value));
        }
    }

    /// What is bound inside is gone afterwards.
    fn scoped<T>(&mut self, work: impl FnOnce(&mut Self) -> Run<T>) -> Run<T> {
        let before = self.frames.last().map_or(0, |f| f.locals.len());
        let done = work(self);
        if let Some(frame) = self.frames.last_mut() {
            frame.locals.truncate(before);
        }
        done
    }
}

/// What a name keeps that is assigned again: 64 bits, the lowest of any number.
fn variable(value: Value) -> Value {
    match value {
        Value::Num(n) => Value::Num(value::Num {
            v: i128::from(n.v as u64),
            ..n
        }),
        value => value,
    }
}

fn wrong<T>(place: Place, what: impl Into<String>) -> Run<T> {
    Err(Exit::Fault(Fault::Wrong(place, what.into())))
}

fn refused<T>(place: Place, what: impl Into<String>) -> Run<T> {
    Err(Exit::Fault(Fault::Refused(place, what.into())))
}
