//! Machines that UEFI firmware boots from a stick. One boot each: firmware takes its time.

use crate::boots::{self, boot_image, bytes_of_dump, image, workspace};
use machine::Machine;
use meta::machines::sector;
use meta::{discover, stick};

#[test]
#[ignore = "the stick that is read back has no machine.json: see LIMITS.md"]
fn q35_uefi_comes_to_its_prompt_and_its_report_is_on_the_stick() {
    let mut described = boots::machine("q35-uefi");
    let kept = workspace()
        .target
        .join(format!("sticks/kept-{}.img", std::process::id()));
    described.keep = Some(kept.clone());
    let mut booted = boot_image(&described, &image(described.arch));

    let devices = booted.ask_well("devices");
    for name in ["uart16550", "virtio-net", "virtio-blk"] {
        assert!(devices.contains(name), "{name} is not listed:\n{devices}");
    }
    for _ in 0..2 {
        assert!(booted.ask_well("send").contains("52:55:0a:00:02:02"));
        for number in [0, 1, 77] {
            let dump = booted.ask_well(&format!("read {number}"));
            assert_eq!(bytes_of_dump(&dump), sector(number), "{dump}");
        }
        booted.ask_well("kill virtio-net");
        booted.ask_well("kill virtio-blk");
    }
    let inside = discover::model_of(&booted.ask_well("machine")).expect("a machine model");
    drop(booted);

    let [model, report] = ["machine.json", "report.json"].map(|name| stick::read(&kept, name));
    std::fs::remove_file(&kept).expect("removing the stick");
    let model: Machine = serde_json::from_slice(&model.expect("it was written")).expect("a model");
    let report: serde_json::Value =
        serde_json::from_slice(&report.expect("it was written")).expect("a report");
    assert_eq!(paths(&model), paths(&inside));
    assert_eq!(
        (model.arch, model.cpus.len()),
        (inside.arch, inside.cpus.len())
    );
    for (before, after) in model.devices.iter().zip(&inside.devices) {
        let ranges = |d: &machine::Device| -> Vec<(u8, u64, u64)> {
            d.windows
                .iter()
                .map(|w| (w.index, w.base, w.size))
                .collect()
        };
        assert_eq!(ranges(before), ranges(after), "{}", before.path);
    }
    let told: Vec<&str> = (report["devices"].as_array().expect("a list").iter())
        .filter_map(|device| device["path"].as_str())
        .collect();
    assert_eq!(told, paths(&model));
    assert_eq!(report["missing"].as_array().map(Vec::len), Some(0));
}

fn paths(model: &Machine) -> Vec<&str> {
    model.devices.iter().map(|d| d.path.as_str()).collect()
}
