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

/// One function, up to its last instruction. Constants that it reads follow as data; the padding around them is not shown.
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
    let (mut at, mut constants, mut furthest) = (0, bytes.len(), 0);
    while at < bytes.len() {
        note(at, &mut text);
        let mut words = String::new();
        let len = instruction(&bytes[at..], target, &mut words).clamp(1, bytes.len() - at);
        line(&mut text, base, at, &bytes[at..at + len], &words);
        match refers(&words, target, at, len) {
            Some(Place::Code(place)) => furthest = furthest.max(place),
            Some(Place::Constant(place)) => constants = constants.min(place),
            None => {}
        }
        at += len;
        let behind = bytes.get(at..constants).unwrap_or_default();
        if leaves(&words) && furthest < at && !jumps(behind, target) {
            break;
        }
    }
    let mut at = constants.max(at);
    for word in bytes.get(at..).unwrap_or_default().chunks(8) {
        line(&mut text, base, at, word, "(constant)");
        at += word.len();
    }
    text
}

/// What an instruction names, as an offset in the same bytes.
enum Place {
    Code(usize),
    Constant(usize),
}

/// The place that the instruction of `len` bytes at `at` jumps to or reads, as its text has it: x86-64 counts from the
/// next instruction, arm64 from this one. Calls lead to other functions.
fn refers(words: &str, target: Target, at: usize, len: usize) -> Option<Place> {
    let name = words.split(' ').next()?;
    let from = match target {
        Target::X86_64 => at + len,
        Target::Aarch64 => at,
    };
    if let Some((_, place)) = words.split_once("[rip + 0x") {
        let distance = hexadecimal(place)?;
        return Some(Place::Constant(from.saturating_add(distance)));
    }
    let distance = hexadecimal(words.split_once("$+0x")?.1)?;
    let place = from.saturating_add(distance);
    match name {
        "call" | "bl" => None,
        _ if name.starts_with("ld") || name.starts_with("adr") => Some(Place::Constant(place)),
        _ => Some(Place::Code(place)),
    }
}

/// The number with which a text begins.
fn hexadecimal(text: &str) -> Option<usize> {
    let end = text.find(|c: char| !c.is_ascii_hexdigit());
    usize::from_str_radix(&text[..end.unwrap_or(text.len())], 16).ok()
}

/// Whether the bytes begin with a jump. The compiler leaves one behind the last return where it found that what led to it can
/// lead where it leads; padding is never one.
fn jumps(bytes: &[u8], target: Target) -> bool {
    let mut words = String::new();
    if !bytes.is_empty() {
        instruction(bytes, target, &mut words);
    }
    let name = words.split(' ').next().unwrap_or_default();
    matches!(name, "jmp" | "b")
}

/// Whether what comes next in the bytes is not what is carried out next. (Where a jump leads is never looked up in a table.)
fn leaves(words: &str) -> bool {
    let name = words.split(' ').next().unwrap_or_default();
    matches!(name, "ret" | "jmp" | "ud2" | "b" | "br" | "udf" | "brk")
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

/// What the entries call, behind them; nothing if there is nothing. Each begins at a multiple of 16.
pub fn stubs(code: &Code, target: Target, base: u64) -> String {
    let ends = code.entries.iter();
    let end = ends
        .map(|(offset, size)| offset.saturating_add(*size))
        .max();
    let mut at = (end.unwrap_or(0) as usize).next_multiple_of(ALIGN);
    let mut text = String::new();
    while let Some(bytes) = code.bytes.get(at..).filter(|bytes| !bytes.is_empty()) {
        if text.is_empty() {
            text += "stubs:\n";
        }
        let size = reaches(bytes, target);
        text += &disassemble(&bytes[..size], target, base.wrapping_add(at as u64));
        at = (at + size).next_multiple_of(ALIGN);
    }
    text
}

/// Functions and stubs begin at multiples of this (`blob.rs`).
const ALIGN: usize = 16;

/// Bytes of the function that `bytes` begin with, up to its last instruction.
fn reaches(bytes: &[u8], target: Target) -> usize {
    let (mut at, mut furthest) = (0, 0);
    while at < bytes.len() {
        let mut words = String::new();
        let len = instruction(&bytes[at..], target, &mut words).clamp(1, bytes.len() - at);
        if let Some(Place::Code(place)) = refers(&words, target, at, len) {
            furthest = furthest.max(place);
        }
        at += len;
        if leaves(&words) && furthest < at && !jumps(&bytes[at..], target) {
            break;
        }
    }
    at
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
