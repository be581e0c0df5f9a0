//! Each kind of term of AML, as ACPICA's compiler writes it: a device a kind, which is there when the term did what it should
//! (`operators/operators.asl`).

mod fake;

use discovery::{discover, Firmware, Request};
use fake::{device, Fake};
use machine::{Arch, Machine, Value};
use std::{collections::BTreeMap, io::Write, process::Command, process::Stdio};

const PC: &[u8] = include_bytes!("fixtures/q35.acpi");
const TABLE: &[u8] = include_bytes!("operators/operators.aml");
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/operators/operators.aml");

fn machine() -> Machine {
    let (mut fake, root) = Fake::acpi(PC);
    *fake.table(b"DSDT") = TABLE.to_vec();
    fake.memory.push((0xfed0_0040, vec![0; 16]));
    let request = Request {
        firmware: Firmware::Acpi(root),
        ..Request::new(Arch::X86_64)
    };
    discover(&mut fake, request)
}

/// The IDs of devices of the namespace, by name.
fn listed(machine: &Machine) -> BTreeMap<String, String> {
    let text = |device: &machine::Device, name: &str| match device.fact(name) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let devices = machine.devices.iter();
    devices
        .filter_map(|d| Some((text(d, "name")?, text(d, "hid")?)))
        .collect()
}

#[test]
fn every_term_does_what_it_should() {
    let machine = machine();
    let listed = listed(&machine);
    // As many as the source declares; those that begin with X stand where nothing may be.
    let source = include_str!("operators/operators.asl");
    for part in source.split("Device (").skip(1) {
        let name = &part[..4];
        let there = listed.contains_key(&format!("\\_SB.{name}"))
            || listed.contains_key(&format!("\\_SB.EC00.{name}"));
        assert_eq!(
            there,
            !name.starts_with('X'),
            "{name}: {:#?}",
            machine.notes
        );
    }
    assert_eq!(listed["\\_SB.T033"], "META0033");
    let joined = device(&machine, "acpi/\\_SB.T029");
    assert_eq!(joined.windows[0].base, 0xa00);
    assert_eq!(joined.wires[0].line, 7);
    // What is left out is said, and nothing else is.
    let out = |note: &&String| note.contains("is left out");
    assert_eq!(
        machine.notes.iter().filter(out).count(),
        2,
        "{:#?}",
        machine.notes
    );
    fake::noted(&machine, "in \\_SB, is left out: there is a BASE already");
    fake::noted(&machine, "in \\_SB, is left out: there is no LATE");
}

/// ACPICA's own account of the same table, where its acpiexec is installed.
#[test]
fn acpica_lists_the_same() {
    let mine = listed(&machine());
    let started = Command::new("acpiexec")
        .args(["-fv", "0x00", PATH])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = started else {
        eprintln!("skipped: there is no acpiexec (Debian: acpica-tools)");
        return;
    };
    let mut input = child.stdin.take().expect("its input");
    for name in mine.keys() {
        writeln!(input, "evaluate {name}._STA\nevaluate {name}._HID").expect("its input");
    }
    writeln!(input, "quit").expect("its input");
    drop(input);
    let output = child.wait_with_output().expect("its output");
    let output = String::from_utf8_lossy(&output.stdout);
    for part in output.split("Evaluating ").skip(1) {
        let name = part.split_whitespace().next().unwrap_or_default();
        // Its acpiexec plays an embedded controller, which a machine has no driver of.
        let answered = !part.contains("AE_NOT_FOUND") && !name.contains("EC00");
        if name.ends_with("._STA") && answered {
            assert!(part.contains("[Integer] = 000000000000000F"), "{part}");
        } else if let Some(text) = part.split('"').nth(1) {
            let id = &mine[name.trim_end_matches("._HID")];
            assert_eq!(
                id,
                &text.trim_start_matches('*').to_ascii_uppercase(),
                "{name}"
            );
        }
    }
    // It answered.
    assert!(output.contains("META0034"), "{output}");
}
