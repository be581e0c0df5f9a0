//! The worst case of each operation and of the interrupt: accesses to the device and rounds of loops, from the text alone.
//!
//! Bounds that are facts stay names, so a worst case is a sum like `3 + 2 n`. Of two branches the larger counts, of an
//! `each` one instance (an interrupt: all of them, times their number). What waits is not counted: operations never do.

use crate::check::{self, view::View, walk};
use crate::tree::{
    Book, Event, Expr, ExprKind, Item, ItemKind, Name, RegItem, Routine, Rule, SpaceItem, Stmt,
    StmtKind,
};
use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

/// A sum of products: how often each product of named bounds occurs; the empty product is 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count(BTreeMap<Vec<String>, u64>);

impl Count {
    fn of(n: u64) -> Count {
        let mut count = Count::default();
        if n != 0 {
            count.0.insert(Vec::new(), n);
        }
        count
    }

    fn named(name: String) -> Count {
        Count(BTreeMap::from([(vec![name], 1)]))
    }

    fn plus(mut self, other: &Count) -> Count {
        for (product, n) in &other.0 {
            let sum = self.0.entry(product.clone()).or_default();
            *sum = sum.saturating_add(*n);
        }
        self
    }

    fn times(&self, other: &Count) -> Count {
        let mut out = Count::default();
        for (a, n) in &self.0 {
            for (b, m) in &other.0 {
                let mut product = a.clone();
                product.extend(b.iter().cloned());
                product.sort();
                let sum = out.0.entry(product).or_default();
                *sum = sum.saturating_add(n.saturating_mul(*m));
            }
        }
        out
    }

    /// Not less than either.
    fn larger(mut self, other: &Count) -> Count {
        for (product, n) in &other.0 {
            let most = self.0.entry(product.clone()).or_default();
            *most = (*most).max(*n);
        }
        self
    }

    /// The number, if no bound in it is a name.
    pub fn number(&self) -> Option<u64> {
        match self.0.iter().next() {
            None => Some(0),
            Some((product, n)) if self.0.len() == 1 && product.is_empty() => Some(*n),
            _ => None,
        }
    }
}

impl core::fmt::Display for Count {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("0");
        }
        for (at, (product, n)) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(" + ")?;
            }
            match (product.is_empty(), n) {
                (true, n) => write!(f, "{n}")?,
                (false, 1) => f.write_str(&product.join(" "))?,
                (false, n) => write!(f, "{n} {}", product.join(" "))?,
            }
        }
        Ok(())
    }
}

/// What something costs at worst.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Reads and writes of the device.
    pub accesses: Count,
    /// Rounds of all loops.
    pub rounds: Count,
}

impl Cost {
    fn accesses(n: u64) -> Cost {
        Cost {
            accesses: Count::of(n),
            rounds: Count::default(),
        }
    }
    fn and(self, other: &Cost) -> Cost {
        Cost {
            accesses: self.accesses.plus(&other.accesses),
            rounds: self.rounds.plus(&other.rounds),
        }
    }
    fn or(self, other: &Cost) -> Cost {
        Cost {
            accesses: self.accesses.larger(&other.accesses),
            rounds: self.rounds.larger(&other.rounds),
        }
    }
    /// So many rounds of it.
    fn repeated(&self, rounds: &Count) -> Cost {
        Cost {
            accesses: self.accesses.times(rounds),
            rounds: self.rounds.times(rounds).plus(rounds),
        }
    }
}

/// The worst case of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worst {
    /// `read`, `irq`
    pub entry: String,
    pub cost: Cost,
    /// What it leaves for once a batch (`then`).
    pub tail: Cost,
}

/// The rules that may carry this one, if it stands on a class.
pub fn carriers<'a>(book: &'a Book, rule: &Rule) -> Vec<&'a Rule> {
    let of_class = |other: &&Rule| rule.on == Some(other.class);
    book.rules.iter().filter(of_class).collect()
}

/// The operations of the rule's class, in the order of its contract, then the interrupt; what its `carrier` does for it
/// counts. Parts have none of their own.
pub fn worst<'a>(book: &'a Book, rule: &'a Rule, carrier: Option<&'a Rule>) -> Vec<Worst> {
    let mut out = Vec::new();
    if !rule.parameters.is_empty() {
        return out;
    }
    let mut meter = Meter {
        book,
        rule,
        carrier,
        tail: Cost::default(),
        depth: 0,
    };
    let view = View::of_rule(book, rule);
    let contract = view.class.map(|c| c.items.as_slice()).unwrap_or(&[]);
    for item in contract {
        let ItemKind::Routine(wanted) = &item.kind else {
            continue;
        };
        if wanted.body.is_some() {
            continue;
        }
        let bodies = routines(&rule.items, wanted.name);
        if bodies.is_empty() {
            continue;
        }
        meter.tail = Cost::default();
        let cost = bodies
            .iter()
            .fold(Cost::default(), |most, r| most.or(&meter.routine(&view, r)));
        out.push(Worst {
            entry: book.name(wanted.name).to_string(),
            cost,
            tail: meter.tail.clone(),
        });
    }
    for entry in ["irq", "message"] {
        meter.tail = Cost::default();
        let mut cost = Cost::default();
        let mut heard = false;
        meter.interrupts(&view, &rule.items, entry, &mut cost, &mut heard);
        if let Some(carrier) = carrier {
            let view = View::of_rule(book, carrier);
            meter.interrupts(&view, &carrier.items, entry, &mut cost, &mut heard);
        }
        if heard {
            out.push(Worst {
                entry: entry.to_string(),
                cost,
                tail: Cost::default(),
            });
        }
    }
    out
}

fn routines(items: &[Item], name: Name) -> Vec<&Routine> {
    let mut out = Vec::new();
    walk::items(items, &mut |item| match &item.kind {
        ItemKind::Routine(r) if r.name == name && r.body.is_some() => out.push(r),
        _ => {}
    });
    out
}

/// Deeper calls than this are not followed: the specialiser refuses them.
const DEEPEST: u32 = 16;

struct Meter<'a> {
    book: &'a Book,
    rule: &'a Rule,
    carrier: Option<&'a Rule>,
    tail: Cost,
    depth: u32,
}

impl<'a> Meter<'a> {
    fn interrupts(
        &mut self,
        view: &View<'a>,
        items: &'a [Item],
        entry: &str,
        cost: &mut Cost,
        heard: &mut bool,
    ) {
        for item in items {
            match &item.kind {
                ItemKind::Event(event)
                    if event.part.is_none() && self.book.name(event.name) == entry =>
                {
                    *heard = true;
                    let own = self.body(view, &event.body);
                    let before = core::mem::take(cost);
                    // One wire is heard by all events; a message by its own.
                    *cost = match entry {
                        "message" => before.or(&own),
                        _ => before.and(&own),
                    };
                }
                ItemKind::Each { name, items, .. } => {
                    let mut inner = Cost::default();
                    self.interrupts(view, items, entry, &mut inner, heard);
                    if inner != Cost::default() {
                        let count = Count::named(format!("{}s", self.book.name(*name)));
                        *cost = core::mem::take(cost).and(&inner.repeated(&count));
                    }
                }
                ItemKind::Part { .. } => {}
                _ => {
                    for inner in walk::inside(item) {
                        self.interrupts(view, inner, entry, cost, heard);
                    }
                }
            }
        }
    }

    fn routine(&mut self, view: &View<'a>, routine: &'a Routine) -> Cost {
        if self.depth >= DEEPEST {
            return Cost::default();
        }
        self.depth += 1;
        let cost = self.body(view, routine.body.as_deref().unwrap_or(&[]));
        self.depth -= 1;
        cost
    }

    fn body(&mut self, view: &View<'a>, body: &'a [Stmt]) -> Cost {
        let mut cost = Cost::default();
        for statement in body {
            let one = self.statement(view, statement);
            cost = cost.and(&one);
        }
        cost
    }

    fn statement(&mut self, view: &View<'a>, s: &'a Stmt) -> Cost {
        match &s.kind {
            StmtKind::Assign {
                target,
                operator,
                value,
                ..
            } => {
                let mut cost = self.expr(view, value);
                cost = cost.and(&self.expr(view, target));
                // A part of a register is read first.
                let place = view.place(target);
                let part = operator.is_some() || matches!(place, Some((_, Some(_))));
                if let (Some((reg, _)), true) = (place, part) {
                    cost = cost.and(&self.access(view, reg));
                }
                cost
            }
            StmtKind::If { test, yes, no } => {
                let branches = self.body(view, yes).or(&self.body(view, no));
                self.expr(view, test).and(&branches)
            }
            StmtKind::When { yes, no, .. } => self.body(view, yes).or(&self.body(view, no)),
            StmtKind::For {
                set, most, body, ..
            } => {
                let rounds = self.rounds(view, set, most.as_ref());
                let inner = self.body(view, body);
                self.expr(view, set).and(&inner.repeated(&rounds))
            }
            StmtKind::While { test, most, body } => {
                let rounds = self.bound(view, most);
                let test = self.expr(view, test);
                let inner = test.clone().and(&self.body(view, body));
                // The test once more, when it no longer holds.
                inner.repeated(&rounds).and(&test)
            }
            StmtKind::Then(body) => {
                let tail = self.body(view, body);
                self.tail = core::mem::take(&mut self.tail).or(&tail);
                Cost::default()
            }
            StmtKind::Up { name, arguments } => {
                let told = self.told(view, *name);
                arguments
                    .iter()
                    .fold(told, |sum, e| sum.and(&self.expr(view, e)))
            }
            _ => {
                let mut cost = Cost::default();
                for e in walk::expressions(s) {
                    cost = cost.and(&self.expr(view, e));
                }
                for block in walk::blocks(s) {
                    cost = cost.and(&self.body(view, block));
                }
                cost
            }
        }
    }

    /// What hears an upcall in the rule that uses a part, or stands on another: at worst the longest of its events.
    fn told(&mut self, view: &View<'a>, name: Name) -> Cost {
        if self.depth >= DEEPEST {
            return Cost::default();
        }
        let mut events: Vec<&'a Event> = Vec::new();
        walk::items(&self.rule.items, &mut |item| match &item.kind {
            ItemKind::Event(e) if e.name == name => events.push(e),
            _ => {}
        });
        let _ = view;
        let own = View::of_rule(self.book, self.rule);
        self.depth += 1;
        let mut most = Cost::default();
        for event in events {
            most = most.or(&self.body(&own, &event.body));
        }
        self.depth -= 1;
        most
    }

    fn expr(&mut self, view: &View<'a>, e: &'a Expr) -> Cost {
        match &e.kind {
            ExprKind::Name(name) => match view.reg(*name) {
                Some(reg) => self.access(view, reg).repeated_only(reg.count.unwrap_or(1)),
                None => Cost::default(),
            },
            ExprKind::Index(base, index) => {
                let cost = self.expr(view, index);
                match view.place(base) {
                    Some((reg, None)) => match &base.kind {
                        ExprKind::Name(_) => cost.and(&self.access(view, reg)),
                        // `d[i].REG[k]`
                        ExprKind::Dot(holder, _) => {
                            let cost = cost.and(&self.expr(view, holder));
                            cost.and(&self.access(view, reg))
                        }
                        _ => cost.and(&self.expr(view, base)),
                    },
                    _ => cost.and(&self.expr(view, base)),
                }
            }
            // `d.REG`: a register by way of its space.
            ExprKind::Dot(holder, _) => match view.path(e) {
                Some((reg, path)) if path.is_empty() => {
                    let cost = self.expr(view, holder);
                    let access = self.access(view, reg);
                    cost.and(&access.repeated_only(reg.count.unwrap_or(1)))
                }
                _ => self.expr(view, holder),
            },
            ExprKind::Call(callee, arguments) => {
                let mut cost = self.called(view, callee);
                for argument in arguments {
                    cost = cost.and(&self.expr(view, &argument.value));
                }
                cost
            }
            ExprKind::Spread { cells, most, .. } => {
                let rounds = match most {
                    Some(most) => self.bound(view, most),
                    None => Count::named(format!("#{}", self.text(cells))),
                };
                let mut cost = Cost::default().repeated(&rounds);
                for inner in walk::children(e) {
                    cost = cost.and(&self.expr(view, inner));
                }
                cost
            }
            _ => walk::children(e)
                .into_iter()
                .fold(Cost::default(), |sum, inner| {
                    sum.and(&self.expr(view, inner))
                }),
        }
    }

    fn called(&mut self, view: &View<'a>, callee: &'a Expr) -> Cost {
        if self.depth >= DEEPEST {
            return Cost::default();
        }
        match &callee.kind {
            ExprKind::Name(name) => {
                let found: Vec<&'a Routine> = view
                    .get(*name)
                    .iter()
                    .filter_map(|symbol| match symbol {
                        check::view::Symbol::Routine(r) if r.body.is_some() => Some(*r),
                        _ => None,
                    })
                    .collect();
                match (found.is_empty(), self.carrier) {
                    (true, Some(carrier)) => {
                        let below = View::of_rule(self.book, carrier);
                        self.longest(&below, &routines(&carrier.items, *name))
                    }
                    _ => self.longest(view, &found),
                }
            }
            ExprKind::Dot(inner, name) => {
                let (items, own) = match self.part_of(view, inner) {
                    Some(found) => found,
                    // An instance: its routines are the rule's.
                    None => (&self.rule.items[..], None),
                };
                let view = match own {
                    Some(rule) => View::of_rule(self.book, rule),
                    None => View::of_rule(self.book, self.rule),
                };
                self.longest(&view, &routines(items, *name))
            }
            _ => Cost::default(),
        }
    }

    fn longest(&mut self, view: &View<'a>, found: &[&'a Routine]) -> Cost {
        let most = Cost::default();
        found
            .iter()
            .fold(most, |most, r| most.or(&self.routine(view, r)))
    }

    /// One access as the text has it: in its pieces, each after those that choose it.
    fn access(&mut self, view: &View<'a>, reg: &'a RegItem) -> Cost {
        if self.depth >= DEEPEST {
            return Cost::default();
        }
        self.depth += 1;
        let reg = self.placed(reg);
        let mut each = Cost::accesses(1);
        let space = self.space_of(view, reg);
        for via in reg
            .via
            .iter()
            .chain(space.and_then(|space| space.via.as_ref().or(space.bank.as_ref())))
        {
            each = each.and(&self.expr(view, &via.value));
            let Some((chooser, field)) = view.place(&via.target) else {
                continue;
            };
            let write = self.access(view, chooser);
            // A part of it is read first.
            if field.is_some() {
                each = each.and(&write);
            }
            each = each.and(&write);
        }
        self.depth -= 1;
        each.repeated_only(reg.accesses().count)
    }

    /// The space that a register lies in: its own, or that of the register before it.
    fn space_of(&self, view: &View<'a>, reg: &RegItem) -> Option<&'a SpaceItem> {
        let carrier = self.carrier.map(|rule| &rule.items[..]);
        let lists = [Some(view.items), Some(&self.rule.items[..]), carrier];
        for items in lists.into_iter().flatten() {
            let (mut last, mut found, mut spaces) = (None, None, Vec::new());
            walk::items(items, &mut |item| match &item.kind {
                ItemKind::Space(space) => spaces.push(space),
                ItemKind::Reg(one) => {
                    last = one.space.or(last);
                    if core::ptr::eq(one, reg) {
                        found = last;
                    }
                }
                _ => {}
            });
            if let Some(name) = found {
                return spaces.into_iter().find(|space| space.name == name);
            }
        }
        None
    }

    /// A register that a class leaves to its transports, where this one has it.
    fn placed(&self, reg: &'a RegItem) -> &'a RegItem {
        let (None, Some(carrier)) = (&reg.at, self.carrier) else {
            return reg;
        };
        let mut found = reg;
        walk::items(&carrier.items, &mut |item| match &item.kind {
            ItemKind::Reg(own) if own.name == reg.name => found = own,
            _ => {}
        });
        found
    }

    /// The items of the part that an expression ends in, and its rule if it is one of its own.
    fn part_of(&self, view: &View<'a>, e: &Expr) -> Option<(&'a [Item], Option<&'a Rule>)> {
        let name = match &e.kind {
            ExprKind::Name(name) | ExprKind::Dot(_, name) => *name,
            _ => return None,
        };
        let part = view.get(name).iter().find_map(|symbol| match symbol {
            check::view::Symbol::Use(part) => Some(*part),
            _ => None,
        })?;
        let own = View::of_rule(self.book, self.rule);
        if let Some(items) = own.part(part) {
            return Some((items, None));
        }
        let rule = check::view::rule_of(self.book, part)?;
        Some((&rule.items, Some(rule)))
    }

    fn rounds(&mut self, view: &View<'a>, set: &'a Expr, most: Option<&'a Expr>) -> Count {
        if let Some(most) = most {
            return self.bound(view, most);
        }
        match &set.kind {
            ExprKind::Range(lo, hi) => match (&lo.kind, &hi.kind) {
                (ExprKind::Number(a), ExprKind::Number(b)) => Count::of(b.saturating_sub(*a)),
                _ => self.bound(view, hi),
            },
            ExprKind::Back(ring) => Count::named(format!("#{}", self.text(ring))),
            ExprKind::Call(..) => Count::of(64),
            _ => Count::named(format!("#{}", self.text(set))),
        }
    }

    fn bound(&self, _: &View<'a>, e: &Expr) -> Count {
        match &e.kind {
            ExprKind::Number(n) => Count::of(*n),
            _ => Count::named(self.text(e)),
        }
    }

    fn text(&self, e: &Expr) -> String {
        match &e.kind {
            ExprKind::Number(n) => n.to_string(),
            ExprKind::Name(n) => self.book.name(*n).to_string(),
            ExprKind::Dot(a, n) => format!("{}.{}", self.text(a), self.book.name(*n)),
            ExprKind::Index(a, _) | ExprKind::Bits(a, ..) => self.text(a),
            ExprKind::Binary(_, a, b) => format!("({} and {})", self.text(a), self.text(b)),
            _ => "…".to_string(),
        }
    }
}

impl Cost {
    /// A whole array of registers.
    fn repeated_only(&self, times: u32) -> Cost {
        Cost {
            accesses: self.accesses.times(&Count::of(times.into())),
            rounds: Count::default(),
        }
    }
}
