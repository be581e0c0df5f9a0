//! Rules with one token wrong, to see who notices: the checks, the specialiser, or the self-test on the device.

use crate::models::Model;
use crate::stand::{Outside, Stand, Written};
use crate::ways;
use crate::Result;
use rulebook::tree::Book;
use std::time::Duration;

/// One change of one rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    pub operator: Operator,
    /// The file, as the rulebook was given it.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    pub what: String,
    /// The line as it becomes.
    pub text: String,
}

/// What kind of mistake it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operator {
    /// Offsets, widths and bits of registers and records.
    Layout,
    /// Two writes to registers change places.
    Order,
    /// A `publish` or `acquire` is dropped.
    Fence,
    /// A number is one more, one less, or has another bit.
    Value,
    /// A comparison is another, a test is negated, or is not made.
    Test,
    /// A `claim` is dropped: an event takes what is not its own.
    Claim,
    /// `-` for `+`, `>>` for `<<`, `|` for `&`, and their like.
    Arithmetic,
    /// A statement that does something is not there.
    Forgotten,
}

impl Operator {
    pub const ALL: [Operator; 8] = [
        Operator::Layout,
        Operator::Order,
        Operator::Fence,
        Operator::Value,
        Operator::Test,
        Operator::Claim,
        Operator::Arithmetic,
        Operator::Forgotten,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Operator::Layout => "layout",
            Operator::Order => "order",
            Operator::Fence => "fence",
            Operator::Value => "value",
            Operator::Test => "test",
            Operator::Claim => "claim",
            Operator::Arithmetic => "arithmetic",
            Operator::Forgotten => "forgotten",
        }
    }
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
    /// The emulator did not start, several times: nothing is known.
    Untried,
}

/// Every mutation of a rule's text, a token or a statement each.
#[must_use]
pub fn of(file: &str, text: &str) -> Vec<Mutation> {
    let mut all: Vec<Mutation> = Vec::new();
    for (number, whole) in text.lines().enumerate() {
        let line = whole.split('#').next().unwrap_or_default();
        let mut push = |operator: Operator, what: String, text: String| {
            // Two operators may come to the same text: the first has it.
            let known = |m: &Mutation| m.line == number + 1 && m.text.trim() == text.trim();
            if text.trim_end() != line.trim_end() && !all.iter().any(known) {
                all.push(Mutation {
                    operator,
                    file: file.into(),
                    line: number + 1,
                    what,
                    text,
                });
            }
        };
        let word = line.split_whitespace().next().unwrap_or_default();
        if matches!(word, "reg" | "bits" | "record") || line.contains('@') {
            layout(line, &mut |what, text| push(Operator::Layout, what, text));
        }
        if let Some(text) = swapped(line) {
            push(
                Operator::Order,
                "two writes in the other order".into(),
                text,
            );
        }
        for fence in ["publish", "acquire"] {
            if let Some(text) = without(line, fence) {
                push(Operator::Fence, format!("no `{fence}`"), text);
            }
        }
        // How a device is known and where its registers are is not what is tried here.
        if matches!(
            word,
            "rule" | "match" | "reg" | "bits" | "record" | "space" | "candidate" | "class"
        ) || line.contains('@')
        {
            continue;
        }
        if let Some(text) = without(line, "claim") {
            push(Operator::Claim, "no `claim`".into(), text);
        }
        tests(line, &mut |what, text| push(Operator::Test, what, text));
        arithmetic(line, &mut |what, text| {
            push(Operator::Arithmetic, what, text)
        });
        values(line, &mut |what, text| push(Operator::Value, what, text));
        forgotten(line, &mut |what, text| {
            push(Operator::Forgotten, what, text)
        });
    }
    all
}

/// Operators with spaces around them, and what is written for them by mistake.
const COMPARISONS: [(&str, &str); 6] = [
    ("==", "!="),
    ("!=", "=="),
    ("<", "<="),
    ("<=", "<"),
    (">", ">="),
    (">=", ">"),
];
const ARITHMETIC: [(&str, &str); 11] = [
    ("+", "-"),
    ("-", "+"),
    ("*", "+"),
    ("/", "*"),
    ("%", "/"),
    ("<<", ">>"),
    (">>", "<<"),
    ("&", "|"),
    ("|", "&"),
    ("+=", "-="),
    ("-=", "+="),
];

/// Each place of the line where one of the signs stands between spaces, with the other sign.
fn exchanged(line: &str, signs: &[(&str, &str)], push: &mut impl FnMut(String, String)) {
    for (sign, other) in signs {
        let spaced = format!(" {sign} ");
        for (at, _) in line.match_indices(&spaced) {
            let (before, after) = (&line[..at], &line[at + spaced.len()..]);
            push(
                format!("`{sign}` is `{other}`"),
                format!("{before} {other} {after}"),
            );
        }
    }
}

fn arithmetic(line: &str, push: &mut impl FnMut(String, String)) {
    exchanged(line, &ARITHMETIC, push);
}

/// Other comparisons; what `if`, `when`, `while`, `check`, `claim` and `await` ask, negated and left out.
fn tests(line: &str, push: &mut impl FnMut(String, String)) {
    exchanged(line, &COMPARISONS, push);
    for word in ["if", "when", "while", "check", "claim", "await"] {
        for (start, end) in statements(line) {
            let statement = &line[start..end];
            let Some(asked) = statement.strip_prefix(word).filter(|s| s.starts_with(' ')) else {
                continue;
            };
            let stops: &[&str] = match word {
                "check" => &[" else "],
                "claim" => &[],
                "await" => &[" within "],
                _ => &[" {"],
            };
            let length = stops.iter().filter_map(|stop| asked.find(stop)).min();
            // `await back RING` is no test that could be negated; nor is a test that ends on another line.
            let test = match (length, word) {
                (Some(length), _) => asked[..length].trim(),
                (None, "claim") => asked.trim(),
                _ => continue,
            };
            let at = start + word.len() + 1 + (asked.len() - asked.trim_start().len() - 1);
            let (before, after) = (&line[..at], &line[at + test.len()..]);
            if !test.starts_with("back ") {
                push("negated".into(), format!("{before}!({test}){after}"));
            }
            match word {
                "check" => push("no `check`".into(), dropped(line, start, end)),
                "if" | "when" => push("not asked".into(), format!("{before}0 == 0{after}")),
                _ => {}
            }
        }
    }
}

/// Numbers that are not where something lies: one more, one less, another bit. How long something is waited for is left
/// alone, since no device could tell.
fn values(line: &str, push: &mut impl FnMut(String, String)) {
    for (at, end, value, hex) in numbers(line) {
        let before = line[..at].chars().next_back().unwrap_or(' ');
        let after = line[end..].trim_start();
        let unit = after.split(|c: char| !c.is_ascii_alphanumeric()).next();
        if matches!(unit, Some("ns" | "us" | "ms" | "s")) || matches!(before, '@' | ':') {
            continue;
        }
        let low = value & value.wrapping_neg();
        let others = [
            value.checked_add(1),
            value.checked_sub(1),
            low.checked_mul(2).map(|next| value ^ low | next),
        ];
        let mut seen = vec![value];
        for other in others.into_iter().flatten() {
            if seen.contains(&other) {
                continue;
            }
            seen.push(other);
            let shown = match hex {
                true => format!("{other:#x}"),
                false => other.to_string(),
            };
            let text = format!("{}{shown}{}", &line[..at], &line[end..]);
            push(format!("{} is {shown}", &line[at..end]), text);
        }
    }
}

/// The numbers of a line: where they begin and end, their values, and whether they are written in base 16.
fn numbers(line: &str) -> Vec<(usize, usize, u64, bool)> {
    let bytes = line.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let before = at.checked_sub(1).map_or(b' ', |k| bytes[k]);
        if !bytes[at].is_ascii_digit() || before.is_ascii_alphanumeric() || before == b'_' {
            at += 1;
            continue;
        }
        let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
        let end = at + bytes[at..].iter().take_while(|b| word(b)).count();
        let token = &line[at..end];
        let hex = token.strip_prefix("0x");
        let value = match hex {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => token.parse().ok(),
        };
        found.extend(value.map(|value| (at, end, value, hex.is_some())));
        at = end;
    }
    found
}

/// Statements that write, say or wait, each left out.
fn forgotten(line: &str, push: &mut impl FnMut(String, String)) {
    for (start, end) in statements(line) {
        let statement = line[start..end].trim();
        let first = statement.split(' ').next().unwrap_or_default();
        let assigns = [" = ", " += ", " -= ", " |= ", " &= "]
            .iter()
            .any(|sign| statement.contains(sign));
        let place = first.chars().next().is_some_and(char::is_alphabetic);
        let acts = match first {
            "up" | "pause" | "await" | "free" | "start" | "fence" => true,
            "let" | "learn" | "fact" | "if" | "when" | "while" | "for" | "check" | "return"
            | "else" | "op" | "flow" | "event" | "init" | "each" | "use" | "part" | "then"
            | "publish" | "acquire" | "claim" | "lend" | "gone" => false,
            // A write, or a call.
            _ => place && (assigns || first.contains('(')),
        };
        if acts {
            push(format!("no `{statement}`"), dropped(line, start, end));
        }
    }
}

/// Where each statement of a line begins and ends: at its first word, behind `;` and behind `{`; up to a `;` or `}` of its own
/// depth. (What stands in braces and is no statement begins with no word that one begins with.)
fn statements(line: &str) -> Vec<(usize, usize)> {
    let bytes = line.as_bytes();
    let mut starts = vec![0];
    starts.extend(
        (0..bytes.len()).filter_map(|at| matches!(bytes[at], b';' | b'{').then_some(at + 1)),
    );
    let mut found = Vec::new();
    for start in starts {
        let space = |b: &&u8| **b == b' ';
        let start = start + bytes[start..].iter().take_while(space).count();
        let (mut depth, mut end) = (0, bytes.len());
        for (at, byte) in bytes.iter().enumerate().skip(start) {
            match byte {
                b'{' | b'(' | b'[' => depth += 1,
                b'}' | b')' | b']' if depth == 0 => end = end.min(at),
                b'}' | b')' | b']' => depth -= 1,
                b';' if depth == 0 => end = end.min(at),
                _ => {}
            }
        }
        let end = start + line[start..end].trim_end().len();
        if start < end {
            found.push((start, end));
        }
    }
    found
}

/// The line without the statement; a block does not become empty by that.
fn dropped(line: &str, start: usize, end: usize) -> String {
    format!("{}let nothing = 0{}", &line[..start], &line[end..])
}

/// Numbers after a register's name, after `@` and after `:`.
fn layout(line: &str, push: &mut impl FnMut(String, String)) {
    for (at, end, value, hex) in numbers(line) {
        let bytes = line.as_bytes();
        let before = at.checked_sub(1).map_or(b' ', |k| bytes[k]);
        let next = bytes.get(end).copied().unwrap_or(b' ');
        for (what, other) in others(value, before, next) {
            let shown = match hex {
                true => format!("{other:#x}"),
                false => other.to_string(),
            };
            let text = format!("{}{shown}{}", &line[..at], &line[end..]);
            push(format!("{what} {} is {shown}", &line[at..end]), text);
        }
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
        match (on(&book, right), verdict) {
            (Verdict::Same, _) => {}
            // Where one model could not be tried, it is not known that nobody notices.
            (Verdict::Untried, _) | (Verdict::Survived, Verdict::Untried) => {
                verdict = Verdict::Untried;
            }
            (Verdict::Survived, _) => verdict = Verdict::Survived,
            (noticed, _) => return noticed,
        }
    }
    verdict
}

/// How often an emulator is started that did not start, or that ended while the driver was tried.
const STARTS: u32 = 3;
/// Between two starts.
const REST: Duration = Duration::from_millis(500);

fn on(book: &Book, right: &Right) -> Verdict {
    let mut begun = false;
    decided(|| {
        if std::mem::replace(&mut begun, true) {
            std::thread::sleep(REST);
        }
        let stand = Stand::watched(&right.model, &right.outside).ok()?;
        Some(tried(book, right, stand))
    })
}

/// The verdict of several tries. One gives nothing if the emulator does not start, which tells nothing of the rule; else who noticed,
/// and whether the emulator lives. One that ended is believed to have been ended by the driver only when it ends again.
fn decided(mut one: impl FnMut() -> Option<(Verdict, bool)>) -> Verdict {
    let mut ended = false;
    for _ in 0..STARTS {
        match one() {
            None => {}
            Some((Verdict::Written | Verdict::Tested, false)) if !ended => ended = true,
            Some((verdict, _)) => return verdict,
        }
    }
    Verdict::Untried
}

/// Who notices on a model that runs, and whether the emulator still does.
fn tried(book: &Book, right: &Right, mut stand: Stand) -> (Verdict, bool) {
    let class = &right.model.class;
    let Ok(written) = stand.write(book, class) else {
        return (Verdict::Written, stand.machine.alive());
    };
    if written.residual == right.written.residual && written.facts == right.written.facts {
        return (Verdict::Same, true);
    }
    match ways::thorough(&stand, &written, class) {
        Ok(()) => (Verdict::Survived, true),
        Err(_) => (Verdict::Tested, stand.machine.alive()),
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
        for operator in [Operator::Layout, Operator::Order, Operator::Fence] {
            assert!(all.iter().any(|m| m.operator == operator), "{operator:?}");
        }
        let dropped = all.iter().find(|m| m.what == "no `publish`").unwrap();
        assert_eq!(dropped.text.trim(), "A = 1");
    }
    #[test]
    fn statements_are_changed_in_each_way() {
        let text = "  event irq { let c = ICR;  claim c & 2 != 0;  ACK = c << 1;  if c.up { up link(true) } }\n";
        let all = of("x.rule", text);
        for (operator, line) in [
            (Operator::Claim, "event irq { let c = ICR;  ACK = c << 1;  if c.up { up link(true) } }"),
            (Operator::Test, "event irq { let c = ICR;  claim c & 2 == 0;  ACK = c << 1;  if c.up { up link(true) } }"),
            (Operator::Test, "event irq { let c = ICR;  claim !(c & 2 != 0);  ACK = c << 1;  if c.up { up link(true) } }"),
            (Operator::Test, "event irq { let c = ICR;  claim c & 2 != 0;  ACK = c << 1;  if 0 == 0 { up link(true) } }"),
            (Operator::Arithmetic, "event irq { let c = ICR;  claim c & 2 != 0;  ACK = c >> 1;  if c.up { up link(true) } }"),
            (Operator::Arithmetic, "event irq { let c = ICR;  claim c | 2 != 0;  ACK = c << 1;  if c.up { up link(true) } }"),
            (Operator::Value, "event irq { let c = ICR;  claim c & 4 != 0;  ACK = c << 1;  if c.up { up link(true) } }"),
            (Operator::Value, "event irq { let c = ICR;  claim c & 2 != 1;  ACK = c << 1;  if c.up { up link(true) } }"),
            (Operator::Forgotten, "event irq { let c = ICR;  claim c & 2 != 0;  let nothing = 0;  if c.up { up link(true) } }"),
            (Operator::Forgotten, "event irq { let c = ICR;  claim c & 2 != 0;  ACK = c << 1;  if c.up { let nothing = 0 } }"),
        ] {
            let made = all.iter().any(|m| m.operator == operator && m.text.trim() == line);
            assert!(made, "no {operator:?}: {line}\n{all:#?}");
        }
        // Waiting longer is no mistake that a device could tell; `check` is left out whole.
        let all = of(
            "x.rule",
            "    check n < 4 else fail dead\n    await !C.reset within 10 ms else fail dead\n",
        );
        assert!(!all.iter().any(|m| m.text.contains("11 ms")), "{all:#?}");
        assert!(all
            .iter()
            .any(|m| m.what == "no `check`" && m.text.trim() == "let nothing = 0"));
        assert!(all
            .iter()
            .any(|m| m.text.trim() == "await !(!C.reset) within 10 ms else fail dead"));
    }

    #[test]
    fn an_emulator_that_does_not_start_is_no_verdict() {
        let verdict = |tries: &[Option<(Verdict, bool)>]| {
            let mut tries = tries.iter();
            decided(|| *tries.next().expect("no more tries than these"))
        };
        let (caught, ended) = (
            Some((Verdict::Tested, true)),
            Some((Verdict::Tested, false)),
        );
        let survived = Some((Verdict::Survived, true));
        assert_eq!(verdict(&[None, None, None]), Verdict::Untried);
        assert_eq!(verdict(&[caught]), Verdict::Tested);
        assert_eq!(verdict(&[None, survived]), Verdict::Survived);
        // It ends each time that it is tried: the driver ends it.
        assert_eq!(verdict(&[ended, ended]), Verdict::Tested);
        // It ended once, and then it did not.
        assert_eq!(verdict(&[ended, survived]), Verdict::Survived);
        assert_eq!(verdict(&[ended, None, None]), Verdict::Untried);
    }
}
