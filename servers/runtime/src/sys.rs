//! System calls, one function each. Numbers and meanings: `abi::system`; pages: `docs/abi/`.

use crate::trap::{plain, portal};
use abi::system::{call, info, trigger, Error, Handle};
use core::sync::atomic::{AtomicU32, Ordering};

/// No deadline.
pub const FOREVER: u64 = u64::MAX;
/// Bytes one MEMORY_MAP or MEMORY_UNMAP takes; longer ranges are cut into such pieces here.
const MOST_AT_ONCE: u64 = abi::system::map::MOST;

#[inline]
fn handle(word: u64) -> Handle {
    word as Handle
}

/// Runs in the server's task until it replies; the reply's words.
#[inline(always)]
pub fn portal_call(to: Handle, mut words: [u64; 8]) -> Result<[u64; 8], Error> {
    portal(to, &mut words).map(|()| words)
}

/// Ors `bits` into the notification and wakes who waits for it.
#[inline]
pub fn notify(notification: Handle, bits: u64) -> Result<(), Error> {
    plain(call::NOTIFY, [notification.into(), bits, 0, 0, 0, 0]).map(drop)
}

/// Bits that were set, all of which become 0. `deadline` is a time of [`now`], or [`FOREVER`].
#[inline]
pub fn wait(notification: Handle, deadline: u64) -> Result<u64, Error> {
    plain(call::WAIT, [notification.into(), deadline, 0, 0, 0, 0])
}

/// Nanoseconds since the nucleus started.
#[inline]
pub fn now() -> u64 {
    plain(call::NOW, [0; 6]).unwrap_or(0)
}

/// Lets other threads of this priority run.
#[inline]
pub fn yield_now() {
    let _ = plain(call::YIELD, [0; 6]);
}

/// A new task whose nucleus objects live in `donated` until it is destroyed. The memory must not be mapped anywhere. None of
/// its threads has a higher priority than `ceiling`, which is at most this task's own.
pub fn task_create(donated: Handle, ceiling: u64) -> Result<Handle, Error> {
    plain(call::TASK_CREATE, [donated.into(), ceiling, 0, 0, 0, 0]).map(handle)
}

pub fn task_destroy(task: Handle) -> Result<(), Error> {
    plain(call::TASK_DESTROY, [task.into(), 0, 0, 0, 0, 0]).map(drop)
}

pub fn thread_create(
    task: Handle,
    entry: u64,
    stack_top: u64,
    argument: u64,
    priority: u64,
) -> Result<Handle, Error> {
    plain(
        call::THREAD_CREATE,
        [task.into(), entry, stack_top, argument, priority, 0],
    )
    .map(handle)
}

/// A portal into the calling task. [`crate::portal::open`] supplies an entry and a stack.
pub fn portal_create(entry: u64, stack_top: u64, badge: u64) -> Result<Handle, Error> {
    plain(call::PORTAL_CREATE, [entry, stack_top, badge, 0, 0, 0]).map(handle)
}

pub fn notification_create() -> Result<Handle, Error> {
    plain(call::NOTIFICATION_CREATE, [0; 6]).map(handle)
}

/// A right to `length` bytes from `offset` of a memory object; both multiples of the page size.
pub fn memory_part(memory: Handle, offset: u64, length: u64) -> Result<Handle, Error> {
    plain(call::MEMORY_PART, [memory.into(), offset, length, 0, 0, 0]).map(handle)
}

/// Says offset and length of one piece after the other of what is too long for one call. An error comes with what was done before.
fn in_pieces(
    length: u64,
    mut one: impl FnMut(u64, u64) -> Result<u64, Error>,
) -> Result<(), (Error, u64)> {
    let mut done = 0;
    loop {
        let piece = (length - done).min(MOST_AT_ONCE);
        one(done, piece).map_err(|error| (error, done))?;
        done += piece;
        if done >= length {
            return Ok(());
        }
    }
}

/// Maps `length` bytes from `offset` of `memory` at `address` of `task`. All or nothing.
pub fn memory_map(
    task: Handle,
    memory: Handle,
    offset: u64,
    length: u64,
    address: u64,
    flags: u64,
) -> Result<(), Error> {
    let words = [task.into(), memory.into(), offset, length, address, flags];
    show(call::MEMORY_MAP, words).or_else(|(error, done)| {
        if done > 0 {
            memory_unmap(task, address, done)?;
        }
        Err(error)
    })
}

/// What may be done from now on with the pages at `address` of `task`, which show `length` bytes from `offset` of `memory`. All
/// or nothing in each 16 MiB.
pub fn memory_protect(
    task: Handle,
    memory: Handle,
    offset: u64,
    length: u64,
    address: u64,
    flags: u64,
) -> Result<(), Error> {
    let words = [task.into(), memory.into(), offset, length, address, flags];
    show(call::MEMORY_PROTECT, words).map_err(|(error, _)| error)
}

/// MEMORY_MAP or MEMORY_PROTECT with these words, in pieces.
fn show(number: u64, words: [u64; 6]) -> Result<(), (Error, u64)> {
    let [task, memory, offset, length, address, flags] = words;
    in_pieces(length, |done, piece| {
        let (from, at) = (offset.wrapping_add(done), address.wrapping_add(done));
        plain(number, [task, memory, from, piece, at, flags])
    })
}

/// Unmaps whatever is mapped in the range.
pub fn memory_unmap(task: Handle, address: u64, length: u64) -> Result<(), Error> {
    let unmapped = in_pieces(length, |done, piece| {
        let at = address.wrapping_add(done);
        plain(call::MEMORY_UNMAP, [task.into(), at, piece, 0, 0, 0])
    });
    unmapped.map_err(|(error, _)| error)
}

/// Takes back everything that was made from a right to memory: rights, what is mapped with them, tasks that live in it.
pub fn memory_revoke(memory: Handle) -> Result<(), Error> {
    while plain(call::MEMORY_REVOKE, [memory.into(), 0, 0, 0, 0, 0])? != 0 {}
    Ok(())
}

/// A memory object of device registers.
pub fn memory_device(platform: Handle, base: u64, length: u64) -> Result<Handle, Error> {
    plain(
        call::MEMORY_DEVICE,
        [platform.into(), base, length, 0, 0, 0],
    )
    .map(handle)
}

/// Physical address of the first byte, for DMA.
pub fn memory_address(memory: Handle) -> Result<u64, Error> {
    plain(call::MEMORY_ADDRESS, [memory.into(), 0, 0, 0, 0, 0])
}

/// Copies a right into `task`'s table, with which no more than `may` ([`abi::system::may`]) can be done there; its handle there.
pub fn right_copy(task: Handle, right: Handle, may: u32) -> Result<Handle, Error> {
    plain(
        call::RIGHT_COPY,
        [task.into(), right.into(), may.into(), 0, 0, 0],
    )
    .map(handle)
}

/// A right to `count` lines, messages or ports ([`abi::system::part`]) alone.
pub fn platform_part(platform: Handle, kind: u64, first: u64, count: u64) -> Result<Handle, Error> {
    plain(
        call::PLATFORM_PART,
        [platform.into(), kind, first, count, 0, 0],
    )
    .map(handle)
}

pub fn right_drop(right: Handle) -> Result<(), Error> {
    plain(call::RIGHT_DROP, [right.into(), 0, 0, 0, 0, 0]).map(drop)
}

/// Interrupts of `line` set `bits` of the notification; each must be answered with [`interrupt_done`].
pub fn interrupt_bind(
    platform: Handle,
    line: u32,
    level: bool,
    low: bool,
    notification: Handle,
    bits: u64,
) -> Result<(), Error> {
    let level = if level { trigger::LEVEL } else { 0 };
    let flags = level | if low { trigger::LOW } else { 0 };
    plain(
        call::INTERRUPT_BIND,
        [
            platform.into(),
            line.into(),
            flags,
            notification.into(),
            bits,
            0,
        ],
    )
    .map(drop)
}

/// Message `number` sets `bits` of the notification each time it comes.
pub fn message_bind(
    platform: Handle,
    number: u32,
    notification: Handle,
    bits: u64,
) -> Result<(), Error> {
    plain(
        call::INTERRUPT_BIND,
        [
            platform.into(),
            number.into(),
            trigger::MESSAGE,
            notification.into(),
            bits,
            0,
        ],
    )
    .map(drop)
}

pub fn interrupt_done(notification: Handle, line: u32) -> Result<(), Error> {
    plain(
        call::INTERRUPT_DONE,
        [notification.into(), line.into(), 0, 0, 0, 0],
    )
    .map(drop)
}

/// `task` may use `count` I/O ports from `first`.
pub fn ports_grant(platform: Handle, task: Handle, first: u64, count: u64) -> Result<(), Error> {
    plain(
        call::PORTS_GRANT,
        [platform.into(), task.into(), first, count, 0, 0],
    )
    .map(drop)
}

/// `bits` are set when a thread of `task` is stopped by a fault.
pub fn fault_bind(task: Handle, notification: Handle, bits: u64) -> Result<(), Error> {
    plain(
        call::FAULT_BIND,
        [task.into(), notification.into(), bits, 0, 0, 0],
    )
    .map(drop)
}

/// A handler in the calling task. [`crate::handler::open`] supplies an entry and a stack.
pub fn handler_create(entry: u64, stack_top: u64) -> Result<Handle, Error> {
    plain(call::HANDLER_CREATE, [entry, stack_top, 0, 0, 0, 0]).map(handle)
}

/// Events `set` ([`abi::system::event`]) of a task or thread go to `to`, or to nobody; it is told `cookie`.
pub fn handler_bind(whose: Handle, set: u64, to: Option<Handle>, cookie: u64) -> Result<(), Error> {
    let to = to.map_or(u64::MAX, u64::from);
    plain(call::HANDLER_BIND, [whose.into(), set, to, cookie, 0, 0]).map(drop)
}

/// The page at `offset` of `memory` is the thread's frame page.
pub fn frame_bind(thread: Handle, memory: Handle, offset: u64) -> Result<(), Error> {
    plain(
        call::FRAME_BIND,
        [thread.into(), memory.into(), offset, 0, 0, 0],
    )
    .map(drop)
}

/// Threads of a task that has none yet may use floating-point and SIMD registers.
pub fn float_allow(task: Handle) -> Result<(), Error> {
    plain(call::FLOAT_ALLOW, [task.into(), 0, 0, 0, 0, 0]).map(drop)
}

/// Stores these registers of a thread in its frame page, or loads them from there.
pub fn float_frame(thread: Handle, load: bool) -> Result<(), Error> {
    plain(call::FLOAT_FRAME, [thread.into(), load.into(), 0, 0, 0, 0]).map(drop)
}

/// A thread that sleeps goes on as its frame page says; whether it slept.
pub fn thread_wake(thread: Handle) -> Result<bool, Error> {
    plain(call::THREAD_WAKE, [thread.into(), 0, 0, 0, 0, 0]).map(|slept| slept != 0)
}

/// The thread comes to its handler.
pub fn thread_kick(thread: Handle) -> Result<(), Error> {
    plain(call::THREAD_KICK, [thread.into(), 0, 0, 0, 0, 0]).map(drop)
}

/// Switches the machine off. Returning is failure.
pub fn power_off(platform: Handle) -> Result<(), Error> {
    plain(call::POWER, [platform.into(), 0, 0, 0, 0, 0]).map(drop)
}

pub fn power_reset(platform: Handle) -> Result<(), Error> {
    plain(call::POWER, [platform.into(), 1, 0, 0, 0, 0]).map(drop)
}

/// This task's platform right, with which it writes to the log and asks about the machine; `Handle::MAX` if it has none.
static PLATFORM: AtomicU32 = AtomicU32::new(Handle::MAX);

pub(crate) fn platform_is(right: Handle) {
    PLATFORM.store(right, Ordering::Relaxed);
}

fn platform() -> u64 {
    PLATFORM.load(Ordering::Relaxed).into()
}

/// Appends to the log, if this task may; 256 bytes at a time.
pub fn log(text: &[u8]) {
    for piece in text.chunks(256) {
        let (at, length) = (piece.as_ptr() as u64, piece.len() as u64);
        let _ = plain(call::LOG, [platform(), at, length, 0, 0, 0]);
    }
}

/// What the nucleus tells of the machine's memory.
pub fn info_memory() -> Result<info::Memory, Error> {
    let mut told = info::Memory::default();
    let to = core::ptr::from_mut(&mut told) as u64;
    plain(
        call::INFO,
        [
            platform(),
            info::MEMORY,
            to,
            size_of::<info::Memory>() as u64,
            0,
            0,
        ],
    )
    .map(|_| told)
}

/// What the machine's calendar says.
pub fn info_date() -> Result<info::Date, Error> {
    let mut told = info::Date::default();
    let to = core::ptr::from_mut(&mut told) as u64;
    let size = size_of::<info::Date>() as u64;
    plain(call::INFO, [platform(), info::DATE, to, size, 0, 0]).map(|_| told)
}

pub fn info_task(task: Handle) -> Result<info::Task, Error> {
    let mut told = info::Task::default();
    let to = core::ptr::from_mut(&mut told) as u64;
    plain(
        call::INFO,
        [
            task.into(),
            info::TASK,
            to,
            size_of::<info::Task>() as u64,
            0,
            0,
        ],
    )
    .map(|_| told)
}

/// The task's last fault.
pub fn info_fault(task: Handle) -> Result<info::Fault, Error> {
    let mut told = info::Fault::default();
    let to = core::ptr::from_mut(&mut told) as u64;
    plain(
        call::INFO,
        [
            task.into(),
            info::FAULT,
            to,
            size_of::<info::Fault>() as u64,
            0,
            0,
        ],
    )
    .map(|_| told)
}

/// Copies the newest bytes of the log; how many.
pub fn info_log(to: &mut [u8]) -> Result<usize, Error> {
    let at = to.as_mut_ptr() as u64;
    plain(
        call::INFO,
        [platform(), info::LOG, at, to.len() as u64, 0, 0],
    )
    .map(|bytes| (bytes as usize).min(to.len()))
}

/// Ends the calling thread.
pub fn exit() -> ! {
    loop {
        let _ = plain(call::EXIT, [0; 6]);
    }
}

/// Does nothing.
#[inline(always)]
pub fn null() {
    let _ = plain(call::NULL, [0; 6]);
}

/// Any call with any words, for tests of the nucleus.
///
/// # Safety
/// It must not change this task's memory or mappings under Rust's feet.
#[cfg(feature = "any")]
pub unsafe fn any(number: u64, words: [u64; 6]) -> Result<u64, Error> {
    plain(number, words)
}
