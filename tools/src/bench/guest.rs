//! One measured boot of a guest, MetaOS or Linux.

use super::plugin;
use crate::prompt::Guest;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Counting makes the emulator several times slower.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a guest is booted with, but for its serial port.
pub struct Boot<'a> {
    pub name: String,
    /// Gives the emulator's command with the given serial port and further arguments.
    pub command: &'a dyn Fn(&str, &[String]) -> Result<Command>,
    /// What it prints when it has come up.
    pub ready: &'static str,
    /// Addresses of the image, to know its first instruction.
    pub image: (u64, u64),
    /// Virtual addresses of the first instructions of nucleus and first program, where there are such.
    pub entries: Option<(u64, u64)>,
}

impl Boot<'_> {
    /// Boots with every instruction counted, then runs `lines` at the prompt.
    /// Gives the plugin's counts and the answers.
    pub fn counted(
        &self,
        workspace: &Workspace,
        lines: &[&str],
    ) -> Result<(BTreeMap<String, u64>, Vec<String>)> {
        let folder = scratch(workspace)?;
        let counts = folder.join(format!("{}.counts", self.name));
        let log = folder.join(format!("{}.log", self.name));
        for old in [&counts, &log] {
            let _ = std::fs::remove_file(old);
        }
        let plugin = plugin::build(workspace)?;
        let mut options = format!(
            "out={},from={:#x},to={:#x},log={},text={}",
            counts.display(),
            self.image.0,
            self.image.1,
            log.display(),
            self.ready
        );
        if let Some((nucleus, user)) = self.entries {
            options += &format!(",nucleus={nucleus:#x},user={user:#x}");
        }
        let mut extra = plugin::arguments(&plugin, &options);
        extra.extend([
            "-chardev".into(),
            format!("stdio,id=port,logfile={}", log.display()),
        ]);
        let mut guest = Guest::start((self.command)("chardev:port", &extra)?)?;
        guest
            .wait_for(self.ready, PATIENCE)
            .with_context(|| format!("{}, counted", self.name))?;
        settle(&counts)?;
        let mut answers = Vec::new();
        for line in lines {
            answers.push(guest.ask(line, PATIENCE)?);
        }
        Ok((plugin::read(&counts)?, answers))
    }

    /// Whether it comes up within `patience`, with nothing counted and `extra` arguments.
    pub fn comes_up(&self, extra: &[String], patience: Duration) -> Result<bool> {
        let mut guest = Guest::start((self.command)("stdio", extra)?)?;
        Ok(guest.wait_for(self.ready, patience).is_ok())
    }

    /// Seconds from starting the emulator to readiness, with nothing counted: the median of `times`.
    pub fn seconds(&self, times: usize) -> Result<f64> {
        let mut all = Vec::new();
        for _ in 0..times {
            let started = Instant::now();
            let mut guest = Guest::start((self.command)("stdio", &[])?)?;
            guest
                .wait_for(self.ready, PATIENCE)
                .with_context(|| self.name.clone())?;
            all.push(started.elapsed().as_secs_f64());
        }
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().context("no run was made")
    }
}

/// The guest halts a little after its prompt is on the wire: waits until the plugin has said so.
fn settle(counts: &Path) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        let seen = plugin::read(counts)?;
        if seen.contains_key("waits") || seen.contains_key("marker") {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    anyhow::bail!("the guest printed its prompt but never halted to wait for a line")
}

fn scratch(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target.join("bench");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("making the folder {}", folder.display()))?;
    Ok(folder)
}
