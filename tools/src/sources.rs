//! The engine knows no device: no rule's name, no number or text by which a device is told, and no number of its
//! registers may stand in a crate, in a door, in genesis, in the nucleus, in a server or in the host tool. What is looked
//! for comes from the rules themselves.
//!
//! Numbers that are everywhere give nothing away: up to 255, powers of two, runs of ones, and round ones such as 2000 and
//! 0x6000.
//! A device that is known by such numbers alone is not found here.

use crate::rules;
use crate::workspace::Workspace;
use anyhow::{bail, Context, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Words that rules use as names or texts and that mean something else as well.
const ALLOWED: &[(&str, &str)] = &[
    ("tsc", "a register of the processor, and its bits in CPUID"),
    ("pm_timer", "a field of ACPI's fixed table"),
    ("DBG2", "a table of ACPI's"),
    ("pit", "an option of the emulator"),
];

/// Numbers of rules that mean something else as well, in the files that begin so.
const ALLOWED_NUMBERS: &[(u64, &str, &str)] = &[
    (365, "servers/console/src/date.rs", "days of a year"),
    (115_200, "crates/discovery/", "a rate that firmware states"),
    (
        0xfee0_0000,
        "crates/discovery/src/memory.rs",
        "the processor's: a store there is an interrupt, whatever devices there are",
    ),
    (
        0xfff0,
        "crates/discovery/src/pci/bridge.rs",
        "the bits of an address in any bridge of PCI's",
    ),
    (
        0xfff0,
        "crates/qtest/src/firmware.rs",
        "where a processor begins",
    ),
    (
        0x401,
        "genesis/src/arch/aarch64/door.s",
        "attributes of a page table entry",
    ),
    (
        0xfe0,
        "genesis/src/arch/x86_64/door.s",
        "a place in the page tables",
    ),
    (
        384,
        "nucleus/src/arch/aarch64/float.rs",
        "how far into their memory the processor's registers stand",
    ),
    (760, "tools/src/discover/page.rs", "the width of a picture"),
];

/// Files that are vocabularies of a bus or of the firmware, or show what a rule looks like, and this one.
const VOCABULARIES: [&str; 4] = [
    "crates/discovery/src/kind.rs",
    "tools/src/discover/words.rs",
    "tools/src/rule_new/skeleton.rs",
    "tools/src/sources.rs",
];
/// Whose help and measurements name machines and drivers, for people: names do not count there.
const FOR_PEOPLE: &str = "tools/";
/// The classes are everybody's.
const CLASSES: &str = "classes.rule";

/// The buses that discovery walks.
const BUSES: [&str; 3] = ["pci", "platform", "cpu"];

/// What gives a device away.
#[derive(Debug, Default)]
struct Words {
    /// Rule names in lower case, as their parts (`virtual_disk` is `["virtual", "disk"]`), and the file of each.
    names: BTreeMap<Vec<String>, String>,
    /// Identifying texts.
    texts: BTreeMap<String, String>,
    /// Vendor and device numbers, legacy addresses, places and values of registers.
    numbers: BTreeMap<u64, String>,
    /// Legacy ports that are small numbers: they count where a port is used.
    ports: BTreeMap<u64, String>,
}

/// Looks through the sources.
///
/// # Errors
/// When any of it names a device: every place has then been listed.
pub fn check(workspace: &Workspace) -> Result<()> {
    let words = Words::of(&rules::files(&workspace.root.join("rules"))?);
    if words.names.is_empty() {
        bail!("there are no rules to take the words from");
    }
    let mut files = Vec::new();
    for folder in folders(workspace)? {
        collect(&folder, &mut files)?;
    }
    let mut found = 0;
    for path in &files {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let shown = path.strip_prefix(&workspace.root).unwrap_or(path);
        let shown = shown.display().to_string();
        for (line, word, origin) in words.find(&shown, &text) {
            eprintln!("{shown}:{line}: `{word}` belongs to {origin}");
            found += 1;
        }
    }
    if found > 0 {
        bail!(
            "{found} places name a device; only files under rules/ may know one (a number that means something else there \
             goes into ALLOWED_NUMBERS of {}, with what it means)",
            file!()
        );
    }
    Ok(())
}

fn folders(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let crates = workspace.root.join("crates");
    let mut folders = vec![
        workspace.root.join("doors"),
        workspace.root.join("genesis"),
        workspace.root.join("nucleus"),
        workspace.root.join("servers"),
        workspace.root.join("tools/src"),
    ];
    for entry in
        std::fs::read_dir(&crates).with_context(|| format!("reading {}", crates.display()))?
    {
        folders.push(entry?.path().join("src"));
    }
    Ok(folders)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?
    {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|e| ["rs", "s", "S", "ld", "toml"].iter().any(|k| e == *k))
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}

impl Words {
    fn of(files: &[(String, String)]) -> Self {
        let mut words = Self::default();
        for (file, text) in files.iter().filter(|(file, _)| file != CLASSES) {
            let origin = format!("rules/{file}");
            for line in text.lines() {
                let line = line.split('#').next().unwrap_or_default().trim();
                let mut parts = line.splitn(2, char::is_whitespace);
                let (keyword, rest) = (
                    parts.next().unwrap_or_default(),
                    parts.next().unwrap_or_default(),
                );
                match keyword {
                    "rule" => words.name(rest, &origin),
                    "match" => words.clues(rest, &origin),
                    "candidate" => {
                        words.numbers_of(rest, &origin);
                        words.ports_of(rest, &origin);
                    }
                    // What facts are compared with is the vocabulary of buses and tables.
                    _ => words.numbers_of(line, &origin),
                }
            }
        }
        words
    }

    fn name(&mut self, rest: &str, origin: &str) {
        let name: String = rest
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        // What a rule stands on is a protocol too, if it is not a bus that the processor and the firmware define.
        let on = rest.split(" on ").nth(1).and_then(|on| tokens(on).next());
        for word in [Some(name.as_str()), on].into_iter().flatten() {
            if !word.is_empty() && !BUSES.contains(&word) && !allowed(word) {
                self.names.insert(pieces(word), origin.to_owned());
            }
        }
    }

    /// The texts and numbers of a `match` line. What it says about the class is the bus's own vocabulary.
    fn clues(&mut self, rest: &str, origin: &str) {
        for (at, text) in rest.split('"').enumerate() {
            if at % 2 == 1 && text.len() > 3 && !is_table(text) && !allowed(text) {
                self.texts.insert(text.to_owned(), origin.to_owned());
            }
        }
        for comparison in rest.split(" or ").flat_map(|c| c.split(" and ")) {
            if comparison.contains("vendor") || comparison.contains("device") {
                self.numbers_of(comparison, origin);
            }
        }
    }

    fn numbers_of(&mut self, text: &str, origin: &str) {
        for token in tokens(text) {
            if let Some(value) = number(token).filter(|value| tells(token, *value)) {
                self.numbers.insert(value, origin.to_owned());
            }
        }
    }

    /// The ports of `ports(0x20, 2)`.
    fn ports_of(&mut self, text: &str, origin: &str) {
        for place in text.split("ports(").skip(1) {
            let mut numbers = tokens(place).map_while(number);
            if let (Some(first), Some(count)) = (numbers.next(), numbers.next()) {
                for port in first..first + count.min(64) {
                    self.ports.insert(port, origin.to_owned());
                }
            }
        }
    }

    /// (line, word, origin) of everything in `text`, the source at `path`, that gives a device away.
    fn find<'a>(&'a self, path: &str, text: &'a str) -> Vec<(usize, String, &'a str)> {
        let mut found = Vec::new();
        let mut test = path.ends_with("tests.rs") || path.contains("/tests/");
        let vocabulary = VOCABULARIES.contains(&path);
        for (index, line) in text.lines().enumerate() {
            test |= line.trim() == "#[cfg(test)]";
            for (word, origin) in &self.texts {
                if !vocabulary && line.contains(word.as_str()) {
                    found.push((index + 1, word.clone(), origin.as_str()));
                }
            }
            // Quoted table signatures are the firmware's words, even where a rule is called the same.
            let unquoted: Vec<&str> = line.split('"').filter(|part| !is_table(part)).collect();
            let in_line = pieces(&unquoted.join(" "));
            for (name, origin) in self.names.iter().filter(|_| !path.starts_with(FOR_PEOPLE)) {
                if in_line.windows(name.len()).any(|w| w == name.as_slice()) {
                    found.push((index + 1, name.join("_"), origin.as_str()));
                }
            }
            if test || vocabulary {
                continue;
            }
            let own = |value: &u64| !allowed_number(*value, path);
            for token in tokens(line) {
                let value = number(token).filter(own);
                if let Some(origin) = value.and_then(|value| self.numbers.get(&value)) {
                    found.push((index + 1, token.to_owned(), origin.as_str()));
                }
            }
            for place in ["port_read(", "port_write("].map(|call| line.split(call).nth(1)) {
                let token = place.and_then(|place| tokens(place).next());
                let value = token
                    .and_then(number)
                    .filter(|v| !self.numbers.contains_key(v));
                if let Some(origin) = value.and_then(|value| self.ports.get(&value)) {
                    found.push((
                        index + 1,
                        token.unwrap_or_default().to_owned(),
                        origin.as_str(),
                    ));
                }
            }
        }
        found
    }
}

fn allowed(word: &str) -> bool {
    ALLOWED.iter().any(|(allowed, _reason)| *allowed == word)
}

fn allowed_number(value: u64, path: &str) -> bool {
    (ALLOWED_NUMBERS.iter()).any(|(known, file, _reason)| *known == value && path.starts_with(file))
}

/// Whether a number of a rule is one that is not everywhere.
fn tells(token: &str, value: u64) -> bool {
    let ones = value.wrapping_add(1).is_power_of_two() || value == u64::MAX;
    let digits = token.replace('_', "");
    let round = match digits.strip_prefix("0x") {
        Some(hex) => hex.trim_matches('0').len() <= 1,
        None => digits.trim_end_matches('0').len() <= 2,
    };
    value > 0xff && !value.is_power_of_two() && !ones && !round
}

/// A firmware table's signature with an entry type (`"ABCD.1"`): the firmware's vocabulary, not a device's.
fn is_table(text: &str) -> bool {
    let signature = text.split('.').next().unwrap_or_default();
    signature.len() == 4 && signature.bytes().all(|b| b.is_ascii_uppercase())
}

fn tokens(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|t| !t.is_empty())
}

/// The value of a number as rules and Rust write it.
fn number(token: &str) -> Option<u64> {
    let plain = token.replace('_', "");
    if let Some(hex) = plain
        .strip_prefix("0x")
        .or_else(|| plain.strip_prefix("0X"))
    {
        let digits: String = hex.chars().take_while(char::is_ascii_hexdigit).collect();
        return u64::from_str_radix(&digits, 16).ok();
    }
    let digits: String = plain.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The words of identifiers in lower case: `FooBar`, `foo_bar`, `foo-bar` and `foo bar` are the same two.
fn pieces(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut now = String::new();
    let mut before_lower = false;
    for letter in text.chars() {
        let ends = !letter.is_ascii_alphanumeric() || (letter.is_ascii_uppercase() && before_lower);
        if ends && !now.is_empty() {
            found.push(std::mem::take(&mut now));
        }
        if letter.is_ascii_alphanumeric() {
            now.push(letter.to_ascii_lowercase());
        }
        before_lower = letter.is_ascii_lowercase() || letter.is_ascii_digit();
    }
    if !now.is_empty() {
        found.push(now);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        let rule = "rule fancy_disk : block on pci   # nothing here\n\
                    \x20 match vendor == 0x1abc and device in 0x1041 .. 0x1060   score 9\n\
                    \x20 match class == 0x010802 or compatible == \"maker,fancy-9\" or table == \"ABCD.1\"  score 5\n\
                    \x20 candidate ports(0x3e7, 8) line 4, ports(0x71, 2)\n\
                    \x20 reg CONTROL 0x1234:32 { on@0; else 0 }   in d    # 0x2345\n\
                    \x20 when LIMIT < 1020 { await NOW == 0xfff within 2000 ms }\n";
        Words::of(&[("disk.rule".into(), rule.into())])
    }

    #[test]
    fn words_come_from_names_clues_and_candidates() {
        let words = words();
        assert_eq!(
            words.names.keys().cloned().collect::<Vec<_>>(),
            [["fancy", "disk"]]
        );
        assert_eq!(
            words.texts.keys().cloned().collect::<Vec<_>>(),
            ["maker,fancy-9"]
        );
        assert_eq!(
            words.numbers.keys().copied().collect::<Vec<_>>(),
            [0x3e7, 1020, 0x1041, 0x1060, 0x1234, 0x1abc]
        );
    }

    #[test]
    fn each_spelling_is_found() {
        let words = words();
        for line in [
            "let fancy_disk = 1;",
            "struct FancyDisk;",
            "// the fancy-disk rule",
            "const V: u16 = 0x1ABC;",
            "if id == 6844u16 {",
            "x(\"maker,fancy-9\")",
            "port(0x3e7)",
            "if line < 1020 {",
            "(base + 0x1234) as *mut u32",
            "arch::port_write(0x72, 1)",
        ] {
            assert_eq!(words.find("crates/a.rs", line).len(), 1, "{line}");
        }
    }

    #[test]
    fn a_number_may_mean_something_else_in_its_own_file() {
        let words = Words::of(&[("a.rule".into(), "rule a : x on pci\n  STEP = 365".into())]);
        let line = "let years = day / 365;";
        assert_eq!(words.find("nucleus/src/clock.rs", line).len(), 1);
        assert!(words.find("servers/console/src/date.rs", line).is_empty());
        let test = "#[cfg(test)]\nmod tests { const YEAR: u64 = 365; }";
        assert!(words.find("nucleus/src/clock.rs", test).is_empty());
    }

    #[test]
    fn ordinary_words_are_left_alone() {
        let words = words();
        for line in [
            "a fancy word",
            "disk fancy",
            "0x1abcd",
            "class == 0x010802",
            "ABCD.1",
            "tables.find(b\"DISK\")",
            "let x = 4096;",
            "let x = 0x72;",
            "within 2000 of 0xfff",
        ] {
            assert!(words.find("crates/a.rs", line).is_empty(), "{line}");
        }
    }
}
