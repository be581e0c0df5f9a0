//! Several controllers of interrupt lines in one machine: a line is masked, let through and routed by the one that has it.

use crate::boots::{boot, boot_with, image, machine, Booted};
use crate::messages::came;

/// The machine that may have a second I/O APIC, with one: its devices' wires lead there.
fn with_two(options: &[&str]) -> Booted {
    let mut machine = machine("microvm");
    machine.options = options.iter().map(|word| (*word).to_owned()).collect();
    let words = ["-machine", "ioapic2=on"].map(String::from);
    boot_with(&machine, &image(machine.arch), &words)
}

/// The wire of a driver's device.
fn wire(told: &str) -> u32 {
    let line = told.lines().find(|line| line.starts_with("wire "));
    let line = line.unwrap_or_else(|| panic!("no wire:\n{told}"));
    let number = line
        .split_whitespace()
        .find_map(|w| w.trim_end_matches(',').parse().ok());
    number.unwrap_or_else(|| panic!("{line}"))
}

fn is_heard(booted: &mut Booted, driver: &str, request: &str, lines: std::ops::Range<u32>) {
    booted.ask_well(request);
    let before = booted.ask_well(&format!("devices {driver}"));
    assert!(lines.contains(&wire(&before)), "{before}");
    for _ in 0..5 {
        booted.ask_well(request);
    }
    let after = booted.ask_well(&format!("devices {driver}"));
    let ((heard, looked), (now_heard, now_looked)) = (came(&before), came(&after));
    assert!(now_heard >= heard + 5, "{driver}:\n{after}");
    assert!(now_looked <= looked + 5, "{driver}:\n{after}");
}

#[test]
fn a_device_on_the_second_controller_is_heard() {
    let mut booted = with_two(&[]);
    is_heard(&mut booted, "virtio-blk", "read 1", 24..48);
    is_heard(&mut booted, "virtio-net", "send 10.0.2.2", 24..48);
    let log = booted.ask_well("log");
    assert!(!log.contains("looks every millisecond"), "{log}");
    // The serial line's wire is one of the first controller.
    let serial = booted.ask_well("devices uart16550");
    assert!(wire(&serial) < 24, "{serial}");
    assert!(came(&serial).0 > 0, "{serial}");
}

#[test]
fn with_one_controller_nothing_chooses() {
    let mut booted = boot("microvm");
    is_heard(&mut booted, "virtio-blk", "read 1", 0..24);
}

#[test]
fn the_second_controller_is_tried_where_the_line_is_its_own() {
    let booted = with_two(&["thorough"]);
    let said = booted.guest.transcript();
    assert!(said.contains("thorough: ioapic-2 passed"), "{said}");
}
