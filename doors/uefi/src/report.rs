//! The report for a person without a serial line: on the firmware's console, and as two files beside the door.
//!
//! `machine.json` is the machine model, as the prompt's `machine` prints it; `report.json` says which rule would serve each
//! device. Both are of the machine as firmware runs it: nothing was written to it, so devices that must be asked by
//! registers are not recognised yet, and addresses that firmware did not assign are missing.

use crate::hardware::Lent;
use crate::tables::Found;
use crate::{files, map, processor};
use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use discovery::devicetree::LARGEST;
use discovery::{Firmware, Request};
use machine::{Fact, Machine, MemoryKind, MemoryRange, Source, Value};
use rulebook::tree::Book;
use serde::Serialize;
use synthesis::Plan;
use uefi::boot::{self, MemoryType};
use uefi::mem::memory_map::MemoryMap;
use uefi::{println, system};

const SOURCE: Source = Source::Firmware(*b"uefi");

/// What stands in `report.json`.
#[derive(Serialize)]
struct Report {
    metaos: &'static str,
    /// Who made the firmware, and its revision.
    firmware: String,
    /// The command line.
    options: String,
    /// Hexadecimal digits of the machine's identity.
    identity: String,
    arch: machine::Arch,
    processors: usize,
    ram_bytes: u64,
    devices: Vec<Row>,
    /// Everyday classes that no device serves, as far as this can be known without asking devices.
    missing: Vec<&'static str>,
    unknown: Vec<String>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Row {
    path: String,
    bus: String,
    what: String,
    /// Rule and class of each driver that would be written.
    drivers: Vec<(String, String)>,
    /// The rule that came nearest, and the clue that failed.
    nearest: Option<(String, String)>,
}

/// Finds out, says, and writes. Nothing that goes wrong here keeps genesis from starting.
pub fn report(found: &Found, line: &str, rulebook: &[u8]) {
    println!("MetaOS looks at this machine, and changes nothing.");
    let Ok(book) = rulebook::unpack(rulebook) else {
        println!("the rulebook in this file is missing or damaged: no report");
        return;
    };
    let mut model = discover(found, &book);
    let plan = synthesis::plan(&book, &mut model, |subject| {
        synthesis::match_device(subject, None)
    });
    let report = told(&book, &model, &plan, line);
    for row in &report.devices {
        println!("{}", shown(row));
    }
    println!(
        "{} processors, {} MiB of RAM, {} devices; {} have a rule",
        report.processors,
        report.ram_bytes >> 20,
        report.devices.len(),
        report
            .devices
            .iter()
            .filter(|r| !r.drivers.is_empty())
            .count()
    );
    for what in &report.missing {
        println!("there is no {what} that a rule serves");
    }
    println!("identity {}", report.identity);
    save("machine.json", serde_json::to_vec(&model));
    save("report.json", serde_json::to_vec_pretty(&report));
}

fn save(name: &str, bytes: serde_json::Result<Vec<u8>>) {
    let written = match bytes {
        Ok(bytes) => files::write(name, &bytes),
        Err(error) => Err(format!("{error}")),
    };
    match written {
        Ok(()) => println!("written: {name}"),
        Err(why) => println!("{name} could not be written: {why}"),
    }
}

fn discover(found: &Found, book: &Book) -> Machine {
    let memory = memory();
    let readable = memory.iter().filter(|range| {
        matches!(
            range.kind,
            MemoryKind::Ram | MemoryKind::AcpiTables | MemoryKind::AcpiNvs | MemoryKind::Reserved
        )
    });
    let readable = readable.map(|range| (range.base, range.size)).collect();
    let candidates = synthesis::candidates(book);
    let request = Request {
        firmware: firmware(found),
        in_use: memory
            .iter()
            .map(|range| (range.base, range.size))
            .collect(),
        memory,
        candidates: &candidates,
        boot: alloc::vec![Fact {
            name: "door".into(),
            value: Value::Text("uefi, before its boot services end".into()),
            source: SOURCE,
        }],
        ..Request::new(processor::ARCH)
    };
    discovery::discover(&mut Lent::new(readable, found.acpi), request)
}

/// As genesis chooses: a devicetree if there is one.
fn firmware(found: &Found) -> Firmware<'static> {
    if found.devicetree != 0 {
        // SAFETY: firmware's configuration table says that a devicetree is there; its header says how long it is.
        let head = unsafe { (found.devicetree as *const [[u8; 4]; 2]).read_unaligned() };
        let [magic, size] = head.map(u32::from_be_bytes);
        if magic == 0xd00d_feed && u64::from(size) <= LARGEST {
            // SAFETY: as above; nothing changes it while boot services run.
            let blob = unsafe {
                core::slice::from_raw_parts(found.devicetree as *const u8, size as usize)
            };
            return Firmware::Devicetree(blob);
        }
    }
    match found.acpi {
        0 => Firmware::None,
        root => Firmware::Acpi(root),
    }
}

/// The memory map of this moment.
fn memory() -> Vec<MemoryRange> {
    let Ok(now) = boot::memory_map(MemoryType::LOADER_DATA) else {
        return Vec::new();
    };
    let mut pieces = alloc::vec![abi::door::Piece::default(); now.entries().count()];
    let count = map::pieces(&now, &mut pieces);
    pieces.truncate(count);
    let range = |piece: abi::door::Piece| MemoryRange {
        base: piece.base,
        size: piece.size,
        kind: map::named(piece.kind),
        source: SOURCE,
        facts: Vec::new(),
    };
    pieces.into_iter().map(range).collect()
}

fn told(book: &Book, model: &Machine, plan: &Plan, line: &str) -> Report {
    let mut drivers: BTreeMap<usize, Vec<(String, String)>> = BTreeMap::new();
    for job in &plan.jobs {
        let driver = (job.choice.title(book), job.choice.class.clone());
        drivers.entry(job.device).or_default().push(driver);
    }
    let rows = model.devices.iter().enumerate().map(|(n, device)| Row {
        path: device.path.clone(),
        bus: device.bus.clone(),
        what: what(device),
        drivers: drivers.remove(&n).unwrap_or_default(),
        nearest: (plan.unmatched.iter().find(|u| u.device == n)).and_then(|u| u.nearest.clone()),
    });
    let rows: Vec<Row> = rows.collect();
    let served = |class: &str| plan.jobs.iter().any(|job| job.choice.class == class);
    let everyday = contract::MISSED;
    let missing = everyday.into_iter().filter(|(class, _)| !served(class));
    let ram = model.memory.iter().filter(|r| r.kind == MemoryKind::Ram);
    Report {
        metaos: env!("CARGO_PKG_VERSION"),
        firmware: format!(
            "{} {:#x}",
            system::firmware_vendor(),
            system::firmware_revision()
        ),
        options: line.into(),
        identity: model
            .identity()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect(),
        arch: model.arch,
        processors: model.cpus.len(),
        ram_bytes: ram.map(|r| r.size).sum(),
        devices: rows,
        missing: missing.map(|(_, what)| what).collect(),
        unknown: model.unknown.clone(),
        notes: model.notes.clone(),
    }
}

fn shown(row: &Row) -> String {
    let drivers: Vec<String> = (row.drivers.iter())
        .map(|(rule, class)| format!("{class}: {rule}"))
        .collect();
    let known = match drivers.is_empty() {
        true => "-".into(),
        false => drivers.join(", "),
    };
    format!("{:<26} {:<40} {known}", row.path, row.what)
}

/// Facts that tell a person what the thing is.
fn what(device: &machine::Device) -> String {
    let mut parts = Vec::new();
    for fact in &device.facts {
        parts.push(match (&fact.value, fact.name.as_str()) {
            (Value::Number(n), "vendor" | "device" | "class") => format!("{} {n:x}", fact.name),
            (Value::Text(text), "acpi" | "hid") => text.clone(),
            (Value::Texts(texts), "compatible") => texts.first().cloned().unwrap_or_default(),
            _ => continue,
        });
    }
    parts.join(", ")
}
