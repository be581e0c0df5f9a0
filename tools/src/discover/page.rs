//! A machine as a picture: one page that needs nothing else, light and dark.

use super::words;
use machine::{Device, Machine, MemoryKind, MemoryRange, Value, WindowKind, Wire};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The page. `name` is what the machine is called.
#[must_use]
pub fn page(model: &Machine, name: &str) -> String {
    let mut html = String::new();
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <style>\n{}</style>\n</head>\n<body>\n",
        escape(name),
        include_str!("page.css")
    );
    head(&mut html, model, name);
    buses(&mut html, model);
    memory(&mut html, &model.memory);
    routes(&mut html, model);
    processors(&mut html, model);
    said(&mut html, "Not known", &model.unknown);
    said(&mut html, "Notes", &model.notes);
    let _ = writeln!(
        html,
        "<footer>A machine model of MetaOS. Beside each thing stands how it is known.</footer>\n</body>\n</html>"
    );
    html
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            other => safe.push(other),
        }
    }
    safe
}

fn head(html: &mut String, model: &Machine, name: &str) {
    let functions = model.devices.iter().filter(|d| d.bus == "pci").count();
    let wires: usize = model.devices.iter().map(|d| d.wires.len()).sum();
    let architecture = match model.arch {
        machine::Arch::X86_64 => "x86-64",
        machine::Arch::Aarch64 => "arm64",
    };
    let _ = write!(
        html,
        "<h1>{}</h1>\n<p class=\"identity mono\">identity {}</p>\n<div class=\"chips\">",
        escape(name),
        words::identity(model)
    );
    let chips = [
        (architecture.to_owned(), "architecture"),
        (model.cpus.len().to_string(), "processors"),
        (words::bytes(words::ram(model)), "RAM"),
        (functions.to_string(), "PCI functions"),
        (
            (model.devices.len() - functions).to_string(),
            "other devices",
        ),
        (wires.to_string(), "interrupt wires"),
    ];
    for (value, what) in chips {
        let _ = write!(
            html,
            "<div class=\"chip\"><b>{value}</b><span>{what}</span></div>"
        );
    }
    html.push_str("</div>\n");
}

/// The colour of a device, by what it is for.
fn hue(device: &Device) -> &'static str {
    match (device.bus.as_str(), device.fact("class")) {
        ("pci", Some(Value::Number(class))) => match class >> 16 {
            1 => "storage",
            2 | 7 | 0x0d => "network",
            3 | 4 => "display",
            6 => "bridge",
            _ => "other",
        },
        ("cpu", _) => "cpu",
        _ => "platform",
    }
}

/// Most cards of one kind that are shown side by side.
const ALIKE: usize = 4;

fn buses(html: &mut String, model: &Machine) {
    html.push_str("<h2>Buses and devices</h2>\n");
    let below = Below::of(model);
    let alone: Vec<&Device> = (below.roots.iter())
        .filter(|d| !below.children.contains_key(d.path.as_str()))
        .copied()
        .collect();
    for name in &below.named {
        let _ = writeln!(
            html,
            "<div class=\"bus\"><div class=\"name\">{}</div>",
            escape(name)
        );
        cards(html, &below, below.behind(name), 0);
        html.push_str("</div>\n");
    }
    for root in below
        .roots
        .iter()
        .filter(|d| below.children.contains_key(d.path.as_str()))
    {
        bus(html, &below, root, 0);
    }
    html.push_str("<h2>On the board <small>in no bus that is numbered</small></h2>\n");
    cards(html, &below, &alone, 0);
}

/// Which devices are behind which.
struct Below<'a> {
    children: BTreeMap<&'a str, Vec<&'a Device>>,
    /// Devices that are behind none.
    roots: Vec<&'a Device>,
    /// Host bridges that are no devices themselves.
    named: Vec<&'a str>,
}

impl<'a> Below<'a> {
    fn of(model: &'a Machine) -> Below<'a> {
        let mut below = Below {
            children: BTreeMap::new(),
            roots: Vec::new(),
            named: Vec::new(),
        };
        let known = |path: &str| model.devices.iter().any(|d| d.path == path);
        for device in &model.devices {
            let Some(parent) = device.parent.as_deref().filter(|p| *p != device.path) else {
                below.roots.push(device);
                continue;
            };
            if !known(parent) && !below.named.contains(&parent) {
                below.named.push(parent);
            }
            below.children.entry(parent).or_default().push(device);
        }
        below
    }

    fn behind(&self, path: &str) -> &[&'a Device] {
        self.children.get(path).map_or(&[], Vec::as_slice)
    }
}

fn bus(html: &mut String, below: &Below, bridge: &Device, depth: u32) {
    let ids = words::ids(bridge).map_or(String::new(), |ids| format!(" · {ids}"));
    let _ = writeln!(
        html,
        "<div class=\"bus\"><div class=\"name\">{} · {}{ids}</div>",
        escape(&words::kind(bridge)),
        escape(&bridge.path)
    );
    cards(html, below, below.behind(&bridge.path), depth + 1);
    html.push_str("</div>\n");
}

/// Cards side by side, and the buses behind them below. Of many alike, some are folded away.
fn cards(html: &mut String, below: &Below, devices: &[&Device], depth: u32) {
    // A file may say anything: no bus is this deep.
    if depth > 16 {
        return;
    }
    let is_bus = |d: &&&Device| !below.behind(&d.path).is_empty();
    let single: Vec<&Device> = devices.iter().filter(|d| !is_bus(d)).copied().collect();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let (mut shown, mut folded) = (Vec::new(), Vec::new());
    for device in single {
        let count = seen.entry(words::kind(device)).or_default();
        *count += 1;
        let list = if *count <= ALIKE {
            &mut shown
        } else {
            &mut folded
        };
        list.push(device);
    }
    let grid = |html: &mut String, list: &[&Device]| {
        html.push_str("<div class=\"cards\">\n");
        list.iter().for_each(|device| card(html, device));
        html.push_str("</div>\n");
    };
    grid(html, &shown);
    if !folded.is_empty() {
        let count = folded.len();
        let _ = writeln!(
            html,
            "<details class=\"more\"><summary>{count} more of the same kinds</summary>"
        );
        grid(html, &folded);
        html.push_str("</details>\n");
    }
    for bridge in devices.iter().filter(is_bus) {
        bus(html, below, bridge, depth);
    }
}

fn card(html: &mut String, device: &Device) {
    let ids = words::ids(device).unwrap_or_default();
    let _ = write!(
        html,
        "<div class=\"card\" style=\"--hue:var(--{})\"><h3>{}</h3><div class=\"where mono\"><span>{}</span><span>{ids}</span></div>",
        hue(device),
        escape(&words::kind(device)),
        escape(&device.path)
    );
    let mut rows: Vec<(String, String, String)> = Vec::new();
    for window in &device.windows {
        let (place, size) = match window.kind {
            WindowKind::Memory => (format!("{:#x}", window.base), words::bytes(window.size)),
            WindowKind::Port => (
                format!("port {:#x}", window.base),
                format!("{} ports", window.size),
            ),
        };
        let source = words::source(window.source);
        rows.push((format!("{} · {place}", window.index), size, source));
    }
    for wire in &device.wires {
        let source = words::source(wire.source);
        rows.push((format!("↯ {}", words::wire(wire)), String::new(), source));
    }
    if !rows.is_empty() {
        html.push_str("<ul class=\"mono\">");
        for (left, right, source) in rows {
            let _ = write!(
                html,
                "<li><span>{}</span><span>{right}</span><em>{}</em></li>",
                escape(&left),
                escape(&source)
            );
        }
        html.push_str("</ul>");
    }
    details(html, device);
    html.push_str("</div>\n");
}

fn details(html: &mut String, device: &Device) {
    let mut rows: Vec<(String, String)> = (device.facts.iter().chain(&device.learned))
        .map(|f| {
            (
                f.name.clone(),
                format!("{} — {}", words::value(&f.value), words::source(f.source)),
            )
        })
        .collect();
    let able: Vec<String> = device.capabilities.iter().map(words::capability).collect();
    if !able.is_empty() {
        rows.push(("capabilities".into(), able.join(", ")));
    }
    if rows.is_empty() {
        return;
    }
    let _ = write!(
        html,
        "<details><summary>{} facts</summary><dl class=\"mono\">",
        rows.len()
    );
    for (name, value) in rows {
        let _ = write!(
            html,
            "<dt>{}</dt><dd>{}</dd>",
            escape(&name),
            escape(&value)
        );
    }
    html.push_str("</dl></details>");
}

fn colour(kind: MemoryKind) -> &'static str {
    match kind {
        MemoryKind::Ram => "ram",
        MemoryKind::Rom => "rom",
        MemoryKind::Mmio => "registers",
        MemoryKind::Reserved => "reserved",
        MemoryKind::AcpiTables => "tables",
        MemoryKind::AcpiNvs => "kept",
        MemoryKind::Void => "void",
    }
}

fn memory(html: &mut String, ranges: &[MemoryRange]) {
    html.push_str("<h2>Physical memory <small>lowest address first; heights grow with the logarithm of the size</small></h2>\n<div class=\"legend\">");
    let mut seen: Vec<MemoryKind> = Vec::new();
    for range in ranges {
        if !seen.contains(&range.kind) && range.kind != MemoryKind::Void {
            seen.push(range.kind);
            let (colour, what) = (colour(range.kind), words::memory_kind(range.kind));
            let _ = write!(
                html,
                "<span><i style=\"--kind:var(--{colour})\"></i>{what}</span>"
            );
        }
    }
    html.push_str("</div>\n<div class=\"map\">\n");
    for range in ranges {
        // From one page to the whole address space.
        let height = 1.5 + 0.09 * f64::from(range.size.max(1).ilog2().saturating_sub(12));
        let facts: Vec<String> = range.facts.iter().map(words::fact).collect();
        let void = if range.kind == MemoryKind::Void {
            " void"
        } else {
            ""
        };
        let _ = writeln!(
            html,
            "<div class=\"at mono\">{:#x}</div><div class=\"bar{void}\" style=\"--kind:var(--{});min-height:{height:.2}rem\"></div>\
             <div class=\"what\"><b>{}</b><span>{}</span><span class=\"soft\">{}</span><span class=\"soft mono\">{}</span></div>",
            range.base,
            colour(range.kind),
            words::memory_kind(range.kind),
            words::bytes(range.size),
            escape(&words::source(range.source)),
            escape(&facts.join(", "))
        );
    }
    html.push_str("</div>\n");
}

/// Height of a row of the interrupts' picture, and its columns.
const ROW: usize = 24;
const FROM: usize = 420;
const TO: usize = 760;

fn routes(html: &mut String, model: &Machine) {
    let mut wires: Vec<(&Device, &Wire)> = Vec::new();
    for device in &model.devices {
        wires.extend(device.wires.iter().map(|wire| (device, wire)));
    }
    if wires.is_empty() {
        return;
    }
    wires.sort_by_key(|(_, wire)| wire.line);
    let mut lines: Vec<u32> = wires.iter().map(|(_, wire)| wire.line).collect();
    lines.dedup();
    let height = ROW * wires.len().max(lines.len()) + 8;
    // Both columns fill the height.
    let at = |number: usize, of: usize| (height - 8) * (2 * number + 1) / (2 * of.max(1)) + 4;
    html.push_str(
        "<h2>Interrupt routes <small>from a device's pin to the line of the interrupt controller; \
         dashed wires are edges, the others levels</small></h2>\n<div class=\"routes\">",
    );
    let _ = writeln!(
        html,
        "<svg viewBox=\"0 0 1000 {height}\" role=\"img\" aria-label=\"Interrupt routes\">"
    );
    for (number, (device, wire)) in wires.iter().enumerate() {
        let line = lines
            .iter()
            .position(|line| *line == wire.line)
            .unwrap_or(0);
        let (y, end) = (at(number, wires.len()), at(line, lines.len()));
        let kind = if wire.level { "level" } else { "edge" };
        let bend = (FROM + TO) / 2;
        let title = format!(
            "{}: {} ({})",
            device.path,
            words::wire(wire),
            words::source(wire.source)
        );
        let _ = writeln!(
            html,
            "<path class=\"{kind}\" d=\"M{FROM} {y}C{bend} {y} {bend} {end} {TO} {end}\"><title>{}</title></path>\
             <circle cx=\"{FROM}\" cy=\"{y}\" r=\"3\"/><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}{}</text>",
            escape(&title),
            FROM - 10,
            y + 4,
            escape(&short(&device.path)),
            match wire.pin {
                pin @ 1..=4 => format!(" <tspan class=\"dim\">INT{}</tspan>", char::from(b'@' + pin)),
                _ => String::new(),
            }
        );
    }
    for (number, line) in lines.iter().enumerate() {
        let y = at(number, lines.len());
        let count = wires.iter().filter(|(_, wire)| wire.line == *line).count();
        let shared = if count > 1 {
            format!("shared by {count}")
        } else {
            String::new()
        };
        let _ = writeln!(
            html,
            "<rect x=\"{TO}\" y=\"{}\" width=\"92\" height=\"18\" rx=\"4\"/><text x=\"{}\" y=\"{}\">line {line}</text>\
             <text class=\"dim\" x=\"{}\" y=\"{}\">{shared}</text>",
            y - 9,
            TO + 8,
            y + 4,
            TO + 102,
            y + 4
        );
    }
    html.push_str("</svg></div>\n");
}

/// A path that fits beside the picture: its end says most.
fn short(path: &str) -> String {
    const MOST: usize = 44;
    let count = path.chars().count();
    match count > MOST {
        true => format!("…{}", path.chars().skip(count - MOST).collect::<String>()),
        false => path.to_owned(),
    }
}

fn processors(html: &mut String, model: &Machine) {
    html.push_str("<h2>Processors</h2>\n<div class=\"cards\">\n");
    for cpu in &model.cpus {
        let facts: Vec<String> = (cpu.facts.iter())
            .filter(|f| f.name != "id")
            .map(words::fact)
            .collect();
        let _ = writeln!(
            html,
            "<div class=\"card\" style=\"--hue:var(--cpu)\"><h3>processor {:#x}</h3><div class=\"mono\">{}</div></div>",
            cpu.id,
            escape(&facts.join(", "))
        );
    }
    html.push_str("</div>\n");
    let facts = model.facts.iter().chain(&model.boot);
    let facts: Vec<String> = facts
        .map(|f| format!("{} ({})", words::fact(f), words::source(f.source)))
        .collect();
    said(html, "Of the machine as a whole", &facts);
}

fn said(html: &mut String, what: &str, sentences: &[String]) {
    if sentences.is_empty() {
        return;
    }
    let _ = writeln!(html, "<h2>{what}</h2>\n<ul class=\"said\">");
    for sentence in sentences {
        let _ = writeln!(html, "<li>{}</li>", escape(sentence));
    }
    html.push_str("</ul>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use machine::{Arch, Source};

    fn model() -> Machine {
        let mut model = Machine::new(Arch::X86_64);
        let wire = |line, pin| Wire {
            line,
            level: true,
            low: true,
            source: Source::Firmware(*b"DSDT"),
            pin,
        };
        let mut bridge = Device::new("pci/00:01.0".into(), "pci");
        bridge.parent = Some("acpi/PCI".into());
        let mut card = Device::new("pci/01:00.0".into(), "pci");
        card.parent = Some("pci/00:01.0".into());
        card.wires = vec![wire(16, 1)];
        let mut odd = Device::new("dt/<script>&\"x\"".into(), "platform");
        odd.wires = vec![wire(16, 0)];
        model.devices = vec![bridge, card, odd];
        model.memory = vec![MemoryRange {
            base: 0,
            size: 4096,
            kind: MemoryKind::Ram,
            source: Source::Inferred,
            facts: Vec::new(),
        }];
        model.notes = vec!["a < b".into()];
        model
    }

    /// Every element that is opened is closed, in order.
    fn well_formed(html: &str) {
        let body = html.split_once("</style>").expect("a style").1;
        let mut open = Vec::new();
        for tag in body.split('<').skip(1) {
            let tag = tag.split('>').next().unwrap_or_default();
            let name = tag.split_whitespace().next().unwrap_or_default();
            if let Some(closed) = name.strip_prefix('/') {
                if ["head", "html"].contains(&closed) {
                    continue;
                }
                assert_eq!(open.pop(), Some(closed), "in {tag}");
            } else if !tag.ends_with('/') {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn a_page_is_whole_and_safe_and_needs_nothing() {
        let html = page(&model(), "a & b");
        well_formed(&html);
        assert!(!html.contains("<script"));
        assert!(html.contains("dt/&lt;script&gt;&amp;&quot;x&quot;"));
        assert!(html.contains("<title>a &amp; b</title>") && html.contains("a &lt; b"));
        for outside in ["http:", "https:", "src=", "url(", "@import"] {
            assert!(!html.contains(outside), "{outside}");
        }
        // Light and dark, the bridge's bus, both ends of a shared line.
        assert!(html.contains("prefers-color-scheme: dark"));
        assert!(html.contains("pci/00:01.0") && html.contains("shared by 2"));
    }
}
