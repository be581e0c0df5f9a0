//! x0 to x30, then the stack pointer, the return address and the saved state.

use core::cell::Cell;

pub const SP: usize = 31;
pub const ELR: usize = 32;
pub const SPSR: usize = 33;
pub const COUNT: usize = 34;

pub const WORDS: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 7];
pub const STATUS: usize = 8;
pub const NUMBER: usize = 8;
pub const BADGE: usize = 9;
pub const POINTER: usize = ELR;
pub const STACK: usize = SP;
/// Of a handler: see `abi::system::event`.
pub const COOKIE: usize = 9;
pub const CODE: usize = 10;
pub const ADDRESS: usize = 8;
/// The result of a system call at PORTAL_REPLY.
pub const ANSWER: usize = 0;
/// At HANDLER_SLEEP.
pub const DEADLINE: usize = 9;
pub const RESULT: usize = 0;
pub const FLAGS_AT: usize = SPSR;
/// EL0, interrupts on.
pub const FLAGS: u64 = 0;
/// What a handler cannot keep. The entry code stores them in pairs.
pub const SAVED: [usize; 4] = [8, 9, 10, 11];
pub const SCRUBBED: &[usize] = &[
    8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
];

#[repr(C, align(16))]
#[derive(Debug)]
pub struct Registers(pub [Cell<u64>; COUNT]);

impl Registers {
    pub const fn new() -> Registers {
        Registers([const { Cell::new(0) }; COUNT])
    }

    pub(super) fn ready(&self) {
        self.0[SPSR].set(FLAGS);
    }

    /// Nothing is lost here by a system call.
    pub(super) fn unmask(&self) {}

    pub(super) fn restored(&self, _code: u64) {}

    pub(super) fn imported(&self) {}
}

impl Default for Registers {
    fn default() -> Self {
        Registers::new()
    }
}

/// A frame page has all.
pub(super) fn frame_has(_n: usize) -> bool {
    true
}
