//! What kind of thing a device is, as its bus says it, and whether a person would miss it without a driver. Buses give kinds
//! numbers or names that say nothing about who made the device; these tables are their specifications' lists, no more.

use alloc::string::{String, ToString};
use machine::{Device, Value};

/// What kind of thing a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// `SATA controller`, or the bus's own identifier where its list has no word for it.
    pub name: String,
    /// A person would notice that nothing drives it: a disk controller, a network card, a display.
    pub missed: bool,
}

/// A code of a bus's list, what it means, and whether a person would miss such a device.
type Listed = (u16, &'static str, bool);

const MISSED: bool = true;
const QUIET: bool = false;

/// PCI Code and ID Assignment Specification 1.11, chapter 1: base class and sub-class.
const CLASSES: &[Listed] = &[
    (0x0001, "older VGA device", MISSED),
    (0x0100, "SCSI controller", MISSED),
    (0x0101, "parallel ATA controller", MISSED),
    (0x0102, "floppy controller", MISSED),
    (0x0104, "RAID controller", MISSED),
    (0x0105, "ATA controller", MISSED),
    (0x0106, "SATA controller", MISSED),
    (0x0107, "SAS controller", MISSED),
    (0x0108, "NVM controller", MISSED),
    (0x0180, "storage controller", MISSED),
    (0x0200, "Ethernet controller", MISSED),
    (0x0207, "InfiniBand controller", MISSED),
    (0x0280, "network controller", MISSED),
    (0x0300, "VGA controller", MISSED),
    (0x0380, "display controller", MISSED),
    (0x0400, "video device", MISSED),
    (0x0401, "audio device", MISSED),
    (0x0403, "HD audio controller", MISSED),
    (0x0500, "RAM controller", QUIET),
    (0x0502, "CXL memory", QUIET),
    (0x0580, "memory controller", QUIET),
    (0x0600, "host bridge", QUIET),
    (0x0601, "ISA bridge", QUIET),
    (0x0604, "PCI bridge", QUIET),
    (0x0609, "PCI bridge", QUIET),
    (0x0680, "bridge", QUIET),
    (0x0700, "serial port", MISSED),
    (0x0701, "parallel port", MISSED),
    (0x0702, "multiport serial controller", MISSED),
    (0x0703, "modem", MISSED),
    (0x0780, "communication controller", QUIET),
    (0x0800, "interrupt controller", QUIET),
    (0x0801, "DMA controller", QUIET),
    (0x0802, "timer", QUIET),
    (0x0803, "real-time clock", QUIET),
    (0x0805, "SD host controller", MISSED),
    (0x0806, "IOMMU", QUIET),
    (0x0880, "system peripheral", QUIET),
    (0x0900, "keyboard", MISSED),
    (0x0902, "mouse", MISSED),
    (0x0980, "input device", MISSED),
    (0x0c03, "USB controller", MISSED),
    (0x0c05, "SMBus controller", QUIET),
    (0x0c07, "IPMI interface", QUIET),
    (0x0c09, "CAN controller", MISSED),
    (0x0d80, "wireless controller", MISSED),
    (0x1080, "encryption controller", QUIET),
    (0x1180, "signal processor", QUIET),
    (0x1200, "accelerator", MISSED),
];

/// The same list's base classes, for a sub-class that stands above with no word of its own.
const BASES: &[Listed] = &[
    (0x01, "storage controller", MISSED),
    (0x02, "network controller", MISSED),
    (0x03, "display controller", MISSED),
    (0x04, "multimedia device", MISSED),
    (0x05, "memory controller", QUIET),
    (0x06, "bridge", QUIET),
    (0x07, "communication controller", QUIET),
    (0x08, "system peripheral", QUIET),
    (0x09, "input device", MISSED),
    (0x0a, "docking station", QUIET),
    (0x0b, "processor", QUIET),
    (0x0c, "serial bus controller", QUIET),
    (0x0d, "wireless controller", MISSED),
    (0x0e, "intelligent controller", QUIET),
    (0x0f, "satellite receiver", MISSED),
    (0x10, "encryption controller", QUIET),
    (0x11, "signal processor", QUIET),
    (0x12, "accelerator", MISSED),
];

/// Numbers of the maker `PNP`: ACPI Specification 6.5, 5.6.7, and the list of the Plug and Play BIOS Specification, which
/// gives each kind a range.
const PLUG_AND_PLAY: &[(u16, u16, &str, bool)] = &[
    (0x0000, 0x0004, "interrupt controller", QUIET),
    (0x0100, 0x0102, "timer", QUIET),
    (0x0103, 0x0103, "event timer", QUIET),
    (0x0200, 0x0202, "DMA controller", QUIET),
    (0x0300, 0x03ff, "keyboard", MISSED),
    (0x0400, 0x0401, "parallel port", MISSED),
    (0x0500, 0x05ff, "serial port", MISSED),
    (0x0600, 0x06ff, "disk controller", MISSED),
    (0x0700, 0x07ff, "floppy controller", MISSED),
    (0x0800, 0x0800, "speaker", QUIET),
    (0x0900, 0x09ff, "display controller", MISSED),
    (0x0a03, 0x0a03, "PCI host bridge", QUIET),
    (0x0a05, 0x0a06, "container", QUIET),
    (0x0a08, 0x0a08, "PCI Express host bridge", QUIET),
    (0x0a00, 0x0aff, "bus", QUIET),
    (0x0b00, 0x0b02, "real-time clock", QUIET),
    (0x0c01, 0x0c01, "memory of the board", QUIET),
    (0x0c02, 0x0c02, "resources of the board", QUIET),
    (0x0c04, 0x0c04, "coprocessor", QUIET),
    (0x0c09, 0x0c09, "embedded controller", QUIET),
    (0x0c0a, 0x0c0a, "battery", QUIET),
    (0x0c0b, 0x0c0b, "fan", QUIET),
    (0x0c0c, 0x0c0c, "power button", QUIET),
    (0x0c0d, 0x0c0d, "lid", QUIET),
    (0x0c0e, 0x0c0e, "sleep button", QUIET),
    (0x0c0f, 0x0c0f, "interrupt link", QUIET),
    (0x0c33, 0x0c33, "error device", QUIET),
    (0x0c80, 0x0c80, "memory module", QUIET),
    (0x0f00, 0x0fff, "mouse", MISSED),
    (0x8000, 0x8fff, "network controller", MISSED),
    (0xb000, 0xbfff, "multimedia device", MISSED),
];

/// Numbers of the maker `ACPI` (the same section).
const ACPI: &[Listed] = &[
    (0x0001, "SMBus controller", QUIET),
    (0x0003, "power supply", QUIET),
    (0x0004, "container", QUIET),
    (0x0007, "processor", QUIET),
    (0x0008, "light sensor", QUIET),
    (0x0010, "container of processors", QUIET),
    (0x0013, "event device", QUIET),
];

/// The generic names of nodes that a person would miss (Devicetree Specification 0.4, 2.2.2). A node's name says what it is;
/// the others need no list.
const MISSED_NODES: &[&str] = &[
    "audio-controller",
    "bluetooth",
    "camera",
    "can",
    "compact-flash",
    "disk",
    "display",
    "display-controller",
    "ethernet",
    "fdc",
    "flash",
    "gpu",
    "hdmi",
    "keyboard",
    "lcd-controller",
    "mmc",
    "mouse",
    "nand-controller",
    "parallel",
    "sata",
    "scsi",
    "serial",
    "sound",
    "touchscreen",
    "usb",
];

/// What kind of thing it is. A device whose bus tells nothing has an empty name.
pub fn kind(device: &Device) -> Kind {
    let quiet = |name: &str| Kind {
        name: name.to_string(),
        missed: false,
    };
    if device.bus == "pci" {
        return match device.fact("class") {
            Some(Value::Number(class)) => of_class(*class),
            _ => quiet("PCI function"),
        };
    }
    let text = |name: &str| match device.fact(name) {
        Some(Value::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    if device.fact("compatible").is_some() {
        return of_node(&device.path);
    }
    match (text("acpi"), text("hid")) {
        // A device of the namespace that a static table describes, too.
        (_, Some(id)) => of_identifier(id),
        (Some(table), None) => quiet(match table {
            "APIC.1" => "I/O interrupt controller",
            "FACP" => "power management",
            "SPCR" => "firmware's console",
            other => other,
        }),
        _ if device.fact("candidate").is_some() => quiet("a place that a rule names"),
        _ if device.bus == "cpu" => quiet("the processor's own"),
        _ => quiet(""),
    }
}

fn listed((_, name, missed): &Listed) -> Kind {
    Kind {
        name: (*name).to_string(),
        missed: *missed,
    }
}

/// By base class, sub-class and interface.
fn of_class(class: u64) -> Kind {
    let known = CLASSES
        .iter()
        .find(|(code, ..)| u64::from(*code) == class >> 8);
    let known = known.or_else(|| {
        BASES
            .iter()
            .find(|(code, ..)| u64::from(*code) == class >> 16)
    });
    known.map_or_else(
        || Kind {
            name: alloc::format!("class {class:06x}"),
            missed: false,
        },
        listed,
    )
}

/// By the last name in the path of a devicetree node, without its address.
fn of_node(path: &str) -> Kind {
    let last = path.rsplit('/').next().unwrap_or(path);
    let name = last.split('@').next().unwrap_or(last);
    Kind {
        name: name.to_string(),
        missed: MISSED_NODES.contains(&name),
    }
}

/// By a maker's letters and four hexadecimal digits.
fn of_identifier(id: &str) -> Kind {
    let unknown = Kind {
        name: id.to_string(),
        missed: false,
    };
    let split = id.len().saturating_sub(4);
    let (Some(maker), Some(digits)) = (id.get(..split), id.get(split..)) else {
        return unknown;
    };
    let Ok(number) = u16::from_str_radix(digits, 16) else {
        return unknown;
    };
    match maker {
        "PNP" => (PLUG_AND_PLAY.iter())
            .find(|(first, last, ..)| (*first..=*last).contains(&number))
            .map_or(unknown, |(_, _, name, missed)| Kind {
                name: (*name).to_string(),
                missed: *missed,
            }),
        "ACPI" => (ACPI.iter())
            .find(|(known, ..)| *known == number)
            .map_or(unknown, listed),
        _ => unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(bus: &str, path: &str, fact: &str, value: Value) -> Device {
        Device {
            path: path.into(),
            bus: bus.into(),
            facts: alloc::vec![machine::Fact {
                name: fact.into(),
                value,
                source: machine::Source::Inferred,
            }],
            windows: alloc::vec![],
            config: alloc::vec![],
            wires: alloc::vec![],
            learned: alloc::vec![],
            parent: None,
            capabilities: alloc::vec![],
        }
    }

    fn told(bus: &str, path: &str, fact: &str, value: Value) -> (String, bool) {
        let kind = kind(&device(bus, path, fact, value));
        (kind.name, kind.missed)
    }

    #[test]
    fn each_bus_tells_kinds_in_its_own_way() {
        let class = |class| told("pci", "pci/00:01.0", "class", Value::Number(class));
        assert_eq!(class(0x01_0601), ("SATA controller".into(), true));
        assert_eq!(class(0x06_0100), ("ISA bridge".into(), false));
        assert_eq!(class(0x02_0500), ("network controller".into(), true));
        assert_eq!(class(0xff_1234), ("class ff1234".into(), false));
        let hid = |id: &str| told("platform", "acpi/X", "hid", Value::Text(id.into()));
        assert_eq!(hid("PNP0C0F"), ("interrupt link".into(), false));
        assert_eq!(hid("PNP0F13"), ("mouse".into(), true));
        assert_eq!(hid("PNP0A08"), ("PCI Express host bridge".into(), false));
        assert_eq!(hid("ACPI0013"), ("event device".into(), false));
        for odd in ["XYZ0001", "PNP", "", "PNPé00F", "PNP0CFF"] {
            assert_eq!(hid(odd), (odd.into(), false));
        }
        let node = |path: &str| told("platform", path, "compatible", Value::Texts(alloc::vec![]));
        assert_eq!(node("dt/soc/ethernet@3000"), ("ethernet".into(), true));
        assert_eq!(node("dt/gpio@9"), ("gpio".into(), false));
    }

    #[test]
    fn a_device_that_hides_what_it_is_has_a_kind_of_its_bus() {
        let nothing = |bus: &str| told(bus, "x", "other", Value::Number(1));
        assert_eq!(nothing("pci"), ("PCI function".into(), false));
        assert_eq!(nothing("cpu"), ("the processor's own".into(), false));
        assert_eq!(nothing("platform"), (String::new(), false));
    }
}
