//! What the emulator says about its processors, in the processor's own terms: CPUID leaves, ID registers.

use anyhow::Result;
use serde_json::{json, Value};
use std::collections::BTreeMap;

/// The boot processor, as far as the emulator tells.
#[derive(Default)]
pub struct Processor {
    leaves: BTreeMap<(u32, u32), [u32; 4]>,
    registers: BTreeMap<u32, u64>,
}

/// Registers of the ARM architecture (ARM DDI 0487, D17.2): the numbers that discovery uses.
const MIDR_EL1: u32 = 0b11 << 14;
const MPIDR_EL1: u32 = MIDR_EL1 | 5;
/// Of its own affinity register the emulator keeps the affinity; bit 31 is always set.
const MPIDR_RES1: u64 = 1 << 31;

/// What only software on the processor can find out.
pub fn not_known(arch: qtest::Arch) -> Vec<String> {
    let what: &[&str] = match arch {
        qtest::Arch::X86_64 => &[
            "CPUID beyond identification, model name and feature bits",
            "model-specific registers",
        ],
        qtest::Arch::Aarch64 => &["ID registers beyond MIDR_EL1 and MPIDR_EL1"],
    };
    what.iter()
        .map(|what| format!("processor: {what}: nothing of ours runs on it"))
        .collect()
}

impl Processor {
    pub fn asked(emulator: &qtest::Machine) -> Result<Processor> {
        let all = emulator.ask("query-cpus-fast", json!({}))?;
        let path = all[0]["qom-path"].as_str().unwrap_or_default().to_owned();
        let property = |name: &str| -> Option<Value> {
            let arguments = json!({ "path": path, "property": name });
            emulator.ask("qom-get", arguments).ok()
        };
        let number = |name: &str| property(name).and_then(|value| value.as_u64());
        let mut processor = Processor::default();
        match emulator.arch() {
            qtest::Arch::Aarch64 => {
                processor
                    .registers
                    .extend(number("midr").map(|value| (MIDR_EL1, value)));
                let own = number("mp-affinity").map(|value| (MPIDR_EL1, value | MPIDR_RES1));
                processor.registers.extend(own);
            }
            qtest::Arch::X86_64 => {
                processor.identification(&property, &number);
                processor.topology(&all, number("apic-id").unwrap_or(0) as u32);
            }
        }
        Ok(processor)
    }

    /// CPUID (Intel SDM volume 2A; AMD APM volume 3, appendix E).
    fn identification(
        &mut self,
        property: &dyn Fn(&str) -> Option<Value>,
        number: &dyn Fn(&str) -> Option<u64>,
    ) {
        let low = |name: &str| number(name).unwrap_or(0) as u32;
        let text = |name: &str| -> Vec<u8> {
            let value = property(name);
            let text = value.as_ref().and_then(Value::as_str).unwrap_or_default();
            text.as_bytes().to_vec()
        };
        let vendor = words(&text("vendor"), 3);
        self.leaves
            .insert((0, 0), [low("level"), vendor[0], vendor[2], vendor[1]]);
        self.leaves.insert(
            (0x8000_0000, 0),
            [low("xlevel"), vendor[0], vendor[2], vendor[1]],
        );
        let (family, model, stepping) = (low("family"), low("model"), low("stepping"));
        let signature = family.min(15) << 8
            | family.saturating_sub(15) << 20
            | (model & 15) << 4
            | model >> 4 << 16
            | stepping;
        let first = self.leaves.entry((1, 0)).or_default();
        first[0] = signature;
        first[1] = low("apic-id") << 24;
        let name = words(&text("model-id"), 12);
        for (leaf, four) in (0x8000_0002..).zip(name.chunks_exact(4)) {
            self.leaves
                .insert((leaf, 0), [four[0], four[1], four[2], four[3]]);
        }
        // Linear addresses have 48 bits, or 57 where LA57 is offered (leaf 7, ECX bit 16): nothing else is built.
        let wide = property("la57").and_then(|value| value.as_bool());
        let linear = if wide == Some(true) { 57 } else { 48 };
        self.leaves.entry((0x8000_0008, 0)).or_default()[0] = linear << 8 | low("phys-bits");
        let features = property("feature-words").unwrap_or_default();
        for word in features.as_array().into_iter().flatten() {
            let leaf = word["cpuid-input-eax"].as_u64().unwrap_or(0) as u32;
            let sub = word["cpuid-input-ecx"].as_u64().unwrap_or(0) as u32;
            let name = word["cpuid-register"].as_str().unwrap_or_default();
            let register = ["EAX", "EBX", "ECX", "EDX"].iter().position(|r| *r == name);
            if let Some(register) = register {
                let bits = word["features"].as_u64().unwrap_or(0) as u32;
                self.leaves.entry((leaf, sub)).or_default()[register] |= bits;
            }
        }
    }

    /// Threads and cores of a package, as leaves 1, 11 and 0x80000008 tell them, from where the emulator put its processors.
    fn topology(&mut self, all: &Value, own: u32) {
        let most = |name: &str| {
            let cpus = all.as_array().into_iter().flatten();
            let ids = cpus.filter_map(|cpu| cpu["props"][name].as_u64());
            ids.max().map_or(1, |last| last as u32 + 1)
        };
        let (threads, cores) = (most("thread-id"), most("core-id"));
        let together = threads * cores;
        let bits = |count: u32| count.next_power_of_two().ilog2();
        let thread = bits(threads);
        let package = thread + bits(cores);
        self.leaves.insert((11, 0), [thread, threads, 1 << 8, own]);
        self.leaves
            .insert((11, 1), [package, together, 2 << 8 | 1, own]);
        self.leaves.insert((11, 2), [0, 0, 2, own]);
        if together > 1 {
            let first = self.leaves.entry((1, 0)).or_default();
            first[1] |= together << 16;
            first[3] |= 1 << 28;
            self.leaves.entry((0x8000_0001, 0)).or_default()[2] |= 1 << 1;
            let sizes = self.leaves.entry((0x8000_0008, 0)).or_default();
            sizes[2] |= bits(together) << 12 | (together - 1);
        }
    }

    pub fn cpuid(&self, leaf: u32, sub: u32) -> [u32; 4] {
        self.leaves.get(&(leaf, sub)).copied().unwrap_or_default()
    }

    pub fn register(&self, number: u32) -> Option<u64> {
        self.registers.get(&number).copied()
    }
}

/// A text as `count` little-endian words, filled up with zeros.
fn words(text: &[u8], count: usize) -> Vec<u32> {
    let mut bytes = text.to_vec();
    bytes.resize(4 * count, 0);
    let words = bytes.chunks_exact(4);
    words
        .map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]))
        .collect()
}
