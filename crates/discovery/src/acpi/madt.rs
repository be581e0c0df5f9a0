//! The table of interrupt controllers (5.2.12).

use super::tables::number;
use crate::Notes;
use alloc::{format, string::String, vec::Vec};
use machine::{Device, Fact, Source, Value, Window, WindowKind};

const SOURCE: Source = Source::Firmware(*b"APIC");
/// Registers of a controller that wires end at.
const CONTROLLER_SIZE: u64 = 4096;

/// Where an ISA wire really ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Override {
    from: u8,
    line: u32,
    level: bool,
    low: bool,
}

/// How ISA wires differ from what they always were.
#[derive(Clone, Debug, Default)]
pub struct Overrides(Vec<Override>);

impl Overrides {
    /// (line, level, low) of an ISA wire.
    pub fn of(&self, wire: u32) -> (u32, bool, bool) {
        self.find(wire).unwrap_or((wire, false, false))
    }

    /// The same, where a wire is not what it always was.
    pub fn find(&self, wire: u32) -> Option<(u32, bool, bool)> {
        let found = self.0.iter().find(|o| o.from as u32 == wire);
        found.map(|o| (o.line, o.level, o.low))
    }
}

/// What the table says.
#[derive(Default)]
pub struct Interrupts {
    /// Physical address of each processor's own controller.
    pub local: Option<u64>,
    /// Interrupt IDs of the processors that can be used, in order.
    pub processors: Vec<u64>,
    pub overrides: Overrides,
    pub devices: Vec<Device>,
}

impl Interrupts {
    pub fn parse(table: &[u8], notes: &mut Notes) -> Interrupts {
        let mut found = Interrupts {
            local: number(table, 36, 4),
            ..Interrupts::default()
        };
        let mut rest = table.get(44..).unwrap_or_default();
        while let [kind, size, ..] = *rest {
            let Some(entry) = rest.get(..size as usize).filter(|_| size >= 2) else {
                notes.say(format!(
                    "acpi: APIC entry of type {kind} has the impossible size {size}"
                ));
                break;
            };
            if found.entry(kind, entry).is_none() {
                notes.say(format!("acpi: APIC entry of type {kind} is too short"));
            }
            rest = &rest[size as usize..];
        }
        found
    }

    fn entry(&mut self, kind: u8, entry: &[u8]) -> Option<()> {
        match kind {
            // 5.2.12.2 and 5.2.12.12: enabled, or able to be.
            0 if number(entry, 4, 4)? & 3 != 0 => self.processors.push(number(entry, 3, 1)?),
            9 if number(entry, 8, 4)? & 3 != 0 => self.processors.push(number(entry, 4, 4)?),
            1 => {
                let (id, base, first) = (
                    number(entry, 2, 1)?,
                    number(entry, 4, 4)?,
                    number(entry, 8, 4)?,
                );
                self.devices.push(controller(id, base, first));
            }
            2 => {
                let flags = number(entry, 8, 2)?;
                self.overrides.0.push(Override {
                    from: number(entry, 3, 1)? as u8,
                    line: number(entry, 4, 4)? as u32,
                    level: flags >> 2 & 3 == 3,
                    low: flags & 3 == 3,
                });
            }
            5 => self.local = Some(number(entry, 4, 8)?),
            _ => {}
        }
        Some(())
    }
}

fn controller(id: u64, base: u64, first_line: u64) -> Device {
    let fact = |name, value| Fact {
        name: String::from(name),
        value,
        source: SOURCE,
    };
    Device {
        path: format!("acpi/APIC.1@{base:x}"),
        bus: String::from("platform"),
        facts: Vec::from([
            fact("acpi", Value::Text(String::from("APIC.1"))),
            fact("id", Value::Number(id)),
            fact("first_line", Value::Number(first_line)),
        ]),
        windows: Vec::from([Window {
            index: 0,
            kind: WindowKind::Memory,
            base,
            size: CONTROLLER_SIZE,
            source: SOURCE,
        }]),
        config: Vec::new(),
        wires: Vec::new(),
        learned: Vec::new(),
        parent: None,
        capabilities: Vec::new(),
    }
}
