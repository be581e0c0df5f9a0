//! Inputs of `tests/cases` that need no machine: tables and devicetrees.

mod fake;

use discovery::{discover, Firmware, Request};
use fake::{Fake, Function};
use machine::{Arch, Machine};

const PC: &[u8] = include_bytes!("fixtures/q35.acpi");

/// A PC whose DSDT is this table, with a card at 00:02.0.
fn pc(dsdt: &[u8]) -> Machine {
    let (mut fake, root) = Fake::acpi(PC);
    fake.mapped = Some(0xb000_0000);
    *fake.table(b"DSDT") = dsdt.to_vec();
    let card = Function::new(0x1af4, 0x1000, 0x020000).pin(1);
    fake.pci.insert((0, 2, 0), card);
    let request = Request {
        firmware: Firmware::Acpi(root),
        ..Request::new(Arch::X86_64)
    };
    discover(&mut fake, request)
}

fn board(blob: &[u8]) -> Machine {
    let request = Request {
        firmware: Firmware::Devicetree(blob),
        ..Request::new(Arch::Aarch64)
    };
    discover(&mut Fake::default(), request)
}

/// The lines of a device's wires; why not, if it is not there.
fn lines(machine: &Machine, path: &str) -> Result<Vec<u32>, String> {
    let found = machine.devices.iter().find(|d| d.path == path);
    let device = found.ok_or_else(|| format!("no {path}; notes: {:?}", machine.notes))?;
    Ok(device.wires.iter().map(|w| w.line).collect())
}

#[test]
fn cases_aml_pic_debug_port() {
    let machine = pc(include_bytes!(
        "../../../tests/cases/aml-pic-debug-port/pic.aml"
    ));
    let lines = lines(&machine, "pci/00:02.0").expect("the card");
    assert_eq!(lines, [22], "{:?}", machine.notes);
}

/// A length of two bytes (ACPI 6.5, 20.2.4), which counts itself, and what it is of.
fn package(body: &[u8]) -> Vec<u8> {
    let length = body.len() + 2;
    let mut bytes = vec![0x40 | (length & 15) as u8, (length >> 4) as u8];
    bytes.extend(body);
    bytes
}

#[test]
fn cases_aml_whole_space() {
    let resources = include_bytes!("../../../tests/cases/aml-whole-space/whole.bin");
    // Scope (\\_SB) { Device (WHOL) { Name (_HID, "CASE0009")  Name (_CRS, Buffer () { … }) } }
    let mut body = b"WHOL\x08_HID\x0dCASE0009\0\x08_CRS\x11".to_vec();
    body.push(3 + resources.len() as u8);
    body.extend([0x0a, resources.len() as u8]);
    body.extend(resources);
    let body = [&[0x5b, 0x82][..], &package(&body)].concat();
    let body = [&b"\\_SB_"[..], &body].concat();
    let mut table = b"DSDT\0\0\0\0\x02\0CASE  WHOLE   \0\0\0\0TEST\0\0\0\0".to_vec();
    table.push(0x10);
    table.extend(package(&body));
    let length = table.len() as u32;
    table[4..8].copy_from_slice(&length.to_le_bytes());
    let sum = table.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    table[9] = sum.wrapping_neg();
    // In a build with overflow checks this was a panic.
    let machine = pc(&table);
    let device = fake::device(&machine, "acpi/\\_SB.WHOL");
    assert!(device.windows.is_empty(), "{:?}", device.windows);
}

#[test]
fn cases_dtb_disabled_parent() {
    let machine = board(include_bytes!(
        "../../../tests/cases/dtb-disabled-parent/off.dtb"
    ));
    let paths: Vec<&str> = machine.devices.iter().map(|d| d.path.as_str()).collect();
    let below = paths.iter().any(|path| path.contains("serial@1000"));
    assert!(!below, "{paths:?}");
}

#[test]
fn cases_dtb_three_cells() {
    let machine = board(include_bytes!(
        "../../../tests/cases/dtb-three-cells/three.dtb"
    ));
    let lines = lines(&machine, "dt/card@a000000").expect("the card");
    assert!(lines.is_empty(), "{lines:?}");
}
