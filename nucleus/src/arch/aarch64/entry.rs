//! Into the nucleus and out of it.

use crate::{faults, float, interrupts, leave, platform, println, STATE};
use abi::system::event;
use core::arch::{asm, global_asm};
use core::cell::Cell;
use core::mem::offset_of;
use nucleus_core::{
    handler::{Event, Handler},
    kernel::Kernel,
    portal::Portal,
    registers as r, rights,
    task::Task,
    thread::{Frame, Thread},
};

global_asm!(
    include_str!("entry.s"),
    ELR = const r::ELR * 8,
    THREAD_SPECIAL = const offset_of!(Thread, special),
    MOVING = const crate::calls::MOVING,
    EVENT = const offset_of!(Thread, event), FOREIGN = const offset_of!(Thread, foreign),
    HOME = const offset_of!(Thread, home), SYSTEM_CALL = const event::SYSTEM_CALL,
    CALL = const offset_of!(Thread, call),
    EVENT_POINTER = const offset_of!(Thread, outer) + offset_of!(Event, pointer),
    EVENT_STACK = const offset_of!(Thread, outer) + offset_of!(Event, stack),
    SAVED = const offset_of!(Thread, outer) + offset_of!(Event, saved),
    TASK = const offset_of!(Thread, task), DEPTH = const offset_of!(Thread, depth),
    FRAMES = const offset_of!(Thread, frames),
    MOST_DEPTH = const nucleus_core::thread::DEPTH,
    SPACE = const offset_of!(Task, space),
    RIGHTS = const offset_of!(Task, rights), RIGHTS_COUNT = const rights::COUNT, RIGHT_PORTAL = const rights::PORTAL,
    ENTRY = const offset_of!(Portal, entry), BADGE = const offset_of!(Portal, badge),
    SERVER = const offset_of!(Portal, server), ACTIVE = const offset_of!(Portal, active),
    CALLERS = const offset_of!(Portal, callers),
);
// The entry code loads and stores these in pairs.
const _: () = {
    assert!(offset_of!(Frame, task) == 0 && offset_of!(Frame, pointer) == 8);
    assert!(offset_of!(Frame, stack) == 16 && offset_of!(Frame, portal) == 24);
    assert!(offset_of!(Thread, depth) == offset_of!(Thread, task) + 8);
    assert!(offset_of!(Portal, stack) == offset_of!(Portal, entry) + 8);
    assert!(offset_of!(Task, special) == offset_of!(Task, space) + 8);
    assert!(r::SPSR == r::ELR + 1);
    assert!(offset_of!(Thread, floor) == offset_of!(Thread, depth) + 8);
    assert!(offset_of!(Thread, foreign) == offset_of!(Thread, event) + 8);
    assert!(offset_of!(Handler, portal) == 0 && offset_of!(Handler, cookie) == 8);
    assert!(offset_of!(Event, flags) == offset_of!(Event, pointer) + 8);
    assert!(offset_of!(Event, portal) == offset_of!(Event, stack) + 8);
    assert!(r::SAVED[0] == 8 && r::SAVED[1] == 9 && r::SAVED[2] == 10 && r::SAVED[3] == 11);
    assert!(r::COOKIE == 9 && r::CODE == 10 && r::ANSWER == 0);
    // The reach of a load of two words.
    assert!(offset_of!(Thread, frames) + 16 <= 504);
};

extern "C" {
    static nucleus_vectors: u8;
    fn nucleus_resume(thread: *const core::ffi::c_void) -> !;
    fn nucleus_idle() -> !;
    /// Not 0: floating-point registers may be used, which no server may.
    static nucleus_guarded: Kernel<Cell<u64>>;
}

/// What the entry code must not leave as it is.
pub fn guard() {
    // SAFETY: a word of the entry code's data, used only with interrupts off.
    unsafe { nucleus_guarded.set(float::is_usable().into()) }
}

/// From the entry code, when there is more to load for the thread that is about to run, or to take away after the one before it.
#[no_mangle]
extern "C" fn nucleus_more(thread: &'static Thread) {
    float::leave_to(thread);
}

pub fn load_vectors() {
    // SAFETY: the vectors are the entry code's, aligned to 2 KiB.
    unsafe {
        asm!("msr vbar_el1, {}", "isb", in(reg) &raw const nucleus_vectors, options(nostack))
    };
}

/// Goes on with a thread.
pub fn resume(thread: &'static Thread) -> ! {
    // SAFETY: the thread's registers are complete.
    unsafe { nucleus_resume(core::ptr::from_ref(thread).cast()) }
}

/// Waits for an interrupt, on an empty stack; what it wakes is resumed from there.
pub fn idle() -> ! {
    // SAFETY: nothing on the stack is needed any more.
    unsafe { nucleus_idle() }
}

/// From the entry code: an interrupt, while a thread ran or nobody.
#[no_mangle]
extern "C" fn nucleus_interrupt() -> &'static Thread {
    let number = platform::vectors_take();
    match (interrupts::message_of(number), u32::try_from(number)) {
        _ if interrupts::is_none(number) => interrupts::spurious(),
        _ if interrupts::is_timer(number) => interrupts::timer(number),
        (Some(message), _) => interrupts::message(message, number),
        (None, Ok(line)) if interrupts::is_line(line) => interrupts::line(line, number),
        _ => interrupts::unknown(number),
    }
    leave()
}

/// From the entry code: `thread` did something else than a system call. Exception classes: DDI 0487, ESR_EL1.
#[no_mangle]
extern "C" fn nucleus_exception(
    thread: &'static Thread,
    syndrome: u64,
    address: u64,
) -> &'static Thread {
    const UNKNOWN: u64 = 0x00;
    const FLOATING_POINT: u64 = 0x07;
    const SYSTEM_REGISTER: u64 = 0x18;
    const INSTRUCTION: u64 = 0x20;
    const POINTER_ALIGNMENT: u64 = 0x22;
    const DATA: u64 = 0x24;
    const STACK_ALIGNMENT: u64 = 0x26;
    const HARDWARE_BREAKPOINT: u64 = 0x30;
    const STEP: u64 = 0x32;
    const WATCHPOINT: u64 = 0x34;
    const BREAKPOINT: u64 = 0x3c;
    let at = thread.registers.pointer();
    match syndrome >> 26 & 0x3f {
        DATA if syndrome & 0x3f == 0x21 => {
            faults::raise(thread, event::OTHER, address, "misaligned access")
        }
        DATA if syndrome & 1 << 6 != 0 => faults::raise(thread, event::WRITE, address, ""),
        DATA => faults::raise(thread, event::READ, address, ""),
        INSTRUCTION => faults::raise(thread, event::EXECUTE, address, ""),
        POINTER_ALIGNMENT | STACK_ALIGNMENT => {
            faults::raise(thread, event::OTHER, at, "misaligned pointer")
        }
        FLOATING_POINT if float::take(thread) => {}
        FLOATING_POINT => faults::raise(thread, event::ILLEGAL, at, "floating point"),
        UNKNOWN | SYSTEM_REGISTER => {
            faults::raise(thread, event::ILLEGAL, at, "illegal instruction")
        }
        HARDWARE_BREAKPOINT | STEP | WATCHPOINT | BREAKPOINT => {
            faults::raise(thread, event::DEBUG, at, "debug trap")
        }
        _ => faults::raise(thread, event::OTHER, syndrome, "exception"),
    }
    leave()
}

/// From the entry code: an exception in the nucleus itself. There is nobody left to blame.
#[no_mangle]
extern "C" fn nucleus_fault(syndrome: u64, at: u64, address: u64, running: u64) -> ! {
    let who = STATE
        .current
        .get()
        .map_or(u32::MAX, |thread| thread.task.get().number);
    println!("nucleus: exception {syndrome:#x} (entry {running}) at {at:#x}, address {address:#x}, task {who}");
    platform::power_off();
    super::halt()
}
