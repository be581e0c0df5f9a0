//! docs/writing-a-rule.md, followed word for word: its commands are run and its rule grows by its pieces; what it says
//! that is printed is what is printed.

use crate::boots::{boot_with, machine, workspace};
use meta::{image, rules};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The rule that the guide writes; the shipped one is put aside.
const RULE: &str = "watchdog/i6300esb.rule";

enum Block {
    Shell(String),
    Text(String),
    Rule(String),
}

/// The fenced blocks that say what they are.
fn blocks(text: &str) -> Vec<Block> {
    let mut all = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else {
            continue;
        };
        let body: Vec<&str> = lines.by_ref().take_while(|l| *l != "```").collect();
        let body = body.join("\n");
        match kind {
            "sh" => all.push(Block::Shell(body)),
            "text" => all.push(Block::Text(body)),
            "rule" => all.push(Block::Rule(body)),
            _ => {}
        }
    }
    all
}

/// What a line of a rule defines: `op start`, `reg LOCK`, `match`; nothing for a line that goes on with another.
fn defines(line: &str) -> Option<String> {
    let line = line.strip_prefix("  ")?;
    let line = line.strip_prefix("# if the device can: ").unwrap_or(line);
    if line.starts_with([' ', '#']) || line.is_empty() {
        return None;
    }
    let mut words = line.split([' ', '(']);
    let first = words.next()?;
    let second = words.find(|w| !w.is_empty()).unwrap_or_default();
    Some(match first {
        "match" | "space" | "init" => first.to_owned(),
        _ => format!("{first} {second}"),
    })
}

/// Puts each item of a piece where the reader would: over the one of its name, over the placeholder of its kind, or
/// behind the one before it.
fn apply(rule: &str, piece: &str) -> String {
    let mut lines: Vec<String> = rule.lines().map(str::to_owned).collect();
    let mut items: Vec<(String, Vec<&str>)> = Vec::new();
    for line in piece.lines() {
        match (defines(line), items.last_mut()) {
            (Some(name), _) => items.push((name, vec![line])),
            (None, Some((_, body))) => body.push(line),
            (None, None) => panic!("the piece begins in the middle: {line}"),
        }
    }
    let mut last = lines.len() - 1;
    for (name, body) in items {
        let kind = name.split(' ').next().unwrap_or_default();
        let same = |line: &String| defines(line).as_deref() == Some(name.as_str());
        let placeholder = |line: &String| {
            let todo = line.contains("todo(");
            todo && kind == "reg" && line.trim_start().starts_with("reg ")
        };
        let found = lines
            .iter()
            .position(same)
            .or(lines.iter().position(placeholder));
        let at = match found {
            Some(at) => {
                let mut end = at + 1;
                while lines.get(end).is_some_and(|l| l.starts_with("   ")) {
                    end += 1;
                }
                lines.drain(at..end);
                at
            }
            None => last + 1,
        };
        last = at + body.len() - 1;
        lines.splice(at..at, body.into_iter().map(str::to_owned));
    }
    lines.join("\n") + "\n"
}

/// A copy of `rules/` without the rule that the guide writes.
fn copied() -> PathBuf {
    let workspace = workspace();
    let copy = workspace.target.join("guide/rules");
    let _ = std::fs::remove_dir_all(&copy);
    for (path, text) in rules::files(&workspace.root.join("rules")).expect("the rules can be read")
    {
        let to = copy.join(&path);
        std::fs::create_dir_all(to.parent().unwrap_or(Path::new("."))).expect("making a folder");
        if path != RULE {
            std::fs::write(to, text).expect("writing a rule");
        }
    }
    copy
}

/// Runs a line of the guide on the copy, and gives what it prints.
fn run(line: &str, rules: &Path) -> String {
    let words = line
        .strip_prefix("./meta ")
        .unwrap_or_else(|| panic!("{line:?} is no command of ./meta"));
    let (words, emulator) = words.split_once(" -- ").unwrap_or((words, ""));
    let emulator: Vec<String> = emulator.split_whitespace().map(str::to_owned).collect();
    if let Some(rest) = words.strip_prefix("run ") {
        return booted(rest, &emulator, rules);
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_meta"));
    command.args(words.split(' '));
    match words.starts_with("rule check") {
        true => command.arg(rules),
        false => command.arg("--rules").arg(rules),
    };
    if !emulator.is_empty() {
        command.arg("--").args(&emulator);
    }
    let output = command.output().expect("it can be started");
    // What it says of its progress is no answer.
    let said = match output.status.success() {
        true => output.stdout,
        false => [output.stdout, output.stderr].concat(),
    };
    let said = String::from_utf8_lossy(&said).into_owned();
    // The reader's rules are where they always are; the tool leaves out the project's own folder.
    let shown = rules.display().to_string();
    let root = workspace().root;
    let inside = rules.strip_prefix(&root).unwrap_or(rules);
    said.replace(&format!(" {shown}`"), "`")
        .replace(&shown, "rules")
        .replace(&inside.display().to_string(), "rules")
}

fn booted(words: &str, emulator: &[String], rules: &Path) -> String {
    let (name, line) = words
        .split_once(" --exec ")
        .expect("a machine, and a line for it");
    let machine = machine(name);
    let image = image::build_with_rules(&workspace(), machine.arch, rules, "images-guide")
        .unwrap_or_else(|error| panic!("{error:#}"));
    boot_with(&machine, &image, emulator).ask_well(line.trim_matches('\''))
}

/// Whether a line is as the guide shows it; `…` stands for anything.
fn like(line: &str, shown: &str) -> bool {
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let mut open = false;
    for part in parts {
        open = true;
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty() || (open && shown.ends_with('…'))
}

/// The lines in this order; a line `…` stands for any number of them.
fn compare(said: &str, shown: &str, command: &str) {
    let mut said_lines = said.lines().map(str::trim_end).peekable();
    let mut gap = false;
    for wanted in shown.lines() {
        if wanted == "…" {
            gap = true;
            continue;
        }
        let found = match gap {
            true => said_lines.any(|line| like(line, wanted)),
            false => said_lines.next().is_some_and(|line| like(line, wanted)),
        };
        assert!(
            found,
            "{command}: the guide shows\n{wanted}\nand it says\n{said}"
        );
        gap = false;
    }
    let left: Vec<&str> = said_lines.collect();
    assert!(
        gap || left.is_empty(),
        "{command}: the guide leaves out\n{left:?}"
    );
}

#[test]
fn the_guide_does_what_it_says() {
    let rules = copied();
    let file = rules.join(RULE);
    let text = std::fs::read_to_string(workspace().root.join("docs/writing-a-rule.md"));
    let text = text.expect("the guide is there");
    let (mut commands, mut pieces) = (0, 0);
    let mut last: Option<(String, String)> = None;
    for block in blocks(&text) {
        match block {
            Block::Shell(line) => {
                println!("{line}");
                last = Some((line.clone(), run(&line, &rules)));
                commands += 1;
            }
            Block::Text(shown) => {
                let (line, said) = last.take().expect("a command stands before its output");
                compare(&said, &shown, &line);
            }
            Block::Rule(piece) => {
                let before = std::fs::read_to_string(&file).expect("the rule is begun");
                std::fs::write(&file, apply(&before, &piece)).expect("writing the rule");
                pieces += 1;
            }
        }
    }
    assert!(
        commands >= 8 && pieces >= 5,
        "{commands} commands, {pieces} pieces"
    );
    // Nothing is left to be written.
    let written = std::fs::read_to_string(&file).expect("the rule");
    assert!(!written.contains("todo("), "{written}");
}

#[test]
fn pieces_go_where_the_reader_puts_them() {
    let rule = "rule a : b\n  match todo(\"x\")\n  reg FIRST (todo(\"y\")):32\n  init { }\n  op go(n) { todo(\"z\") }\n";
    let piece = "  match one\n  reg A 0:8\n  reg B 1:8\n  op go(n)\n    A = n\n  op more { }";
    let wanted = "rule a : b\n  match one\n  reg A 0:8\n  reg B 1:8\n  init { }\n  op go(n)\n    A = n\n  op more { }\n";
    assert_eq!(apply(rule, piece), wanted);
    assert!(like("graph 12ab, 3 steps", "graph …, 3 steps"));
    assert!(!like("graph 12ab, 4 steps", "graph …, 3 steps"));
}
