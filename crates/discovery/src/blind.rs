//! Blind mode: no table of the firmware is read and no memory map believed. What is left is what hardware says of itself:
//! the processor, PCI through its ports, places that rules name, and RAM that shows itself by holding what is stored.

use crate::{candidates, hardware::Hardware, memory, pci, policy::Place, processor, Finder};
use alloc::{boxed::Box, format, string::String, vec::Vec};
use machine::{Arch, MemoryKind, MemoryRange, Source, WindowKind};

const ADDRESS_PORT: u16 = 0xcf8;
const FOUR_GIB: u64 = 1 << 32;
/// Firmware's own data and the windows of old video cards are in the first MiB of a PC: it is not searched.
const FIRST: u64 = 1 << 20;
/// RAM is searched in steps of this size, and where it ends in smaller ones.
const STEP: u64 = 16 << 20;
const FINE: u64 = 1 << 20;
/// So much is searched for each entry in the journal.
const CHUNK: u64 = 256 << 20;
const PATTERN: u64 = 0x3c6d_1e95_a7f0_482b;

impl Finder<'_, '_> {
    pub(crate) fn blind(&mut self) {
        self.gate.about = String::from("blind");
        processor::discover(self.gate, self.machine, Default::default());
        let hosts = match self.machine.arch {
            Arch::X86_64 => self.hosts_by_ports(),
            Arch::Aarch64 => {
                self.machine.devices.push(processor::own_timer());
                Vec::new()
            }
        };
        self.buses(&hosts, &Default::default());
        candidates::add(
            self.machine,
            self.candidates,
            &Default::default(),
            self.gate.hung(),
            self.options,
        );
        self.gate.about = String::from("memory");
        let bits = memory::width(self.gate, self.machine.arch);
        self.search(u64::MAX >> (64 - bits));
        self.confess(!hosts.is_empty());
        memory::tile(self.machine, &hosts, bits, self.notes);
        memory::sample(self.gate, &mut self.machine.memory, self.in_use, self.notes);
    }

    /// PCI through its two ports, if they are there: bus 0, and each further bus that no bridge leads to.
    fn hosts_by_ports<'a>(&mut self) -> Vec<pci::Host<'a>> {
        // PCI Local Bus 3.0, 3.2.2.3.2: the address register keeps its enable bit, which nothing else would.
        self.gate.port_write(ADDRESS_PORT, 32, 1 << 31);
        if self.gate.port_read(ADDRESS_PORT, 32) != 1 << 31 {
            return Vec::new();
        }
        let config = pci::Config::Ports;
        let mut hosts = Vec::new();
        let mut behind = [false; 256];
        for bus in 0..=255u8 {
            if behind[bus as usize] || !pci::any_on(self.gate, &config, bus) {
                continue;
            }
            for number in pci::led_to(self.gate, &config, bus) {
                behind[number as usize] = true;
            }
            hosts.push(pci::Host {
                path: format!("ports/bus {bus:02x}"),
                source: Source::Probe,
                segment: 0,
                config,
                first_bus: bus,
                last_bus: 255,
                apertures: Vec::new(),
                routings: Box::new(|_, _, _| None),
            });
        }
        // Each ends where the next begins.
        for n in 1..hosts.len() {
            hosts[n - 1].last_bus = hosts[n].first_bus - 1;
        }
        hosts
    }

    /// Looks for RAM upward from what is stood on, below 4 GiB, and then above. What is in use is RAM: it works.
    fn search(&mut self, limit: u64) {
        let lowest = self
            .in_use
            .iter()
            .map(|(base, _)| *base)
            .filter(|b| *b >= FIRST)
            .min();
        let from = lowest.unwrap_or(FIRST) / FINE * FINE;
        let from = match self.machine.arch {
            Arch::X86_64 => FIRST,
            Arch::Aarch64 => from,
        };
        let mut starts = Vec::from([from]);
        if from < FOUR_GIB && self.machine.arch == Arch::X86_64 {
            starts.push(FOUR_GIB);
        }
        for start in starts {
            let end = match start < FOUR_GIB && self.machine.arch == Arch::X86_64 {
                true => FOUR_GIB,
                false => limit.saturating_add(1),
            };
            let size = self.extent(start, end) - start;
            if size > 0 {
                self.gate.know(start, size, Place::Ram);
                self.machine.memory.push(MemoryRange {
                    base: start,
                    size,
                    kind: MemoryKind::Ram,
                    source: Source::Probe,
                    facts: Vec::new(),
                });
            }
        }
        // They are known again, as what they are: later knowledge counts more.
        for (base, size) in self.in_use {
            self.gate.know(*base, *size, Place::InUse);
        }
        if self.machine.arch == Arch::X86_64 {
            self.machine.memory.push(MemoryRange {
                base: 0,
                size: FIRST,
                kind: MemoryKind::Reserved,
                source: Source::Inferred,
                facts: Vec::new(),
            });
        }
    }

    /// Where the RAM ends that begins at `start`.
    fn extent(&mut self, start: u64, end: u64) -> u64 {
        let mut at = start;
        while at < end {
            let name = format!("memory/{at:x}");
            if !self.gate.journal().begin(&name) {
                self.notes.say(format!(
                    "{name}: looking for RAM here hung the machine; the search ends before it"
                ));
                return at;
            }
            let last = at.saturating_add(CHUNK).min(end);
            let mut step = STEP;
            while at < last {
                // The whole step is RAM if its end is.
                let to = at.saturating_add(step).min(last);
                if self.is_ram(to - FINE) && self.is_ram(at) {
                    at = to;
                } else if step > FINE {
                    step = FINE;
                } else {
                    self.gate.journal().end();
                    return at;
                }
            }
            self.gate.journal().end();
        }
        at
    }

    /// Whether a place holds what is stored. Nothing is stored where a device is, or where reads are not stable or all
    /// ones; what was there is put back.
    fn is_ram(&mut self, at: u64) -> bool {
        let touches = |base: u64, size: u64| at < base.saturating_add(size) && base < at + FINE;
        if (self.in_use.iter())
            .any(|(base, size)| *base <= at && at + 8 <= base.saturating_add(*size))
        {
            return true;
        }
        // Where a rule only says that a device may be, there may be RAM just as well.
        let mut windows = (self.machine.devices.iter())
            .flat_map(|d| &d.windows)
            .filter(|w| w.kind == WindowKind::Memory && w.source != Source::Candidate);
        if windows.any(|w| touches(w.base, w.size)) {
            return false;
        }
        let Some(old) = self.gate.ram_read(at, 64) else {
            return false;
        };
        let stable = (0..2).all(|_| self.gate.ram_read(at, 64) == Some(old));
        if !stable || old == u64::MAX {
            return false;
        }
        let mut holds = true;
        for pattern in [PATTERN, !PATTERN] {
            holds &=
                self.gate.ram_write(at, 64, pattern) && self.gate.ram_read(at, 64) == Some(pattern);
        }
        self.gate.ram_write(at, 64, old);
        holds
    }

    /// What nothing could tell.
    fn confess(&mut self, pci: bool) {
        let unknown = &mut self.machine.unknown;
        unknown.push("how many processors there are: only the one that runs is known".into());
        unknown.push("what of RAM the firmware still uses, or keeps its tables in".into());
        unknown.push(
            "devices that only a table would name, where no rule names a place for them".into(),
        );
        unknown.push("how the machine is switched off and reset".into());
        match (self.machine.arch, pci) {
            (Arch::X86_64, true) => {
                unknown.push(
                    "where the interrupt wires of PCI functions end: their drivers poll".into(),
                );
                unknown.push(
                    "PCI segments other than the first, and the configuration space beyond 256 bytes of a function"
                        .into(),
                );
                unknown.push("what the first MiB of memory holds: it was not searched".into());
                unknown
                    .push("which addresses PCI's host bridges pass on: nothing is assigned".into());
            }
            (Arch::X86_64, false) => {
                unknown.push("whether there is PCI: nothing answers at its ports".into());
            }
            (Arch::Aarch64, _) => {
                unknown.push("where PCI's configuration space is, so whether there is PCI".into());
            }
        }
    }
}
