//! What drives the processor's own time and interrupts, tried in the machine with interrupts let in (`thorough`), in
//! virtual time: an instruction takes a nanosecond, so clocks are compared with a count of instructions, too.

use crate::boots::{boot, boot_with, image, machine, workspace, PATIENCE};
use crate::rules::rules_with;
use meta::emulator;
use meta::image as images;
use meta::machines::Machine;
use meta::prompt::Guest;
use std::collections::BTreeMap;

fn thorough(name: &str) -> Machine {
    let mut machine = machine(name);
    machine.options = vec!["thorough".into()];
    machine
}

/// An instruction takes a nanosecond.
fn virtual_time() -> Vec<String> {
    ["-icount", "shift=0,sleep=off"].map(String::from).into()
}

/// How each driver ended, and the figures or the reason.
fn drivers(transcript: &str) -> BTreeMap<String, (String, String)> {
    let lines = transcript
        .lines()
        .filter_map(|line| line.trim().strip_prefix("thorough: "));
    let mut drivers = BTreeMap::new();
    for line in lines {
        for ending in ["passed", "FAILED", "left out"] {
            if let Some((driver, text)) = line.split_once(&format!(" {ending}: ")) {
                drivers.insert(driver.to_owned(), (ending.to_owned(), text.to_owned()));
            }
        }
    }
    drivers
}

/// The number before `words`.
fn number(text: &str, words: &str) -> u64 {
    let before = text.split(words).next().unwrap_or_default();
    let word = before.split_whitespace().next_back().unwrap_or_default();
    word.parse()
        .unwrap_or_else(|_| panic!("no number before {words:?} in {text:?}"))
}

/// All of `wanted` are tried and pass; clocks go as fast as instructions do, to one part in 500.
fn everything_passes(name: &str, clocks: &[&str], wanted: &[&str]) {
    everything_passes_on(&thorough(name), clocks, wanted);
}

fn everything_passes_on(machine: &Machine, clocks: &[&str], wanted: &[&str]) {
    let mut booted = boot_with(machine, &image(machine.arch), &virtual_time());
    let transcript = booted.guest.transcript();
    let said = drivers(&transcript);
    let mut tried: Vec<&str> = said.keys().map(String::as_str).collect();
    tried.sort_unstable();
    let mut all = [clocks, wanted].concat();
    all.sort_unstable();
    assert_eq!(tried, all, "{transcript}");
    for (driver, (ending, text)) in &said {
        // Where all devices send messages, none raises a line; where none does, none sends.
        let without = text.starts_with("no device here can be made to");
        assert!(ending == "passed" || without, "{driver} {ending}: {text}");
    }
    let by = |word: &str| {
        said.values()
            .any(|(ending, text)| ending == "passed" && text.contains(word))
    };
    assert!(
        by(" is silent while masked") || by("a message of"),
        "{transcript}"
    );
    for clock in clocks {
        let text = &said[*clock].1;
        let instructions = number(text, " instructions");
        assert!(instructions >= 1_000_000, "{text}");
        let counted = number(
            text.split("instructions in ").nth(1).unwrap_or_default(),
            " ns",
        );
        let hz = number(text, " ticks a second");
        // It may have been read anywhere in a tick.
        let slack = instructions / 500 + 2 * 1_000_000_000 / hz;
        assert!(
            counted.abs_diff(instructions) <= slack,
            "{clock} counted {counted} ns for {instructions} instructions of a nanosecond each"
        );
    }
    let devices = booted.ask_well("devices");
    assert!(!devices.contains("rejected"), "{devices}");
    // What was tried goes on in the nucleus: disk and network by their interrupts.
    booted.ask_well("read 1");
    booted.ask_well("send");
}

#[test]
fn q35_virtio_keeps_time_and_its_interrupts_apart() {
    let clocks = ["pit", "pm-timer", "hpet"];
    let others = ["lapic", "lapic-timer", "ioapic", "lapic-messages"];
    everything_passes("q35-virtio", &clocks, &others);
}

#[test]
fn pc_rtl8139_keeps_time_and_its_interrupts_apart() {
    let clocks = ["pit", "pm-timer", "hpet"];
    let others = ["lapic", "lapic-timer", "ioapic", "lapic-messages"];
    everything_passes("pc-rtl8139", &clocks, &others);
}

/// Blind, nothing tells of the newer controller: the old pair brings the wires, which rules name for its places.
#[test]
fn the_old_pair_serves_where_it_is_the_only_controller() {
    let mut machine = thorough("pc-rtl8139");
    machine.options.push("blind".into());
    let others = ["i8259", "lapic", "lapic-timer", "lapic-messages"];
    everything_passes_on(&machine, &["pit", "hpet"], &others);
    let mut booted = boot_with(&machine, &image(machine.arch), &virtual_time());
    for (driver, line) in [("uart16550", "line 4"), ("ide", "line 14")] {
        booted.ask_well("read 1");
        let told = booted.ask_well(&format!("devices {driver}"));
        assert!(told.contains(line), "{told}");
        assert!(!told.contains("heard    0 "), "{told}");
    }
}

#[test]
fn microvm_keeps_time_and_its_interrupts_apart() {
    let others = ["lapic", "lapic-timer", "ioapic", "lapic-messages"];
    everything_passes("microvm", &["pit"], &others);
}

#[test]
fn virt_gicv2_keeps_time_and_its_interrupts_apart() {
    let wanted = ["gicv2", "gicv2-lines", "gicv2m", "arm-timer"];
    everything_passes("virt-gicv2", &["arm-clock"], &wanted);
}

#[test]
fn virt_gicv3_keeps_time_and_its_interrupts_apart() {
    let wanted = ["gicv3", "gicv3-lines", "arm-timer"];
    everything_passes("virt-gicv3", &["arm-clock"], &wanted);
}

/// File of a rule, what stands there, what is put there instead; the driver that must fail, and with what.
type Mistake<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

/// Mistakes that no self-test sees are noticed, each in the driver where it is. Gives what was printed.
fn mistakes_are_noticed(name: &str, folder: &str, mistakes: &[Mistake]) -> String {
    let rules = rules_with(folder, |path, mut text| {
        for (_, right, wrong, ..) in mistakes.iter().filter(|(file, ..)| *file == path) {
            assert!(text.contains(right), "{path} has no {right:?}");
            text = text.replace(right, wrong);
        }
        Some(text)
    });
    let machine = thorough(name);
    let image = images::build_with_rules(
        &workspace(),
        machine.arch,
        &rules,
        &format!("images-{folder}"),
    )
    .unwrap_or_else(|error| panic!("{error:#}"));
    let command = emulator::command(&workspace(), &machine, &image, "stdio", &virtual_time());
    let mut guest = Guest::start(command.expect("a command")).expect("it starts");
    // Such a machine need not come to its prompt.
    let told = guest.wait_for(" failed, ", PATIENCE);
    let transcript = guest.transcript();
    assert!(told.is_ok(), "{transcript}");
    let said = drivers(&transcript);
    for (.., driver, why) in mistakes {
        let (ending, text) = &said[*driver];
        assert!(
            ending == "FAILED" && text.contains(why),
            "{driver} {ending}: {text}"
        );
    }
    let failed = said.values().filter(|(ending, _)| ending == "FAILED");
    assert_eq!(failed.count(), mistakes.len(), "{transcript}");
    transcript
}

#[test]
fn a_timer_that_goes_on_and_a_mask_that_masks_nothing_are_noticed() {
    let mistakes = [
        (
            "timer/lapic_timer.rule",
            "TIMER = { vector: timer_vector }",
            "TIMER = { vector: timer_vector, mode: 1 }",
            "lapic-timer",
            "it had fired: interrupt 240 came",
        ),
        (
            "interrupt/ioapic.rule",
            "LOW[line - first_line].masked = 1 }",
            "LOW[line - first_line].masked = 0 }",
            "ioapic",
            "the line was masked: interrupt",
        ),
    ];
    mistakes_are_noticed("pc-rtl8139", "thorough-lines", &mistakes);
}

#[test]
fn an_end_that_ends_nothing_is_noticed() {
    let mistake = (
        "interrupt/lapic.rule",
        "op end(v) { EOI = 0 }",
        "op end(v) { TPR = 0 }",
        "lapic",
        "did not come",
    );
    let rules = [mistake];
    let transcript = mistakes_are_noticed("q35-virtio", "thorough-end", &rules);
    // Nor is the timer called verified whose second interrupt is kept away by the first.
    let said = "lapic-timer: its interrupt does not come; waits look at the clock instead";
    assert!(transcript.contains(said), "{transcript}");
    assert!(
        !transcript.contains("it was asked for: verified"),
        "{transcript}"
    );
}

/// Without `thorough`, a timer is verified by the interrupts that end genesis's first wait at rest: its self-test takes none.
#[test]
fn a_timer_is_verified_when_it_has_fired() {
    for (name, timer) in [("q35-virtio", "lapic-timer"), ("virt-gicv3", "arm-timer")] {
        let machine = machine(name);
        let mut booted = boot_with(&machine, &image(machine.arch), &virtual_time());
        let log = booted.guest.transcript();
        let at = |said: &str| {
            let found = log.find(said);
            found.unwrap_or_else(|| panic!("{name} does not say {said:?}:\n{log}"))
        };
        let written = at("it is armed and taken back; its interrupt was not tried");
        let fired = at(&format!(
            "{timer}: its interrupt comes when it was asked for: verified"
        ));
        assert!(written < fired, "{log}");
        let devices = booted.ask_well("devices");
        let line = devices.lines().find(|line| line.starts_with(timer));
        let proof = line.and_then(|line| line.split_whitespace().last());
        assert_eq!(proof, Some("verified"), "{devices}");
    }
}

#[test]
fn a_timer_at_half_its_rate_and_a_mask_that_unmasks_are_noticed_on_arm64() {
    let mistakes = [
        (
            "timer/arm_timer.rule",
            "TICKS = { ticks: ticks & 0x7fffffff }",
            "TICKS = { ticks: 2 * ticks & 0x7fffffff }",
            "arm-timer",
            "it fired after",
        ),
        (
            "interrupt/gicv3.rule",
            "{ DISABLE[line / 32] = 1 << line % 32 }",
            "{ ENABLE[line / 32] = 1 << line % 32 }",
            "gicv3-lines",
            "the line was masked: interrupt",
        ),
    ];
    mistakes_are_noticed("virt-gicv3", "thorough-arm64", &mistakes);
}

/// Off switches off, and reset begins anew.
fn power_does_what_it_says(name: &str) {
    let machine = machine(name);
    let again = ["-action", "reboot=reset"].map(String::from);
    let mut booted = boot_with(&machine, &image(machine.arch), &again);
    booted.guest.say("reset").expect("typing");
    if let Err(error) = booted.guest.wait_for_prompt(PATIENCE) {
        panic!("{error:#}\n{}", booted.guest.transcript());
    }
    let began = booted
        .guest
        .transcript()
        .matches("writing their drivers")
        .count();
    assert_eq!(began, 2, "{}", booted.guest.transcript());
    booted.guest.say("off").expect("typing");
    let status = booted.guest.wait_for_end(PATIENCE).expect("it powers off");
    assert!(status.success(), "{status}");
}

#[test]
fn q35_virtio_resets_and_switches_off() {
    power_does_what_it_says("q35-virtio");
}

/// The tables of this one name no register that resets it.
#[test]
fn pc_rtl8139_says_that_it_cannot_reset_and_switches_off() {
    let mut booted = boot("pc-rtl8139");
    let answer = booted.ask("reset");
    assert!(answer.contains("did not reset"), "{answer}");
    booted.guest.say("off").expect("typing");
    let status = booted.guest.wait_for_end(PATIENCE).expect("it powers off");
    assert!(status.success(), "{status}");
}

#[test]
fn microvm_resets_and_switches_off() {
    power_does_what_it_says("microvm");
}

#[test]
fn virt_gicv2_resets_and_switches_off() {
    power_does_what_it_says("virt-gicv2");
}

#[test]
fn virt_gicv3_resets_and_switches_off() {
    power_does_what_it_says("virt-gicv3");
}
