//! `meta rule explain`: which rule each device of a machine gets and why, judged here by the code that genesis runs.

use crate::discover::{booted, model_of};
use crate::workspace::Workspace;
use crate::{machines, rules};
use anyhow::{bail, Context, Result};
use clap::Args;
use machine::{Device, Machine, Value};
use rulebook::tree::Book;
use std::path::PathBuf;
use synthesis::{Job, Plan};

#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// Boot this machine and explain what it is found to be
    #[arg(long, value_name = "NAME", conflicts_with = "file", default_value = machines::DEFAULT)]
    machine: String,
    /// Explain a machine model: what the prompt's `machine` printed somewhere
    #[arg(long, value_name = "machine.json")]
    file: Option<PathBuf>,
    /// Folder of rule files
    #[arg(long, value_name = "FOLDER")]
    rules: Option<PathBuf>,
    /// Only devices whose path or driver's name contains this
    #[arg(value_name = "DEVICE")]
    device: Option<String>,
}

/// Runs `meta rule explain`.
///
/// # Errors
/// When a rule is wrong, the machine does not boot, or there is no such device.
pub fn run(workspace: &Workspace, arguments: &ExplainArguments) -> Result<()> {
    let folder = arguments.rules.clone();
    let book = rules::book(&folder.unwrap_or_else(|| workspace.root.join("rules")))?;
    let mut model = match &arguments.file {
        Some(path) => model_of(
            &std::fs::read_to_string(path)
                .with_context(|| format!("reading {}", path.display()))?,
        )
        .with_context(|| format!("in {}", path.display()))?,
        None => booted(workspace, &arguments.machine)?,
    };
    let plan = plan(&book, &mut model);
    let wanted = arguments.device.as_deref().unwrap_or_default();
    let told = explain(&book, &model, &plan, wanted);
    if told.is_empty() {
        bail!("no device's path or name contains {wanted:?}");
    }
    crate::terminal::print(told.trim_end());
    Ok(())
}

/// What genesis plans for this model, found without its hardware.
#[must_use]
pub fn plan(book: &Book, model: &mut Machine) -> Plan {
    synthesis::plan(book, model, |subject| {
        synthesis::match_device(subject, None)
    })
}

/// Device by device: the rule and its clues, or what came near.
#[must_use]
pub fn explain(book: &Book, model: &Machine, plan: &Plan, wanted: &str) -> String {
    let mut text = String::new();
    for (index, device) in model.devices.iter().enumerate() {
        let jobs: Vec<&Job> = plan.jobs.iter().filter(|j| j.device == index).collect();
        if !device.path.contains(wanted) && !jobs.iter().any(|j| j.name.contains(wanted)) {
            continue;
        }
        text += &format!("{} on {}{}\n", device.path, device.bus, what(device));
        for job in &jobs {
            let (name, title, class) = (&job.name, job.choice.title(book), &job.choice.class);
            let score = job.choice.score;
            text += &format!("  {name}: rule {title}, class {class}, score {score}\n");
            for clue in &job.choice.clues {
                let held = if clue.held { '+' } else { '-' };
                text += &format!("    {held} {} ({})\n", clue.text, clue.score);
            }
        }
        if !jobs.is_empty() {
            continue;
        }
        let unmatched = plan.unmatched.iter().find(|u| u.device == index);
        text += &match unmatched.map(|u| &u.nearest) {
            None => "  a place that a rule names, and nothing was recognised there\n".to_owned(),
            Some(None) => "  no rule, and none came near\n".to_owned(),
            Some(Some((rule, clue))) => {
                format!("  no rule; nearest {rule}, which fails at: {clue}\n")
            }
        };
    }
    text
}

/// What a person knows the device by.
fn what(device: &Device) -> String {
    let mut text = String::new();
    for fact in &device.facts {
        match (&fact.value, fact.name.as_str()) {
            (Value::Number(n), "vendor" | "device" | "class") => {
                text += &format!(", {} {n:#06x}", fact.name);
            }
            (Value::Text(t), "acpi") => text += &format!(", ACPI {t}"),
            (Value::Text(t), "hid") => text += &format!(", {t}"),
            (Value::Texts(t), "compatible") => text += &format!(", {}", t.join(", ")),
            _ => {}
        }
    }
    text
}
