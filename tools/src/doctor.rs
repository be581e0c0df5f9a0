//! `meta doctor`: what is here, what is missing, and why it is needed.

use crate::emulator;
use crate::image::Arch;
use crate::terminal::{bad, good};
use crate::workspace::{Workspace, ROOM};
use anyhow::{bail, Result};
use std::process::Command;

/// Runs `meta doctor`. The script `meta` has looked around, and hands its findings on: in `META_OFFERS` lines of
/// `whose toolchain|which version is here and which can be had`, in `META_MISSING` lines of `package|what|why|versions`,
/// where words of rustup may stand for the package.
///
/// # Errors
/// When anything is missing.
pub fn run(workspace: &Workspace) -> Result<()> {
    let toolchain = std::env::var("META_TOOLCHAIN").unwrap_or_else(|_| "unknown".into());
    line(
        true,
        "toolchain",
        &format!("{toolchain}: {}", first_line("rustc", "--version")),
    );
    line(true, "cargo", &first_line("cargo", "--version"));
    for offer in std::env::var("META_OFFERS").unwrap_or_default().lines() {
        if let Some((whose, versions)) = offer.split_once('|') {
            crate::terminal::print(format!("  {whose:20} {versions}"));
        }
    }
    for arch in Arch::ALL {
        if let Ok(version) = emulator::version(arch.emulator()) {
            line(true, arch.emulator(), &version);
        }
    }
    if let Some(room) = workspace.room() {
        let text = format!(
            "{} GiB free for {}; a whole test from nothing writes {}",
            room >> 30,
            workspace.target.display(),
            ROOM >> 30
        );
        line(room >= ROOM, "disk", &text);
    }
    let missing = std::env::var("META_MISSING").unwrap_or_default();
    let mut count = 0;
    for entry in missing.lines().filter(|l| !l.is_empty()) {
        let mut parts = entry.splitn(4, '|').map(str::trim);
        let mut part = || parts.next().filter(|part| !part.is_empty());
        let (how, what, why) = (part(), part(), part());
        let how = match (how.unwrap_or("?"), part()) {
            (words, _) if words.starts_with("rustup ") => words.to_owned(),
            (package, Some(versions)) => format!("package {package} ({versions})"),
            (package, None) => format!("package {package}"),
        };
        let text = format!("missing; {how}: {}", why.unwrap_or("?"));
        line(false, what.unwrap_or("?"), &text);
        count += 1;
    }
    if count > 0 {
        bail!("{count} missing; ./meta test installs what it needs (asks first)");
    }
    crate::terminal::print("nothing is missing");
    Ok(())
}

fn line(fine: bool, what: &str, text: &str) {
    crate::terminal::print(format!(
        "{} {what:20} {text}",
        if fine { good("+") } else { bad("-") }
    ));
}

fn first_line(program: &str, argument: &str) -> String {
    match Command::new(program).arg(argument).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned(),
        Err(error) => format!("could not be started: {error}"),
    }
}
