//! Every PCI device that the emulator offers, plugged in one at a time: the model agrees with the emulator's account.

use crate::account;
use crate::agrees;
use meta::discover::outside;
use meta::image::Arch;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

/// What a device needs beside itself: beginning of its name, its options, more arguments.
const NEEDS: &[(&str, &str, &[&str])] = &[
    ("virtio-blk-pci", "drive=d", DRIVE),
    ("nvme", "drive=d,serial=s", DRIVE),
    (
        "virtio-9p-pci",
        "fsdev=f,mount_tag=t",
        &["-fsdev", "synth,id=f"],
    ),
    ("pci-bridge", "chassis_nr=1", &[]),
    // On PCI Express there is another.
    ("pxb", "bus_nr=32", &["-machine", "pc"]),
    ("pxb-pcie", "bus_nr=32", &[]),
    ("vfio-pci-igd-lpc-bridge", "addr=1f.0", &["-machine", "pc"]),
    (
        "acpi-erst",
        "memdev=m",
        &["-object", "memory-backend-ram,id=m,size=64K"],
    ),
    ("ctucan_pci", "canbus0=c,canbus1=c", CAN),
    ("kvaser_pci", "canbus=c", CAN),
    ("mioe3680_pci", "canbus0=c,canbus1=c", CAN),
    ("pcm3680_pci", "canbus0=c,canbus1=c", CAN),
    (
        "ivshmem-plain",
        "memdev=m",
        &["-object", "memory-backend-ram,id=m,size=1M,share=on"],
    ),
    (
        "virtio-crypto-pci",
        "cryptodev=c",
        &["-object", "cryptodev-backend-builtin,id=c"],
    ),
    ("virtio-mem-pci", "memdev=offered", PLUGGED),
    ("virtio-pmem-pci", "memdev=offered", PLUGGED),
    ("pci-ipmi", "bmc=b", &["-device", "ipmi-bmc-sim,id=b"]),
];
const DRIVE: &[&str] = &[
    "-blockdev",
    "null-co,node-name=d,size=1048576,read-zeroes=on",
];
const CAN: &[&str] = &["-object", "can-bus,id=c"];
const PLUGGED: &[&str] = &[
    "-m",
    "64M,slots=2,maxmem=1G",
    "-object",
    "memory-backend-ram,id=offered,size=128M,reserve=off",
];

/// What cannot be plugged in here: beginning of its name, part of the emulator's refusal, why.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "vhost-scsi-pci",
        "wwpn",
        "the host's kernel must be its back end",
    ),
    (
        "vhost-vsock-pci",
        "guest-cid",
        "the host's kernel must be its back end",
    ),
    ("vhost-user", "", "another process must be its back end"),
    (
        "vfio-pci",
        "No provided host device",
        "it is a device of the host",
    ),
    (
        "virtio-input-host-pci",
        "evdev",
        "it is an input device of the host",
    ),
    (
        "virtio-gpu-gl-pci",
        "missing object type",
        "the emulator was built without OpenGL",
    ),
    (
        "virtio-vga-gl",
        "missing object type",
        "the emulator was built without OpenGL",
    ),
    (
        "ivshmem-doorbell",
        "chardev",
        "another process must be its back end",
    ),
    (
        "pvrdma",
        "vmxnet3",
        "it is the second function of a card that is a device of the host",
    ),
    (
        "x-pci-proxy-dev",
        "fd parameter",
        "another process must be its back end",
    ),
    (
        "pxb-cxl",
        "cxl=off",
        "another kind of bus, which no machine here has",
    ),
    (
        "cxl-type3",
        "memdev",
        "another kind of bus, which no machine here has",
    ),
];

/// What a table says of a device: of the longest beginning of its name that is there.
fn named<'a, T>(table: &'a [T], name: &str, key: impl Fn(&T) -> &'static str) -> Option<&'a T> {
    let fitting = table.iter().filter(|row| name.starts_with(key(row)));
    fitting.max_by_key(|row| key(row).len())
}

/// Why a device cannot be plugged in, unless it can: what the emulator says, and the reason.
fn cannot(name: &str) -> Option<&'static str> {
    let refused = named(REFUSED, name, |row| row.0);
    let needs = named(NEEDS, name, |row| row.0);
    // The table that knows it better.
    let longer = refused.filter(|r| needs.is_none_or(|n| n.0.len() < r.0.len()));
    longer.map(|row| row.1)
}

/// All that `-device help` lists on the bus PCI.
fn offered() -> Vec<String> {
    let output = Command::new(Arch::X86_64.emulator())
        .args(["-device", "help"])
        .output()
        .expect("the emulator");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let name = |line: &str| {
        let (name, rest) = line.strip_prefix("name \"")?.split_once('"')?;
        rest.starts_with(", bus PCI").then(|| name.to_owned())
    };
    text.lines().filter_map(name).collect()
}

/// The emulator's arguments for a small machine with this one device.
fn arguments(name: &str) -> Vec<String> {
    let (options, more) = match named(NEEDS, name, |row| row.0) {
        Some((_, options, more)) if cannot(name).is_none() => (*options, *more),
        _ => ("", &[][..]),
    };
    let mut words: Vec<&str> = Vec::new();
    if !more.contains(&"-machine") {
        words.extend(["-machine", "q35"]);
    }
    if !more.contains(&"-m") {
        words.extend(["-m", "64"]);
    }
    words.extend(["-nodefaults", "-display", "none"]);
    words.extend(more);
    let comma = if options.is_empty() { "" } else { "," };
    // No boot ROM: the files need not be installed.
    let device = format!("{name},romfile={comma}{options}");
    let words = words.into_iter().map(str::to_owned);
    words.chain(["-device".into(), device]).collect()
}

/// What is wrong with the model of a machine with this device.
fn sweep(name: &str) -> Vec<String> {
    let told = |fault: String| format!("{name}: {fault}");
    let found = match outside::emulated(Arch::X86_64, arguments(name), &[]) {
        Ok(found) => found,
        Err(error) => {
            let said = format!("{error:#}");
            let expected = cannot(name).is_some_and(|part| said.contains(part));
            return (!expected).then(|| told(said)).into_iter().collect();
        }
    };
    let account = account::ask(&found.emulator);
    let mut faults = agrees::differences(&found.model, &account);
    if cannot(name).is_some() {
        faults.push("it can be plugged in; the table says that it cannot".into());
    }
    // It is really there.
    let there = |node: &account::Node| node.name == name && node.pci.is_some();
    if !account.tree.iter().any(there) {
        faults.push("the emulator does not show it".into());
    }
    faults.into_iter().map(told).collect()
}

#[test]
#[ignore = "takes long"]
fn every_pci_device_of_the_emulator_is_what_it_says() {
    let names = offered();
    assert!(
        names.len() > 100,
        "only {} devices are offered",
        names.len()
    );
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = sweep(name);
                    faults.lock().expect("the list").extend(found);
                }
            });
        }
    });
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    let told = agrees::without_known(faults.into_inner().expect("the list"), &known);
    assert!(
        told.is_empty(),
        "{} differences:\n{}",
        told.len(),
        told.join("\n")
    );
}
