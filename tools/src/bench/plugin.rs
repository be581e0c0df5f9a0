//! The counting plugin (`tools/plugin/count.c`): built when needed, and its results read.

use crate::workspace::Workspace;
use anyhow::{bail, Context, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The compiled plugin.
///
/// # Errors
/// When there is no C compiler, or it complains.
pub fn build(workspace: &Workspace) -> Result<PathBuf> {
    let source = workspace.root.join("tools/plugin/count.c");
    let plugin = workspace.target.join("plugin/count.so");
    let age = |path: &Path| std::fs::metadata(path).and_then(|m| m.modified());
    if age(&plugin).is_ok_and(|built| age(&source).is_ok_and(|written| written < built)) {
        return Ok(plugin);
    }
    std::fs::create_dir_all(workspace.target.join("plugin"))
        .context("making the plugin's folder")?;
    let output = Command::new("gcc")
        .args(["-shared", "-fPIC", "-O2", "-Wall", "-o"])
        .args([&plugin, &source])
        .output()
        .context("gcc could not be started (./meta doctor says what is missing)")?;
    if !output.status.success() {
        bail!(
            "the counting plugin does not compile:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(plugin)
}

/// Emulator arguments that count, with one tick of the guest's clock an instruction.
#[must_use]
pub fn arguments(plugin: &Path, options: &str) -> Vec<String> {
    ["-icount", "shift=0,sleep=off", "-plugin"]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("{},{options}", plugin.display())])
        .collect()
}

/// What the plugin wrote: counts from reset, by name.
///
/// # Errors
/// When the file cannot be read.
pub fn read(path: &Path) -> Result<BTreeMap<String, u64>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(text
        .lines()
        .filter_map(|line| {
            let (name, count) = line.split_once(' ')?;
            Some((name.to_owned(), count.parse().ok()?))
        })
        .collect())
}
