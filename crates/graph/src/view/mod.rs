//! A residual as text for people: a function of C, or one line a step in plain words.
//!
//! Names come from the overlay. Values are `v` and the number of their step; expressions that are used more than once
//! are `x` and theirs. Both views are of the pruned residual, the same text every time.

mod c;
mod expression;
mod prelude;
mod semantic;

use crate::Residual;
use alloc::{format, string::String, vec::Vec};

pub use prelude::c_prelude;

/// One entry as a function of C. It compiles behind [`c_prelude`] and [`c_names`], and does what the residual does.
/// An invalid residual or entry gives a comment that says so.
pub fn c(residual: &Residual, entry: usize) -> String {
    match prepared(residual, entry) {
        Ok(residual) => c::function(&residual, entry),
        Err(why) => format!("/* {} */\n", why.replace("*/", "* /")),
    }
}

/// One line a step, indented as it is nested.
pub fn semantic(residual: &Residual, entry: usize) -> String {
    match prepared(residual, entry) {
        Ok(residual) => semantic::text(&residual, entry),
        Err(why) => format!("{why}\n"),
    }
}

/// The windows and upcalls of a residual as C constants.
pub fn c_names(residual: &Residual) -> String {
    let mut text = String::new();
    for (prefix, names) in [("WINDOW_", windows(residual)), ("UP_", upcalls(residual))] {
        for (n, name) in names.iter().enumerate() {
            text += &format!("#define {prefix}{name} {n}\n");
        }
    }
    text
}

/// A whole residual as one C file.
pub fn c_file(residual: &Residual) -> String {
    let mut text = c_prelude() + "\n" + &c_names(residual);
    for entry in 0..residual.entries.len() {
        text.push('\n');
        text += &c(residual, entry);
    }
    text
}

/// The name of an entry's function in C.
pub fn c_function(residual: &Residual, entry: usize) -> String {
    let names = residual.entries.iter().map(|e| e.name.as_str());
    let names = distinct(names, |c| c);
    names
        .get(entry)
        .map_or_else(String::new, |name| format!("entry_{name}"))
}

fn prepared(residual: &Residual, entry: usize) -> Result<Residual, String> {
    residual.validate()?;
    if entry >= residual.entries.len() {
        return Err(format!("there is no entry {entry}"));
    }
    let mut residual = residual.clone();
    residual.prune();
    Ok(residual)
}

fn windows(residual: &Residual) -> Vec<String> {
    let names = residual.windows.iter().map(|w| w.name.as_str());
    distinct(names, |c| c.to_ascii_uppercase())
}

fn upcalls(residual: &Residual) -> Vec<String> {
    let names = residual.upcalls.iter().map(String::as_str);
    distinct(names, |c| c.to_ascii_uppercase())
}

/// Names as C knows them; where two become the same, the later ones get their number behind them.
fn distinct<'a>(names: impl Iterator<Item = &'a str>, case: fn(char) -> char) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for (n, name) in names.enumerate() {
        let letter = |c: char| {
            if c.is_ascii_alphanumeric() {
                case(c)
            } else {
                '_'
            }
        };
        let mut plain: String = name.chars().map(letter).collect();
        while plain.is_empty() || all.contains(&plain) {
            plain += &format!("_{n}");
        }
        all.push(plain);
    }
    all
}

/// What a failure status means, if the constant is one of this residual's.
fn failure(residual: &Residual, status: u64) -> Option<&str> {
    let n = status.checked_sub(abi::status::FAIL)?;
    let name = residual.failures.get(usize::try_from(n).ok()?)?;
    Some(name.as_str())
}
