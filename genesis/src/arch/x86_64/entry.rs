//! Page table entries (Intel SDM volume 3A, 4.5).

use crate::paging::Access;
use core::sync::atomic::{AtomicU64, Ordering};

const PRESENT: u64 = 1;
const WRITE: u64 = 1 << 1;
/// Write-through and cache-disable: uncached with the power-on PAT.
const UNCACHED: u64 = 3 << 3;
const LARGE: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 8;

/// The bit that forbids execution, where this processor has it: elsewhere it must be 0.
static NO_EXECUTE: AtomicU64 = AtomicU64::new(0);

/// Looks whether this processor can forbid execution (SDM 2A, CPUID, leaf 0x80000001: EDX bit 20). Firmware can switch it off.
pub fn start() {
    const THERE: u32 = 1 << 20;
    if super::cpuid(0x8000_0001, 0)[3] & THERE != 0 {
        NO_EXECUTE.store(1 << 63, Ordering::Relaxed);
    }
}

/// Whether memory can be marked as not executable.
pub fn forbids_execution() -> bool {
    NO_EXECUTE.load(Ordering::Relaxed) != 0
}

pub fn leaf(physical: u64, access: Access, large: bool) -> u64 {
    let mut entry = physical | PRESENT;
    for (yes, bit) in [
        (access.write, WRITE),
        (!access.execute, NO_EXECUTE.load(Ordering::Relaxed)),
        (access.device, UNCACHED),
        (access.global, GLOBAL),
        (large, LARGE),
    ] {
        if yes {
            entry |= bit;
        }
    }
    entry
}

pub fn table(physical: u64) -> u64 {
    physical | PRESENT | WRITE
}

pub fn present(entry: u64) -> bool {
    entry & PRESENT != 0
}

/// Of an entry above the lowest level.
pub fn is_table(entry: u64) -> bool {
    entry & LARGE == 0
}

pub fn address(entry: u64) -> u64 {
    entry & 0x000f_ffff_ffff_f000
}

/// The part of a block that starts `offset` bytes into it, as a page or a smaller block.
pub fn part(block: u64, offset: u64, page: bool) -> u64 {
    let entry = block + offset;
    if page {
        entry & !LARGE
    } else {
        entry
    }
}
