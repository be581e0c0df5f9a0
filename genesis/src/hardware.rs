//! Discovery's way to the machine: loads that may fault, and the processor's own instructions.

use crate::{arch, paging, probe};
use alloc::vec::Vec;
use discovery::Hardware;
use machine::MemoryKind;

/// Device registers are made reachable in pieces of this size.
const PIECE: u64 = paging::LARGE;

/// The machine that genesis runs on.
#[derive(Default)]
pub struct Machine {
    /// Memory with contents: reachable from the start, and never written by discovery.
    memory: Vec<(u64, u64)>,
    /// Pieces of device space that were made reachable.
    pieces: Vec<u64>,
}

impl Machine {
    pub fn new(map: &[machine::MemoryRange]) -> Machine {
        let contents = [MemoryKind::Ram, MemoryKind::AcpiTables, MemoryKind::AcpiNvs];
        let mut memory: Vec<(u64, u64)> = map
            .iter()
            .filter(|r| contents.contains(&r.kind))
            .map(|r| (r.base, r.size))
            .collect();
        memory.extend(
            crate::memory::with(|m| m.ram)
                .all()
                .iter()
                .map(|r| (r.base, r.size)),
        );
        Machine {
            memory,
            pieces: Vec::new(),
        }
    }

    /// Maps the piece around a place as device registers, unless it was before, or has memory in it. (Firmware may keep
    /// its tables beside RAM, in what it calls reserved: those stay as they are, readable.)
    fn reach(&mut self, physical: u64) {
        let piece = physical / PIECE;
        if self.pieces.last() == Some(&piece) || self.memory_in(piece * PIECE, PIECE) {
            return;
        }
        if !self.pieces.contains(&piece) {
            paging::device(piece * PIECE, PIECE);
        }
        // The piece used last is looked at first.
        self.pieces.retain(|p| *p != piece);
        self.pieces.push(piece);
    }

    /// Makes memory at a place reachable, past caches where the door's own tables do not reach; false if genesis itself
    /// stands on it.
    fn reach_memory(&mut self, physical: u64) -> bool {
        if crate::memory::uses(physical) {
            return false;
        }
        let piece = physical / PIECE;
        if physical >= arch::REACH && !self.pieces.contains(&piece) {
            paging::device(piece * PIECE, PIECE);
            self.pieces.push(piece);
        }
        true
    }

    fn memory_in(&self, from: u64, size: u64) -> bool {
        let touches =
            |(base, length): &(u64, u64)| from < base + length && *base < from.saturating_add(size);
        self.memory.iter().any(touches)
    }
}

impl Hardware for Machine {
    fn read(&mut self, physical: u64, bits: u32) -> Option<u64> {
        self.reach(physical);
        probe::read(physical, bits).ok()
    }

    fn write(&mut self, physical: u64, bits: u32, value: u64) {
        if self.memory_in(physical, 8) {
            crate::log!("a write to memory at {physical:#x} is refused");
            return;
        }
        self.reach(physical);
        // SAFETY: not in the memory map, so no Rust value lives there. A fault means that nothing was written.
        let _ = unsafe { probe::write(physical, bits, value) };
    }

    fn copy(&mut self, physical: u64, to: &mut [u8]) -> bool {
        let mut at = physical;
        let (chunks, rest) = to.as_chunks_mut::<8>();
        for chunk in chunks {
            match self.read(at, 64) {
                Some(word) => *chunk = word.to_le_bytes(),
                None => return false,
            }
            at += 8;
        }
        for byte in rest {
            match self.read(at, 8) {
                Some(value) => *byte = value as u8,
                None => return false,
            }
            at += 1;
        }
        true
    }

    fn port_read(&mut self, port: u16, bits: u32) -> u64 {
        arch::port_read(port, bits)
    }

    fn port_write(&mut self, port: u16, bits: u32, value: u64) {
        arch::port_write(port, bits, value);
    }

    fn ram_write(&mut self, physical: u64, bits: u32, value: u64) -> bool {
        if !self.reach_memory(physical) {
            return false;
        }
        // SAFETY: RAM that genesis does not use, or no memory at all: no Rust value lives there. Who tests it puts back
        // what was there.
        let written = unsafe { probe::write(physical, bits, value) }.is_ok();
        // SAFETY: `reach_memory` said that it is mapped.
        unsafe { arch::past_caches(physical) };
        written
    }

    fn ram_read(&mut self, physical: u64, bits: u32) -> Option<u64> {
        if !self.reach_memory(physical) {
            return None;
        }
        // SAFETY: as in `ram_write`.
        unsafe { arch::past_caches(physical) };
        probe::read(physical, bits).ok()
    }

    fn what_failed(&mut self) -> Option<alloc::string::String> {
        Some(arch::refused())
    }

    fn cpuid(&mut self, leaf: u32, sub: u32) -> [u32; 4] {
        arch::cpuid(leaf, sub)
    }

    fn register(&mut self, number: u32) -> Option<u64> {
        probe::register(number, None)
    }

    fn cache(&mut self, selector: u64) -> Option<u64> {
        arch::cache(selector)
    }
}
