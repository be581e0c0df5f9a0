//! In the order in which interrupts and the entry code push them.

use core::cell::Cell;

pub use abi::frame::{
    R10, R11, R12, R13, R14, R15, R8, R9, RAX, RBP, RBX, RCX, RDI, RDX, RFLAGS, RIP, RSI, RSP,
};

/// What brought the thread in: an exception or interrupt, or [`BY_CALL`].
pub const VECTOR: usize = 15;
pub const ERROR: usize = 16;
pub const CS: usize = 18;
pub const SS: usize = 21;
pub const COUNT: usize = 22;

/// In [`VECTOR`]: a system call, so that `sysret` may resume the thread (rcx and r11 are lost).
pub const BY_CALL: u64 = 0x100;
/// Interrupts on, nothing else.
pub const FLAGS: u64 = 0x202;
/// Selectors of user code and data, as `sysret` makes them.
pub const USER_CODE: u64 = 0x23;
pub const USER_DATA: u64 = 0x1b;

pub const WORDS: [usize; 8] = [RDI, RSI, RDX, R10, R8, R9, R12, R13];
pub const STATUS: usize = RAX;
pub const NUMBER: usize = RAX;
pub const BADGE: usize = R14;
pub const POINTER: usize = RIP;
pub const STACK: usize = RSP;
/// Of a handler: see `abi::system::event`.
pub const COOKIE: usize = R14;
pub const CODE: usize = R15;
pub const ADDRESS: usize = RAX;
/// The result of a system call at PORTAL_REPLY, the deadline at HANDLER_SLEEP.
pub const ANSWER: usize = R14;
pub const DEADLINE: usize = R14;
pub const RESULT: usize = RAX;
pub const FLAGS_AT: usize = RFLAGS;
/// What a handler cannot keep. The entry code stores the first three of a system call.
pub const SAVED: [usize; 5] = [RAX, R14, R15, RCX, R11];
pub const SCRUBBED: &[usize] = &[R15, R14, R11, RBP, RCX, RBX, RAX];

#[repr(C, align(16))]
#[derive(Debug)]
pub struct Registers(pub [Cell<u64>; COUNT]);

impl Registers {
    pub const fn new() -> Registers {
        Registers([const { Cell::new(0) }; COUNT])
    }

    pub(super) fn ready(&self) {
        self.0[CS].set(USER_CODE);
        self.0[SS].set(USER_DATA);
        self.0[RFLAGS].set(FLAGS);
        self.0[VECTOR].set(BY_CALL);
    }

    /// What a system call lost has the values that the program sees: nothing older is shown to anybody.
    pub(super) fn unmask(&self) {
        if self.0[VECTOR].get() == BY_CALL {
            self.0[RCX].set(self.0[RIP].get());
            self.0[R11].set(self.0[RFLAGS].get());
        }
    }

    /// Only `syscall` loses registers: after anything else all are loaded.
    pub(super) fn restored(&self, code: u64) {
        if code == abi::system::event::SYSTEM_CALL {
            self.0[VECTOR].set(BY_CALL);
            self.unmask();
        } else {
            self.imported();
        }
    }

    pub(super) fn imported(&self) {
        self.0[CS].set(USER_CODE);
        self.0[SS].set(USER_DATA);
        self.0[VECTOR].set(0);
    }
}

/// Whether a frame page has this register.
pub(super) fn frame_has(n: usize) -> bool {
    ![VECTOR, ERROR, CS, SS].contains(&n)
}

impl Default for Registers {
    fn default() -> Self {
        Registers::new()
    }
}
