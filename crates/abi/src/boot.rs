//! What genesis hands to the nucleus.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub const MAGIC: u64 = u64::from_le_bytes(*b"MetaBoot");
pub const RANGES: usize = 64;
pub const MODULES: usize = 16;
/// Devices that receive interrupt lines, at most.
pub const CONTROLLERS: usize = 16;
/// What `vectors.take` gives when there was no interrupt: all ones of its 32 bits (`rules/classes.rule`).
pub const NO_VECTOR: u64 = u32::MAX as u64;

#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq, Eq,
)]
pub struct Range {
    /// Physical, page aligned.
    pub base: u64,
    /// Bytes, a multiple of the page size.
    pub size: u64,
}

/// What a module is.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleKind {
    None = 0,
    /// The first task: a packed program.
    Manager = 1,
    Driver = 2,
    Console = 3,
    /// `inventory::Inventory` in postcard.
    Inventory = 4,
    /// The residuals' machine code.
    Codes = 5,
    /// The residuals' graphs (postcard `graph::Residual`), for `see`.
    Graphs = 6,
    /// A program started instead of the console (`--program`): measurements and tests.
    Other = 7,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct Module {
    pub kind: u32,
    pub reserved: u32,
    /// Physical, page aligned.
    pub base: u64,
    /// Bytes.
    pub size: u64,
}

/// The interrupt lines of one controller: the facts of class `lines`.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq, Eq,
)]
pub struct Lines {
    pub first: u32,
    pub count: u32,
    /// Its lines below this number have the vector [`vector::LINES`] + line, whatever they are routed to.
    pub fixed: u32,
    pub reserved: u32,
}

impl Lines {
    pub fn has(&self, line: u32) -> bool {
        line.checked_sub(self.first).is_some_and(|n| n < self.count)
    }
}

/// In memory that the nucleus keeps; its physical address is the nucleus's first argument.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct BootInfo {
    pub magic: u64,
    /// Bytes of this structure: both sides were built from the same source.
    pub size: u64,
    /// All RAM, sorted.
    pub ram: [Range; RANGES],
    pub ram_count: u64,
    /// What genesis installed and the nucleus keeps: its image, page tables, this structure. Modules are apart.
    /// All RAM in neither is overwritten and free.
    pub keep: [Range; RANGES],
    pub keep_count: u64,
    /// What genesis used itself (a subset of what is then free), for the account of what vanished.
    pub genesis: [Range; RANGES],
    pub genesis_count: u64,
    pub modules: [Module; MODULES],
    pub module_count: u64,
    /// Physical address of the kernel's page table root (PML4, or TTBR1 level 0 table).
    pub page_root: u64,
    /// Bytes of page tables under it.
    pub page_tables: u64,
    /// Ticks a second of `platform_clock_now` and bits it counts in.
    pub clock_hz: u64,
    pub clock_bits: u64,
    /// Ticks a second of `platform_timer_arm`'s argument, and its largest value.
    pub timer_hz: u64,
    pub timer_most: u64,
    /// Vector (x86) or interrupt ID (arm64) of the timer.
    pub timer_line: u64,
    /// Vector (x86) or interrupt ID (arm64) of the first message that a device may send, and how many there are.
    pub message_first: u64,
    pub message_count: u64,
    /// A vector or interrupt ID that means that there was no interrupt, beside [`NO_VECTOR`], which it is where a machine
    /// has no such number.
    pub spurious: u64,
    /// The lines of each controller that is bound.
    pub lines: [Lines; CONTROLLERS],
    pub lines_count: u64,
    /// Which operations of [`operation`] genesis bound: bit n for operation n.
    pub bound: u64,
    /// Counter at the first instruction of genesis.
    pub ticks_start: u64,
    /// Bytes of the segment with the room for generated code that are mapped: no more than the code needs.
    pub room_mapped: u64,
}

/// Platform operations, as `rules/classes.rule` lists them. The nucleus image has a symbol `platform_CLASS_OPERATION` for
/// each, in its section `.platform`; genesis writes the generated code into that section and patches each call site to call
/// it directly. Word n of the symbol `platform_contexts` is the context for operation n.
pub use contract::operation;

/// Platform operations that the nucleus has room for: bits of [`BootInfo::bound`], and words of `platform_contexts`.
pub const OPERATIONS: usize = 64;
const _: () = assert!(operation::COUNT <= OPERATIONS);

/// Vectors (x86). Line vectors are `LINES + n`, those of messages `MESSAGES + n`.
pub mod vector {
    pub const LINES: u64 = 0x30;
    pub const MESSAGES: u64 = 0x80;
    pub const MOST_MESSAGES: u64 = 64;
    pub const TIMER: u64 = 0xf0;

    /// Whether a vector is the processor's, or means something to the nucleus.
    pub const fn in_use(vector: u64) -> bool {
        vector < 32 || vector == TIMER || LINES <= vector && vector < MESSAGES + MOST_MESSAGES
    }
}

/// arm64: indices into `MAIR_EL1` ([`memory_type::MAIR`]), which genesis sets and the nucleus keeps.
/// 4 KiB granule, 48-bit addresses in both halves, inner shareable.
pub mod memory_type {
    /// Device-nGnRE.
    pub const DEVICE: u64 = 0;
    /// Normal, write-back, read and write allocate.
    pub const NORMAL: u64 = 1;
    /// Normal, not cached.
    pub const UNCACHED: u64 = 2;
    pub const MAIR: u64 = 0x44_ff_04;
}
