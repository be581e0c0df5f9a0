//! Inputs that failed once: a folder each in `tests/cases`, with its own `case.toml` that says what is run, what must appear
//! and what must not. One that still fails says so, with what it shows today and the sentence of LIMITS.md that tells of it;
//! when it passes, the mark has to go.

use crate::boots::{image, workspace};
use crate::monitor::Monitor;
use meta::image::Arch;
use meta::prompt::Guest;
use meta::{emulator, machines};
use serde::Deserialize;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// `case.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What kind of fault it shows.
    about: String,
    #[serde(rename = "try", default)]
    tries: Vec<Try>,
    /// It needs no machine: the test that tries it, whose name ends in the case's.
    elsewhere: Option<PathBuf>,
}

/// One thing that is run. In its words, HERE is the case's folder, SCRATCH an empty one, DISK the disk with known sectors,
/// and X86_64 and AARCH64 are the boot images.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Try {
    /// What tells it from others of its case.
    #[serde(default)]
    name: String,
    /// Programs with their arguments, one after the other; `meta` is `./meta`.
    #[serde(default)]
    run: Vec<Vec<String>>,
    /// The root of the checkout is a copy with the rules alone, which may be changed.
    #[serde(default)]
    apart: bool,
    /// Instead of `run`: a machine that is booted and spoken to.
    boot: Option<Boot>,
    /// What must appear, in what is printed or in a file in SCRATCH.
    #[serde(default)]
    shows: Vec<String>,
    /// What must not.
    #[serde(default)]
    lacks: Vec<String>,
    /// The right end is an error that is told.
    #[serde(default)]
    error: bool,
    /// For all of it.
    #[serde(default = "usual")]
    seconds: u64,
    /// It fails today, and this is why.
    fails: Option<Failing>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Boot {
    machine: String,
    #[serde(default)]
    arguments: Vec<String>,
    /// Lines for the prompt, or `monitor: ` and a line for the emulator's monitor.
    lines: Vec<String>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Failing {
    /// Appears as long as it fails: otherwise it fails for another reason than this one.
    shows: String,
    /// Words of LIMITS.md.
    limits: String,
}

fn usual() -> u64 {
    60
}

/// A case's folder and what its file says.
fn cases() -> Vec<(PathBuf, Case)> {
    let folder = workspace().root.join("tests/cases");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("tests/cases") {
        let path = entry.expect("an entry").path();
        if !path.is_dir() {
            continue;
        }
        let file = path.join("case.toml");
        let text = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let case: Case =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let elsewhere = case.elsewhere.as_ref().is_some_and(|test| {
            let text = std::fs::read_to_string(workspace().root.join(test)).unwrap_or_default();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            text.contains(&format!("fn cases_{}()", name.replace('-', "_")))
        });
        assert!(
            !case.about.is_empty() && (elsewhere || !case.tries.is_empty()),
            "{} says of nothing how it is tried",
            file.display()
        );
        found.push((path, case));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

#[test]
fn cases_that_fail_today_stand_in_limits() {
    let limits = std::fs::read_to_string(workspace().root.join("LIMITS.md")).expect("LIMITS.md");
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let limits = plain(&limits);
    for (folder, case) in cases() {
        for failing in case.tries.iter().filter_map(|t| t.fails.as_ref()) {
            let told = failing.limits.len() > 20 && limits.contains(&plain(&failing.limits));
            assert!(
                told && !failing.shows.is_empty(),
                "{}: LIMITS.md does not say {:?}",
                folder.display(),
                failing.limits
            );
        }
    }
}

/// Emulators that run at once: most of them wait for something that never comes.
const AT_ONCE: usize = 2;

#[test]
#[ignore = "takes long"]
fn cases_end_as_they_should() {
    let mut queue = VecDeque::new();
    for (folder, case) in cases() {
        for tried in case.tries {
            queue.push_back((folder.clone(), tried));
        }
    }
    for arch in Arch::ALL {
        image(arch);
    }
    let (count, queue) = (queue.len(), Mutex::new(queue));
    let wrong: Mutex<Vec<String>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| loop {
                let next = queue.lock().expect("the queue").pop_front();
                let Some((folder, tried)) = next else { return };
                let name = folder.file_name().unwrap_or_default().to_string_lossy();
                let started = Instant::now();
                let verdict = verdict(&folder, &tried);
                let seconds = started.elapsed().as_secs_f64();
                println!("{name} {}: {seconds:.1} s", tried.name);
                if let Err(why) = verdict {
                    let text = format!("{name} {}: {why}", tried.name);
                    wrong.lock().expect("the list").push(text);
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("the list");
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

/// Whether a try ends as its file says.
fn verdict(folder: &Path, tried: &Try) -> Result<(), String> {
    let scratch = tempfile();
    let outcome = carried_out(folder, &scratch, tried);
    let mut text = match &outcome {
        Ok(text) | Err(text) => text.clone(),
    };
    for file in std::fs::read_dir(&scratch).into_iter().flatten().flatten() {
        if file.path().is_file() {
            let bytes = std::fs::read(file.path()).unwrap_or_default();
            text += &String::from_utf8_lossy(&bytes);
        }
    }
    let _ = std::fs::remove_dir_all(&scratch);
    let missing = tried.shows.iter().find(|part| !text.contains(*part));
    let extra = tried.lacks.iter().find(|part| text.contains(*part));
    let passed = match (&outcome, missing, extra) {
        (Err(_), ..) if !tried.error => Err("it failed".to_owned()),
        (Ok(_), ..) if tried.error => Err("it did not end with an error".to_owned()),
        (_, Some(part), _) => Err(format!("{part:?} does not appear")),
        (.., Some(part)) => Err(format!("{part:?} appears")),
        _ => Ok(()),
    };
    match (passed, &tried.fails) {
        (Ok(()), None) => Ok(()),
        (Ok(()), Some(_)) => Err(
            "it passes: take the mark `fails` out of its case.toml, and the sentence out of LIMITS.md"
                .into(),
        ),
        (Err(_), Some(failing)) if text.contains(&failing.shows) => Ok(()),
        (Err(why), Some(failing)) => Err(format!(
            "{why}; but it does not fail as it did, since {:?} does not appear:\n{text}",
            failing.shows
        )),
        (Err(why), None) => Err(format!("{why}:\n{text}")),
    }
}

fn tempfile() -> PathBuf {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("case-{}-{number}", std::process::id());
    let folder = workspace().target.join("cases").join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Everything that was printed, if all went well and if not.
fn carried_out(folder: &Path, scratch: &Path, tried: &Try) -> Result<String, String> {
    let place = |word: &String| placed(word, folder, scratch);
    if let Some(boot) = &tried.boot {
        let arguments = boot.arguments.iter().map(place).collect();
        return spoken(boot, arguments, Duration::from_secs(tried.seconds));
    }
    let mut root = workspace().root;
    if tried.apart {
        let apart = scratch.join("root");
        std::fs::create_dir_all(&apart).map_err(|error| error.to_string())?;
        let mut copy = Command::new("cp");
        copy.arg("-r")
            .arg(root.join("rules"))
            .arg(apart.join("rules"));
        let copied = copy.status().map_err(|error| error.to_string())?;
        assert!(copied.success(), "the rules cannot be copied");
        root = apart;
    }
    let mut text = String::new();
    for words in &tried.run {
        let words: Vec<String> = words.iter().map(place).collect();
        let (program, arguments) = words.split_first().ok_or("it has no words")?;
        let mut command = match program.as_str() {
            "meta" => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_meta"));
                command.args(with_image(arguments, tried.seconds));
                command
            }
            other => {
                let mut command = Command::new(other);
                command.args(arguments);
                command
            }
        };
        command.current_dir(&workspace().root);
        command
            .env("META_ROOT", &root)
            .env("CARGO_TARGET_DIR", &workspace().target);
        let (ended, said) = run(command, Duration::from_secs(tried.seconds + 30))?;
        text += &said;
        if !ended {
            return Err(text);
        }
    }
    Ok(text)
}

fn placed(word: &str, folder: &Path, scratch: &Path) -> String {
    let disk = machines::disk(&workspace()).expect("a disk");
    let places = [
        ("HERE", folder.to_owned()),
        ("SCRATCH", scratch.to_owned()),
        ("DISK", disk),
        ("X86_64", image(Arch::X86_64).path),
        ("AARCH64", image(Arch::Aarch64).path),
    ];
    let mut word = word.to_owned();
    for (name, path) in places {
        word = word.replace(name, &path.display().to_string());
    }
    word
}

/// `run MACHINE …` boots the image that has been built, and waits no longer than the try may take.
fn with_image(arguments: &[String], seconds: u64) -> Vec<String> {
    let [run, machine, rest @ ..] = arguments else {
        return arguments.to_vec();
    };
    if run != "run" {
        return arguments.to_vec();
    }
    let machine = machines::named(&workspace(), machine).expect("a machine");
    let mut words = vec![run.clone(), machine.name.clone(), "--image".into()];
    words.push(image(machine.arch).path.display().to_string());
    words.extend(["--timeout".into(), seconds.to_string()]);
    words.extend(rest.iter().cloned());
    words
}

/// Whether a program ended well in time, and what it printed.
fn run(mut command: Command, time: Duration) -> Result<(bool, String), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{name} cannot be started: {error}"))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        let out = scope.spawn(move || all(out));
        let err = scope.spawn(move || all(err));
        let deadline = Instant::now() + time;
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                _ => {
                    let _ = child.kill();
                    let _ = child.wait();
                    break None;
                }
            }
        };
        let said = out.join().unwrap_or_default() + &err.join().unwrap_or_default();
        Ok((status.is_some_and(|status| status.success()), said))
    })
}

/// What a program prints, until its end.
fn all(from: Option<impl std::io::Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        let _ = from.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Boots a machine with its monitor at hand, and says the lines.
fn spoken(boot: &Boot, mut arguments: Vec<String>, time: Duration) -> Result<String, String> {
    let machine = machines::named(&workspace(), &boot.machine).expect("a machine");
    let monitor = Monitor::new("case");
    arguments.extend(monitor.arguments());
    let image = image(machine.arch);
    let command = emulator::command(&workspace(), &machine, &image, "stdio", &arguments)
        .map_err(|error| format!("{error:#}"))?;
    let mut guest = Guest::start(command).map_err(|error| format!("{error:#}"))?;
    let deadline = Instant::now() + time;
    let left = || deadline.saturating_duration_since(Instant::now());
    let mut done = guest.wait_for_prompt(left()).map(drop);
    let mut connected = monitor.connect();
    for line in &boot.lines {
        if done.is_err() {
            break;
        }
        done = match line.strip_prefix("monitor: ") {
            Some(line) => {
                connected.carry_out_for_people(line);
                Ok(())
            }
            None => guest.ask(line, left()).map(drop),
        };
    }
    let text = guest.end();
    match done {
        Ok(()) => Ok(text),
        Err(error) => Err(format!("{error:#}\n{text}")),
    }
}
