//! Rules against real device models: from the rule's text to emitted code that a test drives.

pub mod proof;

use graph::{Access, Conduit, Fence, Late, Space, Width};
use machine::{Arch, Cpu, Device, Fact, Machine, Source, Value, Window};
use qtest::pci::Function;
use qtest::Live;
use rulebook::tree::Book;
use std::path::{Path, PathBuf};
use synthesis::{Choice, LiveAccess, Subject, Written};

/// The folder of the shipped rules.
pub fn rules_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules")
}

/// The shipped rulebook, checked.
pub fn rulebook() -> Book {
    let mut files = Vec::new();
    collect(&rules_folder(), &mut files);
    files.sort();
    let texts: Vec<(String, String)> = files
        .iter()
        .map(|path| {
            let name = path
                .strip_prefix(rules_folder())
                .unwrap()
                .to_string_lossy()
                .into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    let borrowed: Vec<(&str, &str)> = texts
        .iter()
        .map(|(n, t)| (n.as_str(), t.as_str()))
        .collect();
    rulebook::read(&borrowed).unwrap_or_else(|problems| {
        panic!(
            "the rulebook has {} problems: {:?}",
            problems.len(),
            problems[0].reason
        )
    })
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rule") {
            files.push(path);
        }
    }
}

pub fn fact(name: &str, value: Value) -> Fact {
    Fact {
        name: name.into(),
        value,
        source: Source::Configuration,
    }
}

/// The model of a PCI function as discovery would write it.
pub fn pci_device(f: &Function) -> Device {
    ::proof::stand::on_pci(f).unwrap()
}

/// A device that no bus enumerates.
pub fn platform_device(path: &str, facts: Vec<Fact>, windows: Vec<Window>) -> Device {
    Device {
        path: path.into(),
        bus: "platform".into(),
        facts,
        windows,
        config: Vec::new(),
        wires: Vec::new(),
        learned: Vec::new(),
        parent: None,
        capabilities: Vec::new(),
    }
}

pub fn machine_of(arch: Arch, device: &Device) -> Machine {
    Machine {
        cpus: vec![Cpu {
            id: 0,
            facts: Vec::new(),
        }],
        devices: vec![device.clone()],
        ..Machine::new(arch)
    }
}

/// A live device whose windows open as the rule names them.
pub struct Opening(pub Live);

impl LiveAccess for Opening {
    fn open(&mut self, index: u8, window: &graph::Window) -> bool {
        self.0.open(index, window.clone());
        true
    }
}

impl Access for Opening {
    fn read(&mut self, window: u8, at: u64, width: Width) -> u64 {
        self.0.read(window, at, width)
    }
    fn write(&mut self, window: u8, at: u64, width: Width, value: u64) {
        self.0.write(window, at, width, value)
    }
    fn load(&mut self, space: Space, at: u64, width: Width) -> u64 {
        self.0.load(space, at, width)
    }
    fn store(&mut self, space: Space, at: u64, width: Width, value: u64) {
        self.0.store(space, at, width, value)
    }
    fn fence(&mut self, fence: Fence) {
        self.0.fence(fence)
    }
    fn late(&mut self, late: Late) -> u64 {
        self.0.late(late)
    }
    fn clock(&mut self) -> u64 {
        self.0.clock()
    }
    fn pause(&mut self, ns: u64) {
        self.0.pause(ns)
    }
    fn up(&mut self, which: u8, args: &[u64]) -> u64 {
        self.0.up(which, args)
    }
    fn firmware(&mut self, conduit: Conduit, args: [u64; 4]) -> u64 {
        self.0.firmware(conduit, args)
    }
}

/// From the device to its driver: matched, learned, specialised.
pub fn write_driver(
    book: &Book,
    emulated: &qtest::Machine,
    device: &mut Device,
    class: &str,
    given: &[(&str, u64)],
) -> (Choice, Written) {
    let arch = match emulated.arch() {
        qtest::Arch::X86_64 => Arch::X86_64,
        _ => Arch::Aarch64,
    };
    let machine = machine_of(arch, device);
    let verdict = {
        let mut probe = Opening(Live::with(emulated, Vec::new(), 4096, 1 << 20, 4096).unwrap());
        synthesis::match_device(
            Subject {
                book,
                machine: &machine,
                device,
                given,
            },
            Some(&mut probe),
        )
    };
    let choice = verdict
        .chosen
        .iter()
        .find(|c| c.class == class)
        .unwrap_or_else(|| panic!("no rule of class {class}: {verdict:?}"))
        .clone();
    let learned = {
        let mut live = Opening(Live::with(emulated, Vec::new(), 1 << 16, 1 << 20, 4096).unwrap());
        let learned = synthesis::learn(
            Subject {
                book,
                machine: &machine,
                device,
                given,
            },
            &choice,
            &mut live,
        )
        .unwrap_or_else(|e| panic!("{}", e.show(book)));
        live.0.check().unwrap();
        learned
    };
    device.learned.extend(learned);
    let written = synthesis::specialise(
        Subject {
            book,
            machine: &machine,
            device,
            given,
        },
        &choice,
    )
    .unwrap_or_else(|e| panic!("{}", e.show(book)));
    written.residual.validate().unwrap();
    (choice, written)
}
