//! What an x86-64 processor says of itself (Intel SDM volume 2A, CPUID).

use super::{caches, fact, features, number, topology::Bits};
use crate::hardware::Hardware;
use alloc::{string::String, vec::Vec};
use machine::{Cpu, Device, Fact, Machine, Source, Value, Window, WindowKind};

/// The register that says where a processor's own interrupt controller is, and its size.
const LOCAL_BASE: u32 = 0x1b;
const LOCAL_SIZE: u64 = 4096;
/// Where a hypervisor answers.
const ABOVE: u32 = 0x4000_0000;

/// Fills in what the processor that runs says about itself and all of them; it becomes a device on bus `cpu`.
pub fn discover(hardware: &mut dyn Hardware, machine: &mut Machine, local: Option<(u64, Source)>) {
    let [most, b, c, d] = hardware.cpuid(0, 0);
    let vendor = text(&[b, d, c]);
    let amd = matches!(vendor.as_str(), "AuthenticAMD" | "HygonGenuine");
    let [extended, ..] = hardware.cpuid(0x8000_0000, 0);
    let extended = if extended >> 16 == 0x8000 {
        extended
    } else {
        0
    };
    let [model, b, c, _] = hardware.cpuid(1, 0);
    let own = own_id(hardware, most, b);
    let facts = &mut machine.facts;
    facts.push(fact("cpu.vendor", Value::Text(vendor)));
    facts.push(number("cpu.model", model as u64));
    identity(hardware, facts, extended, model);
    rates(hardware, facts, most, c >> 31 == 1);
    let mut flags = Vec::from([number("id", own)]);
    let names = named(hardware, most, extended);
    flags.extend(names.iter().map(|name| fact(name, Value::Flag(true))));
    if machine.cpus.is_empty() {
        machine.cpus.push(Cpu {
            id: own,
            facts: Vec::new(),
        });
    }
    let bits = Bits::read(hardware, most, extended, amd);
    for cpu in &mut machine.cpus {
        cpu.facts.extend(bits.facts(cpu.id));
    }
    if let Some(cpu) = machine.cpus.iter_mut().find(|cpu| cpu.id == own) {
        cpu.facts.push(fact("boot", Value::Flag(true)));
        let names = names.into_iter().map(String::from).collect();
        cpu.facts.push(fact("features", Value::Texts(names)));
        cpu.facts.extend(caches::x86(hardware, most, extended, amd));
    }
    let mut device = Device::new(String::from("cpu/0"), "cpu");
    device.windows = own_controller(hardware, local).into_iter().collect();
    device.facts = flags;
    device.facts.push(fact("apic_id", Value::Number(own)));
    machine.devices.push(device);
}

fn text(words: &[u32]) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let text = String::from_utf8_lossy(&bytes);
    String::from(text.trim_matches(|c: char| c == '\0' || c.is_whitespace()))
}

/// Leaf 0xb has the wide ID, leaf 1 its low byte.
fn own_id(hardware: &mut dyn Hardware, most: u32, b: u32) -> u64 {
    let [_, levels, _, wide] = match most {
        0xb.. => hardware.cpuid(0xb, 0),
        _ => [0; 4],
    };
    match levels {
        0 => (b >> 24) as u64,
        _ => wide as u64,
    }
}

/// Names, numbers and widths.
fn identity(hardware: &mut dyn Hardware, facts: &mut Vec<Fact>, extended: u32, model: u32) {
    let family = model >> 8 & 15;
    let whole = match family {
        15 => family + (model >> 20 & 0xff),
        _ => family,
    };
    facts.push(number("cpu.family", whole as u64));
    facts.push(number("cpu.stepping", (model & 15) as u64));
    if extended >= 0x8000_0004 {
        let mut words = Vec::new();
        for leaf in 0x8000_0002..=0x8000_0004 {
            words.extend(hardware.cpuid(leaf, 0));
        }
        let brand = text(&words);
        facts.extend((!brand.is_empty()).then(|| fact("cpu.brand", Value::Text(brand))));
    }
    if extended >= 0x8000_0008 {
        let [a, ..] = hardware.cpuid(0x8000_0008, 0);
        facts.push(number("cpu.physical_bits", (a & 0xff) as u64));
        facts.push(number("cpu.virtual_bits", (a >> 8 & 0xff) as u64));
    }
}

/// Rates that are stated, in hertz.
fn rates(hardware: &mut dyn Hardware, facts: &mut Vec<Fact>, most: u32, above: bool) {
    let mut state = |name: &str, hz: u64| {
        if hz != 0 && !facts.iter().any(|f| f.name == name) {
            facts.push(number(name, hz));
        }
    };
    if most >= 0x15 {
        let [below, over, crystal, _] = hardware.cpuid(0x15, 0).map(u64::from);
        state("cpu.crystal_hz", crystal);
        state(
            "cpu.tsc_hz",
            (crystal * over).checked_div(below).unwrap_or(0),
        );
    }
    if most >= 0x16 {
        let [base, highest, bus, _] = hardware.cpuid(0x16, 0).map(|mhz| (mhz & 0xffff) as u64);
        state("cpu.base_hz", base * 1_000_000);
        state("cpu.highest_hz", highest * 1_000_000);
        state("cpu.bus_hz", bus * 1_000_000);
    }
    if above {
        let [last, b, c, d] = hardware.cpuid(ABOVE, 0);
        if last >= ABOVE + 0x10 {
            let [clock, bus, ..] = hardware.cpuid(ABOVE + 0x10, 0).map(u64::from);
            state("cpu.tsc_hz", clock * 1000);
            state("cpu.apic_hz", bus * 1000);
        }
        let name = text(&[b, c, d]);
        if !name.is_empty() {
            facts.push(fact("cpu.hypervisor", Value::Text(name)));
        }
    }
}

/// The names of the features that are there; each leaf is asked once.
fn named(hardware: &mut dyn Hardware, most: u32, extended: u32) -> Vec<&'static str> {
    let mut names = Vec::new();
    let mut last = (u32::MAX, [0; 4]);
    for (name, leaf, register, bit) in features::X86 {
        let there = if leaf >= 0x8000_0000 { extended } else { most };
        if leaf > there {
            continue;
        }
        if last.0 != leaf {
            last = (leaf, hardware.cpuid(leaf, 0));
        }
        if last.1[register] >> bit & 1 == 1 {
            names.push(name);
        }
    }
    names
}

/// The registers of each processor's own interrupt controller: the table's word counts before the register's.
fn own_controller(hardware: &mut dyn Hardware, local: Option<(u64, Source)>) -> Option<Window> {
    let own = hardware
        .register(LOCAL_BASE)
        .map(|base| (base & 0x000f_ffff_ffff_f000, Source::Processor));
    let (base, source) = local.or(own)?;
    Some(Window {
        index: 0,
        kind: WindowKind::Memory,
        base,
        size: LOCAL_SIZE,
        source,
    })
}
