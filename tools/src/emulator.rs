//! Starting the emulator.

use crate::image::Image;
use crate::machines::Machine;
use crate::stick;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// The command that boots `image` on `machine`, with its serial port as `serial` says, the machine's options as its command
/// line, and `extra` arguments last.
///
/// # Errors
/// When the machine's disk cannot be made.
pub fn command(
    workspace: &Workspace,
    machine: &Machine,
    image: &Image,
    serial: &str,
    extra: &[String],
) -> Result<Command> {
    let mut command = mortal(machine.arch.emulator());
    command
        .args(machine.emulator_arguments(workspace)?)
        .args(["-serial", serial]);
    match &machine.firmware {
        Some(firmware) => {
            let stick = stick::with(workspace, image, &machine.options)?;
            command.args(boot_stick(firmware, &stick, machine.keep.as_deref())?);
        }
        None => {
            command.arg("-kernel").arg(&image.path);
            if !machine.options.is_empty() {
                command.arg("-append").arg(machine.options.join(" "));
            }
        }
    }
    command.args(extra);
    Ok(command)
}

/// The arguments with which `firmware` boots from the USB stick `stick`, or from a copy of it at `keep`.
fn boot_stick(firmware: &Path, stick: &Path, keep: Option<&Path>) -> Result<Vec<String>> {
    let (file, forget) = match keep {
        None => (stick, "on"),
        Some(keep) => {
            std::fs::copy(stick, keep).with_context(|| format!("writing {}", keep.display()))?;
            (keep, "off")
        }
    };
    Ok([
        "-bios".into(),
        firmware.display().to_string(),
        "-drive".into(),
        format!(
            "file={},format=raw,if=none,id=stick,snapshot={forget}",
            file.display()
        ),
        "-device".into(),
        "qemu-xhci,id=usb".into(),
        "-device".into(),
        "usb-storage,bus=usb.0,drive=stick,bootindex=0".into(),
    ]
    .to_vec())
}

/// A command for a program that ends with us, even if we are killed. Where the system has no `setpriv` (util-linux), it
/// may go on for a while.
fn mortal(program: &str) -> Command {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let setpriv = std::env::split_paths(&paths)
        .map(|folder| folder.join("setpriv"))
        .find(|path| path.is_file());
    match setpriv {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", program]);
            command
        }
        None => Command::new(program),
    }
}

/// The emulator's version line, or why there is none.
///
/// # Errors
/// When it cannot be started.
pub fn version(program: &str) -> Result<String> {
    let output = Command::new(program)
        .arg("--version")
        .output()
        .with_context(|| format!("{program} could not be started"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
