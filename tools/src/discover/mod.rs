//! `meta discover`: what a machine is, from inside, from outside, of this computer, from its firmware's tables, or from a file.

pub mod dumped;
pub mod host;
pub mod outside;
mod page;
mod tables;
mod tree;
pub mod words;

use crate::workspace::Workspace;
use crate::{image, machines, prompt, rules, run};
use anyhow::{Context, Result};
use clap::Args;
use machine::Machine;
use rulebook::tree::Book;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct DiscoverArguments {
    /// Boot this machine, and tell what it finds out about itself
    #[arg(value_name = "BOOT", default_value = machines::DEFAULT, conflicts_with_all = ["machine", "host", "file", "acpi", "dtb"])]
    boot: String,
    #[command(flatten)]
    whose: Whose,
    /// Print the machine model (machine.json) and nothing else
    #[arg(long)]
    json: bool,
    /// Write a page that shows the machine as a picture: buses, devices, memory map, interrupt routes
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    html: Option<PathBuf>,
}

/// Which machine's model is wanted, when it is not one that is to be booted.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct Whose {
    /// Look at this emulated machine from outside, as its firmware leaves it: nothing of ours runs in it
    #[arg(long, value_name = "NAME")]
    machine: Option<String>,
    /// This computer (Linux), which is only read
    #[arg(long)]
    host: bool,
    /// A machine model that was printed somewhere (by --json, or by the prompt's `machine`)
    #[arg(long, value_name = "machine.json")]
    file: Option<PathBuf>,
    /// A machine whose ACPI tables somebody dumped: a folder of files (`acpidump -b`, or a copy of /sys/firmware/acpi/tables),
    /// or the text that `acpidump` prints. Nothing else of that machine is known
    #[arg(long, value_name = "FOLDER or acpidump.txt")]
    acpi: Option<PathBuf>,
    /// A machine that a devicetree blob describes (a .dtb file, or a copy of /sys/firmware/fdt)
    #[arg(long, value_name = "FILE")]
    dtb: Option<PathBuf>,
    #[command(flatten)]
    absent: Absent,
}

/// What stands in for the machine behind dumped tables.
#[derive(Debug, Args)]
pub struct Absent {
    /// With --acpi: what memory, ports and configuration space read as when the tables ask them: 00 or ff
    #[arg(long, value_name = "BYTE", default_value = "00", value_parser = ["00", "ff"], requires = "acpi")]
    fill: String,
    /// With --acpi: also run the tables' own initialisation (_INI), with these numbers instead of the machine's
    #[arg(long, requires = "acpi")]
    initialise: bool,
}

impl Absent {
    fn byte(&self) -> u8 {
        match self.fill.as_str() {
            "ff" => 0xff,
            _ => 0,
        }
    }
}

/// Runs `meta discover`.
///
/// # Errors
/// When the machine does not come up, or the file holds no model.
pub fn run(workspace: &Workspace, arguments: &DiscoverArguments) -> Result<()> {
    let book = rules::book(&workspace.root.join("rules"))?;
    let model = arguments.whose.model(workspace, &book, &arguments.boot)?;
    if let Some(path) = &arguments.html {
        let name = arguments.whose.name(&arguments.boot);
        std::fs::write(path, page::page(&model, &name))
            .with_context(|| format!("writing {}", path.display()))?;
        crate::terminal::print(format!("{} shows {name}", path.display()));
    } else if arguments.json {
        crate::terminal::print(serde_json::to_string(&model)?);
    } else {
        crate::terminal::print(tree::tree(&model).trim_end());
    }
    Ok(())
}

impl Whose {
    /// The emulated machine that is to be looked at from outside: the one that is named, or `default` when nothing is.
    #[must_use]
    pub fn emulated<'a>(&'a self, default: &'a str) -> Option<&'a str> {
        match &self.machine {
            None if self.host || self.path().is_some() => None,
            None => Some(default),
            Some(name) => Some(name),
        }
    }

    /// The same on a command line.
    #[must_use]
    pub fn words(&self) -> Vec<std::ffi::OsString> {
        if self.host {
            return vec!["--host".into()];
        }
        match (&self.machine, self.path()) {
            (Some(name), _) => vec!["--machine".into(), name.into()],
            (_, Some((option, path))) => vec![option.into(), path.into()],
            _ => Vec::new(),
        }
    }

    /// The option that names a file or folder, and which.
    fn path(&self) -> Option<(&'static str, &Path)> {
        let named = [
            ("--file", &self.file),
            ("--acpi", &self.acpi),
            ("--dtb", &self.dtb),
        ];
        named
            .into_iter()
            .find_map(|(option, path)| Some((option, path.as_deref()?)))
    }

    /// What the machine is called.
    fn name(&self, boot: &str) -> String {
        match (&self.machine, self.path()) {
            (Some(name), _) => name.clone(),
            (_, Some((_, path))) => path.display().to_string(),
            _ if self.host => "this computer".into(),
            _ => boot.to_owned(),
        }
    }

    /// The model; of the machine `boot`, booted, when no other is named.
    ///
    /// # Errors
    /// As [`run`].
    pub fn model(&self, workspace: &Workspace, book: &Book, boot: &str) -> Result<Machine> {
        if let Some(name) = &self.machine {
            let described = machines::named(workspace, name)?;
            let _progress =
                crate::terminal::Progress::start(&format!("looking at {name} from outside"));
            let mut found = outside::discover(workspace, &described, &synthesis::candidates(book))?;
            found.recognise(book);
            return Ok(found.model);
        }
        if self.host {
            return host::discover(&synthesis::candidates(book));
        }
        match self.path() {
            Some(("--acpi", path)) => {
                dumped::acpi(path, self.absent.byte(), self.absent.initialise)
            }
            Some(("--dtb", path)) => dumped::devicetree(path),
            Some((_, path)) => read(path),
            None => booted(workspace, boot),
        }
    }
}

fn read(path: &Path) -> Result<Machine> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    model_of(&text).with_context(|| format!("in {}", path.display()))
}

/// The model in what the prompt's `machine` answered.
///
/// # Errors
/// When it holds none.
pub fn model_of(answer: &str) -> Result<Machine> {
    let json = answer.lines().find(|line| line.starts_with('{'));
    let json = json.context("there is no machine model: it is one line that begins with {")?;
    serde_json::from_str(json).context("this is no machine model")
}

/// What a machine finds out about itself when it is booted.
///
/// # Errors
/// When it does not come to its prompt.
pub fn booted(workspace: &Workspace, name: &str) -> Result<Machine> {
    let machine = machines::named(workspace, name)?;
    let image = image::build(workspace, machine.arch)?;
    let lines = ["machine"];
    let answers = run::execute(workspace, &machine, &image, &[], &lines, prompt::PATIENCE)?;
    model_of(answers.first().map_or("", String::as_str))
}

/// Boots `machine`, types `line` and prints the answer.
///
/// # Errors
/// When it does not come to its prompt.
pub fn answer(workspace: &Workspace, machine: &str, line: &str) -> Result<()> {
    let machine = machines::named(workspace, machine)?;
    let image = image::build(workspace, machine.arch)?;
    for answer in run::execute(workspace, &machine, &image, &[], &[line], prompt::PATIENCE)? {
        crate::terminal::print(answer);
    }
    Ok(())
}
