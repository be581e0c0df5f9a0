//! Devices that a table of their own describes.

use super::tables::{number, Tables};
use alloc::{format, string::String, vec::Vec};
use machine::{Device, Fact, Source, Value, Window, WindowKind, Wire};

/// A generic address (5.2.3.2): space and address.
fn address(table: &[u8], at: usize) -> Option<(u64, u64)> {
    let place = number(table, at + 4, 8)?;
    (place != 0).then_some((number(table, at, 1)?, place))
}

fn device(name: &str, place: Option<u64>) -> Described {
    let signature = name.as_bytes().try_into().unwrap_or_default();
    let mut device = Device {
        path: match place {
            Some(at) => format!("acpi/{name}@{at:x}"),
            None => format!("acpi/{name}"),
        },
        bus: String::from("platform"),
        facts: Vec::new(),
        windows: Vec::new(),
        config: Vec::new(),
        wires: Vec::new(),
        learned: Vec::new(),
        parent: None,
        capabilities: Vec::new(),
    };
    device.facts.push(Fact {
        name: String::from("acpi"),
        value: Value::Text(String::from(name)),
        source: Source::Firmware(signature),
    });
    Described(device)
}

/// A device, piece by piece.
struct Described(Device);

impl Described {
    fn source(&self) -> Source {
        self.0.facts.first().map_or(Source::Processor, |f| f.source)
    }

    fn with(mut self, name: &str, value: Option<u64>) -> Described {
        let source = self.source();
        self.0.facts.extend(value.map(|value| Fact {
            name: String::from(name),
            value: Value::Number(value),
            source,
        }));
        self
    }

    fn at(mut self, kind: WindowKind, base: u64, size: u64) -> Described {
        let window = Window {
            index: self.0.windows.len() as u8,
            kind,
            base,
            size,
            source: self.source(),
        };
        self.0.windows.push(window);
        self
    }
}

/// Everything that a static table describes, save the interrupt controllers.
pub fn devices(tables: &Tables) -> Vec<Device> {
    let mut list = Vec::new();
    list.extend(tables.find(b"FACP").and_then(fixed));
    for table in tables.all(b"HPET") {
        list.extend(clock(table));
    }
    list.extend(tables.find(b"SPCR").and_then(console));
    list
}

/// The fixed hardware (5.2.9): control ports of power management, and reset.
fn fixed(table: &[u8]) -> Option<Device> {
    let port = |old: usize, new: usize| {
        let wide = address(table, new).filter(|(space, _)| *space == 1);
        let old = number(table, old, 4).filter(|port| *port != 0);
        wide.map(|(_, port)| port).or(old)
    };
    let can_reset = number(table, 112, 4)? >> 10 & 1 == 1;
    let reset = address(table, 116).filter(|_| can_reset);
    let reset_port = reset.filter(|(space, _)| *space == 1).map(|(_, at)| at);
    let reset_memory = reset.filter(|(space, _)| *space == 0).map(|(_, at)| at);
    Some(
        device("FACP", None)
            .with("pm1a", port(64, 172))
            .with("pm1b", port(68, 184))
            .with("pm_timer", port(76, 208))
            .with(
                "pm_timer_wide",
                number(table, 112, 4).map(|flags| flags >> 8 & 1),
            )
            .with("sci", number(table, 46, 2))
            .with("reset_port", reset_port)
            .with("reset_memory", reset_memory)
            .with("reset_value", reset.and(number(table, 128, 1)))
            .0,
    )
}

/// The event timer's own table: where its registers are (its specification 1.0a, 3.2.4).
fn clock(table: &[u8]) -> Option<Device> {
    let (space, base) = address(table, 40)?;
    let device = device("HPET", Some(base)).with("id", number(table, 36, 4));
    (space == 0).then(|| device.at(WindowKind::Memory, base, 0x400).0)
}

/// The firmware's console (Serial Port Console Redirection Table).
fn console(table: &[u8]) -> Option<Device> {
    let (space, base) = address(table, 40)?;
    let kind = if space == 1 {
        WindowKind::Port
    } else {
        WindowKind::Memory
    };
    let size = if space == 1 { 8 } else { 4096 };
    let Described(mut device) = device("SPCR", Some(base))
        .with("interface", number(table, 36, 1))
        .at(kind, base, size);
    let kinds = number(table, 52, 1)?;
    let line = match kinds & 0x0e {
        0 => number(table, 53, 1),
        _ => number(table, 54, 4),
    };
    if let (Some(line), true) = (line, kinds & 0x0f != 0) {
        device.wires.push(Wire {
            line: line as u32,
            level: kinds & 0x0e != 0,
            low: false,
            source: Source::Firmware(*b"SPCR"),
            pin: 0,
        });
    }
    Some(device)
}

/// Adds what `\_S5_` said to the fixed hardware: the two values that switch the machine off.
pub fn sleep(devices: &mut [Device], a: u64, b: u64) {
    for device in devices.iter_mut().filter(|d| d.path == "acpi/FACP") {
        for (name, value) in [("s5a", a), ("s5b", b)] {
            device.facts.push(Fact {
                name: String::from(name),
                value: Value::Number(value & 7),
                source: Source::Firmware(*b"DSDT"),
            });
        }
    }
}
