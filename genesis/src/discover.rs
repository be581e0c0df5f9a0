//! Step 1: finds out what the machine is, and says how its devices may be probed after that.

use crate::{
    door::{Firmware, Handover},
    hardware, journal, log, memory,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use discovery::{
    policy::{self, Answer, Place, Probe},
    Journal,
};
use machine::{Arch, Candidate, Fact, Machine, MemoryKind, Source, Value};

#[cfg(target_arch = "aarch64")]
const ARCH: Arch = Arch::Aarch64;
#[cfg(target_arch = "x86_64")]
const ARCH: Arch = Arch::X86_64;

/// Discovers the machine; `candidates` are the places that the rulebook names.
pub fn machine(door: &Handover, candidates: &[Candidate]) -> (Machine, Probing) {
    let options = discovery::Options::parse(&door.options.join(" "));
    // What firmware says of memory does not count in blind mode.
    let map = if options.blind { &[] } else { &door.map[..] };
    let mut probing = Probing {
        hardware: hardware::Machine::new(map),
        journal: journal::open(),
        blind: options.blind,
        hang: options.hang.clone(),
    };
    let firmware = match door.firmware {
        Firmware::None | Firmware::Acpi { rsdp: 0 } => discovery::Firmware::None,
        Firmware::Acpi { rsdp } => discovery::Firmware::Acpi(rsdp),
        Firmware::Devicetree { at, size } => {
            // SAFETY: the door checked the blob's header there and reserved it; nothing writes to it.
            discovery::Firmware::Devicetree(unsafe {
                core::slice::from_raw_parts(at as *const u8, size as usize)
            })
        }
    };
    let request = discovery::Request {
        firmware,
        memory: door.map.clone(),
        candidates,
        options,
        in_use: memory::in_use(),
        boot: of_this_boot(door),
        journal: Some(&mut probing.journal),
        ..discovery::Request::new(ARCH)
    };
    let machine = discovery::discover(&mut probing.hardware, request);
    if probing.blind {
        let ram = machine.memory.iter();
        let ram = ram.filter(|r| r.kind == MemoryKind::Ram);
        memory::found(ram.map(|r| (r.base, r.size)));
    }
    (machine, probing)
}

fn of_this_boot(door: &Handover) -> Vec<Fact> {
    let fact = |name: &str, value| Fact {
        name: name.to_string(),
        value,
        source: Source::System,
    };
    let firmware = match door.firmware {
        Firmware::None => "none",
        Firmware::Acpi { .. } => "ACPI",
        Firmware::Devicetree { .. } => "devicetree",
    };
    let mut facts = door.boot.clone();
    facts.extend([
        fact("tables", Value::Text(firmware.to_string())),
        fact("options", Value::Texts(door.options.clone())),
    ]);
    facts
}

/// The way to devices while rules are matched and drivers proved.
pub struct Probing {
    hardware: hardware::Machine,
    journal: Journal,
    pub blind: bool,
    hang: Vec<String>,
}

impl Probing {
    /// Does what could hang the machine, with the device's path in the journal meanwhile; `None` if that hung an earlier
    /// boot.
    pub fn guarded<R>(&mut self, path: &str, probe: impl FnOnce() -> R) -> Option<R> {
        if !self.journal.begin(path) {
            return None;
        }
        if self.hang.iter().any(|hang| hang == path) {
            log!("{path}: made to hang, as the command line asks");
            loop {
                core::hint::spin_loop();
            }
        }
        let result = probe();
        self.journal.end();
        Some(result)
    }

    /// Lets a device read and write memory of its own accord, or takes that from it again.
    pub fn bus_master(&mut self, machine: &Machine, path: &str, on: bool) {
        discovery::bus_master(&mut self.hardware, machine, path, on);
    }

    /// Works on a device's table of messages, which is in its registers; `None` if that hung an earlier boot, or the policy
    /// does not allow it.
    pub fn messages(
        &mut self,
        path: &str,
        work: impl FnOnce(&mut dyn discovery::Hardware),
    ) -> Option<()> {
        let allowed = policy::allowed(Probe::Reset, Place::Chosen, self.blind);
        if allowed == Answer::No || !self.journal.begin(path) {
            return None;
        }
        work(&mut self.hardware);
        self.journal.end();
        Some(())
    }
}

/// Puts what went wrong while a device was asked into the model.
pub fn faults(machine: &mut Machine, path: &str, errors: &[String]) {
    let Some(device) = machine.devices.iter_mut().find(|d| d.path == path) else {
        return;
    };
    for error in errors {
        let told = Value::Text(error.clone());
        if device.learned.iter().any(|f| f.value == told) {
            continue;
        }
        machine.notes.push(format!("{path}: {error}"));
        device.learned.push(Fact {
            name: "fault".to_string(),
            value: told,
            source: Source::Probe,
        });
    }
}

/// What was odd about the machine, and what nothing could tell.
pub fn say_notes(machine: &Machine) {
    for note in &machine.notes {
        log!("  note: {note}");
    }
    for unknown in &machine.unknown {
        log!("  not known: {unknown}");
    }
}
