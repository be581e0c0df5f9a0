//! The arms of rules, which facts choose between: each must be taken somewhere, or nothing has tried it.
//!
//! An arm that a device takes is part of its driver: without it, the driver is another, or cannot be written.

use rulebook::tree::{Book, Item, ItemKind, Place, Stmt, StmtKind};

/// One arm: `way`, one side of a `when`, or what has a guard of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arm {
    /// Index into `Book::rules`.
    pub rule: usize,
    /// Where the choice stands.
    pub place: Place,
    pub side: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What stands behind `when`, `way … when`, or before a trailing `when`.
    When,
    Else,
}

enum Body<'b> {
    Items(&'b mut Vec<Item>),
    Statements(&'b mut Vec<Stmt>),
}

/// All arms of a book, in the order of its text.
#[must_use]
pub fn all(book: &Book) -> Vec<Arm> {
    let mut arms = Vec::new();
    let mut book = book.clone();
    walk(&mut book, &mut |rule, place, side, _| {
        arms.push(Arm { rule, place, side });
    });
    arms
}

/// The book in which the arm of that number, as [`all`] counts, is empty.
#[must_use]
pub fn without(book: &Book, number: usize) -> Book {
    let mut book = book.clone();
    let mut at = 0;
    walk(&mut book, &mut |_, _, _, body| {
        if at == number {
            match body {
                Body::Items(items) => items.clear(),
                Body::Statements(statements) => statements.clear(),
            }
        }
        at += 1;
    });
    book
}

type Visit<'v> = dyn FnMut(usize, Place, Side, Body) + 'v;

fn walk(book: &mut Book, visit: &mut Visit) {
    for (number, rule) in book.rules.iter_mut().enumerate() {
        items(number, &mut rule.items, visit);
    }
}

/// An arm is met after those inside it, so that emptying it loses none of the count.
fn items(rule: usize, list: &mut [Item], visit: &mut Visit) {
    for item in list {
        let place = item.place;
        match &mut item.kind {
            ItemKind::Part { items: inner, .. } | ItemKind::Each { items: inner, .. } => {
                items(rule, inner, visit);
            }
            ItemKind::Way {
                guard,
                items: inner,
                ..
            } => {
                items(rule, inner, visit);
                if guard.is_some() {
                    visit(rule, place, Side::When, Body::Items(inner));
                }
            }
            ItemKind::When { yes, no, .. } => {
                for (side, inner) in [(Side::When, yes), (Side::Else, no)] {
                    items(rule, inner, visit);
                    if !inner.is_empty() {
                        visit(rule, place, side, Body::Items(inner));
                    }
                }
            }
            ItemKind::Routine(routine) => {
                let guarded = routine.guard.is_some();
                if let Some(body) = &mut routine.body {
                    whole(rule, place, guarded, body, visit);
                }
            }
            ItemKind::Event(event) => {
                let guarded = event.guard.is_some();
                whole(rule, place, guarded, &mut event.body, visit);
            }
            ItemKind::Recover { body, .. } => statements(rule, body, visit),
            _ => {}
        }
    }
}

fn whole(rule: usize, place: Place, guarded: bool, body: &mut Vec<Stmt>, visit: &mut Visit) {
    statements(rule, body, visit);
    if guarded {
        visit(rule, place, Side::When, Body::Statements(body));
    }
}

fn statements(rule: usize, list: &mut [Stmt], visit: &mut Visit) {
    for statement in list {
        let place = statement.place;
        match &mut statement.kind {
            StmtKind::When { yes, no, .. } => {
                for (side, inner) in [(Side::When, yes), (Side::Else, no)] {
                    statements(rule, inner, visit);
                    if !inner.is_empty() {
                        visit(rule, place, side, Body::Statements(inner));
                    }
                }
            }
            StmtKind::Quirk { body, .. } => {
                statements(rule, body, visit);
                visit(rule, place, Side::When, Body::Statements(body));
            }
            StmtKind::If { yes, no, .. } => {
                statements(rule, yes, visit);
                statements(rule, no, visit);
            }
            StmtKind::For { body, .. } | StmtKind::While { body, .. } | StmtKind::Then(body) => {
                statements(rule, body, visit)
            }
            _ => {}
        }
    }
}
