//! Tests of facts, tried out: the facts that they name, the values of those that make a difference, and whether a test
//! holds for a set of them.

use super::{view::View, walk};
use crate::tree::{BinaryOp, Expr, ExprKind, UnaryOp};
use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

/// Most combinations of facts that are tried.
const MOST: usize = 4096;

/// A test of facts, and whether it holds.
pub type Guard<'a> = (&'a Expr, bool);

/// Whether there are facts by which all of these come out as they say; yes, when there are too many to try.
pub fn possible(view: &View, guards: &[Guard]) -> bool {
    let mut facts = Vec::new();
    for (guard, _) in guards {
        collect(view, guard, &mut facts);
    }
    let Some(count) = combinations(&facts) else {
        return true;
    };
    (0..count).any(|n| {
        let values = combination(&facts, n);
        guards
            .iter()
            .all(|(guard, holds)| truth(view, guard, &facts, &values) == *holds)
    })
}

/// How many sets of values there are, unless they are too many to try.
pub fn combinations(facts: &[Fact]) -> Option<usize> {
    facts
        .iter()
        .try_fold(1usize, |n, f| n.checked_mul(f.values.len()))
        .filter(|n| *n <= MOST)
}

/// What a guard rests on, and the values of it that are tried.
pub struct Fact {
    text: String,
    values: Vec<u64>,
    /// Tested as such, not compared.
    plain: bool,
}

/// The facts of a guard and the values that make a difference.
pub fn collect(view: &View, guard: &Expr, facts: &mut Vec<Fact>) {
    match &guard.kind {
        ExprKind::Binary(BinaryOp::Both | BinaryOp::Either, a, b) => {
            collect(view, a, facts);
            collect(view, b, facts);
        }
        ExprKind::Unary(UnaryOp::Not, a) => collect(view, a, facts),
        _ => match compared(guard) {
            Some((what, numbers)) => {
                let mut values = Vec::new();
                for n in numbers {
                    values.extend([n.checked_sub(1), Some(n), n.checked_add(1)]);
                }
                add(view, what, values.into_iter().flatten(), false, facts);
            }
            None => add(view, guard, [0, 1].into_iter(), true, facts),
        },
    }
}

fn add(
    view: &View,
    what: &Expr,
    values: impl Iterator<Item = u64>,
    plain: bool,
    facts: &mut Vec<Fact>,
) {
    let text = show(view, what);
    let at = match facts.iter().position(|f| f.text == text) {
        Some(at) => at,
        None => {
            facts.push(Fact {
                text,
                values: vec![],
                plain: true,
            });
            facts.len() - 1
        }
    };
    let fact = &mut facts[at];
    fact.plain &= plain;
    for value in values {
        if !fact.values.contains(&value) {
            fact.values.push(value);
        }
    }
}

/// `x == 3`, `x in 1..5`: what is compared, and the numbers where the answer changes.
fn compared(guard: &Expr) -> Option<(&Expr, Vec<u64>)> {
    let number = |e: &Expr| match e.kind {
        ExprKind::Number(n) => Some(n),
        _ => None,
    };
    match &guard.kind {
        ExprKind::Binary(op, a, b) if compares(*op) => match (number(a), number(b)) {
            (None, Some(n)) => Some((a, vec![n])),
            (Some(n), None) => Some((b, vec![n])),
            _ => None,
        },
        ExprKind::In(a, set) => match &set.kind {
            ExprKind::Range(lo, hi) => Some((a, vec![number(lo)?, number(hi)?])),
            ExprKind::List(list) => Some((a, list.iter().map(number).collect::<Option<_>>()?)),
            _ => None,
        },
        _ => None,
    }
}

fn compares(op: BinaryOp) -> bool {
    use BinaryOp::*;
    matches!(op, Eq | Ne | Lt | Le | Gt | Ge)
}

/// The n-th set of values, in the order of the facts.
pub fn combination(facts: &[Fact], mut n: usize) -> Vec<u64> {
    facts
        .iter()
        .map(|fact| {
            let value = fact.values.get(n % fact.values.len().max(1)).copied();
            n /= fact.values.len().max(1);
            value.unwrap_or(0)
        })
        .collect()
}

/// Whether a test holds for these values.
pub fn truth(view: &View, guard: &Expr, facts: &[Fact], values: &[u64]) -> bool {
    let value_of = |e: &Expr| {
        if let ExprKind::Number(n) = e.kind {
            return n;
        }
        let text = show(view, e);
        let at = facts.iter().position(|f| f.text == text);
        at.and_then(|at| values.get(at)).copied().unwrap_or(0)
    };
    match &guard.kind {
        ExprKind::Binary(BinaryOp::Both, a, b) => {
            truth(view, a, facts, values) && truth(view, b, facts, values)
        }
        ExprKind::Binary(BinaryOp::Either, a, b) => {
            truth(view, a, facts, values) || truth(view, b, facts, values)
        }
        ExprKind::Unary(UnaryOp::Not, a) => !truth(view, a, facts, values),
        ExprKind::Binary(op, a, b) if compared(guard).is_some() => {
            let (x, y) = (value_of(a), value_of(b));
            match op {
                BinaryOp::Eq => x == y,
                BinaryOp::Ne => x != y,
                BinaryOp::Lt => x < y,
                BinaryOp::Le => x <= y,
                BinaryOp::Gt => x > y,
                _ => x >= y,
            }
        }
        ExprKind::In(a, set) => match &set.kind {
            ExprKind::Range(lo, hi) if compared(guard).is_some() => {
                (value_of(lo)..value_of(hi)).contains(&value_of(a))
            }
            ExprKind::List(list) if compared(guard).is_some() => {
                let value = value_of(a);
                list.iter().any(|one| value_of(one) == value)
            }
            _ => value_of(guard) != 0,
        },
        _ => value_of(guard) != 0,
    }
}

/// `!F.packed and n == 3`
pub fn told(facts: &[Fact], values: &[u64]) -> String {
    let parts: Vec<String> = facts
        .iter()
        .zip(values)
        .map(|(fact, value)| match (fact.plain, value) {
            (true, 0) => format!("!{}", fact.text),
            (true, _) => fact.text.clone(),
            (false, n) => format!("{} == {n}", fact.text),
        })
        .collect();
    parts.join(" and ")
}

/// An expression as it would be written, so that equal ones are recognised.
pub fn show(view: &View, e: &Expr) -> String {
    match &e.kind {
        ExprKind::Number(n) => n.to_string(),
        ExprKind::Text(t) => format!("\"{}\"", view.text(*t)),
        ExprKind::Name(n) => view.text(*n).to_string(),
        ExprKind::Dot(a, n) => format!("{}.{}", show(view, a), view.text(*n)),
        ExprKind::Index(a, i) => format!("{}[{}]", show(view, a), show(view, i)),
        ExprKind::Call(f, arguments) => {
            let list: Vec<String> = arguments.iter().map(|a| show(view, &a.value)).collect();
            format!("{}({})", show(view, f), list.join(", "))
        }
        ExprKind::Binary(op, a, b) => {
            format!("{} {} {}", show(view, a), op.sign(), show(view, b))
        }
        ExprKind::In(a, b) => format!("{} in {}", show(view, a), show(view, b)),
        ExprKind::Range(a, b) => format!("{}..{}", show(view, a), show(view, b)),
        ExprKind::List(list) => {
            let list: Vec<String> = list.iter().map(|one| show(view, one)).collect();
            format!("[{}]", list.join(", "))
        }
        ExprKind::Unary(op, a) => {
            let sign = match op {
                UnaryOp::Not => "!",
                UnaryOp::Invert => "~",
                UnaryOp::Negate => "-",
            };
            format!("{sign}{}", show(view, a))
        }
        _ => {
            let parts: Vec<String> = walk::children(e).iter().map(|c| show(view, c)).collect();
            format!("(… {} …)", parts.join(" "))
        }
    }
}
