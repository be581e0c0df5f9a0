//! What the processor says about itself (Intel SDM volume 2A, CPUID).

use crate::{acpi::Interrupts, hardware::Hardware};
use alloc::{string::String, vec::Vec};
use machine::{Arch, Cpu, Device, Fact, Machine, Source, Value, Window, WindowKind};

/// Features by leaf, register (0 EAX to 3 EDX) and bit.
const FEATURES: [(&str, u32, usize, u32); 8] = [
    ("apic", 1, 3, 9),
    ("x2apic", 1, 2, 21),
    ("tsc", 1, 3, 4),
    ("tsc_deadline", 1, 2, 24),
    ("hypervisor", 1, 2, 31),
    ("tsc_constant", 0x8000_0007, 3, 8),
    ("syscall", 0x8000_0001, 3, 11),
    ("no_execute", 0x8000_0001, 3, 20),
];
/// The register that says where a processor's own interrupt controller is, and its size.
const LOCAL_BASE: u32 = 0x1b;
const LOCAL_SIZE: u64 = 4096;

pub(crate) fn fact(name: &str, value: Value) -> Fact {
    Fact {
        name: String::from(name),
        value,
        source: Source::Processor,
    }
}

/// The processors, the facts about them, and the boot processor as a device on bus `cpu`.
pub(crate) fn discover(
    hardware: &mut dyn Hardware,
    machine: &mut Machine,
    interrupts: &Interrupts,
) {
    if machine.arch != Arch::X86_64 {
        return;
    }
    let [most, b, c, d] = hardware.cpuid(0, 0);
    let vendor: Vec<u8> = [b, d, c]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    let vendor = String::from_utf8_lossy(&vendor).into_owned();
    let [extended, ..] = hardware.cpuid(0x8000_0000, 0);
    let [model, b, ..] = hardware.cpuid(1, 0);
    let own = (b >> 24) as u64;
    machine.facts.push(fact("cpu.vendor", Value::Text(vendor)));
    machine
        .facts
        .push(fact("cpu.model", Value::Number(model as u64)));
    let mut facts = Vec::from([fact("id", Value::Number(own))]);
    for (name, leaf, register, bit) in FEATURES {
        let there = if leaf >= 0x8000_0000 { extended } else { most };
        if leaf <= there && hardware.cpuid(leaf, 0)[register] >> bit & 1 == 1 {
            facts.push(fact(name, Value::Flag(true)));
        }
    }
    let ids = match interrupts.processors.is_empty() {
        true => Vec::from([own]),
        false => interrupts.processors.clone(),
    };
    machine.cpus = ids
        .iter()
        .map(|id| Cpu {
            id: *id,
            facts: Vec::new(),
        })
        .collect();
    if let Some(cpu) = machine.cpus.iter_mut().find(|cpu| cpu.id == own) {
        cpu.facts = facts.clone();
    }
    machine.devices.push(Device {
        path: String::from("cpu/0"),
        bus: String::from("cpu"),
        windows: local(hardware, interrupts).into_iter().collect(),
        facts,
        config: Vec::new(),
        wires: Vec::new(),
        learned: Vec::new(),
        parent: None,
        capabilities: Vec::new(),
    });
}

fn local(hardware: &mut dyn Hardware, interrupts: &Interrupts) -> Option<Window> {
    let own = hardware
        .register(LOCAL_BASE)
        .map(|base| base & 0x000f_ffff_ffff_f000);
    let base = interrupts.local.or(own)?;
    Some(Window {
        index: 0,
        kind: WindowKind::Memory,
        base,
        size: LOCAL_SIZE,
        source: match interrupts.local {
            Some(_) => Source::Firmware(*b"APIC"),
            None => Source::Processor,
        },
    })
}
