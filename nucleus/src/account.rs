//! What was used: memory once, processor time always.

use crate::{arch, clock, STATE};
use abi::{
    boot::{BootInfo, Module, MODULES},
    layout::PAGE,
    system::info,
};
use core::cell::Cell;
use nucleus_core::{
    kernel::Kernel,
    same,
    task::{Task, TaskState},
    thread::{Status, Thread},
};

struct Account {
    modules: Cell<[Module; MODULES]>,
    memory: Cell<info::Memory>,
    /// Who runs, and since when, in counter ticks.
    runs: Cell<Option<&'static Task>>,
    since: Cell<u64>,
    /// Ticks and nanoseconds at the start, for their ratio.
    start: Cell<(u64, u64)>,
}

const NO_MODULE: Module = Module {
    kind: 0,
    reserved: 0,
    base: 0,
    size: 0,
};

// SAFETY: private to this module, whose functions run in the nucleus alone.
static ACCOUNT: Kernel<Account> = unsafe {
    Kernel::new(Account {
        modules: Cell::new([NO_MODULE; MODULES]),
        memory: Cell::new(info::Memory {
            total: 0,
            nucleus_text: 0,
            nucleus_rodata: 0,
            nucleus_data: 0,
            kernel_tables: 0,
            genesis_returned: 0,
            kept: 0,
            modules: 0,
            frame_table: 0,
            first_task: 0,
            small_ranges: 0,
            free_at_start: 0,
            executable: 0,
            ticks_nucleus: 0,
            ticks_user: 0,
        }),
        runs: Cell::new(None),
        since: Cell::new(0),
        start: Cell::new((0, 0)),
    })
};

/// What became of the RAM that genesis left free, in bytes.
pub struct Given {
    pub frame_table: u64,
    pub first_task: u64,
    pub free: u64,
    /// Ranges other than the largest, which nobody uses.
    pub small: u64,
}

/// Fills what is known when memory was given out.
pub fn memory(boot: &BootInfo, given: Given, ticks_nucleus: u64) {
    let sum = |ranges: &[abi::boot::Range], count: u64| {
        ranges
            .iter()
            .take(count as usize)
            .map(|range| range.size)
            .sum::<u64>()
    };
    let mut modules = boot.modules;
    modules
        .iter_mut()
        .skip(boot.module_count as usize)
        .for_each(|module| *module = NO_MODULE);
    ACCOUNT.modules.set(modules);
    let [text, rodata, data, room] = arch::image_sizes();
    ACCOUNT.memory.set(info::Memory {
        total: sum(&boot.ram, boot.ram_count),
        nucleus_text: text,
        nucleus_rodata: rodata,
        nucleus_data: data,
        kernel_tables: boot.page_tables,
        genesis_returned: sum(&boot.genesis, boot.genesis_count),
        kept: sum(&boot.keep, boot.keep_count)
            .saturating_sub(text + rodata + data + boot.page_tables),
        modules: boot
            .modules
            .iter()
            .take(boot.module_count as usize)
            .map(|module| module.size.next_multiple_of(PAGE))
            .sum(),
        frame_table: given.frame_table,
        first_task: given.first_task,
        small_ranges: given.small,
        free_at_start: given.free,
        executable: text - room + boot.room_mapped,
        ticks_nucleus,
        ticks_user: 0,
    });
}

pub fn user_starts() {
    let ticks = arch::ticks();
    ACCOUNT.memory.set(info::Memory {
        ticks_user: ticks,
        ..ACCOUNT.memory.get()
    });
    ACCOUNT.start.set((ticks, clock::now()));
}

pub fn modules() -> [Module; MODULES] {
    ACCOUNT.modules.get()
}

pub fn of_memory() -> info::Memory {
    let told = ACCOUNT.memory.get();
    info::Memory {
        executable: told.executable + STATE.frames.executable(),
        ..told
    }
}

/// From now on this thread runs, or nobody. Its home pays, wherever it is.
#[inline]
pub fn runs(thread: Option<&'static Thread>) {
    let next = thread.map(|thread| thread.home);
    let before = ACCOUNT.runs.get();
    if before.map(core::ptr::from_ref) == next.map(core::ptr::from_ref) {
        return;
    }
    let now = arch::ticks();
    let since = ACCOUNT.since.replace(now);
    if let Some(task) = before {
        task.time
            .set(task.time.get().wrapping_add(now.wrapping_sub(since)));
    }
    ACCOUNT.runs.set(next);
}

/// The task is gone.
pub fn forget(task: &Task) {
    if ACCOUNT.runs.get().is_some_and(|runs| same(runs, task)) {
        ACCOUNT.runs.set(None);
    }
}

pub fn of_task(task: &Task) -> info::Task {
    let now = arch::ticks();
    let mut ticks = task.time.get();
    if ACCOUNT.runs.get().is_some_and(|runs| same(runs, task)) {
        ticks = ticks.wrapping_add(now.wrapping_sub(ACCOUNT.since.get()));
    }
    let (start, then) = ACCOUNT.start.get();
    let (passed, time) = (
        now.wrapping_sub(start).max(1),
        clock::now().saturating_sub(then),
    );
    info::Task {
        threads: task
            .threads()
            .filter(|thread| thread.status.get() != Status::Ended)
            .count() as u32,
        rights: task.rights.used(),
        mapped: task.mapped.get(),
        donated: task.pool.size,
        donated_used: task.pool.used(),
        time: nucleus_core::time::Ratio::new(time, passed).of(ticks),
        state: match task.state.get() {
            TaskState::Running => 1,
            TaskState::Stopped => 2,
        },
        reserved: 0,
    }
}
