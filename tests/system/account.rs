//! The emulator's own account of its machine, read from what its monitor says.

use serde_json::{json, Value};

/// Everything it tells that a machine model tells, too.
pub struct Account {
    pub functions: Vec<Function>,
    /// The physical address space as a processor sees it, sorted.
    pub memory: Vec<Range>,
    /// Memory modules that were plugged in (base, bytes).
    pub plugged: Vec<(u64, u64)>,
    /// What interrupts are sent to.
    pub cpus: Vec<u64>,
    /// The device tree of the emulator.
    pub tree: Vec<Node>,
}

/// One PCI function: `info pci`, in its form for programs.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// `00:1f.2`
    pub at: String,
    pub vendor: u64,
    pub device: u64,
    /// Base class and sub-class.
    pub class: u64,
    /// Subsystem's vendor and number.
    pub subsystem: Option<(u64, u64)>,
    /// 0 for none, 1 to 4.
    pub pin: u64,
    pub bars: Vec<Bar>,
    pub bridge: Option<Bridge>,
    /// The bus it is on.
    pub bus: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Bar {
    /// 6 is the expansion ROM.
    pub index: u64,
    pub port: bool,
    pub wide: bool,
    /// None when it was given no place.
    pub base: Option<u64>,
    pub size: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Bridge {
    pub secondary: u64,
    pub subordinate: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ram,
    Rom,
    Registers,
}

/// A range of the flat view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    pub base: u64,
    pub last: u64,
    pub kind: Kind,
    pub name: String,
}

/// A device of `info qtree`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub name: String,
    /// Registers in memory: base and bytes, only those that have a place.
    pub registers: Vec<(u64, u64)>,
    /// PCI address as it writes it: `00:1f.2`.
    pub pci: Option<String>,
    /// The bus it sits on: `pcie.0`, `isa.0`, `main-system-bus`.
    pub bus: String,
    /// It offers a bus, and nothing is plugged in.
    pub empty: bool,
}

pub fn ask(emulator: &qtest::Machine) -> Account {
    let command = |name: &str, arguments: Value| {
        let answer = emulator.ask(name, arguments);
        answer.unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let told = |line: &str| {
        let answer = emulator.told(line);
        answer.unwrap_or_else(|error| panic!("{line}: {error}"))
    };
    let cpus = command("query-cpus-fast", json!({}));
    let cpus = cpus.as_array().expect("a list of processors").iter();
    let id = |cpu: &Value| {
        let name = match cpu["target"].as_str() {
            Some("aarch64") => "mp-affinity",
            _ => "apic-id",
        };
        let arguments = json!({ "path": cpu["qom-path"], "property": name });
        let id = command("qom-get", arguments).as_u64();
        id.unwrap_or_else(|| panic!("no {name} of {cpu}"))
    };
    let dimms = command("query-memory-devices", json!({}));
    let dimms = dimms.as_array().expect("a list of memory devices").iter();
    // Other kinds offer memory by protocols of their own.
    let dimms = dimms.filter(|device| device["type"] == "dimm");
    let place = |dimm: &Value| {
        let number = |name: &str| dimm["data"][name].as_u64().expect("a number");
        (number("addr"), number("size"))
    };
    Account {
        functions: match emulator.ask("query-pci", json!({})) {
            Ok(buses) => functions(&buses),
            // A machine without PCI.
            Err(_) => Vec::new(),
        },
        memory: flat_view(&told("info mtree -f"), "memory"),
        plugged: dimms.map(place).collect(),
        cpus: cpus.map(id).collect(),
        tree: tree(&told("info qtree")),
    }
}

fn functions(buses: &Value) -> Vec<Function> {
    let mut found = Vec::new();
    for bus in buses.as_array().into_iter().flatten() {
        on_bus(bus, &mut found);
    }
    found
}

fn on_bus(bus: &Value, found: &mut Vec<Function>) {
    for device in bus["devices"].as_array().into_iter().flatten() {
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        let (on, slot) = (number(&device["bus"]), number(&device["slot"]));
        let id = &device["id"];
        let numbers = &device["pci_bridge"]["bus"];
        found.push(Function {
            at: format!("{on:02x}:{slot:02x}.{}", number(&device["function"])),
            vendor: number(&id["vendor"]),
            device: number(&id["device"]),
            class: number(&device["class_info"]["class"]),
            subsystem: (id["subsystem-vendor"].as_u64()).zip(id["subsystem"].as_u64()),
            pin: number(&device["irq_pin"]),
            bars: (device["regions"].as_array().into_iter().flatten())
                .map(|region| Bar {
                    index: number(&region["bar"]),
                    port: region["type"] == "io",
                    wide: region["mem_type_64"] == true,
                    // Unplaced ones are at -1.
                    base: region["address"].as_u64().filter(|at| *at != u64::MAX),
                    size: number(&region["size"]),
                })
                .collect(),
            bridge: numbers["secondary"].as_u64().map(|secondary| Bridge {
                secondary,
                subordinate: number(&numbers["subordinate"]),
            }),
            bus: on,
        });
        on_bus(&device["pci_bridge"], found);
    }
}

/// The flat view of the address space called `space`, from `info mtree -f`.
fn flat_view(text: &str, space: &str) -> Vec<Range> {
    let heading = format!(" AS \"{space}\", root:");
    let view = text
        .split("FlatView #")
        .find(|view| view.contains(&heading));
    let view = view.unwrap_or_else(|| panic!("no address space called {space} in {text}"));
    let mut ranges: Vec<Range> = view.lines().filter_map(range).collect();
    ranges.sort_by_key(|range| range.base);
    ranges
}

/// `  00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic @…`
fn range(line: &str) -> Option<Range> {
    let (place, rest) = line.trim().split_once(" (prio ")?;
    let (base, last) = place.split_once('-')?;
    let (kind, name) = rest.split_once("): ")?;
    let kind = match kind.split_once(", ")?.1 {
        "ram" | "nv-ram" => Kind::Ram,
        "rom" | "romd" => Kind::Rom,
        "i/o" => Kind::Registers,
        other => panic!("an unknown kind of memory: {other}"),
    };
    Some(Range {
        base: u64::from_str_radix(base, 16).ok()?,
        last: u64::from_str_radix(last, 16).ok()?,
        kind,
        name: name.split(" @").next().unwrap_or(name).to_owned(),
    })
}

/// The devices of `info qtree`, each with the bus it is on: lines are indented by depth.
fn tree(text: &str) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    // Depth, name, and which device offers it.
    let mut buses: Vec<(usize, String, Option<usize>)> = Vec::new();
    for line in text.lines() {
        let depth = line.len() - line.trim_start().len();
        let line = line.trim();
        if let Some(name) = line.strip_prefix("bus: ") {
            buses.retain(|(above, ..)| *above < depth);
            let owner = nodes.len().checked_sub(1);
            if let Some(node) = owner.and_then(|owner| nodes.get_mut(owner)) {
                node.empty = true;
            }
            buses.push((depth, name.to_owned(), owner));
        } else if let Some(rest) = line.strip_prefix("dev: ") {
            buses.retain(|(above, ..)| *above < depth);
            let bus = buses.last();
            if let Some(owner) = bus.and_then(|(.., owner)| *owner) {
                nodes[owner].empty = false;
            }
            nodes.push(Node {
                name: rest.split(',').next().unwrap_or(rest).to_owned(),
                registers: Vec::new(),
                pci: None,
                bus: bus.map_or(String::new(), |(_, name, _)| name.clone()),
                empty: false,
            });
        } else if let (Some(node), Some(rest)) = (nodes.last_mut(), line.strip_prefix("mmio ")) {
            // A property may be called like this, too.
            let Some((base, size)) = rest.split_once('/') else {
                continue;
            };
            let number = |digits| u64::from_str_radix(digits, 16).expect("a number");
            // All ones: it has no place.
            if number(base) != u64::MAX {
                node.registers.push((number(base), number(size)));
            }
        } else if let (Some(node), true) = (nodes.last_mut(), line.starts_with("class ")) {
            let at = line.split_once(", addr ").map(|(_, rest)| rest);
            node.pci = at.and_then(|at| at.split(',').next()).map(str::to_owned);
        }
    }
    nodes
}

#[test]
fn a_flat_view_is_read() {
    let text = "FlatView #0\n AS \"I/O\", root: io\n Root memory region: io\n  \
                0000000000000000-0000000000000007 (prio 0, i/o): dma-chan\n\n\
                FlatView #1\n AS \"memory\", root: system\n AS \"cpu-memory-0\", root: system\n  \
                0000000000100000-0000000007ffffff (prio 0, ram): pc.ram @0000000000100000\n  \
                0000000000000000-00000000000c2fff (prio 0, ram): pc.ram\n  \
                00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic\n";
    let ranges = flat_view(text, "memory");
    assert_eq!(ranges.len(), 3);
    assert_eq!(ranges[1].base, 0x10_0000);
    assert_eq!(ranges[1].name, "pc.ram");
    assert_eq!(ranges[2].kind, Kind::Registers);
}

#[test]
fn a_device_tree_is_read() {
    let text = "bus: main-system-bus\n  type System\n  dev: hpet, id \"\"\n    timers = 3 (0x3)\n    \
                mmio 00000000fed00000/0000000000000400\n  dev: host, id \"\"\n    bus: pcie.0\n      \
                dev: card, id \"\"\n        class Ethernet controller, addr 00:01.0, pci id 1:2 (sub 3:4)\n  \
                dev: last, id \"\"\n    mmio ffffffffffffffff/0000000002000000\n";
    let nodes = tree(text);
    let names: Vec<(&str, &str)> = nodes
        .iter()
        .map(|n| (n.name.as_str(), n.bus.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            ("hpet", "main-system-bus"),
            ("host", "main-system-bus"),
            ("card", "pcie.0"),
            ("last", "main-system-bus")
        ]
    );
    assert_eq!(nodes[0].registers, [(0xfed0_0000, 0x400)]);
    assert_eq!(nodes[2].pci.as_deref(), Some("00:01.0"));
    assert!(nodes[3].registers.is_empty());
    assert!(nodes.iter().all(|node| !node.empty));
    let text =
        "bus: main-system-bus\n  type System\n  dev: a, id \"\"\n    bus: b.1\n      type b\n  \
                dev: a, id \"\"\n    bus: b.0\n      type b\n      dev: c, id \"\"\n";
    let empty: Vec<bool> = tree(text).iter().map(|node| node.empty).collect();
    assert_eq!(empty, [true, false, false]);
}
