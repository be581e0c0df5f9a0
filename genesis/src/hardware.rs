//! Discovery's way to the machine: loads that may fault, and the processor's own instructions.

use crate::{arch, memory, paging, probe};
use alloc::vec::Vec;
use discovery::Hardware;

/// Device registers are made reachable in pieces of this size.
const PIECE: u64 = paging::LARGE;

/// The machine that genesis runs on.
#[derive(Default)]
pub struct Machine {
    /// What the firmware's memory map names: reachable from the start.
    known: Vec<(u64, u64)>,
    /// Pieces of device space that were made reachable.
    pieces: Vec<u64>,
}

impl Machine {
    pub fn new(map: &[machine::MemoryRange]) -> Machine {
        let mut known: Vec<(u64, u64)> = map.iter().map(|r| (r.base, r.size)).collect();
        known.extend(
            memory::with(|m| m.ram)
                .all()
                .iter()
                .map(|r| (r.base, r.size)),
        );
        Machine {
            known,
            pieces: Vec::new(),
        }
    }

    /// Maps the place as device registers unless it is memory, or was mapped before.
    fn reach(&mut self, physical: u64) {
        if self.pieces.last() == Some(&(physical / PIECE)) || self.is_memory(physical) {
            return;
        }
        let piece = physical / PIECE;
        if !self.pieces.contains(&piece) {
            paging::device(piece * PIECE, PIECE);
        }
        // The piece used last is looked at first.
        self.pieces.retain(|p| *p != piece);
        self.pieces.push(piece);
    }

    fn is_memory(&self, physical: u64) -> bool {
        let inside = |(base, size): &(u64, u64)| physical >= *base && physical - base < *size;
        self.known.iter().any(inside)
    }
}

impl Hardware for Machine {
    fn read(&mut self, physical: u64, bits: u32) -> Option<u64> {
        self.reach(physical);
        probe::read(physical, bits).ok()
    }

    fn write(&mut self, physical: u64, bits: u32, value: u64) {
        if self.is_memory(physical) {
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

    fn cpuid(&mut self, leaf: u32, sub: u32) -> [u32; 4] {
        arch::cpuid(leaf, sub)
    }

    fn register(&mut self, number: u32) -> Option<u64> {
        let probe = arch::probe_register(number, None);
        (probe.failed == 0).then_some(probe.value)
    }
}
