//! A PCI function becomes a device of the machine model.

use super::{capabilities, fact, fact_of, wires, Address, Bar, Function, Host, ROM};
use crate::Notes;
use alloc::{format, string::String, vec::Vec};
use machine::{Device, Fact, Source, Value, Window, WindowKind};

pub(super) fn device(
    host: &Host,
    functions: &[Function],
    index: usize,
    notes: &mut Notes,
) -> Device {
    let function = &functions[index];
    let address = function.address;
    let pin = function.config.get(0x3d).copied().unwrap_or(0);
    Device {
        path: host.name(address),
        bus: String::from("pci"),
        facts: facts(host, function),
        windows: (function.bars.iter())
            .filter_map(|bar| window(host, bar, address, notes))
            .collect(),
        config: function.config.clone(),
        wires: wires::wire(host, functions, index, pin, notes)
            .into_iter()
            .collect(),
        learned: Vec::new(),
        parent: Some(match function.behind {
            Some(bridge) => host.name(functions[bridge].address),
            None => host.path.clone(),
        }),
        capabilities: function.capabilities.clone(),
    }
}

fn facts(host: &Host, function: &Function) -> Vec<Fact> {
    let byte = |at: usize| function.config.get(at).copied().unwrap_or(0);
    let word = |at: usize| u16::from_le_bytes([byte(at), byte(at + 1)]) as u64;
    let mut facts = Vec::from([
        fact("vendor", word(0)),
        fact("device", word(2)),
        fact("revision", byte(8) as u64),
        fact("class", function.class as u64),
        fact("header", (function.header & 0x7f) as u64),
    ]);
    if function.header & 0x7f == 0 {
        facts.push(fact("subvendor", word(0x2c)));
        facts.push(fact("subsystem", word(0x2e)));
    }
    if !function.bars.is_empty() {
        let bars = function.bars.iter().map(spelled).collect();
        facts.push(fact_of("bars", Value::Texts(bars)));
    }
    if function.is_bridge() {
        facts.push(fact("bus", function.secondary as u64));
        let windows = function.windows;
        for (name, span) in [
            ("passes_memory", windows.memory),
            ("passes_prefetch", windows.prefetch),
            ("passes_ports", windows.ports),
        ] {
            let range = span.map(|(first, last)| Vec::from([first, last - first + 1]));
            facts.extend(range.map(|range| fact_of(name, Value::Numbers(range))));
        }
    }
    if let Some(place) = host.config.mapped(function.address) {
        facts.push(fact("configuration", place));
    }
    facts.extend(capabilities::facts(function));
    facts
}

/// What a register asks for, wherever it is: `0 memory64 prefetchable 0x4000`.
fn spelled(bar: &Bar) -> String {
    let index = match bar.index {
        ROM => String::from("rom"),
        index => format!("{index}"),
    };
    let kind = match (bar.port, bar.wide) {
        (true, _) => "ports",
        (_, true) => "memory64",
        _ => "memory",
    };
    let prefetch = if bar.prefetch { " prefetchable" } else { "" };
    format!("{index} {kind}{prefetch} {:#x}", bar.size)
}

/// Where the processor finds a base address register's range.
fn window(host: &Host, bar: &Bar, address: Address, notes: &mut Notes) -> Option<Window> {
    // A ROM that is switched off answers nowhere.
    if bar.index == ROM && (bar.base == 0 || !bar.enabled) {
        return None;
    }
    if bar.base == 0 {
        let name = host.name(address);
        notes.say(format!("{name}: BAR {} has no place", bar.index));
        return None;
    }
    let (kind, base) = match host.aperture(bar.port, bar.base, bar.size) {
        Some(a) if bar.port && !a.mapped => (WindowKind::Port, bar.base - a.bus + a.base),
        Some(a) => (WindowKind::Memory, bar.base - a.bus + a.base),
        None if bar.port => (WindowKind::Port, bar.base),
        None => (WindowKind::Memory, bar.base),
    };
    Some(Window {
        index: bar.index,
        kind,
        base,
        size: bar.size,
        source: match bar.assigned {
            true => Source::Assigned,
            false => Source::Configuration,
        },
    })
}
