//! Going through the tree.

use crate::tree::{Expr, ExprKind, Item, ItemKind, Member, Stmt, StmtKind};
use alloc::vec::Vec;

/// The expressions directly inside one.
pub fn children(expr: &Expr) -> Vec<&Expr> {
    let mut out: Vec<&Expr> = Vec::new();
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::Text(_) | ExprKind::Name(_) => {}
        ExprKind::Dot(a, _)
        | ExprKind::Unary(_, a)
        | ExprKind::As(a, _)
        | ExprKind::Dma(a)
        | ExprKind::Back(a) => {
            out.push(a);
        }
        ExprKind::Index(a, b)
        | ExprKind::Binary(_, a, b)
        | ExprKind::Range(a, b)
        | ExprKind::In(a, b) => {
            out.extend([&**a, &**b]);
        }
        ExprKind::Bits(a, b, c) | ExprKind::Slice(a, b, c) => out.extend([&**a, &**b, &**c]),
        ExprKind::Call(callee, arguments) => {
            out.push(callee);
            out.extend(arguments.iter().map(|argument| &argument.value));
        }
        ExprKind::Choose { test, yes, no, .. } => {
            out.extend([&**test, &**yes]);
            out.extend(no.as_deref());
        }
        ExprKind::Literal(members) => out.extend(values(members)),
        ExprKind::List(list) => out.extend(list),
        ExprKind::With(a, members) => {
            out.push(a);
            out.extend(values(members));
        }
        ExprKind::Take { slots: a, keep } | ExprKind::Lend { ring: a, keep } => {
            out.push(a);
            out.extend(keep.as_deref());
        }
        ExprKind::First { list: a, test, .. } | ExprKind::Those { set: a, test, .. } => {
            out.extend([&**a, &**test]);
        }
        ExprKind::Spread {
            data,
            cells,
            each,
            across,
            most,
            cell,
            ..
        } => {
            out.extend([&**data, &**cells]);
            out.extend(
                [each, across, most]
                    .into_iter()
                    .filter_map(|limit| limit.as_deref()),
            );
            out.push(cell);
        }
    }
    out
}

pub fn values(members: &[Member]) -> impl Iterator<Item = &Expr> {
    members.iter().filter_map(|member| member.value.as_ref())
}

/// An expression and all inside it.
pub fn expr<'a>(root: &'a Expr, visit: &mut dyn FnMut(&'a Expr)) {
    visit(root);
    for child in children(root) {
        expr(child, visit);
    }
}

/// The expressions of one statement, without those of the statements inside it.
pub fn expressions(statement: &Stmt) -> Vec<&Expr> {
    let mut out: Vec<&Expr> = Vec::new();
    match &statement.kind {
        StmtKind::Let { bindings, .. } => out.extend(bindings.iter().map(|(_, value)| value)),
        StmtKind::Assign { target, value, .. } => out.extend([target, value]),
        StmtKind::Learn(learned) => {
            for (target, value) in learned {
                out.extend([target, value]);
            }
        }
        StmtKind::If { test, .. } | StmtKind::When { test, .. } | StmtKind::Quirk { test, .. } => {
            out.push(test)
        }
        StmtKind::For { set, most, .. } => {
            out.push(set);
            out.extend(most);
        }
        StmtKind::While { test, most, .. } => out.extend([test, most]),
        StmtKind::Await { test, within, .. } => out.extend([test, within]),
        StmtKind::Check { test, .. } => out.push(test),
        StmtKind::Pause(e) | StmtKind::Start(e) | StmtKind::Publish(e) | StmtKind::Acquire(e) => {
            out.push(e)
        }
        StmtKind::Tell { bytes, of } => out.extend([bytes, of]),
        StmtKind::Claim(e) | StmtKind::Gone(e) | StmtKind::Detach(e) => out.push(e),
        StmtKind::Return(e) => out.extend(e),
        StmtKind::Up { arguments, .. } => out.extend(arguments),
        StmtKind::Lend {
            ring, cell, keep, ..
        } => {
            out.push(ring);
            out.extend(cell);
            out.extend(keep);
        }
        StmtKind::Attach { child, facts } => {
            out.push(child);
            out.extend(values(facts));
        }
        StmtKind::Do { call, .. } => out.push(call),
        StmtKind::Fail(_) | StmtKind::Stop | StmtKind::Busy | StmtKind::Reset | StmtKind::Fence => {
        }
        StmtKind::Then(_) => {}
    }
    out
}

/// The statements directly inside one.
pub fn blocks(statement: &Stmt) -> Vec<&[Stmt]> {
    use core::slice::from_ref;
    match &statement.kind {
        StmtKind::Let { otherwise, .. }
        | StmtKind::Assign { otherwise, .. }
        | StmtKind::Await { otherwise, .. }
        | StmtKind::Lend { otherwise, .. }
        | StmtKind::Do { otherwise, .. } => otherwise.iter().map(|one| from_ref(&**one)).collect(),
        StmtKind::Check { otherwise, .. } => alloc::vec![from_ref(&**otherwise)],
        StmtKind::If { yes, no, .. } | StmtKind::When { yes, no, .. } => {
            alloc::vec![&yes[..], &no[..]]
        }
        StmtKind::For { body, .. }
        | StmtKind::While { body, .. }
        | StmtKind::Quirk { body, .. }
        | StmtKind::Then(body) => alloc::vec![&body[..]],
        _ => Vec::new(),
    }
}

/// All statements of a body, each before those inside it.
pub fn statements<'a>(body: &'a [Stmt], visit: &mut dyn FnMut(&'a Stmt)) {
    for statement in body {
        visit(statement);
        for block in blocks(statement) {
            statements(block, visit);
        }
    }
}

/// All items, those inside `each`, `way`, `when` and `part` too.
pub fn items<'a>(list: &'a [Item], visit: &mut dyn FnMut(&'a Item)) {
    for item in list {
        visit(item);
        for inner in inside(item) {
            items(inner, visit);
        }
    }
}

/// The items directly inside one.
pub fn inside(item: &Item) -> Vec<&[Item]> {
    match &item.kind {
        ItemKind::Part { items, .. }
        | ItemKind::Each { items, .. }
        | ItemKind::Way { items, .. } => {
            alloc::vec![&items[..]]
        }
        ItemKind::When { yes, no, .. } => alloc::vec![&yes[..], &no[..]],
        _ => Vec::new(),
    }
}

/// The statements of an item, when it has any.
pub fn body(item: &Item) -> &[Stmt] {
    match &item.kind {
        ItemKind::Routine(routine) => routine.body.as_deref().unwrap_or(&[]),
        ItemKind::Event(event) => &event.body,
        ItemKind::Recover { body, .. } => body,
        _ => &[],
    }
}
