//! No double fetch: what was checked is not read again from where the device can change it.

use super::{
    effects::locals,
    facts::show,
    names::base_name,
    places::same,
    view::{Symbol, View},
    walk,
};
use crate::{
    diagnostic::Diagnostic,
    tree::{Expr, ExprKind, Item, Name, Stmt, StmtKind},
};
use alloc::{collections::BTreeSet, format, vec::Vec};

pub fn check(view: &View, item: &Item, out: &mut Vec<Diagnostic>) {
    let mut fetches = Fetches {
        view,
        local: locals(item),
        out,
    };
    fetches.body(walk::body(item), &mut Vec::new());
}

struct Fetches<'a, 'v, 'o> {
    view: &'v View<'a>,
    local: BTreeSet<Name>,
    out: &'o mut Vec<Diagnostic>,
}

impl Fetches<'_, '_, '_> {
    fn body<'s>(&mut self, body: &'s [Stmt], checked: &mut Vec<&'s Expr>) {
        for statement in body {
            self.statement(statement, checked);
            // What a block checks is checked in that block.
            for block in walk::blocks(statement) {
                let mut inner = checked.clone();
                self.body(block, &mut inner);
            }
            self.forget(statement, checked);
            if let StmtKind::Check { test, .. } = &statement.kind {
                self.places(test, &mut |place| checked.push(place));
            }
        }
    }

    fn statement(&mut self, statement: &Stmt, checked: &[&Expr]) {
        let asks = matches!(
            statement.kind,
            StmtKind::Check { .. }
                | StmtKind::Await { .. }
                | StmtKind::While { .. }
                | StmtKind::If { .. }
                | StmtKind::Claim(_)
                | StmtKind::Gone(_)
        );
        // Asking again is a check of its own; a value is one that was read after the check.
        if asks || checked.is_empty() {
            return;
        }
        let mut again = Vec::new();
        for expr in walk::expressions(statement) {
            let target = match &statement.kind {
                StmtKind::Assign { target, .. } => core::ptr::eq(expr, target),
                _ => false,
            };
            let mut fetched = |place| {
                let known = checked.iter().copied();
                let mut known = known.filter(|known| within(known, place) || within(place, known));
                if let Some(known) = known.next() {
                    again.push((place, if within(place, known) { known } else { place }));
                }
            };
            // What is stored to is not read; the indices that lead there are.
            match target {
                true => self.indices(expr, &mut fetched),
                false => self.places(expr, &mut fetched),
            }
        }
        for (place, whole) in again {
            let (text, whole) = (show(self.view, place), show(self.view, whole));
            self.out.push(Diagnostic::new(
                place.place,
                format!(
                    "`{text}` is read again after it was checked: the device may have changed it"
                ),
                format!("read it once, `let x = {whole}`, and check and use `x`"),
            ));
        }
    }

    /// A place that is written, and those that depend on a name that is, are no longer what was checked.
    fn forget(&self, statement: &Stmt, checked: &mut Vec<&Expr>) {
        let StmtKind::Assign { target, .. } = &statement.kind else {
            return;
        };
        let name = base_name(target);
        checked.retain(|known| {
            let mut mentions = false;
            walk::expr(known, &mut |expr| {
                mentions |= matches!(expr.kind, ExprKind::Name(n) if Some(n) == name);
            });
            !mentions
        });
    }

    /// The largest places in an expression that the device can change.
    fn places<'s>(&self, expr: &'s Expr, found: &mut dyn FnMut(&'s Expr)) {
        if self.changes(expr) {
            found(expr);
            return self.indices(expr, found);
        }
        // `dma X` says where something is, and reads nothing of it.
        if matches!(expr.kind, ExprKind::Dma(_)) {
            return;
        }
        for child in walk::children(expr) {
            self.places(child, found);
        }
    }

    /// The places that the indices of a place are read from.
    fn indices<'s>(&self, place: &'s Expr, found: &mut dyn FnMut(&'s Expr)) {
        match &place.kind {
            ExprKind::As(inner, _) | ExprKind::Dot(inner, _) => self.indices(inner, found),
            ExprKind::Index(inner, index) => {
                self.indices(inner, found);
                self.places(index, found);
            }
            ExprKind::Bits(inner, from, to) => {
                self.indices(inner, found);
                self.places(from, found);
                self.places(to, found);
            }
            _ => {}
        }
    }

    fn changes(&self, expr: &Expr) -> bool {
        let Some(name) = root(expr).filter(|name| !self.local.contains(name)) else {
            return false;
        };
        // A buffer, and how long it is: nothing of it is read.
        if let ExprKind::Dot(_, member) = &expr.kind {
            if matches!(self.view.text(*member), "in" | "out" | "len" | "count") {
                return false;
            }
        }
        // Members of slots and rings that say how they stand are the driver's own.
        if let ExprKind::Dot(inner, _) = &expr.kind {
            if matches!(inner.kind, ExprKind::Name(n) if self.view.has(n, |s| matches!(s, Symbol::Slots(_) | Symbol::Ring)))
            {
                return false;
            }
        }
        let fact = self.view.has(name, |s| matches!(s, Symbol::Fact(_)));
        let whole = matches!(expr.kind, ExprKind::Name(_));
        let device = |s: &Symbol| match s {
            Symbol::Reg(_) | Symbol::Arena => true,
            Symbol::Slots(_) => !whole,
            _ => false,
        };
        !fact && self.view.has(name, device)
    }
}

fn root(expr: &Expr) -> Option<Name> {
    match &expr.kind {
        ExprKind::As(inner, _) | ExprKind::Dot(inner, _) => root(inner),
        ExprKind::Index(inner, _) | ExprKind::Bits(inner, ..) => root(inner),
        ExprKind::Name(name) => Some(*name),
        _ => None,
    }
}

/// Whether `known` is `place`, or a part of it.
fn within(known: &Expr, place: &Expr) -> bool {
    if same(known, place) {
        return true;
    }
    match &known.kind {
        ExprKind::As(inner, _) | ExprKind::Dot(inner, _) => within(inner, place),
        ExprKind::Index(inner, _) | ExprKind::Bits(inner, ..) => within(inner, place),
        _ => false,
    }
}
