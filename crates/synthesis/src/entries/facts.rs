//! What a driver's class is told about it: facts, and whether there is anything to serve.

use super::operations::{units, way_to};
use super::*;
use crate::glance::Glance;
use crate::value::Value;
use rulebook::tree::Item;

/// A fact of a chosen rule, or of its class, that is a number before anything was learned.
pub fn declared(subject: Subject, choice: &Choice, fact: &str) -> Option<u64> {
    let name = subject.book.find(fact)?;
    if let Some(seen) = Glance::new(subject).number(&choice.rules, name) {
        return seen;
    }
    let mut s = Specialiser::new(subject, Mode::writing());
    s.out.b.open();
    let function = chain(&mut s, &choice.rules).ok()?;
    s.enter(function, Vec::new());
    match s.resolve(function, name, Place::default()) {
        Ok(Value::Num(n)) => s.out.b.known(n.id),
        _ => None,
    }
}

/// Whether the first run found none of the instances that the rule's operations are for: there is nothing to write.
pub fn serves_nothing(subject: Subject, choice: &Choice) -> bool {
    let book = subject.book;
    let rule = choice.rules.first().and_then(|r| book.rules.get(*r));
    let Some(way) = rule.and_then(|rule| way_to(&rule.items, rule.each?)) else {
        return false;
    };
    // `p`, `p[0].q`, …: which were learned, from the innermost out.
    let mut words: Vec<&str> = way.iter().map(|name| book.name(*name)).collect();
    while !words.is_empty() {
        let lists = subject
            .device
            .learned
            .iter()
            .filter_map(|f| match &f.value {
                machine::Value::Numbers(list) => Some((&f.name, list.is_empty())),
                machine::Value::Bytes(list) => Some((&f.name, list.is_empty())),
                _ => None,
            });
        let same = |name: &str| {
            let own = name.split('.').map(|w| w.split('[').next().unwrap_or(w));
            own.eq(words.iter().copied())
        };
        let mut lists = lists.filter(|(name, _)| same(name)).peekable();
        if lists.peek().is_some() {
            return lists.all(|(_, empty)| empty);
        }
        words.pop();
    }
    false
}

/// The facts of the function; with several instances, those of the first by their names, of the others as `1.sectors`.
pub(super) fn unit_facts<'a>(
    s: &mut Specialiser<'a, '_>,
    function: InstanceId,
    class: &'a Class,
) -> Result<Vec<(String, u64)>> {
    let Some(way) = units(s, function) else {
        return Ok(class_facts(s, function, &[], class));
    };
    let mut all = Vec::new();
    let mut unit = 0;
    for bank in s.leaves(function, &way) {
        for position in 0..s.rules.banks[bank].count() {
            let position = s.constant(position);
            let view = s.view_at(bank, position)?;
            let own = s.items(view);
            let mut facts = class_facts(s, view, &own, class);
            for each in &way {
                s.enter(view, Vec::new());
                let number = s.resolve(view, *each, class.place);
                s.leave();
                if let Value::Num(n) = number? {
                    let number = s.known_now(n.id);
                    s.told_unknown()?;
                    facts.extend(number.map(|number| (s.text(*each).to_string(), number)));
                }
            }
            all.extend(facts.into_iter().map(|(name, value)| match unit {
                0 => (name, value),
                n => (format!("{n}.{name}"), value),
            }));
            unit += 1;
        }
    }
    all.push(("units".to_string(), unit));
    Ok(all)
}

/// The facts that the class's contract or the rule itself names, as far as this device has them as numbers.
fn class_facts<'a>(
    s: &mut Specialiser<'a, '_>,
    function: InstanceId,
    more: &[&'a Item],
    class: &'a Class,
) -> Vec<(String, u64)> {
    let mut names: Vec<Name> = Vec::new();
    let own = s.items(function);
    for item in class.items.iter().chain(own).chain(more.iter().copied()) {
        if let ItemKind::Fact {
            name, parameters, ..
        } = &item.kind
        {
            if parameters.is_empty() && !names.contains(name) {
                names.push(*name);
            }
        }
    }
    let mut facts = Vec::new();
    for name in names {
        s.enter(function, Vec::new());
        let value = s.resolve(function, name, class.place);
        s.leave();
        let number = match value {
            Ok(Value::Num(n)) => s.out.b.known(n.id),
            // Octets: the first lowest.
            Ok(Value::List(list)) if list.len() <= 8 => {
                list.iter().rev().try_fold(0u64, |sum, v| match v {
                    Value::Num(n) => s
                        .out
                        .b
                        .known(n.id)
                        .filter(|b| *b < 256)
                        .map(|b| sum << 8 | b),
                    _ => None,
                })
            }
            _ => None,
        };
        if let Some(n) = number {
            facts.push((s.text(name).to_string(), n));
        }
    }
    facts
}
