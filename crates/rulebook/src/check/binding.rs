//! Binding times: `when`, `quirk` and guards test what is known before the code is written; what sleeps stands where
//! sleeping is allowed.

use super::{
    view::{Symbol, View},
    walk,
};
use crate::{
    diagnostic::Diagnostic,
    tree::{Expr, ExprKind, Item, ItemKind, Name, RoutineKind, Stage, Stmt, StmtKind},
};
use alloc::{collections::BTreeMap, format, vec::Vec};

pub fn check(view: &View, item: &Item, out: &mut Vec<Diagnostic>) {
    let mut checker = Checker {
        view,
        local: BTreeMap::new(),
        out,
    };
    checker.item(item);
    sleeping(view, item, out);
}

struct Checker<'a, 'v, 'o> {
    view: &'v View<'a>,
    /// Names bound in the body, and whether they are known before the code is written.
    local: BTreeMap<Name, bool>,
    out: &'o mut Vec<Diagnostic>,
}

impl Checker<'_, '_, '_> {
    fn item(&mut self, item: &Item) {
        match &item.kind {
            ItemKind::When { test, .. } => self.test(test, "when"),
            ItemKind::Way { guard, .. } => guard.iter().for_each(|guard| self.test(guard, "when")),
            ItemKind::Routine(routine) => {
                routine
                    .guard
                    .iter()
                    .for_each(|guard| self.test(guard, "when"));
                self.local.extend(
                    routine
                        .parameters
                        .iter()
                        .map(|parameter| (parameter.name, false)),
                );
            }
            ItemKind::Event(event) => {
                event
                    .guard
                    .iter()
                    .for_each(|guard| self.test(guard, "when"));
                self.local
                    .extend(event.parameters.iter().map(|name| (*name, false)));
            }
            ItemKind::Fact {
                value: Some(value), ..
            } => self.choices(value),
            _ => {}
        }
        self.body(walk::body(item));
    }

    fn body(&mut self, body: &[Stmt]) {
        for statement in body {
            for expr in walk::expressions(statement) {
                self.choices(expr);
            }
            match &statement.kind {
                StmtKind::When { test, .. } => self.test(test, "when"),
                StmtKind::Quirk { test, .. } => self.test(test, "quirk"),
                StmtKind::Let { bindings, .. } => {
                    for (name, value) in bindings {
                        let known = self.runtime(value).is_none();
                        self.local.insert(*name, known);
                    }
                }
                StmtKind::For { names, .. } => {
                    self.local.extend(names.iter().map(|name| (*name, false)))
                }
                _ => {}
            }
            for block in walk::blocks(statement) {
                self.body(block);
            }
        }
    }

    /// `A when c else B` anywhere inside.
    fn choices(&mut self, root: &Expr) {
        let mut tests = Vec::new();
        walk::expr(root, &mut |expr| {
            if let ExprKind::Choose {
                stage: Stage::Fact,
                test,
                ..
            } = &expr.kind
            {
                tests.push(&**test);
            }
        });
        tests.into_iter().for_each(|test| self.test(test, "when"));
    }

    fn test(&mut self, test: &Expr, word: &str) {
        let Some((expr, name)) = self.runtime(test) else {
            return;
        };
        let text = self.view.text(name);
        let what = match self.view.get(name).first() {
            _ if self.local.contains_key(&name) => "a value of this run",
            Some(symbol) => symbol.what(),
            None => "a value of this run",
        };
        self.out.push(Diagnostic::new(
            expr.place,
            format!("`{word}` tests `{text}`, {what}: it is known only while the driver runs"),
            format!("make it a fact in `init` (`learn x = {text}`) and test that, or use `if`"),
        ));
    }

    /// The first part of an expression that is known only at run time.
    fn runtime<'e>(&self, root: &'e Expr) -> Option<(&'e Expr, Name)> {
        let mut found = None;
        walk::expr(root, &mut |expr| {
            let ExprKind::Name(name) = expr.kind else {
                return;
            };
            if found.is_some() {
                return;
            }
            let runs = match self.local.get(&name) {
                Some(known) => !known,
                None => {
                    self.view.has(name, |symbol| {
                        matches!(
                            symbol,
                            Symbol::Reg(_)
                                | Symbol::State
                                | Symbol::Slots(_)
                                | Symbol::Ring
                                | Symbol::Arena
                        )
                    }) && !self
                        .view
                        .has(name, |symbol| matches!(symbol, Symbol::Fact(_)))
                }
            };
            if runs {
                found = Some((expr, name));
            }
        });
        found
    }
}

/// Operations and events never sleep, nor do the routines that they call.
fn sleeping(view: &View, item: &Item, out: &mut Vec<Diagnostic>) {
    let what = match &item.kind {
        ItemKind::Routine(routine) if routine.kind == RoutineKind::Op => "an operation",
        ItemKind::Event(_) => "an event",
        _ => return,
    };
    walk::statements(walk::body(item), &mut |statement| {
        if sleeps(statement) {
            out.push(Diagnostic::new(
                statement.place,
                format!("{what} never sleeps"),
                "move this into a `flow` and `start` it, or poll: `while … at most N { }`",
            ));
            return;
        }
        let StmtKind::Do { call, .. } = &statement.kind else {
            return;
        };
        let ExprKind::Call(callee, _) = &call.kind else {
            return;
        };
        let ExprKind::Name(name) = callee.kind else {
            return;
        };
        let mut path = Vec::new();
        if routine_sleeps(view, name, &mut path) {
            let text = view.text(name);
            out.push(Diagnostic::new(
                statement.place,
                format!("{what} never sleeps, but `{text}` does"),
                format!("`start {text}(…)` lets it run by itself"),
            ));
        }
    });
}

fn sleeps(statement: &Stmt) -> bool {
    matches!(statement.kind, StmtKind::Await { .. } | StmtKind::Pause(_))
}

fn routine_sleeps(view: &View, name: Name, path: &mut Vec<Name>) -> bool {
    if path.contains(&name) {
        return false;
    }
    path.push(name);
    view.get(name).iter().any(|symbol| {
        let Symbol::Routine(routine) = symbol else {
            return false;
        };
        let mut found = false;
        walk::statements(routine.body.as_deref().unwrap_or(&[]), &mut |statement| {
            found |= sleeps(statement);
            let StmtKind::Do { call, .. } = &statement.kind else {
                return;
            };
            let ExprKind::Call(callee, _) = &call.kind else {
                return;
            };
            if let ExprKind::Name(inner) = callee.kind {
                found = found || routine_sleeps(view, inner, path);
            }
        });
        found
    })
}
