//! Masked mode: what things are called is hidden, so that only what they do can tell what they are.

use machine::{Device, Machine};

/// Facts that name a thing, or its maker, or its kind.
const NAMES: [&str; 14] = [
    "vendor",
    "device",
    "revision",
    "class",
    "subvendor",
    "subsystem",
    "compatible",
    "acpi",
    "hid",
    "cid",
    "uid",
    "device_type",
    "model",
    "interface",
];
/// Vendor and device; revision and class; the subsystem's two (PCI Local Bus 3.0, 6.1).
const BYTES: [core::ops::Range<usize>; 3] = [0..4, 8..12, 0x2c..0x30];

/// Hides all IDs and classes.
pub fn hide(machine: &mut Machine) {
    for device in &mut machine.devices {
        mask(device);
    }
    machine
        .facts
        .retain(|f| !matches!(f.name.as_str(), "cpu.vendor" | "cpu.model" | "cpu.name"));
    for cpu in &mut machine.cpus {
        cpu.facts.retain(|f| f.name != "midr");
    }
    machine
        .unknown
        .push("what things call themselves: IDs, classes and names are masked".into());
}

fn mask(device: &mut Device) {
    device
        .facts
        .retain(|f| !NAMES.contains(&f.name.as_str()) && f.name != "midr");
    let bridge = device.config.get(0x0e).is_some_and(|h| h & 0x7f != 0);
    for range in BYTES {
        if bridge && range.start == 0x2c {
            continue;
        }
        if let Some(bytes) = device.config.get_mut(range) {
            bytes.fill(0xff);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};
    use machine::{Arch, Fact, Source, Value};

    #[test]
    fn nothing_says_what_a_device_is_and_the_rest_stays() {
        let mut machine = Machine::new(Arch::X86_64);
        let mut device = Device::new("pci/00:02.0".into(), "pci");
        device.config = (0..=255).collect::<Vec<u8>>();
        device.config[0x0e] = 0;
        for name in ["vendor", "class", "compatible", "msix"] {
            device.facts.push(Fact {
                name: name.into(),
                value: Value::Number(7),
                source: Source::Configuration,
            });
        }
        machine.devices.push(device);
        hide(&mut machine);
        let device = &machine.devices[0];
        let names: Vec<&str> = device.facts.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["msix"]);
        assert_eq!(device.config[..4], [0xff; 4]);
        assert_eq!(device.config[4..8], [4, 5, 6, 7]);
        assert_eq!(device.config[8..12], [0xff; 4]);
        assert_eq!(device.config[0x2c..0x30], [0xff; 4]);
        assert_eq!(device.config[0x30..0x34], [0x30, 0x31, 0x32, 0x33]);
        assert_eq!(
            machine.unknown,
            vec!["what things call themselves: IDs, classes and names are masked"]
        );
    }
}
