//! Boot, memory and image figures.

use super::guest::Boot;
use super::linux::{self, Linux};
use super::{Bench, Figures};
use crate::emulator;
use crate::image::{self, Arch, Image};
use crate::machines::{self, Machine};
use crate::prompt::PROMPT;
use crate::terminal::{bad, Progress};
use crate::workspace::Workspace;
use anyhow::{bail, ensure, Context, Result};
use object::read::elf::{FileHeader, ProgramHeader};
use object::Endianness;
use std::process::Command;
use std::time::Duration;

/// The machines that are measured.
const MACHINES: [&str; 3] = ["q35-virtio", "microvm", "virt-gicv3"];
/// Those of them on which drivers' generation is measured by itself.
const GENERATED: [&str; 2] = ["q35-virtio", "virt-gicv3"];
/// Wall time is the median of so many boots.
const BOOTS: usize = 5;
/// How long a machine with little memory gets to come up: several times what one with enough takes, on a busy host.
const LITTLE: Duration = Duration::from_secs(20);

pub fn measure(workspace: &Workspace) -> Result<Figures> {
    let mut figures = Figures::of(Bench::Boot);
    let mut seen: Vec<Arch> = Vec::new();
    for name in MACHINES {
        let machine = machines::named(workspace, name)?;
        let (arch, image) = (machine.arch, image::build(workspace, machine.arch)?);
        let first = !seen.contains(&arch);
        seen.push(arch);
        ours(workspace, &machine, &image, &mut figures)?;
        if first {
            let kib = image.size.div_ceil(1024) as f64;
            figures.add(format!("image.{}.kib", arch.name()), kib);
            let text = image::text_bytes(workspace, arch, "nucleus")?;
            figures.add(format!("nucleus.{}.text_bytes", arch.name()), text as f64);
        }
        let compared = linux::get(workspace, arch)
            .and_then(|linux| theirs(workspace, &machine, &linux, first, &mut figures));
        if let Err(error) = compared {
            let what = format!("not all of Linux is measured on {name}:");
            eprintln!("{} {error:#}", bad(&what));
        }
    }
    Ok(figures)
}

/// Only what generation takes, on the same machines.
///
/// # Errors
/// When a guest does not come to its prompt.
pub fn generated(workspace: &Workspace) -> Result<Figures> {
    let mut figures = Figures::of(Bench::Generate);
    for name in GENERATED {
        let machine = machines::named(workspace, name)?;
        let image = image::build(workspace, machine.arch)?;
        let command = |serial: &str, extra: &[String]| -> Result<Command> {
            emulator::command(workspace, &machine, &image, serial, extra)
        };
        let boot = Boot {
            name: name.into(),
            command: &command,
            ready: PROMPT,
            image: addresses(&image)?,
            entries: None,
        };
        let _progress = Progress::start(&format!("counting the instructions of a boot on {name}"));
        let (_, answers) = boot.counted(workspace, &["stages"])?;
        for (figure, counted) in stages(answers.first().map_or("", String::as_str))? {
            if figure == "generate" {
                figures.add(format!("generate.{name}.instructions"), counted);
            }
        }
    }
    Ok(figures)
}

fn ours(
    workspace: &Workspace,
    machine: &Machine,
    image: &Image,
    figures: &mut Figures,
) -> Result<()> {
    let name = &machine.name;
    let command = |serial: &str, extra: &[String]| -> Result<Command> {
        emulator::command(workspace, machine, image, serial, extra)
    };
    let boot = Boot {
        name: name.clone(),
        command: &command,
        ready: PROMPT,
        image: addresses(image)?,
        entries: Some((
            image::entry(workspace, machine.arch, "nucleus")?,
            image::entry(workspace, machine.arch, "manager")?,
        )),
    };
    let progress = Progress::start(&format!("counting the instructions of a boot on {name}"));
    let (counts, answers) = boot.counted(workspace, &["stages", "memory --json"])?;
    drop(progress);
    let entry = *counts
        .get("entry")
        .context("the image's first instruction was not seen")?;
    let waits = *counts
        .get("waits")
        .context("the guest never waited for a line")?;
    figures.add(format!("boot.{name}.instructions"), (waits - entry) as f64);
    figures.add(format!("boot.{name}.firmware_instructions"), entry as f64);
    if let (Some(nucleus), Some(user)) = (counts.get("nucleus"), counts.get("user")) {
        let figure = format!("boot.{name}.nucleus_to_user.instructions");
        figures.add(figure, (user - nucleus) as f64);
    }
    for (figure, counted) in stages(answers.first().map_or("", String::as_str))? {
        figures.add(format!("{figure}.{name}.instructions"), counted);
    }
    for (figure, value) in memory(
        mib(machine)? as f64 * 1024.0,
        answers.get(1).map_or("", String::as_str),
    ) {
        figures.add(format!("memory.{name}.{figure}"), value);
    }
    figures.add(
        format!("memory.{name}.smallest_mib"),
        smallest(machine, &boot)? as f64,
    );
    let _progress = Progress::start(&format!("timing boots on {name}"));
    figures.add(format!("boot.{name}.wall_s"), boot.seconds(BOOTS)?);
    Ok(())
}

/// The smallest `-m`, in MiB, with which the machine still comes up, by halving: each step is a boot.
fn smallest(machine: &Machine, boot: &Boot) -> Result<u64> {
    let progress = Progress::start(&format!("looking for the least memory of {}", boot.name));
    let usual = mib(machine)?;
    let (mut too_little, mut enough) = (0, usual);
    while enough - too_little > 1 {
        let tried = too_little.midpoint(enough);
        progress.detail(&format!("{tried} MiB"));
        // The last word counts.
        let extra = ["-m".to_owned(), tried.to_string()];
        match boot.comes_up(&extra, LITTLE)? {
            true => enough = tried,
            false => too_little = tried,
        }
    }
    let seconds = LITTLE.as_secs();
    ensure!(
        enough < usual,
        "{} does not come up within {seconds} s with less than {usual} MiB",
        boot.name
    );
    Ok(enough)
}

fn theirs(
    workspace: &Workspace,
    machine: &Machine,
    linux: &Linux,
    first: bool,
    figures: &mut Figures,
) -> Result<()> {
    let (name, arch) = (&machine.name, machine.arch.name());
    if first {
        let kib = linux.kernel_size.div_ceil(1024);
        figures.add(format!("image.{arch}.kib.linux"), kib as f64);
        // An arm64 kernel is shipped without its sections.
        if machine.arch == Arch::X86_64 {
            let text = image::section_bytes(&linux.kernel, ".text")?;
            figures.add(format!("nucleus.{arch}.text_bytes.linux"), text as f64);
        }
    }
    let timed = std::cell::Cell::new(false);
    let command = |serial: &str, extra: &[String]| -> Result<Command> {
        let mut command = Command::new(machine.arch.emulator());
        let mut words = machine.emulator_arguments(workspace)?;
        if timed.get() {
            words.iter_mut().for_each(|word| *word = without_acpi(word));
        }
        command
            .args(words)
            .args(["-serial", serial])
            .args(linux.arguments(machine.arch))
            .args(extra);
        Ok(command)
    };
    let boot = Boot {
        name: format!("{name}-linux"),
        command: &command,
        ready: linux::READY,
        image: (0, 0),
        entries: None,
    };
    let progress = Progress::start(&format!(
        "counting the instructions of Linux's boot on {name}"
    ));
    let (counts, _) = boot.counted(workspace, &[])?;
    drop(progress);
    let marker = *counts
        .get("marker")
        .context("Linux did not reach its first program")?;
    figures.add(format!("boot.{name}.instructions.linux"), marker as f64);
    timed.set(true);
    let least = smallest(machine, &boot)?;
    figures.add(format!("memory.{name}.smallest_mib.linux"), least as f64);
    let _progress = Progress::start(&format!("timing Linux's boots on {name}"));
    let seconds = boot.seconds(BOOTS)?;
    figures.add(format!("boot.{name}.wall_s.linux"), seconds);
    if let Some(our_seconds) = figures.get(&format!("boot.{name}.wall_s")) {
        figures.add(format!("boot.{name}.wall_ratio"), our_seconds / seconds);
    }
    Ok(())
}

/// A word of a machine's arguments as Linux needs it where the clock is not the emulator's: on a microvm with ACPI it finds
/// nothing there to calibrate its clock by, and hangs.
fn without_acpi(word: &str) -> String {
    match word.strip_prefix("microvm,acpi=on") {
        Some(rest) => format!("microvm,acpi=off{rest}"),
        None => word.to_owned(),
    }
}

/// Where the image lies in the guest's physical memory.
fn addresses(image: &Image) -> Result<(u64, u64)> {
    match image.arch {
        Arch::X86_64 => {
            let bytes = std::fs::read(&image.path)
                .with_context(|| format!("reading {}", image.path.display()))?;
            let header = object::elf::FileHeader64::<Endianness>::parse(bytes.as_slice())?;
            let endian = header.endian()?;
            let loaded: Vec<(u64, u64)> = header
                .program_headers(endian, bytes.as_slice())?
                .iter()
                .filter(|segment| segment.p_type(endian) == object::elf::PT_LOAD)
                .map(|segment| (segment.p_paddr(endian), segment.p_memsz(endian)))
                .collect();
            let start = loaded
                .iter()
                .map(|(base, _)| *base)
                .min()
                .context("the image has no segments")?;
            let end = loaded
                .iter()
                .map(|(base, size)| base + size)
                .max()
                .context("the image has no segments")?;
            Ok((start, end))
        }
        // Behind the emulator's own few instructions at the start of memory.
        Arch::Aarch64 => Ok((0x4008_0000, 0x5000_0000)),
    }
}

/// Which figure a stage of genesis belongs to.
const STAGES: [(&str, &str); 8] = [
    // Reading the carried rulebook.
    ("unpack", "generate"),
    ("discover", "discovery"),
    ("match", "generate"),
    ("learn", "generate"),
    ("specialise", "generate"),
    ("emit", "generate"),
    ("prove", "prove"),
    ("install", "install"),
];

/// The prompt's `stages` (`NAME NUMBER instructions` a line) by figure, in the order of the stages.
///
/// # Errors
/// When the machine did not count instructions.
pub(super) fn stages(answer: &str) -> Result<Vec<(&'static str, f64)>> {
    let mut found: Vec<(&'static str, f64)> = Vec::new();
    for line in answer.lines() {
        let mut words = line.split_whitespace();
        let (Some(name), Some(number), Some(unit)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let figure = STAGES
            .iter()
            .find(|(stage, _)| *stage == name)
            .map(|(_, figure)| *figure);
        let (Some(figure), Ok(counted)) = (figure, number.parse::<f64>()) else {
            continue;
        };
        if unit != "instructions" {
            bail!("the guest tells its stages in {unit}, and not in instructions");
        }
        match found.iter_mut().find(|(known, _)| *known == figure) {
            Some((_, sum)) => *sum += counted,
            None => found.push((figure, counted)),
        }
    }
    Ok(found)
}

/// The machine's memory, what its firmware keeps included.
fn mib(machine: &Machine) -> Result<u64> {
    let mut words = machine.arguments.iter().skip_while(|word| *word != "-m");
    (words.nth(1).and_then(|mib| mib.parse().ok()))
        .with_context(|| format!("{} does not say `-m` MiB", machine.name))
}

/// KiB by figure, of the prompt's `memory --json`, in a machine with `all_kib`.
fn memory(all_kib: f64, answer: &str) -> Vec<(&'static str, f64)> {
    let line = answer.lines().find(|line| line.starts_with('{'));
    let Some(Ok(told)) = line.map(serde_json::from_str::<serde_json::Value>) else {
        return Vec::new();
    };
    let kib = |value: &serde_json::Value| value.as_f64().map(|bytes| bytes / 1024.0);
    let mut found = Vec::new();
    if let Some(free) = kib(&told["kinds"]["free"]) {
        found.push(("in_use_kib", all_kib - free.floor()));
    }
    if let Some(executable) = kib(&told["executable"]) {
        found.push(("executable_kib", executable.ceil()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_summed_by_figure() {
        let names = [
            "discover 100",
            "match 5",
            "specialise 20",
            "emit 30",
            "prove 7",
            "other 9",
        ];
        let said = |unit: &str| names.map(|line| format!("{line} {unit}\n")).concat();
        assert_eq!(
            stages(&said("instructions")).unwrap(),
            [("discovery", 100.0), ("generate", 55.0), ("prove", 7.0)]
        );
        assert!(stages(&said("microseconds")).is_err());
    }

    #[test]
    fn memory_is_what_is_not_free() {
        let said = r#"{"ram":268304384,"kinds":{"nucleus_code":131072,"free":266207232},"executable":500000}"#;
        assert_eq!(
            memory(262_144.0, said),
            [("in_use_kib", 2176.0), ("executable_kib", 489.0)]
        );
        assert!(memory(1.0, "error: no").is_empty());
    }
}
