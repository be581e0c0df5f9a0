//! Facts as people read them.

use machine::{Device, Fact, Machine, MemoryKind, Source, Value, Wire};

/// Bytes, in the largest unit that leaves a whole number.
#[must_use]
pub fn bytes(size: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut unit = 0;
    let mut rest = size;
    while rest >= 1024 && rest.is_multiple_of(1024) && unit + 1 < UNITS.len() {
        rest /= 1024;
        unit += 1;
    }
    // Too many digits to read: a rounded number of the next unit.
    let mut about = rest as f64;
    let mut rounded = false;
    while about >= 10_000.0 && unit + 1 < UNITS.len() {
        about /= 1024.0;
        unit += 1;
        rounded = true;
    }
    match rounded {
        true => format!("{about:.1} {}", UNITS[unit]),
        false => format!("{rest} {}", UNITS[unit]),
    }
}

/// Who says so.
#[must_use]
pub fn source(source: Source) -> String {
    match source {
        Source::Firmware(table) => {
            let name = String::from_utf8_lossy(&table).trim().to_owned();
            match name.as_str() {
                "dtb" => "devicetree".into(),
                "e820" => "firmware's memory map".into(),
                _ => format!("ACPI {name}"),
            }
        }
        Source::Configuration => "configuration space".into(),
        Source::Assigned => "assigned by discovery".into(),
        Source::Processor => "the processor".into(),
        Source::Candidate => "a rule names the place".into(),
        Source::Learned => "a rule learned it".into(),
        Source::Probe => "probed".into(),
        Source::Inferred => "inferred".into(),
        Source::Measured => "measured".into(),
        Source::System => "the operating system".into(),
    }
}

#[must_use]
pub fn memory_kind(kind: MemoryKind) -> &'static str {
    match kind {
        MemoryKind::Ram => "RAM",
        MemoryKind::Rom => "ROM",
        MemoryKind::Mmio => "device registers",
        MemoryKind::Reserved => "reserved",
        MemoryKind::AcpiTables => "ACPI tables",
        MemoryKind::AcpiNvs => "ACPI, kept",
        MemoryKind::Void => "nothing",
    }
}

#[must_use]
pub fn value(value: &Value) -> String {
    match value {
        Value::Number(n) if *n < 10 => n.to_string(),
        Value::Number(n) => format!("{n:#x}"),
        Value::Flag(flag) => if *flag { "yes" } else { "no" }.into(),
        Value::Text(text) => text.clone(),
        Value::Texts(texts) => texts.join(", "),
        Value::Bytes(bytes) => {
            let shown: Vec<String> = bytes.iter().take(16).map(|b| format!("{b:02x}")).collect();
            let rest = if bytes.len() > 16 { " …" } else { "" };
            format!("{}{rest}", shown.join(" "))
        }
        Value::Numbers(numbers) => {
            let shown: Vec<String> = numbers.iter().take(8).map(|n| format!("{n:#x}")).collect();
            let rest = if numbers.len() > 8 { " …" } else { "" };
            format!("{}{rest}", shown.join(" "))
        }
    }
}

/// A fact as `name value`; a flag that holds is its name.
#[must_use]
pub fn fact(fact: &Fact) -> String {
    match &fact.value {
        Value::Flag(true) => fact.name.clone(),
        other => format!("{} {}", fact.name, value(other)),
    }
}

fn number(device: &Device, name: &str) -> Option<u64> {
    match device.fact(name) {
        Some(Value::Number(n)) => Some(*n),
        _ => None,
    }
}

/// What kind of thing it is, by what the bus says, with the identifier that firmware gives it.
#[must_use]
pub fn kind(device: &Device) -> String {
    let kind = discovery::kind(device).name;
    match (device.fact("compatible"), device.fact("hid")) {
        (Some(Value::Texts(texts)), _) => texts.first().cloned().unwrap_or_default(),
        (_, Some(Value::Text(id))) if *id != kind => format!("{kind}  {id}"),
        _ => kind,
    }
}

/// `8086:100e` for a PCI function.
#[must_use]
pub fn ids(device: &Device) -> Option<String> {
    let (vendor, id) = (number(device, "vendor")?, number(device, "device")?);
    (device.bus == "pci").then(|| format!("{vendor:04x}:{id:04x}"))
}

/// Where a wire goes: `INTA → line 21, level, high`.
#[must_use]
pub fn wire(wire: &Wire) -> String {
    let pin = match wire.pin {
        pin @ 1..=4 => format!("INT{} → ", char::from(b'@' + pin)),
        _ => String::new(),
    };
    let level = if wire.level { "level" } else { "edge" };
    let low = if wire.low { "low" } else { "high" };
    format!("{pin}line {}, {level}, {low}", wire.line)
}

/// Bytes of RAM.
#[must_use]
pub fn ram(model: &Machine) -> u64 {
    let of = |kind| matches!(kind, MemoryKind::Ram);
    let ranges = model.memory.iter().filter(|range| of(range.kind));
    ranges.map(|range| range.size).sum()
}

/// The identity as hexadecimal digits.
#[must_use]
pub fn identity(model: &Machine) -> String {
    let digits = model.identity();
    digits.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The name of a capability (PCI Local Bus 3.0, appendix H; PCI Express 5.0, 7.9).
#[must_use]
pub fn capability(capability: &machine::Capability) -> String {
    let standard = [
        (0x01, "power management"),
        (0x03, "vital product data"),
        (0x04, "slot"),
        (0x05, "MSI"),
        (0x07, "PCI-X"),
        (0x09, "vendor's own"),
        (0x0a, "debug port"),
        (0x0c, "hot-plug"),
        (0x0d, "bridge's subsystem"),
        (0x10, "PCI Express"),
        (0x11, "MSI-X"),
        (0x12, "SATA"),
        (0x13, "advanced features"),
    ];
    let extended = [
        (0x01, "error reporting"),
        (0x02, "virtual channels"),
        (0x03, "serial number"),
        (0x0b, "vendor's own"),
        (0x0d, "access control"),
        (0x0e, "function groups"),
        (0x0f, "address translation"),
        (0x10, "virtual functions"),
        (0x13, "page requests"),
        (0x15, "resizable BARs"),
        (0x18, "latency tolerance"),
        (0x19, "second PCI Express"),
        (0x1b, "process IDs"),
        (0x23, "designated vendor's own"),
    ];
    let known: &[(u16, &str)] = if capability.extended {
        &extended
    } else {
        &standard
    };
    match known.iter().find(|(id, _)| *id == capability.id) {
        Some((_, name)) => (*name).to_owned(),
        None if capability.extended => format!("extended {:#x}", capability.id),
        None => format!("{:#x}", capability.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_stay_readable() {
        let said = [0, 512, 1 << 20, 639 << 10, 0xfee0_0000, (3 << 40) + 4096].map(bytes);
        assert_eq!(
            said,
            ["0 B", "512 B", "1 MiB", "639 KiB", "4078 MiB", "3072.0 GiB"]
        );
    }
}
