//! Hostile firmware tables, in the emulator: the machine comes to its prompt, says what it could not understand, and never
//! hangs.

use crate::boots::{boot_with, image, machine};
use std::path::PathBuf;

/// A folder for the tables of one test.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("metaos-tables-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// A package length (ACPI 6.5, 20.2.4) of three bytes, and what it counts.
fn package(body: &[u8]) -> Vec<u8> {
    let size = body.len() + 3;
    let mut bytes = vec![
        0x80 | (size & 15) as u8,
        (size >> 4) as u8,
        (size >> 12) as u8,
    ];
    bytes.extend(body);
    bytes
}

fn method(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut inner = name.to_vec();
    inner.push(0);
    inner.extend(body);
    let mut bytes = vec![0x14];
    bytes.extend(package(&inner));
    bytes
}

fn device(name: &[u8; 4], id: &str, body: &[u8]) -> Vec<u8> {
    let mut inner = name.to_vec();
    inner.extend(b"\x08_HID\x0d");
    inner.extend(id.as_bytes());
    inner.push(0);
    inner.extend(body);
    let mut bytes = vec![0x5b, 0x82];
    bytes.extend(package(&inner));
    bytes
}

/// Boots with one more table, and gives what genesis noted.
fn notes_with(name: &str, table: &str, body: &[u8]) -> String {
    let folder = folder(name);
    let file = folder.join("table");
    std::fs::write(&file, body).expect("a table");
    let machine = machine("q35-bare");
    let extra = [
        "-acpitable".to_owned(),
        format!("sig={table},data={}", file.display()),
    ];
    let mut booted = boot_with(&machine, &image(machine.arch), &extra);
    let transcript = booted.ask_well("devices") + &booted.guest.transcript();
    let _ = std::fs::remove_dir_all(folder);
    transcript
}

#[test]
fn methods_that_never_end_are_ended() {
    // While (One) { }, in the _STA of more devices than the budget of all evaluations together has room for; and a method
    // that calls itself.
    let mut code = Vec::new();
    for n in 0..60u8 {
        let name = [b'Z', b'Z', b'0' + n / 10, b'0' + n % 10];
        code.extend(device(
            &name,
            "XXXX0001",
            &method(b"_STA", &[0xa2, 0x02, 0x01]),
        ));
    }
    code.extend(device(b"YYYY", "XXXX0002", &method(b"_CRS", b"\xa4_CRS")));
    let told = notes_with("loops", "SSDT", &code);
    assert!(
        told.contains("_STA cannot be used: it takes too many steps"),
        "{told}"
    );
    assert!(told.contains("acpi-power"), "{told}");
}

#[test]
fn code_that_is_none_is_left_out() {
    let told = notes_with("noise", "SSDT", &[0xde, 0xad, 0xbe, 0xef].repeat(200));
    assert!(
        told.contains("and the rest of its scope are left out"),
        "{told}"
    );
    // What the other tables name is there all the same.
    assert!(told.contains("acpi-power"), "{told}");
}

#[test]
fn a_device_that_claims_all_memory_gets_none() {
    // QWordMemory from 0, 2^63 bytes.
    let mut template = vec![0x8a, 43, 0, 0, 0x0d, 1];
    for word in [0u64, 0, (1 << 63) - 1, 0, 1 << 63] {
        template.extend(word.to_le_bytes());
    }
    template.extend([0x79, 0]);
    let mut buffer = vec![0x0a, template.len() as u8];
    buffer.extend(&template);
    let mut body = b"\x08_CRS\x11".to_vec();
    body.extend(package(&buffer));
    let told = notes_with("claims", "SSDT", &device(b"ZZZZ", "XXXX0001", &body));
    assert!(told.contains("uart16550"), "{told}");
}

#[test]
fn affinity_without_sizes() {
    // 12 bytes that the table has of its own, then an entry of size 0.
    let mut body = vec![0; 12];
    body.extend([1, 0, 0, 0]);
    let told = notes_with("affinity", "SRAT", &body);
    assert!(
        told.contains("SRAT entry of type 1 has the impossible size 0"),
        "{told}"
    );
}

#[test]
fn a_devicetree_whose_buses_lie() {
    let folder = folder("lies");
    let file = folder.join("blob");
    let machine = machine("virt-gicv3");
    let mut arguments = machine.arguments.clone();
    for argument in &mut arguments {
        if argument.starts_with("virt") {
            argument.push_str(&format!(",dumpdtb={}", file.display()));
        }
    }
    let status = std::process::Command::new("timeout")
        .args(["60", machine.arch.emulator()])
        .args(&arguments)
        .args(["-display", "none", "-nodefaults"])
        .status()
        .expect("the emulator");
    assert!(status.success());
    let mut blob = std::fs::read(&file).expect("a blob");
    // The map of PCI's interrupts leads to its own middle, the host bridge passes on what wraps around, and a bus number
    // is beyond all: every number of these properties is all ones.
    for name in ["interrupt-map", "ranges", "dma-ranges", "bus-range"] {
        spoil(&mut blob, name);
    }
    std::fs::write(&file, blob).expect("a blob");
    let extra = ["-dtb".to_owned(), file.display().to_string()];
    let mut booted = boot_with(&machine, &image(machine.arch), &extra);
    let told = booted.ask_well("devices");
    assert!(told.contains("pl011") && told.contains("psci"), "{told}");
    let _ = std::fs::remove_dir_all(folder);
}

/// Sets all bytes of a blob's properties of this name to ones.
fn spoil(blob: &mut [u8], name: &str) {
    let word =
        |blob: &[u8], at: usize| u32::from_be_bytes(blob[at..at + 4].try_into().unwrap()) as usize;
    let (mut at, strings) = (word(blob, 8), word(blob, 12));
    loop {
        match word(blob, at) {
            1 => {
                let end = blob[at + 4..]
                    .iter()
                    .position(|b| *b == 0)
                    .expect("a name's end");
                at += 4 + (end + 4) / 4 * 4;
            }
            3 => {
                let (size, text) = (word(blob, at + 4), strings + word(blob, at + 8));
                if blob[text..].starts_with(format!("{name}\0").as_bytes()) {
                    blob[at + 12..at + 12 + size].fill(0xff);
                }
                at += 12 + size.div_ceil(4) * 4;
            }
            2 | 4 => at += 4,
            _ => return,
        }
    }
}
