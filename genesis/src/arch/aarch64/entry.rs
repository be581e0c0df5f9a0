//! Page table entries (Arm ARM, D8.3), stage 1, for EL1.

use crate::paging::Access;
use abi::boot::memory_type;

const VALID: u64 = 1;
/// A table, or at the lowest level a page.
const TABLE: u64 = 1 << 1;
const READ_ONLY: u64 = 1 << 7;
const INNER_SHAREABLE: u64 = 3 << 8;
const ACCESSED: u64 = 1 << 10;
const NOT_GLOBAL: u64 = 1 << 11;
const NO_EXECUTE_KERNEL: u64 = 1 << 53;
const NO_EXECUTE_USER: u64 = 1 << 54;

/// Whether memory can be marked as not executable: always, on this architecture.
pub fn forbids_execution() -> bool {
    true
}

pub fn leaf(physical: u64, access: Access, large: bool) -> u64 {
    let kind = match access.device {
        true => memory_type::DEVICE,
        false => memory_type::NORMAL,
    };
    let mut entry = physical | VALID | kind << 2 | INNER_SHAREABLE | ACCESSED | NO_EXECUTE_USER;
    for (yes, bit) in [
        (!access.write, READ_ONLY),
        (!access.execute, NO_EXECUTE_KERNEL),
        (!access.global, NOT_GLOBAL),
        (!large, TABLE),
    ] {
        if yes {
            entry |= bit;
        }
    }
    entry
}

pub fn table(physical: u64) -> u64 {
    physical | VALID | TABLE
}

pub fn present(entry: u64) -> bool {
    entry & VALID != 0
}

/// Of an entry above the lowest level.
pub fn is_table(entry: u64) -> bool {
    entry & TABLE != 0
}

pub fn address(entry: u64) -> u64 {
    entry & 0x0000_ffff_ffff_f000
}

/// The part of a block that starts `offset` bytes into it, as a page or a smaller block.
pub fn part(block: u64, offset: u64, page: bool) -> u64 {
    let entry = block + offset;
    if page {
        entry | TABLE
    } else {
        entry
    }
}
