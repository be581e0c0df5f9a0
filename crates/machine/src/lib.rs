//! The machine model: every fact of one machine, where each came from, and one identity over all of it.
//!
//! Discovery writes it, synthesis reads it, and `machine.json` is the same thing as text. Nothing here
//! knows any device: a device is a bus, a set of facts, windows and interrupt wires.
#![no_std]
extern crate alloc;

mod identity;

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
    /// The physical address space, sorted by base, without overlaps.
    pub memory: Vec<MemoryRange>,
    pub cpus: Vec<Cpu>,
    /// Facts about the machine as a whole (`cpu.vendor`, …).
    pub facts: Vec<Fact>,
    pub devices: Vec<Device>,
    /// What is true of this boot rather than of the machine: the door, its options, bytes of RAM, probes that were skipped. No
    /// part of the identity.
    #[serde(default)]
    pub boot: Vec<Fact>,
    /// What could not be known, in sentences: a mode left it out, or nothing tells it.
    #[serde(default)]
    pub unknown: Vec<String>,
    /// What discovery could not understand, and said instead of failing.
    pub notes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemoryKind {
    Ram,
    /// Memory with contents that stores do not change.
    Rom,
    Mmio,
    /// Something that is not to be touched; nothing says what.
    Reserved,
    /// RAM with the firmware's tables in it, which may be given back.
    AcpiTables,
    /// RAM that the firmware keeps.
    AcpiNvs,
    /// Nothing answers here.
    Void,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryRange {
    /// Physical address, bytes.
    pub base: u64,
    /// Length, bytes.
    pub size: u64,
    pub kind: MemoryKind,
    pub source: Source,
    /// `node` (proximity), what sampling showed, the name that a table gives it.
    #[serde(default)]
    pub facts: Vec<Fact>,
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
    /// Path of the bridge, or of the host bridge, that it is behind.
    #[serde(default)]
    pub parent: Option<String>,
    /// PCI capabilities, in the order of their lists.
    #[serde(default)]
    pub capabilities: Vec<Capability>,
}

/// A PCI capability, standard or extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    pub id: u16,
    /// In the list of PCI Express (from 0x100) rather than PCI's own.
    pub extended: bool,
    /// Offset in configuration space, bytes.
    pub at: u16,
    /// Version of an extended capability.
    pub version: u8,
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

/// A place where a rule says that a device of its kind may be, though no table names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub kind: WindowKind,
    pub base: u64,
    /// Bytes, or ports.
    pub size: u64,
    /// Its further windows: kind, base and size. What tells it from other devices is the first.
    pub more: Vec<(WindowKind, u64, u64)>,
    /// Number of an ISA wire.
    pub line: Option<u32>,
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
    /// PCI: the function's pin, 1 (INTA) to 4. 0 elsewhere.
    #[serde(default)]
    pub pin: u8,
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
    /// Found by a safe probe.
    Probe,
    /// Follows from other facts: what nothing claims is void.
    Inferred,
    /// Measured against a clock.
    Measured,
    /// Told by the operating system that discovery ran under (sysfs, /proc).
    System,
}

impl Device {
    /// A device of which only its place in the tree is known.
    pub fn new(path: String, bus: &str) -> Device {
        Device {
            path,
            bus: String::from(bus),
            facts: Vec::new(),
            windows: Vec::new(),
            config: Vec::new(),
            wires: Vec::new(),
            learned: Vec::new(),
            parent: None,
            capabilities: Vec::new(),
        }
    }
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
    /// A machine of which only the instruction set is known.
    pub fn new(arch: Arch) -> Machine {
        Machine {
            arch,
            memory: Vec::new(),
            cpus: Vec::new(),
            facts: Vec::new(),
            devices: Vec::new(),
            boot: Vec::new(),
            unknown: Vec::new(),
            notes: Vec::new(),
        }
    }
    pub fn fact(&self, name: &str) -> Option<&Value> {
        self.facts.iter().find(|f| f.name == name).map(|f| &f.value)
    }
}
