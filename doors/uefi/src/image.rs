//! Unpacks genesis into the memory where it will run, and puts what it is told (`abi::door::Told`) right behind it.

use crate::map;
use crate::tables::Found;
use abi::door::{Piece, Told, ALIGN, END, MAGIC};
use alloc::{format, string::String};
use uefi::boot::{self, AllocateType, MemoryType};
use uefi::mem::memory_map::MemoryMap;

const PAGE: u64 = 4096;
/// Most pieces of the memory map that are handed over.
const PIECES: usize = 256;

/// A genesis that is ready to run.
pub struct Placed {
    /// Where it is, and how many bytes of memory it and what it is told take.
    pub base: u64,
    pub size: u64,
    /// Physical address of its first instruction.
    pub entry: u64,
    pub told: u64,
}

struct Packed<'a> {
    /// Bytes in memory, and from the first of them to the entry.
    size: u64,
    entry: u64,
    /// Bytes that unpacking gives.
    plain: u64,
    block: &'a [u8],
}

fn packed(bytes: &[u8]) -> Option<Packed<'_>> {
    let word = |n: usize| {
        Some(u64::from_le_bytes(
            bytes.get(8 * n..8 * n + 8)?.try_into().ok()?,
        ))
    };
    let packed = Packed {
        size: word(1)?,
        entry: word(2)?,
        plain: word(3)?,
        block: bytes.get(32..)?,
    };
    let sound = packed.plain <= packed.size && packed.entry < packed.plain && packed.size < 1 << 30;
    (word(0)? == abi::door::PACKED && sound).then_some(packed)
}

/// Unpacks genesis, and writes down everything it is told but the memory map.
///
/// # Errors
/// When the door carries no genesis, or there is no memory for it.
pub fn place(bytes: &[u8], found: &Found, line: &str) -> Result<Placed, String> {
    let packed = packed(bytes).ok_or("this file carries no genesis")?;
    let size = packed.size.next_multiple_of(PAGE);
    let behind = size_of::<Told>() + PIECES * size_of::<Piece>() + line.len();
    let whole = size + (behind as u64).next_multiple_of(PAGE);
    let pages = (whole + ALIGN) / PAGE;
    let memory = boot::allocate_pages(
        AllocateType::MaxAddress(END - 1),
        // Firmware may forbid to execute what is called data.
        MemoryType::LOADER_CODE,
        pages as usize,
    )
    .map_err(|e| {
        format!(
            "no {} MiB of memory in one piece ({})",
            pages >> 8,
            e.status()
        )
    })?;
    let base = (memory.as_ptr() as u64).next_multiple_of(ALIGN);
    // SAFETY: firmware gave `whole` bytes from `base` to this program alone.
    let room = unsafe { core::slice::from_raw_parts_mut(base as *mut u8, whole as usize) };
    room.fill(0);
    let (image, told) = room.split_at_mut(size as usize);
    let plain = image.get_mut(..packed.plain as usize).ok_or("too short")?;
    match lz4_flex::block::decompress_into(packed.block, plain) {
        Ok(count) if count as u64 == packed.plain => {}
        _ => return Err("the genesis in this file is damaged".into()),
    }
    let map_at = size_of::<Told>();
    let line_at = map_at + PIECES * size_of::<Piece>();
    if let Some(to) = told.get_mut(line_at..line_at + line.len()) {
        to.copy_from_slice(line.as_bytes());
    }
    let at = base + size;
    let words = Told {
        magic: MAGIC,
        size: size_of::<Told>() as u64,
        whole: whole - size,
        acpi: found.acpi,
        devicetree: found.devicetree,
        smbios: found.smbios,
        map: at + map_at as u64,
        map_count: 0,
        line: at + line_at as u64,
        line_size: line.len() as u64,
        screen: found.screen,
    };
    // SAFETY: `told` is longer than a `Told`, and begins on a page.
    unsafe { told.as_mut_ptr().cast::<Told>().write(words) };
    Ok(Placed {
        base,
        size: whole,
        entry: base + packed.entry,
        told: at,
    })
}

impl Placed {
    /// Adds the memory map as it is at the very end. Allocates nothing.
    pub fn tell_map(&self, memory: &impl MemoryMap) {
        // SAFETY: `place` wrote a `Told` there, and room for the pieces behind it; nobody else has either.
        let told = unsafe { &mut *(self.told as *mut Told) };
        // SAFETY: as above; zeroes are a valid `Piece`.
        let pieces = unsafe { core::slice::from_raw_parts_mut(told.map as *mut Piece, PIECES) };
        told.map_count = map::pieces(memory, pieces) as u64;
    }
}
