//! What the blob says of memory: reservations, and which node RAM belongs to (3.4, 3.5, 5.3).

use super::{Tree, SOURCE};
use crate::acpi::near;
use alloc::{string::String, vec::Vec};
use machine::{Fact, Machine, MemoryKind, MemoryRange, Value};

/// Further ranges are left out.
const MOST: usize = 256;

/// Adds reservations that the memory map does not have yet, and splits RAM by its nodes.
pub(crate) fn memory(tree: &Tree, machine: &mut Machine) {
    for (index, node) in tree.children(0) {
        if node.plain_name() == "memory" {
            if let Some(id) = node.number("numa-node-id") {
                for (base, size) in tree.reg(index).into_iter().take(MOST) {
                    near(machine, base, size, id, SOURCE);
                }
            }
        }
    }
    for (base, size) in tree.reservations.iter().take(MOST) {
        reserve(machine, *base, *size, Vec::new());
    }
    let Some((reserved, _)) = tree.top("reserved-memory") else {
        return;
    };
    for (index, node) in tree.children(reserved).take(MOST) {
        if !node.enabled() {
            continue;
        }
        let mut facts = Vec::from([fact("name", Value::Text(String::from(node.name)))]);
        for name in ["no-map", "reusable"] {
            if node.property(name).is_some() {
                facts.push(fact(&name.replace('-', "_"), Value::Flag(true)));
            }
        }
        for (base, size) in tree.reg(index).into_iter().take(MOST) {
            reserve(machine, base, size, facts.clone());
        }
    }
}

fn fact(name: &str, value: Value) -> Fact {
    Fact {
        name: String::from(name),
        value,
        source: SOURCE,
    }
}

fn reserve(machine: &mut Machine, base: u64, size: u64, facts: Vec<Fact>) {
    let same =
        |r: &&mut MemoryRange| r.kind == MemoryKind::Reserved && r.base == base && r.size == size;
    if size == 0 || base.checked_add(size).is_none() {
        return;
    }
    match machine.memory.iter_mut().find(same) {
        // The boot entry read it, too; the name is new.
        Some(range) => range.facts.extend(facts),
        None => machine.memory.push(MemoryRange {
            base,
            size,
            kind: MemoryKind::Reserved,
            source: SOURCE,
            facts,
        }),
    }
}
