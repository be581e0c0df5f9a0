//! Timers that have an ACPI table of their own: the event timer of a PC, and Arm's generic timer (GTDT).

use super::{
    described::{address, Described},
    tables::number,
};
use alloc::vec::Vec;
use machine::{Device, WindowKind};

/// Further platform timers are left out.
const MOST: u64 = 32;

/// The event timer of a PC: where its registers are (its specification 1.0a, 3.2.4).
pub fn event_timer(table: &[u8]) -> Option<Device> {
    let place = address(table, 40)?;
    let base = place.memory()?;
    Some(
        Described::new("HPET", Some(base))
            .with("id", number(table, 36, 4))
            .with("number", number(table, 52, 1))
            .with("shortest", number(table, 53, 2))
            .at(WindowKind::Memory, base, 0x400)
            .done(),
    )
}

/// Arm's generic timer (5.2.25): its wires in the order in which devicetrees name them (secure, physical, virtual,
/// hypervisor's, its virtual one), then watchdogs and timer blocks.
pub fn generic_timer(table: &[u8]) -> Vec<Device> {
    let mut list = Vec::new();
    let mut timer = Described::new("GTDT", None);
    for at in [48, 56, 64, 72, 104] {
        let (Some(line), Some(flags)) = (number(table, at, 4), number(table, at + 4, 4)) else {
            continue;
        };
        // The places in the list have a meaning, so a wire that is not there keeps its own, save at the end.
        if at == 104 && (line == 0 || number(table, 8, 1) < Some(3)) {
            continue;
        }
        timer = timer.wire(line, flags & 1 == 0, flags & 2 != 0);
    }
    let always = number(table, 68, 4).is_some_and(|flags| flags & 4 != 0);
    timer = timer.flag("always_on", always);
    for (name, at) in [("counter_control", 36), ("counter_read", 80)] {
        let place = number(table, at, 8).filter(|base| *base != 0 && *base != u64::MAX);
        if let Some(base) = place {
            timer = timer.with(name, place).at(WindowKind::Memory, base, 4096);
        }
    }
    list.push(timer.done());
    let mut at = number(table, 92, 4).unwrap_or(0) as usize;
    for _ in 0..number(table, 88, 4).unwrap_or(0).min(MOST) {
        let size = number(table, at.saturating_add(1), 2).unwrap_or(0) as usize;
        let Some(entry) = table.get(at..at.saturating_add(size)).filter(|_| size >= 4) else {
            break;
        };
        list.extend(match entry.first() {
            Some(0) => block(entry),
            Some(1) => watchdog(entry),
            _ => None,
        });
        at += size;
    }
    list
}

/// 5.2.25.1: a block of up to eight timers in memory.
fn block(entry: &[u8]) -> Option<Device> {
    let control = number(entry, 4, 8)?;
    let mut device = Described::new("GTDT.0", Some(control)).at(WindowKind::Memory, control, 4096);
    let (count, from) = (number(entry, 12, 4)?.min(8), number(entry, 16, 4)? as usize);
    for n in 0..count as usize {
        let frame = entry.get(from.checked_add(40 * n)?..)?;
        let flags = number(frame, 28, 4)?;
        device = device
            .at(WindowKind::Memory, number(frame, 4, 8)?, 4096)
            .wire(number(frame, 20, 4)?, flags & 1 == 0, flags & 2 != 0);
    }
    Some(device.done())
}

/// 5.2.25.2: refresh frame, then control frame.
fn watchdog(entry: &[u8]) -> Option<Device> {
    let (refresh, control) = (number(entry, 4, 8)?, number(entry, 12, 8)?);
    let flags = number(entry, 24, 4)?;
    Some(
        Described::new("GTDT.1", Some(control))
            .flag("secure", flags & 4 != 0)
            .at(WindowKind::Memory, refresh, 4096)
            .at(WindowKind::Memory, control, 4096)
            .wire(number(entry, 20, 4)?, flags & 1 == 0, flags & 2 != 0)
            .done(),
    )
}
