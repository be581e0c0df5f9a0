//! The code in memory, and a way in from which there is always a way out.
//!
//! Each entry is reached through a gate that saves the registers the caller wants back and notes the stack pointer. A
//! fault that cannot be served leaves through the gate's exit, as if the entry had returned.

use crate::memory::Mapping;
use crate::Result;
use std::cell::Cell;
use std::ops::Range;

/// Executable memory: the blob, then the gates.
pub(crate) struct Text {
    mapping: Mapping,
    /// Bytes of the blob.
    length: usize,
    /// Name and byte offset of each gate.
    gates: Vec<(String, u32)>,
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
    pub(crate) fn new(code: &[u8], entries: &[(&str, u32)]) -> Result<Text> {
        let exit = code.len().next_multiple_of(16);
        let gates_at = (exit + LEAVE.len()).next_multiple_of(16);
        let size = gates_at + entries.len() * 64;
        let mapping = Mapping::private(size, libc::PROT_READ | libc::PROT_WRITE)?;
        let stack = Box::new(Cell::new(0));
        let base = mapping.base() as u64;

        let mut bytes = vec![0xcc; size];
        bytes[..code.len()].copy_from_slice(code);
        bytes[exit..exit + LEAVE.len()].copy_from_slice(LEAVE);
        let mut gates = Vec::new();
        for (number, (name, offset)) in entries.iter().enumerate() {
            let at = gates_at + number * 64;
            let gate = gate(
                base + u64::from(*offset),
                stack.as_ptr() as u64,
                exit as i64 - at as i64,
            );
            bytes[at..at + gate.len()].copy_from_slice(&gate);
            gates.push((name.to_string(), at as u32));
        }
        // SAFETY: the mapping has at least `size` bytes, is fresh, and nothing else refers to it.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), mapping.base(), size) };
        mapping.protect(0, size, libc::PROT_READ | libc::PROT_EXEC);
        Ok(Text {
            mapping,
            length: code.len(),
            gates,
            exit,
            stack,
        })
    }

    /// Base and bytes of everything.
    pub(crate) fn whole(&self) -> (*const u8, usize) {
        (self.mapping.base(), self.mapping.size())
    }

    pub(crate) fn gates(&self) -> impl Iterator<Item = (&str, u32)> {
        self.gates.iter().map(|(name, at)| (name.as_str(), *at))
    }

    /// Addresses of the blob.
    pub(crate) fn code(&self) -> Range<u64> {
        let base = self.mapping.base() as u64;
        base..base + self.length as u64
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
