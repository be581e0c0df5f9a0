//! Firmware's memory map, as genesis reads it.

use abi::door::{kind, Piece};
use machine::MemoryKind;
use uefi::boot::MemoryType;
use uefi::mem::memory_map::MemoryMap;

/// What becomes of this memory once boot services have ended (UEFI 2.10, table 7.10).
pub fn kind_of(memory: MemoryType) -> u64 {
    match memory {
        MemoryType::CONVENTIONAL
        | MemoryType::LOADER_CODE
        | MemoryType::LOADER_DATA
        | MemoryType::BOOT_SERVICES_CODE
        | MemoryType::BOOT_SERVICES_DATA => kind::RAM,
        MemoryType::ACPI_RECLAIM => kind::ACPI_TABLES,
        MemoryType::ACPI_NON_VOLATILE => kind::ACPI_NVS,
        MemoryType::MMIO | MemoryType::MMIO_PORT_SPACE => kind::MMIO,
        _ => kind::RESERVED,
    }
}

/// What a kind is called in the machine model.
pub fn named(kind: u64) -> MemoryKind {
    match kind {
        kind::RAM => MemoryKind::Ram,
        kind::ACPI_TABLES => MemoryKind::AcpiTables,
        kind::ACPI_NVS => MemoryKind::AcpiNvs,
        kind::MMIO => MemoryKind::Mmio,
        _ => MemoryKind::Reserved,
    }
}

/// Fills `pieces` with the map, sorted, neighbours of one kind joined, and says how many there are. When there is no room
/// for all of it, the rest is left out: genesis then knows less memory than there is.
pub fn pieces(memory: &impl MemoryMap, pieces: &mut [Piece]) -> usize {
    let mut count = 0;
    for entry in memory.entries() {
        let piece = Piece {
            base: entry.phys_start,
            size: entry.page_count * 4096,
            kind: kind_of(entry.ty),
        };
        count = insert(pieces, count, piece);
    }
    count
}

fn insert(pieces: &mut [Piece], count: usize, piece: Piece) -> usize {
    let listed = pieces.get(..count).unwrap_or_default();
    let at = listed.iter().position(|p| p.base > piece.base);
    let at = at.unwrap_or(count);
    let (before, behind) = pieces.split_at_mut(at);
    let end = piece.base.saturating_add(piece.size);
    if let Some(last) = before.last_mut() {
        if last.kind == piece.kind && last.base + last.size == piece.base {
            last.size += piece.size;
            // It may close the gap to the next.
            if let Some(next) = behind.first().filter(|_| at < count) {
                if next.kind == piece.kind && next.base == end {
                    last.size += next.size;
                    pieces.copy_within(at + 1..count, at);
                    return count - 1;
                }
            }
            return count;
        }
    }
    if let Some(next) = behind.first_mut().filter(|_| at < count) {
        if next.kind == piece.kind && next.base == end {
            next.base = piece.base;
            next.size += piece.size;
            return count;
        }
    }
    if count == pieces.len() {
        return count;
    }
    pieces.copy_within(at..count, at + 1);
    pieces[at] = piece;
    count + 1
}
