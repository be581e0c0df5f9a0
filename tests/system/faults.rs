//! Devices that are made to seem broken in the machine (`fault=`): what their drivers did about it is told by `devices`, and
//! shows in what they do afterwards.

use crate::boots::{boot_image, image, image_with_faults, machine, Booted};
use meta::image::{self, Arch};
use meta::packed;
use proof::faults::Kind;

/// How the tests of a driver may end whose device breaks for good: it was served all the same, has no room for more, saw
/// that answers were wrong, or failed by a name.
const ENDS: [&str; 7] = [
    "all requests were carried out",
    "answers were wrong: ",
    "busy all the time: ",
    "the driver failed: `",
    "the driver failed: reset several times in a row without a success",
    "the driver failed: the device is no longer there",
    "the driver failed: the device is not the one the code was written for",
];

fn broken(name: &str, faults: &[String]) -> Booted {
    let mut machine = machine(name);
    machine.options = faults.iter().map(|f| format!("fault={f}")).collect();
    boot_image(&machine, &image_with_faults(machine.arch))
}

/// What `devices` says of how a driver was made to fail: how, and what came of it.
fn told(devices: &str, driver: &str) -> (String, String) {
    let start = format!("{driver} ");
    let line = devices.lines().find(|line| line.starts_with(&start));
    let line = line.unwrap_or_else(|| panic!("{driver} is not listed:\n{devices}"));
    let said = line.split_once("made to fail (");
    let (_, said) = said.unwrap_or_else(|| panic!("nothing was made to fail: {line}"));
    let (how, came) = said.split_once("): ").unwrap_or((said, ""));
    (how.into(), came.into())
}

/// A driver, and after how many reads of registers, and of memory that it shares, its device breaks: 0 where its test reads
/// hardly any.
type Fault<'a> = (&'a str, u64, u64);

/// Every kind of fault on these drivers at once, one boot a kind. What does not serve in the end has no task; the others do.
fn every_kind_ends(name: &str, drivers: &[Fault]) {
    let (mut wrong, mut failed) = (Vec::new(), 0);
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Lost) {
        let of_memory = matches!(kind, Kind::Wild | Kind::Short | Kind::Silent);
        let reads = |fault: &Fault| if of_memory { fault.2 } else { fault.1 };
        let chosen: Vec<&Fault> = drivers.iter().filter(|f| reads(f) > 0).collect();
        let fault = |f: &&Fault| format!("{}:{}:{}", f.0, kind.name(), reads(f));
        let faults: Vec<String> = chosen.iter().map(fault).collect();
        let mut booted = broken(name, &faults);
        let devices = booted.ask_well("devices");
        let tasks = booted.ask_well("tasks");
        for (driver, ..) in chosen {
            let (how, came) = told(&devices, driver);
            assert!(how.starts_with(kind.name()), "{driver}: {how}");
            if !ENDS.iter().any(|end| came.starts_with(end)) {
                wrong.push(format!("{driver}, {how}: {came}"));
            }
            failed += usize::from(came.starts_with("the driver failed: "));
            let mut words = tasks.lines().flat_map(str::split_whitespace);
            let served = came.starts_with(ENDS[0]) || came.ends_with("it serves again");
            assert_eq!(words.any(|word| word == *driver), served, "{came}\n{tasks}");
        }
    }
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    assert!(failed > 0, "{name}: no driver failed by a name");
}

macro_rules! every_kind_ends {
    ($($test:ident: $machine:literal, $drivers:expr;)*) => {
        $(#[test]
        fn $test() {
            every_kind_ends($machine, &$drivers);
        })*
    };
}

every_kind_ends! {
    every_kind_ends_on_q35_virtio: "q35-virtio", [("virtio-net", 5, 9), ("virtio-blk", 5, 9)];
    every_kind_ends_on_q35_nvme: "q35-nvme", [("nvme", 5, 60), ("virtio-net", 12, 3)];
    every_kind_ends_on_q35_e1000: "q35-e1000", [("e1000", 200, 40), ("ahci", 25, 3)];
    every_kind_ends_on_pc_rtl8139: "pc-rtl8139", [("rtl8139", 25, 0), ("ide", 290, 0)];
    every_kind_ends_on_microvm: "microvm", [("virtio-net", 14, 9), ("virtio-blk", 9, 9)];
    every_kind_ends_on_virt_gicv2: "virt-gicv2", [("virtio-net", 7, 3), ("virtio-blk", 7, 3)];
    every_kind_ends_on_virt_gicv3: "virt-gicv3", [("virtio-net", 14, 20), ("virtio-blk", 9, 20)];
    every_kind_ends_on_virt_mmio: "virt-mmio", [("virtio-net", 14, 9), ("virtio-blk", 9, 9)];
}

/// A device that is broken for a while: its driver recovers by what its rule says, and serves. What exactly is spoilt depends on
/// how fast the host is, and now and then is something that nobody needs: then it is tried again.
fn serves_again(name: &str, faults: &[(&str, &str)], ask: &[&str]) {
    let list: Vec<String> = faults
        .iter()
        .map(|(driver, fault)| format!("{driver}:{fault}"))
        .collect();
    let mut missing: Vec<&str> = faults.iter().map(|(driver, _)| *driver).collect();
    for _ in 0..3 {
        let mut booted = broken(name, &list);
        let devices = booted.ask_well("devices");
        for (driver, _) in faults {
            let (how, came) = told(&devices, driver);
            assert!(came.ends_with("it serves again"), "{driver}, {how}: {came}");
            if came.contains(" was served, with ") {
                missing.retain(|name| name != driver);
            }
        }
        for line in ask {
            // Answers to the tests' many questions may still stand in the emulator's queue before this one's.
            booted.ask(line);
            booted.ask_well(line);
        }
        if missing.is_empty() {
            return;
        }
    }
    panic!("{name}: in three boots nothing had to be recovered in {missing:?}");
}

/// Interrupts that are lost from some one on, or for a while, are made up for: what a request waits for is looked at.
fn lost_interrupts_are_made_up_for(name: &str, drivers: &[(&str, &str)]) {
    for lost in ["lost:0", "lost:3", "lost:2:4"] {
        let faults: Vec<String> = drivers
            .iter()
            .map(|(driver, _)| format!("{driver}:{lost}"))
            .collect();
        let mut booted = broken(name, &faults);
        // What the driver says of its interrupt may come in between.
        let mut ask = |request: &str| {
            let answer = booted.ask_well(request);
            let said = |line: &&str| !line.contains("its interrupt does not come");
            answer
                .lines()
                .filter(said)
                .collect::<Vec<&str>>()
                .join("\n")
        };
        for (driver, request) in drivers {
            let first = ask(request);
            for round in 0..12 {
                assert_eq!(ask(request), first, "{driver} {lost}, round {round}");
            }
        }
    }
}

#[test]
fn drivers_serve_again_on_q35_virtio() {
    let faults = [("virtio-net", "wild:3:1"), ("virtio-blk", "wild:3:1")];
    serves_again("q35-virtio", &faults, &["read 1", "send"]);
}

#[test]
fn drivers_serve_again_on_q35_e1000() {
    let faults = [("e1000", "stuck:200:400"), ("ahci", "ones:25:2")];
    serves_again("q35-e1000", &faults, &["read ahci:1", "send"]);
}

#[test]
fn drivers_serve_again_on_q35_nvme() {
    serves_again("q35-nvme", &[("nvme", "wild:68:8")], &["read 1"]);
}

#[test]
fn drivers_serve_again_on_virt_gicv3() {
    let faults = [("virtio-net", "wild:3:1"), ("virtio-blk", "wild:4:1")];
    serves_again("virt-gicv3", &faults, &["read 1", "send"]);
}

/// By message.
#[test]
fn lost_messages_are_made_up_for() {
    let drivers = [("virtio-blk", "read 1"), ("virtio-net", "send 10.0.2.2")];
    lost_interrupts_are_made_up_for("q35-virtio", &drivers);
}

/// By wires.
#[test]
fn lost_lines_are_made_up_for_on_virt_gicv3() {
    let drivers = [("virtio-blk", "read 1"), ("virtio-net", "send 10.0.2.2")];
    lost_interrupts_are_made_up_for("virt-gicv3", &drivers);
}
#[test]
fn lost_lines_are_made_up_for_on_pc_rtl8139() {
    let drivers = [("ide", "read 1"), ("rtl8139", "send 10.0.2.2")];
    lost_interrupts_are_made_up_for("pc-rtl8139", &drivers);
}

/// What cannot be done is said.
#[test]
fn faults_that_cannot_be_are_told() {
    let faults = ["virtio-net:odd:3", "nothing:ones:3", "hpet:ones:3"].map(String::from);
    let log = broken("q35-virtio", &faults).guest.transcript();
    for told in [
        "fault=virtio-net:odd:3: DRIVER:KIND:AFTER or",
        "fault=nothing:ones:3: there is no driver nothing",
        "fault=hpet:ones:3: only drivers with requests",
    ] {
        assert!(log.contains(told), "{told}\n{log}");
    }
}

/// What only an image says in which things can be made to fail: genesis, and a driver's task.
const SAID: [&str; 5] = [
    "made to fail (",
    "reads of memory",
    "its test did not last until then",
    "made to hang, as the command line asks",
    "made to lose interrupts, as the command line asks",
];

/// The image that people run has none of the code with which tests make things fail.
#[test]
fn the_image_that_people_run_makes_nothing_fail() {
    for arch in Arch::ALL {
        let bytes = |image: &image::Image| {
            let packed = std::fs::read(&image.path).expect("the image");
            packed::genesis(arch, &packed).expect("a genesis").bytes
        };
        let (with, without) = (bytes(&image_with_faults(arch)), bytes(&image(arch)));
        for said in SAID {
            let says = |bytes: &[u8]| bytes.windows(said.len()).any(|w| w == said.as_bytes());
            assert!(
                says(&with),
                "{arch:?}: {said:?} is not in the image with faults"
            );
            assert!(
                !says(&without),
                "{arch:?}: {said:?} is in the image that people run"
            );
        }
        assert!(without.len() < with.len(), "{arch:?}");
    }
}

/// Told to make something fail, it says that it cannot, and goes on.
#[test]
fn the_image_that_people_run_says_that_it_makes_nothing_fail() {
    let mut machine = machine("q35-virtio");
    let words = ["fault=virtio-net:ones:3", "hang=isa/2f8"];
    machine.options = words.map(String::from).to_vec();
    let mut booted = boot_image(&machine, &image(machine.arch));
    let log = booted.guest.transcript();
    for word in words {
        let told = format!("{word}: this image was built without what makes things fail");
        assert!(log.contains(&told), "{told}\n{log}");
    }
    let devices = booted.ask_well("devices");
    assert!(!devices.contains("made to fail"), "{devices}");
}
