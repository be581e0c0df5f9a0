//! The code in memory, and the gate through which it is entered and always left again.
//!
//! Each entry is reached through a gate that saves the registers the caller wants back and notes the stack pointer. A
//! fault that cannot be served leaves through the gate's exit, as if the entry had returned.

use super::body::Library;
use crate::memory::Mapping;
use crate::{Error, Result};
use std::cell::Cell;
use std::ops::Range;

/// Executable memory: the blob, then the gates.
pub(crate) struct Text {
    mapping: Mapping,
    /// Where the code is that may touch the windows.
    code: Range<u64>,
    /// Byte offset of each entry's gate.
    gates: Vec<u32>,
    /// Keeps code that lies elsewhere.
    _library: Option<Library>,
    /// Byte offset where every gate ends.
    exit: usize,
    /// Where a gate notes its stack pointer.
    stack: Box<Cell<u64>>,
}

/// push rbx, rbp, r12, r13, r14, r15; sub rsp, 8 (which aligns the stack)
const SAVE: &[u8] = &[
    0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57, 0x48, 0x83, 0xec, 8,
];
/// add rsp, 8; pop r15, r14, r13, r12, rbp, rbx; ret
const LEAVE: &[u8] = &[
    0x48, 0x83, 0xc4, 8, 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3,
];
const MOV_RAX: &[u8] = &[0x48, 0xb8];
/// mov [rax], rsp
const NOTE: &[u8] = &[0x48, 0x89, 0x20];
const CALL_RAX: &[u8] = &[0xff, 0xd0];
/// jmp rel32
const JMP: u8 = 0xe9;

impl Text {
    /// A blob, and the byte offset of each entry.
    pub(crate) fn new(code: &[u8], entries: &[u32]) -> Result<Text> {
        Text::with(code, None, |base| {
            entries.iter().map(|at| base + u64::from(*at)).collect()
        })
    }

    /// Functions of a shared object, in the order of the residual's entries.
    pub(crate) fn of_library(library: Library, functions: &[String]) -> Result<Text> {
        let addresses: Vec<u64> = functions
            .iter()
            .map(|name| library.address(name))
            .collect::<Result<_>>()?;
        let mut text = Text::with(&[], Some(library), |_| addresses.clone())?;
        if let Some(first) = addresses.first() {
            text.code = mapped(*first)?;
        }
        Ok(text)
    }

    fn with(
        code: &[u8],
        library: Option<Library>,
        entries: impl FnOnce(u64) -> Vec<u64>,
    ) -> Result<Text> {
        let exit = code.len().next_multiple_of(16);
        let gates_at = (exit + LEAVE.len()).next_multiple_of(16);
        let size = gates_at + super::body::DOORS * 64;
        let mapping = Mapping::private(size, libc::PROT_READ | libc::PROT_WRITE)?;
        let stack = Box::new(Cell::new(0));
        let base = mapping.base() as u64;

        let mut bytes = vec![0xcc; size];
        bytes[..code.len()].copy_from_slice(code);
        bytes[exit..exit + LEAVE.len()].copy_from_slice(LEAVE);
        let mut gates = Vec::new();
        for (number, entry) in entries(base)
            .into_iter()
            .take(super::body::DOORS)
            .enumerate()
        {
            let at = gates_at + number * 64;
            let gate = gate(entry, stack.as_ptr() as u64, exit as i64 - at as i64);
            bytes[at..at + gate.len()].copy_from_slice(&gate);
            gates.push(at as u32);
        }
        // SAFETY: the mapping has at least `size` bytes, is fresh, and nothing else refers to it.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), mapping.base(), size) };
        mapping.protect(0, size, libc::PROT_READ | libc::PROT_EXEC);
        Ok(Text {
            code: base..base + code.len() as u64,
            mapping,
            gates,
            _library: library,
            exit,
            stack,
        })
    }

    /// Where entry `number` is entered.
    pub(crate) fn gate(&self, number: usize) -> Option<*const u8> {
        let at = *self.gates.get(number)?;
        Some(self.mapping.base().wrapping_add(at as usize).cast_const())
    }

    /// Addresses of the code.
    pub(crate) fn code(&self) -> Range<u64> {
        self.code.clone()
    }

    /// Stack pointer and address with which the current entry is left.
    pub(crate) fn way_out(&self) -> (u64, u64) {
        (
            self.stack.get(),
            self.mapping.base() as u64 + self.exit as u64,
        )
    }
}

/// `exit`: from the gate's beginning to the exit.
fn gate(entry: u64, stack: u64, exit: i64) -> Vec<u8> {
    let mut bytes = SAVE.to_vec();
    bytes.extend_from_slice(MOV_RAX);
    bytes.extend_from_slice(&stack.to_le_bytes());
    bytes.extend_from_slice(NOTE);
    bytes.extend_from_slice(MOV_RAX);
    bytes.extend_from_slice(&entry.to_le_bytes());
    bytes.extend_from_slice(CALL_RAX);
    bytes.push(JMP);
    let from = bytes.len() as i64 + 4;
    bytes.extend_from_slice(&((exit - from) as i32).to_le_bytes());
    bytes
}

/// The mapping of this process that holds an address.
fn mapped(address: u64) -> Result<Range<u64>> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    for line in maps.lines() {
        let range = line
            .split(' ')
            .next()
            .and_then(|range| range.split_once('-'));
        let Some((from, to)) = range else { continue };
        let number = |digits| u64::from_str_radix(digits, 16).unwrap_or(0);
        let range = number(from)..number(to);
        if range.contains(&address) {
            return Ok(range);
        }
    }
    Err(Error::Other(format!("nothing is mapped at {address:#x}")))
}
