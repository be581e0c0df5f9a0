//! Finding and copying ACPI's tables, from the root pointer on.

use crate::{hardware::Hardware, Notes};
use alloc::{format, string::String, vec, vec::Vec};
use machine::{Fact, Source, Value};

/// Larger tables, and more of them, are not believed.
const LARGEST: u32 = 1 << 20;
const MOST: usize = 64;
const HEADER: usize = 36;

/// Copies of all tables, in the order of the root table; the DSDT last.
#[derive(Default)]
pub struct Tables {
    list: Vec<Vec<u8>>,
}

/// A little-endian number of 1, 2, 4 or 8 bytes.
pub fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let part = bytes.get(at..at.checked_add(size)?)?;
    Some(part.iter().rev().fold(0, |n, byte| n << 8 | *byte as u64))
}

pub fn signature(bytes: &[u8]) -> [u8; 4] {
    bytes
        .get(..4)
        .and_then(|s| s.try_into().ok())
        .unwrap_or_default()
}

/// A signature for a person.
pub fn spelled(signature: [u8; 4]) -> String {
    signature
        .iter()
        .map(|b| {
            if b.is_ascii_graphic() {
                *b as char
            } else {
                '?'
            }
        })
        .collect()
}

impl Tables {
    /// Reads every table that the root pointer at `rsdp` leads to.
    pub fn read(hardware: &mut dyn Hardware, rsdp: u64, notes: &mut Notes) -> Tables {
        let mut tables = Tables::default();
        let mut root = [0; 36];
        if !hardware.copy(rsdp, &mut root) || &root[..8] != b"RSD PTR " {
            notes.say(format!("acpi: no root pointer at {rsdp:#x}"));
            return tables;
        }
        let extended = root[15] >= 2 && number(&root, 24, 8).is_some_and(|at| at != 0);
        let (at, size) = match extended {
            true => (number(&root, 24, 8), 8),
            false => (number(&root, 16, 4), 4),
        };
        let Some(list) = table(hardware, at.unwrap_or(0), notes) else {
            return tables;
        };
        let entries = list.get(HEADER..).unwrap_or_default().chunks_exact(size);
        if entries.len() > MOST {
            notes.say(format!("acpi: more than {MOST} tables"));
        }
        for entry in entries.take(MOST) {
            let at = number(entry, 0, size).unwrap_or(0);
            tables.list.extend(table(hardware, at, notes));
        }
        if let Some(fadt) = tables.find(b"FACP") {
            let wide = number(fadt, 140, 8).filter(|at| *at != 0);
            let at = wide.or(number(fadt, 40, 4)).unwrap_or(0);
            tables.list.extend(table(hardware, at, notes));
        }
        tables
    }

    /// Their signatures, for a person to see what else the firmware tells.
    pub fn names(&self) -> Fact {
        let names = self.list.iter().map(|table| spelled(signature(table)));
        Fact {
            name: String::from("acpi.tables"),
            value: Value::Texts(names.collect()),
            source: Source::Firmware(*b"RSDT"),
        }
    }

    /// The first table with this signature, with its header.
    pub fn find(&self, wanted: &[u8; 4]) -> Option<&[u8]> {
        self.list
            .iter()
            .map(Vec::as_slice)
            .find(|table| signature(table) == *wanted)
    }

    pub fn all<'a>(&'a self, wanted: &'a [u8; 4]) -> impl Iterator<Item = &'a [u8]> {
        self.list
            .iter()
            .map(Vec::as_slice)
            .filter(move |table| signature(table) == *wanted)
    }
}

/// One table, if its header can be believed. A wrong sum is said, and the table used all the same, as firmware is.
fn table(hardware: &mut dyn Hardware, at: u64, notes: &mut Notes) -> Option<Vec<u8>> {
    let mut header = [0; HEADER];
    if at == 0 || !hardware.copy(at, &mut header) {
        notes.say(format!("acpi: no table at {at:#x}"));
        return None;
    }
    let name = spelled(signature(&header));
    let size = number(&header, 4, 4)? as u32;
    if !(HEADER as u32..=LARGEST).contains(&size) {
        notes.say(format!("acpi: table {name} at {at:#x} claims {size} bytes"));
        return None;
    }
    let mut bytes = vec![0; size as usize];
    if !hardware.copy(at, &mut bytes) {
        notes.say(format!("acpi: table {name} at {at:#x} is not all there"));
        return None;
    }
    if bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) != 0 {
        notes.say(format!("acpi: the sum of table {name} is wrong"));
    }
    Some(bytes)
}
