//! Puts objects into donated memory.

use crate::{arch, float, memory, memory::Direct, space, STATE};
use abi::system::Error;
use nucleus_core::{
    extent::{Extent, Mapped},
    rights::Memory,
    task::{Pool, Task},
    thread::{Float, Thread},
};

/// Pages a task needs before it can do anything: itself, its root table and a few more.
const LEAST: u64 = 16 * abi::layout::PAGE;

/// Moves `value` into the task's pool.
pub fn place<T>(task: &Task, value: T) -> Result<&'static T, Error> {
    const { assert!(size_of::<T>() <= 2048 && align_of::<T>() <= 64) };
    let at = memory::direct(task.pool.carve(&Direct(None), size_of::<T>() as u64)?) as *mut T;
    // SAFETY: `carve` gave room for a `T` that nothing else uses, aligned to 64, inside RAM that only the nucleus
    // may touch (`Frames`). It stays until the task is destroyed, which first drops every reference to it.
    unsafe {
        at.write(value);
        Ok(&*at)
    }
}

/// What stands behind a right to memory that `holder` gets.
pub fn extent(holder: &Task, memory: Memory) -> Result<&'static Extent, Error> {
    match holder.spare_extent(memory) {
        Some(extent) => Ok(extent),
        None => place(holder, Extent::new(memory)),
    }
}

/// For what will be mapped into a task.
pub fn mapped(task: &Task) -> Result<&'static Mapped, Error> {
    match task.spare_mapped() {
        Some(mapped) => Ok(mapped),
        None => place(task, Mapped::new()),
    }
}

/// A thread, in the list of its task's, which runs nothing yet; perhaps where another was that has ended.
pub fn thread(task: &'static Task, priority: u64) -> Result<&'static Thread, Error> {
    let Some(old) = task.reusable_thread() else {
        let new = place(task, Thread::new(task, priority))?;
        if task.floats.get() {
            new.give_float(place(task, Float::new())?);
        }
        task.add_thread(new);
        return Ok(new);
    };
    float::drop(old);
    float::bases_drop(old);
    if let Some(page) = old.page.get() {
        STATE.frames.unmap(page);
    }
    let (sibling, registers) = (old.sibling.get(), old.float.get());
    let at = core::ptr::from_ref(old).cast_mut();
    // SAFETY: the thread has ended, so it is in no queue, call or event, and no right names it; the processor's registers are
    // not its own (above). What still refers to it is its place in the task's list, where the new one is found from now on.
    let new: &'static Thread = unsafe {
        at.write(Thread::new(task, priority));
        &*at
    };
    new.sibling.set(sibling);
    if let Some(registers) = registers {
        for (word, first) in registers.0.iter().zip(&Float::new().0) {
            word.set(first.get());
        }
        new.give_float(registers);
    }
    Ok(new)
}

/// A task in donated memory, whose frames are the nucleus's already, with threads of at most priority `ceiling`.
pub fn task(donated: Memory, number: u32, ceiling: u64) -> Result<&'static Task, Error> {
    if donated.size < LEAST {
        return Err(Error::NoRoom);
    }
    let pool = Pool::new(donated.base, donated.size, size_of::<Task>() as u64);
    let root = pool.page(&Direct(None))?;
    // SAFETY: the pool gave this page of donated memory, which only the nucleus may touch, for a table alone.
    unsafe { space::new_root(root) };
    let value = arch::space(root)?;
    let at = memory::direct(donated.base) as *mut Task;
    // SAFETY: the pool starts behind the task, in memory that only the nucleus may touch from now on; page-aligned.
    let task: &'static Task = unsafe {
        at.write(Task::new(pool, root, value, number, ceiling));
        &*at
    };
    STATE.tasks.add(task);
    Ok(task)
}
