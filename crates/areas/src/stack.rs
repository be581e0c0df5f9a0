//! The stack that a program finds at its start: argc, argv, envp and the auxiliary vector below their strings (System V
//! ABI, "Initial Process Stack"; `create_elf_tables` of Linux).
use crate::Errno;
use alloc::vec::Vec;

/// The longest argument with its NUL, in bytes (`MAX_ARG_STRLEN`).
pub const STRING: usize = 32 * 4096;
const AT_NULL: u64 = 0;

/// `AT_*` of getauxval(3).
pub mod auxiliary {
    pub const PHDR: u64 = 3;
    pub const PHENT: u64 = 4;
    pub const PHNUM: u64 = 5;
    pub const PAGESZ: u64 = 6;
    pub const BASE: u64 = 7;
    pub const FLAGS: u64 = 8;
    pub const ENTRY: u64 = 9;
    pub const UID: u64 = 11;
    pub const EUID: u64 = 12;
    pub const GID: u64 = 13;
    pub const EGID: u64 = 14;
    pub const PLATFORM: u64 = 15;
    pub const HWCAP: u64 = 16;
    pub const CLKTCK: u64 = 17;
    pub const SECURE: u64 = 23;
    pub const RANDOM: u64 = 25;
    pub const EXECFN: u64 = 31;
}

/// What the program is told.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    pub arguments: &'a [&'a [u8]],
    pub environment: &'a [&'a [u8]],
    /// The path that was executed (`AT_EXECFN`).
    pub path: &'a [u8],
    /// `AT_RANDOM`'s bytes.
    pub random: [u8; 16],
    /// The other entries, in their order; RANDOM, EXECFN and the end are added.
    pub auxiliary: &'a [(u64, u64)],
}

/// The bytes to put at `pointer`, up to the top of the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// The stack pointer: a multiple of 16. argc is there.
    pub pointer: u64,
    pub bytes: Vec<u8>,
}

/// Builds the stack below `top`. `stack` is `RLIMIT_STACK`: a quarter of it is for arguments and environment, at least 128 KiB
/// and at most 6 MiB. No argument at all becomes one empty argument, as since Linux 5.18.
///
/// # Errors
/// `E2BIG` when the strings and their pointers are more or a string is too long; `EFAULT` when `top` is too low or not a
/// multiple of 16; `EINVAL` for a string with a NUL in it.
pub fn build(start: &Start, top: u64, stack: u64) -> Result<Stack, Errno> {
    let most = (stack / 4).clamp(128 << 10, 6 << 20);
    let none: &[&[u8]] = &[b""];
    let arguments = if start.arguments.is_empty() {
        none
    } else {
        start.arguments
    };
    let strings = || {
        arguments
            .iter()
            .chain(start.environment)
            .copied()
            .chain([start.path])
    };
    let pointers = (arguments.len() as u64)
        .saturating_add(start.environment.len() as u64)
        .saturating_mul(8);
    let mut length = 0u64;
    for string in strings() {
        length += string.len() as u64 + 1;
        if string.len() >= STRING || length.saturating_add(pointers) > most {
            return Err(Errno::E2BIG);
        }
        if string.contains(&0) {
            return Err(Errno::EINVAL);
        }
    }
    if start.auxiliary.len() > 64 {
        return Err(Errno::E2BIG);
    }
    // A null pointer at the very top, below it the strings, the path last; then the random bytes.
    let first = top.checked_sub(8 + length).ok_or(Errno::EFAULT)?;
    let random = first.checked_sub(16).ok_or(Errno::EFAULT)? & !15;
    let words =
        1 + arguments.len() + 1 + start.environment.len() + 1 + 2 * (start.auxiliary.len() + 3);
    let pointer = random.checked_sub(words as u64 * 8).ok_or(Errno::EFAULT)? & !15;
    if !top.is_multiple_of(16) {
        return Err(Errno::EFAULT);
    }
    let mut bytes = Vec::with_capacity((top - pointer) as usize);
    let mut word = |word: u64| bytes.extend_from_slice(&word.to_le_bytes());
    let mut at = first;
    word(arguments.len() as u64);
    for list in [arguments, start.environment] {
        for string in list {
            word(at);
            at += string.len() as u64 + 1;
        }
        word(0);
    }
    let last = [
        (auxiliary::RANDOM, random),
        (auxiliary::EXECFN, at),
        (AT_NULL, 0),
    ];
    for (kind, value) in start.auxiliary.iter().copied().chain(last) {
        word(kind);
        word(value);
    }
    bytes.resize((random - pointer) as usize, 0);
    bytes.extend_from_slice(&start.random);
    bytes.resize((first - pointer) as usize, 0);
    for string in strings() {
        bytes.extend_from_slice(string);
        bytes.push(0);
    }
    bytes.resize((top - pointer) as usize, 0);
    Ok(Stack { pointer, bytes })
}
