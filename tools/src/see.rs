//! `meta see`: the code that a rule becomes for a device, written here as genesis writes it, in the view that is asked
//! for. Assembly needs the compiler, so the prover's program shows that (`tools/prove`), from what this finds.

use crate::discover::{outside, Whose};
use crate::workspace::Workspace;
use crate::{discover, explain, machines, prove, rules, terminal};
use anyhow::{anyhow, bail, Context, Result};
use clap::{Args, ValueEnum};
use graph::view::{self, Names};
use graph::{hash, Op, RegionId, Residual};
use machine::{Arch, Machine};
use rulebook::tree::Book;
use serde_json::{json, Value as Json};
use std::ffi::OsString;
use synthesis::{Job, Plan, Written};

/// How code is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// One step a line, in plain words
    #[value(alias = "graph")]
    Semantic,
    /// A function of C
    C,
    /// A definition of Forth
    Forth,
    /// The machine's instructions, each run of them under the step it comes from
    #[value(alias = "assembly")]
    Asm,
}

/// A processor to write code for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Processor {
    #[value(name = "x86_64")]
    X86_64,
    #[value(name = "aarch64", alias = "arm64")]
    Aarch64,
}

#[derive(Debug, Args)]
pub struct SeeArguments {
    /// A device, such as virtio-net: lists its operations, or shows all of them --as something. Or one operation of it:
    /// virtio-net.transmit
    #[arg(value_name = "NODE")]
    pub node: String,
    /// The view
    #[arg(long = "as", value_name = "VIEW", value_enum)]
    pub form: Option<Form>,
    /// Code for this processor, whatever the machine's is (assembly only)
    #[arg(long, value_enum, value_name = "PROCESSOR")]
    pub arch: Option<Processor>,
    #[command(flatten)]
    pub whose: Whose,
    /// Boot this machine, and show what its own prompt shows of the code that it wrote
    #[arg(long, value_name = "NAME", conflicts_with_all = ["machine", "host", "file", "form", "arch", "json"])]
    pub boot: Option<String>,
    /// Folder of rule files
    #[arg(long, value_name = "FOLDER")]
    pub rules: Option<std::path::PathBuf>,
    /// Print one JSON object, and nothing else
    #[arg(long)]
    pub json: bool,
    /// More words for the emulator, such as -device i6300esb
    #[arg(last = true, value_name = "EMULATOR")]
    pub emulator: Vec<String>,
}

/// A driver that was written here.
pub struct Shown {
    pub book: Book,
    pub job: Job,
    /// The device's path in the model, and its processor.
    pub path: String,
    pub arch: Arch,
    pub written: Written,
    pub names: Names,
    /// The entries that are wanted.
    pub entries: Vec<usize>,
    /// Whether one was asked for by name.
    pub one: bool,
}

/// Runs `meta see`.
///
/// # Errors
/// When there is no such device or operation, or its driver cannot be written here.
pub fn run(workspace: &Workspace, arguments: &SeeArguments) -> Result<()> {
    if let Some(machine) = &arguments.boot {
        return discover::answer(workspace, machine, &format!("see {}", arguments.node));
    }
    if arguments.form == Some(Form::Asm) {
        return prove::run(workspace, &words(arguments));
    }
    let shown = find(workspace, arguments)?;
    if arguments.json {
        let text = |entry| shown.text(arguments.form.unwrap_or(Form::Semantic), entry);
        terminal::print(serde_json::to_string_pretty(&shown.json(text)?)?);
        return Ok(());
    }
    let form = match (arguments.form, shown.one) {
        (None, false) => {
            terminal::print(shown.list(&arguments.node)?.trim_end());
            return Ok(());
        }
        (form, _) => form.unwrap_or(Form::Semantic),
    };
    terminal::print(shown.head(form, &[])?.trim_end());
    if form == Form::Forth && !shown.one {
        terminal::print(format!(
            "\n{}",
            view::forth_file(&shown.written.residual, &shown.names).trim_end()
        ));
        return Ok(());
    }
    for entry in &shown.entries {
        terminal::print(format!("\n{}", shown.text(form, *entry).trim_end()));
    }
    Ok(())
}

/// The same command for the prover's program.
fn words(arguments: &SeeArguments) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec!["see".into(), arguments.node.clone().into()];
    words.extend(["--as".into(), "asm".into()]);
    if let Some(arch) = arguments.arch.and_then(|a| a.to_possible_value()) {
        words.extend(["--arch".into(), arch.get_name().into()]);
    }
    words.extend(arguments.whose.words());
    if let Some(rules) = &arguments.rules {
        words.extend(["--rules".into(), rules.into()]);
    }
    if arguments.json {
        words.push("--json".into());
    }
    words.push("--".into());
    words.extend(arguments.emulator.iter().map(OsString::from));
    words
}

/// Finds the device, and writes its driver.
///
/// # Errors
/// As [`run`].
pub fn find(workspace: &Workspace, arguments: &SeeArguments) -> Result<Shown> {
    let folder = arguments.rules.clone();
    let book = rules::book(&folder.unwrap_or_else(|| workspace.root.join("rules")))?;
    let (device, operation) = match arguments.node.split_once('.') {
        Some((device, operation)) => (device, Some(operation)),
        None => (arguments.node.as_str(), None),
    };
    let (model, job) = match arguments.whose.emulated(machines::DEFAULT) {
        Some(name) => {
            let mut described = machines::named(workspace, name)?;
            described
                .arguments
                .extend(arguments.emulator.iter().cloned());
            let _progress = terminal::Progress::start(&format!("looking at {name} from outside"));
            let mut found = outside::discover(workspace, &described, &synthesis::candidates(&book))
                .map_err(|e| instead(e, name))?;
            let job = job(found.recognise(&book), device)?;
            found.learn(&book, &job).map_err(|e| instead(e, name))?;
            (found.model, job)
        }
        None => {
            let mut model = arguments.whose.model(workspace, &book, machines::DEFAULT)?;
            let job = job(explain::plan(&book, &mut model), device)?;
            (model, job)
        }
    };
    let subject = synthesis::subject(&book, &model, job.device).context("it is in the model")?;
    if synthesis::serves_nothing(subject, &job.choice) {
        bail!("{device} gets no driver: nothing is connected to it");
    }
    let (written, names) = synthesis::specialise_named(subject, &job.choice).map_err(|e| {
        anyhow!(
            "{device} cannot be written: {}{}",
            e.show(&book),
            unlearned(&model, &job)
        )
    })?;
    let (entries, one) = chosen(&written.residual, device, operation)?;
    let path = model.devices[job.device].path.clone();
    Ok(Shown {
        path,
        arch: model.arch,
        book,
        job,
        written,
        names,
        entries,
        one,
    })
}

/// What a halted machine cannot tell, a booted one can.
fn instead(error: anyhow::Error, machine: &str) -> anyhow::Error {
    anyhow!("{error:#}\nthe processor's own devices and UEFI are out of reach from outside: --boot {machine} shows what the machine itself wrote")
}

/// A model in which no device told anything cannot say what only devices tell.
fn unlearned(model: &Machine, job: &Job) -> &'static str {
    match model.devices.get(job.device) {
        Some(device) if device.learned.is_empty() => {
            "\nthe model holds nothing that this device told itself; `./meta discover --json` of a booted machine does"
        }
        _ => "",
    }
}

fn job(plan: Plan, device: &str) -> Result<Job> {
    let names: Vec<String> = plan.jobs.iter().map(|job| job.name.clone()).collect();
    match plan.jobs.into_iter().find(|job| job.name == device) {
        Some(job) => Ok(job),
        None => bail!(
            "no device is called {device:?}; there are: {}",
            names.join(", ")
        ),
    }
}

fn chosen(
    residual: &Residual,
    device: &str,
    operation: Option<&str>,
) -> Result<(Vec<usize>, bool)> {
    let Some(operation) = operation else {
        return Ok(((0..residual.entries.len()).collect(), false));
    };
    match residual.entries.iter().position(|e| e.name == operation) {
        Some(entry) => Ok((vec![entry], true)),
        None => {
            let names: Vec<&str> = residual.entries.iter().map(|e| e.name.as_str()).collect();
            bail!(
                "{device} has no operation {operation:?}; it has: {}",
                names.join(", ")
            )
        }
    }
}

impl Shown {
    fn text(&self, form: Form, entry: usize) -> String {
        let (residual, names) = (&self.written.residual, &self.names);
        match form {
            Form::C => view::c_named(residual, entry, names),
            Form::Forth => view::forth(residual, entry, names),
            Form::Semantic | Form::Asm => view::semantic_named(residual, entry, names),
        }
    }

    /// What is shown, in lines that the view takes for comments. `more` are lines behind the others.
    ///
    /// # Errors
    /// When the graph is not well formed.
    pub fn head(&self, form: Form, more: &[String]) -> Result<String> {
        let mark = match form {
            Form::C => "//",
            Form::Forth => "\\",
            Form::Semantic => "#",
            Form::Asm => ";",
        };
        let residual = &self.written.residual;
        let hashes = hash::of(residual).map_err(|why| anyhow!(why))?;
        let shape = hash::shape(residual).map_err(|why| anyhow!(why))?;
        let title = self.job.choice.title(&self.book);
        let mut lines = vec![
            format!(
                "{} at {}: rule {title}, class {}",
                self.job.name, self.path, self.job.choice.class
            ),
            format!("graph {}", hex(&hashes.residual)),
            format!("shape {} (its numbers left out)", hex(&shape)),
        ];
        if self.one {
            for entry in &self.entries {
                let name = &residual.entries[*entry].name;
                lines.push(format!("entry {} ({name})", hex(&hashes.entries[*entry])));
            }
        }
        lines.push(format!(
            "size  {} nodes; {} bytes of state, {} of memory shared with the device",
            residual.graph.nodes.len(),
            residual.state_size,
            residual.arena_size
        ));
        lines.extend(more.iter().cloned());
        for entry in &self.entries {
            let name = &residual.entries[*entry].name;
            let (steps, worst) = (self.steps(*entry), self.worst(*entry));
            lines.push(format!("{name}: {steps} steps; at most {worst}"));
        }
        Ok(lines
            .iter()
            .map(|line| format!("{mark} {line}\n"))
            .collect())
    }

    fn list(&self, node: &str) -> Result<String> {
        let first = self.written.residual.entries.first();
        let example = first.map_or("OPERATION", |e| e.name.as_str());
        Ok(format!(
            "{}`./meta see {node}.{example} --as semantic|c|forth|asm` shows one",
            self.head(Form::Semantic, &[])?.replace("# ", "")
        ))
    }

    /// The whole as data.
    ///
    /// # Errors
    /// As [`Shown::head`].
    pub fn json(&self, text: impl Fn(usize) -> String) -> Result<Json> {
        let residual = &self.written.residual;
        let hashes = hash::of(residual).map_err(|why| anyhow!(why))?;
        let shape = hash::shape(residual).map_err(|why| anyhow!(why))?;
        let entries: Vec<Json> = (self.entries.iter())
            .map(|entry| {
                let name = &residual.entries[*entry].name;
                json!({
                    "name": name,
                    "hash": hex(&hashes.entries[*entry]),
                    "steps": self.steps(*entry),
                    "worst": self.worst(*entry),
                    "text": text(*entry),
                })
            })
            .collect();
        Ok(json!({
            "name": self.job.name,
            "device": self.path,
            "rule": self.job.choice.title(&self.book),
            "class": self.job.choice.class,
            "graph": hex(&hashes.residual),
            "shape": hex(&shape),
            "nodes": residual.graph.nodes.len(),
            "state": residual.state_size,
            "arena": residual.arena_size,
            "entries": entries,
        }))
    }

    /// The worst case of an entry, from its graph.
    fn worst(&self, entry: usize) -> String {
        let all = graph::worst::worst(&self.written.residual);
        let worst = all.get(entry).copied().unwrap_or_default();
        let mut text = format!("{} device accesses", worst.accesses);
        for (count, what) in [
            (worst.rounds, "rounds of loops"),
            (worst.upcalls, "upcalls"),
        ] {
            if count > 0 {
                text += &format!(", {count} {what}");
            }
        }
        match worst.waits {
            0 => text,
            ns => text + &format!(", waits of {} µs", ns.div_ceil(1000)),
        }
    }

    /// Effects in the text of an entry.
    fn steps(&self, entry: usize) -> usize {
        let graph = &self.written.residual.graph;
        let mut open: Vec<RegionId> = vec![self.written.residual.entries[entry].body];
        let mut count = 0;
        while let Some(region) = open.pop() {
            for step in &graph.regions[region as usize].steps {
                count += 1;
                let op: &Op = &graph.nodes[*step as usize];
                open.extend(op.inner().into_iter().flatten());
            }
        }
        count
    }
}

/// A hash as people write it.
#[must_use]
pub fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
