//! Candidate places: rules say that a device may be there, though no firmware table names one.

use crate::{acpi::Overrides, Options};
use alloc::{format, string::String, vec::Vec};
use machine::{Candidate, Device, Fact, Machine, Source, Value, Window, WindowKind, Wire};

/// Adds each candidate whose place no other device claims. Those in memory are for blind mode: otherwise nothing is looked
/// for where no table names anything. Where rules say that one of several things may begin at a place, each is added, for
/// its rule to recognise.
pub(crate) fn add(
    machine: &mut Machine,
    candidates: &[Candidate],
    overrides: &Overrides,
    hung: &[String],
    options: &Options,
) {
    let blind = options.blind;
    // Masked, what a table describes has no name: a rule can know it by its place and what it does, as if no table did.
    let counts = |d: &&Device| {
        !options.masked || d.bus != "platform" || d.facts.iter().any(|f| f.name == "candidate")
    };
    for (place, candidate) in candidates.iter().enumerate() {
        let path = path(candidate, &candidates[..place]);
        if !(blind || candidate.kind == WindowKind::Port) || hung.contains(&path) {
            continue;
        }
        let mut others = machine.devices.iter().filter(counts);
        if !others.any(|d| claims(d, candidate) && !instead(d, candidate)) {
            machine.devices.push(device(candidate, path, overrides));
        }
    }
}

fn claims(device: &Device, candidate: &Candidate) -> bool {
    device.windows.iter().any(|w| {
        let apart = w.base.saturating_add(w.size) <= candidate.base
            || candidate.base.saturating_add(candidate.size) <= w.base;
        w.kind == candidate.kind && !apart
    })
}

/// Whether a device is another thing that may begin where this candidate does.
fn instead(device: &Device, candidate: &Candidate) -> bool {
    let of = |w: &Window| (w.kind, w.base, w.size);
    device.fact("candidate").is_some()
        && device.windows.first().map(of) == Some((candidate.kind, candidate.base, candidate.size))
        && !device.windows[1..]
            .iter()
            .map(of)
            .eq(candidate.more.iter().copied())
}

/// Where it begins; with the number of the other things that may begin there, as the rules before said.
fn path(candidate: &Candidate, before: &[Candidate]) -> String {
    let begins = |c: &Candidate| (c.kind, c.base, c.size);
    let mut others: Vec<&[(WindowKind, u64, u64)]> = Vec::new();
    for other in before.iter().filter(|c| begins(c) == begins(candidate)) {
        if other.more != candidate.more && !others.contains(&other.more.as_slice()) {
            others.push(&other.more);
        }
    }
    let place = match candidate.kind {
        WindowKind::Port => format!("isa/{:x}", candidate.base),
        WindowKind::Memory => format!("memory/{:x}", candidate.base),
    };
    match others.len() {
        0 => place,
        n => format!("{place}.{n}"),
    }
}

fn device(candidate: &Candidate, path: String, overrides: &Overrides) -> Device {
    let wire = candidate.line.map(|line| {
        let (line, level, low) = overrides.of(line);
        Wire {
            line,
            level,
            low,
            source: Source::Candidate,
            pin: 0,
        }
    });
    Device {
        path,
        bus: String::from("platform"),
        facts: Vec::from([Fact {
            name: String::from("candidate"),
            value: Value::Flag(true),
            source: Source::Candidate,
        }]),
        windows: core::iter::once((candidate.kind, candidate.base, candidate.size))
            .chain(candidate.more.iter().copied())
            .enumerate()
            .map(|(index, (kind, base, size))| Window {
                index: index as u8,
                kind,
                base,
                size,
                source: Source::Candidate,
            })
            .collect(),
        config: Vec::new(),
        wires: wire.into_iter().collect(),
        learned: Vec::new(),
        parent: None,
        capabilities: Vec::new(),
    }
}
