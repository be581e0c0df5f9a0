//! The static checks on a parsed book.

mod arms;
mod binding;
mod bits;
mod children;
mod contract;
mod effects;
mod facts;
mod fetch;
mod leaving;
mod lists;
mod names;
mod places;
mod quiet;
mod steady;
pub(crate) mod view;
pub(crate) mod walk;
mod ways;
mod words;

use crate::{
    diagnostic::Diagnostic,
    tree::{BinaryOp, Book, Expr, ExprKind, ItemKind, Rule},
};
use alloc::{format, vec::Vec};
use view::{Symbol, View};

/// Everything that is wrong with the book, in the order of the text.
pub fn check(book: &Book) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    contract::structure(book, &mut out);
    for class in &book.classes {
        let view = View::of_class(book, class);
        items(&view, &mut out);
        quiet::of_class(&view, &mut out);
    }
    for rule in &book.rules {
        let view = View::of_rule(book, rule);
        items(&view, &mut out);
        spaces(&view, rule, &mut out);
        places::check(&view, rule, &mut out);
        contract::check(&view, rule, &mut out);
        children::check(&view, rule, &mut out);
        quiet::check(&view, rule, &mut out);
        steady::check(&view, rule, &mut out);
    }
    out.sort_by_key(|problem| (problem.place.file, problem.place.line, problem.place.column));
    out.dedup();
    out
}

fn items(view: &View, out: &mut Vec<Diagnostic>) {
    names::check(view, out);
    ways::check(view, out);
    arms::check(view, out);
    walk::items(view.items, &mut |item| {
        bits::check(view, item, out);
        effects::check(view, item, out);
        binding::check(view, item, out);
        fetch::check(view, item, out);
        leaving::check(view, item, out);
    });
}

/// Whether an expression can stand for an address space.
fn is_space(view: &View, value: &Expr) -> bool {
    match &value.kind {
        ExprKind::Name(name) => {
            words::SPACES.contains(&view.text(*name))
                || view.has(*name, |symbol| {
                    matches!(symbol, Symbol::Space | Symbol::Fact(_))
                })
        }
        // What is not written yet is told elsewhere.
        ExprKind::Call(callee, _) if matches!(&callee.kind, ExprKind::Name(n) if view.text(*n) == names::TODO) => {
            true
        }
        ExprKind::Call(callee, _) => is_space(view, callee),
        ExprKind::Index(inner, _) => is_space(view, inner),
        ExprKind::Binary(BinaryOp::Either, a, b) => is_space(view, a) && is_space(view, b),
        ExprKind::Binary(BinaryOp::Add | BinaryOp::Sub, a, _) => is_space(view, a),
        ExprKind::Choose { yes, no, .. } => {
            is_space(view, yes) && no.as_ref().is_none_or(|no| is_space(view, no))
        }
        _ => false,
    }
}

/// The first register says in which space it lies; those after it follow.
fn spaces(view: &View, rule: &Rule, out: &mut Vec<Diagnostic>) {
    let mut lies = false;
    walk::items(&rule.items, &mut |item| {
        let reg = match &item.kind {
            ItemKind::Reg(reg) => reg,
            ItemKind::Space(space) => {
                if !space
                    .value
                    .as_ref()
                    .is_some_and(|value| is_space(view, value))
                {
                    let name = view.text(space.name);
                    out.push(Diagnostic::new(
                        item.place,
                        format!("`{name}` is set to something that is no address space"),
                        "write where it is: `bar(0)`, `base`, `ports(…)`, `window(…)`, or another space",
                    ));
                }
                return;
            }
            ItemKind::Recover { names, body } if body.is_empty() => {
                let name = names.first().map_or("", |name| view.text(*name));
                out.push(Diagnostic::new(
                    item.place,
                    format!("`recover {name}` does nothing"),
                    "`reset`, or bring the device back to work",
                ));
                return;
            }
            _ => return,
        };
        if reg.at.is_none() {
            let name = view.text(reg.name);
            out.push(Diagnostic::new(
                item.place,
                format!("nothing says where `{name}` lies"),
                "put its offset before the width; only a class may leave it open",
            ));
        }
        if reg.at.is_some() && reg.space.is_none() && !lies {
            let name = view.text(reg.name);
            out.push(Diagnostic::new(
                item.place,
                format!("nothing says in which space `{name}` lies"),
                "end the line with `in SPACE`; the registers after it lie there too",
            ));
        }
        lies = true;
    });
}
