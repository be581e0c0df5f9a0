//! `meta rule test`: every rule on the emulator's model of its device, in five ways that must do the same.

use anyhow::{bail, Context, Result};
use clap::Args;
use meta::image::{self, Arch};
use meta::rules;
use meta::terminal::{self, Progress};
use meta::workspace::Workspace;
use proof::models::{self, Model};
use proof::ways::{self, Report};
use rulebook::tree::Book;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct TestArguments {
    /// Only models whose name or rules contain this
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// Folder of rule files
    #[arg(long, value_name = "FOLDER")]
    pub rules: Option<PathBuf>,
    /// Another list of device models
    #[arg(long, value_name = "models.toml")]
    pub models: Option<PathBuf>,
}

/// Runs `meta rule test`.
///
/// # Errors
/// When a self-test fails, two ways differ, or there is no such model.
pub fn run(workspace: &Workspace, arguments: &TestArguments) -> Result<()> {
    let folder = arguments.rules.clone();
    let book = rules::book(&folder.unwrap_or_else(|| workspace.root.join("rules")))?;
    let models = list(workspace, arguments.models.clone())?;
    let wanted = arguments.device.as_deref().unwrap_or_default();
    let fits = |m: &&Model| m.name.contains(wanted) || m.rules.split(' ').any(|r| r == wanted);
    let chosen: Vec<&Model> = models.iter().filter(fits).collect();
    if chosen.is_empty() {
        bail!("no device model's name contains {wanted:?}; tests/devices/models.toml lists them");
    }
    let arm64 = image::build_host_program(workspace, Arch::Aarch64, "arm64-side")?;
    let (mut good, mut bad) = (0, 0);
    let mut shapes: BTreeMap<graph::hash::Hash, Vec<&str>> = BTreeMap::new();
    for model in &chosen {
        if let Some(why) = &model.elsewhere {
            terminal::print(format!("not here {:24} {why}", model.name));
            continue;
        }
        match try_one(&book, model, &arm64) {
            Ok((text, shape)) => {
                good += 1;
                if let Some(shape) = shape {
                    shapes.entry(shape).or_default().push(&model.name);
                }
                terminal::print(format!(
                    "{}   {:24} {text}",
                    terminal::good("proved"),
                    model.name
                ));
            }
            Err(why) => {
                bad += 1;
                terminal::print(format!(
                    "{}   {:24} {why}",
                    terminal::bad("FAILED"),
                    model.name
                ));
            }
        }
    }
    for names in shapes.values().filter(|names| names.len() > 1) {
        terminal::print(format!("one shape, other numbers: {}", names.join(", ")));
    }
    for name in missing(&book, &models) {
        if wanted.is_empty() {
            terminal::print(format!(
                "no model {name:24} tests/devices/models.toml has no table for this rule"
            ));
        }
    }
    terminal::print(format!("{good} proved, {bad} failed"));
    match bad {
        0 => Ok(()),
        _ => bail!("{bad} device models failed; what differed is above"),
    }
}

/// The list of device models.
///
/// # Errors
/// When the file cannot be read or is no such list.
pub fn list(workspace: &Workspace, path: Option<PathBuf>) -> Result<Vec<Model>> {
    let path = path.unwrap_or_else(|| workspace.root.join("tests/devices/models.toml"));
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    models::read(&text).with_context(|| format!("in {}", path.display()))
}

/// What is said of it, and its driver's shape.
type Tried = (String, Option<graph::hash::Hash>);

fn try_one(book: &Book, model: &Model, arm64: &Path) -> Result<Tried, String> {
    let progress = Progress::start(&format!("proving {}", model.name));
    let report = ways::prove(book, model, arm64).map_err(|error| error.to_string())?;
    drop(progress);
    match report.good() {
        true => Ok((said(&report), report.shape)),
        false => Err(why(&report)),
    }
}

fn said(report: &Report) -> String {
    let listed = |words: Vec<String>| words.join(", ");
    let accesses = listed(report.runs.iter().map(|r| r.accesses.to_string()).collect());
    let ways = listed(report.runs.iter().map(|r| r.way.name().into()).collect());
    let mut text = format!(
        "{}: {accesses} device accesses by {ways}; {} steps alike",
        report.rules,
        report.runs.first().map_or(0, |run| run.lines.len())
    );
    for (way, why) in &report.left_out {
        text += &format!("; no {}, {why}", way.name());
    }
    text
}

fn why(report: &Report) -> String {
    use classes::selftest::Outcome;
    let mut text = report.rules.clone();
    if report.unlike {
        text += "\n    the same device did not give the same graph twice";
    }
    for run in &report.runs {
        text += &match run.outcome {
            Outcome::Verified => continue,
            Outcome::Unverified(why) => format!("\n    {}: not verified: {why}", run.way.name()),
            Outcome::Rejected(why) => format!("\n    {}: {why}", run.way.name()),
        };
    }
    if let Some(what) = &report.outside {
        text += &format!("\n    seen from outside: {what}");
    }
    if let Some((way, difference)) = &report.difference {
        text += &format!(
            "\n    the interpreter (-) and the {} (+) part here:\n{difference}",
            way.name()
        );
    }
    text
}

/// Rules that no model names.
fn missing(book: &Book, models: &[Model]) -> Vec<String> {
    let named = |name: &str| models.iter().any(|m| m.rules.split(' ').any(|r| r == name));
    book.rules
        .iter()
        .filter(|rule| rule.parameters.is_empty())
        .map(|rule| book.name(rule.name).to_owned())
        .filter(|name| !named(name))
        .collect()
}
