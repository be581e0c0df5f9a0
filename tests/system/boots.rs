//! Booting a machine and asking it things.

use meta::emulator;
use meta::image::{self, Arch, Image};
use meta::machines::{self, Machine};
use meta::prompt::Guest;
use meta::workspace::Workspace;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

/// For one answer, and for a boot. A boot takes about a second; the rest is for a busy host.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn workspace() -> Workspace {
    Workspace::from_environment().expect("these tests run through ./meta test")
}

pub fn machine(name: &str) -> Machine {
    machines::named(&workspace(), name).expect("the machine is described")
}

/// The image with all rules, built once.
pub fn image(arch: Arch) -> Image {
    static BUILT: Built = Built::new(BTreeMap::new());
    once(&BUILT, arch, image::build)
}

/// The image in which things can be made to fail, built once.
pub fn image_with_faults(arch: Arch) -> Image {
    static BUILT: Built = Built::new(BTreeMap::new());
    once(&BUILT, arch, image::build_with_faults)
}

type Built = Mutex<BTreeMap<&'static str, Image>>;

fn once(built: &Built, arch: Arch, build: fn(&Workspace, Arch) -> anyhow::Result<Image>) -> Image {
    let mut built = built
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    built
        .entry(arch.name())
        .or_insert_with(|| build(&workspace(), arch).unwrap_or_else(|error| panic!("{error:#}")))
        .clone()
}

/// A machine that stands at its prompt.
pub struct Booted {
    pub guest: Guest,
}

pub fn boot(name: &str) -> Booted {
    let machine = machine(name);
    boot_image(&machine, &image(machine.arch))
}

pub fn boot_image(machine: &Machine, image: &Image) -> Booted {
    boot_with(machine, image, &[])
}

/// With more arguments for the emulator.
pub fn boot_with(machine: &Machine, image: &Image, extra: &[String]) -> Booted {
    let command = emulator::command(&workspace(), machine, image, "stdio", extra)
        .expect("the emulator's command");
    let mut guest = Guest::start(command).unwrap_or_else(|error| panic!("{error:#}"));
    match guest.wait_for_prompt(PATIENCE) {
        Ok(_) => Booted { guest },
        Err(error) => panic!(
            "{}: {error:#}\nit printed:\n{}",
            machine.name,
            guest.transcript()
        ),
    }
}

impl Booted {
    /// What the prompt answers to `line`.
    pub fn ask(&mut self, line: &str) -> String {
        match self.guest.ask(line, PATIENCE) {
            Ok(answer) => answer,
            Err(error) => panic!(
                "{error:#}\neverything printed:\n{}",
                self.guest.transcript()
            ),
        }
    }

    /// What the prompt answers to `line`, which must not be an error.
    pub fn ask_well(&mut self, line: &str) -> String {
        let answer = self.ask(line);
        let failed = answer.lines().any(|l| l.starts_with("error:"));
        assert!(!failed, "`{line}` answered:\n{answer}");
        answer
    }
}

/// The first column of the table that `devices` prints.
pub fn driver_names(devices: &str) -> Vec<String> {
    let table = devices.lines().skip_while(|l| !l.starts_with("name "));
    let rows = table.skip(1).take_while(|l| !l.is_empty());
    rows.filter(|l| l.split_whitespace().count() > 5)
        .filter_map(|l| l.split_whitespace().next().map(str::to_owned))
        .collect()
}

/// The bytes of a hex dump: lines of `OFFSET: two-digit bytes …  text`.
pub fn bytes_of_dump(dump: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in dump.lines() {
        let mut words = line.split_whitespace();
        let is_offset = |word: &str| {
            let digits = word.trim_end_matches(':');
            digits.len() >= 3 && digits.bytes().all(|b| b.is_ascii_hexdigit())
        };
        if !words.next().is_some_and(is_offset) {
            continue;
        }
        let row = words.map_while(|word| {
            (word.len() == 2)
                .then(|| u8::from_str_radix(word, 16).ok())
                .flatten()
        });
        bytes.extend(row.take(16));
    }
    bytes
}
