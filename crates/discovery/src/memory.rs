//! The physical address space, from its first byte to the last that the processor can address: what is where, and how
//! that is known.

mod sample;

pub(crate) use sample::sample;

use crate::{hardware::Hardware, pci::Host, Notes};
use alloc::{format, string::String, vec::Vec};
use machine::{
    Arch, Device, Fact, Machine, MemoryKind, MemoryRange, Source, Value, Window, WindowKind,
};

/// Most overlaps that are told one by one.
const MOST: usize = 8;

/// Bits of a physical address (Intel SDM volume 2A, CPUID 80000008; Arm ARM, ID_AA64MMFR0_EL1.PARange).
pub(crate) fn width(hardware: &mut dyn Hardware, arch: Arch) -> u32 {
    match arch {
        Arch::X86_64 => {
            let [most, ..] = hardware.cpuid(0x8000_0000, 0);
            let stated = match most {
                0x8000_0008..=0x8fff_ffff => hardware.cpuid(0x8000_0008, 0)[0] & 0xff,
                _ => 36,
            };
            stated.clamp(32, 52)
        }
        Arch::Aarch64 => {
            // Where the register is out of reach, the widest that is common: nothing is left out.
            let range = hardware.register(0xc038).unwrap_or(5) & 15;
            [32, 36, 40, 42, 44, 48, 52]
                .get(range as usize)
                .copied()
                .unwrap_or(48)
        }
    }
}

/// A claim on part of the address space. Of several, the highest rank counts.
struct Claim {
    first: u64,
    last: u64,
    rank: u32,
    range: MemoryRange,
    /// Of the memory map, rather than of a device.
    mapped: bool,
}

const WINDOW: u32 = 100;
const SHADOWED: u32 = 5;
const PASSED: u32 = 1;
const UNSAID: u32 = 0;

/// Among claims of a memory map the more careful one counts.
fn rank(kind: MemoryKind) -> u32 {
    match kind {
        MemoryKind::Void => 0,
        MemoryKind::Ram => 10,
        MemoryKind::Mmio => 20,
        MemoryKind::Rom => 30,
        MemoryKind::AcpiTables => 40,
        MemoryKind::AcpiNvs => 50,
        MemoryKind::Reserved => 60,
    }
}

/// Makes `machine.memory` (the memory map, as it came) an account of the whole address space of `bits` bits.
pub(crate) fn tile(machine: &mut Machine, hosts: &[Host], bits: u32, notes: &mut Notes) {
    let limit = u64::MAX >> (64 - bits.clamp(1, 64));
    let mut claims = Vec::new();
    for range in core::mem::take(&mut machine.memory) {
        claim(&mut claims, range, limit, notes);
    }
    let mapped = claims.len();
    if machine.arch == Arch::X86_64 {
        claims.extend(architecture());
    }
    for host in hosts {
        passed(&mut claims, host, limit);
    }
    for device in &machine.devices {
        bridged(&mut claims, device, limit);
        for window in device.windows.iter().filter(|w| w.size != 0) {
            if window.kind == WindowKind::Memory {
                windowed(&mut claims, mapped, device, window, limit, notes);
            }
        }
    }
    machine.memory = sweep(claims, limit, notes);
}

/// A range of the memory map.
fn claim(claims: &mut Vec<Claim>, range: MemoryRange, limit: u64, notes: &mut Notes) {
    let end = range.base.checked_add(range.size.saturating_sub(1));
    let last = end.unwrap_or(u64::MAX).min(limit);
    if range.size == 0 || range.base > limit {
        notes.say(format!(
            "memory: {:#x} bytes at {:#x} cannot be",
            range.size, range.base
        ));
        return;
    }
    if end != Some(last) {
        notes.say(format!(
            "memory: {:#x} bytes at {:#x} are more than can be addressed",
            range.size, range.base
        ));
    }
    claims.push(Claim {
        first: range.base,
        last,
        rank: rank(range.kind),
        range,
        mapped: true,
    });
}

fn text(name: &str, value: &str, source: Source) -> Fact {
    Fact {
        name: String::from(name),
        value: Value::Text(String::from(value)),
        source,
    }
}

fn mmio(first: u64, last: u64, rank: u32, source: Source, facts: Vec<Fact>) -> Claim {
    let range = MemoryRange {
        base: first,
        size: last - first,
        kind: MemoryKind::Mmio,
        source,
        facts,
    };
    Claim {
        first,
        last,
        rank,
        range,
        mapped: false,
    }
}

/// What is so on every PC, and in no table: it counts only where nothing else is said.
fn architecture() -> [Claim; 2] {
    // Memory of adapters, their ROMs, and the firmware's. What of it is there, nobody tells.
    let what = text("what", "adapters and firmware", Source::Inferred);
    let mut adapters = mmio(0xa_0000, 0xf_ffff, UNSAID, Source::Inferred, [what].into());
    adapters.range.kind = MemoryKind::Reserved;
    // Stores to it become interrupts (Intel SDM volume 3A, 11.11.1).
    let what = text("what", "interrupt messages", Source::Processor);
    let (first, last) = (0xfee0_0000, 0xfeef_ffff);
    let messages = mmio(first, last, UNSAID, Source::Processor, [what].into());
    [adapters, messages]
}

/// What a host bridge passes on, and its configuration space.
fn passed(claims: &mut Vec<Claim>, host: &Host, limit: u64) {
    for aperture in host.apertures.iter().filter(|a| !a.port || a.mapped) {
        let last = aperture
            .base
            .saturating_add(aperture.size.saturating_sub(1));
        if aperture.size != 0 && aperture.base <= limit {
            let facts = Vec::from([text("passed_by", &host.path, host.source)]);
            let last = last.min(limit);
            claims.push(mmio(aperture.base, last, PASSED, host.source, facts));
        }
    }
    if let Some((base, size)) = host.config.range() {
        let end = base.saturating_add(size - 1).min(limit);
        if base <= limit {
            let facts = Vec::from([text("configuration", &host.path, host.source)]);
            claims.push(mmio(base, end, WINDOW, host.source, facts));
        }
    }
}

/// What a bridge passes on. Its addresses are the bus's, which are the processor's wherever bridges were met so far.
fn bridged(claims: &mut Vec<Claim>, device: &Device, limit: u64) {
    for name in ["passes_memory", "passes_prefetch"] {
        let Some(Value::Numbers(range)) = device.fact(name) else {
            continue;
        };
        let [base, size] = range[..] else { continue };
        let last = base.saturating_add(size.saturating_sub(1)).min(limit);
        if size != 0 && base <= last {
            let facts = Vec::from([text("passed_by", &device.path, Source::Configuration)]);
            claims.push(mmio(base, last, PASSED + 1, Source::Configuration, facts));
        }
    }
}

/// A device's registers. Where the memory map has RAM, that is believed, and said.
fn windowed(
    claims: &mut Vec<Claim>,
    mapped: usize,
    device: &Device,
    window: &Window,
    limit: u64,
    notes: &mut Notes,
) {
    let last = window.base.saturating_add(window.size - 1).min(limit);
    if window.base > limit {
        return;
    }
    let over = claims[..mapped].iter().find(|c| {
        let contents = matches!(
            c.range.kind,
            MemoryKind::Ram | MemoryKind::AcpiTables | MemoryKind::AcpiNvs
        );
        contents && c.first <= last && window.base <= c.last
    });
    // A devicetree says of some devices that their registers are memory with contents.
    let rank = match over {
        // A rule said that a device may be here, and it is not.
        Some(_) if window.source == Source::Candidate => return,
        Some(ram) => {
            notes.say(format!(
                "{}: its window {} at {:#x} lies over what the memory map has as {:?} at {:#x}",
                device.path, window.index, window.base, ram.range.kind, ram.first
            ));
            SHADOWED
        }
        None => WINDOW,
    };
    let mut facts = Vec::from([text("device", &device.path, window.source)]);
    facts.push(Fact {
        name: String::from("window"),
        value: Value::Number(window.index as u64),
        source: window.source,
    });
    let mut claim = mmio(window.base, last, rank, window.source, facts);
    if device.bus == "pci" && window.index == crate::pci::ROM {
        claim.range.kind = MemoryKind::Rom;
    }
    claims.push(claim);
}

/// Cuts the claims at each other's ends: every address gets the claim of the highest rank that covers it.
fn sweep(mut claims: Vec<Claim>, limit: u64, notes: &mut Notes) -> Vec<MemoryRange> {
    claims.sort_by_key(|c| c.first);
    let mut tiles: Vec<(u64, u64, Option<usize>)> = Vec::new();
    let mut active: Vec<usize> = Vec::new();
    let (mut at, mut next, mut overlaps) = (0u64, 0, 0);
    loop {
        active.retain(|c| claims[*c].last >= at);
        while next < claims.len() && claims[next].first <= at {
            overlaps += conflicts(&claims, &active, next, overlaps, notes);
            active.push(next);
            next += 1;
        }
        // Of two of one rank, the later and therefore smaller one.
        let best = active.iter().copied().max_by_key(|c| (claims[*c].rank, *c));
        let until = active.iter().map(|c| claims[*c].last).min();
        let begins = claims.get(next).map(|c| c.first - 1);
        let last = until
            .into_iter()
            .chain(begins)
            .min()
            .unwrap_or(limit)
            .min(limit);
        match tiles.last_mut() {
            Some(tile) if tile.2 == best => tile.1 = last,
            _ => tiles.push((at, last, best)),
        }
        if last >= limit {
            break;
        }
        at = last + 1;
    }
    tiles
        .into_iter()
        .map(|(first, last, claim)| MemoryRange {
            base: first,
            size: (last - first).saturating_add(1),
            ..claim.map_or_else(void, |c| claims[c].range.clone())
        })
        .collect()
}

fn void() -> MemoryRange {
    MemoryRange {
        base: 0,
        size: 0,
        kind: MemoryKind::Void,
        source: Source::Inferred,
        facts: Vec::new(),
    }
}

/// Says where the memory map contradicts itself. (A devicetree lists RAM first and then what of it is reserved: that is no
/// contradiction.)
fn conflicts(
    claims: &[Claim],
    active: &[usize],
    new: usize,
    told: usize,
    notes: &mut Notes,
) -> usize {
    let claim = &claims[new];
    let devicetree = |c: &Claim| c.range.source == Source::Firmware(*b"dtb ");
    let mut found = 0;
    for other in active.iter().map(|c| &claims[*c]) {
        if !claim.mapped || !other.mapped || devicetree(claim) && devicetree(other) {
            continue;
        }
        found += 1;
        if told + found > MOST {
            continue;
        }
        let (kind, base) = (claim.range.kind, claim.first);
        notes.say(format!(
            "memory: {kind:?} at {base:#x} lies over {:?} at {:#x}; where both are, {:?} counts",
            other.range.kind,
            other.first,
            if claim.rank >= other.rank {
                kind
            } else {
                other.range.kind
            }
        ));
    }
    found
}

#[cfg(test)]
mod tests;
