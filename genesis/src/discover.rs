//! Step 1: what is this machine?

use crate::{
    door::{Firmware, Handover},
    hardware, log,
};
use discovery::Candidate;
use machine::{Arch, Machine};

#[cfg(target_arch = "aarch64")]
const ARCH: Arch = Arch::Aarch64;
#[cfg(target_arch = "x86_64")]
const ARCH: Arch = Arch::X86_64;

/// Discovers the machine; `candidates` are the places that the rulebook names.
pub fn machine(door: &Handover, candidates: &[Candidate]) -> Machine {
    let mut hardware = hardware::Machine::new(&door.map);
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
        options: discovery::Options::parse(&door.options.join(" ")),
        ..discovery::Request::new(ARCH)
    };
    discovery::discover(&mut hardware, request)
}

/// What was odd about the machine.
pub fn say_notes(machine: &Machine) {
    for note in &machine.notes {
        log!("  note: {note}");
    }
}
