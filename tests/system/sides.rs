//! From inside, where the booted system finds out about itself, and from outside, where nothing of ours runs, a machine is
//! the same, but for what only one side can see.

use crate::boots::{boot, workspace};
use machine::{Arch, Device, Fact, Machine, MemoryKind, MemoryRange, Source};
use meta::discover::{self, outside};
use meta::{machines, rules};

/// What only one side can see: of which architecture, where it stands (the beginning of a device's path, `cpu` or
/// `machine`), the facts, and why.
const ONE_SIDE: &[(Arch, &str, &[&str], &str)] = &[
    (
        Arch::X86_64,
        "cpu",
        &["l1_data", "l1_instruction", "l2", "l3"],
        "the emulator's monitor does not tell the leaves of caches",
    ),
    (
        Arch::X86_64,
        "machine",
        &["cpu.hypervisor"],
        "nor the hypervisor's name",
    ),
    (
        Arch::Aarch64,
        "cpu",
        &[
            "pfr0",
            "pfr1",
            "dfr0",
            "isar0",
            "isar1",
            "mmfr0",
            "mmfr1",
            "mmfr2",
            "ctr",
            "features",
            "instruction_line",
            "data_line",
            "l1_data",
            "l1_instruction",
            "l2",
        ],
        "of ID registers the monitor tells two",
    ),
    (
        Arch::Aarch64,
        "machine",
        &["cpu.physical_bits", "cpu.counter_hz"],
        "nor these registers",
    ),
];

/// Facts that both sides must have alike.
fn shared<'a>(arch: Arch, place: &'a str, facts: &'a [Fact]) -> impl Iterator<Item = &'a Fact> {
    facts.iter().filter(move |fact| {
        let told = |(of, at, names, _): &(Arch, &str, &[&str], &str)| {
            *of == arch && place.starts_with(at) && names.contains(&fact.name.as_str())
        };
        !ONE_SIDE.iter().any(told) && fact.source != Source::Measured
    })
}

fn facts_differ(arch: Arch, place: &str, inside: &[Fact], outside: &[Fact]) -> Vec<String> {
    let mut all = Vec::new();
    for fact in shared(arch, place, inside) {
        match outside.iter().find(|other| other.name == fact.name) {
            Some(other) if other.value == fact.value => {}
            other => all.push(format!("{place}: {fact:?} inside, {other:?} outside")),
        }
    }
    for fact in shared(arch, place, outside) {
        if !inside.iter().any(|other| other.name == fact.name) {
            all.push(format!("{place}: {fact:?} outside alone"));
        }
    }
    all
}

fn device_differs(arch: Arch, inside: &Device, outside: &Device) -> Vec<String> {
    let path = &inside.path;
    let mut all = facts_differ(arch, path, &inside.facts, &outside.facts);
    let mut same = |what: &str, same: bool| {
        if !same {
            all.push(format!("{path}: its {what} differ"));
        }
    };
    same("windows", inside.windows == outside.windows);
    same("wires", inside.wires == outside.wires);
    same("capabilities", inside.capabilities == outside.capabilities);
    same("parents", inside.parent == outside.parent);
    same("buses", inside.bus == outside.bus);
    all
}

fn differences(inside: &Machine, outside: &Machine) -> Vec<String> {
    let mut all = facts_differ(inside.arch, "machine", &inside.facts, &outside.facts);
    let paths =
        |model: &Machine| -> Vec<String> { model.devices.iter().map(|d| d.path.clone()).collect() };
    if paths(inside) != paths(outside) {
        all.push(format!(
            "devices: {:?} inside, {:?} outside",
            paths(inside),
            paths(outside)
        ));
    }
    for device in &inside.devices {
        let other = outside.devices.iter().find(|d| d.path == device.path);
        all.extend(
            other
                .into_iter()
                .flat_map(|other| device_differs(inside.arch, device, other)),
        );
    }
    if inside.cpus.len() != outside.cpus.len() {
        all.push("the numbers of processors differ".into());
    }
    for (cpu, other) in inside.cpus.iter().zip(&outside.cpus) {
        if cpu.id != other.id {
            all.push(format!(
                "processor {:#x} inside is {:#x} outside",
                cpu.id, other.id
            ));
        }
        all.extend(facts_differ(inside.arch, "cpu", &cpu.facts, &other.facts));
    }
    all.extend(memory_differs(inside, outside));
    all
}

fn memory_differs(inside: &Machine, outside: &Machine) -> Vec<String> {
    // How far addresses reach is in a register that only one side sees on arm64: of what is void up there, where it begins.
    let reach = |model: &Machine, range: &MemoryRange| {
        let last = model
            .memory
            .last()
            .is_some_and(|last| last.base == range.base);
        model.arch == Arch::Aarch64 && last && range.kind == MemoryKind::Void
    };
    let map = |model: &Machine| -> Vec<String> {
        let told = |r: &MemoryRange| {
            let size = if reach(model, r) { 0 } else { r.size };
            format!("{:#x}+{size:#x} {:?} {:?}", r.base, r.kind, r.source)
        };
        model.memory.iter().map(told).collect()
    };
    let (inside, outside) = (map(inside), map(outside));
    let missing = |from: &[String], of: &[String], side: &str| -> Vec<String> {
        let alone = of.iter().filter(|range| !from.contains(range));
        alone
            .map(|range| format!("memory: {range} {side} alone"))
            .collect()
    };
    let mut all = missing(&outside, &inside, "inside");
    all.extend(missing(&inside, &outside, "outside"));
    all
}

#[test]
fn a_machine_is_the_same_from_inside_and_from_outside() {
    let workspace = workspace();
    let book = rules::book(&workspace.root.join("rules")).expect("the rules are right");
    let candidates = synthesis::candidates(&book);
    let mut faults = Vec::new();
    for name in [
        "q35-e1000",
        "q35-smp4",
        "pc-rtl8139",
        "microvm",
        "virt-gicv3",
        "virt-mmio",
    ] {
        let described = machines::named(&workspace, name).expect("the machine is described");
        let outside = outside::discover(&workspace, &described, &candidates)
            .unwrap_or_else(|error| panic!("{error:#}"));
        let inside = boot(name).ask_well("machine");
        let inside = discover::model_of(&inside).expect("a machine model");
        let told = differences(&inside, &outside.model).into_iter();
        faults.extend(told.map(|fault| format!("{name}: {fault}")));
    }
    assert!(
        faults.is_empty(),
        "{} differences:\n{}",
        faults.len(),
        faults.join("\n")
    );
}
