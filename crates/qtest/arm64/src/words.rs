//! What the host and the program beside it say to each other: messages of eight words over a pipe each way. Either
//! side waits for the other's next message, so there is never more than one on the way.

/// A kind, and what belongs to it.
pub type Message = [u64; 8];

/// From the host.
pub mod ask {
    /// File (argument of the program), byte offset in it, bytes, whether code: maps it. Answered by `DONE`, the address.
    pub const MAP: u64 = 1;
    /// Bytes: a range of addresses that may not be touched. Answered by `DONE`, the address.
    pub const RESERVE: u64 = 2;
    /// Byte offset, value: a word of the context. Answered by `DONE`.
    pub const SET: u64 = 3;
    /// Address, five words: runs an entry. Whatever it needs is told; `LEFT` comes last.
    pub const ENTER: u64 = 4;
    /// A value, and what is done with it (see [`super::then`]): for whatever was told last.
    pub const ANSWER: u64 = 5;
}

/// From the program.
pub mod tell {
    /// The answer to what is not an entry.
    pub const DONE: u64 = 16;
    /// Signal, address, instruction, value of the register in its lowest five bits, program counter: the code touched
    /// what is not its memory.
    pub const TOUCH: u64 = 17;
    /// Number, four words: an upcall.
    pub const UP: u64 = 18;
    pub const CLOCK: u64 = 19;
    /// Nanoseconds.
    pub const PAUSE: u64 = 20;
    /// What the entry returned, and the four result words.
    pub const LEFT: u64 = 21;
}

/// What the program does with an answer to `TOUCH`.
pub mod then {
    /// Goes on behind the instruction.
    pub const PASS: u64 = 0;
    /// The same, with the value in the instruction's register.
    pub const LOAD: u64 = 1;
    /// Leaves the entry, which returns the value.
    pub const LEAVE: u64 = 2;
}
