//! What is kept of genesis: the inventory, the code, the graphs.

use super::{Driver, Output, Stages};
use abi::inventory::{Installed, InstalledWindow, Inventory, Unmatched};
use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use machine::{Arch, Device, Machine, Value};

/// The three modules.
pub struct Record {
    pub inventory: Vec<u8>,
    pub codes: Vec<u8>,
    pub graphs: Vec<u8>,
}

impl Record {
    pub fn new(machine: &Machine, written: &Output, stages: &Stages) -> Record {
        let mut codes = Vec::new();
        let mut graphs = Vec::new();
        let devices = written
            .drivers
            .iter()
            .map(|d| installed(d, machine, &mut codes, &mut graphs))
            .collect();
        let unmatched = written
            .unmatched
            .iter()
            .filter_map(|u| machine.devices.get(u.device).map(|d| (u, d)))
            .map(|(u, d)| Unmatched {
                path: d.path.clone(),
                what: what(d),
                nearest: u.nearest.as_ref().map_or_else(String::new, |(rule, clue)| {
                    format!("nearest {rule}: {clue}")
                }),
            })
            .collect();
        let inventory = Inventory {
            arch: match machine.arch {
                Arch::X86_64 => "x86_64",
                Arch::Aarch64 => "aarch64",
            }
            .to_string(),
            identity: machine.identity(),
            machine: postcard::to_allocvec(machine).unwrap_or_default(),
            devices,
            unmatched,
            stages: stages.list.clone(),
            notes: machine.notes.clone(),
        };
        Record {
            inventory: postcard::to_allocvec(&inventory).unwrap_or_default(),
            codes,
            graphs,
        }
    }
}

fn installed(
    driver: &Driver,
    machine: &Machine,
    codes: &mut Vec<u8>,
    graphs: &mut Vec<u8>,
) -> Installed {
    // Each device's code begins on a page of its own, so that a task can be shown just that.
    codes.resize(codes.len().next_multiple_of(4096), 0);
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
        facts: driver.written.facts.clone(),
    }
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
            (Value::Texts(t), "compatible") => t.first().cloned().unwrap_or_default(),
            _ => continue,
        };
        parts.push(text);
    }
    parts.join(", ")
}
