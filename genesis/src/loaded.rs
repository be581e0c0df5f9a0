//! The door that the UEFI loader enters: what it tells (`abi::door`) becomes a [`Handover`].

use crate::door::{Firmware, Handover};
use crate::probe;
use abi::boot::Range;
use abi::door::{kind, Piece, Screen, Told, MAGIC};
use alloc::{vec, vec::Vec};
use core::mem::offset_of;
use discovery::devicetree::LARGEST;
use machine::{Fact, MemoryKind, MemoryRange, Source, Value};

/// More entries than a loader hands over; a broken map ends here.
const MOST: usize = 256;

const SOURCE: Source = Source::Firmware(*b"uefi");

fn word(at: usize) -> u64 {
    probe::read(at as u64, 64).unwrap_or(0)
}

fn half(at: usize) -> u32 {
    probe::read(at as u64, 32).unwrap_or(0) as u32
}

/// Whether a [`Told`] of this version is at this physical address.
pub fn is_told(at: u64) -> bool {
    let at = at as usize;
    at.is_multiple_of(8)
        && word(at) == MAGIC
        && word(at + offset_of!(Told, size)) == size_of::<Told>() as u64
}

/// Starts with what the loader tells at `told`. `image` is where genesis is; `memory` is called with each range of memory
/// with contents, so that it can be made reachable.
pub fn start(told: u64, ticks: u64, image: Range, memory: impl Fn(u64, u64)) -> ! {
    if !is_told(told) {
        crate::stop!("the loader told nothing at {told:#x}");
    }
    let at = told as usize;
    let mut door = Handover::new("uefi", ticks);
    door.take(image.base, image.size);
    let (pieces, count) = pieces(at);
    let pieces = &pieces[..count];
    for piece in pieces {
        if piece.kind == kind::RAM {
            door.ram(piece.base, piece.size);
        }
        if contents(piece.kind).is_some() {
            memory(piece.base, piece.size);
        }
    }
    door.take(0, 4096);
    door.take(told, word(at + offset_of!(Told, whole)));
    let line = word(at + offset_of!(Told, line));
    let size = word(at + offset_of!(Told, line_size));
    door.command_line((0..size).map_while(|n| probe::read(line + n, 8).ok().map(|b| b as u8)));
    firmware(&mut door, at);
    crate::arch::forget_translations();
    door.start_memory();
    door.map = pieces.iter().map(range).collect();
    door.boot.extend(screen(at));
    let smbios = word(at + offset_of!(Told, smbios));
    if smbios != 0 {
        door.boot.push(number("smbios", smbios));
    }
    crate::main(door)
}

/// The memory map, copied before its memory is given away.
fn pieces(at: usize) -> ([Piece; MOST], usize) {
    let mut copy = [Piece::default(); MOST];
    let map = word(at + offset_of!(Told, map)) as usize;
    let count = MOST.min(word(at + offset_of!(Told, map_count)) as usize);
    for (n, piece) in copy[..count].iter_mut().enumerate() {
        let at = map + n * size_of::<Piece>();
        *piece = Piece {
            base: word(at + offset_of!(Piece, base)),
            size: word(at + offset_of!(Piece, size)),
            kind: word(at + offset_of!(Piece, kind)),
        };
    }
    (copy, count)
}

/// A devicetree if there is one, else ACPI: where firmware offers both, the devicetree says more.
fn firmware(door: &mut Handover, at: usize) {
    let rsdp = word(at + offset_of!(Told, acpi));
    let dtb = word(at + offset_of!(Told, devicetree));
    door.firmware = Firmware::Acpi { rsdp };
    if dtb == 0 || !dtb.is_multiple_of(8) {
        return;
    }
    let magic = probe::read(dtb, 32).unwrap_or(0) as u32;
    let size = u32::from_be(probe::read(dtb + 4, 32).unwrap_or(0) as u32) as u64;
    if u32::from_be(magic) == 0xd00d_feed && size <= LARGEST {
        door.take(dtb, size);
        door.firmware = Firmware::Devicetree { at: dtb, size };
    }
}

/// What a kind of memory with contents is called in the model.
fn contents(kind: u64) -> Option<MemoryKind> {
    match kind {
        kind::RAM => Some(MemoryKind::Ram),
        kind::ACPI_TABLES => Some(MemoryKind::AcpiTables),
        kind::ACPI_NVS => Some(MemoryKind::AcpiNvs),
        _ => None,
    }
}

fn range(piece: &Piece) -> MemoryRange {
    MemoryRange {
        base: piece.base,
        size: piece.size,
        kind: contents(piece.kind).unwrap_or(match piece.kind {
            kind::MMIO => MemoryKind::Mmio,
            _ => MemoryKind::Reserved,
        }),
        source: SOURCE,
        facts: Vec::new(),
    }
}

fn number(name: &str, value: u64) -> Fact {
    Fact {
        name: name.into(),
        value: Value::Number(value),
        source: SOURCE,
    }
}

fn screen(at: usize) -> Vec<Fact> {
    let at = at + offset_of!(Told, screen);
    let size = word(at + offset_of!(Screen, size));
    if size == 0 {
        return Vec::new();
    }
    let field = |name, offset| number(name, half(at + offset).into());
    vec![
        number("screen.base", word(at + offset_of!(Screen, base))),
        number("screen.size", size),
        field("screen.width", offset_of!(Screen, width)),
        field("screen.height", offset_of!(Screen, height)),
        field("screen.stride", offset_of!(Screen, stride)),
        field("screen.format", offset_of!(Screen, format)),
    ]
}
