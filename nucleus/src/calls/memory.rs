//! Memory objects and mappings.

use super::Answer;
use crate::{space, STATE};
use abi::{
    layout::PAGE,
    system::{map as flag, may, Error},
};
use nucleus_core::{
    allegation::Allegation,
    paging::Access,
    rights::{Memory, Object, Right},
    thread::Thread,
};

/// Physical addresses are below this on both architectures' tables.
const PHYSICAL_END: u64 = 1 << 48;

pub fn part(thread: &'static Thread) -> Answer {
    let rights = &thread.task.get().rights;
    let [memory, offset, length] = [0, 1, 2].map(|n| thread.registers.word(n));
    let part = rights.memory(memory, may::COPY)?.part(offset, length)?;
    let may = rights.get(memory)?.may;
    let object = Object::of(part);
    rights.add(Right { object, may }).map(u64::from)
}

pub fn map(thread: &'static Thread) -> Answer {
    let rights = &thread.task.get().rights;
    let [task, memory, offset, length, address, flags] =
        [0, 1, 2, 3, 4, 5].map(|n| thread.registers.word(n));
    let has = |bit| flags & bit != 0;
    let needs = |flag, need| if has(flag) { need } else { 0 };
    let need = may::READ | needs(flag::WRITE, may::WRITE) | needs(flag::EXECUTE, may::EXECUTE);
    let task = rights.task(task, may::MAP)?;
    // What it allows is looked at last, so that an answer tells what is wrong with the call first.
    let allowed = rights.memory(memory, need);
    let memory = rights.memory(memory, 0)?.part(offset, length)?;
    let range = Allegation::new(address, length).check_pages(flag::MOST)?;
    let access = Access {
        write: has(flag::WRITE),
        execute: has(flag::EXECUTE),
        device: memory.device,
    };
    let known = flags & !(flag::WRITE | flag::EXECUTE | flag::DEVICE) == 0;
    let sensible = !(access.write && access.execute) && (memory.device || !has(flag::DEVICE));
    if !known || !sensible {
        return Err(Error::BadArgument);
    }
    allowed?;
    if access.execute && memory.device {
        return Err(Error::Denied);
    }
    space::map(task, memory, range, access).map(|()| 0)
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
    let registers = Object::of(Memory {
        base,
        size,
        device: true,
    });
    rights.add(Right::whole(registers)).map(u64::from)
}

pub fn address(thread: &'static Thread) -> Answer {
    let memory = thread.registers.word(0);
    let memory = thread.task.get().rights.memory(memory, may::ADDRESS)?;
    if memory.device {
        return Err(Error::Denied);
    }
    Ok(memory.base)
}
