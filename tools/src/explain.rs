//! `meta rule explain`: which rule each device of a machine gets and why, judged here by the code that genesis runs.

use crate::discover::{words, Whose};
use crate::workspace::Workspace;
use crate::{machines, rules};
use anyhow::{bail, Result};
use clap::Args;
use machine::{Device, Machine, Value, WindowKind};
use rulebook::tree::Book;
use serde_json::{json, Value as Json};
use std::path::PathBuf;
use synthesis::{Job, Plan};

#[derive(Debug, Args)]
pub struct ExplainArguments {
    #[command(flatten)]
    whose: Whose,
    /// Boot this machine and explain what it finds itself to be, if none of the above is given
    #[arg(long, value_name = "NAME", default_value = machines::DEFAULT, conflicts_with_all = ["machine", "host", "file", "acpi", "dtb"])]
    boot: String,
    /// Folder of rule files
    #[arg(long, value_name = "FOLDER")]
    rules: Option<PathBuf>,
    /// Print one JSON object, and nothing else
    #[arg(long)]
    json: bool,
    /// Only devices whose path or driver's name contains this
    #[arg(value_name = "DEVICE")]
    device: Option<String>,
}

/// Runs `meta rule explain`.
///
/// # Errors
/// When a rule is wrong, the machine does not come up, or there is no such device.
pub fn run(workspace: &Workspace, arguments: &ExplainArguments) -> Result<()> {
    let folder = arguments.rules.clone();
    let book = rules::book(&folder.unwrap_or_else(|| workspace.root.join("rules")))?;
    let mut model = arguments.whose.model(workspace, &book, &arguments.boot)?;
    let plan = plan(&book, &mut model);
    let wanted = arguments.device.as_deref().unwrap_or_default();
    let told = explain(&book, &model, &plan, wanted);
    if told.is_empty() {
        bail!("no device's path or name contains {wanted:?}");
    }
    if arguments.json {
        let all = json(&book, &model, &plan, wanted);
        crate::terminal::print(serde_json::to_string_pretty(&all)?);
        return Ok(());
    }
    crate::terminal::print(told.trim_end());
    if wanted.is_empty() {
        crate::terminal::print(format!("\n{}", summary(&model, &plan)));
    }
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
            Some(None) => format!("  no rule, and none came near{}\n", places(device)),
            Some(Some((rule, clue))) => {
                let places = places(device);
                format!("  no rule; nearest {rule}, which fails at: {clue}{places}\n")
            }
        };
    }
    text
}

/// The same as data.
fn json(book: &Book, model: &Machine, plan: &Plan, wanted: &str) -> Json {
    let mut devices = Vec::new();
    for (index, device) in model.devices.iter().enumerate() {
        let jobs: Vec<&Job> = plan.jobs.iter().filter(|j| j.device == index).collect();
        if !device.path.contains(wanted) && !jobs.iter().any(|j| j.name.contains(wanted)) {
            continue;
        }
        let drivers: Vec<Json> = (jobs.iter())
            .map(|job| {
                let clues = (job.choice.clues.iter())
                    .map(|c| json!({ "text": c.text, "score": c.score, "held": c.held }));
                json!({
                    "name": job.name,
                    "rule": job.choice.title(book),
                    "class": job.choice.class,
                    "score": job.choice.score,
                    "clues": clues.collect::<Vec<Json>>(),
                })
            })
            .collect();
        let unmatched = plan.unmatched.iter().find(|u| u.device == index);
        let nearest = unmatched.and_then(|u| u.nearest.as_ref());
        devices.push(json!({
            "path": device.path,
            "bus": device.bus,
            "what": words::kind(device),
            "covered": !jobs.is_empty(),
            "drivers": drivers,
            "nearest": nearest.map(|(rule, clue)| json!({ "rule": rule, "missing": clue })),
        }));
    }
    json!({ "identity": words::identity(model), "devices": devices })
}

/// Is this machine covered? Counts, and what it will not have.
fn summary(model: &Machine, plan: &Plan) -> String {
    let served = |index: &usize| plan.jobs.iter().any(|job| job.device == *index);
    let covered = (0..model.devices.len()).filter(served).count();
    let mut text = format!(
        "{covered} of {} devices have a rule, {} have none",
        model.devices.len(),
        plan.unmatched.len()
    );
    for (class, what) in contract::MISSED {
        if !plan.jobs.iter().any(|job| job.choice.class == class) {
            text += &format!("; no {what} that can be used");
        }
    }
    text
}

/// Where an unknown device is, and what it can: for whoever writes its rule.
fn places(device: &Device) -> String {
    let mut text = String::new();
    for window in &device.windows {
        let (index, base, size) = (window.index, window.base, window.size);
        let kind = match window.kind {
            WindowKind::Memory => "memory",
            WindowKind::Port => "ports",
        };
        text += &format!("\n    window {index}: {kind} {base:#x} + {size:#x}");
    }
    let able: Vec<String> = device.capabilities.iter().map(words::capability).collect();
    if !able.is_empty() {
        text += &format!("\n    capabilities: {}", able.join(", "));
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
