//! Places where rules say that a device may be, though no table names one.

use crate::{acpi::Overrides, Options};
use alloc::{format, string::String, vec::Vec};
use machine::{Device, Fact, Machine, Source, Value, Window, WindowKind, Wire};

/// One place: the rules' data, opaque here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub kind: WindowKind,
    pub base: u64,
    pub size: u64,
    /// Its further windows: kind, base and size. What tells it from other devices is the first.
    pub more: Vec<(WindowKind, u64, u64)>,
    /// Number of an ISA wire.
    pub line: Option<u32>,
}

/// Adds each candidate whose place no other device claims. Those in memory are for blind mode: otherwise nothing is looked
/// for where no table names anything.
pub(crate) fn add(
    machine: &mut Machine,
    candidates: &[Candidate],
    overrides: &Overrides,
    hung: &[String],
    options: &Options,
) {
    let blind = options.blind;
    let looked_for =
        |c: &&Candidate| (blind || c.kind == WindowKind::Port) && !hung.contains(&path(c));
    // Masked, what a table describes has no name: a rule can know it by its place and what it does, as if no table did.
    let counts = |d: &&Device| {
        !options.masked || d.bus != "platform" || d.facts.iter().any(|f| f.name == "candidate")
    };
    for candidate in candidates.iter().filter(looked_for) {
        let taken = machine
            .devices
            .iter()
            .filter(counts)
            .flat_map(|d| &d.windows)
            .any(|w| {
                let apart = w.base.saturating_add(w.size) <= candidate.base
                    || candidate.base.saturating_add(candidate.size) <= w.base;
                w.kind == candidate.kind && !apart
            });
        if !taken {
            machine.devices.push(device(candidate, overrides));
        }
    }
}

fn path(candidate: &Candidate) -> String {
    match candidate.kind {
        WindowKind::Port => format!("isa/{:x}", candidate.base),
        WindowKind::Memory => format!("memory/{:x}", candidate.base),
    }
}

fn device(candidate: &Candidate, overrides: &Overrides) -> Device {
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
        path: path(candidate),
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
