//! ELF files into packed programs (`abi::program`), so that nothing parses ELF in the machine.

use abi::{
    boot::operation,
    layout::PAGE,
    program::{CallSite, Header, NucleusTable, Segment, MAGIC},
    system::map,
};
use anyhow::{bail, ensure, Context, Result};
use object::{
    elf::{PF_W, PF_X, PT_LOAD, R_AARCH64_CALL26, R_AARCH64_JUMP26, R_X86_64_PC32, R_X86_64_PLT32},
    read::elf::{ElfFile64, ProgramHeader},
    Endianness, Object, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget,
};

type Elf<'a> = ElfFile64<'a, Endianness>;

/// Packs a linked program. One with the symbol `platform_contexts` is the nucleus: its table of call sites follows.
///
/// # Errors
/// When it is no such ELF file, or its segments overlap, are not page-aligned, or are writable and executable.
pub fn pack(elf: &[u8]) -> Result<Vec<u8>> {
    let elf = Elf::parse(elf).context("not a 64-bit ELF file")?;
    let loaded = loaded(&elf)?;
    ensure!(!loaded.is_empty(), "nothing to load");
    let nucleus = nucleus(&elf)?;
    let head = size_of::<Header>() + size_of::<Segment>() * loaded.len();
    let mut at = (head as u64).next_multiple_of(PAGE);
    let mut segments = Vec::new();
    for (segment, bytes) in &loaded {
        segments.push(Segment {
            file_offset: at,
            file_size: bytes.len() as u64,
            ..*segment
        });
        at = (at + bytes.len() as u64).next_multiple_of(PAGE);
    }
    let mut packed = Vec::new();
    let table_at = if nucleus.is_some() { at } else { 0 };
    words(
        &mut packed,
        &[MAGIC, elf.entry(), segments.len() as u64, table_at],
    );
    for s in &segments {
        words(
            &mut packed,
            &[s.address, s.size, s.file_offset, s.file_size, s.flags],
        );
    }
    for (segment, (_, bytes)) in segments.iter().zip(&loaded) {
        packed.resize(segment.file_offset as usize, 0);
        packed.extend_from_slice(bytes);
    }
    packed.resize(packed.len().next_multiple_of(PAGE as usize), 0);
    if let Some((table, calls)) = nucleus {
        let t = table;
        let head = [
            t.code_at,
            t.code_size,
            t.data_at,
            t.data_size,
            t.contexts_at,
            t.calls,
        ];
        words(&mut packed, &head);
        calls
            .iter()
            .for_each(|call| words(&mut packed, &[call.operation, call.address]));
        packed.resize(packed.len().next_multiple_of(PAGE as usize), 0);
    }
    Ok(packed)
}

fn words(to: &mut Vec<u8>, words: &[u64]) {
    words
        .iter()
        .for_each(|word| to.extend_from_slice(&word.to_le_bytes()));
}

/// Segments in order, with the bytes of each; where they lie in the packed file is not known yet.
fn loaded<'a>(elf: &Elf<'a>) -> Result<Vec<(Segment, &'a [u8])>> {
    let endian = elf.endian();
    let mut found: Vec<(Segment, &[u8])> = Vec::new();
    for header in elf.elf_program_headers() {
        if header.p_type(endian) != PT_LOAD || header.p_memsz(endian) == 0 {
            continue;
        }
        let address = header.p_vaddr(endian);
        let flags = header.p_flags(endian);
        let (write, execute) = (flags.0 & PF_W.0 != 0, flags.0 & PF_X.0 != 0);
        ensure!(
            address % PAGE == 0,
            "the segment at {address:#x} is not page-aligned"
        );
        ensure!(
            !(write && execute),
            "the segment at {address:#x} is writable and executable"
        );
        let Ok(bytes) = header.data(endian, elf.data()) else {
            bail!("the segment at {address:#x} lies outside of the file");
        };
        let end = found.last().map_or(0, |(last, _)| last.address + last.size);
        ensure!(
            address >= end,
            "the segment at {address:#x} overlaps the one before"
        );
        let flag = |yes, flag| if yes { flag } else { 0 };
        let segment = Segment {
            address,
            size: header.p_memsz(endian).next_multiple_of(PAGE),
            file_offset: 0,
            file_size: 0,
            flags: flag(write, map::WRITE) | flag(execute, map::EXECUTE),
        };
        found.push((segment, bytes));
    }
    Ok(found)
}

/// The rooms for generated code and data, and every call of a platform operation.
fn nucleus(elf: &Elf) -> Result<Option<(NucleusTable, Vec<CallSite>)>> {
    let symbol = |name: &str| {
        elf.symbol_by_name(name)
            .map(|symbol| symbol.address())
            .with_context(|| format!("no symbol {name}"))
    };
    let Ok(contexts_at) = symbol("platform_contexts") else {
        return Ok(None);
    };
    let calls = calls(elf)?;
    let table = NucleusTable {
        code_at: symbol("platform_code")?,
        code_size: symbol("platform_code_end")? - symbol("platform_code")?,
        data_at: symbol("platform_data")?,
        data_size: symbol("platform_data_end")? - symbol("platform_data")?,
        contexts_at,
        calls: calls.len() as u64,
    };
    Ok(Some((table, calls)))
}

fn operation_of(name: &str) -> Option<u64> {
    let name = name.strip_prefix("platform_")?;
    operation::NAMES
        .iter()
        .position(|(class, operation)| format!("{class}_{operation}") == name)
        .map(|n| n as u64)
}

/// Call sites, from the relocations that the linker kept (`--emit-relocs`).
fn calls(elf: &Elf) -> Result<Vec<CallSite>> {
    let mut found = Vec::new();
    for section in elf.sections() {
        for (address, relocation) in section.relocations() {
            let RelocationTarget::Symbol(index) = relocation.target() else {
                continue;
            };
            let target = elf
                .symbol_by_index(index)
                .context("a relocation without a symbol")?;
            let Some(operation) = target.name().ok().and_then(operation_of) else {
                continue;
            };
            let RelocationFlags::Elf { r_type } = relocation.flags() else {
                continue;
            };
            let call = match elf.architecture() {
                object::Architecture::X86_64 => [R_X86_64_PLT32, R_X86_64_PC32].contains(&r_type),
                object::Architecture::Aarch64 => {
                    [R_AARCH64_CALL26, R_AARCH64_JUMP26].contains(&r_type)
                }
                other => bail!("no such architecture here: {other:?}"),
            };
            let name = target.name().unwrap_or("?");
            ensure!(
                call,
                "the nucleus refers to {name} at {address:#x}, but not by a direct call"
            );
            found.push(CallSite { operation, address });
        }
    }
    ensure!(
        !found.is_empty(),
        "no calls of platform operations: was it linked with --emit-relocs?"
    );
    found.sort_by_key(|call| call.address);
    Ok(found)
}
