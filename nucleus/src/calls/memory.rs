//! Memory objects and mappings.

use super::Answer;
use crate::{space, STATE};
use abi::{
    layout::PAGE,
    system::{map as flag, Error},
};
use nucleus_core::{
    allegation::Allegation,
    paging::Access,
    rights::{Memory, Right},
    thread::Thread,
};

/// Physical addresses are below this on both architectures' tables.
const PHYSICAL_END: u64 = 1 << 48;

pub fn part(thread: &'static Thread) -> Answer {
    let rights = &thread.task.get().rights;
    let [memory, offset, length] = [0, 1, 2].map(|n| thread.registers.word(n));
    let part = rights.memory(memory)?.part(offset, length)?;
    rights.add(Right::Memory(part)).map(u64::from)
}

pub fn map(thread: &'static Thread) -> Answer {
    let rights = &thread.task.get().rights;
    let [task, memory, offset, length, address, flags] =
        [0, 1, 2, 3, 4, 5].map(|n| thread.registers.word(n));
    let task = rights.task(task)?;
    let memory = rights.memory(memory)?.part(offset, length)?;
    let range = Allegation::new(address, length).check_pages(flag::MOST)?;
    let has = |bit| flags & bit != 0;
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
    if (access.write && !memory.write) || (access.execute && memory.device) {
        return Err(Error::Denied);
    }
    space::map(task, memory, range, access).map(|()| 0)
}

pub fn unmap(thread: &'static Thread) -> Answer {
    let [task, address, length] = [0, 1, 2].map(|n| thread.registers.word(n));
    let task = thread.task.get().rights.task(task)?;
    space::unmap(
        task,
        Allegation::new(address, length).check_pages(flag::MOST)?,
    );
    Ok(0)
}

pub fn device(thread: &'static Thread) -> Answer {
    let rights = &thread.task.get().rights;
    let [platform, base, size] = [0, 1, 2].map(|n| thread.registers.word(n));
    rights.platform(platform)?;
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
    rights
        .add(Right::Memory(Memory {
            base,
            size,
            write: true,
            device: true,
        }))
        .map(u64::from)
}

pub fn address(thread: &'static Thread) -> Answer {
    let memory = thread.task.get().rights.memory(thread.registers.word(0))?;
    if !memory.write || memory.device {
        return Err(Error::Denied);
    }
    Ok(memory.base)
}
