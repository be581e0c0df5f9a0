//! Where things are, and how cargo is called. What is known about toolchains is in the script `meta` at the
//! root; it reaches this program through `META_*` variables.

use crate::terminal::Progress;
use anyhow::{bail, Context, Result};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Bytes that `meta test` writes where nothing was built before (measured, and rounded up).
pub const ROOM: u64 = 12 << 30;

/// The checkout and its target folder.
#[derive(Clone, Debug)]
pub struct Workspace {
    pub root: PathBuf,
    pub target: PathBuf,
}

impl Workspace {
    /// From the environment that the script `meta` sets up.
    ///
    /// # Errors
    /// When this was not started by the script.
    pub fn from_environment() -> Result<Self> {
        let root = std::env::var_os("META_ROOT").map(PathBuf::from).context(
            "META_ROOT is not set: start this through ./meta at the root of the checkout",
        )?;
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        Ok(Self { root, target })
    }

    /// Bytes that may still be written where build output goes; None where `df` does not say.
    #[must_use]
    pub fn room(&self) -> Option<u64> {
        let there = self.target.ancestors().find(|folder| folder.exists())?;
        let told = Command::new("df").arg("-Pk").arg(there).output().ok()?;
        room_of(&String::from_utf8_lossy(&told.stdout))
    }

    /// A cargo command in the checkout.
    #[must_use]
    pub fn cargo(&self, verb: &str) -> Command {
        let mut command = Command::new("cargo");
        command
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target)
            // Set by an outer `cargo test`; an inner build must not inherit them.
            .env_remove("CARGO_MANIFEST_DIR")
            .env_remove("CARGO_PKG_NAME")
            .arg(verb)
            .arg("--locked");
        command
    }

    /// The words that a freestanding build needs with this toolchain.
    #[must_use]
    pub fn freestanding_words() -> Vec<String> {
        std::env::var("META_FREESTANDING")
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    }

    /// Runs cargo with its output kept back: a progress line while it works, everything it said if it fails.
    ///
    /// # Errors
    /// When cargo cannot be started, or ends with an error (which has then been shown).
    pub fn run_cargo(&self, mut command: Command, what: &str) -> Result<()> {
        let progress = Progress::start(what);
        if crate::terminal::colours() {
            command.env("CARGO_TERM_COLOR", "always");
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cargo could not be started")?;
        let mut said = String::new();
        if let Some(stderr) = child.stderr.take() {
            for line in BufReader::new(stderr).lines() {
                let line = line.context("cargo's output")?;
                // What is under way belongs to the progress; what went wrong must not drown in it.
                let plain = crate::terminal::plain(line.as_bytes());
                match plain.trim_start().split_once(' ') {
                    Some(("Compiling", package)) => {
                        progress.detail(package.split(" (").next().unwrap_or(package));
                    }
                    Some(("Checking" | "Downloading" | "Downloaded", _)) => {}
                    _ => {
                        said.push_str(&line);
                        said.push('\n');
                    }
                }
            }
        }
        let status = child.wait().context("cargo")?;
        drop(progress);
        if !status.success() {
            eprint!("{said}");
            bail!("{what}: cargo failed; its messages are above");
        }
        Ok(())
    }
}

/// Writes `bytes` to `path` only when they differ, so that nothing is rebuilt for nothing. True if it wrote.
///
/// # Errors
/// When the file or its folder cannot be written.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<bool> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("making the folder {}", folder.display()))?;
    }
    // Written beside and renamed: whoever reads at this moment sees the old file or the new one.
    let beside = path.with_extension(format!("new{}", std::process::id()));
    std::fs::write(&beside, bytes).with_context(|| format!("writing {}", beside.display()))?;
    std::fs::rename(&beside, path).with_context(|| format!("writing {}", path.display()))?;
    Ok(true)
}

/// The bytes available, out of what `df -Pk` prints of one file system (POSIX: the fourth of six columns, in KiB).
fn room_of(told: &str) -> Option<u64> {
    let kib: u64 = told
        .lines()
        .nth(1)?
        .split_whitespace()
        .nth(3)?
        .parse()
        .ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::room_of;

    #[test]
    fn room_is_what_df_calls_available() {
        let told = "Filesystem     1024-blocks     Used Available Capacity Mounted on\n\
                    /dev/vda         263174212 86900000   3040000      97% /\n";
        assert_eq!(room_of(told), Some(3_040_000 * 1024));
        assert_eq!(room_of("df: nothing there\n"), None);
        assert_eq!(room_of(""), None);
    }
}
