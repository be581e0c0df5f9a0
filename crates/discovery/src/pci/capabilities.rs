//! What a function says it can do (PCI Local Bus 3.0, 6.7; PCI Express 3.0, 7.9.1), and the facts that are cheap to get from it.

use super::{fact, Function, Host};
use crate::{hardware::Hardware, Notes};
use alloc::{format, vec::Vec};
use machine::{Capability, Fact};

/// As many as fit: 4 bytes each between the header and the end.
const MOST: usize = (256 - 64) / 4;
const MOST_EXTENDED: usize = (4096 - 256) / 4;
const MSI: u16 = 0x05;
const EXPRESS: u16 = 0x10;
const MSIX: u16 = 0x11;

/// Both lists, in their order. A list that loops or leads nowhere ends there, with a note.
pub(super) fn list(
    hardware: &mut dyn Hardware,
    host: &Host,
    function: &Function,
    notes: &mut Notes,
) -> Vec<Capability> {
    let mut found = standard(host, function, notes);
    // Only PCI Express has the second list, and only mapped configuration space reaches it.
    if found.iter().any(|c| c.id == EXPRESS) && host.config.extended(function.address.bus) {
        extended(hardware, host, function, &mut found, notes);
    }
    found
}

fn standard(host: &Host, function: &Function, notes: &mut Notes) -> Vec<Capability> {
    let mut found: Vec<Capability> = Vec::new();
    let byte = |at: usize| function.config.get(at).copied().unwrap_or(0);
    if byte(6) & 0x10 == 0 || function.header & 0x7f > 2 {
        return found;
    }
    let pointer = if function.header & 0x7f == 2 {
        0x14
    } else {
        0x34
    };
    let mut at = byte(pointer) & !3;
    while at != 0 {
        let known = found.iter().any(|c| c.at == at as u16);
        if at < 0x40 || known || found.len() == MOST || byte(at as usize) == 0xff {
            notes.say(format!(
                "{}: the list of capabilities {} {at:#x}, and is cut there",
                host.name(function.address),
                if known { "comes back to" } else { "leads to" }
            ));
            break;
        }
        // ID 0 fills a place that has no capability.
        if byte(at as usize) != 0 {
            found.push(Capability {
                id: byte(at as usize) as u16,
                extended: false,
                at: at as u16,
                version: 0,
            });
        }
        let next = byte(at as usize + 1) & !3;
        if byte(at as usize) == 0 && next <= at {
            break;
        }
        at = next;
    }
    found
}

fn extended(
    hardware: &mut dyn Hardware,
    host: &Host,
    function: &Function,
    found: &mut Vec<Capability>,
    notes: &mut Notes,
) {
    let mut at = 0x100u16;
    for _ in 0..=MOST_EXTENDED {
        let word = host.config.read(hardware, function.address, at);
        // Nothing at all stands at the beginning of an empty list.
        if word == 0 || word == u32::MAX {
            if at != 0x100 {
                notes.say(format!(
                    "{}: the list of extended capabilities leads to {at:#x}, where nothing is",
                    host.name(function.address)
                ));
            }
            return;
        }
        if word as u16 != 0 {
            found.push(Capability {
                id: word as u16,
                extended: true,
                at,
                version: (word >> 16 & 15) as u8,
            });
        }
        let next = (word >> 20) as u16 & !3;
        if next == 0 {
            return;
        }
        if next < 0x100 || found.iter().any(|c| c.extended && c.at == next) || next == at {
            notes.say(format!(
                "{}: the list of extended capabilities comes back to {next:#x}, and is cut there",
                host.name(function.address)
            ));
            return;
        }
        at = next;
    }
}

/// Where a capability is among the first 256 bytes.
pub(super) fn find(function: &Function, id: u16) -> Option<usize> {
    let found = function
        .capabilities
        .iter()
        .find(|c| c.id == id && !c.extended);
    found.map(|c| c.at as usize)
}

/// Kind of a PCI Express port (7.8.2): 4 a root port, 6 a downstream port of a switch.
pub(super) fn express_kind(function: &Function) -> Option<u8> {
    let at = find(function, EXPRESS)?;
    function.config.get(at + 2).map(|flags| flags >> 4)
}

/// Interrupt messages, link and slot.
pub(super) fn facts(function: &Function) -> Vec<Fact> {
    let word = |at: usize| {
        let bytes = function.config.get(at..at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as u64)
    };
    let mut facts = Vec::new();
    // 6.8.1: as many vectors as the function asks for.
    if let Some(control) = find(function, MSI).and_then(word).map(|w| w >> 16) {
        facts.push(fact("msi", 1 << (control >> 1 & 7)));
    }
    // 6.8.2: vectors, and where their table and their pending bits are.
    if let Some(at) = find(function, MSIX) {
        if let (Some(control), Some(table), Some(pending)) = (word(at), word(at + 4), word(at + 8))
        {
            facts.push(fact("msix", (control >> 16 & 0x7ff) + 1));
            facts.push(fact("msix_bar", table & 7));
            facts.push(fact("msix_at", table & !7));
            facts.push(fact("msix_pending_bar", pending & 7));
            facts.push(fact("msix_pending_at", pending & !7));
        }
    }
    let Some(at) = find(function, EXPRESS) else {
        return facts;
    };
    let Some(flags) = word(at).map(|w| w >> 16) else {
        return facts;
    };
    facts.push(fact("express", flags >> 4 & 15));
    // 7.8.6 and 7.8.8: parts of the root complex have no link.
    let linked = !matches!(flags >> 4 & 15, 9 | 10);
    if let (Some(most), Some(now), true) = (word(at + 12), word(at + 16), linked) {
        facts.push(fact("link_most_speed", most & 15));
        facts.push(fact("link_most_width", most >> 4 & 63));
        facts.push(fact("link_speed", now >> 16 & 15));
        facts.push(fact("link_width", now >> 20 & 63));
    }
    // 7.8.9: a port with a slot says which.
    if let (Some(slot), true) = (word(at + 20), flags >> 8 & 1 == 1) {
        facts.push(fact("slot", slot >> 19));
    }
    facts
}
