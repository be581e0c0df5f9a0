//! How processors hang together and what caches they have (Processor Properties Topology Table, 5.2.30).

use super::tables::number;
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use machine::{Cpu, Fact, Source, Value};

const SOURCE: Source = Source::Firmware(*b"PPTT");
/// More entries are not believed.
const MOST: usize = 8192;
/// Processors nest no deeper.
const DEEPEST: usize = 16;

/// Gives each processor its `package`, `core` and `thread`, counted from 0 in the order of the table, and its caches.
pub fn topology(table: &[u8], cpus: &mut [Cpu]) {
    let nodes = nodes(table);
    let mut numbers: [BTreeMap<usize, u64>; 2] = Default::default();
    let mut threads: BTreeMap<usize, u64> = BTreeMap::new();
    for cpu in cpus {
        let Some(uid) = cpu.facts.iter().find_map(|f| match (&*f.name, &f.value) {
            ("uid", Value::Number(uid)) => Some(*uid),
            _ => None,
        }) else {
            continue;
        };
        // Flags: 0 a package, 1 the ID is valid, 2 a thread, 3 a leaf.
        let own = nodes.iter().find(|(at, flags)| {
            **flags & 2 != 0 && **flags & 8 != 0 && number(table, **at + 12, 4) == Some(uid)
        });
        let Some((own, flags)) = own else { continue };
        let above = above(table, &nodes, *own);
        let is_thread = flags & 4 != 0;
        let core = match is_thread {
            true => above.get(1).copied().unwrap_or(*own),
            false => *own,
        };
        let package = (above.iter().copied()).find(|at| nodes.get(at).is_some_and(|f| f & 1 != 0));
        let mut facts = Vec::new();
        for (map, (name, at)) in numbers
            .iter_mut()
            .zip([("package", package), ("core", Some(core))])
        {
            if let Some(at) = at {
                let next = map.len() as u64;
                facts.push((name, *map.entry(at).or_insert(next)));
            }
        }
        let thread = threads.entry(core).or_insert(0);
        facts.push(("thread", *thread));
        *thread += 1;
        cpu.facts
            .extend(facts.into_iter().map(|(name, value)| Fact {
                name: String::from(name),
                value: Value::Number(value),
                source: SOURCE,
            }));
    }
}

/// Offset and flags of every processor entry.
fn nodes(table: &[u8]) -> BTreeMap<usize, u64> {
    let mut nodes = BTreeMap::new();
    let mut at = 36;
    for _ in 0..MOST {
        let (Some(kind), Some(size)) = (number(table, at, 1), number(table, at + 1, 1)) else {
            break;
        };
        if size < 2 {
            break;
        }
        if let (0, Some(flags)) = (kind, number(table, at + 4, 4)) {
            nodes.insert(at, flags);
        }
        at += size as usize;
    }
    nodes
}

/// The entry itself and those above it.
fn above(table: &[u8], nodes: &BTreeMap<usize, u64>, from: usize) -> Vec<usize> {
    let mut way = Vec::new();
    let mut at = from;
    while way.len() < DEEPEST && nodes.contains_key(&at) {
        way.push(at);
        at = number(table, at + 8, 4).unwrap_or(0) as usize;
    }
    way
}
