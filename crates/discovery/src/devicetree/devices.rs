//! Every node that says what it is becomes a device; what it says becomes facts.

use super::{interrupts::cells, tree::number, Node, Tree, SOURCE};
use crate::Notes;
use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use machine::{Device, Fact, Value, Window, WindowKind};

/// Properties that become windows, wires, or nothing.
const NO_FACTS: [&str; 14] = [
    "reg",
    "ranges",
    "dma-ranges",
    "interrupts",
    "interrupts-extended",
    "interrupt-parent",
    "interrupt-map",
    "interrupt-map-mask",
    "phandle",
    "linux,phandle",
    "name",
    "status",
    "clocks",
    "clock-names",
];
/// Longer values are left out.
const LONGEST: usize = 256;
/// Every enabled node with `compatible`, save the root, the processors and their caches, and reserved memory; with the
/// node that each comes from.
pub(crate) fn devices(tree: &Tree, notes: &mut Notes) -> Vec<(usize, Device)> {
    let no_devices = ["cpus", "reserved-memory"].map(|name| tree.top(name).map(|(index, _)| index));
    let mut devices: Vec<(usize, Device)> = Vec::new();
    let mut indices: BTreeMap<usize, usize> = BTreeMap::new();
    // Interrupts that end at each controller that is not the machine's.
    let mut others: BTreeMap<usize, u32> = BTreeMap::new();
    for (index, node) in tree.nodes.iter().enumerate().skip(1) {
        let described = node.property("compatible").is_some() && node.enabled();
        if !described || no_devices.contains(&Some(node.parent)) {
            continue;
        }
        let mut path = format!("dt/{}", node.name);
        let mut holder = node.parent;
        while devices.iter().any(|(_, d)| d.path == path) {
            // With the names of the nodes above, as many as it takes.
            match holder {
                0 => path = format!("{path}#{index}"),
                at => path = format!("dt/{}/{}", tree.nodes[at].name, &path[3..]),
            }
            holder = tree.nodes[holder].parent;
        }
        let mut device = Device::new(path, "platform");
        device.facts = facts(tree, node);
        device.facts.extend(dma(tree, index));
        device.windows = windows(tree, index, notes);
        device.wires = tree.wires(index, |at| *others.entry(at).or_default() += 1);
        device.parent = above(tree, &indices, index)
            .and_then(|at| devices.get(at))
            .map(|(_, parent)| parent.path.clone());
        indices.insert(index, devices.len());
        devices.push((index, device));
    }
    for (at, count) in others {
        notes.say(format!(
            "dt/{}: {count} interrupts end at this controller, whose lines are not known here",
            tree.nodes[at].name
        ));
    }
    devices
}

/// The nearest device that a node is below.
fn above(tree: &Tree, indices: &BTreeMap<usize, usize>, mut node: usize) -> Option<usize> {
    // Parents have smaller indices than their children, so this ends at the root.
    while node != 0 {
        node = tree.nodes.get(node)?.parent;
        if let Some(at) = indices.get(&node) {
            return Some(*at);
        }
    }
    None
}

/// How the nearest bus that says so translates what its devices address (2.3.9): first address there, first address of
/// memory, bytes; again and again. An empty list of ranges is no translation.
fn dma(tree: &Tree, mut node: usize) -> Option<Fact> {
    while node != 0 {
        node = tree.nodes.get(node)?.parent;
        let Some(ranges) = tree.property(node, "dma-ranges").filter(|r| !r.is_empty()) else {
            continue;
        };
        let (child, size) = tree.cells(node);
        let (parent, _) = tree.cells(tree.nodes.get(node)?.parent);
        let mut list = Vec::new();
        for entry in ranges
            .chunks_exact((4 * (child + parent + size)).max(4))
            .take(16)
        {
            let (bus, rest) = entry.split_at_checked(4 * child)?;
            let (memory, bytes) = rest.split_at_checked(4 * parent)?;
            list.extend([number(bus), number(memory), number(bytes)]);
        }
        return Some(Fact {
            name: String::from("dma_ranges"),
            value: Value::Numbers(list),
            source: SOURCE,
        });
    }
    None
}

fn facts(tree: &Tree, node: &Node) -> Vec<Fact> {
    let fact = |name: &str, value| Fact {
        name: name.replace(['-', ','], "_"),
        value,
        source: SOURCE,
    };
    let mut facts = Vec::from([fact(
        "compatible",
        Value::Texts(node.texts("compatible").map(String::from).collect()),
    )]);
    for (name, bytes) in node.properties() {
        if *name != "compatible"
            && !NO_FACTS.contains(name)
            && !name.starts_with('#')
            && bytes.len() <= LONGEST
        {
            let name = if *name == "numa-node-id" {
                "node"
            } else {
                name
            };
            facts.push(fact(name, value(bytes)));
        }
    }
    if node.number("clock-frequency").is_none() {
        let rate = clock(tree, node);
        facts.extend(rate.map(|hz| fact("clock_frequency", Value::Number(hz))));
    }
    if let (Some(conduit), true) = (node.text("method"), node.property("reg").is_none()) {
        facts.push(fact("conduit", Value::Text(String::from(conduit))));
    }
    facts
}

/// What a property's bytes most likely are: the format does not say.
fn value(bytes: &[u8]) -> Value {
    let printable = |part: &[u8]| !part.is_empty() && part.iter().all(|b| (0x20..0x7f).contains(b));
    if let Some((0, text)) = bytes.split_last() {
        let parts: Vec<&[u8]> = text.split(|b| *b == 0).collect();
        if parts.iter().all(|part| printable(part)) {
            let mut texts = parts
                .iter()
                .map(|p| String::from_utf8_lossy(p).into_owned());
            return match parts.len() {
                1 => Value::Text(texts.next().unwrap_or_default()),
                _ => Value::Texts(texts.collect()),
            };
        }
    }
    match bytes.len() {
        0 => Value::Flag(true),
        4 => Value::Number(number(bytes)),
        n if n % 4 == 0 => Value::Numbers(cells(bytes)),
        _ => Value::Bytes(Vec::from(bytes)),
    }
}

/// The rate of a node's first clock, if that is a fixed one.
fn clock(tree: &Tree, node: &Node) -> Option<u64> {
    let phandle = node.property("clocks")?.get(..4)?;
    let source = tree.by_phandle(number(phandle))?;
    tree.nodes[source].number("clock-frequency")
}

fn windows(tree: &Tree, node: usize, notes: &mut Notes) -> Vec<Window> {
    let mut windows = Vec::new();
    // Places on other buses (I2C, SPI, PCI) are no memory.
    if !memory_mapped(tree, node) {
        return windows;
    }
    for (index, (base, size)) in tree.reg(node).into_iter().enumerate() {
        let (Some(base), Ok(index)) = (translate(tree, node, base, size), u8::try_from(index))
        else {
            notes.say(format!(
                "dt/{}: the region at {base:#x} cannot be reached",
                tree.nodes[node].name
            ));
            continue;
        };
        windows.push(Window {
            index,
            kind: WindowKind::Memory,
            base,
            size,
            source: SOURCE,
        });
    }
    windows
}

/// Whether the addresses of a node are of memory: every bus above but the root passes them on, none is PCI (whose addresses have
/// three cells), and they have sizes.
fn memory_mapped(tree: &Tree, node: usize) -> bool {
    let mut bus = tree.nodes[node].parent;
    let mut mapped = tree.cells(bus).1 != 0;
    while bus != 0 {
        let passed_on = tree.nodes[bus].property("ranges").is_some();
        mapped &= passed_on && tree.cells(bus).0 != 3;
        bus = tree.nodes[bus].parent;
    }
    mapped
}

/// An address on a node's bus as the processor sees it (2.3.8): up through the `ranges` of every bus above.
fn translate(tree: &Tree, node: usize, mut base: u64, size: u64) -> Option<u64> {
    let mut bus = tree.nodes[node].parent;
    // Parents have smaller indices than their children, so this ends at the root.
    while bus != 0 {
        let ranges = tree.nodes[bus].property("ranges")?;
        let parent = tree.nodes[bus].parent;
        if !ranges.is_empty() {
            let (child_cells, size_cells) = tree.cells(bus);
            let (parent_cells, _) = tree.cells(parent);
            base = ranges
                .chunks_exact((4 * (child_cells + parent_cells + size_cells)).max(4))
                .find_map(|entry| {
                    let (child, rest) = entry.split_at_checked(4 * child_cells)?;
                    let (parent, length) = rest.split_at_checked(4 * parent_cells)?;
                    let (child, length) = (number(child), number(length));
                    let inside =
                        base >= child && base.checked_add(size)? <= child.checked_add(length)?;
                    inside.then(|| number(parent).checked_add(base - child))?
                })?;
        }
        bus = parent;
    }
    base.checked_add(size).map(|_| base)
}
