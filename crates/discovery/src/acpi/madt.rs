//! The table of interrupt controllers and processors (MADT, signature APIC; 5.2.12).

use super::{described::Described, tables::number};
use crate::{processor::Listed, Notes};
use alloc::{format, string::String, vec::Vec};
use machine::{Arch, Cpu, Device, Fact, Source, Value, WindowKind};

const SOURCE: Source = Source::Firmware(*b"APIC");
/// Registers of a PC's controller that wires end at.
const CONTROLLER_SIZE: u64 = 4096;
/// Further processors are left out.
const MOST: usize = 1024;

/// Where an ISA wire really ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Override {
    from: u8,
    line: u32,
    level: bool,
    low: bool,
}

/// How ISA wires differ from what they always were.
#[derive(Clone, Debug, Default)]
pub struct Overrides(Vec<Override>);

impl Overrides {
    /// (line, level, low) of an ISA wire.
    pub fn of(&self, wire: u32) -> (u32, bool, bool) {
        self.find(wire).unwrap_or((wire, false, false))
    }

    /// The same, where a wire is not what it always was.
    pub fn find(&self, wire: u32) -> Option<(u32, bool, bool)> {
        let found = self.0.iter().find(|o| o.from as u32 == wire);
        found.map(|o| (o.line, o.level, o.low))
    }
}

/// What the table says.
#[derive(Default)]
pub struct Interrupts {
    /// Physical address of each processor's own controller (PC).
    pub local: Option<u64>,
    /// The processors that can be used, in order.
    pub processors: Vec<Cpu>,
    /// IDs of those that cannot.
    pub disabled: Vec<u64>,
    pub overrides: Overrides,
    pub devices: Vec<Device>,
    /// Facts about the machine.
    pub facts: Vec<Fact>,
    /// What makes up the generic interrupt controller (arm64).
    pub generic: Generic,
}

/// Arm's interrupt controller, piece by piece (5.2.12.14 to 5.2.12.18).
#[derive(Default)]
pub struct Generic {
    /// Distributor: base and version, 0 where it is not said.
    distributor: Option<(u64, u64)>,
    redistributors: Vec<(u64, u64)>,
    /// Of the processors: interface, hypervisor's control, virtual interface, wire of the last but one, redistributor.
    interfaces: Vec<[u64; 5]>,
    /// The maintenance wire is an edge.
    edge: bool,
}

impl Interrupts {
    pub fn parse(table: &[u8], arch: Arch, notes: &mut Notes) -> Interrupts {
        let mut found = Interrupts::default();
        if arch == Arch::X86_64 {
            found.local = number(table, 36, 4);
            let both = number(table, 40, 4).is_some_and(|flags| flags & 1 == 1);
            found.facts.extend(both.then(|| flag("legacy_pic")));
        }
        let mut rest = table.get(44..).unwrap_or_default();
        while let [kind, size, ..] = *rest {
            let Some(entry) = rest.get(..size as usize).filter(|_| size >= 2) else {
                notes.say(format!(
                    "acpi: APIC entry of type {kind} has the impossible size {size}"
                ));
                break;
            };
            if found.entry(kind, entry).is_none() {
                notes.say(format!("acpi: APIC entry of type {kind} is too short"));
            }
            rest = rest.get(size as usize..).unwrap_or_default();
        }
        let generic = core::mem::take(&mut found.generic);
        // The controller stands first: what follows hangs on it.
        let controller = generic.device();
        found.devices.splice(0..0, controller);
        found
    }

    /// The processors that can be used; they are listed once.
    pub(crate) fn listed(&mut self) -> Listed {
        Listed {
            cpus: core::mem::take(&mut self.processors),
            local: self.local.map(|at| (at, SOURCE)),
        }
    }

    /// The IDs of those that cannot be used, as a fact about the machine.
    pub(crate) fn unusable(&mut self) -> Option<Fact> {
        let disabled = core::mem::take(&mut self.disabled);
        (!disabled.is_empty()).then(|| Fact {
            name: String::from("cpu.disabled"),
            value: Value::Numbers(disabled),
            source: SOURCE,
        })
    }

    fn entry(&mut self, kind: u8, entry: &[u8]) -> Option<()> {
        match kind {
            // 5.2.12.2 and 5.2.12.12: enabled, or able to be.
            0 => self.processor(
                number(entry, 3, 1)?,
                number(entry, 2, 1)?,
                number(entry, 4, 4)? & 3,
            ),
            9 => self.processor(
                number(entry, 4, 4)?,
                number(entry, 12, 4)?,
                number(entry, 8, 4)? & 3,
            ),
            1 => self.devices.push(
                controller("APIC.1", number(entry, 2, 1)?, number(entry, 4, 4)?)
                    .with("first_line", number(entry, 8, 4))
                    .at(WindowKind::Memory, number(entry, 4, 4)?, CONTROLLER_SIZE)
                    .done(),
            ),
            2 => {
                let flags = number(entry, 8, 2)?;
                self.overrides.0.push(Override {
                    from: number(entry, 3, 1)? as u8,
                    line: number(entry, 4, 4)? as u32,
                    level: flags >> 2 & 3 == 3,
                    low: flags & 3 == 3,
                });
            }
            // Lines that are no interrupts to mask: of a controller (3), of a processor's own (4, 10).
            3 => self.number("nmi_line", number(entry, 4, 4)?),
            4 => self.number("nmi_pin", number(entry, 5, 1)?),
            10 => self.number("nmi_pin", number(entry, 8, 1)?),
            5 => self.local = Some(number(entry, 4, 8)?),
            11 => self.arm_processor(entry)?,
            12 => self.generic.distributor = Some((number(entry, 8, 8)?, number(entry, 20, 1)?)),
            13 => {
                let (id, base) = (number(entry, 4, 4)?, number(entry, 8, 8)?);
                let said = number(entry, 16, 4)? & 1 == 1;
                self.devices.push(
                    controller("APIC.13", id, base)
                        .with("spi_count", number(entry, 20, 2).filter(|_| said))
                        .with("spi_base", number(entry, 22, 2).filter(|_| said))
                        .at(WindowKind::Memory, base, 4096)
                        .done(),
                );
            }
            14 => {
                let range = (number(entry, 4, 8)?, number(entry, 12, 4)?);
                self.generic.redistributors.push(range);
            }
            15 => {
                let (id, base) = (number(entry, 4, 4)?, number(entry, 8, 8)?);
                self.devices.push(
                    controller("APIC.15", id, base)
                        .at(WindowKind::Memory, base, 0x20000)
                        .done(),
                );
            }
            _ => {}
        }
        Some(())
    }

    fn number(&mut self, name: &str, value: u64) {
        if !self.facts.iter().any(|f| f.name == name) {
            self.facts.push(fact(name, value));
        }
    }

    fn processor(&mut self, id: u64, uid: u64, usable: u64) {
        if usable == 0 {
            if self.disabled.len() < MOST {
                self.disabled.push(id);
            }
        } else if self.processors.len() < MOST && !self.processors.iter().any(|cpu| cpu.id == id) {
            let facts = Vec::from([fact("uid", uid)]);
            self.processors.push(Cpu { id, facts });
        }
    }

    /// 5.2.12.14
    fn arm_processor(&mut self, entry: &[u8]) -> Option<()> {
        let (uid, flags) = (number(entry, 8, 4)?, number(entry, 12, 4)?);
        let id = number(entry, 68, 8)?;
        // Bit 0 enabled, bit 3 able to be.
        self.processor(id, uid, flags & 9);
        if flags & 9 != 0 {
            if let Some(cpu) = self.processors.iter_mut().find(|cpu| cpu.id == id) {
                let class = number(entry, 76, 1).filter(|class| *class != 0);
                cpu.facts.extend(class.map(|c| fact("efficiency", c)));
                let wire = number(entry, 20, 4).filter(|line| *line != 0);
                cpu.facts.extend(wire.map(|w| fact("counters_line", w)));
            }
            if self.generic.interfaces.len() < MOST {
                self.generic.edge |= flags & 4 != 0;
                self.generic.interfaces.push([
                    number(entry, 32, 8)?,
                    number(entry, 48, 8)?,
                    number(entry, 40, 8)?,
                    number(entry, 56, 4)?,
                    number(entry, 60, 8)?,
                ]);
            }
        }
        Some(())
    }
}

impl Generic {
    /// The controller with its windows in the order in which devicetrees have them: the distributor, then the
    /// redistributors (version 3 and on) or the processor's interfaces (version 2).
    fn device(self) -> Option<Device> {
        let (base, version) = self.distributor?;
        let first = self.interfaces.first().copied().unwrap_or_default();
        let mut ranges = self.redistributors;
        if ranges.is_empty() {
            // Each processor names its own: two frames of 64 KiB.
            let own = self.interfaces.iter().map(|i| i[4]).filter(|at| *at != 0);
            ranges.extend(own.map(|at| (at, 0x20000)));
        }
        let version = match version {
            0 if ranges.is_empty() => 2,
            0 => 3,
            said => said,
        };
        let mut device = Described::new("APIC.12", Some(base)).with("version", Some(version));
        if version >= 3 {
            device = device.at(WindowKind::Memory, base, 0x10000);
            for (at, size) in ranges.into_iter().take(32) {
                device = device.at(WindowKind::Memory, at, size);
            }
        } else {
            device = device.at(WindowKind::Memory, base, 0x1000);
            let [interface, control, guest, ..] = first;
            for (at, size) in [(interface, 0x2000), (control, 0x2000), (guest, 0x2000)] {
                if at == 0 {
                    break;
                }
                device = device.at(WindowKind::Memory, at, size);
            }
        }
        if first[3] != 0 {
            device = device.wire(first[3], !self.edge, false);
        }
        Some(device.done())
    }
}

fn fact(name: &str, value: u64) -> Fact {
    Fact {
        name: String::from(name),
        value: Value::Number(value),
        source: SOURCE,
    }
}

fn flag(name: &str) -> Fact {
    Fact {
        value: Value::Flag(true),
        ..fact(name, 0)
    }
}

fn controller(kind: &str, id: u64, base: u64) -> Described {
    Described::new(kind, Some(base)).with("id", Some(id))
}
