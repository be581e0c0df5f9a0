//! Which rule a device gets: clues with scores, the best rule of each class, and the nearest one when none is enough.

use crate::glance::{Glance, Seen};
use crate::instance::Specialiser;
use crate::mode::Mode;
use crate::{LiveAccess, Subject};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use machine::{Candidate, Window, WindowKind};
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
    /// A cheaper device of a direct class serves the machine, unless that one fails.
    pub spare: bool,
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
    let glance = Glance::new(subject);
    let mut verdict = Verdict::default();
    let mut near: Option<Near> = None;
    for (index, rule) in book.rules.iter().enumerate() {
        let on_bus = rule
            .on
            .is_some_and(|on| book.name(on) == subject.device.bus);
        if !on_bus || !rule.parameters.is_empty() || !worth_asking(subject, rule) {
            continue;
        }
        let carrier = judge(subject, &glance, &[index], again(&mut probe));
        verdict.seen.extend(carrier.seen);
        if carrier.score < ENOUGH {
            remember(&mut near, index, carrier.close);
            continue;
        }
        let functions = |k: &usize| {
            let function = &book.rules[*k];
            function.on == Some(rule.class) && function.parameters.is_empty()
        };
        let mut carries = false;
        for function in (0..book.rules.len()).filter(functions) {
            carries = true;
            let rules = [function, index];
            let own = judge(subject, &glance, &rules, again(&mut probe));
            verdict.seen.extend(own.seen);
            if own.score < ENOUGH {
                // What carries it is known: that is near, whatever the function's clues say.
                let failed = own.close.map(|(_, clue)| clue);
                let failed = failed.or_else(|| first_failed(&own.clues));
                remember(
                    &mut near,
                    function,
                    failed.map(|f| (carrier.score.saturating_mul(100), f)),
                );
                continue;
            }
            let clues = own.clues.iter().chain(&carrier.clues);
            let score = own.score.saturating_add(carrier.score);
            offer(&mut verdict, book, &rules, score, clues);
        }
        if !carries {
            let clues = carrier.clues.iter();
            offer(&mut verdict, book, &[index], carrier.score, clues);
        }
    }
    if verdict.chosen.is_empty() {
        verdict.nearest = near.and_then(|near| {
            let rule = book.rules.get(near.rule)?;
            Some((book.name(rule.name).to_string(), show(book, near.clue)))
        });
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
    let of = |w: &Window| (w.kind, w.base, w.size);
    let Some((first, more)) = subject.device.windows.split_first() else {
        return false;
    };
    let mut places = (rule.items.iter()).filter_map(|item| candidate(subject.book, item));
    places.any(|c| {
        (c.kind, c.base, c.size) == of(first) && c.more.iter().copied().eq(more.iter().map(of))
    })
}

/// The rule that came nearest so far.
struct Near<'a> {
    closeness: u32,
    /// Index into `Book::rules`.
    rule: usize,
    clue: &'a Expr,
}

fn remember<'a>(near: &mut Option<Near<'a>>, rule: usize, close: Option<(u32, &'a Expr)>) {
    let Some((closeness, clue)) = close else {
        return;
    };
    if near.as_ref().is_none_or(|best| closeness > best.closeness) {
        *near = Some(Near {
            closeness,
            rule,
            clue,
        });
    }
}

fn first_failed<'a>(clues: &[Told<'a>]) -> Option<&'a Expr> {
    clues.iter().find(|c| !c.held).map(|c| c.test)
}

/// Keeps the better choice of each class; the earlier of two equal ones.
fn offer<'c, 'a: 'c>(
    verdict: &mut Verdict,
    book: &Book,
    rules: &[usize],
    score: u32,
    clues: impl Iterator<Item = &'c Told<'a>>,
) {
    let Some(rule) = rules.first().and_then(|r| book.rules.get(*r)) else {
        return;
    };
    let class = book.name(rule.class);
    let held = verdict.chosen.iter_mut().find(|c| c.class == class);
    if held.as_ref().is_some_and(|held| held.score >= score) {
        return;
    }
    let choice = Choice {
        rules: rules.to_vec(),
        class: class.to_string(),
        direct: is_direct(book, rule),
        score,
        clues: clues
            .map(|c| Clue {
                text: show(book, c.test),
                score: c.score,
                held: c.held,
            })
            .collect(),
        spare: false,
    };
    match held {
        Some(held) => *held = choice,
        None => verdict.chosen.push(choice),
    }
}

/// A clue and whether it held: what it says in words only a few are asked for.
struct Told<'a> {
    test: &'a Expr,
    score: u32,
    held: bool,
}

/// What the clues of a rule say about a device.
#[derive(Default)]
struct Judged<'a> {
    /// Sum of those that hold.
    score: u32,
    clues: Vec<Told<'a>>,
    /// How close it came (hundredths of a point) and the part that failed, if any part of a clue held.
    close: Option<(u32, &'a Expr)>,
    /// Clues that held because the device answered.
    seen: Vec<String>,
}

/// The clues of the first rule of a chain.
fn judge<'a>(
    subject: Subject<'a>,
    glance: &Glance<'a>,
    rules: &[usize],
    mut probe: Option<&mut dyn LiveAccess>,
) -> Judged<'a> {
    let book = subject.book;
    let mut judged = Judged::default();
    let Some(rule) = rules.first().and_then(|r| book.rules.get(*r)) else {
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
        let held = match glance.holds(rules, test) {
            Seen::Yes => Held::Known,
            Seen::No | Seen::Never => Held::Not,
            Seen::Open => holds(subject, rules, test, again(&mut probe), may_touch),
        };
        let note = || format!("{}: {}", book.name(rule.name), show(book, test));
        let held = match held {
            Held::Seen => {
                judged.seen.push(note());
                true
            }
            Held::Known => true,
            Held::Not => probe.is_none() && was_seen(subject.device, note),
        };
        judged.clues.push(Told {
            test,
            score: *points,
            held,
        });
        if held {
            judged.score = judged.score.saturating_add(*points);
            continue;
        }
        let part = part_held(
            subject,
            glance,
            rules,
            test,
            *points,
            may_touch,
            again(&mut probe),
        );
        let best = judged.close.map(|(best, _)| best);
        if part.is_some_and(|(close, _)| best.is_none_or(|best| close > best)) {
            judged.close = part;
        }
    }
    judged
}

/// How much of `a and b and c` holds, and the first part that does not. Parts behind one that fails are not looked at:
/// they may rest on it.
fn part_held<'a>(
    subject: Subject<'a>,
    glance: &Glance<'a>,
    rules: &[usize],
    test: &'a Expr,
    points: u32,
    may_touch: bool,
    mut probe: Option<&mut dyn LiveAccess>,
) -> Option<(u32, &'a Expr)> {
    let mut parts = Vec::new();
    conjuncts(test, &mut parts);
    let held = parts
        .iter()
        .take_while(|part| match glance.holds(rules, part) {
            Seen::Yes => true,
            Seen::No | Seen::Never => false,
            Seen::Open => holds(subject, rules, part, again(&mut probe), may_touch) != Held::Not,
        })
        .count();
    let failed = *parts.get(held)?;
    let telling = |part: &&Expr| says_what(subject.book, part);
    let close = 100 * u64::from(points) * held as u64 / parts.len() as u64;
    let close = u32::try_from(close).unwrap_or(u32::MAX);
    parts[..held].iter().any(telling).then_some((close, failed))
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

/// Whether a device with which this part of a clue agrees has said what it is. That something is known, how large its windows
/// are and which wires it has says nothing: most devices agree with that by accident.
fn says_what(book: &Book, part: &Expr) -> bool {
    let named = |e: &Expr, names: &[&str]| match &e.kind {
        ExprKind::Name(n) => names.contains(&book.name(*n)),
        _ => false,
    };
    match &part.kind {
        ExprKind::Call(f, _) => !named(f, &["known", "wire"]),
        ExprKind::Binary(BinaryOp::Both | BinaryOp::Either, a, b) => {
            says_what(book, a) || says_what(book, b)
        }
        ExprKind::Binary(_, a, b) => says_what(book, a) && says_what(book, b),
        ExprKind::In(a, _) => says_what(book, a),
        _ => !named(part, &["shape"]),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Held {
    Not,
    /// By facts of the model.
    Known,
    /// Because the device answered.
    Seen,
}

fn was_seen(device: &machine::Device, clue: impl FnOnce() -> String) -> bool {
    match device.fact(SEEN) {
        Some(machine::Value::Texts(seen)) => seen.contains(&clue()),
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
    let mut s = Specialiser::new(subject, Mode::probing(probe, may_touch));
    s.out.b.open();
    let Ok(function) = crate::entries::chain(&mut s, rules) else {
        return Held::Not;
    };
    s.enter(function, Vec::new());
    let outcome = s.exact_number(test).ok().and_then(|n| s.out.b.known(n.id));
    match outcome {
        None | Some(0) => Held::Not,
        _ if s.entry.unknown.is_some() => Held::Not,
        Some(_) if s.mode.touched() => Held::Seen,
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
        ExprKind::Binary(op, a, b) => format!("{} {} {}", show(book, a), op.sign(), show(book, b)),
        ExprKind::Range(a, b) => format!("{}..{}", show(book, a), show(book, b)),
        ExprKind::In(a, b) => format!("{} in {}", show(book, a), show(book, b)),
        ExprKind::List(list) => {
            let list: Vec<String> = list.iter().map(|one| show(book, one)).collect();
            format!("[{}]", list.join(", "))
        }
        ExprKind::Literal(_) => "{ … }".to_string(),
        _ => "…".to_string(),
    }
}

/// The candidate places of a book, in the order of its rules.
pub fn candidates(book: &Book) -> Vec<Candidate> {
    let mut list = Vec::new();
    for rule in &book.rules {
        for item in &rule.items {
            if let Some(c) = candidate(book, item) {
                list.push(c);
            }
        }
    }
    list
}

fn candidate(book: &Book, item: &Item) -> Option<Candidate> {
    let ItemKind::Candidate { window, more, line } = &item.kind else {
        return None;
    };
    let (kind, base, size) = candidate_window(book, window)?;
    let more = more.iter().map(|window| candidate_window(book, window));
    Some(Candidate {
        kind,
        base,
        size,
        more: more.collect::<Option<Vec<_>>>()?,
        line: line.as_ref().and_then(literal).map(|n| n as u32),
    })
}

fn candidate_window(book: &Book, window: &Expr) -> Option<(WindowKind, u64, u64)> {
    let ExprKind::Call(callee, arguments) = &window.kind else {
        return None;
    };
    let ExprKind::Name(kind) = &callee.kind else {
        return None;
    };
    let size = arguments.get(1).and_then(|a| literal(&a.value));
    let base = literal(&arguments.first()?.value)?;
    let kind = match book.name(*kind) {
        "ports" => WindowKind::Port,
        _ => WindowKind::Memory,
    };
    // Without a size nobody knows what to look at.
    Some((kind, base, size?))
}

fn literal(e: &Expr) -> Option<u64> {
    match e.kind {
        ExprKind::Number(n) => Some(n),
        _ => None,
    }
}
