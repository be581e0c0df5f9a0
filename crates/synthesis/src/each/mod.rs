//! `each p in SET`: several instances of one function, and one piece of code for those that facts do not tell apart.
//!
//! The instances of an `each` fall into *banks*: members whose deciding facts are equal. A bank has one set of memory
//! items, each reserved once an instance at a fixed stride, and the code of its members is written once: its position in
//! the bank is a value, like an argument. Facts that differ inside a bank and decide nothing stay in a record in private
//! state, which `init` fills. A *view* is an instance of the rule's items for one position, known or not.
//!
//! An `each` inside another has banks inside each bank of that one. Such a bank holds its members once for each instance
//! of the bank around it, so a position in it counts through both: those of the outer one times the members here.

mod facts;
mod failures;
mod lane;
mod start;
mod view;
mod walk;

use crate::instance::{InstanceId, Specialiser};
use crate::value::{Kind, Num, Spot, Value};
use crate::{Error, Result};
pub use lane::LANES;

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use graph::{Id, Op};
use rulebook::tree::{Item, ItemKind, Name, Place, Rule};

/// Most numbers in the set of one `each`.
pub const MOST: usize = 64;

/// Most instances of an `each` inside others, all together.
pub const MOST_INSIDE: usize = 256;

/// Whose `each` it is.
#[derive(Clone, PartialEq)]
enum Owner {
    /// What there is once. In the first run all are: each is looked at by itself.
    One(InstanceId),
    /// An instance in every view of a bank: empty for the view itself, else the way to one of its parts (`io`).
    In(usize, String),
}

/// Members of an `each` that share their code.
pub struct Bank<'a> {
    owner: Owner,
    name: Name,
    item: &'a Item,
    /// The numbers in the set, and where each stands in it.
    pub members: Vec<u64>,
    places: Vec<usize>,
    /// What each instance is called: `p[3]`; inside another `p[3].q[1]`, for each instance of the bank around it.
    labels: Vec<String>,
    /// The same without numbers: `p`, `p.q`.
    path: String,
    /// The banks around it, and its own number.
    order: Vec<usize>,
    storage: Vec<Stored<'a>>,
    records: Vec<Record>,
    views: Vec<(Id, InstanceId)>,
}

impl Bank<'_> {
    /// How many instances there are: all members in all of the bank around it.
    pub fn count(&self) -> u64 {
        self.labels.len() as u64
    }
}

/// Memory of one name, for all instances.
struct Stored<'a> {
    /// Which instance inside the view: its label behind the view's.
    path: String,
    name: Name,
    spot: Spot<'a>,
    stride: u64,
}

/// A fact that differs inside the bank.
struct Record {
    /// `blocks`, `io.n`
    fact: String,
    /// Offset in state; a word an instance.
    at: u64,
    values: Vec<u64>,
}

impl<'a> Specialiser<'a, '_> {
    /// The item of an `each` and its instances' items.
    fn each_item(&self, i: InstanceId, name: Name, place: Place) -> Result<&'a Item> {
        let found = self.rules.instances[i]
            .eaches
            .iter()
            .find(|(n, _)| *n == name);
        found.map(|(_, item)| *item).ok_or_else(|| {
            Error::new(
                place,
                format!("there is no `each {}`", self.text(name)),
                "declare it with `each … in …`",
            )
        })
    }

    fn owner_of(&self, i: InstanceId) -> Owner {
        match self.rules.instances[i].bank {
            Some((bank, _)) if !self.is_live() => Owner::In(bank, self.path_in_view(i).to_string()),
            _ => Owner::One(i),
        }
    }

    /// The banks of an `each`: made when first asked for, from what is known by then.
    pub fn banks_of(&mut self, i: InstanceId, name: Name, place: Place) -> Result<Vec<usize>> {
        let owner = self.owner_of(i);
        let there: Vec<usize> = (0..self.rules.banks.len())
            .filter(|b| self.rules.banks[*b].name == name && self.rules.banks[*b].owner == owner)
            .collect();
        if !there.is_empty() {
            return Ok(there);
        }
        let item = self.each_item(i, name, place)?;
        let text = self.text(name);
        // What its instances are called, but for their numbers: once for each instance around.
        let (stems, path, order): (Vec<String>, String, Vec<usize>) = match &owner {
            Owner::One(i) => {
                let stem = format!("{}{text}", self.prefix(*i));
                (alloc::vec![stem.clone()], stem, Vec::new())
            }
            Owner::In(bank, inner) => {
                let bank = &self.rules.banks[*bank];
                let stem = |label: &String| match inner.as_str() {
                    "" => format!("{label}.{text}"),
                    inner => format!("{label}.{inner}.{text}"),
                };
                let stems = bank.labels.iter().map(stem).collect();
                (stems, stem(&bank.path), bank.order.clone())
            }
        };
        let members = self.members_now(&owner, item, &stems[0])?;
        if members.len() * stems.len() > MOST_INSIDE {
            return Err(Error::new(
                item.place,
                format!("{} instances of `{text}`", members.len() * stems.len()),
                format!("use at most {MOST_INSIDE}, those of the instances around it together"),
            ));
        }
        let groups = match self.is_live() {
            true => alloc::vec![members.clone()],
            false => self.groups(&path, &stems, &members),
        };
        let set = members;
        let mut made = Vec::new();
        for members in groups {
            let labels = (stems.iter())
                .flat_map(|stem| members.iter().map(move |m| format!("{stem}[{m}]")))
                .collect();
            let mut order = order.clone();
            order.push(self.rules.banks.len());
            let place = |m: &u64| set.iter().position(|n| n == m).unwrap_or(0);
            let places = members.iter().map(place).collect();
            let mut bank = Bank {
                owner: owner.clone(),
                name,
                item,
                members,
                places,
                labels,
                path: path.clone(),
                order,
                storage: Vec::new(),
                records: Vec::new(),
                views: Vec::new(),
            };
            if !self.is_live() {
                self.record_facts(&mut bank);
            }
            self.rules.banks.push(bank);
            made.push(self.rules.banks.len() - 1);
        }
        Ok(made)
    }

    /// All banks of an instance, its parts and what stands inside them, before anything is written.
    pub fn make_banks(&mut self, i: InstanceId) -> Result<()> {
        for (owner, name, item) in self.eaches_of(i) {
            let inside = self.has_inside(owner, item, &|k| matches!(k, ItemKind::Each { .. }));
            for bank in self.banks_of(owner, name, item.place)? {
                if inside && self.rules.banks[bank].count() > 0 {
                    let view = self.pattern(bank, "")?;
                    self.make_banks(view)?;
                }
            }
        }
        Ok(())
    }

    /// The `each` items of an instance and of the parts that it uses, and whose they are.
    pub fn eaches_of(&self, i: InstanceId) -> Vec<(InstanceId, Name, &'a Item)> {
        let instance = &self.rules.instances[i];
        let mut all: Vec<_> = (instance.eaches.iter())
            .map(|(name, item)| (i, *name, *item))
            .collect();
        for (_, part) in &instance.parts {
            all.extend(self.eaches_of(*part));
        }
        all
    }

    /// Whether an `each` of an instance or of its parts has such an item inside.
    pub fn heard_inside(&self, i: InstanceId, wanted: &dyn Fn(&ItemKind) -> bool) -> bool {
        let eaches = self.eaches_of(i);
        (eaches.iter()).any(|(owner, _, item)| self.has_inside(*owner, item, wanted))
    }

    /// The banks of an `each`, named by the way to it from an instance that there is once, in the order of their units.
    pub fn leaves(&self, i: InstanceId, names: &[Name]) -> Vec<usize> {
        let names: Vec<&str> = names.iter().map(|name| self.text(*name)).collect();
        let path = format!("{}{}", self.prefix(i), names.join("."));
        self.leaves_at(&path)
    }

    fn leaves_at(&self, path: &str) -> Vec<usize> {
        let mut banks: Vec<usize> = (0..self.rules.banks.len())
            .filter(|b| self.rules.banks[*b].path == path)
            .collect();
        banks.sort_by(|a, b| self.rules.banks[*a].order.cmp(&self.rules.banks[*b].order));
        banks
    }

    /// How many instances of the same `each` stand in banks before this one.
    fn first_of(&self, bank: usize) -> u64 {
        let leaves = self.leaves_at(&self.rules.banks[bank].path);
        let before = leaves.iter().take_while(|b| **b != bank);
        before.map(|b| self.rules.banks[*b].count()).sum()
    }

    /// The numbers in the set, or those that the first run kept.
    fn members_now(&mut self, owner: &Owner, item: &'a Item, stem: &str) -> Result<Vec<u64>> {
        let ItemKind::Each {
            name, set, filter, ..
        } = &item.kind
        else {
            return Ok(Vec::new());
        };
        if filter.is_some() && !self.is_live() {
            let mut learned = self.rules.subject.device.learned.iter();
            return match learned.find(|f| f.name == stem).map(|f| &f.value) {
                Some(machine::Value::Bytes(list)) => Ok(list.iter().map(|b| *b as u64).collect()),
                Some(machine::Value::Numbers(list)) => Ok(list.clone()),
                _ => Err(Error::new(
                    item.place,
                    format!(
                        "which `{}` there are was not learned in the first run",
                        self.text(*name)
                    ),
                    "run `init` on the device first",
                )),
            };
        }
        if self.per_cpu(item) {
            return Ok((0..self.cpus()).collect());
        }
        let value = match owner {
            Owner::One(i) => self.value_in(*i, set),
            Owner::In(bank, inner) => {
                // What differs among the instances around it does not decide what is in the set of all of them.
                self.out.b.open();
                let value = self
                    .pattern(*bank, inner)
                    .and_then(|i| self.value_in(i, set));
                self.out.b.close();
                value
            }
        };
        let members = self.numbers_of(value?, set.place)?;
        if members.len() > MOST {
            return Err(Error::new(
                set.place,
                format!("{} instances of `{}`", members.len(), self.text(*name)),
                format!("use at most {MOST}: `0..min(n, {MOST})`"),
            ));
        }
        Ok(members)
    }

    fn value_in(&mut self, i: InstanceId, e: &'a rulebook::tree::Expr) -> Result<Value<'a>> {
        self.enter(i, Vec::new());
        let value = self.value(e);
        self.leave();
        value
    }

    /// The instance for one that is not known which, in a region that no entry uses: what holds for all of them alike.
    fn pattern(&mut self, bank: usize, inner: &str) -> Result<InstanceId> {
        let position = match self.rules.banks[bank].count() {
            0 | 1 => self.constant(0),
            count => {
                let id = self.out.b.step(Op::Local(0));
                self.node(id, count - 1)
            }
        };
        let view = self.view_at(bank, position)?;
        Ok(self.inside(view, inner))
    }

    /// The part of an instance that a label names (`io`, `io.rx`); itself, if there is none.
    fn inside(&self, i: InstanceId, path: &str) -> InstanceId {
        let words = path.split('.').filter(|word| !word.is_empty());
        words.fold(i, |at, word| {
            let mut parts = self.rules.instances[at].parts.iter();
            let part = parts.find(|(name, _)| self.text(*name) == word);
            part.map_or(at, |(_, part)| *part)
        })
    }

    /// A set whose elements facts decide.
    pub fn numbers_of(&mut self, value: Value<'a>, place: Place) -> Result<Vec<u64>> {
        let unknown = || {
            Error::new(
                place,
                "what is in this set is not known when the code is written",
                "learn its bounds or its list first",
            )
        };
        match value {
            Value::Range(lo, hi) => {
                let (lo, hi) = (self.decided(lo.id), self.decided(hi.id));
                let (lo, hi) = (lo.ok_or_else(unknown)?, hi.ok_or_else(unknown)?);
                Ok((lo..hi.min(lo.saturating_add(4096))).collect())
            }
            Value::SetBits(mask) => {
                let mask = self.decided(mask.id).ok_or_else(unknown)?;
                Ok((0..64).filter(|k| mask >> k & 1 == 1).collect())
            }
            Value::List(list) => {
                let mut out = Vec::new();
                for v in list {
                    let Value::Num(n) = v else {
                        return Err(unknown());
                    };
                    out.push(self.decided(n.id).ok_or_else(unknown)?);
                }
                Ok(out)
            }
            Value::Each(i, name) => self.members(i, name, place),
            _ => Err(Error::new(
                place,
                "this is no set",
                "write `a..b`, `bits(mask)`, or a list that was learned",
            )),
        }
    }

    /// The numbers of all instances of an `each`, in the order of its set.
    pub fn members(&mut self, i: InstanceId, name: Name, place: Place) -> Result<Vec<u64>> {
        let banks = self.banks_of(i, name, place)?;
        let all = self.in_order(&banks);
        Ok((all.into_iter())
            .map(|(bank, k)| self.rules.banks[bank].members[k])
            .collect())
    }

    /// The members of these banks in the order of the set: each one's bank, and where it is there.
    fn in_order(&self, banks: &[usize]) -> Vec<(usize, usize)> {
        let mut all: Vec<(usize, usize)> = (banks.iter())
            .flat_map(|b| (0..self.rules.banks[*b].members.len()).map(move |k| (*b, k)))
            .collect();
        all.sort_by_key(|(bank, k)| self.rules.banks[*bank].places[*k]);
        all
    }

    /// Whether an item, or one inside it or inside a part that it uses, is such a one.
    fn has_inside(
        &self,
        i: InstanceId,
        item: &'a Item,
        wanted: &dyn Fn(&ItemKind) -> bool,
    ) -> bool {
        let ItemKind::Each { items, .. } = &item.kind else {
            return false;
        };
        self.any_inside(self.rules.instances[i].rule, items, wanted, 0)
    }

    fn any_inside(
        &self,
        rule: &'a Rule,
        items: &'a [Item],
        wanted: &dyn Fn(&ItemKind) -> bool,
        depth: u32,
    ) -> bool {
        items.iter().any(|item| {
            wanted(&item.kind)
                || match &item.kind {
                    ItemKind::Each { items, .. } | ItemKind::Way { items, .. } => {
                        self.any_inside(rule, items, wanted, depth)
                    }
                    ItemKind::When { yes, no, .. } => {
                        self.any_inside(rule, yes, wanted, depth)
                            || self.any_inside(rule, no, wanted, depth)
                    }
                    // A part uses no part that uses it: the checker says so. Not every rulebook was checked.
                    ItemKind::Use { part, .. } if depth < 8 => {
                        let own = part_inside(&rule.items, *part).map(|items| (rule, items));
                        let others = || {
                            let mut rules = self.rules.subject.book.rules.iter();
                            let found =
                                rules.find(|r| r.name == *part && !r.parameters.is_empty())?;
                            Some((found, &found.items[..]))
                        };
                        own.or_else(others).is_some_and(|(rule, items)| {
                            self.any_inside(rule, items, wanted, depth + 1)
                        })
                    }
                    _ => false,
                }
        })
    }
}

/// The items of a `part` inside a rule.
fn part_inside(items: &[Item], wanted: Name) -> Option<&[Item]> {
    items.iter().find_map(|item| match &item.kind {
        ItemKind::Part { name, items, .. } if *name == wanted => Some(&items[..]),
        ItemKind::Part { items, .. }
        | ItemKind::Each { items, .. }
        | ItemKind::Way { items, .. } => part_inside(items, wanted),
        ItemKind::When { yes, no, .. } => {
            part_inside(yes, wanted).or_else(|| part_inside(no, wanted))
        }
        _ => None,
    })
}

fn word<'a>(count: u64) -> Kind<'a> {
    let one = Kind::number(64);
    Kind::row(one, count)
}
