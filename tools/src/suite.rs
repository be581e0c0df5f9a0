//! `meta test`: everything that can be known about this checkout, each part by name.

use crate::image::{self, Arch};
use crate::sources;
use crate::terminal::{bad, faint, good, Progress};
use crate::workspace::{Workspace, ROOM};
use anyhow::{bail, Context, Result};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    passed: usize,
    failed: usize,
    /// Not run, for they take long.
    left_out: usize,
}

/// Runs the tests whose name contains `filter`. Those that take long (test functions with `#[ignore]`, and checks that say
/// so) are run only if `long`, or if there is a filter that names them.
///
/// # Errors
/// When one fails, or none has such a name.
pub fn run(workspace: &Workspace, filter: Option<&str>, long: bool) -> Result<()> {
    let long = long || filter.is_some();
    let filter = filter.unwrap_or_default();
    if let (true, Some(room)) = (
        filter.is_empty(),
        workspace.room().filter(|room| *room < ROOM),
    ) {
        crate::terminal::print(format!(
            "{} MiB are free for {}, and everything from nothing writes up to {}: builds may fail; remove old build output",
            room >> 20,
            workspace.target.display(),
            ROOM >> 20
        ));
    }
    let mut count = Count::default();
    // No test function has a space in its name: then there is nothing to build.
    let checks = checks();
    let only_a_check = filter.contains(' ') || checks.iter().any(|check| check.name == filter);
    for check in checks.iter().filter(|check| check.name.contains(filter)) {
        match check.long && !long {
            true => count.left_out += 1,
            false => single(&mut count, &check.name, || (check.run)(workspace)),
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
        let now = cargo_tests(workspace, name, words, filter, long);
        count.passed += now.passed;
        count.failed += now.failed;
        count.left_out += now.left_out;
    }
    if count.left_out > 0 && !long {
        let left_out = count.left_out;
        crate::terminal::print(format!(
            "{left_out} that take long were left out: ./meta test --long"
        ));
    }
    crate::terminal::print(format!("{} passed, {} failed", count.passed, count.failed));
    match (count.passed, count.failed) {
        (0, 0) => bail!("no test's name contains {filter:?}"),
        (_, 0) => Ok(()),
        (_, failed) => bail!("{failed} failed; what they said is above"),
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

type Run = Box<dyn Fn(&Workspace) -> Result<()>>;

/// A check that is not a cargo test.
struct Check {
    name: String,
    long: bool,
    run: Run,
}

impl Check {
    fn new(name: impl Into<String>, run: impl Fn(&Workspace) -> Result<()> + 'static) -> Self {
        Self {
            name: name.into(),
            long: false,
            run: Box::new(run),
        }
    }
}

/// The checks, quick ones first.
fn checks() -> Vec<Check> {
    let mut checks = vec![
        Check::new("format", format),
        Check::new("no device outside the rules", sources::check),
        Check::new("clippy on the host", clippy_host),
    ];
    for arch in Arch::ALL {
        let name = arch.name();
        checks.push(Check::new(format!("image {name}"), move |workspace| {
            image::build(workspace, arch).map(drop)
        }));
        checks.push(Check {
            // Most of what is linted for both is the same source.
            long: arch == Arch::Aarch64,
            ..Check::new(format!("clippy {name}"), move |workspace| {
                clippy_freestanding(workspace, arch)
            })
        });
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
    // Those of one group want the same features of their libraries, or more; the nucleus is to have no heap.
    let groups: [(&[&str], &[&str]); 4] = [
        (&["genesis", "manager", "driver", "console"], &[]),
        // The image in which things can be made to fail.
        (&["genesis", "driver"], &["genesis/faults", "driver/faults"]),
        (&["hostile", "ipc"], &[]),
        match arch {
            Arch::X86_64 => (&["nucleus"], &[]),
            Arch::Aarch64 => (&["nucleus", "arm64-side"], &[]),
        },
    ];
    for (packages, features) in groups {
        let mut cargo = workspace.cargo("clippy");
        cargo.args(Workspace::freestanding_words());
        cargo.args(["--profile", "image", "--target", arch.target()]);
        cargo.args(packages.iter().flat_map(|package| ["-p", package]));
        cargo.args(features.iter().flat_map(|feature| ["--features", feature]));
        cargo.args(["--", "-D", "warnings"]);
        let words = [packages, features].concat().join(", ");
        workspace.run_cargo(cargo, &format!("clippy of {words} for {}", arch.name()))?;
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
fn cargo_tests(
    workspace: &Workspace,
    what: &str,
    words: &[&str],
    filter: &str,
    long: bool,
) -> Count {
    match try_cargo_tests(workspace, what, words, filter, long) {
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
                failed: 1,
                ..Count::default()
            }
        }
    }
}

fn try_cargo_tests(
    workspace: &Workspace,
    what: &str,
    words: &[&str],
    filter: &str,
    long: bool,
) -> Result<Count> {
    let mut build = workspace.cargo("test");
    build.args(words).arg("--no-run");
    workspace.run_cargo(build, &format!("building the {what}"))?;

    let mut cargo = workspace.cargo("test");
    cargo.args(words).args(["--no-fail-fast", "--"]);
    if long {
        cargo.arg("--include-ignored");
    }
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
            self.count.left_out += before(result, " ignored");
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
            "test result: ok. 3 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test b::breaks ... FAILED",
            "failures:",
            "---- b::breaks stdout ----",
            "left is not right",
            "test result: FAILED. 12 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
        ] {
            reader.line(line);
        }
        assert_eq!((reader.count.passed, reader.count.failed), (15, 2));
        assert_eq!(reader.count.left_out, 2);
        assert!(reader.story.contains("left is not right"));
        assert!(!reader.story.contains("a::works"));
    }
}
