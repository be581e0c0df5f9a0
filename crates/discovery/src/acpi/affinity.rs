//! Which memory is near to which processor (System Resource Affinity Table, 5.2.16).

use super::tables::number;
use crate::Notes;
use alloc::{format, string::String, vec::Vec};
use machine::{Fact, Machine, MemoryRange, Source, Value};

const SOURCE: Source = Source::Firmware(*b"SRAT");
/// Further entries are left out.
const MOST: usize = 4096;

/// Gives processors and ranges of memory their `node`; ranges that several nodes share are split.
pub fn affinity(table: &[u8], machine: &mut Machine, notes: &mut Notes) {
    let mut rest = table.get(48..).unwrap_or_default();
    for _ in 0..MOST {
        let [kind, size, ..] = *rest else { return };
        let Some(entry) = rest.get(..size as usize).filter(|_| size >= 2) else {
            notes.say(format!(
                "acpi: SRAT entry of type {kind} has the impossible size {size}"
            ));
            return;
        };
        if one(kind, entry, machine).is_none() {
            notes.say(format!("acpi: SRAT entry of type {kind} is too short"));
        }
        rest = rest.get(size as usize..).unwrap_or_default();
    }
    notes.say(format!("acpi: more than {MOST} entries in SRAT"));
}

fn one(kind: u8, entry: &[u8], machine: &mut Machine) -> Option<()> {
    match kind {
        0 if number(entry, 4, 4)? & 1 == 1 => {
            let node = number(entry, 2, 1)? | number(entry, 9, 3)? << 8;
            processor(machine, number(entry, 3, 1)?, node);
        }
        2 if number(entry, 12, 4)? & 1 == 1 => {
            processor(machine, number(entry, 8, 4)?, number(entry, 4, 4)?);
        }
        3 if number(entry, 10, 4)? & 1 == 1 => {
            let (node, uid) = (number(entry, 2, 4)?, number(entry, 6, 4)?);
            let own = |f: &Fact| f.name == "uid" && f.value == Value::Number(uid);
            let found = (machine.cpus.iter()).find(|cpu| cpu.facts.iter().any(own));
            if let Some(id) = found.map(|cpu| cpu.id) {
                processor(machine, id, node);
            }
        }
        1 if number(entry, 28, 4)? & 1 == 1 => {
            let (base, size) = (number(entry, 8, 8)?, number(entry, 16, 8)?);
            near(machine, base, size, number(entry, 2, 4)?, SOURCE);
        }
        _ => {}
    }
    Some(())
}

fn fact(node: u64, source: Source) -> Fact {
    Fact {
        name: String::from("node"),
        value: Value::Number(node),
        source,
    }
}

fn processor(machine: &mut Machine, id: u64, node: u64) {
    if let Some(cpu) = machine.cpus.iter_mut().find(|cpu| cpu.id == id) {
        if !cpu.facts.iter().any(|f| f.name == "node") {
            cpu.facts.push(fact(node, SOURCE));
        }
    }
}

/// Splits what the memory map has at both ends, and marks what is inside.
pub fn near(machine: &mut Machine, base: u64, size: u64, node: u64, source: Source) {
    let Some(end) = base.checked_add(size).filter(|_| size != 0) else {
        return;
    };
    if machine.memory.len() > MOST {
        return;
    }
    let mut ranges: Vec<MemoryRange> = Vec::with_capacity(machine.memory.len() + 2);
    for range in machine.memory.drain(..) {
        let last = range.base.saturating_add(range.size);
        let known = range.facts.iter().any(|f| f.name == "node");
        if last <= base || range.base >= end || known {
            ranges.push(range);
            continue;
        }
        let (from, to) = (range.base.max(base), last.min(end));
        let part = |from: u64, to: u64| MemoryRange {
            base: from,
            size: to - from,
            ..range.clone()
        };
        if range.base < from {
            ranges.push(part(range.base, from));
        }
        let mut inside = part(from, to);
        inside.facts.push(fact(node, source));
        ranges.push(inside);
        if to < last {
            ranges.push(part(to, last));
        }
    }
    machine.memory = ranges;
}
