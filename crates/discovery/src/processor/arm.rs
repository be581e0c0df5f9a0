//! What an arm64 processor says of itself: its identification registers (Arm ARM, DDI 0487, D19.2).

use super::{caches, fact, features, number};
use crate::hardware::Hardware;
use alloc::{string::String, vec::Vec};
use machine::{Cpu, Device, Fact, Machine, Source, Value, Wire};

/// The register that says which processor this is, and its affinity bits.
const OWN: u32 = 0xc005;
const AFFINITY: u64 = 0xff_00ff_ffff;
/// Cache levels; rate of the counter.
const LEVELS: u32 = 0xc801;
const RATE: u32 = 0xdf00;

/// The processor that runs: its affinity, and facts about it.
pub(crate) fn own(hardware: &mut dyn Hardware) -> (u64, Vec<Fact>) {
    let own = hardware.register(OWN).unwrap_or(0);
    let mut facts = Vec::from([fact("boot", Value::Flag(true))]);
    let mut registers: Vec<(&str, u64)> = Vec::new();
    for (name, register) in features::REGISTERS {
        if let Some(value) = hardware.register(register) {
            facts.push(number(name, value));
            registers.push((name, value));
        }
    }
    let of = |name: &str| registers.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
    let there = |(_, register, bit, least): &&(&str, &str, u32, u64)| {
        of(register).is_some_and(|value| {
            let field = value >> bit & 15;
            field >= *least && (*least != 0 || field != 15)
        })
    };
    let names = features::ARM
        .iter()
        .filter(there)
        .map(|(name, ..)| String::from(*name));
    facts.push(fact("features", Value::Texts(names.collect())));
    // Lines of the smallest caches: words as powers of two.
    if let Some(ctr) = of("ctr") {
        facts.push(number("instruction_line", 4 << (ctr & 15)));
        facts.push(number("data_line", 4 << (ctr >> 16 & 15)));
    }
    let wide = of("mmfr2").is_some_and(|value| value >> 20 & 15 != 0);
    if let Some(levels) = hardware.register(LEVELS) {
        facts.extend(caches::arm(hardware, levels, wide));
    }
    (own & AFFINITY, facts)
}

/// What holds for the machine: maker, model, width of addresses, rate of the counter.
fn whole(hardware: &mut dyn Hardware, own: &[Fact]) -> Vec<Fact> {
    let of = |name: &str| {
        own.iter()
            .find(|f| f.name == name)
            .and_then(|f| match f.value {
                Value::Number(n) => Some(n),
                _ => None,
            })
    };
    let mut facts = Vec::new();
    if let Some(midr) = of("midr") {
        let maker = features::MAKERS
            .iter()
            .find(|(code, _)| *code == midr >> 24 & 0xff);
        facts.extend(maker.map(|(_, name)| fact("cpu.vendor", Value::Text(String::from(*name)))));
        facts.push(number("cpu.part", midr >> 4 & 0xfff));
        facts.push(number("cpu.model", midr));
    }
    if let Some(mmfr0) = of("mmfr0") {
        let bits = [32, 36, 40, 42, 44, 48, 52];
        let bits = bits
            .get((mmfr0 & 15) as usize)
            .map(|b| number("cpu.physical_bits", *b));
        facts.extend(bits);
    }
    let rate = hardware.register(RATE).map(|rate| rate & 0xffff_ffff);
    facts.extend(
        rate.filter(|hz| *hz != 0)
            .map(|hz| number("cpu.counter_hz", hz)),
    );
    facts
}

/// Gives the processor that runs its facts; it is added where no table named it.
pub fn discover(hardware: &mut dyn Hardware, machine: &mut Machine) {
    let (id, facts) = own(hardware);
    machine.facts.extend(whole(hardware, &facts));
    if machine.cpus.is_empty() {
        machine.cpus.push(Cpu {
            id,
            facts: Vec::new(),
        });
    }
    if let Some(cpu) = machine.cpus.iter_mut().find(|cpu| cpu.id == id) {
        cpu.facts.extend(facts);
    }
}

/// Wires of the timers that belong to the architecture, in a devicetree's order (secure, physical, virtual, hypervisor), as
/// Arm's Base System Architecture (DEN0094, B_PPI_00) wants them.
const TIMERS: [u32; 4] = [29, 30, 27, 26];

/// The timer that every such processor has, for who knows no table that names it.
pub fn own_timer() -> Device {
    let mut device = Device::new(String::from("cpu/timer"), "platform");
    device.facts.push(fact("architected", Value::Flag(true)));
    device.wires = (TIMERS.into_iter())
        .map(|line| Wire {
            line,
            level: true,
            low: false,
            source: Source::Inferred,
            pin: 0,
        })
        .collect();
    device
}
