//! `meta test`: everything that can be known about this checkout, each part by name.

use crate::image::{self, Arch};
use crate::sources;
use crate::terminal::{bad, faint, good, Progress};
use crate::workspace::Workspace;
use anyhow::{bail, Context, Result};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    passed: usize,
    failed: usize,
}

/// Runs the tests whose name contains `filter`.
///
/// # Errors
/// When one fails, or none has such a name.
pub fn run(workspace: &Workspace, filter: Option<&str>) -> Result<()> {
    let filter = filter.unwrap_or_default();
    let mut count = Count::default();
    // No test function has a space in its name: then there is nothing to build.
    let only_a_check = filter.contains(' ') || checks().iter().any(|(name, _)| name == filter);
    for (name, check) in checks() {
        if name.contains(filter) {
            single(&mut count, &name, || check(workspace));
        }
    }
    for (name, words) in [
        ("host tests", HOST_TESTS),
        ("tests of nucleus and servers", LIBRARY_TESTS),
        ("system tests", SYSTEM_TESTS),
    ] {
        if only_a_check {
            continue;
        }
        let now = cargo_tests(workspace, name, words, filter);
        count.passed += now.passed;
        count.failed += now.failed;
    }
    crate::terminal::print(format!("{} passed, {} failed", count.passed, count.failed));
    match count {
        Count {
            failed: 0,
            passed: 0,
        } => bail!("no test's name contains {filter:?}"),
        Count { failed: 0, .. } => Ok(()),
        Count { failed, .. } => bail!("{failed} failed; what they said is above"),
    }
}

/// The tests of all crates that run on the host.
const HOST_TESTS: &[&str] = &[];
/// What of the nucleus and the servers needs no hardware.
const LIBRARY_TESTS: &[&str] = &[
    "--lib",
    "-p",
    "nucleus-core",
    "-p",
    "manager",
    "-p",
    "console",
];
/// They boot machines and talk to the prompt; cargo leaves them out unless they are named.
const SYSTEM_TESTS: &[&str] = &["-p", "meta", "--test", "system"];

type Check = Box<dyn Fn(&Workspace) -> Result<()>>;

/// The checks that are not cargo tests, quick ones first.
fn checks() -> Vec<(String, Check)> {
    let mut checks: Vec<(String, Check)> = vec![
        ("format".into(), Box::new(format)),
        (
            "no device outside the rules".into(),
            Box::new(sources::check),
        ),
        ("clippy on the host".into(), Box::new(clippy_host)),
    ];
    for arch in Arch::ALL {
        checks.push((
            format!("image {}", arch.name()),
            Box::new(move |workspace| image::build(workspace, arch).map(drop)),
        ));
        checks.push((
            format!("clippy {}", arch.name()),
            Box::new(move |workspace| clippy_freestanding(workspace, arch)),
        ));
    }
    checks
}

fn single(count: &mut Count, name: &str, check: impl Fn() -> Result<()>) {
    match check() {
        Ok(()) => {
            count.passed += 1;
            crate::terminal::print(format!("{} {name}", good("passed")));
        }
        Err(error) => {
            count.failed += 1;
            crate::terminal::print(format!("{} {name}: {error:#}", bad("FAILED")));
        }
    }
}

fn format(workspace: &Workspace) -> Result<()> {
    let mut command = Command::new("cargo");
    command
        .current_dir(&workspace.root)
        .args(["fmt", "--all", "--check"]);
    let output = command.output().context("cargo fmt could not be started")?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let places: Vec<&str> = text.lines().filter(|l| l.starts_with("Diff in")).collect();
    if places.is_empty() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    bail!("`cargo fmt --all` would change:\n{}", places.join("\n"))
}

fn clippy_host(workspace: &Workspace) -> Result<()> {
    let mut cargo = workspace.cargo("clippy");
    cargo.args(["--all-targets", "--", "-D", "warnings"]);
    workspace.run_cargo(cargo, "clippy on the host")
}

fn clippy_freestanding(workspace: &Workspace, arch: Arch) -> Result<()> {
    // One by one, as they are built: together they would share the union of their libraries' features.
    let mut packages = vec![
        "genesis", "nucleus", "manager", "driver", "console", "hostile", "ipc",
    ];
    if arch == Arch::Aarch64 {
        packages.push("arm64-side");
    }
    for package in packages {
        let mut cargo = workspace.cargo("clippy");
        cargo.args(Workspace::freestanding_words());
        cargo.args(["--profile", "image", "--target", arch.target()]);
        cargo.args(["-p", package, "--", "-D", "warnings"]);
        workspace.run_cargo(cargo, &format!("clippy of {package} for {}", arch.name()))?;
    }
    let mut cargo = workspace.cargo("clippy");
    cargo.args(Workspace::freestanding_words());
    cargo.args(["--profile", "image", "--target", arch.door_target()]);
    cargo.args(["-p", "door-uefi", "--", "-D", "warnings"]);
    workspace.run_cargo(
        cargo,
        &format!("clippy of the UEFI door for {}", arch.name()),
    )
}

/// Runs cargo's tests with their output read as it comes: a count while it goes well, the whole story of what fails.
fn cargo_tests(workspace: &Workspace, what: &str, words: &[&str], filter: &str) -> Count {
    match try_cargo_tests(workspace, what, words, filter) {
        Ok(count) => {
            let verdict = if count.failed == 0 {
                good("passed")
            } else {
                bad("FAILED")
            };
            if count.passed + count.failed > 0 {
                crate::terminal::print(format!(
                    "{verdict} {what}: {} passed, {} failed",
                    count.passed, count.failed
                ));
            }
            count
        }
        Err(error) => {
            crate::terminal::print(format!("{} {what}: {error:#}", bad("FAILED")));
            Count {
                passed: 0,
                failed: 1,
            }
        }
    }
}

fn try_cargo_tests(
    workspace: &Workspace,
    what: &str,
    words: &[&str],
    filter: &str,
) -> Result<Count> {
    let mut build = workspace.cargo("test");
    build.args(words).arg("--no-run");
    workspace.run_cargo(build, &format!("building the {what}"))?;

    let mut cargo = workspace.cargo("test");
    cargo.args(words).args(["--no-fail-fast", "--"]);
    if !filter.is_empty() {
        // Test functions cannot have dashes in their names; machines do.
        cargo.arg(filter.replace('-', "_"));
    }
    let progress = Progress::start(what);
    let mut child = cargo
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cargo could not be started")?;
    let mut errors = child.stderr.take().context("cargo's messages")?;
    let complaints = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = errors.read_to_string(&mut text);
        text
    });
    let mut reader = Reader::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            reader.line(&line.context("the tests' output")?);
            progress.detail(&format!("{} passed", reader.count.passed + reader.running));
        }
    }
    let status = child.wait().context("cargo test")?;
    drop(progress);
    let complaints = complaints.join().unwrap_or_default();
    eprint!("{}", reader.story);
    if !status.success() && reader.count.failed == 0 {
        // A test program that died before it could say which test it was.
        eprint!("{}", faint(&complaints));
        bail!("cargo test ended with {status}");
    }
    Ok(reader.count)
}

/// Reads what test programs print.
#[derive(Default)]
struct Reader {
    count: Count,
    /// Passed in the program that runs now.
    running: usize,
    /// Everything said about failures.
    story: String,
    telling: bool,
}

impl Reader {
    fn line(&mut self, line: &str) {
        if line.starts_with("test ") && line.ends_with("... ok") {
            self.running += 1;
        } else if line == "failures:" {
            self.telling = true;
        }
        if let Some(result) = line.strip_prefix("test result: ") {
            self.telling = false;
            self.running = 0;
            self.count.passed += before(result, " passed");
            self.count.failed += before(result, " failed");
        }
        if self.telling {
            self.story.push_str(line);
            self.story.push('\n');
        }
    }
}

/// The number that stands before `word`.
fn before(text: &str, word: &str) -> usize {
    text.split(word)
        .next()
        .and_then(|left| left.rsplit(' ').next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_summed_and_failures_told() {
        let mut reader = Reader::default();
        for line in [
            "test a::works ... ok",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test b::breaks ... FAILED",
            "failures:",
            "---- b::breaks stdout ----",
            "left is not right",
            "test result: FAILED. 12 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
        ] {
            reader.line(line);
        }
        assert_eq!((reader.count.passed, reader.count.failed), (15, 2));
        assert!(reader.story.contains("left is not right"));
        assert!(!reader.story.contains("a::works"));
    }
}
