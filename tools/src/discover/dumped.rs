//! A machine that somebody dumped: its firmware tables, and nothing of what they speak of. Discovery runs over them as it does
//! in the machine; memory, ports and configuration space that the tables ask for read as one byte.

use super::tables::{Tables, HEADER};
use anyhow::{bail, Context, Result};
use discovery::{Firmware, Hardware, Request, Route};
use machine::{Arch, Machine, MemoryKind, MemoryRange, Source};
use std::path::{Path, PathBuf};

/// The model of the machine whose tables are in a folder, or in what `acpidump` printed. What `_INI` does to itself with numbers
/// that a dump does not have is nothing to go by: it is run only to see what that would be.
///
/// # Errors
/// When there is no table DSDT.
pub fn acpi(path: &Path, fill: u8, initialise: bool) -> Result<Machine> {
    let (mut hardware, arch) = read(path, fill)?;
    let mut request = Request {
        firmware: Firmware::Acpi(hardware.tables.root_pointer()),
        ..Request::new(arch)
    };
    request.options.as_written = !initialise;
    let mut model = discovery::discover(&mut hardware, request);
    model.notes.push(
        "this is a dump: what is on PCI, the processor's features and the memory map are not in its tables".into(),
    );
    Ok(model)
}

/// The entries of every `_PRT` that discovery takes, how many host bridges there are, and what discovery said.
///
/// # Errors
/// When there is no table DSDT.
pub fn routes(path: &Path, fill: u8) -> Result<(Vec<Route>, usize, Vec<String>)> {
    let (mut hardware, arch) = read(path, fill)?;
    let root = hardware.tables.root_pointer();
    Ok(discovery::routes(&mut hardware, root, arch))
}

fn read(path: &Path, fill: u8) -> Result<(Dumped, Arch)> {
    let tables = tables(path)?;
    if !tables.iter().any(|table| table.starts_with(b"DSDT")) {
        bail!(
            "{} holds no table DSDT: a folder of tables as files is wanted (as `acpidump -b` writes them, or \
             /sys/firmware/acpi/tables has them), or the text that `acpidump` prints",
            path.display()
        );
    }
    let arm = tables.iter().any(|table| table.starts_with(b"GTDT"));
    let arch = if arm { Arch::Aarch64 } else { Arch::X86_64 };
    Ok((Dumped::of(Tables::of(tables), fill), arch))
}

/// The model of the machine that a devicetree describes.
///
/// # Errors
/// When the file cannot be read.
pub fn devicetree(path: &Path) -> Result<Machine> {
    let blob = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(of_blob(&blob))
}

/// What discovery makes of a devicetree.
#[must_use]
pub fn of_blob(blob: &[u8]) -> Machine {
    let memory = match discovery::devicetree::boot(blob) {
        Ok(boot) => (boot.ram().iter())
            .map(|(base, size)| MemoryRange {
                base: *base,
                size: *size,
                kind: MemoryKind::Ram,
                source: Source::Firmware(*b"dtb "),
                facts: Vec::new(),
            })
            .collect(),
        Err(_) => Vec::new(),
    };
    let request = Request {
        firmware: Firmware::Devicetree(blob),
        memory,
        ..Request::new(Arch::Aarch64)
    };
    discovery::discover(&mut Dumped::of(Tables::default(), 0xff), request)
}

/// The tables in a folder, in the order of their names (numbers in these count as numbers), or in a text of `acpidump`.
///
/// # Errors
/// When it cannot be read.
pub fn tables(path: &Path) -> Result<Vec<Vec<u8>>> {
    let reading = || format!("reading {}", path.display());
    if !path.is_dir() {
        return Ok(within(&std::fs::read(path).with_context(reading)?));
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(path).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        files.extend(path.is_file().then_some(path));
    }
    files.sort_by_key(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        parts(&name)
    });
    let mut tables = Vec::new();
    for file in files {
        let bytes = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        tables.extend(within(&bytes));
    }
    Ok(tables)
}

/// Text and numbers of a name without its ending, so that SSDT stands before SSDT2, and that before SSDT10.
fn parts(name: &str) -> Vec<(String, u64)> {
    let name = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let mut parts = vec![(String::new(), 0u64)];
    let mut in_number = false;
    for character in name.chars() {
        let digit = character.to_digit(10);
        if digit.is_none() && in_number {
            parts.push((String::new(), 0));
        }
        in_number = digit.is_some();
        let Some((text, number)) = parts.last_mut() else {
            continue;
        };
        match digit {
            Some(digit) => *number = number.saturating_mul(10).saturating_add(digit.into()),
            None => text.push(character),
        }
    }
    parts
}

/// The tables in a file: itself, or those in a text of `acpidump`.
fn within(bytes: &[u8]) -> Vec<Vec<u8>> {
    let length = bytes.get(4..8).and_then(|b| b.try_into().ok());
    let length = length.map_or(0, u32::from_le_bytes) as usize;
    let signature = bytes.get(..4).unwrap_or_default();
    let is_table =
        signature.iter().all(u8::is_ascii_graphic) && (HEADER..=bytes.len()).contains(&length);
    if is_table {
        return vec![bytes[..length].to_vec()];
    }
    let mut tables: Vec<Vec<u8>> = Vec::new();
    let mut open = false;
    for line in String::from_utf8_lossy(bytes).lines() {
        // `DSDT @ 0x00000000BFEE0000` stands before the bytes: `    0000: 44 53 44 54 …  DSDT…`
        if line.get(4..7) == Some(" @ ") {
            tables.push(Vec::new());
            open = true;
            continue;
        }
        let place = line.trim_start().split_once(": ");
        let place = place.filter(|(at, _)| u64::from_str_radix(at, 16).is_ok());
        match (place, tables.last_mut()) {
            (Some((_, row)), Some(table)) if open => {
                let row = row.get(..47).unwrap_or(row);
                let pairs = row.split_ascii_whitespace().take(16);
                table.extend(pairs.map_while(|pair| match pair.len() {
                    2 => u8::from_str_radix(pair, 16).ok(),
                    _ => None,
                }));
            }
            _ => open = false,
        }
    }
    tables.retain(|table| table.len() >= HEADER);
    tables
}

/// Tables, and what answers in place of a machine.
pub struct Dumped {
    tables: Tables,
    fill: u64,
}

impl Dumped {
    #[must_use]
    pub fn of(tables: Tables, fill: u8) -> Dumped {
        let fill = u64::from_le_bytes([fill; 8]);
        Dumped { tables, fill }
    }

    fn filled(&self, bits: u32) -> u64 {
        self.fill & u64::MAX >> (64 - bits.clamp(1, 64))
    }
}

impl Hardware for Dumped {
    fn read(&mut self, physical: u64, bits: u32) -> Option<u64> {
        let mut bytes = [0; 8];
        let there = self
            .tables
            .copy(physical, bytes.get_mut(..(bits / 8) as usize)?);
        Some(match there {
            true => u64::from_le_bytes(bytes),
            false => self.filled(bits),
        })
    }

    fn write(&mut self, _: u64, _: u32, _: u64) {}

    fn copy(&mut self, physical: u64, to: &mut [u8]) -> bool {
        self.tables.copy(physical, to)
    }

    fn port_read(&mut self, _: u16, bits: u32) -> u64 {
        self.filled(bits)
    }

    fn port_write(&mut self, _: u16, _: u32, _: u64) {}

    fn copied(&self) -> bool {
        true
    }

    fn cpuid(&mut self, _: u32, _: u32) -> [u32; 4] {
        [0; 4]
    }

    fn register(&mut self, _: u32) -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests;
