//! The generator of rules that are well formed and mean nothing sensible, and of devices for them.

use machine::{Device, Fact, Source, Value, Window, WindowKind, Wire};
use noise::Random;
use rulebook::tree::Book;
use std::path::{Path, PathBuf};
use synthesis::Choice;

/// Numbers that counts, sizes and offsets should not have.
pub const ODD: [u64; 20] = [
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    9,
    31,
    32,
    63,
    64,
    65,
    0xff,
    0x100,
    0x1000,
    0xffff,
    0xffff_ffff,
    1 << 63,
    u64::MAX,
];

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn rules(folder: &Path, out: &mut Vec<String>) {
    let Ok(list) = std::fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<PathBuf> = list.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            rules(&path, out);
        } else if path.extension().is_some_and(|end| end == "rule") {
            out.extend(std::fs::read_to_string(&path));
        }
    }
}

/// Whole books as one text each: those that must pass, the language by example, and each shipped rule with all classes.
pub fn texts() -> Vec<String> {
    let mut out = Vec::new();
    for folder in ["pass", "run"] {
        rules(&root().join("crates/rulebook/tests").join(folder), &mut out);
    }
    let mut shipped = Vec::new();
    rules(&root().join("rules"), &mut shipped);
    let carriers: Vec<&String> = shipped.iter().filter(|t| t.contains("class ")).collect();
    let common: String = carriers.into_iter().cloned().collect();
    for text in shipped.iter().filter(|t| !t.contains("class ")) {
        out.push(format!("{common}\n{text}"));
    }
    out
}

/// From a byte to another.
type Span = (usize, usize);

/// The places of numbers and of names in a text.
fn tokens(text: &str) -> (Vec<Span>, Vec<Span>) {
    let (mut numbers, mut names) = (Vec::new(), Vec::new());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'#' {
            while at < bytes.len() && bytes[at] != b'\n' {
                at += 1;
            }
        } else if bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_' {
            let from = at;
            while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_') {
                at += 1;
            }
            match bytes[from].is_ascii_digit() {
                true => numbers.push((from, at)),
                false => names.push((from, at)),
            }
        } else {
            at += 1;
        }
    }
    (numbers, names)
}

/// Changes that often leave a text well formed: a number, a name by another of the same text, a line away or twice, a sign.
pub fn change(text: &mut String, random: &mut Random) {
    let (numbers, names) = tokens(text);
    match random.below(10) {
        0..=3 if !numbers.is_empty() => {
            let (from, to) = random.pick(&numbers);
            let odd = random.pick(&ODD);
            text.replace_range(from..to, &odd.to_string());
        }
        4..=6 if names.len() > 1 => {
            let ((from, to), (other, end)) = (random.pick(&names), random.pick(&names));
            let name = text[other..end].to_owned();
            text.replace_range(from..to, &name);
        }
        7 | 8 => {
            let mut lines: Vec<&str> = text.lines().collect();
            let at = random.below(lines.len());
            match random.below(2) {
                0 => drop(lines.remove(at)),
                _ => lines.insert(random.below(lines.len()), lines[at]),
            }
            *text = lines.join("\n") + "\n";
        }
        _ => {
            let signs = [
                "+", "-", "*", "/", "%", "&", "|", "<<", ">>", "==", "<", "and", "or",
            ];
            let found: Vec<(usize, &str)> = signs
                .iter()
                .flat_map(|sign| {
                    text.match_indices(&format!(" {sign} "))
                        .map(|(at, _)| at)
                        .map(|at| (at, *sign))
                        .collect::<Vec<_>>()
                })
                .collect();
            if !found.is_empty() {
                let (at, sign) = random.pick(&found);
                let other = random.pick(&signs);
                text.replace_range(at + 1..at + 1 + sign.len(), other);
            }
        }
    }
}

/// Some device, with facts by the names that the book has.
pub fn device(book: &Book, bus: &str, random: &mut Random) -> Device {
    let mut device = Device::new("fuzz/0".into(), bus);
    let fact = |name: &str, value| Fact {
        name: name.into(),
        value,
        source: Source::Configuration,
    };
    for name in ["vendor", "device", "class", "revision", "subsystem"] {
        if random.below(4) != 0 {
            device
                .facts
                .push(fact(name, Value::Number(random.pick(&ODD))));
        }
    }
    for name in &book.names {
        let value = match random.below(12) {
            0 => Value::Number(random.pick(&ODD)),
            1 => Value::Flag(random.below(2) == 0),
            2 => Value::Numbers((0..random.below(9)).map(|_| random.pick(&ODD)).collect()),
            3 => Value::Bytes((0..random.below(70)).map(|_| random.word() as u8).collect()),
            _ => continue,
        };
        device.facts.push(fact(name, value));
    }
    for index in 0..random.below(7) as u8 {
        device.windows.push(Window {
            index,
            kind: random.pick(&[WindowKind::Memory, WindowKind::Port]),
            base: random.pick(&[0, 0x1000, 0x1001, 0xffff_f000, u64::MAX - 7]),
            size: random.pick(&[0, 1, 8, 64, 256, 4096, 1 << 20, u64::MAX]),
            source: Source::Assigned,
        });
    }
    if random.below(2) == 0 {
        device.config = (0..256).map(|_| random.word() as u8).collect();
    }
    for _ in 0..random.below(3) {
        device.wires.push(Wire {
            line: random.word() as u32,
            level: true,
            low: false,
            source: Source::Assigned,
            pin: 1,
        });
    }
    device
}

/// Chains of rules that a device might be given: each rule that is matched, on each that may carry it.
pub fn choices(book: &Book) -> Vec<Choice> {
    let mut out = Vec::new();
    for (index, rule) in book.rules.iter().enumerate() {
        if !rule.parameters.is_empty() {
            continue;
        }
        let class = book.classes.iter().find(|c| c.name == rule.class);
        let mut chain = |rules: Vec<usize>| {
            out.push(Choice {
                rules,
                class: book.name(rule.class).to_owned(),
                direct: class.is_some_and(|c| c.direct),
                score: 9,
                clues: Vec::new(),
                spare: false,
            });
        };
        let carriers = book
            .rules
            .iter()
            .enumerate()
            .filter(|(_, below)| rule.on == Some(below.class) && below.parameters.is_empty());
        let carriers: Vec<usize> = carriers.map(|(index, _)| index).collect();
        if carriers.is_empty() {
            chain(vec![index]);
        }
        for below in carriers {
            chain(vec![index, below]);
        }
    }
    out
}
