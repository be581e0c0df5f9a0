//! `meta bench`: figures by name, beside Linux's in the same run. `docs/bench.md` says what each of them is.

mod boot;
mod discovery;
mod guest;
mod ipc;
mod linux;
pub mod names;
mod plugin;
mod tables;

use crate::workspace::Workspace;
use anyhow::Result;
use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub struct BenchArguments {
    /// What to measure
    pub name: Bench,
    /// Print one flat object of figure names to numbers, and nothing else, on standard output
    #[arg(long)]
    pub json: bool,
    /// mutation: how many mistakes are tried
    #[arg(long, default_value_t = 100)]
    pub sample: usize,
    /// mutation: which of all possible ones
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// discovery: compare dumped machines with ACPICA's account instead: a folder that holds a folder of ACPI tables (or a
    /// text of acpidump) for each
    #[arg(long, value_name = "FOLDER")]
    pub acpi: Option<std::path::PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Bench {
    /// Instructions and seconds to the prompt, memory at the prompt, size of the image
    Boot,
    /// Portal calls and notifications between two tasks
    Ipc,
    /// Lines and tokens of rules beside Linux's drivers, bytes of generated code, size of the rulebook
    Rules,
    /// Which devices get their rule by what they do, when nothing says what they are called
    Identify,
    /// How many mistakes in rules are noticed by checks and self-tests
    Mutation,
    /// Instructions to specialise and compile all drivers of a machine
    Generate,
    /// Instructions of discovery on every machine, as firmware tells and blind; accesses to configuration space
    Discovery,
}

/// Figures of one bench, in the order they were measured.
#[derive(Debug)]
pub struct Figures {
    bench: Bench,
    list: Vec<(String, f64)>,
}

impl Figures {
    #[must_use]
    pub fn of(bench: Bench) -> Self {
        let list = Vec::new();
        Self { bench, list }
    }

    /// `name` is one of [`names::of`] this bench: [`Figures::show`] fails when another was added.
    pub fn add(&mut self, name: impl Into<String>, value: f64) {
        self.list.push((name.into(), value));
    }
    /// How many there are so far.
    fn count(&self) -> usize {
        self.list.len()
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        self.list
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| *value)
    }

    /// Prints them: one flat object, or a table. Says on standard error which of its figures the bench did not measure.
    ///
    /// # Errors
    /// When they cannot be written as JSON, or one has a name that nobody knows of.
    pub fn show(&self, json: bool) -> Result<()> {
        crate::terminal::print(if json { self.json()? } else { self.table() });
        let missing = self.missing();
        if !missing.is_empty() {
            eprintln!("not measured this time: {}", missing.join(", "));
        }
        let unknown = self.unknown();
        if !unknown.is_empty() {
            anyhow::bail!(
                "tools/src/bench/names.rs does not list {}: add them there and to docs/bench.md",
                unknown.join(", ")
            );
        }
        Ok(())
    }

    /// Names that the bench prints, and of which there is no figure.
    fn missing(&self) -> Vec<&'static str> {
        let all = names::of(self.bench).iter().copied();
        all.filter(|pattern| !self.list.iter().any(|(name, _)| names::fits(pattern, name)))
            .collect()
    }

    /// Figures that are not among the names that the bench prints.
    fn unknown(&self) -> Vec<&str> {
        let known = |name: &str| names::of(self.bench).iter().any(|p| names::fits(p, name));
        let all = self.list.iter().map(|(name, _)| name.as_str());
        all.filter(|name| !known(name)).collect()
    }

    fn json(&self) -> Result<String> {
        let object: serde_json::Map<String, serde_json::Value> = self
            .list
            .iter()
            .map(|(name, value)| (name.clone(), json_number(*value)))
            .collect();
        Ok(serde_json::to_string_pretty(&object)?)
    }

    fn table(&self) -> String {
        let width = (self.list.iter().map(|(name, _)| name.len()))
            .max()
            .unwrap_or(0);
        let lines: Vec<String> = self
            .list
            .iter()
            .map(|(name, value)| format!("{name:width$}  {:>16}", readable(*value)))
            .collect();
        lines.join("\n")
    }
}

fn json_number(value: f64) -> serde_json::Value {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        serde_json::Value::from(value as i64)
    } else {
        serde_json::Value::from(value)
    }
}

/// A number with its thousands apart, or with three decimals.
fn readable(value: f64) -> String {
    if value.fract() != 0.0 {
        return format!("{value:.3}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Runs `meta bench`.
///
/// # Errors
/// When a guest does not come to its prompt or does not say what is asked of it.
pub fn run(workspace: &Workspace, arguments: &BenchArguments) -> Result<()> {
    let prover = |name: &str| {
        let mut words: Vec<std::ffi::OsString> = vec![name.into()];
        if arguments.json {
            words.push("--json".into());
        }
        if arguments.name == Bench::Mutation {
            words.extend(["--sample".into(), arguments.sample.to_string().into()]);
            words.extend(["--seed".into(), arguments.seed.to_string().into()]);
        }
        crate::prove::run(workspace, &words)
    };
    let figures = match arguments.name {
        Bench::Boot => boot::measure(workspace)?,
        Bench::Ipc => ipc::measure(workspace)?,
        Bench::Generate => boot::generated(workspace)?,
        Bench::Rules => return prover("bench-rules"),
        Bench::Identify => return prover("bench-identify"),
        Bench::Mutation => return prover("bench-mutation"),
        Bench::Discovery => match &arguments.acpi {
            Some(folder) => tables::measure(folder)?,
            None => discovery::measure(workspace)?,
        },
    };
    figures.show(arguments.json)?;
    if !arguments.json {
        crate::terminal::print(
            "\nInstructions are not time: they show no cache, TLB or device cost, and count a device access as one.\n\
             docs/bench.md says what each figure is and how it is taken.",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_numbers_in_both_forms() {
        let mut figures = Figures::of(Bench::Boot);
        figures.add("boot.a.instructions", 1_234_567.0);
        figures.add("boot.a.wall_s", 0.25);
        assert_eq!(
            figures.json().expect("json"),
            "{\n  \"boot.a.instructions\": 1234567,\n  \"boot.a.wall_s\": 0.25\n}"
        );
        assert_eq!(
            figures.table(),
            "boot.a.instructions         1 234 567\nboot.a.wall_s                   0.250"
        );
    }

    #[test]
    fn what_is_missing_or_unknown_is_told() {
        let mut figures = Figures::of(Bench::Generate);
        assert_eq!(figures.missing(), ["generate.MACHINE.instructions"]);
        figures.add("generate.q35-virtio.instructions", 1.0);
        assert!(figures.missing().is_empty() && figures.unknown().is_empty());
        figures.add("generate.q35-virtio.ticks", 1.0);
        assert_eq!(figures.unknown(), ["generate.q35-virtio.ticks"]);
        assert!(figures.show(true).is_err());
    }
}
