//! Caches: one fact each (`l1_data`, `l1_instruction`, `l2`, …): bytes, bytes of a line, ways, sets, and on x86 how many
//! threads at most share it.

use super::fact;
use crate::hardware::Hardware;
use alloc::{format, string::String, vec::Vec};
use machine::{Fact, Value};

/// More caches than this are not believed.
const MOST: u32 = 16;

fn name(level: u64, kind: u32) -> String {
    match kind {
        1 => format!("l{level}_data"),
        2 => format!("l{level}_instruction"),
        _ => format!("l{level}"),
    }
}

/// Intel SDM volume 2A, CPUID leaf 4; AMD APM volume 3, E.4.15 (the same form).
pub fn x86(hardware: &mut dyn Hardware, most: u32, extended: u32, amd: bool) -> Vec<Fact> {
    let leaf = match (amd, most, extended) {
        (true, _, 0x8000_001d..) => 0x8000_001d,
        (false, 4.., _) => 4,
        _ => return old(hardware, extended),
    };
    let mut facts = Vec::new();
    for sub in 0..MOST {
        let [a, b, c, _] = hardware.cpuid(leaf, sub);
        let kind = a & 31;
        if kind == 0 || kind > 3 {
            break;
        }
        let (line, parts, ways) = ((b & 0xfff) + 1, (b >> 12 & 0x3ff) + 1, (b >> 22) + 1);
        let (line, parts, ways, sets) = (line as u64, parts as u64, ways as u64, c as u64 + 1);
        // Each part is below 2^13 and sets below 2^33: no overflow.
        let list = [
            line * parts * ways * sets,
            line,
            ways,
            sets,
            (a >> 14 & 0xfff) as u64 + 1,
        ];
        let level = (a >> 5 & 7) as u64;
        facts.push(fact(&name(level, kind), Value::Numbers(list.into())));
    }
    match facts.is_empty() {
        true => old(hardware, extended),
        false => facts,
    }
}

/// AMD APM volume 3, E.4.4 and E.4.5: sizes in KiB, and lines.
fn old(hardware: &mut dyn Hardware, extended: u32) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |level, kind, size: u64, line: u32| {
        if size != 0 {
            let list = Vec::from([size, line as u64 & 0xff]);
            facts.push(fact(&name(level, kind), Value::Numbers(list)));
        }
    };
    if extended >= 0x8000_0006 {
        let [_, _, c, d] = hardware.cpuid(0x8000_0005, 0);
        add(1, 1, (c as u64 >> 24) << 10, c);
        add(1, 2, (d as u64 >> 24) << 10, d);
        let [_, _, c, d] = hardware.cpuid(0x8000_0006, 0);
        add(2, 3, (c as u64 >> 16) << 10, c);
        add(3, 3, (d as u64 >> 18) << 19, d);
    }
    facts
}

/// Arm ARM, D19.2.27 (CLIDR_EL1) and D19.2.21 (CCSIDR_EL1, in its 32-bit form or its 64-bit form as `wide` says).
pub fn arm(hardware: &mut dyn Hardware, levels: u64, wide: bool) -> Vec<Fact> {
    let mut facts = Vec::new();
    for level in 0..7u64 {
        let kinds: &[u32] = match levels >> (3 * level) & 7 {
            0 => break,
            1 => &[2],
            2 => &[1],
            3 => &[1, 2],
            4 => &[3],
            _ => break,
        };
        for kind in kinds {
            let selector = level << 1 | (*kind == 2) as u64;
            let Some(size) = hardware.cache(selector) else {
                continue;
            };
            let line = 16u64 << (size & 7);
            let (ways, sets) = match wide {
                true => ((size >> 3 & 0x1f_ffff) + 1, (size >> 32 & 0xff_ffff) + 1),
                false => ((size >> 3 & 0x3ff) + 1, (size >> 13 & 0x7fff) + 1),
            };
            let list = Vec::from([line * ways * sets, line, ways, sets]);
            facts.push(fact(&name(level + 1, *kind), Value::Numbers(list)));
        }
    }
    facts
}
