//! A device that is told where memory is can be told to leave it alone: `flow quiet`, of the rule or of what it stands on.

use super::{
    names,
    view::{rule_of, Symbol, View},
    walk,
};
use crate::{
    diagnostic::Diagnostic,
    tree::{Book, ExprKind, Item, ItemKind, Name, Place, Rule, Stmt, StmtKind},
};
use alloc::{format, vec::Vec};

pub fn check(view: &View, rule: &Rule, out: &mut Vec<Diagnostic>) {
    needed(view, rule, out);
    let classes = [view.class, view.on].into_iter().flatten();
    let lists = classes.map(|class| &class.items[..]);
    rests(
        view,
        core::iter::once(view.items).chain(lists).collect(),
        out,
    );
}

/// The `quiet` of a class, which rules have that say nothing else.
pub fn of_class(view: &View, out: &mut Vec<Diagnostic>) {
    rests(view, alloc::vec![view.items], out);
}

/// What the `quiet` of the first list does, with the routines of all that it comes to.
fn rests<'a>(view: &View<'a>, lists: Vec<&'a [Item]>, out: &mut Vec<Diagnostic>) {
    let Some(quiet) = named(view.book) else {
        return;
    };
    let mut reach = Reach {
        view,
        lists,
        seen: alloc::vec![quiet],
        out,
    };
    for item in own(view.items, quiet) {
        if matches!(&item.kind, ItemKind::Routine(r) if !r.parameters.is_empty()) {
            reach.out.push(Diagnostic::new(
                item.place,
                "`quiet` is called without values, and this one has parameters",
                "write it as `flow quiet { … }`: what it needs are facts and registers",
            ));
        }
        if walk::body(item).is_empty() {
            reach.out.push(Diagnostic::new(
                item.place,
                "`quiet` does nothing",
                "write what by the manual stops every access to memory, a reset for example",
            ));
        }
        reach.body(walk::body(item));
    }
}

fn named(book: &Book) -> Option<Name> {
    let at = book.names.iter().position(|name| name == "quiet")?;
    u16::try_from(at).ok().map(Name)
}

/// The routines of this name that are the rule's own, or the class's: not those of its parts and instances.
fn own(items: &[Item], name: Name) -> Vec<&Item> {
    let mut found = Vec::new();
    for item in items {
        match &item.kind {
            ItemKind::Routine(routine) if routine.name == name && routine.body.is_some() => {
                found.push(item);
            }
            ItemKind::Way { items, .. } => found.extend(own(items, name)),
            ItemKind::When { yes, no, .. } => {
                found.extend(own(yes, name));
                found.extend(own(no, name));
            }
            _ => {}
        }
    }
    found
}

/// Whether there is a `quiet` for a rule that tells its device where memory is.
fn needed(view: &View, rule: &Rule, out: &mut Vec<Diagnostic>) {
    // What is no driver by itself is looked at with the rules that use it, or stand on it.
    let stands = |other: &Rule| other.on == Some(rule.class) || other.on == Some(rule.name);
    if !rule.parameters.is_empty() || view.book.rules.iter().any(stands) {
        return;
    }
    let Some(place) = told(view.book, rule, &mut Vec::new()) else {
        return;
    };
    if named(view.book).is_some_and(|quiet| ends(view, rule, quiet)) {
        return;
    }
    let inside = view.items.iter().any(|item| within(item, place));
    out.push(Diagnostic::new(
        if inside { place } else { rule.place },
        format!(
            "`{}` tells its device where memory is, and has no `quiet` that makes it leave memory alone",
            view.text(rule.name)
        ),
        "add `flow quiet { … }` with what by the manual stops every access to memory, a reset for example",
    ));
}

/// Whether the rule, its class, what it stands on, or everything that may carry it has a `quiet`.
fn ends(view: &View, rule: &Rule, quiet: Name) -> bool {
    let has = |items: &[Item]| !own(items, quiet).is_empty();
    let classes = [view.class, view.on];
    if has(&rule.items) || classes.into_iter().flatten().any(|c| has(&c.items)) {
        return true;
    }
    let Some(on) = rule.on else { return false };
    let mut carriers = (view.book.rules.iter())
        .filter(|other| other.parameters.is_empty() && (other.class == on || other.name == on))
        .peekable();
    carriers.peek().is_some() && carriers.all(|other| has(&other.items))
}

/// Where the rule, or a part that it uses, tells a device the address of memory. Its registers are no memory.
fn told(book: &Book, rule: &Rule, seen: &mut Vec<Name>) -> Option<Place> {
    if seen.contains(&rule.name) {
        return None;
    }
    seen.push(rule.name);
    let view = View::of_rule(book, rule);
    let mut found = None;
    let mut parts = Vec::new();
    walk::items(&rule.items, &mut |item| {
        if let ItemKind::Use { part, .. } = &item.kind {
            parts.extend(rule_of(book, *part));
        }
        let local = locals(item);
        walk::statements(walk::body(item), &mut |statement| {
            for root in walk::expressions(statement) {
                walk::expr(root, &mut |expr| {
                    let ExprKind::Dma(of) = &expr.kind else {
                        return;
                    };
                    let register = names::base_name(of).is_some_and(|name| {
                        let known = |symbol: &Symbol| matches!(symbol, Symbol::Reg(_));
                        !local.contains(&name) && view.has(name, known)
                    });
                    if !register {
                        found = found.or(Some(expr.place));
                    }
                });
            }
        });
    });
    found.or_else(|| parts.into_iter().find_map(|part| told(book, part, seen)))
}

/// Names that a routine or event gives to values: they hide others.
fn locals(item: &Item) -> Vec<Name> {
    let mut found: Vec<Name> = match &item.kind {
        ItemKind::Routine(routine) => routine.parameters.iter().map(|p| p.name).collect(),
        ItemKind::Event(event) => event.parameters.clone(),
        _ => Vec::new(),
    };
    walk::statements(walk::body(item), &mut |statement| {
        match &statement.kind {
            StmtKind::Let { bindings, .. } => found.extend(bindings.iter().map(|(name, _)| *name)),
            StmtKind::For { names, .. } => found.extend(names),
            _ => {}
        }
        for root in walk::expressions(statement) {
            walk::expr(root, &mut |expr| {
                if let ExprKind::Spread { name, .. } = &expr.kind {
                    found.push(*name);
                }
            });
        }
    });
    found
}

fn within(item: &Item, place: Place) -> bool {
    let mut found = false;
    walk::items(core::slice::from_ref(item), &mut |item| {
        walk::statements(walk::body(item), &mut |statement| {
            for root in walk::expressions(statement) {
                walk::expr(root, &mut |expr| found |= expr.place == place);
            }
        });
    });
    found
}

/// What `quiet` comes to: it may run when the driver's memory is not as the driver left it.
struct Reach<'a, 'v, 'o> {
    view: &'v View<'a>,
    lists: Vec<&'a [Item]>,
    seen: Vec<Name>,
    out: &'o mut Vec<Diagnostic>,
}

impl<'a> Reach<'a, '_, '_> {
    fn body(&mut self, body: &'a [Stmt]) {
        let mut called = Vec::new();
        walk::statements(body, &mut |statement| {
            if let StmtKind::Up { name, .. } = &statement.kind {
                self.out.push(Diagnostic::new(
                    statement.place,
                    format!(
                        "`quiet` says `{}`, and nobody listens any more",
                        self.view.text(*name)
                    ),
                    "take it out: what is outstanding comes back failed by itself",
                ));
            }
            for root in walk::expressions(statement) {
                walk::expr(root, &mut |expr| match &expr.kind {
                    ExprKind::Name(name) => self.name(*name, expr.place),
                    ExprKind::Call(callee, _) => match &callee.kind {
                        ExprKind::Name(name) | ExprKind::Dot(_, name) => called.push(*name),
                        _ => {}
                    },
                    _ => {}
                });
            }
        });
        for name in called {
            if self.seen.contains(&name) {
                continue;
            }
            self.seen.push(name);
            let mut bodies = Vec::new();
            for list in &self.lists {
                walk::items(list, &mut |item| {
                    if matches!(&item.kind, ItemKind::Routine(r) if r.name == name) {
                        bodies.push(walk::body(item));
                    }
                });
            }
            for body in bodies {
                self.body(body);
            }
        }
    }

    fn name(&mut self, name: Name, place: Place) {
        let memory = |symbol: &&Symbol| {
            matches!(
                symbol,
                Symbol::State | Symbol::Ring | Symbol::Slots(_) | Symbol::Arena
            )
        };
        let Some(symbol) = self.view.get(name).iter().find(memory) else {
            return;
        };
        self.out.push(Diagnostic::new(
            place,
            format!(
                "`quiet` looks at `{}`, {}: when it runs, the driver's memory may not be as the driver left it",
                self.view.text(name),
                symbol.what()
            ),
            "ask the device's registers, or use facts",
        ));
    }
}
