//! Probing that goes wrong, and probing without the firmware's word.

use crate::boots::{boot, boot_image, image, image_with_faults, machine, PATIENCE};
use crate::monitor::Monitor;
use meta::emulator;
use meta::machines::{sector, Machine};
use meta::prompt::Guest;
use std::time::{Duration, Instant};

/// What a journal begins with, and where its text does.
const MAGIC: &[u8] = b"MetaJrnl";
const TEXT: usize = 14;

fn with_options(name: &str, options: &[&str]) -> Machine {
    let mut machine = machine(name);
    machine.options = options.iter().map(|o| (*o).to_string()).collect();
    machine
}

/// The probe of the device at `path` hangs; after a warm reset the boot skips it, and says so. `page` is where the journal
/// is on this machine.
fn a_probe_that_hangs_is_skipped_after_a_reset(name: &str, path: &str, page: u64) {
    let machine = with_options(name, &[&format!("hang={path}")]);
    let image = image_with_faults(machine.arch);
    let monitor = Monitor::new(name);
    let command = emulator::command(
        &crate::boots::workspace(),
        &machine,
        &image,
        "stdio",
        &monitor.arguments(),
    )
    .expect("the emulator's command");
    let mut guest = Guest::start(command).expect("the machine starts");
    let mut monitor = monitor.connect();
    let until = Instant::now() + PATIENCE;
    loop {
        let bytes = monitor.memory(page, TEXT + path.len());
        if bytes.starts_with(MAGIC) && bytes[TEXT..] == *path.as_bytes() {
            break;
        }
        assert!(Instant::now() < until, "no journal names {path}: {bytes:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    // It stays there: the machine hangs.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(
        &monitor.memory(page + TEXT as u64, path.len()),
        path.as_bytes()
    );
    monitor.reset();
    if let Err(error) = guest.wait_for_prompt(PATIENCE) {
        panic!("{error:#}\nit printed:\n{}", guest.transcript());
    }
    let said = format!("{path}: its probe hung the machine before the last reset");
    let transcript = guest.transcript();
    assert!(transcript.contains(&said), "{transcript}");
    let model = guest.ask("machine", PATIENCE).expect("an answer");
    let skipped = model.split("\"skipped\"").nth(1).is_some_and(|rest| {
        rest.split('}')
            .next()
            .is_some_and(|fact| fact.contains(path))
    });
    assert!(skipped, "the model does not name it:\n{model}");
}

#[test]
fn q35_skips_a_place_that_hung() {
    a_probe_that_hangs_is_skipped_after_a_reset("q35-bare", "isa/2f8", 0x9_2000);
}

/// The last page of the RAM of this machine: 256 MiB from 1 GiB.
#[test]
fn virt_skips_a_device_that_hung() {
    a_probe_that_hangs_is_skipped_after_a_reset("virt-gicv3", "pci/00:01.0", 0x4fff_f000);
}

/// The identity, as the prompt's greeting spells its beginning.
fn identity(transcript: &str) -> &str {
    let after = transcript.split(", machine ").nth(1);
    after
        .and_then(|rest| rest.split_whitespace().next())
        .expect("the greeting names the machine")
}

#[test]
fn blind_the_disk_is_read_and_what_is_not_known_is_said() {
    let machine = with_options("q35-virtio", &["blind"]);
    let mut booted = boot_image(&machine, &image(machine.arch));
    let dump = booted.ask_well("read 1");
    assert_eq!(crate::boots::bytes_of_dump(&dump), sector(1), "{dump}");
    let transcript = booted.guest.transcript();
    for said in [
        "not known: where the interrupt wires of PCI functions end: their drivers poll",
        "not known: how many processors there are: only the one that runs is known",
    ] {
        assert!(transcript.contains(said), "{transcript}");
    }
    let devices = booted.ask_well("devices --all");
    assert!(!devices.contains("acpi/"), "a table was read:\n{devices}");
    // With one processor, what hardware says of itself is all there, so it is the same machine.
    let seen = boot("q35-virtio");
    assert_eq!(identity(&transcript), identity(&seen.guest.transcript()));
}

#[test]
fn blind_an_arm_board_still_speaks() {
    // Both kinds of controller begin at the same place.
    for (name, controller) in [("virt-gicv3", "gicv3"), ("virt-gicv2", "gicv2")] {
        let machine = with_options(name, &["blind"]);
        let mut booted = boot_image(&machine, &image(machine.arch));
        let devices = booted.ask_well("devices --all");
        for name in ["arm-clock", "arm-timer", "pl011", controller] {
            assert!(
                devices.contains(name),
                "{name} was not recognised:\n{devices}"
            );
        }
        assert!(!devices.contains("dt/"), "a table was read:\n{devices}");
        let transcript = booted.guest.transcript();
        let said = "not known: where PCI's configuration space is";
        assert!(transcript.contains(said), "{transcript}");
    }
}

#[test]
fn masked_only_behaviour_names_a_device() {
    let machine = with_options("q35-virtio", &["masked"]);
    let mut booted = boot_image(&machine, &image(machine.arch));
    let devices = booted.ask_well("devices --all");
    assert!(devices.contains("isa/3f8"), "{devices}");
    assert!(!devices.contains("vendor 0x"), "an ID is told:\n{devices}");
}
