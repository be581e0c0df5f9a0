//! A rule does what its class promises, and every failure is dealt with.

use super::{
    view::{class_of, rule_of, View},
    walk, words,
};
use crate::{
    diagnostic::Diagnostic,
    tree::{Book, Class, Event, ExprKind, Item, ItemKind, Name, Place, Routine, Rule, StmtKind},
};
use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

pub fn check(view: &View, rule: &Rule, out: &mut Vec<Diagnostic>) {
    match view.class {
        None => {
            let class = view.text(rule.class);
            let classes = view.book.classes.iter().map(|c| view.text(c.name));
            out.push(Diagnostic::new(
                rule.place,
                format!("there is no class `{class}`"),
                match super::names::meant(class, classes) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => String::from("define it with `class`, or name another one"),
                },
            ));
        }
        Some(class) => implements(view, rule, class, out),
    }
    events(view, rule, out);
    instances(view, rule, out);
    // A class that carries others leaves failures to the rules on it, a part to the rule that uses it.
    let carrier = view
        .book
        .rules
        .iter()
        .any(|other| other.on == Some(rule.class));
    if rule.parameters.is_empty() && !carrier {
        failures(view.book, rule, out);
    }
}

/// The rule's first line says for which instances its operations are.
fn instances(view: &View, rule: &Rule, out: &mut Vec<Diagnostic>) {
    let mut names: Vec<Name> = Vec::new();
    inside(view, rule, &rule.items, None, &mut names, out);
    let Some(each) = rule.each else { return };
    if names.contains(&each) {
        return;
    }
    let (own, text) = (view.text(rule.name), view.text(each));
    out.push(Diagnostic::new(
        rule.place,
        format!("`{own}` has no `each {text}`, whose instances its operations are for"),
        format!("add `each {text} in SET`, or take `each {text}` out of the first line"),
    ));
}

/// The names of all `each` items, and the operations inside those that the first line does not name.
fn inside(
    view: &View,
    rule: &Rule,
    items: &[Item],
    around: Option<Name>,
    names: &mut Vec<Name>,
    out: &mut Vec<Diagnostic>,
) {
    for item in items {
        match (&item.kind, around) {
            (
                ItemKind::Each {
                    name, items, set, ..
                },
                _,
            ) => {
                if names.contains(name) {
                    let text = view.text(*name);
                    out.push(Diagnostic::new(
                        item.place,
                        format!(
                            "there is another `each {text}` in `{}`",
                            view.text(rule.name)
                        ),
                        "give one of them another name",
                    ));
                }
                names.push(*name);
                // What belongs to each CPU is asked for on the CPU at work.
                let cpus = matches!(set.kind, ExprKind::Name(n) if view.text(n) == "cpus");
                let around = if cpus { around } else { Some(*name) };
                inside(view, rule, items, around, names, out);
            }
            (ItemKind::Routine(routine), Some(each)) if rule.each != Some(each) => {
                asked_for(view, rule, routine, each, item.place, out);
            }
            _ => {}
        }
    }
}

/// An operation of the class inside an `each` that the first line does not name.
fn asked_for(
    view: &View,
    rule: &Rule,
    routine: &Routine,
    each: Name,
    place: Place,
    out: &mut Vec<Diagnostic>,
) {
    let Some(class) = view.class else { return };
    let contract = class
        .items
        .iter()
        .any(|item| matches!(&item.kind, ItemKind::Routine(r) if r.body.is_none() && r.name == routine.name));
    if !contract || class.direct {
        return;
    }
    let (text, each, own) = (
        view.text(routine.name),
        view.text(each),
        view.text(rule.name),
    );
    out.push(Diagnostic::new(
        place,
        format!(
            "`{text}` is asked for by the class, but requests do not say which `{each}` they mean"
        ),
        format!(
            "write `rule {own} : {} each {each} on …`",
            view.text(class.name)
        ),
    ));
}

fn implements(view: &View, rule: &Rule, class: &Class, out: &mut Vec<Diagnostic>) {
    let (own, contract) = (view.text(rule.name), view.text(class.name));
    let mut wanted: Vec<&Item> = Vec::new();
    walk::items(&class.items, &mut |item| wanted.push(item));
    for item in wanted {
        match &item.kind {
            ItemKind::Routine(routine) if routine.body.is_none() => {
                operation(view, rule, routine, contract, out);
            }
            ItemKind::Fact {
                name,
                kind: Some(_),
                value: None,
                parameters,
                ..
            } if parameters.is_empty() && !learned(view, rule, *name) => {
                let text = view.text(*name);
                out.push(Diagnostic::new(
                    rule.place,
                    format!("`{own}` does not say `{text}`, which class `{contract}` asks for"),
                    format!("add `fact {text} = …`, or `learn {text} = …` in `init`"),
                ));
            }
            ItemKind::Reg(reg) if reg.at.is_none() => {
                if !has(
                    rule,
                    &|kind| matches!(kind, ItemKind::Reg(own) if own.name == reg.name),
                ) {
                    missing(view, rule, "register", reg.name, contract, out);
                }
            }
            ItemKind::Space(space)
                if space.value.is_none()
                    && !has(
                        rule,
                        &|kind| matches!(kind, ItemKind::Space(own) if own.name == space.name),
                    ) =>
            {
                missing(view, rule, "space", space.name, contract, out);
            }
            _ => {}
        }
    }
}

fn has(rule: &Rule, test: &dyn Fn(&ItemKind) -> bool) -> bool {
    let mut found = false;
    walk::items(&rule.items, &mut |item| found |= test(&item.kind));
    found
}

fn missing(
    view: &View,
    rule: &Rule,
    what: &str,
    name: Name,
    class: &str,
    out: &mut Vec<Diagnostic>,
) {
    let (own, text) = (view.text(rule.name), view.text(name));
    out.push(Diagnostic::new(
        rule.place,
        format!("`{own}` has no {what} `{text}`, which class `{class}` asks for"),
        format!("say where it is: a {what} of that name"),
    ));
}

fn operation(view: &View, rule: &Rule, wanted: &Routine, class: &str, out: &mut Vec<Diagnostic>) {
    let (own, text) = (view.text(rule.name), view.text(wanted.name));
    let mut found: Vec<(&Routine, Place)> = Vec::new();
    walk::items(&rule.items, &mut |item| match &item.kind {
        ItemKind::Routine(routine) if routine.name == wanted.name => {
            found.push((routine, item.place))
        }
        _ => {}
    });
    if found.is_empty() && !wanted.optional {
        let signature = signature(view, wanted);
        out.push(Diagnostic::new(
            rule.place,
            format!("`{own}` has no `{text}`, which class `{class}` asks for"),
            format!("add `op {signature}`"),
        ));
    }
    for (routine, place) in found {
        let (count, given) = (wanted.parameters.len(), routine.parameters.len());
        if count != given {
            let signature = signature(view, wanted);
            out.push(Diagnostic::new(
                place,
                format!(
                    "`{text}` has {given} parameters, but class `{class}` calls it with {count}"
                ),
                format!("write it as `{signature}`"),
            ));
        }
        if wanted.direct && !routine.direct {
            out.push(Diagnostic::new(
                place,
                format!(
                    "`{text}` is bound into the nucleus by class `{class}`, but is not `direct`"
                ),
                format!("write `op {text}(…) direct`"),
            ));
        }
    }
}

fn signature(view: &View, routine: &Routine) -> String {
    let parameters: Vec<&str> = routine
        .parameters
        .iter()
        .map(|parameter| view.text(parameter.name))
        .collect();
    let direct = if routine.direct { " direct" } else { "" };
    format!(
        "{}({}){direct}",
        view.text(routine.name),
        parameters.join(", ")
    )
}

/// Whether the rule states or learns a fact of its class, or what it stands on does.
fn learned(view: &View, rule: &Rule, name: Name) -> bool {
    let lists = [
        Some(&rule.items),
        view.class.map(|class| &class.items),
        view.on.map(|class| &class.items),
    ];
    let mut found = false;
    for list in lists.into_iter().flatten() {
        walk::items(list, &mut |item| {
            found |=
                matches!(&item.kind, ItemKind::Fact { name: n, value: Some(_), .. } if *n == name);
            walk::statements(walk::body(item), &mut |statement| {
                if let StmtKind::Learn(learned) = &statement.kind {
                    found |= learned
                        .iter()
                        .any(|(target, _)| super::names::base_name(target) == Some(name));
                }
            });
        });
    }
    found
}

/// Events come from interrupts, from a part, or from what carries the rule.
fn events(view: &View, rule: &Rule, out: &mut Vec<Diagnostic>) {
    walk::items(&rule.items, &mut |item| {
        let ItemKind::Event(event) = &item.kind else {
            return;
        };
        let text = view.text(event.name);
        if event.part.is_none() && matches!(text, "irq" | "line") {
            return;
        }
        if event.part.is_none() && text == "message" {
            if event.selector.is_none() {
                out.push(Diagnostic::new(
                    item.place,
                    "this event does not say which message it means",
                    "write `event message(0)` for the first",
                ));
            }
            return;
        }
        let inner = event.part.and_then(|part| {
            view.get(part).iter().find_map(|symbol| match symbol {
                super::view::Symbol::Use(part) => view.part(*part),
                _ => None,
            })
        });
        if let Some(items) = inner {
            told_by(view, items, event, item.place, out);
            return;
        }
        let source = match event.part {
            None => view.on,
            Some(part) => {
                let used = view.get(part).iter().find_map(|symbol| match symbol {
                    super::view::Symbol::Use(rule) => rule_of(view.book, *rule),
                    super::view::Symbol::Part => Some(rule),
                    _ => None,
                });
                match used {
                    Some(used) => class_of(view.book, used.class),
                    None => {
                        let part = view.text(part);
                        out.push(Diagnostic::new(
                            item.place,
                            format!("nothing here uses a part called `{part}`"),
                            format!("add `use {part} = PART(…)`"),
                        ));
                        return;
                    }
                }
            }
        };
        let upcall = source.and_then(|class| {
            class.items.iter().find_map(|item| match &item.kind {
                ItemKind::Upcall { name, parameters } if *name == event.name => {
                    Some(parameters.len())
                }
                _ => None,
            })
        });
        match upcall {
            Some(count) if count != event.parameters.len() => out.push(Diagnostic::new(
                item.place,
                format!("event `{text}` names {} values, but its `up` has {count}", event.parameters.len()),
                "name each of them",
            )),
            Some(_) => {}
            None => out.push(Diagnostic::new(
                item.place,
                format!("nothing raises an event `{text}`"),
                "it must be `irq`, or an `up` of a part's class or of the class that the rule is on",
            )),
        }
    });
}

/// An event from a part inside the rule: whatever the part tells by `up`.
fn told_by(view: &View, items: &[Item], event: &Event, place: Place, out: &mut Vec<Diagnostic>) {
    let mut counts = Vec::new();
    walk::items(items, &mut |item| {
        walk::statements(walk::body(item), &mut |statement| {
            if let StmtKind::Up { name, arguments } = &statement.kind {
                if *name == event.name {
                    counts.push(arguments.len());
                }
            }
        });
    });
    let text = view.text(event.name);
    match counts.first() {
        None => out.push(Diagnostic::new(
            place,
            format!("nothing raises an event `{text}`"),
            "the part must say it: `up NAME(…)`",
        )),
        Some(count) if *count != event.parameters.len() => out.push(Diagnostic::new(
            place,
            format!(
                "event `{text}` names {} values, but its `up` has {count}",
                event.parameters.len()
            ),
            "name each of them",
        )),
        Some(_) => {}
    }
}

/// Every failure that can reach the rule has a `recover`.
fn failures(book: &Book, rule: &Rule, out: &mut Vec<Diagnostic>) {
    let mut raised: BTreeMap<Name, Place> = BTreeMap::new();
    let mut seen = Vec::new();
    of_rule(book, rule, &mut raised, &mut seen);
    let mut served: Vec<Name> = Vec::new();
    walk::items(&rule.items, &mut |item| {
        if let ItemKind::Recover { names, .. } = &item.kind {
            served.extend(names);
        }
    });
    let rule_name = book.name(rule.name);
    for (name, place) in raised.iter().filter(|(name, _)| !served.contains(name)) {
        let text = book.name(*name);
        let inside = rule.place.file == place.file && own(rule, *place);
        let place = if inside { *place } else { rule.place };
        out.push(Diagnostic::new(
            place,
            format!("`fail {text}` reaches no `recover` in `{rule_name}`"),
            format!("add `recover {text} {{ reset }}`, or what its manual asks for"),
        ));
    }
}

/// Whether the place is inside the rule's text.
fn own(rule: &Rule, place: Place) -> bool {
    let mut found = false;
    walk::items(&rule.items, &mut |item| {
        found |= item.place == place;
        walk::statements(walk::body(item), &mut |statement| {
            found |= statement.place == place
        });
    });
    found
}

fn of_rule(book: &Book, rule: &Rule, raised: &mut BTreeMap<Name, Place>, seen: &mut Vec<Name>) {
    if seen.contains(&rule.name) {
        return;
    }
    seen.push(rule.name);
    of_items(&rule.items, raised);
    for class in [Some(rule.class), rule.on]
        .into_iter()
        .flatten()
        .filter_map(|name| class_of(book, name))
    {
        of_items(&class.items, raised);
    }
    for carrier in book
        .rules
        .iter()
        .filter(|other| Some(other.class) == rule.on && other.parameters.is_empty())
    {
        of_rule(book, carrier, raised, seen);
    }
    walk::items(&rule.items, &mut |item| {
        if let ItemKind::Use { part, .. } = &item.kind {
            if let Some(part) = rule_of(book, *part) {
                of_rule(book, part, raised, seen);
            }
        }
    });
}

fn of_items(items: &[Item], raised: &mut BTreeMap<Name, Place>) {
    walk::items(items, &mut |item| {
        if let ItemKind::Watch { failure, .. } = &item.kind {
            raised.entry(*failure).or_insert(item.place);
        }
        walk::statements(walk::body(item), &mut |statement| {
            if let StmtKind::Fail(name) = &statement.kind {
                raised.entry(*name).or_insert(statement.place);
            }
        });
    });
}

/// Names stand once, parts do not use themselves, and what carries a rule exists.
pub fn structure(book: &Book, out: &mut Vec<Diagnostic>) {
    for (at, rule) in book.rules.iter().enumerate() {
        let text = book.name(rule.name);
        if book
            .rules
            .iter()
            .take(at)
            .any(|other| other.name == rule.name)
        {
            out.push(Diagnostic::new(
                rule.place,
                format!("there is another rule `{text}`"),
                "give one of them another name",
            ));
        }
        if let Some(on) = rule.on {
            let name = book.name(on);
            let bus = words::BUSES.contains(&name);
            if !bus && class_of(book, on).is_none() && rule_of(book, on).is_none() {
                out.push(Diagnostic::new(
                    rule.place,
                    format!("`{text}` stands on `{name}`, which is neither a bus nor a class"),
                    format!(
                        "name a class of the rulebook, or one of {}",
                        words::BUSES.join(", ")
                    ),
                ));
            }
        }
        let mut path = alloc::vec![rule.name];
        if let Some(through) = cycle(book, rule, &mut path) {
            out.push(Diagnostic::new(
                rule.place,
                format!("`{text}` uses itself, by way of `{}`", book.name(through)),
                "take one `use` out of the circle",
            ));
        }
        twice(book, rule.name, &rule.items, out);
        walk::items(&rule.items, &mut |item| {
            if let ItemKind::Fact {
                name,
                tells: Some(_),
                ..
            } = &item.kind
            {
                out.push(Diagnostic::new(
                    item.place,
                    format!(
                        "the fact `{}` tells others what it is, and is a rule's",
                        book.name(*name)
                    ),
                    "say `tells` in the class: it holds for whichever device of it serves",
                ));
            }
        });
    }
    for class in &book.classes {
        twice(book, class.name, &class.items, out);
        for item in &class.items {
            let ItemKind::Fact {
                name,
                tells: Some((bus, _)),
                ..
            } = &item.kind
            else {
                continue;
            };
            if !words::BUSES.contains(&book.name(*bus)) {
                out.push(Diagnostic::new(
                    item.place,
                    format!(
                        "the fact `{}` is told to the devices of `{}`, which is no bus",
                        book.name(*name),
                        book.name(*bus)
                    ),
                    format!("name one of {}", words::BUSES.join(", ")),
                ));
            }
        }
    }
    for (at, (name, place)) in book.order.iter().enumerate() {
        let text = book.name(*name);
        if class_of(book, *name).is_none() {
            out.push(Diagnostic::new(
                *place,
                format!("`order` names `{text}`, which is no class"),
                "name a class of the rulebook",
            ));
        }
        if book.order.iter().take(at).any(|(other, _)| other == name) {
            out.push(Diagnostic::new(
                *place,
                format!("`order` names `{text}` twice"),
                "name it once",
            ));
        }
    }
    for (at, class) in book.classes.iter().enumerate() {
        if book
            .classes
            .iter()
            .take(at)
            .any(|other| other.name == class.name)
        {
            let text = book.name(class.name);
            out.push(Diagnostic::new(
                class.place,
                format!("there is another class `{text}`"),
                "give one of them another name",
            ));
        }
    }
}

/// The part through which a rule comes back to itself.
fn cycle(book: &Book, rule: &Rule, path: &mut Vec<Name>) -> Option<Name> {
    let mut found = None;
    walk::items(&rule.items, &mut |item| {
        let ItemKind::Use { part, .. } = &item.kind else {
            return;
        };
        if found.is_some() {
            return;
        }
        if path.first() == Some(part) {
            found = path.last().copied();
        } else if !path.contains(part) {
            if let Some(next) = rule_of(book, *part) {
                path.push(*part);
                found = cycle(book, next, path);
                path.pop();
            }
        }
    });
    found
}

/// A name that two items of a rule or class define at once.
fn twice(book: &Book, owner: Name, items: &[Item], out: &mut Vec<Diagnostic>) {
    let mut seen: Vec<Name> = Vec::new();
    for item in items {
        let name = match &item.kind {
            ItemKind::Fact { name, .. }
            | ItemKind::Record { name, .. }
            | ItemKind::Ring { name, .. } => *name,
            ItemKind::Slots { name, .. }
            | ItemKind::State { name, .. }
            | ItemKind::Use { name, .. } => *name,
            ItemKind::Reg(reg) => reg.name,
            ItemKind::Space(space) => space.name,
            ItemKind::Arena(arena) => arena.name,
            ItemKind::Routine(routine) if routine.guard.is_none() => routine.name,
            _ => continue,
        };
        if seen.contains(&name) {
            let text = book.name(name);
            out.push(Diagnostic::new(
                item.place,
                format!("`{text}` is defined twice in `{}`", book.name(owner)),
                "give one of them another name, or a `when`",
            ));
        }
        seen.push(name);
    }
}
