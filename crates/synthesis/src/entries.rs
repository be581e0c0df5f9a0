//! The entries of a driver: what the class calls, written one after another.

use crate::execute::Flow;
use crate::glance::Glance;
use crate::instance::{Binding, InstanceId, Specialiser};
use crate::matching::Choice;
use crate::value::{Buffer, Num, Value};
use crate::{Error, LiveAccess, Result, Subject};
use abi::status;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use graph::view::Names;
use graph::{Op, Residual, Space};
use rulebook::tree::{Class, Item, ItemKind, Name, Parameter, Place, Routine, Stmt, TypeBase};

/// A driver as a code graph, and what its class wants to know.
#[derive(Clone, Debug)]
pub struct Written {
    pub residual: Residual,
    /// The class's facts that are numbers (`sectors`, `depth`, `hz`); a list of bytes is one number, first byte highest.
    pub facts: Vec<(String, u64)>,
}

/// Instances of a chain of rules, the function first. Gives the function's.
pub fn chain<'a>(s: &mut Specialiser<'a, '_>, rules: &[usize]) -> Result<InstanceId> {
    let book = s.subject.book;
    let mut lower = None;
    let mut below: Option<InstanceId> = None;
    for (depth, index) in rules.iter().enumerate().rev() {
        let Some(rule) = book.rules.get(*index) else {
            return Err(Error::new(Place::default(), "no such rule", "match again"));
        };
        let label = if depth == 0 {
            String::new()
        } else {
            book.name(rule.name).to_string()
        };
        let id = s.instantiate(label, rule, &rule.items, lower, None)?;
        if let Some(below) = below {
            s.instances[below].upper = Some((id, None));
        }
        below = Some(id);
        lower = Some(id);
    }
    below.ok_or_else(|| Error::new(Place::default(), "an empty choice", "match first"))
}

pub fn learn(
    subject: Subject,
    choice: &Choice,
    access: &mut dyn LiveAccess,
) -> Result<Vec<machine::Fact>> {
    let mut s = Specialiser::new(subject, Some(access));
    let function = chain(&mut s, &choice.rules)?;
    s.use_parts(function)?;
    for id in inits(&mut s, function) {
        let name = name_of(&s, "init");
        let Some(name) = name else { continue };
        s.begin_states(id)?;
        if has_init(&mut s, id) {
            s.call_routine(id, name, Vec::new(), Place::default())?;
        }
        if s.ended.is_none() {
            s.start_eaches(id)?;
        }
        if let Some(status) = s.ended.take() {
            let reason = match status.checked_sub(status::FAIL) {
                Some(n) => format!(
                    "`init` failed: {}",
                    s.failures.get(n as usize).map_or("?", |f| f.as_str())
                ),
                None => format!("`init` ended with status {status}"),
            };
            return Err(Error::new(
                s.instances[id].rule.place,
                reason,
                "the device did not do what the rule expects",
            ));
        }
    }
    Ok(s.learned)
}

/// A fact of a chosen rule, or of its class, that is a number before anything was learned.
pub fn declared(subject: Subject, choice: &Choice, fact: &str) -> Option<u64> {
    let name = subject.book.find(fact)?;
    if let Some(seen) = Glance::new(subject).number(&choice.rules, name) {
        return seen;
    }
    let mut s = Specialiser::new(subject, None);
    s.b.open();
    let function = chain(&mut s, &choice.rules).ok()?;
    s.enter(function, Vec::new());
    match s.resolve(function, name, Place::default()) {
        Ok(Value::Num(n)) => s.b.known(n.id),
        _ => None,
    }
}

pub fn name_of(s: &Specialiser, text: &str) -> Option<Name> {
    s.subject
        .book
        .names
        .iter()
        .position(|n| n == text)
        .map(|k| Name(k as u16))
}

/// The function and what it stands on, the lowest first.
pub fn chain_of(s: &Specialiser, function: InstanceId) -> Vec<InstanceId> {
    let mut list = Vec::new();
    let mut at = Some(function);
    while let Some(id) = at {
        list.push(id);
        at = s.instances[id].lower;
    }
    list.reverse();
    list
}

/// Instances of the chain that come up with something, an `init` or an `each`; the lowest first.
fn inits(s: &mut Specialiser, function: InstanceId) -> Vec<InstanceId> {
    let mut list = chain_of(s, function);
    list.retain(|id| has_init(s, *id) || !s.instances[*id].eaches.is_empty());
    list
}

fn has_init(s: &mut Specialiser, id: InstanceId) -> bool {
    let Some(init) = name_of(s, "init") else {
        return false;
    };
    s.find_item(
        id,
        |k| matches!(k, ItemKind::Routine(r) if r.name == init && r.body.is_some()),
    )
    .is_some()
}

/// Whether the first run found none of the instances that the rule's operations are for: there is nothing to write.
pub fn serves_nothing(subject: Subject, choice: &Choice) -> bool {
    let book = subject.book;
    let rule = choice.rules.first().and_then(|r| book.rules.get(*r));
    let Some(each) = rule.and_then(|rule| rule.each) else {
        return false;
    };
    let learned = subject.device.learned.iter();
    let found = learned.rev().find(|f| f.name == book.name(each));
    found.is_some_and(|f| match &f.value {
        machine::Value::Numbers(list) => list.is_empty(),
        machine::Value::Bytes(list) => list.is_empty(),
        _ => false,
    })
}

/// Facts that differ between instances stay in a record, as long as nothing must be decided by them; those that decide
/// something are folded, at the price of code for each of their values.
pub fn specialise(subject: Subject, choice: &Choice) -> Result<Written> {
    folding(subject, choice, false).map(|(written, _)| written)
}

/// The same with names.
pub fn specialise_named(subject: Subject, choice: &Choice) -> Result<(Written, Names)> {
    folding(subject, choice, true)
}

fn folding(subject: Subject, choice: &Choice, named: bool) -> Result<(Written, Names)> {
    let mut folded: Vec<String> = Vec::new();
    loop {
        let mut s = Specialiser::new(subject, None);
        s.names = named.then(Names::default);
        s.folded = folded.clone();
        let outcome = write(&mut s, choice);
        let mut more = s.deciding_facts();
        more.retain(|fact| !folded.contains(fact));
        if !more.is_empty() {
            folded.extend(more);
        } else if outcome.is_err() && s.has_records() {
            folded.push("*".to_string());
        } else {
            return outcome.map(|written| (written, s.names.unwrap_or_default()));
        }
    }
}

fn write<'a>(s: &mut Specialiser<'a, '_>, choice: &Choice) -> Result<Written> {
    // Facts and guards are evaluated in a region that no entry uses.
    s.b.open();
    let function = chain(s, &choice.rules)?;
    s.use_parts(function)?;
    let class = s.class_named(s.instances[function].rule.class);
    for id in chain_of(s, function) {
        for (name, item) in s.instances[id].eaches.clone() {
            s.banks_of(id, name, item.place)?;
        }
    }
    s.b.close();
    init_entry(s, function)?;
    if let Some(class) = class {
        for routine in contract(class) {
            operation(s, function, class, routine)?;
        }
    }
    let messages = crate::messages::message_entry(s, function)?;
    if messages.is_none() {
        irq_entry(s, function)?;
    }
    watch_entry(s, function)?;
    recover_entries(s, function)?;
    s.b.open();
    let mut facts = match class {
        Some(class) => unit_facts(s, function, class)?,
        None => Vec::new(),
    };
    facts.extend(messages.map(|n| (crate::MESSAGES.to_string(), n)));
    s.b.close();
    s.note_memory();
    if s.state_top.max(s.arena_top) > crate::layout::LARGEST {
        return Err(Error::new(
            s.instances[function].rule.place,
            "its state or its arena has more than 1 GiB",
            "give arrays fewer elements, or bound the fact that says how many",
        ));
    }
    let (graph, mut entries) = core::mem::take(&mut s.b).into_parts();
    for entry in &mut entries {
        entry.seldom = choice.spare || seldom(s, class, &entry.name);
    }
    let mut residual = Residual {
        graph,
        entries,
        windows: core::mem::take(&mut s.windows),
        state_size: s.state_top.next_multiple_of(64) as u32,
        arena_size: s.arena_top.next_multiple_of(4096) as u32,
        arena_align: s.arena_align.max(4096) as u32,
        upcalls: core::mem::take(&mut s.upcalls),
        failures: core::mem::take(&mut s.failures),
    };
    residual.prune();
    Ok(Written { residual, facts })
}

/// Whether an entry runs so seldom that how fast it is does not matter: what brings the device up, again after a failure,
/// or looks after it, and what the class says of its operations or of all.
fn seldom(s: &Specialiser, class: Option<&Class>, entry: &str) -> bool {
    if matches!(entry, "init" | "watch") || entry.starts_with("recover.") {
        return true;
    }
    let operation = entry.strip_suffix(".then").unwrap_or(entry);
    class.is_some_and(|class| {
        class.seldom || contract(class).any(|r| r.seldom && s.text(r.name) == operation)
    })
}

/// The operations that the class names.
fn contract(class: &Class) -> impl Iterator<Item = &Routine> {
    class.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Routine(r) if r.body.is_none() => Some(r),
        _ => None,
    })
}

pub fn entry<'a>(
    s: &mut Specialiser<'a, '_>,
    name: &str,
    arguments: u8,
    body: impl FnOnce(&mut Specialiser<'a, '_>) -> Result<Option<Num<'a>>>,
) -> Result<()> {
    s.b.open();
    s.depth = 0;
    s.nest = 0;
    s.narrowed.clear();
    s.floors.clear();
    s.taken.clear();
    s.unreachable = false;
    let value = body(s)?;
    if let Some(n) = value {
        s.b.step(Op::Return(n.id));
    }
    s.again = None;
    s.b.close();
    s.b.finish_entry(name, arguments, 0);
    Ok(())
}

fn init_entry(s: &mut Specialiser, function: InstanceId) -> Result<()> {
    let init = name_of(s, "init");
    let all = chain_of(s, function);
    let values = all.iter().any(|id| s.has_beginnings(*id));
    if init.is_none() && !values {
        return Ok(());
    }
    let list = inits(s, function);
    entry(s, "init", 0, |s| {
        s.fill_records();
        for id in all {
            s.begin_states(id)?;
        }
        for id in list {
            if let (Some(init), true) = (init, has_init(s, id)) {
                s.call_routine(id, init, Vec::new(), Place::default())?;
            }
            if core::mem::take(&mut s.unreachable) || s.start_eaches(id)? != Flow::Next {
                break;
            }
        }
        Ok(None)
    })
}

/// How many words a parameter is: buffers are place and length.
fn is_buffer(s: &Specialiser, parameter: &Parameter) -> bool {
    match parameter.kind.as_ref().map(|t| t.base) {
        Some(TypeBase::Named(n)) => matches!(
            s.text(n),
            "bufs" | "buf" | "buffer" | "frame" | "bytes" | "data"
        ),
        _ => false,
    }
}

fn bound_of(s: &Specialiser, parameter: &Parameter) -> u64 {
    match parameter.kind.as_ref().map(|t| t.base) {
        Some(TypeBase::Bits(n) | TypeBase::Dma(n) | TypeBase::Big(n)) => crate::layout::ones(n),
        Some(TypeBase::Bool) => 1,
        Some(TypeBase::Named(n)) if s.text(n) == "ticket" => u32::MAX as u64,
        _ => u64::MAX,
    }
}

fn operation<'a>(
    s: &mut Specialiser<'a, '_>,
    function: InstanceId,
    class: &'a Class,
    wanted: &'a Routine,
) -> Result<()> {
    let name = wanted.name;
    let each = units(s, function);
    s.b.open();
    let usable = usable(s, function, each, name, class.place);
    s.b.close();
    if !usable? {
        return Ok(());
    }
    let mut words = 0u8;
    let mut plan = Vec::new();
    for parameter in &wanted.parameters {
        let buffer = is_buffer(s, parameter);
        plan.push((buffer, words, bound_of(s, parameter)));
        words += if buffer { 2 } else { 1 };
    }
    let text = s.text(name).to_string();
    let returns = wanted.returns.is_some();
    // A frame is at most what an Ethernet length can say; the pump refuses longer ones.
    let longest = if s.text(class.name) == "nic" {
        0xffff
    } else {
        u32::MAX as u64
    };
    s.tails = Some(Vec::new());
    // Which instance is meant comes last.
    let all = words + each.is_some() as u8;
    entry(s, &text, all, |s| {
        let mut values = Vec::new();
        for (buffer, word, most) in plan {
            values.push(if buffer {
                argument_buffer(s, word, longest)
            } else {
                Value::Num(argument(s, word, most))
            });
        }
        let value = match each {
            None => s.call_routine(function, name, values, class.place)?,
            Some(each) => {
                let unit = argument(s, words, u64::from(u32::MAX));
                s.for_unit(function, each, unit, class.place, &mut |s, view| {
                    s.call_routine(view, name, values.clone(), class.place)?;
                    Ok(Flow::Next)
                })?;
                Value::None
            }
        };
        match value {
            Value::Num(n) if returns => Ok(Some(n)),
            other if returns && !matches!(other, Value::None) => {
                Ok(Some(s.number_for(other, None, class.place)?))
            }
            _ => Ok(None),
        }
    })?;
    let tails = s.tails.take().unwrap_or_default();
    if !tails.is_empty() {
        entry(s, &format!("{text}.then"), 0, |s| {
            for (instance, body) in tails {
                tail(s, instance, body, class.place)?;
            }
            Ok(None)
        })?;
    }
    Ok(())
}

/// The `each` that the operations of the class are for, if the rule's first line names one.
fn units(s: &Specialiser, function: InstanceId) -> Option<Name> {
    let each = s.instances[function].rule.each?;
    let eaches = &s.instances[function].eaches;
    eaches.iter().any(|(name, _)| *name == each).then_some(each)
}

/// Whether the function, or any of its instances, has this operation.
fn usable<'a>(
    s: &mut Specialiser<'a, '_>,
    function: InstanceId,
    each: Option<Name>,
    name: Name,
    place: Place,
) -> Result<bool> {
    let mut owners = alloc::vec![function];
    if let Some(each) = each {
        for bank in s.banks_of(function, each, place)? {
            let first = s.constant(0);
            owners.push(s.view(bank, first)?);
        }
    }
    for owner in owners {
        let exists = s
            .find_item(
                owner,
                |k| matches!(k, ItemKind::Routine(r) if r.name == name && r.body.is_some()),
            )
            .is_some();
        if exists && s.routine(owner, name, place).is_ok() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The tail of a batch. For one of several instances it runs for all of them: the batch does not say which were meant.
fn tail<'a>(
    s: &mut Specialiser<'a, '_>,
    instance: InstanceId,
    body: &'a [Stmt],
    place: Place,
) -> Result<()> {
    let Some((bank, position)) = s.instances[instance].bank else {
        s.run_body(instance, Vec::new(), body)?;
        return Ok(());
    };
    if s.b.known(position.id).is_some() {
        s.run_body(instance, Vec::new(), body)?;
        return Ok(());
    }
    // The way from the view to the part whose tail it is.
    let mut path = Vec::new();
    let mut at = instance;
    while let Some((upper, Some(used))) = s.instances[at].upper {
        path.push(used);
        at = upper;
    }
    path.reverse();
    s.for_bank(bank, &mut |s, view| {
        let mut at = view;
        for name in &path {
            let part = s.instances[at].parts.iter().find(|(n, _)| n == name);
            let Some((_, part)) = part else {
                return Err(Error::new(place, "a part is missing", "report this"));
            };
            at = *part;
        }
        s.run_body(at, Vec::new(), body)?;
        let over = core::mem::take(&mut s.unreachable);
        Ok(if over { Flow::Ended } else { Flow::Next })
    })?;
    Ok(())
}

pub fn argument<'a>(s: &mut Specialiser<'a, '_>, word: u8, most: u64) -> Num<'a> {
    let id = s.b.arg(word);
    let n = s.node(id, most);
    // What the class promises of its arguments holds for the whole entry.
    s.narrowed.push((id, most));
    n
}

/// A buffer of the pool: the pump has checked that it lies inside.
fn argument_buffer<'a>(s: &mut Specialiser<'a, '_>, word: u8, longest: u64) -> Value<'a> {
    let at = argument(s, word, u32::MAX as u64);
    let len = argument(s, word + 1, longest);
    Value::Buffer(Buffer {
        space: Space::Pool,
        at,
        len,
        inward: false,
        last: true,
        ends: None,
    })
}

/// One interrupt entry: whoever in the chain hears it, the lowest first.
fn irq_entry(s: &mut Specialiser, function: InstanceId) -> Result<()> {
    let Some(irq) = name_of(s, "irq") else {
        return Ok(());
    };
    let ids = chain_of(s, function);
    s.b.open();
    let mut found = Vec::new();
    let mut several = Vec::new();
    for id in ids {
        if let Some(event) = s.find_event(id, None, irq, None)? {
            found.push((id, event));
        }
        for (name, item) in s.instances[id].eaches.clone() {
            if hears(item, irq) {
                several.push((id, name, item.place));
            }
        }
    }
    s.b.close();
    if found.is_empty() && several.is_empty() {
        return Ok(());
    }
    let claimed = !found.is_empty();
    entry(s, "irq", 0, |s| {
        let slot = s.b.new_local();
        let zero = s.b.constant(0);
        s.b.step(Op::SetLocal(slot, zero));
        s.again = Some(slot);
        for (id, event) in found {
            let bound: Vec<(Name, Binding)> = Vec::new();
            s.run_body(id, bound, &event.body)?;
            if core::mem::take(&mut s.unreachable) {
                return Ok(None);
            }
        }
        if several.is_empty() {
            s.finish(status::OK)?;
            return Ok(None);
        }
        let mine = s.b.new_local();
        let first = s.b.constant(claimed as u64);
        s.b.step(Op::SetLocal(mine, first));
        for (id, name, place) in several {
            s.for_views(id, name, place, |s, view| {
                match s.find_event(view, None, irq, None)? {
                    Some(event) => s.run_event_of(view, event, mine),
                    None => Ok(Flow::Next),
                }
            })?;
        }
        let mine = s.b.step(Op::Local(mine));
        let mine = s.node(mine, 1);
        s.branch(
            mine,
            |s| s.finish(status::OK),
            |s| s.finish(status::NOT_MINE),
        )?;
        Ok(None)
    })
}

/// `watch`: what rests too long, of the function, what carries it, their parts and their instances.
fn watch_entry(s: &mut Specialiser, function: InstanceId) -> Result<()> {
    if s.watched.is_empty() {
        return Ok(());
    }
    entry(s, "watch", 0, |s| {
        let now = s.clock_now();
        for id in chain_of(s, function) {
            s.watches(id, now)?;
            for (name, item) in s.instances[id].eaches.clone() {
                s.for_views(id, name, item.place, |s, view| {
                    s.watches(view, now)?;
                    Ok(Flow::Next)
                })?;
            }
        }
        Ok(None)
    })
}

/// Whether there is an event for the interrupt in this item, or in instances of this `each`.
pub fn hears(item: &Item, irq: Name) -> bool {
    match &item.kind {
        ItemKind::Each { items, .. }
        | ItemKind::Way { items, .. }
        | ItemKind::When { yes: items, .. } => items.iter().any(|inner| hears(inner, irq)),
        ItemKind::Event(e) => e.part.is_none() && e.name == irq,
        _ => false,
    }
}

/// `recover a, b { … }`: an entry for each name, the function's own words before those of what it stands on.
fn recover_entries(s: &mut Specialiser, function: InstanceId) -> Result<()> {
    let mut done: Vec<Name> = Vec::new();
    for id in chain_of(s, function) {
        for (each, item) in s.instances[id].eaches.clone() {
            recover_each(s, function, id, each, item, &mut done)?;
        }
    }
    for id in (0..s.instances.len()).rev() {
        if s.instances[id].bank.is_some() {
            continue;
        }
        for item in s.items(id) {
            let ItemKind::Recover { names, body } = &item.kind else {
                continue;
            };
            for name in names {
                if done.contains(name) {
                    continue;
                }
                done.push(*name);
                let text = s.text(*name);
                if !s.failures.iter().any(|f| f == text) {
                    continue;
                }
                entry(s, &format!("recover.{text}"), 0, |s| {
                    unless_gone(s, function)?;
                    s.run_body(id, Vec::new(), body)?;
                    Ok(None)
                })?;
            }
        }
    }
    Ok(())
}

/// `gone when …` as an item: asked before anything is recovered, for a device that was pulled out fails first.
fn unless_gone(s: &mut Specialiser, function: InstanceId) -> Result<()> {
    for id in chain_of(s, function) {
        for item in s.items(id) {
            let ItemKind::Gone(test) = &item.kind else {
                continue;
            };
            s.enter(id, Vec::new());
            let gone = s.condition(test);
            s.leave();
            s.branch(gone?, |s| s.finish(status::GONE), |_| Ok(Flow::Next))?;
        }
    }
    Ok(())
}

/// The recoveries of one of several instances: of the one that failed last.
fn recover_each<'a>(
    s: &mut Specialiser<'a, '_>,
    function: InstanceId,
    owner: InstanceId,
    each: Name,
    item: &'a Item,
    done: &mut Vec<Name>,
) -> Result<()> {
    let ItemKind::Each { items, .. } = &item.kind else {
        return Ok(());
    };
    for inner in items {
        let ItemKind::Recover { names, body } = &inner.kind else {
            continue;
        };
        for name in names {
            let text = s.text(*name);
            if done.contains(name) || !s.failures.iter().any(|f| f == text) {
                continue;
            }
            done.push(*name);
            entry(s, &format!("recover.{text}"), 0, |s| {
                unless_gone(s, function)?;
                let unit = s.failed_unit(owner, each)?;
                s.for_unit(owner, each, unit, inner.place, &mut |s, view| {
                    s.run_body(view, Vec::new(), body)?;
                    Ok(Flow::Next)
                })?;
                Ok(None)
            })?;
        }
    }
    Ok(())
}

/// The facts of the function; with several instances, those of the first by their names, of the others as `1.sectors`.
fn unit_facts<'a>(
    s: &mut Specialiser<'a, '_>,
    function: InstanceId,
    class: &'a Class,
) -> Result<Vec<(String, u64)>> {
    let Some(each) = units(s, function) else {
        return Ok(class_facts(s, function, &[], class));
    };
    let mut all = Vec::new();
    let mut unit = 0;
    for bank in s.banks_of(function, each, class.place)? {
        let members = s.banks[bank].members.clone();
        for (k, member) in members.iter().enumerate() {
            let position = s.constant(k as u64);
            let view = s.view(bank, position)?;
            let own = s.items(view);
            let mut facts = class_facts(s, view, &own, class);
            facts.push((s.text(each).to_string(), *member));
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
            Ok(Value::Num(n)) => s.b.known(n.id),
            // Octets: the first lowest.
            Ok(Value::List(list)) if list.len() <= 8 => {
                list.iter().rev().try_fold(0u64, |sum, v| match v {
                    Value::Num(n) => s.b.known(n.id).filter(|b| *b < 256).map(|b| sum << 8 | b),
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
