//! Lists that the prover reads: device models, what emulated devices need, and lines of Linux's drivers.

use crate::workspace::Workspace;
use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::Deserialize;
use std::path::PathBuf;

/// A driver of Linux, and the rules for the same device.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Driver {
    pub device: String,
    /// Under `rules/`.
    pub files: Vec<String>,
    pub linux_sloc: u64,
}

/// What an emulated device needs beside itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// Beginning of its name.
    pub name: String,
    #[serde(default)]
    pub options: String,
    #[serde(default)]
    pub arguments: Vec<String>,
}

/// `tests/devices/linux.toml`.
///
/// # Errors
/// When it cannot be read.
pub fn drivers(workspace: &Workspace) -> Result<Vec<Driver>> {
    #[derive(Deserialize)]
    struct List {
        driver: Vec<Driver>,
    }
    Ok(read::<List>(workspace.root.join("tests/devices/linux.toml"))?.driver)
}

/// `tests/devices/offered.toml`.
///
/// # Errors
/// When it cannot be read.
pub fn needs(workspace: &Workspace) -> Result<Vec<Need>> {
    #[derive(Deserialize)]
    struct List {
        need: Vec<Need>,
    }
    Ok(read::<List>(workspace.root.join("tests/devices/offered.toml"))?.need)
}

fn read<T: DeserializeOwned>(path: PathBuf) -> Result<T> {
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("in {}", path.display()))
}
