//! What a name means inside one rule or class.

use super::walk;
use crate::tree::{
    Book, Class, Expr, ExprKind, Field, Fields, Item, ItemKind, Name, RegItem, Routine, Rule,
    StmtKind, TypeBase,
};
use alloc::{collections::BTreeMap, vec, vec::Vec};

#[derive(Clone, Copy)]
pub enum Symbol<'a> {
    /// With the number of its parameters.
    Fact(usize),
    Space,
    Reg(&'a RegItem),
    Bits(&'a Fields),
    Record(&'a Fields),
    Arena,
    Ring,
    Slots(&'a Fields),
    State,
    /// An instance of a part, by the rule it is made from.
    Use(Name),
    /// A part inside the rule.
    Part,
    Routine(&'a Routine),
    /// `each`: a number of the instance.
    Each,
    /// A parameter of a part.
    Parameter,
    Way,
}

impl Symbol<'_> {
    /// What a person calls it.
    pub fn what(&self) -> &'static str {
        match self {
            Symbol::Fact(_) => "a fact",
            Symbol::Space => "a space",
            Symbol::Reg(_) => "a register",
            Symbol::Bits(_) => "a set of bits",
            Symbol::Record(_) => "a record",
            Symbol::Arena => "an arena",
            Symbol::Ring => "a ring",
            Symbol::Slots(_) => "slots",
            Symbol::State => "a state",
            Symbol::Use(_) | Symbol::Part => "a part",
            Symbol::Routine(_) => "a routine",
            Symbol::Each => "an instance",
            Symbol::Parameter => "a parameter",
            Symbol::Way => "a way",
        }
    }
}

/// One rule or class with everything it sees.
pub struct View<'a> {
    pub book: &'a Book,
    /// The rule's or class's own items.
    pub items: &'a [Item],
    pub class: Option<&'a Class>,
    /// What carries it, when that is a class of the book.
    pub on: Option<&'a Class>,
    symbols: BTreeMap<Name, Vec<Symbol<'a>>>,
}

pub fn class_of(book: &Book, name: Name) -> Option<&Class> {
    book.classes.iter().find(|class| class.name == name)
}

pub fn rule_of(book: &Book, name: Name) -> Option<&Rule> {
    book.rules.iter().find(|rule| rule.name == name)
}

impl<'a> View<'a> {
    pub fn of_rule(book: &'a Book, rule: &'a Rule) -> View<'a> {
        let class = class_of(book, rule.class);
        let on = rule.on.and_then(|name| class_of(book, name));
        let mut view = View {
            book,
            items: &rule.items,
            class,
            on,
            symbols: BTreeMap::new(),
        };
        for name in &rule.parameters {
            view.add(*name, Symbol::Parameter);
        }
        if let Some(name) = rule.each {
            view.add(name, Symbol::Each);
        }
        view.collect(&rule.items);
        for seen in [class, on].into_iter().flatten() {
            view.collect(&seen.items);
        }
        if let Some(below) = rule.on.and_then(|name| rule_of(book, name)) {
            view.collect(&below.items);
        }
        view
    }

    pub fn of_class(book: &'a Book, class: &'a Class) -> View<'a> {
        let mut view = View {
            book,
            items: &class.items,
            class: Some(class),
            on: None,
            symbols: BTreeMap::new(),
        };
        view.collect(&class.items);
        view
    }

    /// The items of a `part` inside this rule.
    pub fn part(&self, wanted: Name) -> Option<&'a [Item]> {
        self.part_item(wanted).map(|(_, items)| items)
    }
    pub fn part_parameters(&self, wanted: Name) -> Option<usize> {
        self.part_item(wanted).map(|(count, _)| count)
    }
    fn part_item(&self, wanted: Name) -> Option<(usize, &'a [Item])> {
        let mut found = None;
        walk::items(self.items, &mut |item| {
            if let ItemKind::Part {
                name,
                parameters,
                items,
            } = &item.kind
            {
                if *name == wanted {
                    found = Some((parameters.len(), &items[..]));
                }
            }
        });
        found
    }

    pub fn text(&self, name: Name) -> &'a str {
        self.book.name(name)
    }
    pub fn get(&self, name: Name) -> &[Symbol<'a>] {
        self.symbols.get(&name).map_or(&[], |list| &list[..])
    }
    pub fn names(&self) -> impl Iterator<Item = Name> + '_ {
        self.symbols.keys().copied()
    }
    pub fn has(&self, name: Name, test: impl Fn(&Symbol<'a>) -> bool) -> bool {
        self.get(name).iter().any(test)
    }
    pub fn reg(&self, name: Name) -> Option<&'a RegItem> {
        let regs = self.get(name).iter().filter_map(|symbol| match symbol {
            Symbol::Reg(reg) => Some(*reg),
            _ => None,
        });
        // The register that says where it is, before the one that a contract asks for.
        regs.clone()
            .find(|reg| reg.at.is_some())
            .or(regs.clone().next())
    }
    /// The register and the names behind it: `REG`, `REG[i]`, `REG.field.part`.
    pub fn path(&self, expr: &Expr) -> Option<(&'a RegItem, Vec<Name>)> {
        match &expr.kind {
            ExprKind::Name(name) => self.reg(*name).map(|reg| (reg, Vec::new())),
            ExprKind::Index(inner, _) | ExprKind::Bits(inner, ..) => self.path(inner),
            // `d.REG`, `p[1].REG`: a register, by way of the space or the instance that it lies in.
            ExprKind::Dot(inner, name) if self.holds_registers(inner) => {
                self.reg(*name).map(|reg| (reg, Vec::new()))
            }
            ExprKind::Dot(inner, field) => {
                let (reg, mut path) = self.path(inner)?;
                path.push(*field);
                Some((reg, path))
            }
            _ => None,
        }
    }
    fn holds_registers(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Name(name) => {
                self.has(*name, |s| matches!(s, Symbol::Space)) && self.reg(*name).is_none()
            }
            ExprKind::Index(inner, _) => match inner.kind {
                ExprKind::Name(name) => {
                    let holds = |s: &Symbol| matches!(s, Symbol::Space | Symbol::Each);
                    self.has(name, holds) && self.reg(name).is_none()
                }
                _ => false,
            },
            _ => false,
        }
    }
    /// The fields that a field of a register is made of, as a name leads to them.
    pub fn inner(&self, field: &'a Field) -> Vec<&'a Fields> {
        if let Some(fields) = &field.fields {
            return vec![fields];
        }
        match field.kind.as_ref().map(|kind| kind.base) {
            Some(TypeBase::Named(name)) => self.named_bits(name),
            _ => Vec::new(),
        }
    }
    /// The fields that names lead to, each with those before it; none, where one is not there.
    pub fn along(&self, reg: &'a RegItem, path: &[Name]) -> Option<Vec<&'a Field>> {
        let mut lists = self.fields(reg);
        let mut found = Vec::new();
        for name in path {
            let mut all = lists.iter().flat_map(|fields| &fields.list);
            let field = all.find(|field| field.name == Some(*name))?;
            found.push(field);
            lists = self.inner(field);
        }
        Some(found)
    }
    /// The register and the field that a place names: `REG`, `REG[i]`, `REG.field`, of which `REG.field.part` is a part.
    pub fn place(&self, expr: &Expr) -> Option<(&'a RegItem, Option<Name>)> {
        let (reg, path) = self.path(expr)?;
        Some((reg, path.first().copied()))
    }
    /// Every list of fields that a register's bits are named by.
    pub fn fields(&self, reg: &'a RegItem) -> Vec<&'a Fields> {
        let mut out: Vec<&Fields> = reg.fields.iter().collect();
        out.extend(
            reg.fields_of
                .into_iter()
                .flat_map(|name| self.named_bits(name)),
        );
        out
    }
    fn named_bits(&self, name: Name) -> Vec<&'a Fields> {
        let symbols = self.get(name).iter();
        let bits = symbols.filter_map(|symbol| match symbol {
            Symbol::Bits(fields) => Some(*fields),
            _ => None,
        });
        bits.collect()
    }
    fn add(&mut self, name: Name, symbol: Symbol<'a>) {
        self.symbols.entry(name).or_default().push(symbol);
    }
    fn collect(&mut self, list: &'a [Item]) {
        walk::items(list, &mut |item| self.item(item));
    }
    fn item(&mut self, item: &'a Item) {
        match &item.kind {
            ItemKind::Fact {
                name,
                parameters,
                value,
                ..
            } => {
                self.add(*name, Symbol::Fact(parameters.len()));
                self.known_in(value.iter());
            }
            ItemKind::Space(space) => self.add(space.name, Symbol::Space),
            ItemKind::Reg(reg) => self.add(reg.name, Symbol::Reg(reg)),
            ItemKind::Bits { name, fields } => self.add(*name, Symbol::Bits(fields)),
            ItemKind::Record { name, fields, .. } => self.add(*name, Symbol::Record(fields)),
            ItemKind::Arena(arena) => self.add(arena.name, Symbol::Arena),
            ItemKind::Ring { name, .. } => self.add(*name, Symbol::Ring),
            ItemKind::Slots { name, fields, .. } => self.add(*name, Symbol::Slots(fields)),
            ItemKind::State { name, .. } => self.add(*name, Symbol::State),
            ItemKind::Use { name, part, .. } => self.add(*name, Symbol::Use(*part)),
            ItemKind::Part {
                name, parameters, ..
            } => {
                self.add(*name, Symbol::Part);
                for parameter in parameters {
                    self.add(*parameter, Symbol::Parameter);
                }
            }
            ItemKind::Each { name, .. } => self.add(*name, Symbol::Each),
            ItemKind::Way { name, guard, .. } => {
                self.add(*name, Symbol::Way);
                self.known_in(guard.iter());
            }
            ItemKind::When { test, .. } | ItemKind::Match { test, .. } => self.known_in([test]),
            ItemKind::Routine(routine) => {
                self.add(routine.name, Symbol::Routine(routine));
                self.known_in(routine.guard.iter());
            }
            _ => {}
        }
        walk::statements(walk::body(item), &mut |statement| {
            self.known_in(walk::expressions(statement));
            if let StmtKind::Learn(learned) = &statement.kind {
                for (target, _) in learned {
                    match &target.kind {
                        ExprKind::Name(name) => self.add(*name, Symbol::Fact(0)),
                        ExprKind::Index(inner, _) => {
                            if let ExprKind::Name(name) = inner.kind {
                                self.add(name, Symbol::Fact(0));
                            }
                        }
                        _ => {}
                    }
                }
            }
        });
    }
    /// `known(NAME)` makes NAME a fact of the device.
    fn known_in(&mut self, expressions: impl IntoIterator<Item = &'a Expr>) {
        for root in expressions {
            walk::expr(root, &mut |expr| {
                let ExprKind::Call(callee, arguments) = &expr.kind else {
                    return;
                };
                let (ExprKind::Name(function), [argument]) = (&callee.kind, &arguments[..]) else {
                    return;
                };
                if let (ExprKind::Name(name), "known") =
                    (&argument.value.kind, self.book.name(*function))
                {
                    self.add(*name, Symbol::Fact(0));
                }
            });
        }
    }
}
