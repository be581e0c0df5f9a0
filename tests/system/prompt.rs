//! What the prompt answers on each machine.

use crate::boots::{boot, bytes_of_dump, PATIENCE};
use meta::machines::{sector, SECTORS};

/// The emulator's gateway on its user-mode network, and its hardware address.
const GATEWAY: (&str, &str) = ("10.0.2.2", "52:55:0a:00:02:02");

/// A machine's network card and disk, as the prompt calls their drivers.
struct Expected {
    machine: &'static str,
    serial: &'static str,
    nic: &'static str,
    disk: &'static str,
}

fn devices_are_listed_with_their_rules(expected: &Expected) {
    let mut booted = boot(expected.machine);
    let devices = booted.ask_well("devices");
    for name in [expected.serial, expected.nic, expected.disk] {
        let line = devices
            .lines()
            .find(|l| l.split_whitespace().any(|word| word == name));
        assert!(line.is_some(), "{name} is not listed:\n{devices}");
    }
    assert!(devices.contains("rule"), "no rule is named:\n{devices}");
    assert!(
        !hashes(&devices).is_empty(),
        "no code is identified:\n{devices}"
    );
}

fn the_gateway_answers(expected: &Expected) {
    let mut booted = boot(expected.machine);
    let answer = booted.ask_well("send");
    assert!(
        answer.contains(GATEWAY.0) && answer.contains(GATEWAY.1),
        "{answer}"
    );
    // A second time: the rings go round.
    assert!(booted.ask_well("send").contains(GATEWAY.1));
}

/// A sector, by the name of its disk: there may be others.
fn read(booted: &mut crate::boots::Booted, expected: &Expected, number: u64) -> String {
    booted.ask_well(&format!("read {}:{number}", expected.disk))
}

fn sectors_are_those_of_the_disk(expected: &Expected) {
    let mut booted = boot(expected.machine);
    for number in [0, 1, 77, SECTORS - 1] {
        let dump = read(&mut booted, expected, number);
        assert_eq!(
            bytes_of_dump(&dump),
            sector(number),
            "sector {number}:\n{dump}"
        );
    }
    // More than a ring holds.
    for number in 0..200 {
        let dump = read(&mut booted, expected, number);
        assert_eq!(
            bytes_of_dump(&dump),
            sector(number),
            "sector {number}:\n{dump}"
        );
    }
    let beyond = booted.ask(&format!("read {}:{SECTORS}", expected.disk));
    assert!(
        beyond.contains("error:"),
        "a sector behind the end was read:\n{beyond}"
    );
}

fn killed_drivers_come_back(expected: &Expected) {
    let mut booted = boot(expected.machine);
    for _ in 0..3 {
        booted.ask_well(&format!("kill {}", expected.nic));
        assert_eq!(
            bytes_of_dump(&read(&mut booted, expected, 5)),
            sector(5),
            "the disk goes on"
        );
        assert!(booted.ask_well("send").contains(GATEWAY.1));
        booted.ask_well(&format!("kill {}", expected.disk));
        assert!(
            booted.ask_well("send").contains(GATEWAY.1),
            "the network goes on"
        );
        assert_eq!(bytes_of_dump(&read(&mut booted, expected, 6)), sector(6));
        booted.ask_well(&format!("kill {}", expected.serial));
        assert_eq!(bytes_of_dump(&read(&mut booted, expected, 7)), sector(7));
    }
    let tasks = booted.ask_well("tasks");
    for name in [expected.serial, expected.nic, expected.disk] {
        let line = tasks
            .lines()
            .find(|l| l.split_whitespace().any(|word| word == name));
        let line = line.unwrap_or_else(|| panic!("{name} is not there:\n{tasks}"));
        assert!(
            line.split_whitespace().any(|word| word == "3"),
            "three restarts are not counted: {line}"
        );
    }
}

fn code_can_be_seen(expected: &Expected) {
    let mut booted = boot(expected.machine);
    for operation in [
        format!("{}.transmit", expected.nic),
        format!("{}.read", expected.disk),
    ] {
        let seen = booted.ask_well(&format!("see {operation}"));
        for view in ["-- graph", "-- C", "-- assembly"] {
            assert!(
                seen.contains(view),
                "`see {operation}` has no {view} view:\n{seen}"
            );
        }
        assert!(seen.lines().count() > 20, "`see {operation}`:\n{seen}");
    }
    let nothing = booted.ask("see nothing.at-all");
    assert!(nothing.contains("error:"), "{nothing}");
}

fn memory_is_accounted_for(machine: &str) {
    let mut booted = boot(machine);
    let before = adds_up(&mut booted);
    // Nothing is lost when a driver's task is taken apart and made anew.
    let table = booted.ask_well("memory");
    let tasks = table.lines().skip_while(|line| !line.starts_with("task "));
    let driver = tasks
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .find(|name| !["manager", "console"].contains(name))
        .expect("a driver's task");
    booted.ask_well(&format!("kill {driver}"));
    assert_eq!(adds_up(&mut booted), before, "after {driver} was made anew");
}

/// RAM is the sum of what it is used for, to the byte; how many bytes are free.
fn adds_up(booted: &mut crate::boots::Booted) -> u64 {
    let answer = booted.ask_well("memory --json");
    let line = answer.lines().find(|line| line.starts_with('{'));
    let told = line.and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let told = told.unwrap_or_else(|| panic!("no JSON: {answer}"));
    let number = |value: &serde_json::Value| value.as_u64().expect("a number");
    let kinds = told["kinds"].as_object().expect("kinds");
    let sum: u64 = kinds.values().map(number).sum();
    assert_eq!(sum, number(&told["ram"]), "{answer}");
    // What firmware called RAM, less what genesis could not use of it in whole pages.
    let model = meta::discover::model_of(&booted.ask_well("machine")).expect("a machine model");
    let ram: u64 = (model.memory.iter())
        .filter(|range| range.kind == machine::MemoryKind::Ram)
        .map(|range| range.size & !0xfff)
        .sum();
    assert!(sum <= ram && ram - sum <= 64 * 4096, "{ram} and {answer}");
    let tasks = told["tasks"].as_array().expect("tasks");
    let donated: u64 = tasks
        .iter()
        .filter(|task| task["name"] != "manager")
        .map(|task| number(&task["donated"]))
        .sum();
    assert_eq!(donated, number(&kinds["donated"]), "{answer}");
    // No task can execute what is nobody's code: programs and drivers are a part of the modules.
    let code = number(&kinds["nucleus_code"]) + number(&kinds["modules"]);
    let executable = number(&told["executable"]);
    assert!((1..code).contains(&executable), "{answer}");
    number(&kinds["free"])
}

fn generated_code_is_the_same_twice(machine: &str) {
    let [first, second] = [(), ()].map(|()| hashes(&boot(machine).ask_well("devices")));
    assert!(!first.is_empty(), "`devices` shows no hash");
    assert_eq!(first, second);
}

fn off_ends_the_emulator(machine: &str) {
    let mut booted = boot(machine);
    booted.guest.say("off").expect("typing");
    let status = booted.guest.wait_for_end(PATIENCE).expect("it powers off");
    assert!(status.success(), "{status}");
}

fn help_names_the_commands(machine: &str) {
    let mut booted = boot(machine);
    let help = booted.ask_well("help");
    for command in [
        "devices", "see", "memory", "tasks", "send", "read", "kill", "help", "off",
    ] {
        assert!(
            help.contains(command),
            "`help` leaves out {command}:\n{help}"
        );
    }
    let unknown = booted.ask("juggle");
    assert!(unknown.contains("error:"), "{unknown}");
}

/// Words of hexadecimal digits that are long enough to be an identity.
fn hashes(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.len() >= 16 && word.bytes().all(|b| b.is_ascii_hexdigit()))
        .map(str::to_owned)
        .collect()
}

macro_rules! on {
    ($module:ident, $expected:expr) => {
        mod $module {
            use super::*;
            const EXPECTED: Expected = $expected;
            #[test]
            fn devices_are_listed_with_their_rules() {
                super::devices_are_listed_with_their_rules(&EXPECTED);
            }
            #[test]
            fn the_gateway_answers() {
                super::the_gateway_answers(&EXPECTED);
            }
            #[test]
            fn sectors_are_those_of_the_disk() {
                super::sectors_are_those_of_the_disk(&EXPECTED);
            }
            #[test]
            fn killed_drivers_come_back() {
                super::killed_drivers_come_back(&EXPECTED);
            }
            #[test]
            fn code_can_be_seen() {
                super::code_can_be_seen(&EXPECTED);
            }
            #[test]
            fn memory_is_accounted_for() {
                super::memory_is_accounted_for(EXPECTED.machine);
            }
            #[test]
            fn generated_code_is_the_same_twice() {
                super::generated_code_is_the_same_twice(EXPECTED.machine);
            }
            #[test]
            fn help_names_the_commands() {
                super::help_names_the_commands(EXPECTED.machine);
            }
            #[test]
            fn off_ends_the_emulator() {
                super::off_ends_the_emulator(EXPECTED.machine);
            }
        }
    };
}

on!(
    q35_virtio,
    Expected {
        machine: "q35-virtio",
        serial: "uart16550",
        nic: "virtio-net",
        disk: "virtio-blk"
    }
);
on!(
    q35_e1000,
    Expected {
        machine: "q35-e1000",
        serial: "uart16550",
        nic: "e1000",
        disk: "virtio-blk"
    }
);
on!(
    virt_gicv3,
    Expected {
        machine: "virt-gicv3",
        serial: "pl011",
        nic: "virtio-net",
        disk: "virtio-blk"
    }
);
on!(
    virt_gicv2,
    Expected {
        machine: "virt-gicv2",
        serial: "pl011",
        nic: "virtio-net",
        disk: "virtio-blk"
    }
);
on!(
    virt_mmio,
    Expected {
        machine: "virt-mmio",
        serial: "pl011",
        nic: "virtio-net",
        disk: "virtio-blk"
    }
);
on!(
    microvm,
    Expected {
        machine: "microvm",
        serial: "uart16550",
        nic: "virtio-net",
        disk: "virtio-blk"
    }
);
on!(
    pc_rtl8139,
    Expected {
        machine: "pc-rtl8139",
        serial: "uart16550",
        nic: "rtl8139",
        disk: "ide"
    }
);

/// A second since 1970 as this computer's own `date` spells it.
fn spelled(second: u64) -> String {
    let at = format!("@{second}");
    let told = std::process::Command::new("date")
        .args(["-u", "-d", &at, "+%Y-%m-%d %H:%M:%S"])
        .output()
        .expect("`date` runs");
    String::from_utf8_lossy(&told.stdout).trim().to_owned()
}

/// On each kind of machine: its calendar says what time it is here, and goes on.
fn the_date_is_right(machine: &str) {
    let mut booted = boot(machine);
    let here = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.expect("it is after 1970").as_secs()
    };
    let before = here();
    let told = booted.ask_well("date");
    let after = here();
    let date = told.lines().find_map(|line| line.strip_suffix(" UTC"));
    let date = date.unwrap_or_else(|| panic!("no date:\n{told}"));
    // The emulator's clock may be a second behind.
    let possible: Vec<String> = (before.saturating_sub(2)..=after + 1)
        .map(spelled)
        .collect();
    assert!(
        possible.iter().any(|p| p == date.trim()),
        "{date}: not one of {possible:?}"
    );
}

#[test]
fn the_date_is_right_on_q35_bare() {
    the_date_is_right("q35-bare");
}
#[test]
fn the_date_is_right_on_virt_gicv2() {
    the_date_is_right("virt-gicv2");
}

mod q35_bare {
    use super::*;

    #[test]
    fn it_says_that_network_and_disk_are_missing() {
        let mut booted = boot("q35-bare");
        for (line, missing) in [("send", "network"), ("read 0", "disk")] {
            let answer = booted.ask(line);
            assert!(
                answer.contains("error:") && answer.contains(missing),
                "`{line}` answered:\n{answer}"
            );
        }
        assert!(booted.ask_well("devices").contains("uart16550"));
    }
    #[test]
    fn memory_is_accounted_for() {
        super::memory_is_accounted_for("q35-bare");
    }
    #[test]
    fn generated_code_is_the_same_twice() {
        super::generated_code_is_the_same_twice("q35-bare");
    }
    #[test]
    fn off_ends_the_emulator() {
        super::off_ends_the_emulator("q35-bare");
    }
}
