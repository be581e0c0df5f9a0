//! docs/diagnostics.md is complete: it has every message that the sources of checker and specialiser hold, and no other.

use std::{collections::BTreeSet, fs, path::Path};

/// Calls that make a complaint: place, reason, suggestion.
const CALLS: [&str; 6] = [
    "Diagnostic::new(",
    "Error::new(",
    "problem(",
    ".say(",
    ".unbounded(",
    "let reason =",
];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Source files that complain, in the order of the index, by their markers in it.
fn sources() -> Vec<String> {
    let mut files = Vec::new();
    let folders = [
        "crates/rulebook/src/syntax",
        "crates/rulebook/src/check",
        "crates/synthesis/src",
        "crates/synthesis/src/evaluate",
        "crates/synthesis/src/execute",
    ];
    for folder in folders {
        let entries = fs::read_dir(root().join(folder)).expect("sources");
        let names = entries
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|n| n.ends_with(".rs")).collect();
        names.sort();
        files.extend(names.into_iter().map(|name| format!("{folder}/{name}")));
    }
    files
}

/// Up to the bracket (or semicolon) that ends what began before, and the texts in it.
fn texts(source: &str, statement: bool) -> (usize, Vec<String>) {
    let (mut depth, mut at, mut found) = (1, 0, Vec::new());
    let bytes = source.as_bytes();
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let begin = at + 1;
                at = begin;
                while bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                found.push(shown(&source[begin..at]));
            }
            // A character: `'('`.
            b'\'' if bytes.get(at + 2) == Some(&b'\'') => at += 2,
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            b';' if statement && depth == 1 => break,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        at += 1;
    }
    (at, found)
}

/// A text of the source as the index shows it: what is filled in is `…`.
fn shown(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text
        .replace("\\\"", "\"")
        .replace("{{", "\u{1}")
        .replace("}}", "\u{2}");
    while let Some((before, after)) = rest.split_once('{') {
        out += before;
        out.push('…');
        rest = after
            .split_once('}')
            .map_or_else(String::new, |(_, r)| r.to_owned());
    }
    out += &rest;
    // A text may go over several lines.
    let whole: Vec<&str> = out.split("\\\n").map(str::trim_start).collect();
    whole
        .concat()
        .replace('\u{1}', "{")
        .replace('\u{2}', "}")
        .replace('|', "\\|")
}

/// Reason and suggestion of each complaint in a source file.
fn complaints(source: &str) -> BTreeSet<(String, String)> {
    let without: Vec<&str> = source
        .lines()
        .map(|line| match line.trim_start().starts_with("//") {
            true => "",
            false => line,
        })
        .collect();
    let source = without.join("\n");
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let (mut found, mut before, mut at) = (BTreeSet::new(), Vec::new(), 0);
    loop {
        let next = CALLS
            .iter()
            .filter_map(|c| source[at..].find(c).map(|n| (n, *c)))
            .min();
        let Some((distance, call)) = next else {
            return found;
        };
        at += distance + call.len();
        let (_, list) = texts(&source[at..], call == "let reason =");
        if call == "let reason =" {
            before = list;
            continue;
        }
        let arguments = source[at..]
            .split_once(',')
            .map_or("", |(_, rest)| rest.trim_start());
        if arguments.starts_with("reason") {
            let help = list.first().cloned().unwrap_or_default();
            found.extend(before.drain(..).map(|reason| (reason, help.clone())));
        } else if let Some(reason) = list.first() {
            found.insert((reason.clone(), list.get(1).cloned().unwrap_or_default()));
        }
    }
}

fn rows(file: &str) -> Vec<String> {
    let source = fs::read_to_string(root().join(file)).expect("a source");
    let row = |(reason, help): (String, String)| match help.is_empty() {
        true => format!("| {reason} | (the message says it) |"),
        false => format!("| {reason} | {help} |"),
    };
    complaints(&source).into_iter().map(row).collect()
}

/// With `BLESS=1` in the environment, writes the rows instead of comparing them. A file that newly complains gets its
/// place in the index by hand: a line `<!-- file -->` and the table's head.
#[test]
fn the_index_has_every_message() {
    let path = root().join("docs/diagnostics.md");
    let index = fs::read_to_string(&path).expect("the index is there");
    let mut out = String::new();
    let mut seen = BTreeSet::new();
    let mut lines = index.lines().peekable();
    while let Some(line) = lines.next() {
        out += &format!("{line}\n");
        let file = line
            .strip_prefix("<!-- ")
            .and_then(|l| l.strip_suffix(" -->"));
        let Some(file) = file else { continue };
        assert!(
            seen.insert(file.to_owned()),
            "{file} stands twice in the index"
        );
        out += "\n| message | what to do |\n|---|---|\n";
        while lines
            .next_if(|l| l.is_empty() || l.starts_with('|'))
            .is_some()
        {}
        let rows = rows(file);
        assert!(
            !rows.is_empty(),
            "{file} says nothing any more: take it out of the index"
        );
        out += &(rows.join("\n") + "\n\n");
    }
    let out = out.trim_end().to_owned() + "\n";
    for file in sources() {
        let rows = rows(&file);
        let known = seen.contains(&file) || rows.is_empty();
        assert!(
            known,
            "docs/diagnostics.md has no place for {file}: {rows:#?}"
        );
    }
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, out).expect("the index can be written");
        return;
    }
    assert!(
        out == index,
        "docs/diagnostics.md is not what the sources say: run this with BLESS=1, and read what it changed"
    );
}

/// Whether a message is of this form.
fn like(message: &str, form: &str) -> bool {
    let form = form.replace("\\|", "|");
    let mut parts = form.split('…');
    let Some(mut rest) = message.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut open = false;
    for part in parts {
        open = part.is_empty();
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    open || rest.is_empty()
}

/// Every message of the corpus stands in the index.
#[test]
fn what_the_corpus_says_is_in_the_index() {
    let index = fs::read_to_string(root().join("docs/diagnostics.md")).expect("the index is there");
    let rows = index.lines().filter_map(|l| l.strip_prefix("| "));
    let forms: Vec<&str> = rows.filter_map(|l| l.split(" | ").next()).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fail");
    let mut looked = 0;
    for entry in fs::read_dir(folder).expect("the corpus").flatten() {
        if entry.path().extension().is_none_or(|e| e != "message") {
            continue;
        }
        let text = fs::read_to_string(entry.path()).expect("a message");
        for line in text.lines().filter(|l| l.starts_with("rules/")) {
            let message = line.split_once(": ").map_or("", |(_, m)| m);
            looked += 1;
            // One that is only filled in would fit anything.
            let fits = |form: &&str| form.chars().any(char::is_alphabetic) && like(message, form);
            assert!(
                forms.iter().any(fits),
                "{message:?} is not in docs/diagnostics.md"
            );
        }
    }
    assert!(looked > 80, "{looked}");
}
