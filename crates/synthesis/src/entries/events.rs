//! Entries that nobody asks for: interrupts, what rests too long, recoveries.

use super::*;
use crate::instance::Binding;
use rulebook::tree::Item;

/// One interrupt entry: whoever in the chain hears it, the lowest first.
pub(super) fn irq_entry(s: &mut Specialiser, function: InstanceId) -> Result<()> {
    let Some(irq) = name_of(s, "irq") else {
        return Ok(());
    };
    let ids = chain_of(s, function);
    s.out.b.open();
    let mut found = Vec::new();
    let mut several = Vec::new();
    let told = |k: &ItemKind| is_event(k, irq);
    for id in ids {
        if let Some(event) = s.find_event(id, None, irq, None)? {
            found.push((id, event));
        }
        if s.heard_inside(id, &told) {
            several.push(id);
        }
    }
    s.out.b.close();
    if found.is_empty() && several.is_empty() {
        return Ok(());
    }
    let claimed = !found.is_empty();
    entry(s, "irq", 0, |s| {
        let slot = s.out.b.new_local();
        let zero = s.out.b.constant(0);
        s.out.b.step(Op::SetLocal(slot, zero));
        s.mode.set_again(Some(slot));
        for (id, event) in found {
            let bound: Vec<(Name, Binding)> = Vec::new();
            s.run_body(id, bound, &event.body)?;
            if s.entry.cut.take().is_some() {
                return Ok(None);
            }
        }
        if several.is_empty() {
            s.finish(status::OK)?;
            return Ok(None);
        }
        let mine = s.out.b.new_local();
        let first = s.out.b.constant(claimed as u64);
        s.out.b.step(Op::SetLocal(mine, first));
        for id in several {
            s.for_all_inside(
                id,
                &told,
                &mut |s, view| match s.find_event(view, None, irq, None)? {
                    Some(event) => s.run_event_of(view, event, mine),
                    None => Ok(Flow::Next),
                },
            )?;
        }
        finish_by(s, mine)?;
        Ok(None)
    })
}

/// Ends an event by whether anybody claimed it.
pub fn finish_by(s: &mut Specialiser, claimed: u16) -> Result<()> {
    let mine = s.out.b.step(Op::Local(claimed));
    let mine = s.node(mine, 1);
    s.branch(
        mine,
        |s| s.finish(status::OK),
        |s| s.finish(status::NOT_MINE),
    )?;
    Ok(())
}

/// `watch`: what rests too long, of the function, what carries it, their parts and their instances.
pub(super) fn watch_entry(s: &mut Specialiser, function: InstanceId) -> Result<()> {
    if s.rules.watched.is_empty() {
        return Ok(());
    }
    entry(s, "watch", 0, |s| {
        let now = s.clock_now();
        for id in chain_of(s, function) {
            s.watches(id, now)?;
            let watched = |k: &ItemKind| matches!(k, ItemKind::Watch { .. });
            s.for_all_inside(id, &watched, &mut |s, view| {
                s.watches(view, now)?;
                Ok(Flow::Next)
            })?;
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
        item => is_event(item, irq),
    }
}

/// Whether this is an event for the interrupt.
pub fn is_event(item: &ItemKind, irq: Name) -> bool {
    matches!(item, ItemKind::Event(e) if e.part.is_none() && e.name == irq)
}

/// `recover a, b { … }`: an entry for each name, the function's own words before those of what it stands on.
pub(super) fn recover_entries(s: &mut Specialiser, function: InstanceId) -> Result<()> {
    let mut done: Vec<Name> = Vec::new();
    for id in chain_of(s, function) {
        for (owner, each, item) in s.eaches_of(id) {
            recover_each(s, function, owner, alloc::vec![each], item, &mut done)?;
        }
    }
    for id in (0..s.rules.instances.len()).rev() {
        if s.rules.instances[id].bank.is_some() {
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
                if !s.out.told.fails(text) {
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

/// The recoveries of one of several instances: of the one that failed last. `way` names its `each` and those around it.
fn recover_each<'a>(
    s: &mut Specialiser<'a, '_>,
    function: InstanceId,
    owner: InstanceId,
    way: Vec<Name>,
    item: &'a Item,
    done: &mut Vec<Name>,
) -> Result<()> {
    let (ItemKind::Each { items, .. }, Some(each)) = (&item.kind, way.last().copied()) else {
        return Ok(());
    };
    for inner in items {
        if let ItemKind::Each { name, .. } = &inner.kind {
            let mut way = way.clone();
            way.push(*name);
            recover_each(s, function, owner, way, inner, done)?;
        }
        let ItemKind::Recover { names, body } = &inner.kind else {
            continue;
        };
        for name in names {
            let text = s.text(*name);
            if done.contains(name) || !s.out.told.fails(text) {
                continue;
            }
            done.push(*name);
            entry(s, &format!("recover.{text}"), 0, |s| {
                unless_gone(s, function)?;
                let unit = s.failed_unit(owner, each)?;
                let banks = s.leaves(owner, &way);
                s.for_unit(&banks, unit, &mut |s, view| {
                    s.run_body(view, Vec::new(), body)?;
                    Ok(Flow::Next)
                })?;
                Ok(None)
            })?;
        }
    }
    Ok(())
}
