//! Dumps made here, of the tables that the discovery's own tests have.

use super::*;

/// The tables of a PC, as the fixture of discovery's tests has them.
fn fixture() -> Vec<Vec<u8>> {
    let mut pieces: &[u8] = include_bytes!("../../../../crates/discovery/tests/fixtures/q35.acpi");
    let mut tables = Vec::new();
    while let Some((head, rest)) = pieces.split_at_checked(16) {
        let size = u64::from_le_bytes(head[8..].try_into().expect("8 bytes")) as usize;
        let (piece, rest) = rest.split_at(size);
        let inner = |name: &[u8; 4]| piece.starts_with(name);
        if !inner(b"RSD ") && !inner(b"RSDT") && !inner(b"XSDT") {
            tables.push(piece.to_vec());
        }
        pieces = rest;
    }
    tables
}

/// As `acpidump` prints them.
fn text(tables: &[Vec<u8>]) -> String {
    let mut text = String::new();
    for table in tables {
        let name = String::from_utf8_lossy(&table[..4]).into_owned();
        text += &format!("{name} @ 0x0000000000000000\n");
        for (at, row) in table.chunks(16).enumerate() {
            let bytes: Vec<String> = row.iter().map(|b| format!("{b:02X}")).collect();
            text += &format!("    {:04X}: {:<47}  ", 16 * at, bytes.join(" "));
            text += &row
                .iter()
                .map(|b| {
                    if b.is_ascii_graphic() {
                        *b as char
                    } else {
                        '.'
                    }
                })
                .collect::<String>();
            text += "\n";
        }
        text += "\n";
    }
    text
}

#[test]
fn a_folder_and_a_text_give_the_same() {
    let tables = fixture();
    let folder = tempfile::tempdir().expect("a folder");
    for (number, table) in tables.iter().enumerate() {
        let name = String::from_utf8_lossy(&table[..4]).to_lowercase();
        std::fs::write(folder.path().join(format!("{name}{number}.dat")), table).expect("a file");
    }
    std::fs::write(folder.path().join("README"), "no table").expect("a file");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text(&tables)).expect("a file");
    let first = acpi(folder.path(), 0, false).expect("a model");
    let second = acpi(file.path(), 0, false).expect("a model");
    let paths =
        |model: &Machine| -> Vec<String> { model.devices.iter().map(|d| d.path.clone()).collect() };
    let mut sorted = [paths(&first), paths(&second)];
    sorted.iter_mut().for_each(|paths| paths.sort());
    assert_eq!(sorted[0], sorted[1]);
    assert!(paths(&first).contains(&"acpi/\\_SB.PCI0".to_owned()));
    // Nothing is on PCI, whatever the place reads as.
    let ones = acpi(folder.path(), 0xff, false).expect("a model");
    for model in [&first, &ones] {
        assert!(model.devices.iter().all(|d| d.bus != "pci"));
    }
    let (routes, hosts, _) = routes(folder.path(), 0).expect("routes");
    assert_eq!(hosts, 1);
    assert!(routes
        .iter()
        .any(|r| r.bridge == "\\_SB.PCI0" && r.line >= 16));
}

#[test]
fn names_are_in_the_order_of_their_numbers() {
    let mut names = ["ssdt10.dat", "ssdt2.dat", "dsdt.dat", "ssdt.dat"];
    names.sort_by_key(|name| parts(name));
    assert_eq!(names, ["dsdt.dat", "ssdt.dat", "ssdt2.dat", "ssdt10.dat"]);
}

#[test]
fn what_is_no_dump_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = acpi(folder.path(), 0, false).expect_err("no table");
    assert!(error.to_string().contains("holds no table DSDT"), "{error}");
    let model = of_blob(b"no devicetree");
    assert!(
        model.notes[0].starts_with("devicetree: "),
        "{:?}",
        model.notes
    );
}
