//! A builder for the devices that static tables describe: path, facts, windows, wires.

use super::tables::number;
use alloc::{format, string::String};
use machine::{Device, Fact, Source, Value, Window, WindowKind, Wire};

/// A generic address (5.2.3.2).
#[derive(Clone, Copy)]
pub struct Address {
    /// 0 memory, 1 ports.
    pub space: u64,
    /// Width of the register, bits; 0 where firmware does not say.
    pub width: u64,
    pub at: u64,
}

/// The generic address at an offset of a table; none where it is 0.
pub fn address(table: &[u8], at: usize) -> Option<Address> {
    let place = number(table, at.checked_add(4)?, 8)?;
    (place != 0).then_some(Address {
        space: number(table, at, 1)?,
        width: number(table, at + 1, 1)?,
        at: place,
    })
}

impl Address {
    pub fn kind(self) -> Option<WindowKind> {
        match self.space {
            0 => Some(WindowKind::Memory),
            1 => Some(WindowKind::Port),
            _ => None,
        }
    }
    pub fn port(self) -> Option<u64> {
        (self.space == 1).then_some(self.at)
    }
    pub fn memory(self) -> Option<u64> {
        (self.space == 0).then_some(self.at)
    }
}

pub struct Described(pub Device);

impl Described {
    /// `name` is the table's signature, or that and the type of its entry (`APIC.1`); `place` tells several apart.
    pub fn new(name: &str, place: Option<u64>) -> Described {
        let mut device = Device::new(
            match place {
                Some(at) => format!("acpi/{name}@{at:x}"),
                None => format!("acpi/{name}"),
            },
            "platform",
        );
        let signature = name.as_bytes().first_chunk().copied().unwrap_or_default();
        device.facts.push(Fact {
            name: String::from("acpi"),
            value: Value::Text(String::from(name)),
            source: Source::Firmware(signature),
        });
        Described(device)
    }

    fn source(&self) -> Source {
        self.0.facts.first().map_or(Source::Processor, |f| f.source)
    }

    pub fn fact(mut self, name: &str, value: Option<Value>) -> Described {
        let source = self.source();
        self.0.facts.extend(value.map(|value| Fact {
            name: String::from(name),
            value,
            source,
        }));
        self
    }

    pub fn with(self, name: &str, value: Option<u64>) -> Described {
        self.fact(name, value.map(Value::Number))
    }

    pub fn text(self, name: &str, value: Option<&str>) -> Described {
        self.fact(name, value.map(|text| Value::Text(String::from(text))))
    }

    /// A fact that is there only when it is so.
    pub fn flag(self, name: &str, yes: bool) -> Described {
        self.fact(name, yes.then_some(Value::Flag(true)))
    }

    /// A window; one that wraps around is none.
    pub fn at(mut self, kind: WindowKind, base: u64, size: u64) -> Described {
        let source = self.source();
        if base.checked_add(size).is_some() {
            self.0.windows.push(Window {
                index: u8::try_from(self.0.windows.len()).unwrap_or(u8::MAX),
                kind,
                base,
                size,
                source,
            });
        }
        self
    }

    pub fn wire(mut self, line: u64, level: bool, low: bool) -> Described {
        let source = self.source();
        self.0
            .wires
            .extend(u32::try_from(line).ok().map(|line| Wire {
                line,
                level,
                low,
                source,
                pin: 0,
            }));
        self
    }

    pub fn done(self) -> Device {
        self.0
    }
}
