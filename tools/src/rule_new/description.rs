//! What a register description says, whichever language it is written in; and how a rule says it.

use anyhow::{bail, Result};
use rulebook::tree::Effects;

/// Most registers that one description may have, arrays counted by their elements.
pub const MOST: u64 = 4096;

/// A device's registers.
#[derive(Debug, Default)]
pub struct Description {
    /// What the file calls the device.
    pub title: String,
    pub registers: Vec<Register>,
    /// What the file says and no rule can: said at the head of the registers.
    pub left_out: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Register {
    pub name: String,
    /// Bytes from the start of the device.
    pub offset: u64,
    pub bits: u64,
    /// How many of them, and how many bytes apart.
    pub several: Option<(u64, u64)>,
    pub effects: u16,
    pub text: String,
    pub fields: Vec<Field>,
    /// Effects that the rules language has no word for.
    pub unknown: Vec<String>,
    /// Line and column in the file.
    pub place: (u32, u32),
}

#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub low: u64,
    pub width: u64,
    pub effects: u16,
    /// What it is after a reset, if that is a number.
    pub reset: Option<u64>,
    /// Names of values.
    pub values: Vec<(String, u64)>,
}

/// Words that mean something where a name of a register or field stands.
const TAKEN: [&str; 22] = [
    "else", "rw", "ro", "wo", "w1c", "w1s", "rc", "pop", "sc", "doorbell", "pure", "keep", "when",
    "in", "via", "as", "step", "if", "and", "or", "todo", "init",
];

/// A name as the rules language wants it: letters, digits, `_`.
#[must_use]
pub fn plain(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut plain: String = name.chars().map(letter).collect();
    if plain.starts_with(|c: char| c.is_ascii_digit()) || plain.is_empty() {
        plain.insert(0, '_');
    }
    if TAKEN.contains(&plain.as_str()) {
        plain.push('_');
    }
    plain
}

/// Elements of an array that are compared with others.
const ELEMENTS: u64 = 256;

impl Register {
    /// Refuses what no rule can say.
    ///
    /// # Errors
    /// With what is wrong, without the place.
    pub fn check(&self) -> Result<()> {
        let name = &self.name;
        if ![8, 16, 32, 64].contains(&self.bits) {
            bail!(
                "register {name} is {} bits wide; 8, 16, 32 and 64 can be accessed",
                self.bits
            );
        }
        if self.offset > u64::from(u32::MAX) {
            bail!("register {name} lies at {:#x}, beyond 4 GiB", self.offset);
        }
        let mut free = u64::MAX >> (64 - self.bits);
        for field in &self.fields {
            let end = field.low.checked_add(field.width);
            if field.width == 0 || end.is_none_or(|end| end > self.bits) {
                bail!(
                    "{name}.{} has {} bits from bit {}, but {name} has {}",
                    field.name,
                    field.width,
                    field.low,
                    self.bits
                );
            }
            let mask = (u64::MAX >> (64 - field.width)) << field.low;
            if free & mask != mask {
                bail!("{name}.{} overlaps another field", field.name);
            }
            free &= !mask;
        }
        Ok(())
    }

    /// Whether it has bytes in common with another, both of which are read, or written.
    #[must_use]
    pub fn shares_place(&self, other: &Register) -> bool {
        // What is read at a place and what is written there are two registers.
        let only = |r: &Register, effect: u16| r.effects & effect != 0;
        let apart = |a: &Register, b: &Register| only(a, Effects::RO) && only(b, Effects::WO);
        if apart(self, other) || apart(other, self) {
            return false;
        }
        let spans = |r: &Register| {
            let (count, step) = r.several.unwrap_or((1, 0));
            let (start, length) = (r.offset, r.bits.div_ceil(8));
            (0..count.min(ELEMENTS)).map(move |n| {
                let start = start.saturating_add(n.saturating_mul(step));
                (start, start.saturating_add(length))
            })
        };
        let theirs: Vec<(u64, u64)> = spans(other).collect();
        spans(self).any(|(a, b)| theirs.iter().any(|(from, to)| a < *to && *from < b))
    }

    /// The `reg` item, without indentation. `over`: the registers before it that it shares a place with.
    #[must_use]
    pub fn item(&self, digits: usize, space: Option<&str>, over: &[String]) -> String {
        let count = self
            .several
            .map_or_else(String::new, |(n, _)| format!("[{n}]"));
        let mut text = format!(
            "reg {}{count} {:#0width$x}:{}",
            plain(&self.name),
            self.offset,
            self.bits,
            width = digits + 2
        );
        text += &words(self.effects);
        if !self.fields.is_empty() {
            let fields: Vec<String> = self.fields.iter().map(|f| self.field(f)).collect();
            text += &format!(" {{ {}{} }}", fields.join("; "), self.rest());
        }
        if let Some((_, step)) = self.several.filter(|(_, step)| *step * 8 != self.bits) {
            text += &format!(" step {step}");
        }
        for name in over {
            text += &format!(" over {name}");
        }
        if let Some(space) = space {
            text += &format!(" in {space}");
        }
        let mut notes: Vec<String> = self.unknown.clone();
        let said = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        if !said.is_empty() {
            notes.insert(0, said);
        }
        if !notes.is_empty() {
            let note: String = notes
                .join("; ")
                .chars()
                .filter(char::is_ascii)
                .take(100)
                .collect();
            text = format!("{text:<70}  # {note}");
        }
        text
    }

    fn field(&self, field: &Field) -> String {
        let width = match field.width {
            1 => String::new(),
            width => format!(":{width}"),
        };
        // What holds for the whole register is not said of each field.
        let effects = words(field.effects & !self.effects);
        format!("{}@{}{width}{effects}", plain(&field.name), field.low)
    }

    /// What becomes of bits that no field names.
    fn rest(&self) -> &'static str {
        let covered: u64 = self.fields.iter().map(|f| f.width).sum();
        let all = self
            .fields
            .iter()
            .fold(self.effects, |all, f| all | f.effects);
        match covered == self.bits {
            true => "",
            false if self.effects & Effects::RO != 0 => "; else any",
            false if all & (Effects::RC | Effects::POP | Effects::WO) != 0 => "; else 0",
            false => "; else keep",
        }
    }
}

fn words(effects: u16) -> String {
    let all = [
        (Effects::RO, "ro"),
        (Effects::WO, "wo"),
        (Effects::W1C, "w1c"),
        (Effects::W1S, "w1s"),
        (Effects::RC, "rc"),
        (Effects::POP, "pop"),
        (Effects::SC, "sc"),
    ];
    let said = all.iter().filter(|(bit, _)| effects & bit != 0);
    said.map(|(_, word)| format!(" {word}")).collect()
}
