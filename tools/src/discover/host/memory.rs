//! The memory map and the ports that are in use.

use super::{fact, number, Linux, MemoryRange};
use machine::{Machine, MemoryKind, Source, Value, WindowKind};

/// The firmware's own map if it is there (`/sys/firmware/memmap`), else the kernel's.
pub fn map(linux: &mut Linux) -> Vec<MemoryRange> {
    let firmware = firmware(linux);
    if !firmware.is_empty() {
        return firmware;
    }
    let what = "the memory map";
    let text = linux.text("proc/iomem", what).unwrap_or_default();
    let ranges: Vec<MemoryRange> = text.lines().filter_map(kernel).collect();
    // To those who may not see them all addresses are shown as zero.
    let hidden = ranges.iter().all(|range| range.base == 0);
    if hidden {
        linux.tell(format!(
            "{what}: /proc/iomem shows addresses only to root: run this with sudo"
        ));
        return Vec::new();
    }
    ranges
}

fn firmware(linux: &mut Linux) -> Vec<MemoryRange> {
    let mut found = Vec::new();
    for entry in linux.names("sys/firmware/memmap") {
        let mut part = |name: &str| {
            linux.text(
                &format!("sys/firmware/memmap/{entry}/{name}"),
                "the firmware's memory map",
            )
        };
        let (Some(start), Some(end), Some(kind)) = (part("start"), part("end"), part("type"))
        else {
            return Vec::new();
        };
        let (Some(start), Some(end)) = (number(&start), number(&end)) else {
            continue;
        };
        found.push(range(start, end, kind.trim(), Source::Firmware(*b"e820")));
    }
    found.sort_by_key(|range| range.base);
    found
}

/// A line of `/proc/iomem` that is about memory itself: not indented, for what is indented lies inside another.
fn kernel(line: &str) -> Option<MemoryRange> {
    if line.starts_with(' ') {
        return None;
    }
    let (place, name) = line.split_once(" : ")?;
    let (start, end) = place.split_once('-')?;
    let known = ["System RAM", "Reserved", "reserved", "ACPI", "Persistent"];
    let known = known.iter().any(|k| name.starts_with(k));
    known.then(|| Some(range(number(start)?, number(end)?, name, Source::System)))?
}

fn range(start: u64, end: u64, kind: &str, source: Source) -> MemoryRange {
    MemoryRange {
        base: start,
        size: end.saturating_sub(start).saturating_add(1),
        kind: match kind {
            "System RAM" => MemoryKind::Ram,
            "ACPI Tables" => MemoryKind::AcpiTables,
            "ACPI Non-volatile Storage" => MemoryKind::AcpiNvs,
            _ => MemoryKind::Reserved,
        },
        source,
        facts: Vec::new(),
    }
}

/// Ports that a driver of the running system uses.
pub struct Ports {
    pub base: u64,
    name: String,
}

/// From `/proc/ioports`, which shows zeros to those who may not see it.
pub fn ports(linux: &mut Linux) -> Vec<Ports> {
    let text = linux.text("proc/ioports", "ports").unwrap_or_default();
    let ports = |line: &str| {
        let (place, name) = line.trim().split_once(" : ")?;
        let (base, last) = place.split_once('-')?;
        let (base, last) = (number(base)?, number(last)?);
        (last != 0).then(|| Ports {
            base,
            name: name.to_owned(),
        })
    };
    text.lines().filter_map(ports).collect()
}

/// Says of each candidate what the running system calls what is there.
pub fn name(model: &mut Machine, ports: &[Ports]) {
    for device in &mut model.devices {
        let candidate = device.fact("candidate").is_some();
        let Some(window) = device.windows.iter().find(|w| w.kind == WindowKind::Port) else {
            continue;
        };
        let used = ports.iter().find(|p| p.base == window.base);
        if let (true, Some(used)) = (candidate, used) {
            device
                .facts
                .push(fact("used_by", Value::Text(used.name.clone())));
        }
    }
}
