//! Evaluates a test by facts alone, without building a graph. This settles most clues quickly, since most name another device.

use crate::bus::{capabilities, shape, FUNCTIONS};
use crate::Subject;
use alloc::string::String;
use core::cell::OnceCell;
use machine::Value;
use rulebook::tree::{BinaryOp, Expr, ExprKind, Item, ItemKind, Name, Stage, UnaryOp};

/// Facts that rest on facts that rest on facts: deeper than this is left to the specialiser.
const DEEPEST: u32 = 8;

/// What facts say about a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Yes,
    No,
    /// It asks for a fact that is not there, so it never holds, whatever stands beside it.
    Never,
    /// Not to be seen at a glance.
    Open,
}

impl Seen {
    fn of(holds: bool) -> Seen {
        match holds {
            true => Seen::Yes,
            false => Seen::No,
        }
    }

    /// Whether it is sure not to hold.
    pub fn fails(self) -> bool {
        matches!(self, Seen::No | Seen::Never)
    }
}

/// The value of an expression, as far as it can be seen.
enum Word<'g> {
    Number(u64),
    Text(&'g str),
    Texts(&'g [String]),
    Missing,
    Open,
}

/// What a rule or a class says of a name.
enum Declared<'a> {
    /// A fact with this value, as the rule with that number in the chain sees it.
    Fact(usize, &'a Expr),
    /// The same with parameters.
    Function(&'a Expr),
    /// Something else, or a fact that exists only under a condition.
    Other,
}

/// A subject, looked at.
pub(crate) struct Glance<'a> {
    subject: Subject<'a>,
    shape: OnceCell<String>,
}

impl<'a> Glance<'a> {
    pub fn new(subject: Subject<'a>) -> Glance<'a> {
        Glance {
            subject,
            shape: OnceCell::new(),
        }
    }

    /// Whether a test of the first of these rules, which stands on the others, holds.
    pub fn holds(&self, rules: &[usize], test: &Expr) -> Seen {
        self.test(rules, test, 0)
    }

    /// A fact of the first of these rules: outside, whether it could be seen; inside, whether it is a number.
    pub fn number(&self, rules: &[usize], fact: Name) -> Option<Option<u64>> {
        match self.named(rules, fact, 0) {
            Word::Number(n) => Some(Some(n)),
            Word::Open => None,
            _ => Some(None),
        }
    }

    fn text(&self, name: Name) -> &'a str {
        self.subject.book.name(name)
    }

    fn test(&self, rules: &[usize], e: &Expr, depth: u32) -> Seen {
        match &e.kind {
            ExprKind::Binary(BinaryOp::Both, a, b) => match self.test(rules, a, depth) {
                Seen::Yes => self.test(rules, b, depth),
                // Whatever the device says to the left side: the right one fails.
                Seen::Open if self.test(rules, b, depth).fails() => Seen::No,
                left => left,
            },
            ExprKind::Binary(BinaryOp::Either, a, b) => match self.test(rules, a, depth) {
                Seen::No => self.test(rules, b, depth),
                left => left,
            },
            ExprKind::Unary(UnaryOp::Not, a) => match self.test(rules, a, depth) {
                Seen::Yes => Seen::No,
                Seen::No => Seen::Yes,
                other => other,
            },
            ExprKind::Binary(op, a, b) if compares(*op) => {
                let left = self.word(rules, a, depth);
                match left {
                    Word::Missing => Seen::Never,
                    Word::Open => Seen::Open,
                    left => compare(*op, &left, &self.word(rules, b, depth)),
                }
            }
            ExprKind::In(a, set) => self.is_in(rules, a, set, depth),
            _ => match self.word(rules, e, depth) {
                Word::Number(n) => Seen::of(n != 0),
                Word::Missing => Seen::Never,
                _ => Seen::Open,
            },
        }
    }

    fn is_in(&self, rules: &[usize], a: &Expr, set: &Expr, depth: u32) -> Seen {
        let left = self.word(rules, a, depth);
        if let ExprKind::List(list) = &set.kind {
            return self.is_listed(rules, &left, list, depth);
        }
        let n = match left {
            Word::Number(n) => n,
            Word::Missing => return Seen::Never,
            _ => return Seen::Open,
        };
        let ExprKind::Range(from, to) = &set.kind else {
            return Seen::Open;
        };
        match (self.word(rules, from, depth), self.word(rules, to, depth)) {
            (Word::Number(from), Word::Number(to)) => Seen::of((from..to).contains(&n)),
            _ => Seen::Open,
        }
    }

    /// Whether it is one of a list. All of them are asked for, as the specialiser does: one that is not known ends the test.
    fn is_listed(&self, rules: &[usize], left: &Word, list: &[Expr], depth: u32) -> Seen {
        match left {
            Word::Missing => return Seen::Never,
            Word::Open => return Seen::Open,
            _ => {}
        }
        let mut found = false;
        for one in list {
            found |= match (left, self.word(rules, one, depth)) {
                (_, Word::Missing) => return Seen::Never,
                (_, Word::Open | Word::Texts(_)) => return Seen::Open,
                (Word::Number(a), Word::Number(b)) => *a == b,
                (Word::Text(a), Word::Text(b)) => *a == b,
                (Word::Texts(all), Word::Text(b)) => all.iter().any(|a| a == b),
                _ => false,
            };
        }
        Seen::of(found)
    }

    fn word(&self, rules: &[usize], e: &Expr, depth: u32) -> Word<'_> {
        match &e.kind {
            ExprKind::Number(n) => Word::Number(*n),
            ExprKind::Text(t) => Word::Text(self.text(*t)),
            ExprKind::Name(n) => self.named(rules, *n, depth),
            ExprKind::Call(callee, arguments) => match (&callee.kind, arguments.as_slice()) {
                (ExprKind::Name(f), [argument]) if self.declared(rules, *f).is_none() => {
                    self.builtin(rules, self.text(*f), &argument.value, depth)
                }
                _ => Word::Open,
            },
            ExprKind::Binary(op, a, b) if !truths(*op) => {
                match (self.word(rules, a, depth), self.word(rules, b, depth)) {
                    (Word::Number(a), Word::Number(b)) => arithmetic(*op, a, b),
                    (Word::Missing, _) | (Word::Number(_), Word::Missing) => Word::Missing,
                    _ => Word::Open,
                }
            }
            ExprKind::Binary(..) | ExprKind::Unary(UnaryOp::Not, _) | ExprKind::In(..) => {
                match self.test(rules, e, depth) {
                    Seen::Yes => Word::Number(1),
                    Seen::No => Word::Number(0),
                    Seen::Never => Word::Missing,
                    Seen::Open => Word::Open,
                }
            }
            ExprKind::Choose {
                stage: Stage::Fact,
                test,
                yes,
                no: Some(no),
            } => match self.test(rules, test, depth) {
                Seen::Yes => self.word(rules, yes, depth),
                Seen::No => self.word(rules, no, depth),
                Seen::Never => Word::Missing,
                Seen::Open => Word::Open,
            },
            _ => Word::Open,
        }
    }

    fn builtin(&self, rules: &[usize], f: &str, argument: &Expr, depth: u32) -> Word<'_> {
        let known = match f {
            "known" => self.known(rules, argument, depth),
            "has" => match argument.kind {
                ExprKind::Number(id) => Some(self.has(id)),
                _ => None,
            },
            _ => None,
        };
        known.map_or(Word::Open, |known| Word::Number(u64::from(known)))
    }

    fn has(&self, id: u64) -> bool {
        capabilities(self.subject.device, id).next().is_some()
    }

    /// What `known` says of its argument.
    fn known(&self, rules: &[usize], argument: &Expr, depth: u32) -> Option<bool> {
        match &argument.kind {
            ExprKind::Name(n) => match self.named(rules, *n, depth) {
                Word::Missing => Some(false),
                Word::Open => None,
                _ => Some(true),
            },
            ExprKind::Call(callee, _) => {
                let ExprKind::Name(f) = callee.kind else {
                    return None;
                };
                let Some(Declared::Function(value)) = self.declared(rules, f) else {
                    return None;
                };
                let ExprKind::First { list, .. } = &value.kind else {
                    return None;
                };
                let ExprKind::Call(caps, ids) = &list.kind else {
                    return None;
                };
                match (&caps.kind, ids.first().map(|id| &id.value.kind)) {
                    // The first of no capabilities is none.
                    (ExprKind::Name(caps), Some(ExprKind::Number(id)))
                        if self.text(*caps) == "caps" && !self.has(*id) =>
                    {
                        Some(false)
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// A name as the specialiser looks it up: the rule's, its class's, those it stands on, the bus, facts.
    fn named(&self, rules: &[usize], n: Name, depth: u32) -> Word<'_> {
        match self.declared(rules, n) {
            Some(Declared::Fact(at, value)) if depth < DEEPEST => {
                return self.word(rules.get(at..).unwrap_or_default(), value, depth + 1)
            }
            Some(_) => return Word::Open,
            None => {}
        }
        let text = self.text(n);
        match text {
            "true" => return Word::Number(1),
            "false" => return Word::Number(0),
            "shape" => return Word::Text(self.shape.get_or_init(|| shape(self.subject.device))),
            "irq" | "none" | "random" | "config" | "behind" | "cpus" | "lane" | "base"
            | "system" | "model" => return Word::Open,
            _ => {}
        }
        let Subject {
            device,
            machine,
            given,
            ..
        } = self.subject;
        if let Some((_, n)) = given.iter().find(|(name, _)| *name == text) {
            return Word::Number(*n);
        }
        let own = device.facts.iter().find(|fact| fact.name == text);
        match own.map(|fact| &fact.value).or_else(|| machine.fact(text)) {
            Some(Value::Number(n)) => Word::Number(*n),
            Some(Value::Flag(f)) => Word::Number(u64::from(*f)),
            Some(Value::Text(t)) => Word::Text(t),
            Some(Value::Texts(t)) => Word::Texts(t),
            Some(_) => Word::Open,
            None if FUNCTIONS.contains(&text) => Word::Open,
            None => Word::Missing,
        }
    }

    fn declared(&self, rules: &[usize], n: Name) -> Option<Declared<'a>> {
        // What an earlier run learned comes before what the rule says of it.
        let learned = &self.subject.device.learned;
        if !learned.is_empty() {
            let text = self.text(n);
            if learned
                .iter()
                .any(|f| f.name.split('.').any(|part| part == text))
            {
                return Some(Declared::Other);
            }
        }
        let book = self.subject.book;
        for (at, index) in rules.iter().enumerate() {
            let rule = book.rules.get(*index)?;
            let class = book.classes.iter().find(|c| c.name == rule.class);
            let found = among(&rule.items, n, at)
                .or_else(|| class.and_then(|class| among(&class.items, n, at)));
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

/// What items say of a name.
fn among(items: &[Item], n: Name, at: usize) -> Option<Declared<'_>> {
    items.iter().find_map(|item| match &item.kind {
        ItemKind::Fact {
            name,
            parameters,
            value: Some(value),
            ..
        } if *name == n => Some(match parameters.is_empty() {
            true => Declared::Fact(at, value),
            false => Declared::Function(value),
        }),
        ItemKind::Way { items, .. } => among(items, n, at).map(|_| Declared::Other),
        ItemKind::When { yes, no, .. } => {
            (among(yes, n, at).or_else(|| among(no, n, at))).map(|_| Declared::Other)
        }
        kind => (name_of(kind) == Some(n)).then_some(Declared::Other),
    })
}

/// The name that an item gives to something that an expression can mean.
fn name_of(kind: &ItemKind) -> Option<Name> {
    Some(match kind {
        ItemKind::Fact { name, .. }
        | ItemKind::Bits { name, .. }
        | ItemKind::Ring { name, .. }
        | ItemKind::Slots { name, .. }
        | ItemKind::State { name, .. }
        | ItemKind::Use { name, .. }
        | ItemKind::Each { name, .. } => *name,
        ItemKind::Space(space) => space.name,
        ItemKind::Reg(register) => register.name,
        ItemKind::Arena(arena) => arena.name,
        ItemKind::Routine(routine) => routine.name,
        _ => return None,
    })
}

fn compares(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge
    )
}

/// Operators that are true or false.
fn truths(op: BinaryOp) -> bool {
    compares(op) || matches!(op, BinaryOp::Both | BinaryOp::Either)
}

fn compare(op: BinaryOp, left: &Word, right: &Word) -> Seen {
    let same = match (left, right) {
        (_, Word::Missing) => return Seen::Never,
        (_, Word::Open) => return Seen::Open,
        (Word::Number(a), Word::Number(b)) => {
            return Seen::of(match op {
                BinaryOp::Eq => a == b,
                BinaryOp::Ne => a != b,
                BinaryOp::Lt => a < b,
                BinaryOp::Le => a <= b,
                BinaryOp::Gt => a > b,
                _ => a >= b,
            })
        }
        (Word::Number(_), _) => return Seen::Never,
        (Word::Text(a), Word::Text(b)) => a == b,
        (Word::Texts(list), Word::Text(b)) => list.iter().any(|a| a == b),
        _ => false,
    };
    match op {
        BinaryOp::Eq => Seen::of(same),
        BinaryOp::Ne => Seen::of(!same),
        _ => Seen::Never,
    }
}

fn arithmetic<'g>(op: BinaryOp, a: u64, b: u64) -> Word<'g> {
    let shift = u32::try_from(b).ok();
    Word::Number(match op {
        BinaryOp::Add => a.wrapping_add(b),
        BinaryOp::Sub => a.wrapping_sub(b),
        BinaryOp::Mul => a.wrapping_mul(b),
        BinaryOp::And => a & b,
        BinaryOp::Or => a | b,
        BinaryOp::Xor => a ^ b,
        // A shift by 64 or more gives 0, as in the graph.
        BinaryOp::Shl => shift.and_then(|n| a.checked_shl(n)).unwrap_or(0),
        BinaryOp::Shr => shift.and_then(|n| a.checked_shr(n)).unwrap_or(0),
        _ => return Word::Open,
    })
}
