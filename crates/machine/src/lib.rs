//! The machine model: every fact of one machine, where each came from, and one identity over all of it.
//!
//! Discovery writes it, synthesis reads it, and `machine.json` is the same thing as text. Nothing here
//! knows any device: a device is a bus, a set of facts, windows and interrupt wires.
#![no_std]
extern crate alloc;

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// The instruction set the machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arch {
    X86_64,
    Aarch64,
}

/// One machine, as discovery found it. The order of `devices` is the order of discovery and is stable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub arch: Arch,
    /// Physical memory, sorted by base, without overlaps.
    pub memory: Vec<MemoryRange>,
    pub cpus: Vec<Cpu>,
    /// Facts about the machine as a whole (`cpu.vendor`, …).
    pub facts: Vec<Fact>,
    pub devices: Vec<Device>,
    /// What discovery could not understand, and said instead of failing.
    pub notes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemoryKind {
    Ram,
    Reserved,
    AcpiTables,
    AcpiNvs,
    Mmio,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryRange {
    /// Physical address, bytes.
    pub base: u64,
    /// Length, bytes.
    pub size: u64,
    pub kind: MemoryKind,
    pub source: Source,
}

/// One processor: `id` is what interrupts are sent to (APIC ID, or MPIDR affinity).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cpu {
    pub id: u64,
    pub facts: Vec<Fact>,
}

/// A thing on a bus. `facts` hold everything a rule may `match` on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// Unique and stable: `pci/00:03.0`, `acpi/APIC.1@fec00000`, `dt/intc@8000000`, `isa/100`, `cpu/0`.
    pub path: String,
    /// The bus a rule must name after `on`: `pci`, `platform` or `cpu`.
    pub bus: String,
    pub facts: Vec<Fact>,
    /// PCI: BARs by index. Platform: regions in the order the firmware names them.
    pub windows: Vec<Window>,
    /// PCI configuration space as read once (256 bytes, or empty). Capabilities are parsed from it.
    pub config: Vec<u8>,
    /// Interrupt wires to the machine's interrupt controller.
    pub wires: Vec<Wire>,
    /// Facts that the rule's `learn` found on this device, filled in after the first run of its `init`.
    pub learned: Vec<Fact>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WindowKind {
    Memory,
    Port,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// BAR number, or position among the firmware's regions.
    pub index: u8,
    pub kind: WindowKind,
    /// Physical address or first port.
    pub base: u64,
    /// Bytes, or ports.
    pub size: u64,
    pub source: Source,
}

/// One interrupt wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wire {
    /// Global system interrupt on x86; interrupt ID on arm64 (shared ones from 32, private ones from 16).
    pub line: u32,
    /// Level triggered (else edge).
    pub level: bool,
    /// Active low (else high).
    pub low: bool,
    pub source: Source,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    pub name: String,
    pub value: Value,
    pub source: Source,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    Number(u64),
    Flag(bool),
    Text(String),
    Bytes(Vec<u8>),
    /// A list of texts, as `compatible` in a devicetree.
    Texts(Vec<String>),
    Numbers(Vec<u64>),
}

/// How a fact is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A table or blob of the firmware: its signature, for example `*b"APIC"`, `*b"e820"`, `*b"dtb "`.
    Firmware([u8; 4]),
    /// Read from PCI configuration space.
    Configuration,
    /// Assigned by discovery, where firmware left nothing.
    Assigned,
    /// Read from the processor (CPUID, ID registers).
    Processor,
    /// A legacy candidate of the rulebook.
    Candidate,
    /// Learned on the device by a rule's `learn`.
    Learned,
}

impl Device {
    /// The value of the fact `name`, learned ones included.
    pub fn fact(&self, name: &str) -> Option<&Value> {
        self.facts
            .iter()
            .chain(&self.learned)
            .find(|f| f.name == name)
            .map(|f| &f.value)
    }
    pub fn window(&self, index: u8) -> Option<&Window> {
        self.windows.iter().find(|w| w.index == index)
    }
}

impl Machine {
    pub fn fact(&self, name: &str) -> Option<&Value> {
        self.facts.iter().find(|f| f.name == name).map(|f| &f.value)
    }
    /// The identity of the machine: BLAKE3 over architecture, CPUs and devices as discovery found them, leaving out the
    /// memory map, notes and what rules learned later.
    pub fn identity(&self) -> [u8; 32] {
        let mut shape = self.clone();
        shape.memory.clear();
        shape.notes.clear();
        for device in &mut shape.devices {
            device.learned.clear();
        }
        *blake3::hash(&postcard::to_allocvec(&shape).unwrap_or_default()).as_bytes()
    }
}
