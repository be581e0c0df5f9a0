//! Names resolve, functions get as many arguments as they have parameters, members exist.

use super::{
    lists,
    view::{rule_of, Symbol, View},
    walk, words,
};
use crate::{
    diagnostic::Diagnostic,
    tree::{
        Argument, Expr, ExprKind, Extent, Field, Fields, Item, ItemKind, Member, Name, Place, Stmt,
        StmtKind, Type, TypeBase,
    },
};
use alloc::{format, string::String, vec, vec::Vec};

/// `todo("what")` stands where something is still to be written.
pub const TODO: &str = "todo";

pub fn check(view: &View, out: &mut Vec<Diagnostic>) {
    let mut checker = Checker {
        view,
        out,
        local: Vec::new(),
        in_part: false,
    };
    checker.items(view.items);
}

struct Checker<'a, 'v, 'o> {
    view: &'v View<'a>,
    out: &'o mut Vec<Diagnostic>,
    /// Names bound by `let`, `for` and parameters.
    local: Vec<Name>,
    /// Inside a `part` of the rule.
    in_part: bool,
}

impl<'a> Checker<'a, '_, '_> {
    fn say(&mut self, place: Place, reason: String, suggestion: impl Into<String>) {
        self.out.push(Diagnostic::new(place, reason, suggestion));
    }
    fn bound<T>(
        &mut self,
        names: impl IntoIterator<Item = Name>,
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let mark = self.local.len();
        self.local.extend(names);
        let result = work(self);
        self.local.truncate(mark);
        result
    }

    // ---- items

    fn items(&mut self, list: &'a [Item]) {
        for item in list {
            self.item(item);
            let before = self.in_part;
            self.in_part |= matches!(item.kind, ItemKind::Part { .. });
            for inner in walk::inside(item) {
                self.items(inner);
            }
            self.in_part = before;
        }
    }
    fn item(&mut self, item: &'a Item) {
        match &item.kind {
            ItemKind::Match { test, .. } | ItemKind::When { test, .. } | ItemKind::Gone(test) => {
                self.expr(test)
            }
            ItemKind::Candidate { window, more, line } => {
                self.expr(window);
                more.iter().for_each(|window| self.expr(window));
                self.all(line);
            }
            ItemKind::Fact {
                parameters,
                kind,
                value,
                ..
            } => {
                self.type_of(kind.as_ref(), item.place);
                self.bound(parameters.iter().copied(), |c| c.all(value));
            }
            ItemKind::Space(space) => {
                self.bound(space.index, |c| {
                    c.all(&space.value);
                    c.all(&space.step);
                    for via in space.via.iter().chain(&space.bank) {
                        c.expr(&via.target);
                        c.expr(&via.value);
                    }
                });
            }
            ItemKind::Reg(reg) => {
                self.bits(reg.fields.as_ref());
                if let Some(name) = reg.fields_of {
                    self.want(name, item.place, "a set of bits", |s| {
                        matches!(s, Symbol::Bits(_))
                    });
                }
                if let Some(name) = reg.space {
                    self.want(name, item.place, "a space", |s| matches!(s, Symbol::Space));
                }
                self.bound(reg.index, |c| {
                    c.all(&reg.at);
                    c.all(&reg.step);
                    for via in &reg.via {
                        c.expr(&via.target);
                        c.expr(&via.value);
                    }
                    c.extent(reg.extent.as_ref());
                });
            }
            ItemKind::Arena(arena) => {
                self.type_of(arena.kind.as_ref(), item.place);
                for option in [
                    &arena.size,
                    &arena.align,
                    &arena.step,
                    &arena.spill,
                    &arena.reach,
                    &arena.across,
                ] {
                    self.all(option);
                }
                for field in &arena.fields {
                    self.all(&field.align);
                    self.all(&field.step);
                }
                self.fields(&arena.fields);
                self.reach(arena.kind.as_ref(), arena.extent.as_ref(), item.place);
            }
            ItemKind::Record { fields, .. } => {
                self.fields(&fields.list);
            }
            ItemKind::Slots {
                count,
                fields,
                align,
                ..
            } => {
                self.expr(count);
                self.all(align);
                self.fields(&fields.list);
            }
            ItemKind::Ring {
                count,
                cells,
                back,
                lent,
                link,
                ..
            } => {
                self.expr(count);
                let whose = base_name(cells);
                if let Some(name) = whose {
                    self.want(
                        name,
                        cells.place,
                        "an arena, a register array or a record",
                        |s| matches!(s, Symbol::Arena | Symbol::Reg(_) | Symbol::Record(_)),
                    );
                }
                // Inside these, the members of a cell are names.
                let members = self.record_members();
                self.bound(members, |c| {
                    c.all(back);
                    c.all(lent);
                    c.all(link);
                });
            }
            ItemKind::State { kind, value, .. } => {
                self.type_of(Some(kind), item.place);
                self.all(value);
            }
            ItemKind::Use {
                part, arguments, ..
            } => {
                self.part(*part, arguments.len(), item.place);
                arguments.iter().for_each(|argument| self.expr(argument));
            }
            ItemKind::Each { set, .. } => self.expr(set),
            ItemKind::Way { guard, .. } => self.all(guard),
            ItemKind::Prefer(names) => {
                for name in names {
                    self.want(*name, item.place, "a way", |s| matches!(s, Symbol::Way));
                }
            }
            ItemKind::Watch { what, time, .. } => {
                self.rests(what);
                self.expr(time);
            }
            ItemKind::Routine(routine) => {
                for parameter in &routine.parameters {
                    self.type_of(parameter.kind.as_ref(), item.place);
                    self.all(&parameter.least);
                    self.all(&parameter.most);
                }
                self.type_of(routine.returns.as_ref(), item.place);
                self.all(&routine.guard);
                self.all(&routine.chunk);
                let names: Vec<Name> = routine
                    .parameters
                    .iter()
                    .map(|parameter| parameter.name)
                    .collect();
                self.bound(names, |c| c.body(walk::body(item)));
            }
            ItemKind::Upcall { parameters, .. } => {
                for parameter in parameters {
                    self.type_of(parameter.kind.as_ref(), item.place);
                    self.all(&parameter.least);
                    self.all(&parameter.most);
                }
            }
            ItemKind::Event(event) => {
                self.all(&event.guard);
                self.all(&event.selector);
                self.bound(event.parameters.iter().copied(), |c| c.body(&event.body));
            }
            ItemKind::Recover { body, .. } => self.body(body),
            ItemKind::Bits { fields, .. } => self.bits(Some(fields)),
            ItemKind::Part { .. } => {}
        }
    }
    fn extent(&mut self, extent: Option<&'a Extent>) {
        if let Some(Extent::Bytes(bytes)) = extent {
            self.expr(bytes);
        }
    }
    /// Each field that takes a device address says how far the device reaches from there, by what the others say.
    fn fields(&mut self, fields: &'a [Field]) {
        let names: Vec<Name> = fields.iter().filter_map(|field| field.name).collect();
        for field in fields {
            self.type_of(field.kind.as_ref(), field.place);
            self.bits(field.fields.as_ref());
            let names = names.iter().copied();
            self.bound(names, |c| {
                c.reach(field.kind.as_ref(), field.extent.as_ref(), field.place)
            });
        }
    }
    /// Bits of a number: how far a device reaches is said of the number, never of some of its bits.
    fn bits(&mut self, fields: Option<&'a Fields>) {
        for field in fields.iter().flat_map(|fields| &fields.list) {
            if field.extent.is_some() {
                self.say(
                    field.place,
                    "these are some bits of a number, and a device address is the whole of one"
                        .into(),
                    "say `for BYTES` of the register, or of the member of the record",
                );
            }
            self.bits(field.fields.as_ref());
        }
    }
    fn reach(&mut self, kind: Option<&'a Type>, extent: Option<&'a Extent>, place: Place) {
        let address = kind.is_some_and(|kind| matches!(kind.base, TypeBase::Dma(_)));
        match (extent, address) {
            (None, true) => self.say(
                place,
                "nothing says how far the device reaches from this address".into(),
                "add `for BYTES`, in which the other fields of the cell are names, or `for told`",
            ),
            (Some(_), false) => self.say(
                place,
                "only a device address is for so many bytes".into(),
                "give it the type `dma64` or `dma32`",
            ),
            _ => self.extent(extent),
        }
    }
    /// The members of every record that is seen.
    fn record_members(&self) -> Vec<Name> {
        let mut out = Vec::new();
        for name in self.view.names() {
            for symbol in self.view.get(name) {
                if let Symbol::Record(fields) | Symbol::Slots(fields) = symbol {
                    out.extend(fields.list.iter().filter_map(|field| field.name));
                }
            }
        }
        out
    }
    fn part(&mut self, part: Name, arguments: usize, place: Place) {
        let text = self.view.text(part);
        if let Some(parameters) = self.view.part_parameters(part) {
            if parameters != arguments {
                self.count(place, text, parameters, parameters, arguments);
            }
            return;
        }
        let Some(rule) = rule_of(self.view.book, part) else {
            if !self.view.has(part, |s| matches!(s, Symbol::Part)) {
                self.say(
                    place,
                    format!("there is no part `{text}`"),
                    "name a rule with parameters, or a `part` of this rule",
                );
            }
            return;
        };
        let count = rule.parameters.len();
        if count == 0 {
            let help = "only a rule with parameters can be used by others";
            self.say(
                place,
                format!("`{text}` is no part: it has no parameters"),
                help,
            );
        } else if count != arguments {
            self.count(place, text, count, count, arguments);
        }
    }
    fn count(&mut self, place: Place, text: &str, least: usize, most: usize, found: usize) {
        let wanted = match (least, most) {
            (1, 1) => String::from("1 argument"),
            (a, b) if a == b => format!("{a} arguments"),
            (a, b) => format!("{a} to {b} arguments"),
        };
        self.say(
            place,
            format!("`{text}` takes {wanted}, not {found}"),
            format!("give it {wanted}"),
        );
    }
    fn type_of(&mut self, kind: Option<&'a Type>, place: Place) {
        let Some(kind) = kind else { return };
        if let TypeBase::Named(name) = kind.base {
            let text = self.view.text(name);
            if !crate::Word::texts().any(|word| word == text) {
                self.want(name, place, "a record or a set of bits", |s| {
                    matches!(s, Symbol::Record(_) | Symbol::Bits(_))
                });
            }
        }
        kind.dims.iter().for_each(|dim| self.expr(dim));
    }
    /// The name must be one of a kind.
    fn want(&mut self, name: Name, place: Place, what: &str, kind: impl Fn(&Symbol<'a>) -> bool) {
        if self.view.has(name, kind) || self.local.contains(&name) {
            return;
        }
        let text = self.view.text(name);
        match self.view.get(name).first() {
            Some(symbol) => {
                let is = symbol.what();
                self.say(
                    place,
                    format!("`{text}` is {is}, not {what}"),
                    format!("name {what} here"),
                );
            }
            None => self.unknown(name, place),
        }
    }
    fn unknown(&mut self, name: Name, place: Place) {
        let text = self.view.text(name);
        let suggestion = match self.nearest(text) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                String::from("define it, or test it with `known(…)` if it is a fact of the device")
            }
        };
        self.say(
            place,
            format!("nothing here is called `{text}`"),
            suggestion,
        );
    }
    fn nearest(&self, text: &str) -> Option<&'a str> {
        let view = self.view;
        let candidates = view
            .names()
            .chain(self.local.iter().copied())
            .map(|name| view.text(name));
        meant(text, candidates)
    }

    // ---- statements

    fn body(&mut self, body: &'a [Stmt]) {
        let mark = self.local.len();
        body.iter().for_each(|statement| self.statement(statement));
        self.local.truncate(mark);
    }
    fn statement(&mut self, statement: &'a Stmt) {
        match &statement.kind {
            StmtKind::Let { bindings, .. } => {
                for (name, value) in bindings {
                    self.expr(value);
                    self.local.push(*name);
                }
            }
            StmtKind::Learn(learned) => {
                for (target, value) in learned {
                    if let ExprKind::Index(_, index) = &target.kind {
                        self.expr(index);
                    }
                    self.expr(value);
                }
            }
            StmtKind::For {
                names,
                set,
                most,
                body,
            } => {
                self.expr(set);
                self.all(most);
                self.bound(names.iter().copied(), |c| c.body(body));
                return;
            }
            StmtKind::Assign { target, value, .. } => {
                self.expr(target);
                self.expr(value);
                self.literal_of(target, value);
            }
            StmtKind::Lend { ring, .. } => {
                self.ring(ring);
                walk::expressions(statement)
                    .into_iter()
                    .skip(1)
                    .for_each(|e| self.expr(e));
            }
            StmtKind::Up { name, arguments } => {
                self.upcall(*name, arguments.len(), statement.place);
                arguments.iter().for_each(|argument| self.expr(argument));
            }
            _ => walk::expressions(statement)
                .into_iter()
                .for_each(|e| self.expr(e)),
        }
        walk::blocks(statement)
            .into_iter()
            .for_each(|block| self.body(block));
    }
    fn upcall(&mut self, name: Name, found: usize, place: Place) {
        // What a part inside the rule tells is between the two of them.
        if self.in_part {
            return;
        }
        let Some(class) = self.view.class else { return };
        let text = self.view.text(name);
        let parameters = class.items.iter().find_map(|item| match &item.kind {
            ItemKind::Upcall {
                name: n,
                parameters,
            } if *n == name => Some(parameters.len()),
            _ => None,
        });
        match parameters {
            None => {
                let class = self.view.text(class.name);
                let reason = format!("class `{class}` has no upcall `{text}`");
                self.say(place, reason, "call one of its contract's `up`");
            }
            Some(count) if count != found => self.count(place, text, count, count, found),
            Some(_) => {}
        }
    }
    /// `REG = { … }`: the members are fields of the register.
    fn literal_of(&mut self, target: &'a Expr, value: &'a Expr) {
        let ExprKind::Literal(members) = &value.kind else {
            return;
        };
        let Some((reg, None)) = self.view.place(target) else {
            return;
        };
        let lists = self.view.fields(reg);
        if lists.is_empty() {
            return;
        }
        for Member { path, place, .. } in members {
            self.fields_of(reg, path, *place);
        }
    }
    fn field(&mut self, reg: &str, lists: &[&'a crate::tree::Fields], field: Name, place: Place) {
        let known = || {
            lists
                .iter()
                .flat_map(|fields| &fields.list)
                .filter_map(|f| f.name)
        };
        if known().any(|name| name == field) {
            return;
        }
        let field = self.view.text(field);
        let names: Vec<&str> = known().map(|name| self.view.text(name)).collect();
        self.say(
            place,
            format!("`{reg}` has no field `{field}`"),
            format!("it has {}", names.join(", ")),
        );
    }

    // ---- expressions

    fn all(&mut self, expr: &'a Option<Expr>) {
        expr.iter().for_each(|e| self.expr(e));
    }
    fn expr(&mut self, expr: &'a Expr) {
        lists::check(self.view, expr, self.out);
        match &expr.kind {
            ExprKind::Name(name) => self.value(*name, expr.place),
            ExprKind::Call(callee, arguments) => self.call(callee, arguments, expr.place),
            ExprKind::Dot(inner, member) => {
                self.expr(inner);
                self.member(inner, *member, expr.place);
            }
            ExprKind::Take { slots, keep } => {
                if let Some(name) = base_name(slots) {
                    self.want(name, slots.place, "slots", |s| {
                        matches!(s, Symbol::Slots(_))
                    });
                }
                keep.iter().for_each(|e| self.expr(e));
            }
            ExprKind::Lend { ring, keep } => {
                self.ring(ring);
                keep.iter().for_each(|e| self.expr(e));
            }
            ExprKind::Back(ring) => self.ring(ring),
            ExprKind::As(inner, record) => {
                self.expr(inner);
                self.want(*record, expr.place, "a record", |s| {
                    matches!(s, Symbol::Record(_))
                });
            }
            ExprKind::First { record, list, test } => {
                self.want(*record, expr.place, "a record", |s| {
                    matches!(s, Symbol::Record(_))
                });
                self.expr(list);
                let members: Vec<Name> = match self.view.get(*record).first() {
                    Some(Symbol::Record(fields)) => {
                        fields.list.iter().filter_map(|field| field.name).collect()
                    }
                    _ => Vec::new(),
                };
                self.bound(members, |c| c.expr(test));
            }
            ExprKind::Those { name, set, test } => {
                self.expr(set);
                self.bound([*name], |c| c.expr(test));
            }
            ExprKind::Spread { name, cell, .. } => {
                let inner = walk::children(expr);
                inner
                    .into_iter()
                    .filter(|e| !core::ptr::eq(*e, &**cell))
                    .for_each(|e| self.expr(e));
                self.bound([*name], |c| c.expr(cell));
            }
            _ => walk::children(expr).into_iter().for_each(|e| self.expr(e)),
        }
    }
    fn ring(&mut self, ring: &'a Expr) {
        // `io.CQ`: a ring of a part or of an instance.
        if let ExprKind::Dot(inner, member) = &ring.kind {
            self.expr(inner);
            return self.part_ring(inner, *member, ring.place);
        }
        if let Some(name) = base_name(ring) {
            self.want(name, ring.place, "a ring", |s| matches!(s, Symbol::Ring));
        }
    }
    /// What may rest: a ring or slots, the rule's or (`io.S`) a part's.
    fn rests(&mut self, what: &'a Expr) {
        if let ExprKind::Dot(inner, member) = &what.kind {
            self.expr(inner);
            let kind = |item: &ItemKind| match item {
                ItemKind::Ring { name, .. } | ItemKind::Slots { name, .. } => name == member,
                _ => false,
            };
            if !self.part_has(inner, kind) {
                let text = self.view.text(*member);
                self.say(
                    what.place,
                    format!("the part has no ring or slots `{text}`"),
                    "name some of its `ring`s or `slots`",
                );
            }
            return;
        }
        if let Some(name) = base_name(what) {
            let kind = |s: &Symbol| matches!(s, Symbol::Ring | Symbol::Slots(_));
            self.want(name, what.place, "a ring or slots", kind);
        }
    }
    fn value(&mut self, name: Name, place: Place) {
        let text = self.view.text(name);
        let known = self.local.contains(&name)
            || !self.view.get(name).is_empty()
            || words::VALUES.contains(&text)
            || words::FACTS.contains(&text);
        if !known {
            self.unknown(name, place);
        }
    }
    fn call(&mut self, callee: &'a Expr, arguments: &'a [Argument], place: Place) {
        let found = arguments.len();
        match &callee.kind {
            ExprKind::Name(name) if self.view.text(*name) == TODO => {
                let what = match arguments.first().map(|a| &a.value.kind) {
                    Some(ExprKind::Text(text)) => self.view.text(*text),
                    _ => "say what, in a text",
                };
                self.say(
                    callee.place,
                    format!("not written yet: {what}"),
                    "put what the data sheet says in place of `todo(…)`",
                );
                return;
            }
            ExprKind::Name(name) => {
                let text = self.view.text(*name);
                let own = self.view.get(*name).iter().find_map(|symbol| match symbol {
                    Symbol::Routine(routine) => Some(routine.parameters.len()),
                    Symbol::Fact(parameters) => Some(*parameters),
                    _ => None,
                });
                let word = words::FUNCTIONS
                    .iter()
                    .find(|(function, ..)| *function == text);
                match (own, word) {
                    (Some(count), _) if count == found => {}
                    (Some(count), _) => self.count(place, text, count, count, found),
                    (None, Some((_, least, most))) if (*least..=*most).contains(&found) => {}
                    (None, Some((_, least, most))) => self.count(place, text, *least, *most, found),
                    (None, None) => match self.view.get(*name).first() {
                        Some(symbol) => {
                            let is = symbol.what();
                            let reason = format!("`{text}` is {is}, which cannot be called");
                            self.say(place, reason, "call an `op`, a `flow` or a function");
                        }
                        None => self.unknown(*name, callee.place),
                    },
                }
                if matches!(text, "free" | "busy") && found == 2 {
                    if let Some(slots) = arguments.first().and_then(|a| base_name(&a.value)) {
                        let kind = |s: &Symbol| matches!(s, Symbol::Slots(_) | Symbol::Ring);
                        self.want(slots, place, "slots", kind);
                    }
                }
                if text == "known" {
                    return;
                }
            }
            ExprKind::Dot(inner, member) => {
                self.expr(inner);
                self.part_call(inner, *member, found, place);
            }
            _ => self.expr(callee),
        }
        arguments
            .iter()
            .for_each(|argument| self.expr(&argument.value));
    }
    /// `part.RING`
    fn part_ring(&mut self, inner: &Expr, member: Name, place: Place) {
        let kind = |item: &ItemKind| matches!(item, ItemKind::Ring { name, .. } if *name == member);
        if !self.part_has(inner, kind) {
            let text = self.view.text(member);
            self.say(
                place,
                format!("the part has no ring `{text}`"),
                "name one of its `ring`s",
            );
        }
    }
    /// Whether there is such an item in the part that a name of this rule stands for; yes, if that is no part.
    fn part_has(&self, inner: &Expr, kind: impl Fn(&ItemKind) -> bool) -> bool {
        let Some(items) = self.part_items(inner) else {
            return true;
        };
        let mut found = false;
        walk::items(items, &mut |item| found |= kind(&item.kind));
        found
    }
    /// The items of the part that a name of this rule stands for.
    fn part_items(&self, inner: &Expr) -> Option<&'a [Item]> {
        let ExprKind::Name(used) = inner.kind else {
            return None;
        };
        let Some(Symbol::Use(part)) = self.view.get(used).first() else {
            return None;
        };
        let own = self.view.part(*part);
        own.or_else(|| rule_of(self.view.book, *part).map(|rule| &rule.items[..]))
    }
    /// `part.routine(…)`
    fn part_call(&mut self, inner: &Expr, member: Name, found: usize, place: Place) {
        let Some(items) = self.part_items(inner) else {
            return;
        };
        let ExprKind::Name(part) = inner.kind else {
            return;
        };
        let mut count = None;
        walk::items(items, &mut |item| match &item.kind {
            ItemKind::Routine(routine) if routine.name == member => {
                count = Some(routine.parameters.len())
            }
            _ => {}
        });
        let text = self.view.text(member);
        match count {
            Some(count) if count == found => {}
            Some(count) => self.count(place, text, count, count, found),
            None => {
                let part = match self.view.get(part).first() {
                    Some(Symbol::Use(rule)) => self.view.text(*rule),
                    _ => self.view.text(part),
                };
                self.say(
                    place,
                    format!("part `{part}` has no `{text}`"),
                    "call one of its `op`s or `flow`s",
                );
            }
        }
    }
    fn member(&mut self, inner: &'a Expr, member: Name, place: Place) {
        if base_name(inner).is_some_and(|name| self.local.contains(&name)) {
            return;
        }
        let Some((reg, mut path)) = self.view.path(inner) else {
            return;
        };
        path.push(member);
        self.fields_of(reg, &path, place);
    }
    /// Each of these names is a field of what the one before it names: the last one, where the others were looked at.
    fn fields_of(&mut self, reg: &'a crate::tree::RegItem, path: &[Name], place: Place) {
        for (k, name) in path.iter().enumerate() {
            let before = path.get(..k).unwrap_or_default();
            let Some(fields) = self.view.along(reg, before) else {
                return;
            };
            let lists = match fields.last() {
                None => self.view.fields(reg),
                Some(field) => self.view.inner(field),
            };
            let mut owner = String::from(self.view.text(reg.name));
            for name in before {
                owner = format!("{owner}.{}", self.view.text(*name));
            }
            if lists.is_empty() && k > 0 {
                let field = self.view.text(*name);
                self.say(
                    place,
                    format!("`{owner}` has no fields, and so no `{field}`"),
                    "declare them in braces behind it: `name@lo:width { … }`",
                );
                return;
            }
            if !lists.is_empty() {
                self.field(&owner, &lists, *name, place);
            }
        }
    }
}

/// The name that a place begins with.
pub fn base_name(expr: &Expr) -> Option<Name> {
    match &expr.kind {
        ExprKind::Name(name) => Some(*name),
        ExprKind::Dot(inner, _) | ExprKind::Index(inner, _) => base_name(inner),
        ExprKind::Bits(inner, ..) | ExprKind::Slice(inner, ..) => base_name(inner),
        _ => None,
    }
}

/// The nearest of these names, if one is near enough to be meant.
pub(super) fn meant<'t>(text: &str, names: impl Iterator<Item = &'t str>) -> Option<&'t str> {
    let near = (text.len() / 2).min(2);
    let far = names.map(|other| (distance(text, other), other));
    far.filter(|(far, other)| *far <= near && !other.is_empty())
        .min()
        .map(|(_, other)| other)
}

/// Edits between two names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let change = row.get(j).copied().unwrap_or(0) + usize::from(x != *y);
            let insert = next.last().copied().unwrap_or(0) + 1;
            let delete = row.get(j + 1).copied().unwrap_or(0) + 1;
            next.push(change.min(insert).min(delete));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
