//! Scripts: which device it is, what it answers, what is called.

use graph::{Space, Width};
use machine::{Fact, Source, Value, Window, WindowKind, Wire};

/// State, arena or pool, by its word.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Named(pub &'static str, pub Space);

#[derive(Clone, Debug)]
pub enum Line {
    /// `call ENTRY WORDS`
    Call { entry: String, words: Vec<u64> },
    /// `device arena AT:BITS = VALUE …`: the device (the client) stores into memory.
    Device {
        space: Named,
        at: u64,
        width: Width,
        values: Vec<u64>,
    },
    /// `lane N`: what is called from here on runs there.
    Lane(u64),
    /// `show arena AT LENGTH`
    Show { space: Named, at: u64, length: u64 },
}

/// Reads of one place give these, in order, and the last for ever.
#[derive(Clone, Debug)]
pub struct Answer {
    pub address: u64,
    pub port: bool,
    pub values: Vec<u64>,
}

#[derive(Clone, Debug, Default)]
pub struct Script {
    pub bus: String,
    pub facts: Vec<Fact>,
    pub windows: Vec<Window>,
    /// PCI configuration space.
    pub config: Vec<u8>,
    pub wires: Vec<Wire>,
    pub given: Vec<(String, u64)>,
    pub answers: Vec<Answer>,
    pub lines: Vec<Line>,
}

fn number(word: &str) -> Result<u64, String> {
    let digits = word.trim_end_matches(',');
    let parsed = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    parsed.map_err(|_| format!("{word:?} is no number"))
}

fn width(word: &str) -> Result<Width, String> {
    Ok(match word {
        "8" => Width::B8,
        "16" => Width::B16,
        "32" => Width::B32,
        "64" => Width::B64,
        _ => return Err(format!("{word:?} is no width")),
    })
}

fn named(word: &str) -> Result<Named, String> {
    Ok(match word {
        "state" => Named("state", Space::State),
        "arena" => Named("arena", Space::Arena),
        "pool" => Named("pool", Space::Pool),
        _ => return Err(format!("{word:?} is neither state, arena nor pool")),
    })
}

pub fn shown(value: &Value) -> String {
    match value {
        Value::Number(n) => format!("{n:#x}"),
        other => format!("{other:?}"),
    }
}

impl Script {
    pub fn read(text: &str) -> Result<Script, String> {
        let mut script = Script {
            bus: "pci".into(),
            ..Script::default()
        };
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let words: Vec<&str> = line.split_whitespace().collect();
            if !words.is_empty() {
                script
                    .line(&words)
                    .map_err(|why| format!("{line:?}: {why}"))?;
            }
        }
        Ok(script)
    }

    fn line(&mut self, words: &[&str]) -> Result<(), String> {
        match *words {
            ["bus", bus] => self.bus = bus.into(),
            ["fact", name, ref values @ ..] => {
                let value = match values {
                    ["yes"] => Value::Flag(true),
                    ["no"] => Value::Flag(false),
                    ["text", text] => Value::Text((*text).into()),
                    ["texts", texts @ ..] => {
                        Value::Texts(texts.iter().map(|t| (*t).to_owned()).collect())
                    }
                    [one] => Value::Number(number(one)?),
                    _ => return Err("a fact has one value".into()),
                };
                self.facts.push(Fact {
                    name: name.into(),
                    value,
                    source: Source::Configuration,
                });
            }
            ["window", index, kind, base, size] => self.windows.push(Window {
                index: number(index)? as u8,
                kind: match kind {
                    "ports" => WindowKind::Port,
                    _ => WindowKind::Memory,
                },
                base: number(base)?,
                size: number(size)?,
                source: Source::Assigned,
            }),
            // `config 0x34 = 40 00 …`, bytes as hexadecimal digits
            ["config", at, "=", ref bytes @ ..] => {
                self.config.resize(256, 0);
                for (k, byte) in bytes.iter().enumerate() {
                    let place = self.config.get_mut(number(at)? as usize + k);
                    let byte = u8::from_str_radix(byte, 16).map_err(|_| "no byte")?;
                    *place.ok_or("configuration space has 256 bytes")? = byte;
                }
            }
            ["wire", line] => self.wires.push(Wire {
                line: number(line)? as u32,
                level: true,
                low: true,
                source: Source::Assigned,
                pin: 1,
            }),
            ["given", name, value] => self.given.push((name.into(), number(value)?)),
            // `answers mem 0x1004 = 1 2 3`
            ["answers", kind, at, "=", ref values @ ..] => self.answers.push(Answer {
                address: number(at)?,
                port: kind == "port",
                values: values.iter().map(|v| number(v)).collect::<Result<_, _>>()?,
            }),
            ["call", entry, ref values @ ..] => self.lines.push(Line::Call {
                entry: entry.into(),
                words: values.iter().map(|v| number(v)).collect::<Result<_, _>>()?,
            }),
            ["device", space, place, "=", ref values @ ..] => {
                let (at, bits) = place.split_once(':').ok_or("a place is `at:bits`")?;
                self.lines.push(Line::Device {
                    space: named(space)?,
                    at: number(at)?,
                    width: width(bits)?,
                    values: values.iter().map(|v| number(v)).collect::<Result<_, _>>()?,
                });
            }
            ["lane", lane] => self.lines.push(Line::Lane(number(lane)?)),
            ["show", space, at, length] => self.lines.push(Line::Show {
                space: named(space)?,
                at: number(at)?,
                length: number(length)?,
            }),
            _ => return Err("this is no line of a script".into()),
        }
        Ok(())
    }
}
