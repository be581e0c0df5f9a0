//! Record: what outlives the generator. The inventory, the code and the graphs.

use crate::{Driver, Output};
use abi::inventory::{Installed, InstalledWindow, Inventory, Proof, Unmatched};
use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use machine::{Arch, Device, Machine, Value};

/// Pages that a task can be shown begin on such boundaries.
const PAGE: usize = 4096;

/// What is kept of the drivers of a machine.
pub struct Record {
    /// The inventory's entries, one a driver, in the order of [`Output::drivers`]. Where the code lies is not known yet.
    pub devices: Vec<Installed>,
    pub unmatched: Vec<Unmatched>,
    /// The code of all, each on pages of its own; [`Installed::code`] says where.
    pub codes: Vec<u8>,
    /// The graphs of all; [`Installed::graph`] says where.
    pub graphs: Vec<u8>,
}

impl Record {
    pub fn of(machine: &Machine, written: &Output) -> Record {
        let (mut codes, mut graphs) = (Vec::new(), Vec::new());
        let mut devices: Vec<Installed> = (written.drivers.iter())
            .map(|d| installed(d, machine, &mut codes, &mut graphs))
            .collect();
        let buses: Vec<String> = (devices.iter())
            .filter(|d| d.class == "bus" && !matches!(d.proof, Proof::Rejected(_)))
            .map(|d| d.path.clone())
            .collect();
        for device in &mut devices {
            device.behind = behind(machine, &device.path, &buses);
        }
        let unmatched = written.unmatched.iter();
        Record {
            devices,
            unmatched: unmatched.filter_map(|u| unmatched_of(u, machine)).collect(),
            codes,
            graphs,
        }
    }

    /// Says where the codes came to lie, and of each driver where a further copy of its code is.
    pub fn placed(&mut self, base: Option<u64>, bound: &[Option<u64>]) {
        let further = bound.iter().copied().chain(core::iter::repeat(None));
        for (device, further) in self.devices.iter_mut().zip(further) {
            if device.code.1 > 0 {
                let kept = base.map(|base| base + u64::from(device.code.0));
                device.code_at = kept.into_iter().chain(further).collect();
            }
        }
    }

    /// The inventory, with how long each stage took.
    pub fn inventory(self, machine: &Machine, stages: Vec<(String, u64)>, unit: &str) -> Inventory {
        Inventory {
            arch: match machine.arch {
                Arch::X86_64 => "x86_64",
                Arch::Aarch64 => "aarch64",
            }
            .to_string(),
            identity: machine.identity(),
            machine: postcard::to_allocvec(machine).unwrap_or_default(),
            devices: self.devices,
            unmatched: self.unmatched,
            stages,
            stages_in: unit.to_string(),
            notes: machine.notes.clone(),
        }
    }
}

fn unmatched_of(found: &synthesis::Unmatched, machine: &Machine) -> Option<Unmatched> {
    let device = machine.devices.get(found.device)?;
    let nearest = found.nearest.as_ref();
    let kind = discovery::kind(device);
    Some(Unmatched {
        path: device.path.clone(),
        kind: kind.name,
        missed: kind.missed,
        what: what(device),
        nearest: nearest.map_or_else(String::new, |(rule, clue)| {
            format!("nearest {rule}: {clue}")
        }),
    })
}

fn installed(
    driver: &Driver,
    machine: &Machine,
    codes: &mut Vec<u8>,
    graphs: &mut Vec<u8>,
) -> Installed {
    // Each device's code begins on a page of its own, so that a task can be shown just that.
    codes.resize(codes.len().next_multiple_of(PAGE), 0);
    let code = (codes.len() as u32, driver.code.bytes.len() as u32);
    codes.extend_from_slice(&driver.code.bytes);
    let residual = &driver.written.residual;
    let bytes = postcard::to_allocvec(residual).unwrap_or_default();
    let graph = (graphs.len() as u32, bytes.len() as u32);
    graphs.extend_from_slice(&bytes);
    let device = machine.devices.get(driver.device);
    Installed {
        name: driver.name.clone(),
        path: device.map_or_else(String::new, |d| d.path.clone()),
        rule: driver.title.clone(),
        class: driver.choice.class.clone(),
        why: driver
            .choice
            .clues
            .iter()
            .filter(|c| c.held)
            .map(|c| format!("{} (score {})", c.text, c.score))
            .collect(),
        proof: driver.proof.clone(),
        direct: driver.choice.direct,
        code,
        code_at: Vec::new(),
        entries: residual
            .entries
            .iter()
            .zip(&driver.code.entries)
            .map(|(e, (at, size))| (e.name.clone(), *at, *size))
            .collect(),
        graph,
        hash: *blake3::hash(&driver.code.bytes).as_bytes(),
        windows: residual.windows.iter().map(window).collect(),
        state_size: residual.state_size,
        arena_size: residual.arena_size,
        arena_align: residual.arena_align,
        upcalls: residual.upcalls.clone(),
        failures: residual.failures.clone(),
        wires: device.map_or_else(Vec::new, |d| {
            d.wires.iter().map(|w| (w.line, w.level, w.low)).collect()
        }),
        messages: driver.messages.clone(),
        withheld: device.map_or_else(Vec::new, |d| withheld(machine, &d.path)),
        behind: String::new(),
        facts: driver.written.facts.clone(),
    }
}

/// The nearest of these buses above a device; empty if there is none.
fn behind(machine: &Machine, path: &str, buses: &[String]) -> String {
    let parent = |path: &str| {
        let device = machine.devices.iter().find(|d| d.path == path);
        device.and_then(|device| device.parent.as_deref())
    };
    // A chain of parents that never ends is no chain: no machine has more devices one above the other than it has.
    let mut above = core::iter::successors(parent(path), |path| parent(path));
    let mut above = above.by_ref().take(machine.devices.len());
    let found = above.find(|path| buses.iter().any(|bus| bus == path));
    found.map_or_else(String::new, String::from)
}

/// Who can write to a device's table of messages can raise any interrupt.
fn withheld(machine: &Machine, path: &str) -> Vec<(u64, u64)> {
    let messages = discovery::Messages::of(machine, path);
    messages.map_or_else(Vec::new, |messages| messages.places.to_vec())
}

fn window(w: &graph::Window) -> InstalledWindow {
    let kind = match w.kind {
        graph::WindowKind::Memory => 0,
        graph::WindowKind::Port => 1,
        graph::WindowKind::System => 2,
        graph::WindowKind::Model => 3,
    };
    InstalledWindow {
        name: w.name.clone(),
        kind,
        base: w.base,
        size: w.size,
    }
}

/// Facts that tell a person what the thing is.
fn what(device: &Device) -> String {
    let mut parts = vec![];
    for fact in &device.facts {
        let text = match (&fact.value, fact.name.as_str()) {
            (Value::Number(n), "vendor" | "device" | "class") => format!("{} {n:#06x}", fact.name),
            (Value::Text(t), "acpi") => format!("ACPI {t}"),
            (Value::Text(t), "hid") => t.clone(),
            (Value::Texts(t), "compatible") => t.first().cloned().unwrap_or_default(),
            _ => continue,
        };
        parts.push(text);
    }
    parts.extend(device.windows.iter().map(place));
    if !device.capabilities.is_empty() {
        let ids: Vec<String> = (device.capabilities.iter())
            .map(|c| match c.extended {
                true => format!("e{:x}", c.id),
                false => format!("{:x}", c.id),
            })
            .collect();
        parts.push(format!("capabilities {}", ids.join(" ")));
    }
    parts.join(", ")
}

/// A window, for a person: `BAR 0 at 0xfe000000 (0x1000)`.
fn place(window: &machine::Window) -> String {
    let what = match (&window.source, window.kind) {
        (machine::Source::Configuration | machine::Source::Assigned, _) => "BAR",
        (_, machine::WindowKind::Port) => "ports",
        (_, machine::WindowKind::Memory) => "registers",
    };
    let (index, base, size) = (window.index, window.base, window.size);
    format!("{what} {index} at {base:#x} ({size:#x})")
}
