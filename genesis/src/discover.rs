//! Step 1: finds out what the machine is, and says how its devices may be probed after that.

use crate::{
    door::{Firmware, Handover},
    hardware, journal, log, memory,
    platform::Wakers,
};
use alloc::{string::ToString, vec::Vec};
use discovery::Journal;
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
        thorough: door.options.iter().any(|o| o == abi::options::THOROUGH),
        #[cfg(feature = "faults")]
        hang: door
            .options
            .iter()
            .filter_map(|word| word.strip_prefix(abi::options::HANG))
            .map(ToString::to_string)
            .collect(),
        rest_tried: false,
        wakers: None,
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

/// The way to devices while rules are matched and drivers proved: see `ground`.
pub struct Probing {
    pub hardware: hardware::Machine,
    pub journal: Journal,
    pub blind: bool,
    /// Devices are tried to their limits, with guards around what they are lent.
    pub thorough: bool,
    /// Paths of devices whose probe is made to hang.
    #[cfg(feature = "faults")]
    pub hang: Vec<alloc::string::String>,
    /// Whether it was tried to let waits be at rest …
    pub rest_tried: bool,
    /// … and what ends them, as long as they are.
    pub wakers: Option<Wakers>,
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
