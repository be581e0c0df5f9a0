//! This computer, as Linux lets it be seen: the same discovery as everywhere, over copies of configuration space and
//! tables. Nothing is written, and no register of a device is read.

mod memory;
mod pci;
mod processors;

use super::tables::Tables;
use anyhow::{bail, Result};
use discovery::{Firmware, Hardware, Request};
use machine::{Arch, Candidate, Fact, Machine, MemoryRange, Source, Value};
use std::path::{Path, PathBuf};

/// Where Linux shows what it knows: `/`, or a copy for tests.
pub struct Linux {
    root: PathBuf,
    /// What could not be read, and what to do about it.
    unread: Vec<String>,
}

/// Why something is not there.
const ROOT_ONLY: &str = "only root may read it: run this with sudo";

impl Linux {
    #[must_use]
    pub fn at(root: &Path) -> Linux {
        Linux {
            root: root.to_owned(),
            unread: Vec::new(),
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A file's bytes. One that is there and may not be read is told once.
    fn bytes(&mut self, path: &str, what: &str) -> Option<Vec<u8>> {
        match std::fs::read(self.path(path)) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                if error.kind() == std::io::ErrorKind::PermissionDenied {
                    self.tell(format!("{what}: /{path}: {ROOT_ONLY}"));
                }
                None
            }
        }
    }

    fn text(&mut self, path: &str, what: &str) -> Option<String> {
        let bytes = self.bytes(path, what)?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The names in a folder, sorted; none if there is no such folder.
    fn names(&self, path: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(path)).into_iter().flatten();
        let names = entries.flatten().map(|entry| entry.file_name());
        let mut names: Vec<String> = names.map(|n| n.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn tell(&mut self, what: String) {
        if !self.unread.contains(&what) {
            self.unread.push(what);
        }
    }
}

/// Discovers this computer.
///
/// # Errors
/// When it is no Linux, or of an architecture that is not known.
pub fn discover(candidates: &[Candidate]) -> Result<Machine> {
    if !cfg!(target_os = "linux") {
        bail!("--host reads what Linux shows under /sys and /proc, and this is no Linux");
    }
    let arch = match std::env::consts::ARCH {
        "x86_64" => Arch::X86_64,
        "aarch64" => Arch::Aarch64,
        other => bail!("there is no machine model for {other}"),
    };
    Ok(look(Linux::at(Path::new("/")), arch, candidates))
}

/// Discovers the computer that `linux` shows.
#[must_use]
pub fn look(mut linux: Linux, arch: Arch, candidates: &[Candidate]) -> Machine {
    let ports = memory::ports(&mut linux);
    let blob = linux.bytes("sys/firmware/fdt", "the devicetree");
    let tables = tables(&mut linux);
    let mut hardware = Seen {
        processor: processors::Processor::read(&mut linux, arch),
        functions: pci::Functions::read(&mut linux, &tables.mapped()),
        tables,
    };
    let served: Vec<Candidate> = (candidates.iter())
        .filter(|c| ports.iter().any(|p| p.base == c.base))
        .cloned()
        .collect();
    let firmware = match &blob {
        Some(blob) if !hardware.tables.any() => Firmware::Devicetree(blob),
        // Without tables there is still PCI.
        _ if arch == Arch::X86_64 || hardware.tables.any() => {
            Firmware::Acpi(hardware.tables.root_pointer())
        }
        _ => Firmware::None,
    };
    let request = Request {
        firmware,
        memory: memory::map(&mut linux),
        candidates: &served,
        ..Request::new(arch)
    };
    let mut model = discovery::discover(&mut hardware, request);
    hardware.processor.complete(&mut model);
    memory::name(&mut model, &ports);
    hardware.functions.complete(&mut linux, &mut model);
    honest(&mut model, &hardware);
    model.unknown.append(&mut linux.unread);
    model
}

/// ACPI's tables as Linux kept them.
fn tables(linux: &mut Linux) -> Tables {
    let folder = "sys/firmware/acpi/tables";
    let mut tables = Vec::new();
    for name in linux.names(folder) {
        // Folders hold what was loaded later, and data that tables point to.
        if linux.path(&format!("{folder}/{name}")).is_dir() {
            continue;
        }
        tables.extend(linux.bytes(&format!("{folder}/{name}"), "ACPI's tables"));
    }
    Tables::of(tables)
}

/// What discovery would have done to the machine, it did to a copy: that is taken back.
fn honest(model: &mut Machine, hardware: &Seen) {
    for device in &mut model.devices {
        device.windows.retain(|w| w.source != Source::Assigned);
    }
    model.notes.retain(|note| !note.contains("turned on"));
    if hardware.functions.any() {
        let said = "this computer was only read: registers of devices, which could tell more, were left alone";
        model.notes.push(said.into());
    }
}

/// Copies of what there is.
struct Seen {
    processor: processors::Processor,
    functions: pci::Functions,
    tables: Tables,
}

impl Hardware for Seen {
    fn read(&mut self, physical: u64, bits: u32) -> Option<u64> {
        if let Some(value) = self.functions.mapped_read(physical, bits) {
            return Some(value);
        }
        let mut bytes = [0; 8];
        let count = (bits / 8) as usize;
        let there = self.tables.copy(physical, bytes.get_mut(..count)?);
        there.then(|| u64::from_le_bytes(bytes))
    }

    fn write(&mut self, physical: u64, bits: u32, value: u64) {
        self.functions.mapped_write(physical, bits, value);
    }

    fn copy(&mut self, physical: u64, to: &mut [u8]) -> bool {
        self.tables.copy(physical, to)
    }

    fn port_read(&mut self, port: u16, bits: u32) -> u64 {
        self.functions.port_read(port, bits)
    }

    fn port_write(&mut self, port: u16, bits: u32, value: u64) {
        self.functions.port_write(port, bits, value);
    }

    fn cpuid(&mut self, leaf: u32, sub: u32) -> [u32; 4] {
        self.processor.cpuid(leaf, sub)
    }

    fn register(&mut self, number: u32) -> Option<u64> {
        self.processor.register(number)
    }
}

fn fact(name: &str, value: Value) -> Fact {
    Fact {
        name: name.into(),
        value,
        source: Source::System,
    }
}

/// A hexadecimal number, with or without `0x`.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    u64::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()
}

#[cfg(test)]
mod tests;
