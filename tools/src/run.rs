//! `meta run`: boots a machine, for a person or for a script.

use crate::accel;
use crate::emulator;
use crate::image::{self, Image};
use crate::machines::{self, Machine};
use crate::prompt::{Guest, PATIENCE};
use crate::terminal::{bad, faint, Progress};
use crate::workspace::Workspace;
use anyhow::{bail, Context, Result};
use clap::Args;
use std::io::IsTerminal;
use std::process::Child;
use std::time::{Duration, Instant};

#[derive(Debug, Args)]
pub struct RunArguments {
    /// Machine to boot (a file in machines/)
    #[arg(default_value = machines::DEFAULT)]
    pub machine: String,
    /// Run LINE at the prompt and print its answer; repeatable. The machine is then powered off
    #[arg(long, value_name = "LINE")]
    pub exec: Vec<String>,
    /// End the emulator after S seconds (60 with --exec, else never)
    #[arg(long, value_name = "S")]
    pub timeout: Option<u64>,
    /// Boot this image instead of building one
    #[arg(long, value_name = "FILE")]
    pub image: Option<std::path::PathBuf>,
    /// Tell the guest nothing: it uses no firmware tables, and finds out by careful probing what it can
    #[arg(long)]
    pub blind: bool,
    /// Hide device IDs and classes: devices are known by what they do, or not at all
    #[arg(long)]
    pub masked: bool,
    /// Try drivers to their limits, with guards around the memory that devices are lent, and clocks, timers and interrupt
    /// controllers with interrupts let in, before they are installed
    #[arg(long)]
    pub thorough: bool,
    /// Make DRIVER's device seem broken while it is proved, after AFTER reads: registers that are all ones, stuck,
    /// zeros or noise, shared memory that is wild, short or silent; or lose its interrupts (lost); repeatable. It takes an
    /// image of its own, which is built for it
    #[arg(long, value_name = "DRIVER:KIND:AFTER[:COUNT]")]
    pub fault: Vec<String>,
    /// What executes the guest's instructions
    #[arg(long, value_enum, default_value_t)]
    pub accel: accel::Wanted,
    /// More arguments for the emulator
    #[arg(last = true, value_name = "EMULATOR ARGUMENT")]
    pub extra: Vec<String>,
}

impl RunArguments {
    /// The words of the guest's command line.
    fn options(&self) -> Vec<String> {
        use abi::options::{BLIND, FAULT, MASKED, THOROUGH};
        let words = [
            (self.blind, BLIND),
            (self.masked, MASKED),
            (self.thorough, THOROUGH),
        ];
        let words = words
            .into_iter()
            .filter(|(asked, _)| *asked)
            .map(|(_, word)| word.to_owned());
        let faults = self.fault.iter().map(|fault| format!("{FAULT}{fault}"));
        words.chain(faults).collect()
    }
}

/// Runs `meta run`.
///
/// # Errors
/// When the image cannot be built, the guest does not answer in time, ends early, or answers with an error.
pub fn run(workspace: &Workspace, arguments: &RunArguments) -> Result<()> {
    let mut machine = machines::named(workspace, &arguments.machine)?;
    machine.options = arguments.options();
    let words = [machine.arguments.as_slice(), &arguments.extra];
    let (accel, why_not) = accel::choose(arguments.accel, machine.arch, &words)?;
    machine.accel = accel;
    if let Some(why_not) = why_not {
        eprintln!("{}", faint(&format!("TCG, not KVM: {why_not}")));
    }
    let image = match &arguments.image {
        Some(path) => Image {
            arch: machine.arch,
            size: std::fs::metadata(path)
                .with_context(|| format!("reading {}", path.display()))?
                .len(),
            path: path.clone(),
        },
        None if arguments.fault.is_empty() => image::build(workspace, machine.arch)?,
        None => image::build_with_faults(workspace, machine.arch)?,
    };
    if arguments.exec.is_empty() {
        interactive(workspace, &machine, &image, arguments)
    } else {
        let timeout = arguments.timeout.map_or(PATIENCE, Duration::from_secs);
        let lines: Vec<&str> = arguments.exec.iter().map(String::as_str).collect();
        for answer in execute(
            workspace,
            &machine,
            &image,
            &arguments.extra,
            &lines,
            timeout,
        )? {
            crate::terminal::print(answer);
        }
        Ok(())
    }
}

/// Boots, runs `lines` at the prompt, powers off, and gives each line's answer.
///
/// # Errors
/// When `timeout` passes, the guest ends early or answers with `error: …`. What the guest printed has then been
/// shown on standard error.
pub fn execute(
    workspace: &Workspace,
    machine: &Machine,
    image: &Image,
    extra: &[String],
    lines: &[&str],
    timeout: Duration,
) -> Result<Vec<String>> {
    let progress = Progress::start(&format!("booting {}", machine.name));
    let mut guest = Guest::start(emulator::command(
        workspace, machine, image, "stdio", extra,
    )?)?;
    let result = converse(&mut guest, lines, timeout);
    drop(progress);
    result.inspect_err(|_| {
        let transcript = guest.transcript();
        if transcript.is_empty() {
            eprintln!("{}", faint("The guest printed nothing."));
        } else {
            eprintln!(
                "{}\n{transcript}\n{}",
                faint("What the guest printed:"),
                faint("(end)")
            );
        }
    })
}

fn converse(guest: &mut Guest, lines: &[&str], timeout: Duration) -> Result<Vec<String>> {
    let deadline = Instant::now() + timeout;
    let left = || deadline.saturating_duration_since(Instant::now());
    guest.wait_for_prompt(left()).context("booting")?;
    let mut answers = Vec::new();
    let (mut failed, mut off) = (None, false);
    for line in lines {
        if line.trim() == "off" {
            off = true;
            break;
        }
        let answer = guest.ask(line, left())?;
        if failed.is_none() && answer.lines().any(|l| l.starts_with("error:")) {
            failed = Some(format!("`{line}` answered with an error"));
        }
        answers.push(answer);
    }
    let patience = left().min(Duration::from_secs(15));
    match guest.ask("off", patience) {
        // The emulator ended, as it should, or something is wrong: waiting tells.
        Err(_) => {
            guest.wait_for_end(patience).context("after `off`")?;
        }
        Ok(answer) if off => bail!("`off`: {}", answer.trim()),
        // It was not asked for: a machine without a switch is ended from outside.
        Ok(_) => {}
    }
    match failed {
        Some(message) => bail!(message),
        None if off && answers.len() + 1 < lines.len() => bail!("there are lines after `off`"),
        None => Ok(answers),
    }
}

/// The guest's serial port becomes this terminal.
fn interactive(
    workspace: &Workspace,
    machine: &Machine,
    image: &Image,
    arguments: &RunArguments,
) -> Result<()> {
    let terminal = std::io::stdin().is_terminal();
    // With the monitor behind Ctrl-A, the emulator hands Ctrl-C to the guest.
    let serial = if terminal { "mon:stdio" } else { "stdio" };
    eprintln!("{}", faint(&format!("{}: {}", machine.name, machine.about)));
    if terminal {
        eprintln!(
            "{}",
            faint("`off` powers it off; Ctrl-A X ends the emulator at once.")
        );
    }
    let mut child = emulator::command(workspace, machine, image, serial, &arguments.extra)?
        .spawn()
        .with_context(|| {
            format!(
                "{} could not be started (./meta doctor)",
                machine.arch.emulator()
            )
        })?;
    let status = match arguments.timeout {
        Some(seconds) => wait(&mut child, Duration::from_secs(seconds))?,
        None => Some(child.wait().context("waiting for the emulator")?),
    };
    match status {
        Some(status) if status.success() => Ok(()),
        Some(status) => bail!("the emulator ended with {status}"),
        None => {
            eprintln!();
            bail!("{}", bad("the time given with --timeout has passed"))
        }
    }
}

/// Waits at most `time`; then ends the child and gives none.
fn wait(child: &mut Child, time: Duration) -> Result<Option<std::process::ExitStatus>> {
    let deadline = Instant::now() + time;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().context("waiting for the emulator")? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().context("ending the emulator")?;
    child.wait().context("ending the emulator")?;
    Ok(None)
}
