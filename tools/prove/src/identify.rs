//! `meta bench identify`: do devices get their rule by what they do, when nothing may say what they are called?

use anyhow::{Context, Result};
use machine::Machine;
use meta::bench::{Bench, Figures};
use meta::discover::outside;
use meta::image::Arch;
use meta::prove_data::{self, Need};
use meta::rules;
use meta::terminal::{self, Progress};
use meta::workspace::Workspace;
use rulebook::tree::{Book, ItemKind};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use synthesis::{Choice, Plan};

/// Machines looked at at once: most of the time they wait for firmware.
const AT_ONCE: usize = 2;

/// One device: which rule it gets by its names, and which without them.
#[derive(Clone, Debug)]
struct Row {
    /// What was plugged in, or the machine.
    title: String,
    /// Its path.
    device: String,
    class: String,
    named: Option<String>,
    masked: Option<String>,
    /// Without its names, it was recognised by a clue that no data sheet supports.
    by_model: bool,
}

/// A clue with so many points rests on what the emulator's model shows (docs/rules.md, `match`).
const MODEL: u32 = 6;

/// Looks at every PCI device that the emulator offers, alone in a small PC; at the PC itself; and at a board.
///
/// # Errors
/// When the emulator cannot be asked what it offers.
pub fn measure(workspace: &Workspace, table: bool) -> Result<Figures> {
    let book = rules::book(&workspace.root.join("rules"))?;
    let needs = prove_data::needs(workspace)?;
    let pc = look(&book, Arch::X86_64, words("q35", &[]), "q35")
        .context("a PC with nothing plugged in")?;
    let mut rows = pc.clone();
    match look(&book, Arch::Aarch64, board(), "virt") {
        Ok(board) => rows.extend(board),
        Err(error) => eprintln!("virt: {error:#}"),
    }
    let names = offered()?;
    let progress = Progress::start("plugging in each device that the emulator offers");
    let (next, found, refused) = (
        AtomicUsize::new(0),
        Mutex::new(BTreeMap::new()),
        AtomicUsize::new(0),
    );
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(name) = names.get(number) else {
                    return;
                };
                match look(&book, Arch::X86_64, device(name, &needs), name) {
                    Ok(rows) => {
                        if let Ok(mut found) = found.lock() {
                            found.insert(number, rows);
                        }
                    }
                    Err(_) => {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        while next.load(Ordering::Relaxed) < names.len() {
            std::thread::sleep(std::time::Duration::from_millis(200));
            let done = next.load(Ordering::Relaxed).min(names.len());
            progress.detail(&format!("{done} of {}", names.len()));
        }
    });
    drop(progress);
    for own in found.into_inner().unwrap_or_default().into_values() {
        // What stands in the PC without it is not its own.
        let known = |row: &Row| pc.iter().any(|r| r.device == row.device);
        rows.extend(own.into_iter().filter(|row| !known(row)));
    }
    if table {
        print(&rows);
    }
    Ok(figures(&rows, refused.into_inner()))
}

fn figures(rows: &[Row], refused: usize) -> Figures {
    let on_pci = |row: &&Row| row.device.starts_with("pci");
    let mut figures = Figures::of(Bench::Identify);
    figures.add("identify.devices", rows.len() as f64);
    figures.add("identify.not_plugged", refused as f64);
    let pci: Vec<&Row> = rows.iter().filter(on_pci).collect();
    let others: Vec<&Row> = rows.iter().filter(|row| !on_pci(row)).collect();
    for (prefix, rows) in [("identify", pci), ("identify.others", others)] {
        let with_rule = rows.iter().filter(|r| r.named.is_some()).count();
        let found = rows
            .iter()
            .filter(|r| r.named.is_some() && r.masked == r.named);
        let found = found.count();
        let wrong = rows
            .iter()
            .filter(|r| r.masked.is_some() && r.masked != r.named);
        figures.add(format!("{prefix}.with_rule"), with_rule as f64);
        figures.add(format!("{prefix}.found"), found as f64);
        let share = found as f64 / with_rule.max(1) as f64;
        figures.add(format!("{prefix}.found_share"), share);
        figures.add(format!("{prefix}.wrong"), wrong.count() as f64);
        let by_model = rows
            .iter()
            .filter(|r| r.named.is_some() && r.masked == r.named && r.by_model)
            .count();
        figures.add(
            format!("{prefix}.found_by_data_sheet"),
            (found - by_model) as f64,
        );
        figures.add(format!("{prefix}.found_by_model"), by_model as f64);
    }
    figures
}

fn print(rows: &[Row]) {
    terminal::print(format!(
        "{:44} {:12} {:28} without its names",
        "device", "class", "by its names"
    ));
    for row in rows {
        let told = |rule: &Option<String>| rule.clone().unwrap_or_else(|| "-".into());
        let verdict = match (&row.named, &row.masked) {
            (Some(_), _) if row.named == row.masked && row.by_model => {
                " (by what the model shows)".into()
            }
            (named, masked) if named == masked => String::new(),
            (Some(_), None) => " (not found)".into(),
            _ => " (WRONG)".into(),
        };
        let (named, masked) = (told(&row.named), told(&row.masked));
        let place = format!("{} {}", row.title, row.device);
        terminal::print(format!(
            "{place:44} {:12} {named:28} {masked}{verdict}",
            row.class
        ));
    }
}

fn words(machine: &str, more: &[&str]) -> Vec<String> {
    let all = [
        "-machine",
        machine,
        "-m",
        "64",
        "-nodefaults",
        "-display",
        "none",
    ];
    all.iter().chain(more).map(|w| (*w).to_owned()).collect()
}

/// A board with what has no PCI function: memory-mapped virtio.
fn board() -> Vec<String> {
    let more = [
        "-cpu",
        "cortex-a57",
        "-global",
        "virtio-mmio.force-legacy=off",
        "-netdev",
        "user,id=n0",
        "-device",
        "virtio-net-device,netdev=n0",
        "-device",
        "virtio-rng-device",
    ];
    words("virt", &more)
}

fn device(name: &str, needs: &[Need]) -> Vec<String> {
    let fitting = needs.iter().filter(|need| name.starts_with(&need.name));
    let need = fitting.max_by_key(|need| need.name.len());
    let options = need.map_or("", |need| need.options.as_str());
    let comma = if options.is_empty() { "" } else { "," };
    let mut all = words("q35", &[]);
    all.extend(need.map(|need| need.arguments.clone()).unwrap_or_default());
    // No boot ROM: the files need not be installed.
    all.extend(["-device".into(), format!("{name},romfile={comma}{options}")]);
    all
}

/// All that `-device help` lists on the bus PCI.
fn offered() -> Result<Vec<String>> {
    let output = Command::new(Arch::X86_64.emulator())
        .args(["-device", "help"])
        .output()
        .context("asking the emulator what it offers")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let name = |line: &str| {
        let (name, rest) = line.strip_prefix("name \"")?.split_once('"')?;
        rest.starts_with(", bus PCI").then(|| name.to_owned())
    };
    Ok(text.lines().filter_map(name).collect())
}

/// Every device of one machine, both ways.
fn look(book: &Book, arch: Arch, arguments: Vec<String>, title: &str) -> Result<Vec<Row>> {
    let mut found = outside::emulated(arch, arguments, &synthesis::candidates(book))?;
    let fresh = found.model.clone();
    let named = found.recognise(book);
    let named_model = std::mem::replace(&mut found.model, fresh);
    discovery::mask(&mut found.model);
    let masked = found.recognise(book);
    let mut rows = Vec::new();
    for index in 0..named_model.devices.len() {
        rows.extend(row(book, (&named_model, &named), &masked, index, title));
    }
    Ok(rows)
}

/// One row for each class in which a device has a rule either way, or one without.
fn row(
    book: &Book,
    (model, named): (&Machine, &Plan),
    masked: &Plan,
    index: usize,
    title: &str,
) -> Vec<Row> {
    let rules = |plan: &Plan, right: bool| -> BTreeMap<String, String> {
        let jobs = plan.jobs.iter().filter(|job| job.device == index);
        // What is right is what a name says: clues about a device's shape are what is tried here.
        let named = |job: &&synthesis::Job| {
            let held = job.choice.clues.iter().filter(|clue| clue.held);
            !right || held.into_iter().any(|clue| !clue.text.contains("shape"))
        };
        let jobs = jobs.filter(named);
        jobs.map(|job| (job.choice.class.clone(), job.choice.title(book)))
            .collect()
    };
    let by_model = |class: &str| {
        let mut jobs = masked.jobs.iter().filter(|job| job.device == index);
        jobs.any(|job| job.choice.class == class && needs_the_model(book, &job.choice))
    };
    let device = &model.devices[index];
    // A place where only a rule says that something may be is no device.
    let (by_name, by_deed) = (rules(named, true), rules(masked, false));
    let mut classes: Vec<&String> = by_name.keys().chain(by_deed.keys()).collect();
    classes.sort();
    classes.dedup();
    let place = device.path.clone();
    if classes.is_empty() {
        if device.fact("candidate").is_some() {
            return Vec::new();
        }
        return vec![Row {
            title: title.into(),
            device: place,
            class: "-".into(),
            named: None,
            masked: None,
            by_model: false,
        }];
    }
    classes
        .into_iter()
        .map(|class| Row {
            title: title.into(),
            device: place.clone(),
            class: class.clone(),
            named: by_name.get(class).cloned(),
            masked: by_deed.get(class).cloned(),
            by_model: by_model(class),
        })
        .collect()
}

/// Whether one of the choice's rules, which has clues of its own, was taken for those alone that only the emulator's model
/// supports.
fn needs_the_model(book: &Book, choice: &Choice) -> bool {
    let mut clues = choice.clues.as_slice();
    choice.rules.iter().any(|rule| {
        let items = book.rules[*rule].items.iter();
        let own = items.filter(|item| matches!(item.kind, ItemKind::Match { .. }));
        let (its, rest) = clues.split_at(own.count());
        clues = rest;
        !its.iter().any(|clue| clue.held && clue.score != MODEL)
    })
}

#[cfg(test)]
mod tests {
    use super::MODEL;
    use std::path::Path;

    /// A clue of [`MODEL`] points holds for what the emulator's model shows, and its comment says so; a clue that a data sheet
    /// supports has more. One about the sizes of a device's windows is always one of the two, and says who supports it.
    #[test]
    fn clues_say_who_supports_them() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
        let files = meta::rules::files(&folder).expect("the rules");
        let (mut by_model, mut by_data_sheet) = (0, 0);
        for (file, text) in &files {
            let lines = text
                .lines()
                .filter(|line| line.trim_start().starts_with("match "));
            for line in lines {
                let (clue, comment) = line.split_once('#').unwrap_or((line, ""));
                let score = clue.rsplit("score ").next().map(str::trim);
                let score: u32 = score.and_then(|s| s.parse().ok()).expect("a score");
                let model = comment.contains("the emulator's");
                let said =
                    format!("{file}: {score} points, and the comment says {comment:?}:\n{line}");
                assert_eq!(model, score == MODEL, "{said}");
                if clue.contains("shape ==") {
                    assert!(score >= MODEL && !comment.trim().is_empty(), "{said}");
                    by_model += usize::from(model);
                    by_data_sheet += usize::from(!model);
                }
            }
        }
        let counts = format!("{by_model} clues of the model's, {by_data_sheet} of data sheets");
        assert!(by_model > 3 && by_data_sheet > 3, "{counts}");
    }
}
