//! `/cpus`: which processors there are, how they hang together, what caches they have (3.7, 3.8; cpu-map binding).

use super::{Node, Tree, SOURCE};
use crate::{hardware::Hardware, processor};
use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use machine::{Cpu, Fact, Machine, Value};

/// Caches beyond caches are followed no further.
const DEEPEST: u32 = 8;
/// Caches of a node, by the words that its properties begin with, and what the fact is called at level 1.
const CACHES: [(&str, &str); 3] = [
    ("d-cache", "_data"),
    ("i-cache", "_instruction"),
    ("cache", ""),
];

fn fact(name: &str, value: Value) -> Fact {
    Fact {
        name: String::from(name),
        value,
        source: SOURCE,
    }
}

/// The processors, with what the one that runs says about itself.
pub(crate) fn processors(hardware: &mut dyn Hardware, tree: &Tree, machine: &mut Machine) {
    let mut disabled = Vec::new();
    if let Some((cpus, _)) = tree.top("cpus") {
        let places = places(tree, cpus);
        for (index, node) in tree.children(cpus) {
            if node.text("device_type") != Some("cpu") && node.plain_name() != "cpu" {
                continue;
            }
            let id = tree.reg(index).first().map_or(0, |(id, _)| *id);
            if !node.enabled() {
                disabled.push(id);
                continue;
            }
            let mut facts = said(node);
            facts.extend(places.get(&index).into_iter().flatten().cloned());
            caches(tree, index, &mut facts);
            machine.cpus.push(Cpu { id, facts });
        }
    }
    processor::arm(hardware, machine);
    if !disabled.is_empty() {
        machine
            .facts
            .push(fact("cpu.disabled", Value::Numbers(disabled)));
    }
}

/// What a node says of its processor.
fn said(node: &Node) -> Vec<Fact> {
    let mut facts = Vec::new();
    let compatible: Vec<String> = node.texts("compatible").map(String::from).collect();
    if !compatible.is_empty() {
        facts.push(fact("compatible", Value::Texts(compatible)));
    }
    let method = node.text("enable-method").map(String::from);
    facts.extend(method.map(|m| fact("enable_method", Value::Text(m))));
    for (property, name) in [
        ("numa-node-id", "node"),
        ("capacity-dmips-mhz", "capacity"),
        ("clock-frequency", "clock_frequency"),
        ("cpu-release-addr", "release_address"),
    ] {
        facts.extend(node.number(property).map(|n| fact(name, Value::Number(n))));
    }
    facts
}

/// `package`, `cluster`, `core` and `thread` of the processors that `cpu-map` names, counted over the machine.
fn places(tree: &Tree, cpus: usize) -> BTreeMap<usize, Vec<Fact>> {
    let mut found = BTreeMap::new();
    let Some((map, _)) = tree
        .children(cpus)
        .find(|(_, n)| n.plain_name() == "cpu-map")
    else {
        return found;
    };
    let mut counts = Counts::default();
    let mut rest = Vec::from([(map, Place::default(), 0)]);
    while let Some((at, place, depth)) = rest.pop() {
        if let Some(cpu) = tree
            .number_of(at, "cpu")
            .and_then(|phandle| tree.by_phandle(phandle))
        {
            let named = [
                ("package", place.package.or(Some(0))),
                ("cluster", place.cluster),
                ("core", place.core),
                ("thread", place.thread.or(Some(0))),
            ];
            let facts = named.into_iter();
            let facts = facts.filter_map(|(name, n)| Some(fact(name, Value::Number(n?))));
            found.entry(cpu).or_insert_with(|| facts.collect());
        }
        if depth == DEEPEST {
            continue;
        }
        let from = rest.len();
        let mut threads = 0;
        for (child, node) in tree.children(at) {
            let mut inner = place;
            let kind = node.name.trim_end_matches(|c: char| c.is_ascii_digit());
            match kind {
                "socket" => inner.package = Some(next(&mut counts.packages)),
                "cluster" => inner.cluster = Some(next(&mut counts.clusters)),
                "core" => inner.core = Some(next(&mut counts.cores)),
                "thread" => inner.thread = Some(next(&mut threads)),
                _ => continue,
            }
            rest.push((child, inner, depth + 1));
        }
        if let Some(new) = rest.get_mut(from..) {
            new.reverse();
        }
    }
    found
}

#[derive(Clone, Copy, Default)]
struct Place {
    package: Option<u64>,
    cluster: Option<u64>,
    core: Option<u64>,
    thread: Option<u64>,
}

#[derive(Default)]
struct Counts {
    packages: u64,
    clusters: u64,
    cores: u64,
}

fn next(count: &mut u64) -> u64 {
    *count += 1;
    *count - 1
}

/// Bytes, bytes of a line and sets of each cache: the processor's own, and those beyond.
fn caches(tree: &Tree, cpu: usize, facts: &mut Vec<Fact>) {
    let mut at = cpu;
    for level in 1..=u64::from(DEEPEST) {
        let level = tree.number_of(at, "cache-level").unwrap_or(level);
        for (prefix, suffix) in CACHES {
            let of = |what: &str| tree.number_of(at, &format!("{prefix}-{what}"));
            if let Some(size) = of("size") {
                let list = Vec::from([size, of("line-size").unwrap_or(0), of("sets").unwrap_or(0)]);
                facts.push(fact(&format!("l{level}{suffix}"), Value::Numbers(list)));
            }
        }
        let beyond = tree
            .number_of(at, "next-level-cache")
            .or(tree.number_of(at, "l2-cache"));
        match beyond.and_then(|phandle| tree.by_phandle(phandle)) {
            Some(next) if next != at && next != cpu => at = next,
            _ => break,
        }
    }
}
