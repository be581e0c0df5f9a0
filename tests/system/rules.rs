//! What the image builder does with rules that are broken or gone.

use crate::boots::{boot_image, machine, workspace};
use meta::{image, rules};
use std::path::{Path, PathBuf};

/// A copy of `rules/` in which one file is changed.
fn changed_rules(name: &str, file: &str, change: impl Fn(String) -> Option<String>) -> PathBuf {
    let workspace = workspace();
    let copy = workspace
        .target
        .join("changed-rules")
        .join(name)
        .join("rules");
    let _ = std::fs::remove_dir_all(&copy);
    let files = rules::files(&workspace.root.join("rules")).expect("the rules can be read");
    assert!(
        files.iter().any(|(path, _)| path == file),
        "there is no {file}"
    );
    for (path, text) in files {
        let text = if path == file {
            change(text)
        } else {
            Some(text)
        };
        if let Some(text) = text {
            let to = copy.join(path);
            std::fs::create_dir_all(to.parent().unwrap_or(Path::new(".")))
                .expect("making a folder");
            std::fs::write(to, text).expect("writing a rule");
        }
    }
    copy
}

#[test]
fn a_broken_rule_gives_a_diagnostic_and_no_image() {
    let broken = changed_rules("broken", "nic/e1000.rule", |text| {
        Some(format!("{text}\n  op transmit(\n"))
    });
    let machine = machine("q35-e1000");
    let Err(error) = image::build_with_rules(&workspace(), machine.arch, &broken, "images-broken")
    else {
        panic!("an image was made from a broken rule");
    };
    let said = format!("{error:#}");
    for part in ["rules/nic/e1000.rule:", " | ", "^", "help: "] {
        assert!(
            said.contains(part),
            "{part:?} is not in the diagnostic:\n{said}"
        );
    }
    let images = workspace()
        .target
        .join("images-broken")
        .join(machine.arch.name());
    let left: Vec<_> = std::fs::read_dir(images).into_iter().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
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
    let answer = booted.ask("send");
    assert!(
        answer.contains("error:") && answer.contains("network"),
        "{answer}"
    );
    booted.ask_well("read 0");
}
