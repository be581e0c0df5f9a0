//! Address spaces of tasks, and the way to what user pointers point to.

use crate::{
    arch::{self, Entries},
    memory::{direct, zero, Direct},
    STATE,
};
use abi::{boot::Range, layout::PAGE, system::Error};
use nucleus_core::{
    allegation::UserRange,
    extent::Budget,
    paging::{self, Access, Freed},
    rights::Memory,
    task::Task,
};

/// Makes a page a root table: the user's half empty, the nucleus's half as everywhere.
///
/// # Safety
/// The page is RAM that is the nucleus's for this alone.
pub unsafe fn new_root(root: u64) {
    // SAFETY: the caller's promise.
    unsafe {
        zero(Range {
            base: root,
            size: PAGE,
        });
    }
    arch::share_kernel_half(root);
}

/// Maps all of `memory` at the start of `range`, which is as long. All or nothing.
pub fn map(task: &Task, memory: Memory, range: UserRange, access: Access) -> Result<(), Error> {
    let words = Direct(Some(task));
    if !memory.device {
        STATE.frames.map(memory.base, memory.size, access.execute)?;
    }
    if access.execute {
        arch::publish(direct(memory.base), memory.size);
    }
    let mut physical = memory.base;
    for page in range.pages() {
        if let Err(error) = paging::map::<Entries>(&words, task.root, page, physical, access) {
            take_back(task, memory, range, page);
            return Err(error);
        }
        physical += PAGE;
    }
    arch::tables_written();
    task.mapped.set(task.mapped.get() + range.length());
    Ok(())
}

/// Undoes `map`, which failed at `end`.
fn take_back(task: &Task, memory: Memory, range: UserRange, end: u64) {
    let words = Direct(None);
    let freed = paging::tidy::<Entries>(&words, task.root, end);
    forget(task, end, freed);
    for page in range.pages().take_while(|page| *page < end) {
        if let Some((_, freed)) = paging::unmap::<Entries>(&words, task.root, page) {
            forget(task, page, freed);
        }
    }
    if !memory.device {
        (memory.base..memory.base + memory.size)
            .step_by(PAGE as usize)
            .for_each(|page| STATE.frames.unmap(page));
    }
}

/// The processor forgets a page that was unmapped; the tables that only led to it are the task's to use again.
#[inline]
fn forget(task: &Task, address: u64, freed: Freed) {
    arch::forget_page(task.space.get(), address);
    for page in freed.pages() {
        task.pool.give_page(&Direct(None), page);
    }
}

/// A page is out of the tables.
#[inline]
fn unmapped(task: &Task, address: u64, physical: u64, freed: Freed) {
    STATE.frames.unmap(physical);
    forget(task, address, freed);
    task.mapped.set(task.mapped.get() - PAGE);
}

/// Unmaps what is mapped in the range.
pub fn unmap(task: &Task, range: UserRange) {
    for page in range.pages() {
        if let Some((physical, freed)) = paging::unmap::<Entries>(&Direct(None), task.root, page) {
            unmapped(task, page, physical, freed);
        }
    }
}

/// Changes what may be done with a range that shows `memory`, which is as long. Nothing changes if anything else is there.
pub fn protect(task: &Task, memory: Memory, range: UserRange, access: Access) -> Result<(), Error> {
    let places = || range.pages().zip((memory.base..).step_by(PAGE as usize));
    let shown = |(page, physical): (u64, u64)| {
        lookup(task, page)
            .is_some_and(|(found, access)| found == physical && access.device == memory.device)
    };
    if !places().all(shown) {
        return Err(Error::BadArgument);
    }
    if access.execute {
        STATE.frames.executed(memory.base, memory.size);
        arch::publish(direct(memory.base), memory.size);
    }
    for page in range.pages() {
        paging::protect::<Entries>(&Direct(None), task.root, page, access);
        arch::forget_page(task.space.get(), page);
    }
    Ok(())
}

/// Unmaps those pages of a range that `wanted` wants, until the budget is spent. How far it came.
pub fn unmap_those(
    task: &Task,
    range: (u64, u64),
    budget: &mut Budget,
    wanted: impl Fn(u64) -> bool,
) -> u64 {
    let words = Direct(None);
    paging::unmap_those::<Entries>(
        &words,
        task.root,
        range,
        budget,
        wanted,
        |address, physical, freed| unmapped(task, address, physical, freed),
    )
}

/// The end of an address space.
pub fn destroy(task: &Task) {
    paging::each::<Entries>(&Direct(None), task.root, |page| STATE.frames.unmap(page));
    arch::forget_space(task.space.get());
}

/// What `task` has mapped at `address`.
pub fn lookup(task: &Task, address: u64) -> Option<(u64, Access)> {
    paging::lookup::<Entries>(&Direct(None), task.root, address)
}

/// Every piece of a range, as physical addresses; refuses all if one may not be used.
fn pieces(
    task: &Task,
    range: UserRange,
    write: bool,
    mut then: impl FnMut(u64, usize, usize),
) -> Result<(), Error> {
    let usable = |address| {
        lookup(task, address).filter(|(_, access)| !access.device && (access.write || !write))
    };
    if range
        .pieces()
        .any(|(address, ..)| usable(address).is_none())
    {
        return Err(Error::BadArgument);
    }
    for (address, offset, length) in range.pieces() {
        let (physical, _) = usable(address).ok_or(Error::BadArgument)?;
        then(physical, offset as usize, length as usize);
    }
    Ok(())
}

/// Copies from a user's memory into `to`, which is at least as long.
pub fn read(task: &Task, range: UserRange, to: &mut [u8]) -> Result<(), Error> {
    let to = to
        .get_mut(..range.length() as usize)
        .ok_or(Error::BadArgument)?;
    pieces(task, range, false, |physical, offset, length| {
        // SAFETY: the piece lies in one page of RAM that the task has mapped, seen through the direct map; `to` is
        // the nucleus's own and long enough. Bytes are copied once and looked at afterwards.
        unsafe {
            core::ptr::copy_nonoverlapping(
                direct(physical) as *const u8,
                to.as_mut_ptr().add(offset),
                length,
            )
        }
    })
}

/// Copies into a user's memory; `from` is at least as long as the range.
pub fn write(task: &Task, range: UserRange, from: &[u8]) -> Result<(), Error> {
    let from = from
        .get(..range.length() as usize)
        .ok_or(Error::BadArgument)?;
    pieces(task, range, true, |physical, offset, length| {
        // SAFETY: as in `read`, the other way; frames that are mapped are never the nucleus's (`Frames`).
        unsafe {
            core::ptr::copy_nonoverlapping(
                from.as_ptr().add(offset),
                direct(physical) as *mut u8,
                length,
            )
        }
    })
}
