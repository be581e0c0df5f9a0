//! What registers allow: no writes of what is read-only, no reads of what is write-only, no partial writes where
//! reading has effects, and nothing but pure reads for identification.

use super::{
    names::base_name,
    view::{Symbol, View},
    walk,
};
use crate::{
    diagnostic::Diagnostic,
    tree::{
        BinaryOp, Effects, Expr, ExprKind, Field, Item, ItemKind, Name, Place, RegItem, Rest, Stmt,
        StmtKind,
    },
};
use alloc::{collections::BTreeSet, format, string::String, vec::Vec};

pub fn check(view: &View, item: &Item, out: &mut Vec<Diagnostic>) {
    if let ItemKind::Match { test, .. } = &item.kind {
        identification(view, test, false, out);
        return;
    }
    let mut checker = Checker {
        view,
        local: locals(item),
        out,
    };
    walk::statements(walk::body(item), &mut |statement| {
        checker.statement(statement)
    });
    if let ItemKind::Event(event) = &item.kind {
        checker.claimed(&event.body);
    }
}

/// Every name that the item's body binds.
pub fn locals(item: &Item) -> BTreeSet<Name> {
    let mut out = BTreeSet::new();
    match &item.kind {
        ItemKind::Routine(routine) => {
            out.extend(routine.parameters.iter().map(|parameter| parameter.name))
        }
        ItemKind::Event(event) => out.extend(event.parameters.iter().copied()),
        _ => {}
    }
    walk::statements(walk::body(item), &mut |statement| match &statement.kind {
        StmtKind::Let { bindings, .. } => out.extend(bindings.iter().map(|(name, _)| *name)),
        StmtKind::For { names, .. } => out.extend(names.iter().copied()),
        _ => {}
    });
    out
}

struct Checker<'a, 'v, 'o> {
    view: &'v View<'a>,
    local: BTreeSet<Name>,
    out: &'o mut Vec<Diagnostic>,
}

impl<'a> Checker<'a, '_, '_> {
    fn say(&mut self, place: Place, reason: alloc::string::String, suggestion: &str) {
        self.out.push(Diagnostic::new(place, reason, suggestion));
    }
    /// How many names of fields a place ends in.
    fn fields_named(&self, expr: &Expr) -> usize {
        self.view.path(expr).map_or(0, |(_, path)| path.len())
    }
    /// The fields that a place is one inside the other.
    fn along(&self, expr: &Expr) -> Vec<&'a Field> {
        let path = self.view.path(expr);
        path.and_then(|(reg, path)| self.view.along(reg, &path))
            .unwrap_or_default()
    }
    fn place(&self, expr: &Expr) -> Option<(&'a RegItem, Option<Name>)> {
        if base_name(expr).is_some_and(|name| self.local.contains(&name)) {
            return None;
        }
        self.view.place(expr)
    }

    fn statement(&mut self, statement: &Stmt) {
        if let StmtKind::Assign {
            target,
            operator,
            value,
            ..
        } = &statement.kind
        {
            self.write(target, *operator, value);
            self.indices(target);
            self.reads(value);
            return;
        }
        for expr in walk::expressions(statement) {
            self.reads(expr);
        }
    }

    fn write(&mut self, target: &'_ Expr, operator: Option<BinaryOp>, value: &Expr) {
        let Some((reg, field)) = self.place(target) else {
            let Some(name) = base_name(target).filter(|name| !self.local.contains(name)) else {
                return;
            };
            let fact = self.view.has(name, |s| matches!(s, Symbol::Fact(_)));
            if fact && !self.view.has(name, |s| !matches!(s, Symbol::Fact(_))) {
                let text = self.view.text(name);
                self.say(
                    target.place,
                    format!("`{text}` is a fact: it does not change"),
                    "write `learn` before it if `init` finds it out, or make it a `state`",
                );
            }
            return;
        };
        let name = self.view.text(reg.name);
        if reg.effects.has(Effects::RO) {
            self.say(
                target.place,
                format!("`{name}` is read-only"),
                "write another register, or drop its `ro`",
            );
            return;
        }
        if (reg.count.is_some() || reg.index.is_some())
            && !is_one(target, self.fields_named(target))
        {
            let count = reg
                .count
                .map_or_else(|| "several".into(), |n| format!("{n}"));
            self.say(
                target.place,
                format!("`{name}` is {count} registers, and this does not say which"),
                "give an index; `for k in 0..n { … }` writes to each",
            );
            return;
        }
        let along = self.along(target);
        self.writable(reg, &along, target.place);
        if operator.is_none() && !matches!(target.kind, ExprKind::Bits(..)) {
            self.fits(reg, field.is_none(), &along, value);
        }
        let mut partial =
            field.is_some() || operator.is_some() || matches!(target.kind, ExprKind::Bits(..));
        if let ExprKind::Literal(members) = &value.kind {
            for member in members {
                if let (false, None) = (member.path.is_empty(), field) {
                    let along = self.view.along(reg, &member.path).unwrap_or_default();
                    self.writable(reg, &along, member.place);
                    if let Some(value) = &member.value {
                        self.fits(reg, false, &along, value);
                    }
                }
            }
            partial |= self
                .view
                .fields(reg)
                .iter()
                .any(|fields| fields.rest == Rest::Keep);
        }
        if partial {
            self.partial(reg, target.place);
        }
    }
    fn writable(&mut self, reg: &'a RegItem, along: &[&Field], place: Place) {
        if let Some(at) = along.iter().position(|f| f.effects.has(Effects::RO)) {
            let title = self.title(reg, along.get(..=at).unwrap_or_default());
            self.say(
                place,
                format!("`{title}` is read-only"),
                "write another field, or drop its `ro`",
            );
        }
    }
    fn title(&self, reg: &RegItem, along: &[&Field]) -> String {
        let names = along.iter().filter_map(|field| field.name);
        names.fold(self.view.text(reg.name).into(), |title: String, name| {
            format!("{title}.{}", self.view.text(name))
        })
    }
    /// A constant must not be larger than where it goes.
    fn fits(&mut self, reg: &'a RegItem, whole: bool, along: &[&Field], value: &Expr) {
        let ExprKind::Number(number) = value.kind else {
            return;
        };
        let bits = match whole {
            true if reg.count.is_some() => return,
            true => Some(reg.bits),
            false => along.last().and_then(|field| super::bits::width(field)),
        };
        let title = self.title(reg, along);
        let Some(bits @ 1..64) = bits else { return };
        if number >> bits != 0 {
            self.say(
                value.place,
                format!(
                    "{number} does not fit into `{title}`: the most is {}",
                    (1u64 << bits) - 1
                ),
                "write a smaller number, or make it wider",
            );
        }
    }
    /// `REG[n]` of a register that is there so many times.
    fn counted(&mut self, expr: &Expr) {
        let ExprKind::Index(inner, index) = &expr.kind else {
            return;
        };
        let (Some((reg, None)), ExprKind::Number(at)) = (self.place(inner), &index.kind) else {
            return;
        };
        if let Some(count) = reg.count.filter(|count| *at >= u64::from(*count)) {
            let name = self.view.text(reg.name);
            self.say(
                index.place,
                format!("there is no `{name}[{at}]`: it has {count}"),
                "count from 0",
            );
        }
    }
    /// A write of some bits reads the others first.
    fn partial(&mut self, reg: &'a RegItem, place: Place) {
        let name = self.view.text(reg.name);
        let bad = Effects::RC | Effects::POP;
        let lists = self.view.fields(reg);
        let effective = |effects: Effects| effects.0 & bad != 0;
        if effective(reg.effects)
            || lists
                .iter()
                .flat_map(|f| &f.list)
                .any(|f| effective(f.effects))
        {
            self.say(
                place,
                format!("writing a part of `{name}` reads it first, and reading it has effects"),
                "write the whole register: `REG = { field, field: value }`",
            );
        } else if reg.effects.has(Effects::WO) {
            self.say(
                place,
                format!("writing a part of `{name}` reads it first, but it is write-only"),
                "write the whole register: `REG = { field, field: value }`",
            );
        }
    }

    /// The indices inside a place that is written.
    fn indices(&mut self, target: &Expr) {
        match &target.kind {
            ExprKind::Dot(inner, _) => self.indices(inner),
            ExprKind::Index(inner, index) => {
                self.counted(target);
                self.indices(inner);
                self.reads(index);
            }
            ExprKind::Bits(inner, from, to) | ExprKind::Slice(inner, from, to) => {
                self.indices(inner);
                self.reads(from);
                self.reads(to);
            }
            _ => {}
        }
    }
    fn reads(&mut self, root: &Expr) {
        walk::expr(root, &mut |expr| {
            self.counted(expr);
            let ExprKind::Name(name) = expr.kind else {
                return;
            };
            if self.local.contains(&name) {
                return;
            }
            let Some(reg) = self
                .view
                .reg(name)
                .filter(|reg| reg.effects.has(Effects::WO))
            else {
                return;
            };
            let text = self.view.text(reg.name);
            self.say(
                expr.place,
                format!("`{text}` is write-only"),
                "read another register, or drop its `wo`",
            );
        });
    }

    /// Nothing but reads before `claim`.
    fn claimed(&mut self, body: &[Stmt]) {
        let Some(claim) = body
            .iter()
            .position(|s| matches!(s.kind, StmtKind::Claim(_)))
        else {
            return;
        };
        for statement in body.iter().take(claim) {
            walk::statements(core::slice::from_ref(statement), &mut |statement| {
                if let StmtKind::Assign { target, .. } = &statement.kind {
                    if let Some((reg, _)) = self.place(target) {
                        let name = self.view.text(reg.name);
                        self.say(
                            target.place,
                            format!("`{name}` is written before `claim`: the interrupt may be another device's"),
                            "move the write behind `claim`",
                        );
                    }
                }
            });
        }
    }
}

/// A clue may read what is pure, behind a test of facts.
fn identification(view: &View, test: &Expr, guarded: bool, out: &mut Vec<Diagnostic>) {
    if let ExprKind::Binary(BinaryOp::Both, left, right) = &test.kind {
        identification(view, left, guarded, out);
        identification(
            view,
            right,
            guarded || touches(view, left).is_none() || guards(view, left),
            out,
        );
        return;
    }
    let Some(first) = touches(view, test) else {
        return;
    };
    if !guarded {
        let text = view.text(first);
        out.push(Diagnostic::new(
            test.place,
            format!("this clue reads `{text}` of a device that nothing has named yet"),
            "put a test of facts before it: `candidate and …` or `compatible == … and …`",
        ));
    }
    walk::expr(test, &mut |expr| {
        let ExprKind::Name(name) = expr.kind else {
            return;
        };
        let Some(reg) = view.reg(name) else { return };
        if !reg.effects.has(Effects::PURE) && !restored(view, test, name) {
            let text = view.text(name);
            out.push(Diagnostic::new(
                expr.place,
                format!("`{text}` may not be read to identify a device: nothing says that reading it has no effect"),
                "make the register `pure` if its manual says so",
            ));
        }
    });
}

/// The first register that an expression reads.
fn touches(view: &View, expr: &Expr) -> Option<Name> {
    let mut found = None;
    walk::expr(expr, &mut |expr| {
        if let ExprKind::Name(name) = expr.kind {
            if found.is_none() && view.reg(name).is_some() {
                found = Some(name);
            }
        }
    });
    found
}
/// Whether the leftmost part of `a and b and c` is about facts.
fn guards(view: &View, expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Binary(BinaryOp::Both, left, _) => guards(view, left),
        _ => touches(view, expr).is_none(),
    }
}
/// Whether the name stands in `restores(REG, …)`, which undoes what it does.
fn restored(view: &View, test: &Expr, name: Name) -> bool {
    let mut found = false;
    walk::expr(test, &mut |expr| {
        let ExprKind::Call(callee, arguments) = &expr.kind else {
            return;
        };
        let ExprKind::Name(function) = callee.kind else {
            return;
        };
        let first = arguments
            .first()
            .and_then(|argument| base_name(&argument.value));
        found |= view.text(function) == "restores" && first == Some(name);
    });
    found
}

/// Whether what is written to is one of several: what stands before bits and so many fields is an index.
fn is_one(target: &Expr, fields: usize) -> bool {
    let mut at = target;
    if let ExprKind::Bits(inner, ..) = &at.kind {
        at = inner;
    }
    for _ in 0..fields {
        if let ExprKind::Dot(inner, _) = &at.kind {
            at = inner;
        }
    }
    matches!(at.kind, ExprKind::Index(..))
}
