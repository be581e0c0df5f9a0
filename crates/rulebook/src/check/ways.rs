//! Alternatives: for every set of facts exactly one way holds, or `prefer` orders those that do.
//!
//! The facts that guards test are tried out: a test of a fact as such with both answers, a comparison with a number on
//! both sides of that number. What is not covered, or covered twice, is told as facts.

use super::{
    facts::{collect, combination, combinations, told, truth},
    view::View,
    walk,
};
use crate::{
    diagnostic::Diagnostic,
    tree::{Expr, Item, ItemKind, Name, Place},
};
use alloc::{format, string::String, vec::Vec};

pub fn check(view: &View, out: &mut Vec<Diagnostic>) {
    list(view, view.items, out);
    walk::items(view.items, &mut |item| {
        for inner in walk::inside(item) {
            list(view, inner, out);
        }
    });
}

struct Way<'a> {
    name: Name,
    guard: Option<&'a Expr>,
    place: Place,
}

fn list(view: &View, items: &[Item], out: &mut Vec<Diagnostic>) {
    let mut ways = Vec::new();
    let mut preferred: Vec<Name> = Vec::new();
    for item in items {
        match &item.kind {
            ItemKind::Way { name, guard, .. } => ways.push(Way {
                name: *name,
                guard: guard.as_ref(),
                place: item.place,
            }),
            ItemKind::Prefer(names) => preferred.extend(names),
            _ => {}
        }
    }
    let Some(first) = ways.first() else { return };
    let mut facts = Vec::new();
    for guard in ways.iter().filter_map(|way| way.guard) {
        collect(view, guard, &mut facts);
    }
    let Some(count) = combinations(&facts) else {
        out.push(Diagnostic::new(
            first.place,
            format!(
                "too many facts decide between these ways to try them all: {}",
                facts.len()
            ),
            "name what they come to with `fact`, and test that",
        ));
        return;
    };
    for n in 0..count {
        let values = combination(&facts, n);
        let holding: Vec<&Way> = ways
            .iter()
            .filter(|way| way.guard.is_none_or(|g| truth(view, g, &facts, &values)))
            .collect();
        let case = || told(&facts, &values);
        match &holding[..] {
            [] => {
                out.push(Diagnostic::new(
                    first.place,
                    format!("no way is left when {}", case()),
                    "add a way for that, or one without `when` that `prefer` names last",
                ));
                return;
            }
            [_] => {}
            several => {
                let loose: Vec<&&Way> = several
                    .iter()
                    .filter(|way| !preferred.contains(&way.name))
                    .collect();
                if loose.is_empty() {
                    continue;
                }
                let (a, b) = (view.text(several[0].name), view.text(several[1].name));
                let when = if facts.is_empty() {
                    String::from("always")
                } else {
                    format!("when {}", case())
                };
                out.push(Diagnostic::new(
                    several[1].place,
                    format!("both `{a}` and `{b}` hold {when}"),
                    format!("make one of them false there, or order them: `prefer {b}, {a}`"),
                ));
                return;
            }
        }
    }
}
