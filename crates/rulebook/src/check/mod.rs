//! The static checks on a parsed book.

mod binding;
mod bits;
mod contract;
mod effects;
mod names;
mod view;
mod walk;
mod words;

use crate::{
    diagnostic::Diagnostic,
    tree::{Book, ItemKind, Rule},
};
use alloc::{format, vec::Vec};
use view::View;

/// Everything that is wrong with the book, in the order of the text.
pub fn check(book: &Book) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    contract::structure(book, &mut out);
    for class in &book.classes {
        items(&View::of_class(book, class), &mut out);
    }
    for rule in &book.rules {
        let view = View::of_rule(book, rule);
        items(&view, &mut out);
        spaces(&view, rule, &mut out);
        contract::check(&view, rule, &mut out);
    }
    out.sort_by_key(|problem| (problem.place.file, problem.place.line, problem.place.column));
    out.dedup();
    out
}

fn items(view: &View, out: &mut Vec<Diagnostic>) {
    names::check(view, out);
    walk::items(view.items, &mut |item| {
        bits::check(view, item, out);
        effects::check(view, item, out);
        binding::check(view, item, out);
    });
}

/// The first register says in which space it lies; those after it follow.
fn spaces(view: &View, rule: &Rule, out: &mut Vec<Diagnostic>) {
    let mut lies = false;
    walk::items(&rule.items, &mut |item| {
        let ItemKind::Reg(reg) = &item.kind else {
            return;
        };
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
