//! Machines that UEFI firmware boots from a stick. One boot each: firmware takes its time.

use crate::boots::{self, boot_image, boot_with, bytes_of_dump, image, workspace};
use machine::Machine;
use meta::machines::sector;
use meta::{discover, stick};

/// What a machine that firmware booted says of itself at the prompt, and what the door left on the stick.
struct Told {
    inside: Machine,
    model: Machine,
    report: serde_json::Value,
}

/// Boots, asks, kills its drivers and asks again, then reads the stick.
fn from_stick(name: &str, drivers: &[&str]) -> Told {
    let mut described = boots::machine(name);
    let kept = workspace().target.join("sticks");
    let kept = kept.join(format!("kept-{name}-{}.img", std::process::id()));
    described.keep = Some(kept.clone());
    let mut booted = boot_image(&described, &image(described.arch));

    let devices = booted.ask_well("devices");
    for driver in drivers {
        assert!(
            devices.contains(driver),
            "{driver} is not listed:\n{devices}"
        );
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
    let transcript = booted.guest.transcript();
    drop(booted);

    let [model, report] = ["machine.json", "report.json"]
        .map(|name| stick::read(&kept, name).unwrap_or_else(|e| panic!("{e:#}\n{transcript}")));
    std::fs::remove_file(&kept).expect("removing the stick");
    Told {
        inside,
        model: serde_json::from_slice(&model).expect("a model"),
        report: serde_json::from_slice(&report).expect("a report"),
    }
}

/// The door saw what genesis saw later.
fn agree(told: &Told) {
    let (model, inside) = (&told.model, &told.inside);
    assert_eq!(paths(model), paths(inside));
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
    let devices = told.report["devices"].as_array().expect("a list");
    let told_of: Vec<&str> = (devices.iter())
        .filter_map(|device| device["path"].as_str())
        .collect();
    assert_eq!(told_of, paths(model));
    assert_eq!(told.report["missing"].as_array().map(Vec::len), Some(0));
}

fn paths(model: &Machine) -> Vec<&str> {
    model.devices.iter().map(|d| d.path.as_str()).collect()
}

/// The same hardware, stick and all, started by the emulator's loader instead of firmware: another door.
fn by_the_loader(name: &str) -> Machine {
    let mut described = boots::machine(name);
    described.firmware = None;
    let image = image(described.arch);
    let stick = stick::with(&workspace(), &image, &[]).expect("a stick");
    let drive = format!(
        "file={},format=raw,if=none,id=stick,snapshot=on",
        stick.display()
    );
    let extra = [
        "-drive",
        &drive,
        "-device",
        "qemu-xhci,id=usb",
        "-device",
        "usb-storage,bus=usb.0,drive=stick",
    ];
    let mut booted = boot_with(&described, &image, &extra.map(String::from));
    discover::model_of(&booted.ask_well("machine")).expect("a machine model")
}

/// The identity from firmware's side, from genesis behind it, and from genesis behind another door.
fn one_identity(name: &str, told: &Told) {
    let other = by_the_loader(name);
    assert_eq!(
        told.inside.identity(),
        other.identity(),
        "from UEFI:\n{}\nfrom the loader:\n{}",
        serde_json::to_string(&told.inside).unwrap_or_default(),
        serde_json::to_string(&other).unwrap_or_default()
    );
    let digits: String = (other.identity().iter())
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        told.report["identity"],
        digits.as_str(),
        "before genesis:\n{}\nafter:\n{}",
        serde_json::to_string(&told.model).unwrap_or_default(),
        serde_json::to_string(&told.inside).unwrap_or_default()
    );
}

#[test]
fn q35_uefi_comes_to_its_prompt_and_its_report_is_on_the_stick() {
    let told = from_stick("q35-uefi", &["uart16550", "virtio-net", "virtio-blk"]);
    agree(&told);
    one_identity("q35-uefi", &told);
}

#[test]
fn virt_uefi_comes_to_its_prompt_and_its_report_is_on_the_stick() {
    let told = from_stick("virt-uefi", &["pl011", "gicv3", "virtio-net", "virtio-blk"]);
    agree(&told);
    one_identity("virt-uefi", &told);
}
