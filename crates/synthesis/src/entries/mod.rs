//! The entries of a driver: what the class calls, written one after another.

use crate::execute::Flow;
use crate::folding::Folding;
use crate::instance::{InstanceId, Specialiser};
use crate::matching::Choice;
use crate::mode::Mode;
use crate::value::Num;
use crate::{Error, LiveAccess, Result, Subject};
use abi::status;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use graph::view::Names;
use graph::{Late, Op, Residual};
use rulebook::tree::{Class, ItemKind, Name, Place, Routine};

mod events;
mod facts;
mod operations;

pub use events::{finish_by, hears, is_event};
pub use facts::{declared, serves_nothing};
pub use operations::argument;

/// A driver as a code graph, and what its class wants to know.
#[derive(Clone, Debug)]
pub struct Written {
    pub residual: Residual,
    /// The class's facts that are numbers (`sectors`, `depth`, `hz`); a list of bytes is one number, first byte highest.
    pub facts: Vec<(String, u64)>,
}

/// Instances of a chain of rules, the function first. Gives the function's.
pub fn chain<'a>(s: &mut Specialiser<'a, '_>, rules: &[usize]) -> Result<InstanceId> {
    let book = s.rules.subject.book;
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
            s.rules.instances[below].upper = Some((id, None));
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
    let mut s = Specialiser::new(subject, Mode::live(access, false));
    let function = chain(&mut s, &choice.rules)?;
    s.use_parts(function)?;
    for id in inits(&mut s, function) {
        let name = name_of(&s, "init");
        let Some(name) = name else { continue };
        s.begin_states(id)?;
        if has_init(&mut s, id) {
            s.call_routine(id, name, Vec::new(), Place::default())?;
        }
        if !s.mode.has_ended() {
            s.start_eaches(id)?;
        }
        over(&mut s, id)?;
    }
    Ok(s.mode.into_learned())
}

pub fn learn_joining(
    subject: Subject,
    choice: &Choice,
    access: &mut dyn LiveAccess,
) -> Result<Vec<machine::Fact>> {
    let mut s = Specialiser::new(subject, Mode::live(access, true));
    let function = chain(&mut s, &choice.rules)?;
    s.use_parts(function)?;
    for id in chain_of(&s, function) {
        s.join(id)?;
        over(&mut s, id)?;
    }
    Ok(s.mode.into_learned())
}

/// A live run that ended before its end did not find a working device.
fn over(s: &mut Specialiser, id: InstanceId) -> Result<()> {
    s.told_unknown()?;
    let Some(status) = s.mode.take_end() else {
        return Ok(());
    };
    let reason = match status.checked_sub(status::FAIL) {
        Some(n) => format!("`init` failed: {}", s.out.told.failed(n).unwrap_or("?")),
        None => format!("`init` ended with status {status}"),
    };
    Err(Error::new(
        s.rules.instances[id].rule.place,
        reason,
        "the device did not do what the rule expects",
    ))
}

pub fn name_of(s: &Specialiser, text: &str) -> Option<Name> {
    s.rules
        .subject
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
        at = s.rules.instances[id].lower;
    }
    list.reverse();
    list
}

/// Instances of the chain that come up with something, an `init` or an `each`; the lowest first.
fn inits(s: &mut Specialiser, function: InstanceId) -> Vec<InstanceId> {
    let mut list = chain_of(s, function);
    list.retain(|id| has_init(s, *id) || !s.eaches_of(*id).is_empty());
    list
}

fn has_init(s: &mut Specialiser, id: InstanceId) -> bool {
    name_of(s, "init").is_some_and(|init| s.has_routine(id, init))
}

/// Runs every `quiet` of the chain: the function's first, since what carries it may end the way to its registers.
fn rest(s: &mut Specialiser, function: InstanceId) -> Result<()> {
    let Some(quiet) = name_of(s, "quiet") else {
        return Ok(());
    };
    for id in chain_of(s, function).into_iter().rev() {
        if !s.has_routine(id, quiet) {
            continue;
        }
        s.call_routine(id, quiet, Vec::new(), Place::default())?;
        if s.entry.cut.take().is_some() || s.mode.has_ended() {
            break;
        }
    }
    Ok(())
}

/// `quiet` on the device itself, for one whose driver was not written.
pub fn quiet(subject: Subject, choice: &Choice, access: &mut dyn LiveAccess) -> Result<()> {
    let mut s = Specialiser::new(subject, Mode::live(access, false));
    let function = chain(&mut s, &choice.rules)?;
    s.use_parts(function)?;
    rest(&mut s, function)?;
    over(&mut s, function)
}

/// `quiet`: the driver's state may be another's, so that what instances know of themselves is set first.
fn quiet_entry(s: &mut Specialiser, function: InstanceId) -> Result<()> {
    let Some(quiet) = name_of(s, "quiet") else {
        return Ok(());
    };
    let all = chain_of(s, function);
    if !all.into_iter().any(|id| s.has_routine(id, quiet)) {
        return Ok(());
    }
    entry(s, "quiet", 0, |s| {
        s.fill_records();
        rest(s, function)?;
        Ok(None)
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
        let mut s = Specialiser::new(subject, Mode::writing());
        s.out.names = named.then(Names::default);
        s.rules.folding = Folding::of(folded.clone());
        let outcome = write(&mut s, choice);

        let mut more = s.rules.folding.deciding(&s.out.b);
        more.retain(|fact| !folded.contains(fact));
        if !more.is_empty() {
            folded.extend(more);
        } else if outcome.is_err() && s.has_records() && !folded.contains(&Folding::all()) {
            folded.push(Folding::all());
        } else {
            return outcome.map(|written| (written, s.out.names.unwrap_or_default()));
        }
    }
}

fn write<'a>(s: &mut Specialiser<'a, '_>, choice: &Choice) -> Result<Written> {
    // Facts and guards are evaluated in a region that no entry uses.
    s.out.b.open();
    let function = chain(s, &choice.rules)?;
    s.use_parts(function)?;
    let class = s.class_named(s.rules.instances[function].rule.class);
    for id in chain_of(s, function) {
        s.make_banks(id)?;
    }
    s.out.b.close();
    init_entry(s, function)?;
    if let Some(class) = class {
        for routine in contract(class) {
            operations::operation(s, function, class, routine)?;
        }
    }
    join_entry(s, function)?;
    let messages = crate::messages::message_entry(s, function)?;
    if messages.is_none() {
        events::irq_entry(s, function)?;
    }
    events::watch_entry(s, function)?;
    quiet_entry(s, function)?;
    events::recover_entries(s, function)?;
    s.out.b.open();
    s.all_reach()?;
    let mut facts = match class {
        Some(class) => facts::unit_facts(s, function, class)?,
        None => Vec::new(),
    };
    facts.extend(messages.map(|n| (crate::MESSAGES.to_string(), n)));
    s.enter(function, Vec::new());
    let lanes = s.lanes_said();
    s.leave();
    facts.extend(lanes.map(|n| (crate::LANES.to_string(), n)));
    s.out.b.close();
    s.note_memory();
    if s.out.room.is_too_large() {
        return Err(Error::new(
            s.rules.instances[function].rule.place,
            "its state or its arena has more than 1 GiB",
            "give arrays fewer elements, or bound the fact that says how many",
        ));
    }
    let (graph, mut entries) = core::mem::take(&mut s.out.b).into_parts();
    for entry in &mut entries {
        entry.seldom = choice.spare || seldom(s, class, &entry.name);
    }
    let (state_size, arena_size, arena_align) = s.out.room.sizes();
    let (upcalls, failures) = core::mem::take(&mut s.out.told).into_lists();
    let mut residual = Residual {
        graph,
        entries,
        windows: core::mem::take(&mut s.out.windows),
        state_size,
        arena_size,
        arena_align,
        upcalls,
        failures,
    };
    residual.prune();
    if tells_memory(&residual) && !residual.entries.iter().any(|e| e.name == "quiet") {
        return Err(Error::new(
            s.rules.instances[function].rule.place,
            "with these facts it tells its device where memory is, and has no `quiet` that makes it leave memory alone",
            "write `flow quiet` for every set of facts: what stands behind a `when` holds for some only",
        ));
    }
    Ok(Written { residual, facts })
}

/// Whether the code knows where a device finds the driver's or the client's memory.
fn tells_memory(residual: &Residual) -> bool {
    let dma = |op: &Op| matches!(op, Op::Late(Late::ArenaDma | Late::PoolDma));
    residual.graph.nodes.iter().any(dma)
}

/// Whether an entry runs so seldom that how fast it is does not matter: what brings the device up, again after a failure,
/// or looks after it, and what the class says of its operations or of all.
fn seldom(s: &Specialiser, class: Option<&Class>, entry: &str) -> bool {
    if matches!(entry, "init" | "watch" | "quiet") || entry.starts_with("recover.") {
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
    s.out.b.open();
    // What was proved, taken or opened in one entry says nothing about the next.
    s.entry = crate::instance::Entry::default();
    let value = body(s)?;
    if let Some(n) = value {
        s.out.b.step(Op::Return(n.id));
    }
    s.told_unknown()?;
    s.entry_reaches()?;
    s.mode.set_again(None);
    s.out.b.close();
    s.out.b.finish_entry(name, arguments, 0);
    Ok(())
}

/// `join`: what a CPU that starts after the first does for itself. There is none where drivers run on one.
fn join_entry(s: &mut Specialiser, function: InstanceId) -> Result<()> {
    let mut all = chain_of(s, function);
    all.retain(|id| s.joins(*id));
    if all.is_empty() || s.cpus() == 1 {
        return Ok(());
    }
    entry(s, "join", 0, |s| {
        for id in all {
            if s.join(id)? != Flow::Next {
                break;
            }
        }
        Ok(None)
    })
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
            if s.entry.cut.take().is_some() || s.start_eaches(id)? != Flow::Next {
                break;
            }
        }
        Ok(None)
    })
}
