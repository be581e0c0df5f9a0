//! The machines under `machines/`: one small file each, and the emulator's command line made from it.

use crate::accel::Accel;
use crate::image::Arch;
use crate::workspace::{write_if_changed, Workspace};
use anyhow::{bail, Context, Result};
use serde::Deserialize;
use std::path::PathBuf;

/// What `./meta run` boots when no machine is named.
pub const DEFAULT: &str = "q35-virtio";

/// One emulated machine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The file's name without its ending.
    #[serde(skip)]
    pub name: String,
    /// One line for people.
    pub about: String,
    pub arch: Arch,
    /// Machine type, processor and memory, as the emulator's arguments.
    pub arguments: Vec<String>,
    /// Emulator device that becomes the network card, on a user-mode network.
    pub network: Option<String>,
    /// Emulator device that becomes the disk, holding [`disk`].
    pub disk: Option<String>,
    /// More disks, each an emulator device that holds a copy of the same.
    #[serde(default)]
    pub more_disks: Vec<String>,
    /// Processors; one if nothing is said.
    pub cpus: Option<u32>,
    /// Firmware file with which the machine boots from a stick (`stick.rs`) rather than from a boot image alone.
    pub firmware: Option<PathBuf>,
    /// Where a run leaves the stick as the machine wrote it; otherwise what was written is forgotten.
    #[serde(skip)]
    pub keep: Option<PathBuf>,
    /// What executes its instructions; a run sets it.
    #[serde(skip)]
    pub accel: Accel,
    /// Words of the command line (`abi::options`); a run sets them.
    #[serde(skip)]
    pub options: Vec<String>,
}

/// Every machine, sorted by name.
///
/// # Errors
/// When a file cannot be read or says something that is not known.
pub fn all(workspace: &Workspace) -> Result<Vec<Machine>> {
    let folder = workspace.root.join("machines");
    let mut found = Vec::new();
    for entry in
        std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?
    {
        let path = entry?.path();
        if path.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("reading {}", path.display()))?;
        let mut machine: Machine =
            toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
        machine.name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        found.push(machine);
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The machine called `name`.
///
/// # Errors
/// When there is none: the message lists those that there are.
pub fn named(workspace: &Workspace, name: &str) -> Result<Machine> {
    let machines = all(workspace)?;
    let Some(machine) = machines.iter().find(|m| m.name == name) else {
        let names: Vec<&str> = machines.iter().map(|m| m.name.as_str()).collect();
        bail!(
            "there is no machine called {name}; there are {} (files in machines/)",
            names.join(", ")
        );
    };
    Ok(machine.clone())
}

impl Machine {
    /// The emulator's arguments for this machine, without image and serial port.
    ///
    /// # Errors
    /// When the disk image cannot be written.
    pub fn emulator_arguments(&self, workspace: &Workspace) -> Result<Vec<String>> {
        let mut words: Vec<String> = self.arguments.clone();
        words.extend(
            self.accel
                .arguments(self.arch)
                .iter()
                .map(|&word| word.to_owned()),
        );
        words.extend(
            [
                "-smp",
                &self.cpus.unwrap_or(1).to_string(),
                "-nodefaults",
                "-display",
                "none",
                "-no-reboot",
            ]
            .map(str::to_owned),
        );
        if let Some(device) = &self.network {
            // No boot ROM: nothing boots from the network, and it is one package less to install. The emulator's names of
            // devices that are not on a bus with ROMs end so.
            let rom = if device.ends_with("-device") {
                ""
            } else {
                ",romfile="
            };
            words.extend(["-netdev".into(), "user,id=net0".into()]);
            words.extend(["-device".into(), format!("{device},netdev=net0{rom}")]);
        }
        for (number, device) in self.disk.iter().chain(&self.more_disks).enumerate() {
            let disk = disk(workspace)?;
            // What a guest writes is forgotten: every run sees the same disk, and runs can share it.
            words.extend([
                "-drive".into(),
                format!(
                    "file={},format=raw,if=none,id=disk{number},snapshot=on",
                    disk.display()
                ),
            ]);
            words.extend(["-device".into(), format!("{device},drive=disk{number}")]);
        }
        Ok(words)
    }
}

/// Sectors of the generated disk.
pub const SECTORS: u64 = 8192;

/// What stands in sector `number` of the generated disk: a line that names the sector, then a sequence that no
/// two sectors share.
#[must_use]
pub fn sector(number: u64) -> Vec<u8> {
    let mut bytes = format!("MetaOS test disk, sector {number}\n").into_bytes();
    let mut state = number
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(0x2545_f491_4f6c_dd1d);
    while bytes.len() < 512 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.push((state >> 32) as u8);
    }
    bytes
}

/// The generated disk image.
///
/// # Errors
/// When it cannot be written.
pub fn disk(workspace: &Workspace) -> Result<PathBuf> {
    let path = workspace.target.join("disks/known.img");
    let bytes: Vec<u8> = (0..SECTORS).flat_map(sector).collect();
    write_if_changed(&path, &bytes)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sectors_are_full_and_differ() {
        let first = sector(0);
        let second = sector(1);
        assert_eq!((first.len(), second.len()), (512, 512));
        assert!(first.starts_with(b"MetaOS test disk, sector 0\n"));
        assert_ne!(first[40..], second[40..]);
    }
}
