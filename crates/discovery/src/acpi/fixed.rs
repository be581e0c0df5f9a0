//! ACPI's fixed hardware (table FADT, 5.2.9): the registers that switch the machine off and reset it, and the flags that say
//! which devices a PC has.

use super::{
    described::{address, Described},
    tables::number,
};
use alloc::string::String;
use machine::{Device, Fact, Source, Value, WindowKind};

/// Bits of `IAPC_BOOT_ARCH` (5.2.9.3) that are facts where they are set.
const PC: [(&str, u32); 6] = [
    ("legacy_devices", 0),
    ("keyboard_controller", 1),
    ("no_vga", 2),
    ("no_msi", 3),
    ("no_aspm", 4),
    ("no_clock_ports", 5),
];
/// Bits of the flags (5.2.9, table 5.10) that are.
const FLAGS: [(&str, u32); 4] = [
    ("pm_timer_wide", 8),
    ("headless", 12),
    ("apic_cluster", 18),
    ("hardware_reduced", 20),
];

/// The device that the table describes: control ports of power management, reset, and what is said of the machine.
pub fn fixed(table: &[u8]) -> Option<Device> {
    let flags = number(table, 112, 4)?;
    let reduced = flags >> 20 & 1 == 1;
    let port = |old: usize, new: usize| {
        let wide = address(table, new).and_then(|a| a.port());
        let old = number(table, old, 4).filter(|port| *port != 0);
        wide.or(old).filter(|_| !reduced)
    };
    let reset = address(table, 116).filter(|_| flags >> 10 & 1 == 1);
    let sleep = address(table, 244).filter(|_| reduced);
    let status = address(table, 256).filter(|_| reduced);
    let mut device = Described::new("FACP", None)
        .with("pm1a", port(64, 172))
        .with("pm1b", port(68, 184))
        .with("pm_timer", port(76, 208))
        .with("sci", number(table, 46, 2).filter(|_| !reduced))
        .with("reset_port", reset.and_then(|a| a.port()))
        .with("reset_memory", reset.and_then(|a| a.memory()))
        .with("reset_value", reset.and(number(table, 128, 1)))
        .with("sleep_control", sleep.and_then(|a| a.memory()))
        .with("sleep_status", status.and_then(|a| a.memory()))
        .with("sleep_control_port", sleep.and_then(|a| a.port()))
        .with("century", number(table, 108, 1).filter(|index| *index != 0))
        .with("profile", number(table, 45, 1));
    for (name, bit) in FLAGS {
        device = device.flag(name, flags >> bit & 1 == 1);
    }
    let pc = number(table, 109, 2).unwrap_or(0);
    for (name, bit) in PC {
        device = device.flag(name, pc >> bit & 1 == 1);
    }
    // 5.2.9.4: bit 0, the firmware answers power calls; bit 1, by HVC rather than SMC.
    let arm = number(table, 129, 2).unwrap_or(0);
    let conduit = match arm & 3 {
        1 => Some("smc"),
        3 => Some("hvc"),
        _ => None,
    };
    device = device.text("method", conduit).text("conduit", conduit);
    // Registers in memory, in this order: sleep control, sleep status, reset.
    for place in [sleep, status, reset].into_iter().flatten() {
        if let Some(at) = place.memory() {
            device = device.at(WindowKind::Memory, at, 1);
        }
    }
    Some(device.done())
}

/// Adds what `\_S5_` said to the fixed hardware: the two values that switch the machine off.
pub fn sleep(devices: &mut [Device], a: u64, b: u64) {
    for device in devices.iter_mut().filter(|d| d.path == "acpi/FACP") {
        for (name, value) in [("s5a", a), ("s5b", b)] {
            device.facts.push(Fact {
                name: String::from(name),
                value: Value::Number(value & 7),
                source: Source::Firmware(*b"DSDT"),
            });
        }
    }
}
