//! `meta rule …`, and the rulebook as the image builder needs it.

use crate::explain::{self, ExplainArguments};
use crate::workspace::Workspace;
use anyhow::{bail, Context, Result};
use clap::Subcommand;
use rulebook::tree::Book;
use std::path::Path;

#[derive(Debug, Subcommand)]
pub enum RuleCommand {
    /// Say which rule each device of a machine gets, and why
    Explain(ExplainArguments),
    /// Prove each rule on the emulator's model of its device: interpreter, emitted code and C view do the same
    Test(crate::prove::TestArguments),
    /// Check all rules (or those of another folder) and say what is wrong with them
    ///
    /// Each complaint has a place, a reason and a way out; docs/diagnostics.md lists them all. When nothing is
    /// wrong, it tells what each operation costs at worst.
    Check {
        /// Folder of rule files, if not rules/
        #[arg(value_name = "FOLDER")]
        folder: Option<std::path::PathBuf>,
        /// Show the worst cases of this rule only (all are checked)
        #[arg(long, value_name = "NAME")]
        rule: Option<String>,
    },
    /// Begin a rule: registers from a CMSIS-SVD or SystemRDL file, and all that its class asks for, to be filled in
    New(crate::rule_new::NewArguments),
}

/// Runs `meta rule …`.
///
/// # Errors
/// When a rule is wrong: the error holds every diagnostic.
pub fn run(workspace: &Workspace, command: RuleCommand) -> Result<()> {
    match command {
        RuleCommand::Explain(arguments) => explain::run(workspace, &arguments),
        RuleCommand::Test(arguments) => crate::prove::rule_test(workspace, &arguments),
        RuleCommand::New(arguments) => crate::rule_new::run(workspace, &arguments),
        RuleCommand::Check { folder, rule } => {
            let folder = folder.unwrap_or_else(|| workspace.root.join("rules"));
            let book = book(&folder)?;
            let bytes = rulebook::pack(&book);
            if let Some(rule) = &rule {
                let mut names = book.rules.iter().map(|r| book.name(r.name));
                if !names.any(|name| name == rule) {
                    bail!(
                        "nothing is wrong, but no rule is called {rule:?}; {} holds them",
                        folder.display()
                    );
                }
            }
            worst_cases(&book, rule.as_deref());
            crate::terminal::print(format!(
                "{} rule files, {} bytes of rulebook, nothing wrong",
                files(&folder)?.len(),
                bytes.len()
            ));
            Ok(())
        }
    }
}

/// What each operation costs at worst, and what an interrupt does.
fn worst_cases(book: &Book, only: Option<&str>) {
    crate::terminal::print(
        "worst cases: accesses to the device, those of what carries it too, and rounds of loops (facts stay names; `#X` is how \
         many X has)",
    );
    for rule in &book.rules {
        let rule_name = book.name(rule.name);
        if only.is_some_and(|only| only != rule_name) {
            continue;
        }
        let carriers = rulebook::worst::carriers(book, rule);
        if carriers.is_empty() {
            worst_case(rule_name, &rulebook::worst::worst(book, rule, None));
        }
        for carrier in carriers {
            let title = format!("{rule_name} on {}", book.name(carrier.name));
            worst_case(&title, &rulebook::worst::worst(book, rule, Some(carrier)));
        }
    }
}

fn worst_case(title: &str, entries: &[rulebook::worst::Worst]) {
    for (at, worst) in entries.iter().enumerate() {
        let show = |cost: &rulebook::worst::Cost| match cost.rounds.number() {
            Some(0) => format!("{}", cost.accesses),
            _ => format!("{}; rounds {}", cost.accesses, cost.rounds),
        };
        let mut line = show(&worst.cost);
        if worst.tail != rulebook::worst::Cost::default() {
            line.push_str(&format!(", then {} once a batch", show(&worst.tail)));
        }
        let name = if at == 0 { title } else { "" };
        crate::terminal::print(format!("  {name:<28} {:<12} {line}", worst.entry));
    }
}

/// Every `*.rule` file under `folder`: path relative to it with `/`, and text; sorted by path.
///
/// # Errors
/// When a file cannot be read.
pub fn files(folder: &Path) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in
            std::fs::read_dir(&next).with_context(|| format!("reading {}", next.display()))?
        {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rule") {
                let text = std::fs::read_to_string(&path)
                    .with_context(|| format!("reading {}", path.display()))?;
                let name = path
                    .strip_prefix(folder)
                    .unwrap_or(&path)
                    .to_string_lossy()
                    .replace('\\', "/");
                found.push((name, text));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The packed rulebook of the rules under `folder`.
///
/// # Errors
/// When a rule is wrong: the error holds every diagnostic.
pub fn compile(folder: &Path) -> Result<Vec<u8>> {
    book(folder).map(|book| rulebook::pack(&book))
}

/// The rulebook of the rules under `folder`.
///
/// # Errors
/// When a rule is wrong: the error holds every diagnostic.
pub fn book(folder: &Path) -> Result<Book> {
    let files = files(folder)?;
    if files.is_empty() {
        bail!(
            "{} holds no rule: without rules there is nothing to boot",
            folder.display()
        );
    }
    let texts: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    match rulebook::read(&texts) {
        Ok(book) => Ok(book),
        Err(diagnostics) => {
            let shown = format!(
                "{}/",
                folder.file_name().unwrap_or_default().to_string_lossy()
            );
            let said: Vec<String> = diagnostics
                .iter()
                .map(|diagnostic| diagnostic.render(&shown, &texts))
                .collect();
            let places = match said.len() {
                1 => "one place".to_owned(),
                many => format!("{many} places"),
            };
            bail!(
                "the rules are wrong in {places}; no image is made\n\n{}",
                said.join("\n")
            )
        }
    }
}
