//! Machine code back to text, one instruction a line.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

use alloc::string::String;
use core::fmt::Write;
use graph::code::{Code, Target};
use graph::Entry;

/// Bytes that an instruction's line has room for; longer ones push the text to the right.
const COLUMN: usize = 24;

/// The instructions of `bytes`, which lie at `base`: address, bytes, text. What is no instruction is shown as data.
pub fn disassemble(bytes: &[u8], target: Target, base: u64) -> String {
    let mut text = String::new();
    let mut at = 0;
    while at < bytes.len() {
        let mut words = String::new();
        let len = instruction(&bytes[at..], target, &mut words).clamp(1, bytes.len() - at);
        line(&mut text, base, at, &bytes[at..at + len], &words);
        at += len;
    }
    text
}

/// One function: from the first constant that an instruction refers to on, it is constants.
pub fn function(bytes: &[u8], target: Target, base: u64) -> String {
    noted(bytes, target, base, |_, _| {})
}

/// The same, with notes: before the instruction at each offset in `bytes`, `note` may add lines of its own.
pub fn noted(
    bytes: &[u8],
    target: Target,
    base: u64,
    mut note: impl FnMut(usize, &mut String),
) -> String {
    let mut text = String::new();
    let (mut at, mut constants) = (0, bytes.len());
    while at < constants {
        note(at, &mut text);
        let mut words = String::new();
        let len = instruction(&bytes[at..], target, &mut words).clamp(1, bytes.len() - at);
        line(&mut text, base, at, &bytes[at..at + len], &words);
        at += len;
        if let Some(distance) = ahead(&words) {
            constants = constants.min(at.saturating_add(distance));
        }
    }
    for word in bytes.get(constants..).unwrap_or_default().chunks(8) {
        line(&mut text, base, at, word, "(constant)");
        at += word.len();
    }
    text
}

/// How far ahead of the next instruction the constant lies that this one reads.
fn ahead(words: &str) -> Option<usize> {
    let (_, place) = words.split_once("[rip + 0x")?;
    let (distance, _) = place.split_once(']')?;
    usize::from_str_radix(distance, 16).ok()
}

fn line(text: &mut String, base: u64, at: usize, bytes: &[u8], words: &str) {
    let mut hex = String::new();
    for byte in bytes {
        let _ = write!(hex, "{byte:02x} ");
    }
    let address = base.wrapping_add(at as u64);
    let _ = writeln!(text, "{address:8x}  {hex:COLUMN$} {words}");
}

/// The same for a whole residual, entry by entry under their names, the stubs last.
pub fn entries(code: &Code, names: &[Entry], target: Target, base: u64) -> String {
    let mut text = String::new();
    for (entry, (offset, size)) in names.iter().zip(&code.entries) {
        let end = offset.saturating_add(*size) as usize;
        let _ = writeln!(text, "{}:", entry.name);
        let bytes = code.bytes.get(*offset as usize..end).unwrap_or_default();
        text += &function(bytes, target, base.wrapping_add(*offset as u64));
    }
    text + &stubs(code, target, base)
}

/// What the entries call, behind them; nothing if there is nothing.
pub fn stubs(code: &Code, target: Target, base: u64) -> String {
    let ends = code.entries.iter();
    let end = ends
        .map(|(offset, size)| offset.saturating_add(*size))
        .max();
    let end = end.unwrap_or(0);
    let at = (end as usize).next_multiple_of(16);
    match code.bytes.get(at..).filter(|b| !b.is_empty()) {
        Some(bytes) => {
            String::from("stubs:\n") + &disassemble(bytes, target, base.wrapping_add(at as u64))
        }
        None => String::new(),
    }
}

/// Writes one instruction and gives its length.
fn instruction(bytes: &[u8], target: Target, text: &mut String) -> usize {
    let (length, smallest) = match target {
        Target::X86_64 => (decode::x86_64(bytes, text), 1),
        Target::Aarch64 => (decode::aarch64(bytes, text), 4),
    };
    length.unwrap_or_else(|| data(&bytes[..bytes.len().min(smallest)], text))
}

fn data(bytes: &[u8], text: &mut String) -> usize {
    let _ = write!(text, "(data)");
    bytes.len()
}
