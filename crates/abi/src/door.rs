//! What a loader that starts genesis in memory of its choice tells it, and where it enters: the door behind which UEFI
//! stands. (The other doors have protocols of their own: PVH on x86-64, Linux's `Image` on arm64.)
//!
//! The image is loaded at a 2 MiB boundary below [`END`], with memory behind it for all that it needs, and entered with
//! interrupts off and the physical address of a [`Told`] as the first argument. `Told` and what it names stand right
//! behind the image's memory.
//! - x86-64: in 64-bit mode with four levels of page tables that map the image and `Told` to themselves, at
//!   [`ENTRY_X86_64`] bytes into the image, address in `RDI`;
//! - arm64: at its first byte with MMU and data cache off, the image clean to memory, address in `X0`.

/// First word of [`Told`].
pub const MAGIC: u64 = u64::from_le_bytes(*b"MetaDoor");

/// First of the four words before a packed image in a loader's file: this; bytes in memory; bytes from the first of them to
/// the entry; bytes that unpacking gives. An LZ4 block follows.
pub const PACKED: u64 = u64::from_le_bytes(*b"MetaPack");

/// Bytes from the first byte of the x86-64 image to the entry in 64-bit mode; the PVH entry is at the first byte.
pub const ENTRY_X86_64: u64 = 16;

/// Where the image starts in memory, and ends.
pub const ALIGN: u64 = 2 << 20;
/// No byte of the image or of [`Told`] and what it names is at or above this address: what the door's own tables map.
pub const END: u64 = if cfg!(target_arch = "x86_64") {
    4 << 30
} else {
    512 << 30
};

/// Everything that firmware knew. Addresses are physical, and 0 where there is nothing.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub magic: u64,
    /// Bytes of this structure.
    pub size: u64,
    /// Bytes of memory from the first of this structure to the last of what it names.
    pub whole: u64,
    /// ACPI's root pointer, devicetree blob, SMBIOS entry point.
    pub acpi: u64,
    pub devicetree: u64,
    pub smbios: u64,
    /// The memory map: an array of [`Piece`], sorted, without overlaps.
    pub map: u64,
    pub map_count: u64,
    /// The command line.
    pub line: u64,
    pub line_size: u64,
    pub screen: Screen,
}

/// A frame buffer of 32-bit pixels that firmware set up; `size` 0 if there is none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    pub base: u64,
    /// Bytes.
    pub size: u64,
    /// Pixels.
    pub width: u32,
    pub height: u32,
    /// Pixels from one line to the next.
    pub stride: u32,
    /// 0: red in the lowest byte; 1: blue; 2: something else.
    pub format: u32,
}

/// A range of physical memory.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    pub base: u64,
    /// Bytes.
    pub size: u64,
    /// One of [`kind`].
    pub kind: u64,
}

/// Kinds of memory, numbered as ACPI numbers them (ACPI 6.5, table 15.4), and one of our own.
pub mod kind {
    pub const RAM: u64 = 1;
    pub const RESERVED: u64 = 2;
    pub const ACPI_TABLES: u64 = 3;
    pub const ACPI_NVS: u64 = 4;
    /// Device registers that firmware's runtime services use.
    pub const MMIO: u64 = 0x100;
}
