//! The boot image as it is loaded: genesis packed (`compress`), and in front of it the few instructions of `doors/unpack`
//! that unpack it over the stream itself. All of it lies inside of the memory that genesis has for its own, so that nothing
//! is left of it when genesis is gone.

use crate::image::Arch;
use anyhow::{ensure, Context, Result};
use object::{Object, ObjectSegment};

/// What the unpacking code may read or write further than it must, and more.
const SLACK: u64 = 64;
/// What a step of the stream is taken to cost (`compress::pack`): as much as leaves the image below 2 MiB.
const STEP_X86_64: u32 = 3;
const STEP_AARCH64: u32 = 16;
const ALIGN: u64 = 16;
const PAGE: u64 = 4096;
/// Bytes from the first byte of genesis on x86-64 to its entry for `doors/unpack`, which has read the counter in the
/// machine's first instructions (`genesis/src/arch/x86_64/door.s`).
const ENTRY_UNPACKED: u64 = 8;

/// The first byte of the door on x86-64, before the address that it is given.
const MOV_EBP: u8 = 0xbd;

/// A program's loaded bytes in one piece.
pub struct Flat {
    /// Address of the first, if it has a place of its own.
    pub base: u64,
    pub bytes: Vec<u8>,
    /// How much memory they and what is zero behind them take.
    pub size: u64,
}

/// The loaded bytes of an ELF file.
fn flat(elf: &[u8]) -> Result<Flat> {
    let file = object::File::parse(elf).context("the image is no ELF file")?;
    let base = file.segments().map(|s| s.address()).min();
    let base = base.context("the image has no segments")?;
    let mut flat = Flat {
        base,
        bytes: Vec::new(),
        size: 0,
    };
    for segment in file.segments() {
        let at = (segment.address() - base) as usize;
        let bytes = segment.data().context("a segment's bytes")?;
        if flat.bytes.len() < at + bytes.len() {
            flat.bytes.resize(at + bytes.len(), 0);
        }
        flat.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        flat.size = flat.size.max(segment.address() - base + segment.size());
    }
    Ok(flat)
}

/// The boot image of a linked genesis, with `door` in front.
///
/// # Errors
/// When it does not fit into the memory that genesis has.
pub fn image(arch: Arch, genesis: &[u8], door: &[u8]) -> Result<Vec<u8>> {
    match arch {
        Arch::X86_64 => elf(&flat(genesis)?, door),
        Arch::Aarch64 => linux_image(genesis, door),
    }
}

/// The stream, and by how much it must end behind what it becomes.
fn packed(bytes: &[u8], step: u32) -> Result<(Vec<u8>, u64)> {
    let stream = compress::pack(bytes, step);
    let mut back = vec![0; bytes.len()];
    let margin = compress::margin(&stream, &mut back);
    let margin = margin.ok().filter(|_| back == bytes);
    let margin = margin.context("what was packed does not come back")?;
    Ok((stream, margin as u64 + SLACK))
}

/// Puts words into the door's code.
fn put<const N: usize>(door: &mut [u8], at: usize, words: &[[u8; N]]) -> Result<()> {
    let room = door.get_mut(at..at + N * words.len());
    room.context("the door is too short")?
        .copy_from_slice(words.as_flattened());
    Ok(())
}

/// An ELF file with the note of a PVH guest, and one segment: the stream, and the door behind it.
fn elf(flat: &Flat, door: &[u8]) -> Result<Vec<u8>> {
    ensure!(
        door.first() == Some(&MOV_EBP),
        "the door does not begin as it should"
    );
    let (stream, margin) = packed(&flat.bytes, STEP_X86_64)?;
    let end = (flat.base + flat.bytes.len() as u64 + margin).next_multiple_of(ALIGN);
    let start = end - stream.len() as u64;
    let door_at = (end + SLACK).next_multiple_of(ALIGN);
    let memory_end = flat.base + flat.size;
    ensure!(
        door_at + door.len() as u64 <= memory_end,
        "there is no room for the door behind the image"
    );
    let word = |n: u64| u32::try_from(n).map(u32::to_le_bytes);
    let mut door = door.to_vec();
    put(&mut door, 1, &[word(door_at)?])?;
    let unpacked = flat.base + flat.bytes.len() as u64;
    let entry = flat.base + ENTRY_UNPACKED;
    put(
        &mut door,
        16,
        &[
            word(start)?,
            word(flat.base)?,
            word(unpacked)?,
            word(entry)?,
        ],
    )?;

    let mut loaded = stream;
    loaded.resize((door_at - start) as usize, 0);
    loaded.extend(&door);
    // In the file it lies as far into a page as in memory.
    let heads = 64 + 2 * 56;
    let note_at = heads;
    let at = {
        let least = note_at + 24;
        least + (start % PAGE + PAGE - least % PAGE) % PAGE
    };
    let mut file = Vec::new();
    file.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    let half =
        |file: &mut Vec<u8>, words: &[u16]| words.iter().for_each(|w| file.extend(w.to_le_bytes()));
    let long =
        |file: &mut Vec<u8>, words: &[u64]| words.iter().for_each(|w| file.extend(w.to_le_bytes()));
    let both =
        |file: &mut Vec<u8>, words: &[u32]| words.iter().for_each(|w| file.extend(w.to_le_bytes()));
    use object::elf::{EM_X86_64, ET_EXEC, PF_R, PF_W, PF_X, PT_LOAD, PT_NOTE};
    half(&mut file, &[ET_EXEC.0, EM_X86_64.0]);
    both(&mut file, &[1]);
    long(&mut file, &[door_at, 64, 0]);
    both(&mut file, &[0]);
    half(&mut file, &[64, 56, 2, 0, 0, 0]);
    both(&mut file, &[PT_LOAD.0, (PF_R | PF_W | PF_X).0]);
    let in_file = loaded.len() as u64;
    long(
        &mut file,
        &[at, start, start, in_file, memory_end - start, PAGE],
    );
    both(&mut file, &[PT_NOTE.0, PF_R.0]);
    long(&mut file, &[note_at, 0, 0, 24, 24, 4]);
    // XEN_ELFNOTE_PHYS32_ENTRY
    both(&mut file, &[4, 8, 18]);
    file.extend(b"Xen\0");
    long(&mut file, &[door_at]);
    file.resize(at as usize, 0);
    file.extend(loaded);
    Ok(file)
}

/// A Linux `Image`: the door, which has its header, and the stream behind it.
fn linux_image(genesis: &[u8], door: &[u8]) -> Result<Vec<u8>> {
    let size = genesis.get(16..24).context("the image has no header")?;
    let size = u64::from_le_bytes(size.try_into()?);
    ensure!(
        door.get(56..60) == Some(b"ARM\x64"),
        "the door does not begin as it should"
    );
    let (stream, margin) = packed(genesis, STEP_AARCH64)?;
    let mut file = door.to_vec();
    file.resize(file.len().next_multiple_of(ALIGN as usize), 0);
    let from = file.len() as u64;
    file.extend(stream);
    // The stream ends with the file, so that what is moved ends where the stream has to.
    let slack = file.len().next_multiple_of(ALIGN as usize) - file.len();
    file.resize(file.len() + slack, 0);
    let length = file.len() as u64;
    let plain = genesis.len() as u64;
    let end = (plain + margin + slack as u64).next_multiple_of(ALIGN);
    let table = (size - 1) / PAGE * PAGE - PAGE;
    let door_at = end + SLACK;
    ensure!(
        door_at + from <= table,
        "there is no room for the door behind the image"
    );
    let moved = end
        .checked_sub(length)
        .context("it became larger when packed")?;
    let words = [from, length, moved, plain, door_at, table].map(u64::to_le_bytes);
    put(&mut file, 16, &[size.to_le_bytes()])?;
    put(&mut file, 64, &words)?;
    Ok(file)
}

/// The genesis that a boot image of this tool carries.
///
/// # Errors
/// When it is no such image.
pub fn genesis(arch: Arch, image: &[u8]) -> Result<Flat> {
    match arch {
        Arch::X86_64 => genesis_of_elf(image),
        Arch::Aarch64 => genesis_of_linux_image(image),
    }
    .context("the image is not one that this tool has packed")
}

fn unpacked(stream: &[u8], length: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).ok().filter(|n| *n < 1 << 30)?];
    compress::unpack(stream, &mut bytes).ok().map(|()| bytes)
}

fn genesis_of_elf(image: &[u8]) -> Option<Flat> {
    let file = object::File::parse(image).ok()?;
    let segment = file.segments().next()?;
    let (start, bytes) = (segment.address(), segment.data().ok()?);
    let door = bytes.get(file.entry().checked_sub(start)? as usize..)?;
    let word = |n: usize| {
        let word = door.get(16 + 4 * n..20 + 4 * n)?.try_into().ok()?;
        Some(u64::from(u32::from_le_bytes(word)))
    };
    let (base, end) = (word(1)?, word(2)?);
    let stream = bytes.get(word(0)?.checked_sub(start)? as usize..)?;
    Some(Flat {
        base,
        bytes: unpacked(stream, end.checked_sub(base)?)?,
        size: (start + segment.size()).checked_sub(base)?,
    })
}

fn genesis_of_linux_image(image: &[u8]) -> Option<Flat> {
    let word = |at: usize| Some(u64::from_le_bytes(image.get(at..at + 8)?.try_into().ok()?));
    let stream = image.get(usize::try_from(word(64)?).ok()?..)?;
    Some(Flat {
        base: 0,
        bytes: unpacked(stream, word(88)?)?,
        size: word(16)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A linked arm64 genesis, as far as packing looks at it.
    fn genesis_like() -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..200_000u32)
            .map(|n| (n % 251 * (n / 1000 % 7)) as u8)
            .collect();
        bytes[16..24].copy_from_slice(&400_000u64.to_le_bytes());
        bytes
    }

    #[test]
    fn an_image_gives_back_the_genesis_it_was_made_of() {
        let plain = genesis_like();
        let flat = Flat {
            base: 0x10_0000,
            bytes: plain.clone(),
            size: 400_000,
        };
        let mut door = [0; 600];
        door[0] = MOV_EBP;
        door[56..60].copy_from_slice(b"ARM\x64");
        for (arch, image) in [
            (Arch::X86_64, elf(&flat, &door).unwrap()),
            (Arch::Aarch64, linux_image(&plain, &door).unwrap()),
        ] {
            assert!(image.len() < plain.len(), "{} bytes", image.len());
            let back = genesis(arch, &image).unwrap();
            assert_eq!(back.size, 400_000);
            assert!(back.bytes == plain, "{}", arch.name());
            assert!(genesis(arch, &image[..image.len() / 2]).is_err());
            assert!(genesis(arch, &plain).is_err());
        }
    }

    #[test]
    fn an_image_without_room_for_its_door_is_refused() {
        let plain = genesis_like();
        let flat = Flat {
            base: 0x10_0000,
            bytes: plain.clone(),
            size: plain.len() as u64 + 500,
        };
        assert!(elf(&flat, &[0; 600]).is_err());
        let mut tight = plain;
        tight[16..24].copy_from_slice(&200_100u64.to_le_bytes());
        assert!(linux_image(&tight, &[0; 600]).is_err());
    }
}
