//! What `--host` says of this computer, beside what other tools say of it. A tool that is not there is named, and nothing
//! is compared with it.

use crate::boots::workspace;
use machine::{Machine, MemoryKind, Value, WindowKind};
use meta::discover::host;
use meta::rules;
use std::process::Command;

fn model() -> Machine {
    let book = rules::book(&workspace().root.join("rules")).expect("the rules are right");
    host::discover(&synthesis::candidates(&book)).expect("this is Linux")
}

/// What a tool says, if it is here.
fn said(tool: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(tool)
        .args(arguments)
        .env("LC_ALL", "C")
        .output();
    match output {
        Ok(output) if output.status.success() => {
            Some(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => {
            eprintln!("{tool} has nothing to say here ({})", output.status);
            None
        }
        Err(error) => {
            eprintln!("{tool} is not compared: {error}");
            None
        }
    }
}

fn hexadecimal(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("a number")
}

/// What stands between two marks.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(open)?;
    rest.split_once(close).map(|(inside, _)| inside)
}

#[test]
fn pci_functions_are_those_that_lspci_lists() {
    let Some(text) = said("lspci", &["-D", "-vv", "-nn"]) else {
        return;
    };
    let model = model();
    let mut listed = Vec::new();
    for block in text.split("\n\n").filter(|block| !block.trim().is_empty()) {
        let (at, _) = block.split_once(' ').expect("an address");
        let Some(at) = at.strip_prefix("0000:") else {
            continue;
        };
        let path = format!("pci/{at}");
        let device = model.devices.iter().find(|d| d.path == path);
        let device = device.unwrap_or_else(|| panic!("{path} is not in the model"));
        let number = |name: &str| match device.fact(name) {
            Some(Value::Number(n)) => *n,
            other => panic!("{path}: {name} is {other:?}"),
        };
        // `0000:00:02.0 Mass storage controller [0180]: Red Hat, Inc. Virtio 1.0 … [1af4:1042] (rev 01)`
        let first = block.lines().next().expect("a line");
        let class = between(first, "[", "]").expect("a class");
        assert_eq!(number("class") >> 8, hexadecimal(class), "{first}");
        let ids = first
            .rsplit_once('[')
            .and_then(|(_, rest)| rest.split_once(']'));
        let (vendor, id) = ids.and_then(|(ids, _)| ids.split_once(':')).expect("IDs");
        assert_eq!(
            (number("vendor"), number("device")),
            (hexadecimal(vendor), hexadecimal(id))
        );
        for line in block.lines().map(str::trim) {
            region(device, line);
            if let Some(pin) = line.strip_prefix("Interrupt: pin ") {
                let pin = u64::from(pin.as_bytes()[0] - b'A' + 1);
                assert_eq!(u64::from(device.config[0x3d]), pin, "{line}");
            }
        }
        let capabilities = block
            .lines()
            .filter(|l| l.trim().starts_with("Capabilities: ["));
        // `[40] …` has two digits, `[100 v1] …` is an extended one.
        let at: Vec<u16> = capabilities
            .filter_map(|line| between(line, "[", "]"))
            .map(|at| hexadecimal(at.split(' ').next().unwrap_or(at)) as u16)
            .collect();
        let found: Vec<u16> = device.capabilities.iter().map(|c| c.at).collect();
        assert_eq!(found, at, "{path}: places of capabilities");
        listed.push(path);
    }
    for device in model.devices.iter().filter(|d| d.bus == "pci") {
        assert!(
            listed.contains(&device.path),
            "lspci does not list {}",
            device.path
        );
    }
}

/// `Region 0: Memory at 4000000000 (64-bit, non-prefetchable) [size=512K]`
fn region(device: &machine::Device, line: &str) {
    let Some((index, rest)) = line
        .strip_prefix("Region ")
        .and_then(|r| r.split_once(": "))
    else {
        return;
    };
    let (kind, place) = match (
        rest.strip_prefix("Memory at "),
        rest.strip_prefix("I/O ports at "),
    ) {
        (Some(place), _) => (WindowKind::Memory, place),
        (_, Some(place)) => (WindowKind::Port, place),
        _ => return,
    };
    let base = place.split(' ').next().unwrap_or_default();
    let (Ok(base), Some(size)) = (u64::from_str_radix(base, 16), between(line, "[size=", "]"))
    else {
        return;
    };
    let digits = size.trim_end_matches(|c: char| c.is_alphabetic());
    let unit = match size.chars().last() {
        Some('K') => 1 << 10,
        Some('M') => 1 << 20,
        Some('G') => 1 << 30,
        _ => 1,
    };
    let size = digits.parse::<u64>().expect("a size") * unit;
    let index = index.parse().expect("a number");
    let window = device.window(index);
    let window = window.unwrap_or_else(|| panic!("{}: {line}", device.path));
    assert_eq!(
        (window.kind, window.base, window.size),
        (kind, base, size),
        "{line}"
    );
}

#[test]
fn processors_are_those_that_lscpu_lists() {
    let Some(text) = said("lscpu", &["-p=CPU,ONLINE"]) else {
        return;
    };
    let count = text.lines().filter(|line| !line.starts_with('#')).count();
    let model = model();
    assert!(
        model.cpus.len() >= count,
        "{} processors, lscpu has {count}",
        model.cpus.len()
    );
    if let (Some(text), Some(Value::Text(vendor))) = (said("lscpu", &[]), model.fact("cpu.vendor"))
    {
        let told = text
            .lines()
            .find_map(|line| line.strip_prefix("Vendor ID:"));
        assert_eq!(told.map(str::trim), Some(vendor.as_str()));
    }
}

#[test]
fn memory_is_what_the_kernel_says() {
    let Ok(text) = std::fs::read_to_string("/proc/iomem") else {
        eprintln!("/proc/iomem is not compared: it is not there");
        return;
    };
    let model = model();
    let mut compared = 0;
    for line in text.lines() {
        let Some((place, name)) = line.split_once(" : ") else {
            continue;
        };
        let (first, last) = place.trim().split_once('-').expect("a range");
        let (first, last) = (hexadecimal(first), hexadecimal(last));
        if last == 0 {
            continue;
        }
        let range = |address: u64| {
            model
                .memory
                .iter()
                .find(|r| r.base <= address && address - r.base < r.size)
        };
        let kind = range(first).map(|r| r.kind);
        if !line.starts_with(' ') && name == "System RAM" {
            // The kernel keeps a little of what the firmware gave.
            assert_eq!(kind, Some(MemoryKind::Ram), "{line}");
            assert_eq!(range(last).map(|r| r.kind), Some(MemoryKind::Ram), "{line}");
            compared += 1;
        } else if let Some(at) = name.strip_prefix("0000:") {
            // A function's registers.
            let device = model.devices.iter().find(|d| d.path == format!("pci/{at}"));
            let window = device.and_then(|d| d.windows.iter().find(|w| w.base == first));
            assert_eq!(window.map(|w| w.size), Some(last - first + 1), "{line}");
            compared += 1;
        }
    }
    if compared == 0 {
        eprintln!("/proc/iomem is not compared: it shows addresses to root only");
        assert!(
            model
                .unknown
                .iter()
                .any(|said| said.contains("/proc/iomem")),
            "{:?}",
            model.unknown
        );
    }
}
