//! Broken firmware: notes, never a panic, never endless.

mod fake;

use discovery::{devicetree, discover, Firmware, Request};
use fake::{noted, Fake, Function};
use machine::{Arch, Machine};
use noise::Random;

const PC: &[u8] = include_bytes!("fixtures/q35.acpi");
const OTHER: &[u8] = include_bytes!("fixtures/pc.acpi");
const BLOB: &[u8] = include_bytes!("fixtures/virt.dtb");
/// Many times what a whole discovery needs.
const READS: u64 = 100_000;

fn acpi(fake: &mut Fake, root: u64) -> Machine {
    let request = Request {
        firmware: Firmware::Acpi(root),
        ..Request::new(Arch::X86_64)
    };
    let machine = discover(fake, request);
    assert!(fake.reads < READS, "{} reads", fake.reads);
    machine
}

fn tree(blob: &[u8]) -> Machine {
    let mut fake = Fake::default();
    let request = Request {
        firmware: Firmware::Devicetree(blob),
        ..Request::new(Arch::Aarch64)
    };
    discover(&mut fake, request)
}

/// A DSDT of these bytes in place of the fixture's.
fn with_dsdt(body: &[u8]) -> (Fake, u64) {
    let (mut fake, root) = Fake::acpi(PC);
    let table = fake.table(b"DSDT");
    table.truncate(36);
    table.extend(body);
    let size = (table.len() as u32).to_le_bytes();
    table[4..8].copy_from_slice(&size);
    (fake, root)
}

#[test]
fn nothing_at_all() {
    let machine = acpi(&mut Fake::default(), 0);
    assert!(machine
        .notes
        .iter()
        .any(|n| n == "acpi: no root pointer at 0x0"));
    assert_eq!(machine.cpus.len(), 1);
    assert!(tree(&[]).notes[0].starts_with("devicetree: "));
}

#[test]
fn tables_cut_short() {
    for signature in [b"FACP", b"DSDT", b"APIC", b"HPET", b"MCFG"] {
        let length = Fake::acpi(PC).0.table(signature).len();
        for cut in (0..length).step_by(if length > 1000 { 37 } else { 1 }) {
            let (mut fake, root) = Fake::acpi(PC);
            let table = fake.table(signature);
            // Shorter, and saying so: its insides are cut, not its frame.
            if cut >= 8 {
                table[4..8].copy_from_slice(&(cut as u32).to_le_bytes());
            }
            table.truncate(cut.max(4));
            acpi(&mut fake, root);
        }
    }
}

#[test]
fn tables_with_other_bytes() {
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    for round in 0..800 {
        let (mut fake, root) = Fake::acpi(if round % 2 == 0 { PC } else { OTHER });
        for _ in 0..1 + random.below(8) {
            let piece = random.below(fake.memory.len());
            let bytes = &mut fake.memory[piece].1;
            let at = random.below(bytes.len());
            bytes[at] = random.word() as u8;
        }
        acpi(&mut fake, root);
    }
}

#[test]
fn entries_without_a_size() {
    let (mut fake, root) = Fake::acpi(PC);
    let table = fake.table(b"APIC");
    table[45] = 0;
    let machine = acpi(&mut fake, root);
    noted(
        &machine,
        "acpi: APIC entry of type 0 has the impossible size 0",
    );
}

/// Device (HOST) { Name (_HID, "PNP0A03") … }, and then these terms.
fn host_with(terms: &[u8]) -> Vec<u8> {
    let name = b"\x08_HID\x0dPNP0A03\0";
    let mut body = vec![0x5b, 0x82, (name.len() + terms.len()) as u8 + 5];
    body.extend(b"HOST");
    body.extend(name);
    body.extend(terms);
    body
}

#[test]
fn methods_without_an_end() {
    // Method (_PRT) { While (One) { } }, and one that calls itself
    let endless = b"\x14\x09_PRT\0\xa2\x02\x01";
    let calling = b"\x14\x0a_PRT\0_PRT";
    for method in [endless.as_slice(), calling] {
        let (mut fake, root) = with_dsdt(&host_with(method));
        let machine = acpi(&mut fake, root);
        noted(
            &machine,
            "acpi: \\HOST._PRT cannot be used: it takes too many steps, or nests too deep",
        );
    }
}

/// A byte of ports at 0xb2 as FLAG, and then `_PIC` with this body, and a bridge whose `_PRT` has the line of FLAG.
fn with_pic(body: &[u8]) -> Vec<u8> {
    // OperationRegion (R, SystemIO, 0xb2, 1) Field (R) { FLAG, 8 }
    let mut code = b"\x5b\x80R___\x01\x0a\xb2\x01\x5b\x81\x0bR___\0FLAG\x08".to_vec();
    code.extend([0x14, 6 + body.len() as u8]);
    code.extend(b"_PIC\x01");
    code.extend(body);
    // Method (_PRT) { Return (Package () { Package () { 0x2ffff, 0, 0, FLAG } }) }
    let entry = b"\x12\x0d\x04\x0c\xff\xff\x02\0\0\0FLAG";
    let mut table = b"\x14\x18_PRT\0\xa4\x12\x10\x01".to_vec();
    table.extend(entry);
    code.extend(host_with(&table));
    code
}

#[test]
fn what_methods_write_to_devices_is_kept_back() {
    // Method (_PIC, 1) { Store (0x16, FLAG) }
    let (mut fake, root) = with_dsdt(&with_pic(b"\x70\x0a\x16FLAG"));
    fake.mapped = Some(0xb000_0000);
    let card = Function::new(0x1af4, 0x1000, 0x020000).pin(1);
    fake.pci.insert((0, 2, 0), card);
    // The fake's ports panic when written: what was meant for them is read back.
    let machine = acpi(&mut fake, root);
    assert!(fake.told.is_empty());
    let wires = &fake::device(&machine, "pci/00:02.0").wires;
    let lines: Vec<u32> = wires.iter().map(|w| w.line).collect();
    assert_eq!(lines, [0x16], "{:?}", machine.notes);
}

#[test]
fn a_failed_pic_leads_to_no_lines() {
    // Method (_PIC, 1) { Store (Zero, NONE) }: no such name.
    let (mut fake, root) = with_dsdt(&with_pic(b"\x70\0NONE"));
    fake.mapped = Some(0xb000_0000);
    let card = Function::new(0x1af4, 0x1000, 0x020000).pin(1);
    fake.pci.insert((0, 2, 0), card);
    let machine = acpi(&mut fake, root);
    noted(&machine, "acpi: \\_PIC failed: there is no NONE");
    noted(
        &machine,
        "acpi: \\HOST._PRT is not used, since \\_PIC failed",
    );
    assert!(fake::device(&machine, "pci/00:02.0").wires.is_empty());
}

#[test]
fn scopes_too_deep() {
    let mut body = Vec::new();
    for _ in 0..400 {
        let mut outer = vec![0x5b, 0x82];
        let length = body.len() + 4 + 2;
        outer.extend([0x40 | (length & 15) as u8, (length >> 4) as u8]);
        outer.extend(b"DEEP");
        outer.extend(&body);
        body = outer;
        if body.len() > 4000 {
            break;
        }
    }
    let (mut fake, root) = with_dsdt(&body);
    acpi(&mut fake, root);
}

#[test]
fn bridges_in_a_circle() {
    let (mut fake, root) = Fake::acpi(PC);
    fake.mapped = Some(0xb000_0000);
    fake.pci
        .insert((0, 1, 0), Function::new(1, 1, 0x060400).bridge(1, 1));
    fake.pci
        .insert((0, 2, 0), Function::new(1, 2, 0x060400).bridge(1, 1));
    fake.pci
        .insert((1, 0, 0), Function::new(1, 3, 0x060400).bridge(0, 5));
    fake.pci
        .insert((1, 1, 0), Function::new(1, 4, 0x060400).bridge(1, 1));
    let machine = acpi(&mut fake, root);
    assert!(
        machine.notes.iter().any(|n| n.contains("reached twice")),
        "{:?}",
        machine.notes
    );
    assert!(
        machine.notes.iter().any(|n| n.contains("cannot be")),
        "{:?}",
        machine.notes
    );
}

#[test]
fn registers_of_impossible_sizes() {
    let (mut fake, root) = Fake::acpi(PC);
    fake.mapped = Some(0xb000_0000);
    let mut odd = Function::new(1, 1, 0x020000)
        .bar(0, 0x1000, 0, 0xfe00_0000)
        .pin(9);
    odd.writable.insert(0x10, 0xf0f0_0000);
    fake.pci.insert((0, 2, 0), odd);
    let mut all = Function::new(1, 2, 0x020000);
    (0x10..0x28)
        .step_by(4)
        .for_each(|at| all.put(at, 0xffff_ffff));
    fake.pci.insert((0, 3, 0), all);
    let machine = acpi(&mut fake, root);
    assert!(
        machine
            .notes
            .iter()
            .any(|n| n.contains("impossible size bits")),
        "{:?}",
        machine.notes
    );
}

#[test]
fn devicetrees_with_other_bytes() {
    let mut random = Random::new(0x1234_5678_9abc_def1);
    for _ in 0..1500 {
        let mut blob = BLOB.to_vec();
        for _ in 0..1 + random.below(8) {
            let at = random.below(blob.len());
            blob[at] = random.word() as u8;
        }
        tree(&blob);
        let _ = devicetree::boot(&blob);
    }
}

#[test]
fn devicetrees_cut_short() {
    for cut in (0..BLOB.len()).step_by(13) {
        let mut blob = BLOB[..cut].to_vec();
        tree(&blob);
        if cut >= 8 {
            blob[4..8].copy_from_slice(&(cut as u32).to_be_bytes());
            tree(&blob);
        }
    }
}
