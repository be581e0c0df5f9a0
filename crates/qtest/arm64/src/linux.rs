//! The few system calls that this needs (Linux, arm64), and its first and last instructions.

use core::arch::{asm, global_asm};

const OPENAT: u64 = 56;
const READ: u64 = 63;
const WRITE: u64 = 64;
const EXIT: u64 = 93;
const SIGACTION: u64 = 134;
const MMAP: u64 = 222;

const CURRENT_FOLDER: u64 = -100i64 as u64;
const READ_WRITE: u64 = 2;

pub const PROT_NONE: u64 = 0;
pub const PROT_READ: u64 = 1;
pub const PROT_WRITE: u64 = 2;
pub const PROT_EXEC: u64 = 4;
const SHARED: u64 = 1;
const PRIVATE: u64 = 2;
const ANONYMOUS: u64 = 0x20;

const WITH_INFORMATION: u64 = 4;
const WITH_RESTORER: u64 = 0x0400_0000;

pub const SIGILL: i32 = 4;
pub const SIGBUS: i32 = 7;
pub const SIGSEGV: i32 = 11;

global_asm!(
    // The stack holds the program's arguments.
    ".globl _start",
    "_start:",
    "mov x0, sp",
    "bl start",
    // enter(entry, context, five words): calls the entry; whoever cannot go on in it goes on at `leave`, with the stack
    // pointer that is kept in `entered`.
    ".globl enter",
    "enter:",
    "stp x29, x30, [sp, #-96]!",
    "stp x19, x20, [sp, #16]",
    "stp x21, x22, [sp, #32]",
    "stp x23, x24, [sp, #48]",
    "stp x25, x26, [sp, #64]",
    "stp x27, x28, [sp, #80]",
    "adrp x9, entered",
    "add x9, x9, :lo12:entered",
    "mov x10, sp",
    "str x10, [x9]",
    "mov x9, x0",
    "mov x0, x1",
    "mov x1, x2",
    "mov x2, x3",
    "mov x3, x4",
    "mov x4, x5",
    "mov x5, x6",
    "blr x9",
    ".globl leave",
    "leave:",
    "ldp x27, x28, [sp, #80]",
    "ldp x25, x26, [sp, #64]",
    "ldp x23, x24, [sp, #48]",
    "ldp x21, x22, [sp, #32]",
    "ldp x19, x20, [sp, #16]",
    "ldp x29, x30, [sp], #96",
    "ret",
    // Where signal handlers return to.
    ".globl signal_return",
    "signal_return:",
    "mov x8, #139",
    "svc #0",
);

extern "C" {
    fn signal_return();
}

/// # Safety
/// As the system call's manual page says.
unsafe fn call(number: u64, words: [u64; 6]) -> i64 {
    let [a, b, c, d, e, f] = words;
    let result: i64;
    // SAFETY: the kernel keeps all registers but x0; what it does to memory is the caller's affair.
    unsafe {
        asm!("svc #0", in("x8") number, inlateout("x0") a => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f, options(nostack));
    }
    result
}

/// Ends the program. Other codes than 0 say that the host did not keep to what was agreed.
pub fn exit(code: u64) -> ! {
    loop {
        // SAFETY: does not return.
        unsafe { call(EXIT, [code, 0, 0, 0, 0, 0]) };
    }
}

/// Reads exactly as much from standard input; `false` at its end.
pub fn receive(bytes: &mut [u8]) -> bool {
    let mut at = 0;
    while let Some(rest) = bytes.get_mut(at..).filter(|rest| !rest.is_empty()) {
        let place = rest.as_mut_ptr() as u64;
        // SAFETY: the rest of the caller's bytes.
        match unsafe { call(READ, [0, place, rest.len() as u64, 0, 0, 0]) } {
            got @ 1.. => at += got as usize,
            _ => return false,
        }
    }
    true
}

/// Writes all of it to standard output; `false` if nobody takes it.
pub fn send(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let place = rest.as_ptr() as u64;
        // SAFETY: the rest of the caller's bytes.
        match unsafe { call(WRITE, [1, place, rest.len() as u64, 0, 0, 0]) } {
            put @ 1.. => at += put as usize,
            _ => return false,
        }
    }
    true
}

/// Opens a file for reading and writing; its descriptor.
pub fn open(path: *const u8) -> Option<u64> {
    // SAFETY: the path is one of the program's arguments, which end in a zero byte.
    let opened = unsafe { call(OPENAT, [CURRENT_FOLDER, path as u64, READ_WRITE, 0, 0, 0]) };
    u64::try_from(opened).ok()
}

fn map(bytes: u64, protection: u64, flags: u64, file: u64, offset: u64) -> Option<u64> {
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    let at = unsafe { call(MMAP, [0, bytes, protection, flags, file, offset]) };
    u64::try_from(at).ok()
}

/// Maps bytes of a file, shared with whoever else has it.
pub fn map_file(file: u64, offset: u64, bytes: u64, protection: u64) -> Option<u64> {
    map(bytes, protection, SHARED, file, offset)
}

/// Addresses that fault.
pub fn reserve(bytes: u64) -> Option<u64> {
    map(bytes, PROT_NONE, PRIVATE | ANONYMOUS, u64::MAX, 0)
}

/// The kernel's `struct sigaction`.
#[repr(C)]
struct Action {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

pub type Handler = extern "C" fn(i32, *const Information, *mut Interrupted);

/// The beginning of `siginfo_t`.
#[repr(C)]
pub struct Information {
    _numbers: [u64; 2],
    pub address: u64,
}

/// The beginning of `ucontext_t`: flags, link, stack and mask come before the registers.
#[repr(C)]
pub struct Interrupted {
    _before: [u64; 22],
    _address: u64,
    pub x: [u64; 31],
    pub sp: u64,
    pub pc: u64,
}

pub fn catch(signal: i32, handler: Handler) -> bool {
    let action = Action {
        handler: handler as *const () as usize,
        flags: WITH_INFORMATION | WITH_RESTORER,
        restorer: signal_return as *const () as usize,
        mask: 0,
    };
    let place = &raw const action as u64;
    // SAFETY: a complete structure, which the kernel copies.
    unsafe { call(SIGACTION, [signal as u64, place, 0, 8, 0, 0]) == 0 }
}
