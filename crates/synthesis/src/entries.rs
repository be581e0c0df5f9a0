//! The entries of a driver: what the class calls, written one after another.

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
use graph::{Op, Residual, Space};
use rulebook::tree::{Class, ItemKind, Name, Parameter, Place, Routine, TypeBase};

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
        let id = s.instantiate(label, rule, &rule.items, lower)?;
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
        s.call_routine(id, name, Vec::new(), Place::default())?;
        if let Some(status) = s.ended.take() {
            let why = match status.checked_sub(status::FAIL) {
                Some(n) => format!(
                    "`init` failed: {}",
                    s.failures.get(n as usize).map_or("?", |f| f.as_str())
                ),
                None => format!("`init` ended with status {status}"),
            };
            return Err(Error::new(
                s.instances[id].rule.place,
                why,
                "the device did not do what the rule expects",
            ));
        }
    }
    Ok(s.learned)
}

fn name_of(s: &Specialiser, text: &str) -> Option<Name> {
    s.subject
        .book
        .names
        .iter()
        .position(|n| n == text)
        .map(|k| Name(k as u16))
}

/// Instances of the chain that have an `init` of their own, the lowest first.
fn inits(s: &mut Specialiser, function: InstanceId) -> Vec<InstanceId> {
    let mut list = Vec::new();
    let mut at = Some(function);
    while let Some(id) = at {
        list.push(id);
        at = s.instances[id].lower;
    }
    list.reverse();
    let Some(init) = name_of(s, "init") else {
        return Vec::new();
    };
    list.retain(|id| {
        s.find_item(
            *id,
            |k| matches!(k, ItemKind::Routine(r) if r.name == init && r.body.is_some()),
        )
        .is_some()
    });
    list
}

pub fn specialise(subject: Subject, choice: &Choice) -> Result<Written> {
    let mut s = Specialiser::new(subject, None);
    // Facts and guards are evaluated in a region that no entry uses.
    s.b.open();
    let function = chain(&mut s, &choice.rules)?;
    s.use_parts(function)?;
    let class = s.class_named(s.instances[function].rule.class);
    s.b.close();
    init_entry(&mut s, function)?;
    if let Some(class) = class {
        for routine in contract(class) {
            operation(&mut s, function, class, routine)?;
        }
    }
    irq_entry(&mut s, function)?;
    recover_entries(&mut s)?;
    s.b.open();
    let facts = class
        .map(|c| class_facts(&mut s, function, c))
        .unwrap_or_default();
    s.b.close();
    let (graph, entries) = core::mem::take(&mut s.b).into_parts();
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

/// The operations that the class names.
fn contract(class: &Class) -> impl Iterator<Item = &Routine> {
    class.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Routine(r) if r.body.is_none() => Some(r),
        _ => None,
    })
}

fn entry<'a>(
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
    let Some(init) = name_of(s, "init") else {
        return Ok(());
    };
    let list = inits(s, function);
    entry(s, "init", 0, |s| {
        for id in list {
            s.call_routine(id, init, Vec::new(), Place::default())?;
            if core::mem::take(&mut s.unreachable) {
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
    let exists = s
        .find_item(
            function,
            |k| matches!(k, ItemKind::Routine(r) if r.name == name && r.body.is_some()),
        )
        .is_some();
    if !exists {
        return Ok(());
    }
    s.b.open();
    let usable = s.routine(function, name, class.place).is_ok();
    s.b.close();
    if !usable {
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
    entry(s, &text, words, |s| {
        let mut values = Vec::new();
        for (buffer, word, most) in plan {
            values.push(if buffer {
                argument_buffer(s, word, longest)
            } else {
                Value::Num(argument(s, word, most))
            });
        }
        let value = s.call_routine(function, name, values, class.place)?;
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
                s.run_body(instance, Vec::new(), body)?;
            }
            Ok(None)
        })?;
    }
    Ok(())
}

fn argument<'a>(s: &mut Specialiser<'a, '_>, word: u8, most: u64) -> Num<'a> {
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
    })
}

/// One interrupt entry: whoever in the chain hears it, the lowest first.
fn irq_entry(s: &mut Specialiser, function: InstanceId) -> Result<()> {
    let Some(irq) = name_of(s, "irq") else {
        return Ok(());
    };
    let mut ids = Vec::new();
    let mut at = Some(function);
    while let Some(id) = at {
        ids.insert(0, id);
        at = s.instances[id].lower;
    }
    s.b.open();
    let mut found = Vec::new();
    for id in ids {
        if let Some(event) = s.find_event(id, None, irq, None)? {
            found.push((id, event));
        }
    }
    s.b.close();
    if found.is_empty() {
        return Ok(());
    }
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
        s.finish(status::OK)?;
        Ok(None)
    })
}

/// `recover a, b { … }`: an entry for each name, the function's own words before those of what it stands on.
fn recover_entries(s: &mut Specialiser) -> Result<()> {
    let mut done: Vec<Name> = Vec::new();
    for id in (0..s.instances.len()).rev() {
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
                    s.run_body(id, Vec::new(), body)?;
                    Ok(None)
                })?;
            }
        }
    }
    Ok(())
}

/// The facts that the class's contract or the rule itself names, as far as this device has them as numbers.
fn class_facts<'a>(
    s: &mut Specialiser<'a, '_>,
    function: InstanceId,
    class: &'a Class,
) -> Vec<(String, u64)> {
    let mut names: Vec<Name> = Vec::new();
    let own = s.items(function);
    for item in class.items.iter().chain(own) {
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
