//! A test of RAM at a few places: do all bits hold, and is it the same memory twice?

use crate::{hardware::Hardware, Notes};
use alloc::{format, string::String, vec::Vec};
use machine::{Fact, MemoryKind, MemoryRange, Source, Value};

/// Smaller ranges are not tested.
const SMALLEST: u64 = 64 << 10;
/// Places in each range where bits are tested.
const SPREAD: u64 = 8;
/// Most ranges that are tested.
const RANGES: usize = 16;
/// Address lines below this one choose a byte within a page.
const FIRST_LINE: u32 = 12;
const PATTERN: u64 = 0x5a17_c3e1_96d2_4b8f;

/// What one range showed.
#[derive(Debug, Default, PartialEq)]
struct Shown {
    sampled: u64,
    /// Bits that did not hold what was stored.
    stuck: u64,
    /// The lowest address bit that makes no difference.
    alias: Option<u64>,
}

/// Tests the RAM of a tiled address space, and puts what it showed into the facts of each range. Everything is put back
/// as it was; places in `in_use` are left alone.
pub(crate) fn sample(
    hardware: &mut dyn Hardware,
    memory: &mut [MemoryRange],
    in_use: &[(u64, u64)],
    notes: &mut Notes,
) {
    let ram = memory
        .iter_mut()
        .filter(|r| r.kind == MemoryKind::Ram && r.size >= SMALLEST);
    for range in ram.take(RANGES) {
        let shown = test(hardware, range.base, range.size, in_use);
        let mut fact = |name: &str, value| {
            range.facts.push(Fact {
                name: String::from(name),
                value: Value::Number(value),
                source: Source::Probe,
            })
        };
        if shown.sampled == 0 {
            continue;
        }
        fact("sampled", shown.sampled);
        if shown.stuck != 0 {
            fact("stuck_bits", shown.stuck);
        }
        if let Some(line) = shown.alias {
            fact("alias_of_bit", line);
        }
        if shown.stuck != 0 || shown.alias.is_some() {
            notes.say(format!(
                "memory: the RAM at {:#x} does not hold what is stored (stuck bits {:#x}{})",
                range.base,
                shown.stuck,
                match shown.alias {
                    Some(line) => format!(", address bit {line} makes no difference"),
                    None => String::new(),
                }
            ));
        }
    }
}

fn test(hardware: &mut dyn Hardware, base: u64, size: u64, in_use: &[(u64, u64)]) -> Shown {
    let free = |at: u64| {
        let used = |(from, bytes): &(u64, u64)| at + 8 > *from && at < from.saturating_add(*bytes);
        at >= base && at - base <= size - 8 && !in_use.iter().any(used)
    };
    let mut shown = Shown::default();
    let places: Vec<u64> = (0..SPREAD)
        .map(|n| base + (size / SPREAD * n + size / SPREAD / 2) / 8 * 8)
        .filter(|at| free(*at))
        .collect();
    for at in &places {
        let Some(stuck) = bits(hardware, *at) else {
            return shown;
        };
        shown.sampled += 1;
        shown.stuck |= stuck;
    }
    // One place against those whose address differs in one bit.
    let Some(at) = places.first().copied() else {
        return shown;
    };
    for line in FIRST_LINE..u64::BITS - size.leading_zeros() {
        let other = at ^ 1 << line;
        if !free(other) {
            continue;
        }
        let Some(same) = same(hardware, at, other) else {
            return shown;
        };
        shown.sampled += 1;
        if same && shown.alias.is_none() {
            shown.alias = Some(line as u64);
        }
    }
    shown
}

/// Bits at `at` that do not hold; `None` if nothing can be stored there.
fn bits(hardware: &mut dyn Hardware, at: u64) -> Option<u64> {
    let old = hardware.ram_read(at, 64)?;
    let mut stuck = 0;
    for pattern in [PATTERN, !PATTERN] {
        if !hardware.ram_write(at, 64, pattern) {
            return None;
        }
        stuck |= hardware.ram_read(at, 64)? ^ pattern;
    }
    hardware.ram_write(at, 64, old);
    Some(stuck)
}

/// Whether two addresses lead to the same memory.
fn same(hardware: &mut dyn Hardware, one: u64, other: u64) -> Option<bool> {
    let (first, second) = (hardware.ram_read(one, 64)?, hardware.ram_read(other, 64)?);
    if !hardware.ram_write(one, 64, PATTERN) {
        return None;
    }
    hardware.ram_write(other, 64, !PATTERN);
    let same = hardware.ram_read(one, 64)? == !PATTERN;
    hardware.ram_write(other, 64, second);
    hardware.ram_write(one, 64, first);
    Some(same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{collections::BTreeMap, vec};

    /// RAM of which some address bits are not connected and some data bits are stuck at 1.
    #[derive(Default)]
    struct Ram {
        words: BTreeMap<u64, u64>,
        loose: u64,
        stuck: u64,
        written: Vec<u64>,
    }

    impl Hardware for Ram {
        fn read(&mut self, at: u64, _: u32) -> Option<u64> {
            let word = self.words.get(&(at & !self.loose)).copied();
            Some(word.unwrap_or(0x4321) | self.stuck)
        }
        fn write(&mut self, _: u64, _: u32, _: u64) {
            panic!("only RAM is tested");
        }
        fn copy(&mut self, _: u64, _: &mut [u8]) -> bool {
            false
        }
        fn port_read(&mut self, _: u16, _: u32) -> u64 {
            0
        }
        fn port_write(&mut self, _: u16, _: u32, _: u64) {}
        fn cpuid(&mut self, _: u32, _: u32) -> [u32; 4] {
            [0; 4]
        }
        fn register(&mut self, _: u32) -> Option<u64> {
            None
        }
        fn ram_write(&mut self, at: u64, _: u32, value: u64) -> bool {
            self.written.push(at);
            self.words.insert(at & !self.loose, value);
            true
        }
    }

    const BASE: u64 = 0x10_0000;
    const SIZE: u64 = 0x100_0000;

    fn shown(ram: &mut Ram, in_use: &[(u64, u64)]) -> (Vec<MemoryRange>, Vec<String>) {
        let mut memory = vec![MemoryRange {
            base: BASE,
            size: SIZE,
            kind: MemoryKind::Ram,
            source: Source::Firmware(*b"e820"),
            facts: vec![],
        }];
        let mut notes = Notes::default();
        sample(ram, &mut memory, in_use, &mut notes);
        (memory, notes.list())
    }

    fn fact(memory: &[MemoryRange], name: &str) -> Option<Value> {
        let found = memory[0].facts.iter().find(|f| f.name == name)?;
        Some(found.value.clone())
    }

    #[test]
    fn sound_ram_is_left_as_it_was() {
        let mut ram = Ram::default();
        let (memory, notes) = shown(&mut ram, &[]);
        assert!(matches!(
            fact(&memory, "sampled"),
            Some(Value::Number(16..))
        ));
        assert_eq!(memory[0].facts.len(), 1);
        assert!(notes.is_empty());
        assert!(ram.words.values().all(|word| *word == 0x4321));
    }

    #[test]
    fn a_loose_address_line_and_stuck_bits_are_found() {
        let mut ram = Ram {
            loose: 1 << 20,
            ..Ram::default()
        };
        let (memory, notes) = shown(&mut ram, &[]);
        assert_eq!(fact(&memory, "alias_of_bit"), Some(Value::Number(20)));
        assert!(notes[0].contains("address bit 20 makes no difference"));
        let mut ram = Ram {
            stuck: 0x8001,
            ..Ram::default()
        };
        let (memory, _) = shown(&mut ram, &[]);
        assert_eq!(fact(&memory, "stuck_bits"), Some(Value::Number(0x8001)));
    }

    #[test]
    fn what_is_in_use_is_not_touched() {
        let mut ram = Ram::default();
        let used = [(BASE, SIZE / 2), (BASE + SIZE - 0x1000, 0x1000)];
        shown(&mut ram, &used);
        assert!(!ram.written.is_empty());
        for at in ram.written {
            assert!(
                at >= BASE + SIZE / 2 && at + 8 <= BASE + SIZE - 0x1000,
                "{at:#x}"
            );
        }
        let mut all = Ram::default();
        let (memory, _) = shown(&mut all, &[(BASE, SIZE)]);
        assert!(all.written.is_empty() && memory[0].facts.is_empty());
    }
}
