//! Rules with one token wrong, to see who notices: the checks, the specialiser, or the self-test on the device.

use crate::models::Model;
use crate::stand::{Outside, Stand, Written};
use crate::ways;
use crate::Result;
use rulebook::tree::Book;

/// One change of one rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// The file, as the rulebook was given it.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    pub what: String,
    /// The line as it becomes.
    pub text: String,
}

/// Who noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The rulebook's checks.
    Checked,
    /// It was not chosen any more, its first run failed, or it could not be written.
    Written,
    /// The self-test on the device.
    Tested,
    /// Nobody.
    Survived,
    /// Nobody could: no device model's driver became another.
    Same,
}

/// Every mutation of a rule's text: offsets, widths and bits of registers and records, the order of two writes, dropped
/// publishes and acquires.
#[must_use]
pub fn of(file: &str, text: &str) -> Vec<Mutation> {
    let mut all = Vec::new();
    for (number, whole) in text.lines().enumerate() {
        let line = whole.split('#').next().unwrap_or_default();
        let mut push = |what: String, text: String| {
            if text.trim_end() != line.trim_end() {
                all.push(Mutation {
                    file: file.into(),
                    line: number + 1,
                    what,
                    text,
                });
            }
        };
        let word = line.split_whitespace().next().unwrap_or_default();
        if matches!(word, "reg" | "bits" | "record") || line.contains('@') {
            layout(line, &mut push);
        }
        if let Some(text) = swapped(line) {
            push("two writes in the other order".into(), text);
        }
        for fence in ["publish", "acquire"] {
            if let Some(text) = without(line, fence) {
                push(format!("no `{fence}`"), text);
            }
        }
    }
    all
}

/// Numbers after a register's name, after `@` and after `:`.
fn layout(line: &str, push: &mut impl FnMut(String, String)) {
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let digit = bytes[at].is_ascii_digit();
        let before = at.checked_sub(1).map_or(b' ', |k| bytes[k]);
        if !digit || before.is_ascii_alphanumeric() || before == b'_' {
            at += 1;
            continue;
        }
        let mut end = at;
        while end < bytes.len() && (bytes[end].is_ascii_alphanumeric() || bytes[end] == b'_') {
            end += 1;
        }
        let token = &line[at..end];
        let hex = token.strip_prefix("0x");
        let value = match hex {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => token.parse().ok(),
        };
        let next = bytes.get(end).copied().unwrap_or(b' ');
        if let Some(value) = value {
            for (what, other) in others(value, before, next) {
                let shown = match hex {
                    Some(_) => format!("{other:#x}"),
                    None => other.to_string(),
                };
                let text = format!("{}{shown}{}", &line[..at], &line[end..]);
                push(format!("{what} {token} is {shown}"), text);
            }
        }
        at = end;
    }
}

/// What a number may become by mistake, by where it stands.
fn others(value: u64, before: u8, next: u8) -> Vec<(&'static str, u64)> {
    match (before, next) {
        (b'@', _) => vec![("bit or byte", value + 1)],
        (b':', _) if matches!(value, 8 | 16 | 32 | 64) => {
            let other = if value == 64 { 32 } else { value * 2 };
            vec![("width", other)]
        }
        (b':', _) => vec![("width", value + 1)],
        (b' ', b':') => vec![("offset", value + 4), ("offset", value ^ 1)],
        _ => Vec::new(),
    }
}

/// `A = x;  B = y` the other way round, where both sides are registers.
fn swapped(line: &str) -> Option<String> {
    let indent = line.len() - line.trim_start().len();
    let (first, second) = line.trim().split_once(';')?;
    let second = second.trim();
    let register = |s: &str| {
        let name: String = s.chars().take_while(|c| *c != ' ').collect();
        s.contains(" = ") && !name.is_empty() && name.chars().next().is_some_and(char::is_uppercase)
    };
    if !register(first.trim()) || !register(second) || second.contains(';') {
        return None;
    }
    Some(format!("{}{second};  {}", " ".repeat(indent), first.trim()))
}

/// The line without `word X`, where that is a statement.
fn without(line: &str, word: &str) -> Option<String> {
    let at = line.find(&format!("{word} "))?;
    let before = line[..at].trim_end();
    if !(before.is_empty() || before.ends_with(';') || before.ends_with('{')) {
        return None;
    }
    let rest = &line[at..];
    let end = rest.find([';', '}']).unwrap_or(rest.len());
    let skip = usize::from(rest[end..].starts_with(';'));
    let text = format!("{}{}", &line[..at], rest[end + skip..].trim_start());
    // A block must not become empty by its only line going away.
    match text.trim().is_empty() {
        true => Some(format!("{}let nothing = 0", &line[..at])),
        false => Some(text),
    }
}

/// The text with the mutation.
#[must_use]
pub fn apply(text: &str, mutation: &Mutation) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    if let Some(line) = lines.get_mut(mutation.line.wrapping_sub(1)) {
        *line = &mutation.text;
    }
    lines.join("\n") + "\n"
}

/// A model, and the driver that the right rule becomes for it.
pub struct Right {
    pub model: Model,
    outside: Outside,
    written: Written,
}

impl Right {
    /// # Errors
    /// When the model does not run.
    pub fn new(book: &Book, model: &Model) -> Result<Right> {
        let outside = Outside::new(model)?;
        let mut stand = Stand::watched(model, &outside)?;
        let written = stand.write(book, &model.class)?;
        // What the right rule does not pass would tell nothing of a wrong one.
        ways::thorough(&stand, &written, &model.class)?;
        drop(stand);
        Ok(Right {
            model: model.clone(),
            outside,
            written,
        })
    }

    /// Whether one of these rules has a part in it.
    #[must_use]
    pub fn uses(&self, rules: &[String]) -> bool {
        self.model
            .rules
            .split(' ')
            .any(|r| rules.iter().any(|name| name == r))
    }
}

/// Tries one mutation on the models that it may concern.
#[must_use]
pub fn judge(texts: &[(String, String)], mutation: &Mutation, rights: &[&Right]) -> Verdict {
    let changed: Vec<(&str, String)> = texts
        .iter()
        .map(|(file, text)| match *file == mutation.file {
            true => (file.as_str(), apply(text, mutation)),
            false => (file.as_str(), text.clone()),
        })
        .collect();
    let borrowed: Vec<(&str, &str)> = changed.iter().map(|(f, t)| (*f, t.as_str())).collect();
    let Ok(book) = rulebook::read(&borrowed) else {
        return Verdict::Checked;
    };
    let mut verdict = Verdict::Same;
    for right in rights {
        match on(&book, right) {
            Verdict::Same => {}
            Verdict::Survived => verdict = Verdict::Survived,
            noticed => return noticed,
        }
    }
    verdict
}

fn on(book: &Book, right: &Right) -> Verdict {
    let model = &right.model;
    let Ok(mut stand) = Stand::watched(model, &right.outside) else {
        return Verdict::Written;
    };
    let Ok(written) = stand.write(book, &model.class) else {
        return Verdict::Written;
    };
    if written.residual == right.written.residual && written.facts == right.written.facts {
        return Verdict::Same;
    }
    match ways::thorough(&stand, &written, &model.class) {
        Ok(()) => Verdict::Survived,
        Err(_) => Verdict::Tested,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_mistake_is_made() {
        let text = "rule x : c on b\n  reg A 0x10:32 { go@3 n@4:2; else 0 }   # 1\n  op f\n    publish R;  A = 1\n    A = 1;  B = 2\n";
        let all = of("x.rule", text);
        let what: Vec<&str> = all.iter().map(|m| m.what.as_str()).collect();
        assert!(what.contains(&"offset 0x10 is 0x14"), "{what:?}");
        assert!(what.contains(&"width 32 is 64"), "{what:?}");
        assert!(what.contains(&"bit or byte 3 is 4"), "{what:?}");
        assert!(what.contains(&"no `publish`"), "{what:?}");
        assert!(what.contains(&"two writes in the other order"), "{what:?}");
        for mutation in &all {
            assert_ne!(apply(text, mutation), text, "{mutation:?}");
        }
        let dropped = all.iter().find(|m| m.what == "no `publish`").unwrap();
        assert_eq!(dropped.text.trim(), "A = 1");
    }
}
