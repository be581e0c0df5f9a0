//! A fact is the same wherever it is named. One that asks the device is good for finding out what the device is, and for
//! nothing that a driver does: there it would be read again at each mention.

use super::{
    effects::locals,
    view::{Symbol, View},
    walk,
};
use crate::{
    diagnostic::Diagnostic,
    tree::{Expr, ExprKind, ItemKind, Name, Rule},
};
use alloc::{format, vec::Vec};

/// Facts that rest on facts that rest on facts: deeper than this nobody looks.
const DEEPEST: u32 = 8;

pub fn check(view: &View, rule: &Rule, out: &mut Vec<Diagnostic>) {
    walk::items(&rule.items, &mut |item| {
        let local = locals(item);
        let mut mention = |e: &Expr| {
            walk::expr(e, &mut |e| {
                let ExprKind::Name(name) = e.kind else { return };
                if local.contains(&name) {
                    return;
                }
                let Some(register) = read_by(view, rule, name, 0) else {
                    return;
                };
                let (name, register) = (view.text(name), view.text(register));
                out.push(Diagnostic::new(
                    e.place,
                    format!("the fact `{name}` rests on `{register}`, which would be read again here: only clues may ask such a fact"),
                    format!("learn it in `init` under another name (`learn x = …`), or read `{register}` itself"),
                ));
            });
        };
        walk::statements(walk::body(item), &mut |statement| {
            walk::expressions(statement)
                .into_iter()
                .for_each(&mut mention);
        });
        match &item.kind {
            ItemKind::When { test, .. } => mention(test),
            ItemKind::Way { guard, .. } => guard.iter().for_each(mention),
            ItemKind::Each { set, .. } => mention(set),
            ItemKind::State { value, .. } => value.iter().for_each(mention),
            _ => {}
        }
    });
}

/// What a fact of this name reads, if it is one that reads.
fn read_by(view: &View, rule: &Rule, name: Name, depth: u32) -> Option<Name> {
    if depth > DEEPEST || !view.has(name, |s| matches!(s, Symbol::Fact(_))) {
        return None;
    }
    let carriers = view.book.rules.iter();
    let carriers = carriers.filter(|below| rule.on == Some(below.class));
    let of = |rule: &Rule| -> Option<Name> {
        let mut read = None;
        walk::items(&rule.items, &mut |item| {
            if let ItemKind::Fact {
                name: own,
                value: Some(value),
                ..
            } = &item.kind
            {
                if *own == name && read.is_none() {
                    read = reads(view, rule, value, depth);
                }
            }
        });
        read
    };
    of(rule).or_else(|| carriers.into_iter().find_map(of))
}

fn reads(view: &View, rule: &Rule, e: &Expr, depth: u32) -> Option<Name> {
    match &e.kind {
        // Where something is, and not what is in it.
        ExprKind::Dma(_) => None,
        ExprKind::Name(name) => {
            let place = |s: &Symbol| {
                matches!(
                    s,
                    Symbol::Reg(_)
                        | Symbol::Arena
                        | Symbol::State
                        | Symbol::Ring
                        | Symbol::Slots(_)
                )
            };
            match view.has(*name, place) {
                true => Some(*name),
                false => read_by(view, rule, *name, depth + 1),
            }
        }
        _ => (walk::children(e).into_iter()).find_map(|child| reads(view, rule, child, depth)),
    }
}
