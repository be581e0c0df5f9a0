//! What needs the compiler and the device models lives in a program of its own, which takes minutes to build: it is
//! built when it is first asked for.

use crate::workspace::Workspace;
use anyhow::{bail, Context, Result};
use clap::Args;
use std::process::Command;

#[derive(Debug, Args)]
pub struct TestArguments {
    /// Only device models whose name contains this, or that have this rule
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Folder of rule files
    #[arg(long, value_name = "FOLDER")]
    rules: Option<std::path::PathBuf>,
    /// Another list of device models than tests/devices/models.toml
    #[arg(long, value_name = "FILE")]
    models: Option<std::path::PathBuf>,
}

/// `meta rule test`.
///
/// # Errors
/// When a device model fails.
pub fn rule_test(workspace: &Workspace, arguments: &TestArguments) -> Result<()> {
    let mut words: Vec<std::ffi::OsString> = vec!["rule-test".into()];
    if let Some(device) = &arguments.device {
        words.extend(["--device".into(), device.into()]);
    }
    if let Some(rules) = &arguments.rules {
        words.extend(["--rules".into(), rules.into()]);
    }
    if let Some(models) = &arguments.models {
        words.extend(["--models".into(), models.into()]);
    }
    run(workspace, &words)
}

/// Builds the program and runs it; it has said what was wrong.
///
/// # Errors
/// When it ends with an error.
pub fn run(workspace: &Workspace, words: &[std::ffi::OsString]) -> Result<()> {
    let mut build = workspace.cargo("build");
    build.args(["-p", "prove"]);
    workspace.run_cargo(build, "building the prover")?;
    let status = Command::new(workspace.target.join("debug/prove"))
        .args(words)
        .status()
        .context("the prover could not be started")?;
    match status.success() {
        true => Ok(()),
        false => bail!("the prover ended with {status}"),
    }
}
