//! What the image builder does with rules that are broken or gone.

use crate::boots::{boot, boot_image, driver_names, machine, workspace, Booted};
use meta::{discover, explain, image, rules};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A copy of `rules/` in which one file is changed.
fn changed_rules(name: &str, file: &str, change: impl Fn(String) -> Option<String>) -> PathBuf {
    let files = rules::files(&workspace().root.join("rules")).expect("the rules can be read");
    assert!(
        files.iter().any(|(path, _)| path == file),
        "there is no {file}"
    );
    rules_with(name, |path, text| match path == file {
        true => change(text),
        false => Some(text),
    })
}

/// A copy of `rules/` in which each file is what `change` makes of its path and text, or missing.
pub fn rules_with(name: &str, change: impl Fn(&str, String) -> Option<String>) -> PathBuf {
    let workspace = workspace();
    let copy = workspace
        .target
        .join("changed-rules")
        .join(name)
        .join("rules");
    let _ = std::fs::remove_dir_all(&copy);
    let files = rules::files(&workspace.root.join("rules")).expect("the rules can be read");
    for (path, text) in files {
        if let Some(text) = change(&path, text) {
            let to = copy.join(path);
            std::fs::create_dir_all(to.parent().unwrap_or(Path::new(".")))
                .expect("making a folder");
            std::fs::write(to, text).expect("writing a rule");
        }
    }
    copy
}

/// What the image builder says to a rule that is wrong; it must not make an image.
fn refused(name: &str, file: &str, change: impl Fn(String) -> Option<String>) -> String {
    let broken = changed_rules(name, file, change);
    let into = format!("images-{name}");
    let machine = machine("q35-e1000");
    // As if one had been made before the rule was broken.
    let images = workspace().target.join(&into).join(machine.arch.name());
    std::fs::create_dir_all(&images).expect("making a folder");
    std::fs::write(images.join("metaos.elf"), "old").expect("writing");
    let Err(error) = image::build_with_rules(&workspace(), machine.arch, &broken, &into) else {
        panic!("an image was made from a broken rule");
    };
    let left: Vec<_> = std::fs::read_dir(images).into_iter().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
    format!("{error:#}")
}

fn says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part:?} is not said:\n{said}");
    }
}

#[test]
fn a_broken_rule_gives_a_diagnostic_and_no_image() {
    let said = refused("broken", "nic/e1000.rule", |text| {
        Some(format!("{text}\n  op transmit(\n"))
    });
    says(&said, &["rules/nic/e1000.rule:", " | ", "^", "help: "]);
}

#[test]
fn an_unknown_register_gives_a_diagnostic_and_no_image() {
    let said = refused("misspelt", "serial/uart16550.rule", |text| {
        let line = text
            .lines()
            .position(|l| l.trim_start().starts_with("init"))?;
        let mut lines: Vec<&str> = text.lines().collect();
        lines.insert(line + 1, "    FCRR = 0");
        Some(lines.join("\n") + "\n")
    });
    // Place, reason, and the name that was meant.
    says(
        &said,
        &[
            "rules/serial/uart16550.rule:",
            "FCRR",
            "^",
            "help: ",
            "did you mean `FCR`?",
        ],
    );
}

/// Name and whole hash of every driver.
fn hashes(booted: &mut Booted) -> BTreeMap<String, String> {
    let names = driver_names(&booted.ask_well("devices"));
    let mut hash = |name: &String| {
        let told = booted.ask_well(&format!("devices {name}"));
        let (_, rest) = told.split_once("BLAKE3 ").expect("a hash");
        let hash = rest.split_whitespace().next().unwrap_or_default();
        assert_eq!(hash.len(), 64, "{told}");
        (name.clone(), hash.to_owned())
    };
    names.iter().map(&mut hash).collect()
}

#[test]
fn a_driver_that_fails_its_self_test_is_not_installed() {
    // The capacity is read where another field is, so the last sector is not where it says.
    let wrong = changed_rules("wrong", "block/virtio_blk.rule", |text| {
        let wrong = text.replace("CAPACITY  0x00:64", "CAPACITY  0x08:64");
        (wrong != text).then_some(wrong)
    });
    let machine = machine("q35-virtio");
    let image = image::build_with_rules(&workspace(), machine.arch, &wrong, "images-wrong")
        .unwrap_or_else(|error| panic!("{error:#}"));
    let mut booted = boot_image(&machine, &image);
    let devices = booted.ask_well("devices");
    let disk = devices.lines().find(|l| l.starts_with("virtio-blk "));
    let disk = disk.unwrap_or_else(|| panic!("the disk is not listed:\n{devices}"));
    let (_, why) = disk
        .split_once("rejected: ")
        .unwrap_or_else(|| panic!("{disk}"));
    assert!(why.len() > 10, "it does not say why: {disk}");
    let tasks = booted.ask_well("tasks");
    assert!(!tasks.contains("virtio-blk"), "it has a task:\n{tasks}");
    says(&tasks, &["virtio-net", "uart16550"]);
    let answer = booted.ask("read 0");
    assert!(
        answer.contains("error:") && answer.contains("disk"),
        "{answer}"
    );
    // Everything else works, a restart too.
    booted.ask_well("send");
    booted.ask_well("kill virtio-net");
    booted.ask_well("send");
}

#[test]
fn without_its_rule_a_device_is_unmatched_and_the_rest_works() {
    let without = changed_rules("without", "nic/e1000.rule", |_| None);
    let machine = machine("q35-e1000");
    let image = image::build_with_rules(&workspace(), machine.arch, &without, "images-without")
        .unwrap_or_else(|error| panic!("{error:#}"));
    // Nothing but the rulebook differs in what the image carries.
    let carried = |into: &str, file: &str| {
        let path = workspace()
            .target
            .join("payload")
            .join(into)
            .join(machine.arch.name())
            .join(file);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    image::build(&workspace(), machine.arch).unwrap_or_else(|error| panic!("{error:#}"));
    for program in [
        "nucleus.pack",
        "manager.pack",
        "driver.pack",
        "console.pack",
    ] {
        assert!(
            carried("images", program) == carried("images-without", program),
            "{program} differs"
        );
    }
    assert!(carried("images", "rulebook.bin") != carried("images-without", "rulebook.bin"));

    let mut booted = boot_image(&machine, &image);
    let devices = booted.ask_well("devices");
    let unmatched = devices.split_once("without a rule:").map(|(_, rest)| rest);
    let card = unmatched.and_then(|rest| {
        rest.lines()
            .find(|line| line.contains("vendor 0x8086, device 0x100e"))
    });
    assert!(
        card.is_some(),
        "the card is not called unmatched:\n{devices}"
    );
    let mut with = hashes(&mut boot("q35-e1000"));
    assert!(with.remove("e1000").is_some());
    assert_eq!(hashes(&mut booted), with, "another driver changed");
    let answer = booted.ask("send");
    assert!(
        answer.contains("error:") && answer.contains("network"),
        "{answer}"
    );
    booted.ask_well("read virtio-blk:0");
}

#[test]
fn without_a_controller_of_interrupts_the_machine_still_answers() {
    let without = changed_rules("without-controller", "interrupt/gicv3.rule", |_| None);
    let machine = machine("virt-gicv3");
    let image = image::build_with_rules(&workspace(), machine.arch, &without, "images-alone")
        .unwrap_or_else(|error| panic!("{error:#}"));
    let mut booted = boot_image(&machine, &image);
    let devices = booted.ask_well("devices");
    assert!(!devices.contains(" lines "), "{devices}");
    booted.ask_well("send");
    booted.ask_well("read 0");
}

#[test]
fn a_rule_that_comes_near_is_told_with_the_clue_that_failed() {
    let near = changed_rules("near", "nic/e1000.rule", |text| {
        // Nothing is left of what tells that it is this card, and its ID is another's.
        let other =
            |line: &&str| line.trim_start().starts_with("match ") && !line.contains("0x100e");
        let kept: Vec<&str> = text.lines().filter(|line| !other(line)).collect();
        let near = kept
            .join("\n")
            .replace("device == 0x100e", "device == 0x100f")
            + "\n";
        (near != text).then_some(near)
    });
    let machine = machine("q35-e1000");
    let image = image::build_with_rules(&workspace(), machine.arch, &near, "images-near")
        .unwrap_or_else(|error| panic!("{error:#}"));
    let mut booted = boot_image(&machine, &image);
    let devices = booted.ask_well("devices");
    let card = devices.lines().find(|l| l.contains("device 0x100e"));
    let card = card.unwrap_or_else(|| panic!("the card is not listed:\n{devices}"));
    says(card, &["nearest e1000: device == 0x100f"]);
    // The same is found here from the machine model.
    let book = rules::book(&near).expect("the rules are right");
    let mut model = discover::model_of(&booted.ask_well("machine")).expect("a machine model");
    let plan = explain::plan(&book, &mut model);
    let path = card.split_whitespace().next().unwrap_or_default();
    let told = explain::explain(&book, &model, &plan, path);
    says(
        &told,
        &["no rule; nearest e1000, which fails at: device == 0x100f"],
    );
}
