//! A machine as text: what there is, where, and how that is known.

use super::words;
use machine::{Device, Machine, MemoryRange, WindowKind};
use std::collections::BTreeMap;

/// The whole picture, in sections.
#[must_use]
pub fn tree(model: &Machine) -> String {
    let mut text = head(model);
    section(&mut text, "Processors", processors(model));
    section(&mut text, "Memory", memory(&model.memory));
    section(&mut text, "Buses and devices", devices(model));
    section(&mut text, "Interrupt lines", lines(model));
    section(&mut text, "Of this boot", facts(&model.boot));
    section(&mut text, "Not known", model.unknown.clone());
    section(&mut text, "Notes", model.notes.clone());
    text
}

fn section(text: &mut String, name: &str, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    text.push_str(&format!("\n{name}\n"));
    for line in lines {
        text.push_str(&format!("  {}\n", line.trim_end()));
    }
}

fn head(model: &Machine) -> String {
    let count = |n: usize, what: &str| match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    };
    format!(
        "{:?}, {}, {} of RAM, {}\nidentity {}\n",
        model.arch,
        count(model.cpus.len(), "processor"),
        words::bytes(words::ram(model)),
        count(model.devices.len(), "device"),
        words::identity(model)
    )
}

fn facts(facts: &[machine::Fact]) -> Vec<String> {
    let told = |f: &machine::Fact| format!("{}  ({})", words::fact(f), words::source(f.source));
    facts.iter().map(told).collect()
}

fn processors(model: &Machine) -> Vec<String> {
    let mut lines = facts(&model.facts);
    for cpu in &model.cpus {
        let told: Vec<String> = (cpu.facts.iter())
            .filter(|f| f.name != "id")
            .map(words::fact)
            .collect();
        let source = cpu.facts.first().map(|f| words::source(f.source));
        let known = source.map_or(String::new(), |s| format!("  ({s})"));
        lines.push(format!("cpu {:#x}  {}{known}", cpu.id, told.join(", ")));
    }
    lines
}

fn memory(ranges: &[MemoryRange]) -> Vec<String> {
    let told = |range: &MemoryRange| {
        let facts: Vec<String> = range.facts.iter().map(words::fact).collect();
        let last = range.base.saturating_add(range.size.saturating_sub(1));
        format!(
            "{:#014x} – {last:#014x} {:>10}  {:16}  ({})  {}",
            range.base,
            words::bytes(range.size),
            words::memory_kind(range.kind),
            words::source(range.source),
            facts.join(", ")
        )
    };
    ranges.iter().map(told).collect()
}

/// Each device below the one it is behind; those behind none first in the order of discovery.
fn devices(model: &Machine) -> Vec<String> {
    let mut below: BTreeMap<&str, Vec<&Device>> = BTreeMap::new();
    let known = |path: &str| model.devices.iter().any(|d| d.path == path);
    let mut roots: Vec<Root> = Vec::new();
    for device in &model.devices {
        match device.parent.as_deref() {
            Some(parent) if known(parent) && parent != device.path => {
                below.entry(parent).or_default().push(device);
            }
            // A host bridge that is no device itself.
            Some(parent) => {
                if below.insert(parent, Vec::new()).is_none() {
                    roots.push(Root::Named(parent));
                }
            }
            None => roots.push(Root::Device(device)),
        }
    }
    for device in &model.devices {
        if let Some(parent) = device.parent.as_deref().filter(|p| !known(p)) {
            below.entry(parent).or_default().push(device);
        }
    }
    let mut lines = Vec::new();
    for root in roots {
        match root {
            Root::Named(path) => {
                lines.push(format!("{path}  host bridge"));
                behind(&mut lines, &below, path, "");
            }
            Root::Device(device) => {
                let children = below.contains_key(device.path.as_str());
                lines.push(title(device));
                details(&mut lines, device, if children { "│ " } else { "  " });
                behind(&mut lines, &below, &device.path, "");
            }
        }
    }
    lines
}

enum Root<'a> {
    Device(&'a Device),
    Named(&'a str),
}

fn behind(lines: &mut Vec<String>, below: &BTreeMap<&str, Vec<&Device>>, path: &str, indent: &str) {
    // A device has one parent, and discovery puts a parent first; a file may say anything.
    if indent.len() > 256 {
        return;
    }
    let children = below.get(path).map_or(&[][..], Vec::as_slice);
    for (at, device) in children.iter().enumerate() {
        let last = at + 1 == children.len();
        let (branch, rest) = if last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        lines.push(format!("{indent}{branch}{}", title(device)));
        let has_children = below.contains_key(device.path.as_str());
        let inner = format!("{indent}{rest}");
        let bar = if has_children { "│ " } else { "  " };
        details(lines, device, &format!("{inner}{bar}"));
        behind(lines, below, &device.path, &inner);
    }
}

fn title(device: &Device) -> String {
    let ids = words::ids(device).map_or(String::new(), |ids| format!("  {ids}"));
    format!("{}  {}{ids}", device.path, words::kind(device))
}

/// Told by the title already.
const TITLE: &[&str] = &[
    "vendor",
    "device",
    "class",
    "header",
    "compatible",
    "acpi",
    "candidate",
    "id",
    "revision",
    "hid",
    "bars",
    "configuration",
];

fn details(lines: &mut Vec<String>, device: &Device, indent: &str) {
    let mut say = |text: String| lines.push(format!("{indent}  {text}"));
    let more: Vec<String> = (device.facts.iter().chain(&device.learned))
        .filter(|f| !TITLE.contains(&f.name.as_str()))
        .map(words::fact)
        .collect();
    if !more.is_empty() {
        say(more.join(", "));
    }
    let bar = if device.bus == "pci" { "BAR" } else { "region" };
    for window in &device.windows {
        let (place, unit) = match window.kind {
            WindowKind::Memory => (
                format!("memory {:#x}", window.base),
                words::bytes(window.size),
            ),
            WindowKind::Port => (format!("ports {:#x}", window.base), window.size.to_string()),
        };
        let source = words::source(window.source);
        say(format!(
            "{bar} {}  {place} + {unit}  ({source})",
            window.index
        ));
    }
    for wire in &device.wires {
        let source = words::source(wire.source);
        say(format!("wire   {}  ({source})", words::wire(wire)));
    }
    let capabilities: Vec<String> = device.capabilities.iter().map(words::capability).collect();
    if !capabilities.is_empty() {
        say(format!("can    {}", capabilities.join(", ")));
    }
}

fn lines(model: &Machine) -> Vec<String> {
    let mut ends: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for device in &model.devices {
        for wire in &device.wires {
            let at = ends.entry(wire.line).or_default();
            if !at.contains(&device.path.as_str()) {
                at.push(&device.path);
            }
        }
    }
    let told = |(line, who): (u32, Vec<&str>)| format!("{line:>4}  {}", who.join(", "));
    ends.into_iter().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use machine::Arch;

    fn device(path: &str, parent: Option<&str>) -> Device {
        Device {
            parent: parent.map(str::to_owned),
            ..Device::new(path.into(), "pci")
        }
    }

    #[test]
    fn devices_hang_below_what_they_are_behind() {
        let mut model = Machine::new(Arch::X86_64);
        model.devices = vec![
            device("pci/00:01.0", Some("acpi/PCI")),
            device("pci/01:00.0", Some("pci/00:01.0")),
            device("pci/00:02.0", Some("acpi/PCI")),
        ];
        let text = tree(&model);
        let at = |what: &str| {
            text.find(what)
                .unwrap_or_else(|| panic!("{what} in\n{text}"))
        };
        assert!(at("acpi/PCI  host bridge") < at("├─ pci/00:01.0"));
        assert!(at("├─ pci/00:01.0") < at("│  └─ pci/01:00.0"));
        assert!(at("│  └─ pci/01:00.0") < at("  └─ pci/00:02.0"));
    }

    #[test]
    fn devices_that_are_behind_each_other_do_not_hang_it() {
        let mut model = Machine::new(Arch::X86_64);
        model.devices = vec![
            device("a", Some("b")),
            device("b", Some("a")),
            device("c", Some("c")),
        ];
        assert!(tree(&model).contains("3 devices"));
    }
}
