//! Memory objects and mappings.

use super::{handlers, tasks, Answer};
use crate::{objects, space, STATE};
use abi::{
    layout::PAGE,
    system::{map as flag, may, Error},
};
use nucleus_core::{
    allegation::{Allegation, UserRange},
    extent::{Budget, Extent, Machine, Revoked},
    paging::Access,
    rights::Memory,
    task::Task,
    thread::Thread,
};

/// Physical addresses are below this on both architectures' tables.
const PHYSICAL_END: u64 = 1 << 48;

pub fn part(thread: &'static Thread) -> Answer {
    let rights = &thread.task.get().rights;
    let [memory, offset, length] = [0, 1, 2].map(|n| thread.registers.word(n));
    let whole = rights.extent(memory, may::COPY)?;
    let part = whole.memory().part(offset, length)?;
    let may = rights.get(memory)?.may;
    derive(thread.task.get(), whole, part, may)
}

/// A right of `holder` to what is `memory` or a part of it, made from another.
pub fn derive(holder: &'static Task, from: &'static Extent, memory: Memory, may: u32) -> Answer {
    let extent = objects::extent(holder, memory)?;
    let handle = holder.rights.add_memory(holder, extent, may)?;
    from.derive(extent);
    Ok(handle.into())
}

/// What MEMORY_MAP and MEMORY_PROTECT say.
struct Mapping {
    task: &'static Task,
    extent: &'static Extent,
    part: Memory,
    range: UserRange,
    access: Access,
}

fn mapping(thread: &'static Thread) -> Result<Mapping, Error> {
    let rights = &thread.task.get().rights;
    let [task, memory, offset, length, address, flags] =
        [0, 1, 2, 3, 4, 5].map(|n| thread.registers.word(n));
    let has = |bit| flags & bit != 0;
    let needs = |flag, need| if has(flag) { need } else { 0 };
    let need = may::READ | needs(flag::WRITE, may::WRITE) | needs(flag::EXECUTE, may::EXECUTE);
    let task = rights.task(task, may::MAP)?;
    // What it allows is looked at last, so that an answer tells what is wrong with the call first.
    let allowed = rights.extent(memory, need);
    let extent = rights.extent(memory, 0)?;
    let part = extent.memory().part(offset, length)?;
    let range = Allegation::new(address, length).check_pages(flag::MOST)?;
    let access = Access {
        write: has(flag::WRITE),
        execute: has(flag::EXECUTE),
        device: part.device,
    };
    let known = flags & !(flag::WRITE | flag::EXECUTE | flag::DEVICE) == 0;
    let sensible = !(access.write && access.execute) && (part.device || !has(flag::DEVICE));
    if !known || !sensible {
        return Err(Error::BadArgument);
    }
    allowed?;
    if access.execute && part.device {
        return Err(Error::Denied);
    }
    Ok(Mapping {
        task,
        extent,
        part,
        range,
        access,
    })
}

pub fn map(thread: &'static Thread) -> Answer {
    show(thread, space::map)
}

pub fn protect(thread: &'static Thread) -> Answer {
    show(thread, space::protect)
}

/// Inlined, because MEMORY_MAP is one of the calls whose cost is measured.
#[inline(always)]
fn show(
    thread: &'static Thread,
    how: fn(&Task, Memory, UserRange, Access) -> Result<(), Error>,
) -> Answer {
    let asked = mapping(thread)?;
    // From now on it is with this right that it is mapped: perhaps it was with a narrower one.
    seen(asked.task, asked.extent, Some(asked.range))?;
    how(asked.task, asked.part, asked.range, asked.access).map(|()| 0)
}

/// Something of the extent is shown to `task` in this range of its addresses, or bound as a thread's frame page.
pub fn seen(
    task: &'static Task,
    extent: &'static Extent,
    range: Option<UserRange>,
) -> Result<(), Error> {
    // A range that is part of any, without bytes.
    let (from, to) = range.map_or((u64::MAX, 0), |range| {
        (range.address(), range.address() + range.length())
    });
    match extent.mapped_in(task) {
        Some(mapped) => mapped.widen(from, to),
        None => objects::mapped(task)?.start(task, extent, from, to),
    }
    Ok(())
}

/// Page tables and frame pages.
struct Spaces;

impl Machine for Spaces {
    fn unmap(
        &self,
        task: &'static Task,
        memory: Memory,
        from: u64,
        to: u64,
        budget: &mut Budget,
    ) -> u64 {
        let within = |physical: u64| physical.wrapping_sub(memory.base) < memory.size;
        handlers::forget_pages(task, within);
        space::unmap_those(task, (from, to), budget, within)
    }
}

/// Goes a step further. What was taken back, if that was a task, may have been the caller.
pub fn revoke(thread: &'static Thread) {
    let handle = thread.registers.word(0);
    let rights = &thread.task.get().rights;
    // Not more than what may be given: who cannot pass it on has nothing to take back.
    let extent = match rights.extent(handle, may::COPY) {
        Ok(extent) => extent,
        Err(error) => return thread.registers.answer(Err(error)),
    };
    let mut budget = Budget::STEP;
    match extent.revoke(&Spaces, &mut budget) {
        Revoked::All => thread.registers.answer(Ok(0)),
        Revoked::Part => thread.registers.answer(Ok(1)),
        Revoked::Task(task) => tasks::take_apart(thread, task, 1),
    }
}

pub fn unmap(thread: &'static Thread) -> Answer {
    let [task, address, length] = [0, 1, 2].map(|n| thread.registers.word(n));
    let task = thread.task.get().rights.task(task, may::MAP)?;
    space::unmap(
        task,
        Allegation::new(address, length).check_pages(flag::MOST)?,
    );
    Ok(0)
}

pub fn device(thread: &'static Thread) -> Answer {
    let rights = &thread.task.get().rights;
    let [platform, base, size] = [0, 1, 2].map(|n| thread.registers.word(n));
    rights.platform(platform, may::DEVICES)?;
    let end = base
        .checked_add(size)
        .filter(|end| *end <= PHYSICAL_END)
        .ok_or(Error::BadArgument)?;
    if end == base || !(base | size).is_multiple_of(PAGE) {
        return Err(Error::BadArgument);
    }
    if STATE.frames.any(base, size) {
        return Err(Error::Denied);
    }
    let registers = Memory {
        base,
        size,
        device: true,
    };
    let holder = thread.task.get();
    let extent = objects::extent(holder, registers)?;
    rights.add_memory(holder, extent, may::ALL).map(u64::from)
}

pub fn address(thread: &'static Thread) -> Answer {
    let memory = thread.registers.word(0);
    let memory = thread.task.get().rights.memory(memory, may::ADDRESS)?;
    if memory.device {
        return Err(Error::Denied);
    }
    Ok(memory.base)
}
