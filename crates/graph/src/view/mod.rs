//! A residual as text for people: one line a step in plain words, a function of C, or a definition of Forth.
//!
//! Names come from the overlay. Values are `v` and the number of their step; expressions that are used more than once
//! are `x` and theirs. All views are of the pruned residual, the same text every time.

mod c;
mod expression;
mod forth;
mod names;
mod postfix;
mod prelude;
mod semantic;

use crate::{Id, Residual};
use alloc::{format, string::String, vec::Vec};

pub use names::Names;
pub use prelude::c_prelude;

/// One entry as a function of C. It compiles behind [`c_prelude`] and [`c_names`], and does what the residual does.
/// An invalid residual or entry gives a comment that says so.
pub fn c(residual: &Residual, entry: usize) -> String {
    c_named(residual, entry, &Names::default())
}

/// The same, with the names of places in comments.
pub fn c_named(residual: &Residual, entry: usize, names: &Names) -> String {
    match prepared(residual, entry) {
        Ok(residual) => c::function(&residual, entry, names),
        Err(why) => format!("/* {} */\n", why.replace("*/", "* /")),
    }
}

/// One line a step, indented as it is nested.
pub fn semantic(residual: &Residual, entry: usize) -> String {
    semantic_named(residual, entry, &Names::default())
}

/// The same, with the names of places behind them.
pub fn semantic_named(residual: &Residual, entry: usize, names: &Names) -> String {
    match prepared(residual, entry) {
        Ok(residual) => semantic::text(&residual, entry, names),
        Err(why) => format!("{why}\n"),
    }
}

/// The lines of [`semantic`], each with the step it belongs to, numbered as in `residual` itself. None of an invalid one.
pub fn steps(residual: &Residual, entry: usize, names: &Names) -> Vec<(Id, String)> {
    if residual.validate().is_err() || entry >= residual.entries.len() {
        return Vec::new();
    }
    let lines = semantic::lines(residual, entry, names);
    lines.into_iter().map(|l| (l.step, l.text)).collect()
}

/// One entry as a colon definition of Forth, with what it stands on before it. It runs behind [`forth_prelude`], takes
/// the entry's arguments from the stack and leaves its status.
pub fn forth(residual: &Residual, entry: usize, names: &Names) -> String {
    match prepared(residual, entry) {
        Ok(residual) => {
            let words = forth::Words::new(&residual, names);
            let text = forth::definition(&residual, entry, &words);
            let declared = forth::declarations(&residual, &words, Some(&text));
            match declared.is_empty() {
                true => text,
                false => declared + "\n" + &text,
            }
        }
        Err(why) => format!("\\ {}\n", why.replace('\n', " ")),
    }
}

/// A whole residual as one Forth file.
pub fn forth_file(residual: &Residual, names: &Names) -> String {
    let mut text = String::from(forth_prelude()) + "\n";
    for entry in 0..residual.entries.len() {
        match prepared(residual, entry) {
            Ok(residual) => {
                let words = forth::Words::new(&residual, names);
                if entry == 0 {
                    text += &forth::declarations(&residual, &words, None);
                }
                text.push('\n');
                text += &forth::definition(&residual, entry, &words);
            }
            Err(why) => text += &format!("\\ {}\n", why.replace('\n', " ")),
        }
    }
    text
}

/// The word that an entry is in Forth.
pub fn forth_word(residual: &Residual, entry: usize) -> String {
    let words = forth::Words::new(residual, &Names::default());
    words.entries.into_iter().nth(entry).unwrap_or_default()
}

/// What every Forth view stands on.
pub fn forth_prelude() -> &'static str {
    forth::PRELUDE
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
