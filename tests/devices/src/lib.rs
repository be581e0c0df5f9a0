//! Rules against real device models: from the rule's text to emitted code that a test drives.

pub mod proof;

pub use ::proof::stand::Opening;

use machine::{Arch, Cpu, Device, Fact, Machine, Source, Value, Window};
use qtest::pci::Function;
use rulebook::tree::Book;
use std::path::{Path, PathBuf};
use synthesis::{Choice, Subject, Written};

/// The folder of the shipped rules.
pub fn rules_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules")
}

/// The shipped rulebook, checked.
pub fn rulebook() -> Book {
    read(texts()).unwrap()
}

/// The shipped rulebook with `right` in one of its files replaced by `wrong`.
///
/// # Errors
/// What the checker says first.
pub fn rulebook_with(file: &str, right: &str, wrong: &str) -> Result<Book, String> {
    let mut all = texts();
    let (_, text) = all.iter_mut().find(|(name, _)| name == file).unwrap();
    assert_eq!(text.matches(right).count(), 1, "{right:?} in {file}");
    *text = text.replace(right, wrong);
    read(all)
}

fn texts() -> Vec<(String, String)> {
    let mut files = Vec::new();
    collect(&rules_folder(), &mut files);
    files.sort();
    let named = |path: &PathBuf| {
        let name = path.strip_prefix(rules_folder()).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        (name.to_string_lossy().into_owned(), text)
    };
    files.iter().map(named).collect()
}

fn read(texts: Vec<(String, String)>) -> Result<Book, String> {
    let borrowed: Vec<(&str, &str)> = texts
        .iter()
        .map(|(n, t)| (n.as_str(), t.as_str()))
        .collect();
    rulebook::read(&borrowed).map_err(|problems| {
        format!(
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
        let mut probe = Opening::new(emulated).unwrap();
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
        let mut live = Opening::new(emulated).unwrap();
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
