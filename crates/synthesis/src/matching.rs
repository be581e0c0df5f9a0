//! Which rule a device gets: clues with scores, the best rule of each class, and the nearest one when none is enough.

use crate::instance::Specialiser;
use crate::{LiveAccess, Subject};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use rulebook::tree::{BinaryOp, Book, Expr, ExprKind, Item, ItemKind, Rule, UnaryOp};

/// A rule that scores less is not believed.
const ENOUGH: u32 = 5;

/// The learned fact that lists the clues that held because the device itself answered, as `rule: clue`.
pub(crate) const SEEN: &str = "seen";

/// One `match` of a rule, and whether it held.
#[derive(Clone, Debug, PartialEq)]
pub struct Clue {
    pub text: String,
    pub score: u32,
    pub held: bool,
}

/// What was chosen for one class of a device: the function's rule first, then what it stands on.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Indices into `Book::rules`.
    pub rules: Vec<usize>,
    pub class: String,
    pub direct: bool,
    pub score: u32,
    pub clues: Vec<Clue>,
}

impl Choice {
    /// `function on transport`, by the rules' names.
    pub fn title(&self, book: &Book) -> String {
        let names: Vec<&str> = self
            .rules
            .iter()
            .filter_map(|r| book.rules.get(*r))
            .map(|r| book.name(r.name))
            .collect();
        names.join(" on ")
    }
}

#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// One choice a class, in the order of the rulebook.
    pub chosen: Vec<Choice>,
    /// When nothing was chosen: the rule that came nearest, and the clue that failed.
    pub nearest: Option<(String, String)>,
    /// Clues that held because the device itself answered, as `rule: clue`.
    pub seen: Vec<String>,
}

/// Judges every rule for the subject's device. With `probe`, clues may read (and restore) registers of a device that a
/// rule's own candidates or IDs already point to; without, such clues hold if the model says that they were seen to.
pub fn match_device(subject: Subject, mut probe: Option<&mut dyn LiveAccess>) -> Verdict {
    let book = subject.book;
    let mut verdict = Verdict::default();
    let mut near: Option<Near> = None;
    for (index, rule) in book.rules.iter().enumerate() {
        let on_bus = rule
            .on
            .is_some_and(|on| book.name(on) == subject.device.bus);
        if !on_bus || !rule.parameters.is_empty() || !worth_asking(subject, rule) {
            continue;
        }
        let Judged {
            score,
            clues,
            close,
            seen,
        } = judge(subject, &[index], again(&mut probe));
        verdict.seen.extend(seen);
        if score < ENOUGH {
            remember(&mut near, book.name(rule.name), close);
            continue;
        }
        let functions: Vec<usize> = (0..book.rules.len())
            .filter(|k| {
                book.rules[*k].on == Some(rule.class) && book.rules[*k].parameters.is_empty()
            })
            .collect();
        if functions.is_empty() {
            offer(
                &mut verdict,
                book,
                Choice {
                    rules: alloc::vec![index],
                    class: book.name(rule.class).to_string(),
                    direct: is_direct(book, rule),
                    score,
                    clues,
                },
            );
            continue;
        }
        for function in functions {
            let Judged {
                score: own,
                clues: more,
                close,
                seen,
            } = judge(subject, &[function, index], again(&mut probe));
            verdict.seen.extend(seen);
            let name = book.name(book.rules[function].name);
            if own < ENOUGH {
                // What carries it is known: that is near, whatever the function's clues say.
                let failed = close.map_or_else(|| first_failed(&more), |(_, clue)| clue);
                remember(&mut near, name, Some((100 * score, failed)));
                continue;
            }
            let rule = &book.rules[function];
            let clues = more.into_iter().chain(clues.iter().cloned()).collect();
            offer(
                &mut verdict,
                book,
                Choice {
                    rules: alloc::vec![function, index],
                    class: book.name(rule.class).to_string(),
                    direct: is_direct(book, rule),
                    score: score + own,
                    clues,
                },
            );
        }
    }
    if verdict.chosen.is_empty() {
        verdict.nearest = near.map(|near| (near.rule, near.clue));
    }
    verdict
}

/// Lends the probe once more.
fn again<'s>(probe: &'s mut Option<&mut dyn LiveAccess>) -> Option<&'s mut dyn LiveAccess> {
    match probe {
        Some(p) => Some(&mut **p),
        None => None,
    }
}

fn is_direct(book: &Book, rule: &Rule) -> bool {
    book.classes
        .iter()
        .any(|c| c.name == rule.class && c.direct)
}

/// A candidate place is only asked about by a rule that named it.
fn worth_asking(subject: Subject, rule: &Rule) -> bool {
    if subject.device.fact("candidate").is_none() {
        return true;
    }
    let Some(window) = subject.device.windows.first() else {
        return false;
    };
    let places = rule
        .items
        .iter()
        .filter_map(|item| candidate(subject.book, rule, item));
    places
        .into_iter()
        .any(|c| c.base == window.base && c.ports == (window.kind == machine::WindowKind::Port))
}

/// The rule that came nearest so far.
struct Near {
    closeness: u32,
    rule: String,
    clue: String,
}

fn remember(near: &mut Option<Near>, rule: &str, close: Option<(u32, String)>) {
    let Some((closeness, clue)) = close else {
        return;
    };
    if near.as_ref().is_none_or(|best| closeness > best.closeness) {
        *near = Some(Near {
            closeness,
            rule: rule.to_string(),
            clue,
        });
    }
}

fn first_failed(clues: &[Clue]) -> String {
    clues
        .iter()
        .find(|c| !c.held)
        .map_or_else(|| "too few clues".to_string(), |c| c.text.clone())
}

/// Keeps the better choice of each class; the earlier of two equal ones.
fn offer(verdict: &mut Verdict, _book: &Book, choice: Choice) {
    match verdict.chosen.iter_mut().find(|c| c.class == choice.class) {
        Some(held) => {
            if choice.score > held.score {
                *held = choice;
            }
        }
        None => verdict.chosen.push(choice),
    }
}

/// What the clues of a rule say about a device.
struct Judged {
    /// Sum of those that hold.
    score: u32,
    clues: Vec<Clue>,
    /// How close it came (hundredths of a point) and the part that failed, if any part of a clue held.
    close: Option<(u32, String)>,
    /// Clues that held because the device answered.
    seen: Vec<String>,
}

/// The clues of the first rule of a chain.
fn judge(subject: Subject, rules: &[usize], mut probe: Option<&mut dyn LiveAccess>) -> Judged {
    let book = subject.book;
    let mut judged = Judged {
        score: 0,
        clues: Vec::new(),
        close: None,
        seen: Vec::new(),
    };
    let Some(rule) = book.rules.get(rules[0]) else {
        return judged;
    };
    let candidate = subject.device.fact("candidate").is_some();
    for item in &rule.items {
        let ItemKind::Match {
            test,
            score: points,
        } = &item.kind
        else {
            continue;
        };
        // Registers whose reading has effects are touched only where the rule is already likely, or named the place itself.
        let may_touch = candidate || judged.score > 0;
        let held = match by_facts(subject, rule, test) {
            // Most clues name another device: seen without building anything.
            Some(false) => Held::Not,
            _ => holds(subject, rules, test, again(&mut probe), may_touch),
        };
        let text = show(book, test);
        let note = || format!("{}: {text}", book.name(rule.name));
        let held = match held {
            Held::Seen => {
                judged.seen.push(note());
                true
            }
            Held::Known => true,
            Held::Not => probe.is_none() && was_seen(subject.device, &note()),
        };
        judged.clues.push(Clue {
            text,
            score: *points,
            held,
        });
        if held {
            judged.score += points;
        } else if let Some(part) =
            part_held(subject, rules, test, *points, may_touch, again(&mut probe))
        {
            if judged.close.as_ref().is_none_or(|(best, _)| part.0 > *best) {
                judged.close = Some(part);
            }
        }
    }
    judged
}

/// How much of `a and b and c` holds, and the first part that does not. Parts behind one that fails are not looked at:
/// they may rest on it.
fn part_held(
    subject: Subject,
    rules: &[usize],
    test: &Expr,
    points: u32,
    may_touch: bool,
    mut probe: Option<&mut dyn LiveAccess>,
) -> Option<(u32, String)> {
    let mut parts = Vec::new();
    conjuncts(test, &mut parts);
    let rule = subject.book.rules.get(*rules.first()?)?;
    let held = parts
        .iter()
        .take_while(|part| match by_facts(subject, rule, part) {
            Some(known) => known,
            None => holds(subject, rules, part, again(&mut probe), may_touch) != Held::Not,
        })
        .count();
    let failed = parts.get(held)?;
    // That something is known says nothing about what it is.
    let telling = |part: &&Expr| !is_known(subject.book, part);
    parts[..held].iter().any(telling).then(|| {
        (
            100 * points * held as u32 / parts.len() as u32,
            show(subject.book, failed),
        )
    })
}

fn conjuncts<'a>(test: &'a Expr, parts: &mut Vec<&'a Expr>) {
    match &test.kind {
        ExprKind::Binary(BinaryOp::Both, a, b) => {
            conjuncts(a, parts);
            conjuncts(b, parts);
        }
        _ => parts.push(test),
    }
}

fn is_known(book: &Book, test: &Expr) -> bool {
    match &test.kind {
        ExprKind::Call(f, _) => matches!(f.kind, ExprKind::Name(n) if book.name(n) == "known"),
        _ => false,
    }
}

/// Words that mean the device's own fact of that name, in every rule.
const IDS: [&str; 6] = ["vendor", "device", "hid", "acpi", "compatible", "candidate"];

/// What a test comes to by the device's IDs alone, where that can be seen at a glance.
fn by_facts(subject: Subject, rule: &Rule, test: &Expr) -> Option<bool> {
    let id = |e: &Expr| match e.kind {
        ExprKind::Name(n) if !declares(rule, n) => {
            let name = subject.book.name(n);
            IDS.contains(&name).then_some(name)
        }
        _ => None,
    };
    match &test.kind {
        ExprKind::Binary(BinaryOp::Both, a, b) => {
            let (a, b) = (by_facts(subject, rule, a), by_facts(subject, rule, b));
            match (a, b) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), b) => b,
                _ => None,
            }
        }
        ExprKind::Binary(BinaryOp::Either, a, b) => {
            let (a, b) = (by_facts(subject, rule, a)?, by_facts(subject, rule, b)?);
            Some(a || b)
        }
        ExprKind::Binary(BinaryOp::Eq, a, b) => {
            let fact = subject.device.fact(id(a)?);
            Some(match (fact, &b.kind) {
                (None, _) => false,
                (Some(machine::Value::Number(n)), ExprKind::Number(m)) => n == m,
                (Some(machine::Value::Text(t)), ExprKind::Text(m)) => t == subject.book.name(*m),
                (Some(machine::Value::Texts(list)), ExprKind::Text(m)) => {
                    list.iter().any(|t| t == subject.book.name(*m))
                }
                _ => return None,
            })
        }
        ExprKind::In(a, set) => {
            let ExprKind::Range(from, to) = &set.kind else {
                return None;
            };
            let (ExprKind::Number(from), ExprKind::Number(to)) = (&from.kind, &to.kind) else {
                return None;
            };
            match subject.device.fact(id(a)?) {
                None => Some(false),
                Some(machine::Value::Number(n)) => Some((from..to).contains(&n)),
                _ => None,
            }
        }
        ExprKind::Call(_, arguments) if is_known(subject.book, test) => {
            let name = id(&arguments.first()?.value)?;
            Some(subject.device.fact(name).is_some())
        }
        ExprKind::Name(_) => {
            let place = subject.device.fact(id(test)?);
            place.is_none().then_some(false)
        }
        _ => None,
    }
}

/// Whether a rule gives a name a meaning of its own.
fn declares(rule: &Rule, name: rulebook::tree::Name) -> bool {
    rule.items
        .iter()
        .any(|item| matches!(&item.kind, ItemKind::Fact { name: n, .. } if *n == name))
}

#[derive(Clone, Copy, PartialEq)]
enum Held {
    Not,
    /// By facts of the model.
    Known,
    /// Because the device answered.
    Seen,
}

fn was_seen(device: &machine::Device, clue: &str) -> bool {
    match device.fact(SEEN) {
        Some(machine::Value::Texts(seen)) => seen.iter().any(|s| s == clue),
        _ => false,
    }
}

fn holds<'a>(
    subject: Subject<'a>,
    rules: &[usize],
    test: &'a Expr,
    probe: Option<&mut dyn LiveAccess>,
    may_touch: bool,
) -> Held {
    let mut s = Specialiser::new(subject, probe);
    s.probing = true;
    s.may_touch = may_touch;
    s.b.open();
    let Ok(function) = crate::entries::chain(&mut s, rules) else {
        return Held::Not;
    };
    s.enter(function, Vec::new());
    let outcome = s.number(test).ok().and_then(|n| s.b.known(n.id));
    match outcome {
        None | Some(0) => Held::Not,
        Some(_) if s.touched => Held::Seen,
        Some(_) => Held::Known,
    }
}

/// An expression as a person would write it.
pub fn show(book: &Book, e: &Expr) -> String {
    match &e.kind {
        ExprKind::Number(n) if *n > 255 => format!("{n:#x}"),
        ExprKind::Number(n) => format!("{n}"),
        ExprKind::Text(t) => format!("\"{}\"", book.name(*t)),
        ExprKind::Name(n) => book.name(*n).to_string(),
        ExprKind::Dot(a, n) => format!("{}.{}", show(book, a), book.name(*n)),
        ExprKind::Index(a, i) => format!("{}[{}]", show(book, a), show(book, i)),
        ExprKind::Call(f, args) => {
            let list: Vec<String> = args.iter().map(|a| show(book, &a.value)).collect();
            format!("{}({})", show(book, f), list.join(", "))
        }
        ExprKind::Unary(op, a) => format!(
            "{}{}",
            match op {
                UnaryOp::Not => "!",
                UnaryOp::Invert => "~",
                UnaryOp::Negate => "-",
            },
            show(book, a)
        ),
        ExprKind::Binary(op, a, b) => format!("{} {} {}", show(book, a), sign(*op), show(book, b)),
        ExprKind::Range(a, b) => format!("{}..{}", show(book, a), show(book, b)),
        ExprKind::In(a, b) => format!("{} in {}", show(book, a), show(book, b)),
        ExprKind::Literal(_) => "{ … }".to_string(),
        _ => "…".to_string(),
    }
}

fn sign(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::Rem => "%",
        BinaryOp::And => "&",
        BinaryOp::Or => "|",
        BinaryOp::Xor => "^",
        BinaryOp::Shl => "<<",
        BinaryOp::Shr => ">>",
        BinaryOp::Eq => "==",
        BinaryOp::Ne => "!=",
        BinaryOp::Lt => "<",
        BinaryOp::Le => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::Ge => ">=",
        BinaryOp::Both => "and",
        BinaryOp::Either => "or",
        BinaryOp::Join => "++",
    }
}

/// The candidate places of a book: rule, window kind (ports?), base, size, line.
pub fn candidates(book: &Book) -> Vec<Candidate> {
    let mut list = Vec::new();
    for rule in &book.rules {
        for item in &rule.items {
            if let Some(c) = candidate(book, rule, item) {
                list.push(c);
            }
        }
    }
    list
}

/// Where a rule says that its device may stand when no table names it.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub rule: String,
    pub ports: bool,
    pub base: u64,
    pub size: u64,
    /// Its further windows: whether they are ports, first one, and how many.
    pub more: Vec<(bool, u64, u64)>,
    pub line: Option<u32>,
}

fn candidate(book: &Book, rule: &Rule, item: &Item) -> Option<Candidate> {
    let ItemKind::Candidate { window, more, line } = &item.kind else {
        return None;
    };
    let (ports, base, size) = candidate_window(book, window)?;
    let more = more.iter().map(|window| candidate_window(book, window));
    Some(Candidate {
        rule: book.name(rule.name).to_string(),
        ports,
        base,
        size,
        more: more.collect::<Option<Vec<_>>>()?,
        line: line.as_ref().and_then(literal).map(|n| n as u32),
    })
}

fn candidate_window(book: &Book, window: &Expr) -> Option<(bool, u64, u64)> {
    let ExprKind::Call(callee, arguments) = &window.kind else {
        return None;
    };
    let ExprKind::Name(kind) = &callee.kind else {
        return None;
    };
    let size = arguments.get(1).and_then(|a| literal(&a.value));
    let base = literal(&arguments.first()?.value)?;
    Some((book.name(*kind) == "ports", base, size.unwrap_or(8)))
}

fn literal(e: &Expr) -> Option<u64> {
    match e.kind {
        ExprKind::Number(n) => Some(n),
        _ => None,
    }
}
