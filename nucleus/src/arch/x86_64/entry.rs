//! Into the nucleus and out of it.

use super::{alarms, model};
use crate::{faults, float, interrupts, leave, platform, println, space, STATE};
use abi::{boot::vector, system::event};
use core::arch::{asm, global_asm};
use core::cell::Cell;
use core::mem::offset_of;
use nucleus_core::{
    handler::{Event, Handler},
    kernel::Kernel,
    portal::Portal,
    registers::{self as r, Registers},
    rights,
    task::Task,
    thread::{Frame, Thread},
};

global_asm!(
    include_str!("entry.s"),
    R15 = const r::R15 * 8, R14 = const r::R14 * 8, R13 = const r::R13 * 8, R12 = const r::R12 * 8,
    R10 = const r::R10 * 8, R9 = const r::R9 * 8, R8 = const r::R8 * 8,
    RBP = const r::RBP * 8, RDI = const r::RDI * 8, RSI = const r::RSI * 8, RDX = const r::RDX * 8,
    RBX = const r::RBX * 8, RAX = const r::RAX * 8, VECTOR = const r::VECTOR * 8,
    RIP = const r::RIP * 8, RFLAGS = const r::RFLAGS * 8, RSP = const r::RSP * 8,
    REGISTERS = const size_of::<Registers>(), BY_CALL = const r::BY_CALL, FLAGS = const r::FLAGS, MOVING = const crate::calls::MOVING,
    TASK = const offset_of!(Thread, task), DEPTH = const offset_of!(Thread, depth),
    FRAMES = const offset_of!(Thread, frames), FRAME_TASK = const offset_of!(Frame, task),
    FRAME_POINTER = const offset_of!(Frame, pointer), FRAME_STACK = const offset_of!(Frame, stack),
    FRAME_PORTAL = const offset_of!(Frame, portal), MOST_DEPTH = const nucleus_core::thread::DEPTH,
    SPACE = const offset_of!(Task, space), SPECIAL = const offset_of!(Task, special),
    RIGHTS = const offset_of!(Task, rights), RIGHTS_COUNT = const rights::COUNT, RIGHT_PORTAL = const rights::PORTAL,
    ENTRY = const offset_of!(Portal, entry), STACK = const offset_of!(Portal, stack),
    BADGE = const offset_of!(Portal, badge), SERVER = const offset_of!(Portal, server),
    FLOOR = const offset_of!(Thread, floor), EVENT = const offset_of!(Thread, event), FOREIGN = const offset_of!(Thread, foreign),
    HOME = const offset_of!(Thread, home), SYSTEM_CALL = const event::SYSTEM_CALL,
    CALL_PORTAL = const offset_of!(Thread, call) + offset_of!(Handler, portal),
    CALL_COOKIE = const offset_of!(Thread, call) + offset_of!(Handler, cookie),
    EVENT_POINTER = const offset_of!(Thread, outer) + offset_of!(Event, pointer),
    EVENT_FLAGS = const offset_of!(Thread, outer) + offset_of!(Event, flags),
    EVENT_STACK = const offset_of!(Thread, outer) + offset_of!(Event, stack),
    EVENT_PORTAL = const offset_of!(Thread, outer) + offset_of!(Event, portal),
    THREAD_SPECIAL = const offset_of!(Thread, special),
    SAVED = const offset_of!(Thread, outer) + offset_of!(Event, saved),
    ACTIVE = const offset_of!(Portal, active), CALLERS = const offset_of!(Portal, callers),
);
// The entry code stores these three for a system call.
const _: () = assert!(r::SAVED[0] == r::RAX && r::SAVED[1] == r::R14 && r::SAVED[2] == r::R15);
const _: () = assert!(r::COOKIE == r::R14 && r::CODE == r::R15 && r::ANSWER == r::R14);

extern "C" {
    fn nucleus_syscall();
    fn nucleus_resume(thread: *const core::ffi::c_void) -> !;
    fn nucleus_idle() -> !;
    /// Not 0: the bitmap of I/O ports is shown to user mode.
    static nucleus_special: Kernel<Cell<u64>>;
    /// Not 0: that, or floating-point registers may be used, which no server may.
    static nucleus_guarded: Kernel<Cell<u64>>;
}

pub fn set_guards(ports: bool, float: bool) {
    // SAFETY: words of the entry code's data, used only with interrupts off.
    unsafe {
        nucleus_special.set(ports.into());
        nucleus_guarded.set((ports || float).into());
    }
}

/// `syscall` leads to the entry code (SDM 3A, 5.8.8).
pub fn enable_system_calls() {
    const FEATURES: u32 = 0xc000_0080;
    const SELECTORS: u32 = 0xc000_0081;
    const TARGET: u32 = 0xc000_0082;
    const CLEARED_FLAGS: u32 = 0xc000_0084;
    const SYSTEM_CALLS_NO_EXECUTE: u64 = 1 | 1 << 11;
    model::write(FEATURES, model::read(FEATURES) | SYSTEM_CALLS_NO_EXECUTE);
    model::write(
        SELECTORS,
        0x10 << 48 | u64::from(super::descriptors::NUCLEUS_CODE) << 32,
    );
    model::write(TARGET, nucleus_syscall as *const () as u64);
    model::write(CLEARED_FLAGS, 0x003f_7fd5);
}

/// Goes on with a thread.
pub fn resume(thread: &'static Thread) -> ! {
    // SAFETY: the thread's registers are complete, and its task's space maps the nucleus.
    unsafe { nucleus_resume(core::ptr::from_ref(thread).cast()) }
}

/// Waits for an interrupt, on an empty stack; what it wakes is resumed from there.
pub fn idle() -> ! {
    // SAFETY: nothing on the stack is needed any more.
    unsafe { nucleus_idle() }
}

/// From the entry code: an interrupt or exception while `thread` ran.
#[no_mangle]
extern "C" fn nucleus_interrupt(thread: &'static Thread) -> &'static Thread {
    let number = thread.registers.0[r::VECTOR].get();
    alarms::say();
    match number {
        0..32 => exception(thread, number),
        _ => interrupt(number),
    }
    leave()
}

/// From the entry code: an interrupt while nobody ran.
#[no_mangle]
extern "C" fn nucleus_woken(number: u64) -> &'static Thread {
    alarms::say();
    interrupt(number);
    leave()
}

fn interrupt(number: u64) {
    if interrupts::is_none(number) {
        return interrupts::spurious();
    }
    if interrupts::is_timer(number) {
        return interrupts::timer(number);
    }
    if let Some(message) = interrupts::message_of(number) {
        return interrupts::message(message, number);
    }
    let line = number
        .checked_sub(vector::LINES)
        .and_then(|n| STATE.interrupts.line(n as usize));
    match line {
        Some(line) => interrupts::line(line, number),
        None => interrupts::unknown(number),
    }
}

fn exception(thread: &'static Thread, number: u64) {
    const DIVISION: u64 = 0;
    const DEBUG: u64 = 1;
    const BREAKPOINT: u64 = 3;
    const ILLEGAL: u64 = 6;
    const NO_FLOATING_POINT: u64 = 7;
    const PROTECTION: u64 = 13;
    const PAGE: u64 = 14;
    let (error, at) = (
        thread.registers.0[r::ERROR].get(),
        thread.registers.pointer(),
    );
    match number {
        NO_FLOATING_POINT if float::take(thread) => {}
        PAGE => {
            let code = match error {
                _ if error & 1 << 4 != 0 => event::EXECUTE,
                _ if error & 1 << 1 != 0 => event::WRITE,
                _ => event::READ,
            };
            faults::raise(thread, code, fault_address(), "")
        }
        PROTECTION if thread.foreign.get() != 0 && interrupt_call(thread, error) => {
            thread.registers.0[r::RIP].set(at + INTERRUPT_CALL.len() as u64);
            faults::raise(thread, event::INTERRUPT_CALL, 0, "")
        }
        PROTECTION => match port(thread) {
            Some(port) => faults::raise(thread, event::PORT, port, ""),
            None => faults::raise(thread, event::OTHER, 0, "protection violation"),
        },
        ILLEGAL => faults::raise(thread, event::ILLEGAL, at, "illegal instruction"),
        NO_FLOATING_POINT => faults::raise(thread, event::ILLEGAL, at, "floating point"),
        DIVISION => faults::raise(thread, event::DIVISION, at, "division"),
        DEBUG | BREAKPOINT => faults::raise(thread, event::DEBUG, at, "debug trap"),
        _ => faults::raise(thread, event::OTHER, number, "exception"),
    }
}

/// `int 0x80`.
const INTERRUPT_CALL: [u8; 2] = [0xcd, 0x80];

/// Whether a protection violation is an `int 0x80`, whose gate user mode may not pass: the error code is a gate's (SDM 3A, 6.13), by
/// whose number QEMU 7.2 multiplies by 16 instead of 8.
fn interrupt_call(thread: &Thread, error: u64) -> bool {
    error & 2 != 0 && code_at::<2>(thread) == Some(INTERRUPT_CALL)
}

/// The bytes at the instruction pointer; those in the next page are 0.
fn code_at<const N: usize>(thread: &Thread) -> Option<[u8; N]> {
    let mut code = [0; N];
    let at = thread.registers.pointer();
    let length = (4096 - at % 4096).min(N as u64);
    let range = nucleus_core::allegation::Allegation::new(at, length)
        .check(N as u64)
        .ok()?;
    space::read(thread.task.get(), range, &mut code).ok()?;
    Some(code)
}

fn fault_address() -> u64 {
    let address: u64;
    // SAFETY: reading the register has no effect.
    unsafe { asm!("mov {}, cr2", out(reg) address, options(nomem, nostack)) };
    address
}

/// The port, if the instruction is one that uses ports (SDM 2A, IN, INS, OUT, OUTS).
fn port(thread: &Thread) -> Option<u64> {
    let code = code_at::<4>(thread)?;
    let prefixes = code
        .iter()
        .take_while(|byte| [0x66, 0xf2, 0xf3].contains(*byte))
        .count();
    match code.get(prefixes)? {
        0xe4..=0xe7 => code.get(prefixes + 1).map(|port| u64::from(*port)),
        0xec..=0xef | 0x6c..=0x6f => Some(thread.registers.0[r::RDX].get() & 0xffff),
        _ => None,
    }
}

/// From the entry code: an exception in the nucleus itself. There is nobody left to blame.
#[no_mangle]
extern "C" fn nucleus_fault(frame: &[u64; 5]) -> ! {
    let [number, error, at, ..] = *frame;
    println!(
        "nucleus: exception {number} (error {error:#x}) at {at:#x}, address {:#x}",
        fault_address()
    );
    platform::power_off();
    super::halt()
}
