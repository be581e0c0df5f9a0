//! Arms that no facts lead to: a `when` inside another, whose test cannot hold there.

use super::{
    facts::{possible, show, Guard},
    view::View,
    walk,
};
use crate::{
    diagnostic::Diagnostic,
    tree::{Expr, ExprKind, Item, ItemKind, Stage, Stmt, StmtKind},
};
use alloc::{format, string::String, vec::Vec};

pub fn check(view: &View, out: &mut Vec<Diagnostic>) {
    let mut arms = Arms {
        view,
        guards: Vec::new(),
        out,
    };
    arms.items(view.items);
}

struct Arms<'a, 'v, 'o> {
    view: &'v View<'a>,
    /// The tests that hold where the walk is.
    guards: Vec<Guard<'a>>,
    out: &'o mut Vec<Diagnostic>,
}

impl<'a> Arms<'a, '_, '_> {
    /// `work` where the test comes out so; when it never does there, that is told, and what is inside is left aside.
    fn where_it(&mut self, test: &'a Expr, holds: bool, work: impl FnOnce(&mut Self)) {
        self.guards.push((test, holds));
        match possible(self.view, &self.guards) {
            true => work(self),
            false => self.never(test, holds),
        }
        self.guards.pop();
    }

    fn never(&mut self, test: &Expr, holds: bool) {
        let outer = self.guards.len().saturating_sub(1);
        let around: Vec<String> = self.guards[..outer]
            .iter()
            .map(|(guard, holds)| told(self.view, guard, *holds))
            .collect();
        let here = match around.is_empty() {
            true => String::from("ever"),
            false => format!("where `{}`", around.join(" and ")),
        };
        self.out.push(Diagnostic::new(
            test.place,
            format!(
                "no facts lead here: `{}` does not hold {here}",
                told(self.view, test, holds)
            ),
            "test something else, or take this arm away",
        ));
    }

    fn items(&mut self, items: &'a [Item]) {
        for item in items {
            match &item.kind {
                ItemKind::When { test, yes, no } => {
                    self.where_it(test, true, |arms| arms.items(yes));
                    if !no.is_empty() {
                        self.where_it(test, false, |arms| arms.items(no));
                    }
                }
                ItemKind::Way {
                    guard: Some(guard),
                    items,
                    ..
                } => self.where_it(guard, true, |arms| arms.items(items)),
                ItemKind::Routine(routine) => match &routine.guard {
                    Some(guard) => self.where_it(guard, true, |arms| arms.body(walk::body(item))),
                    None => self.body(walk::body(item)),
                },
                ItemKind::Event(event) => match &event.guard {
                    Some(guard) => self.where_it(guard, true, |arms| arms.body(walk::body(item))),
                    None => self.body(walk::body(item)),
                },
                ItemKind::Fact {
                    value: Some(value), ..
                } => self.expression(value),
                _ => {
                    self.body(walk::body(item));
                    for inner in walk::inside(item) {
                        self.items(inner);
                    }
                }
            }
        }
    }

    fn body(&mut self, body: &'a [Stmt]) {
        for statement in body {
            for expr in walk::expressions(statement) {
                self.expression(expr);
            }
            match &statement.kind {
                StmtKind::When { test, yes, no } => {
                    self.where_it(test, true, |arms| arms.body(yes));
                    if !no.is_empty() {
                        self.where_it(test, false, |arms| arms.body(no));
                    }
                }
                StmtKind::Quirk { test, body, .. } => {
                    self.where_it(test, true, |arms| arms.body(body));
                }
                _ => {
                    for block in walk::blocks(statement) {
                        self.body(block);
                    }
                }
            }
        }
    }

    /// `A when c else B` anywhere inside.
    fn expression(&mut self, root: &'a Expr) {
        if let ExprKind::Choose {
            stage: Stage::Fact,
            test,
            yes,
            no,
        } = &root.kind
        {
            self.expression(test);
            self.where_it(test, true, |arms| arms.expression(yes));
            if let Some(no) = no {
                self.where_it(test, false, |arms| arms.expression(no));
            }
            return;
        }
        for child in walk::children(root) {
            self.expression(child);
        }
    }
}

fn told(view: &View, test: &Expr, holds: bool) -> String {
    let text = show(view, test);
    match (holds, text.contains(' ')) {
        (true, _) => text,
        (false, false) => format!("!{text}"),
        (false, true) => format!("!({text})"),
    }
}
