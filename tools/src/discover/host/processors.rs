//! The processors: what they say to any program, and what `/proc/cpuinfo` and sysfs say of them.

use super::{fact, number, Linux};
use machine::{Arch, Cpu, Machine, Value};
use std::collections::BTreeMap;

/// Registers of the ARM architecture (ARM DDI 0487, D17.2), numbered as discovery does.
const MIDR_EL1: u32 = 0b11 << 14;

pub struct Processor {
    arch: Arch,
    /// Interrupt IDs of the processors that the system uses, the first one first.
    ids: Vec<u64>,
    registers: BTreeMap<u32, u64>,
}

impl Processor {
    pub fn read(linux: &mut Linux, arch: Arch) -> Processor {
        let text = linux.text("proc/cpuinfo", "processors").unwrap_or_default();
        let ids = text.lines().filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == "apicid").then(|| value.trim().parse().ok())?
        });
        let midr = "sys/devices/system/cpu/cpu0/regs/identification/midr_el1";
        let midr = linux.text(midr, "processors");
        let midr = midr.as_deref().and_then(number);
        Processor {
            arch,
            ids: ids.collect(),
            registers: midr.map(|value| (MIDR_EL1, value)).into_iter().collect(),
        }
    }

    /// CPUID, which any program may ask, as the first processor would answer it.
    pub fn cpuid(&self, leaf: u32, sub: u32) -> [u32; 4] {
        let mut answer = ask(leaf, sub);
        // This program may run on any of them; where the answer says on which, it is made the first one's.
        let first = self.ids.first().copied().unwrap_or(0) as u32;
        match leaf {
            1 => answer[1] = answer[1] & 0x00ff_ffff | first << 24,
            0x0b | 0x1f => answer[3] = first,
            0x8000_001e => answer[0] = first,
            _ => {}
        }
        answer
    }

    pub fn register(&self, number: u32) -> Option<u64> {
        self.registers.get(&number).copied()
    }

    /// Adds processors that no table named.
    pub fn complete(&self, model: &mut Machine) {
        for id in &self.ids {
            if !model.cpus.iter().any(|cpu| cpu.id == *id) {
                model.cpus.push(Cpu {
                    id: *id,
                    facts: vec![fact("id", Value::Number(*id))],
                });
            }
        }
        if self.arch == Arch::X86_64 {
            model
                .unknown
                .push("processor: model-specific registers: no program may read them".into());
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn ask(leaf: u32, sub: u32) -> [u32; 4] {
    let answer = std::arch::x86_64::__cpuid_count(leaf, sub);
    [answer.eax, answer.ebx, answer.ecx, answer.edx]
}

#[cfg(not(target_arch = "x86_64"))]
fn ask(_leaf: u32, _sub: u32) -> [u32; 4] {
    [0; 4]
}
