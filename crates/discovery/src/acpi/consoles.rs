//! The serial ports of the firmware's console (table SPCR) and debugger (table DBG2).

use super::{
    described::{address, Address, Described},
    tables::number,
};
use alloc::vec::Vec;
use machine::{Device, Value, WindowKind};

/// More debug ports, or registers of one, are not believed.
const MOST: usize = 16;

fn window(device: Described, place: Address, size: Option<u64>) -> Described {
    let Some(kind) = place.kind() else {
        return device;
    };
    // Neither table says how many registers there are: as many as the largest of the interfaces has.
    let size = size.unwrap_or(match kind {
        WindowKind::Port => 8,
        WindowKind::Memory => 4096,
    });
    // Registers that stand apart by more than a byte: as wide as one access.
    let shift = match (kind, place.width) {
        (WindowKind::Memory, 32) => Some(2),
        (WindowKind::Memory, 16) => Some(1),
        _ => None,
    };
    device.with("reg_shift", shift).at(kind, place.at, size)
}

/// The console (Serial Port Console Redirection Table 1.10).
pub fn console(table: &[u8]) -> Option<Device> {
    let place = address(table, 40)?;
    let speed = match number(table, 58, 1)? {
        3 => Some(9600),
        4 => Some(19_200),
        6 => Some(57_600),
        7 => Some(115_200),
        _ => None,
    };
    let revision = number(table, 8, 1)?;
    let clock = number(table, 76, 4).filter(|hz| revision >= 3 && *hz != 0);
    let exact = number(table, 80, 4).filter(|bits| revision >= 4 && *bits != 0);
    let device = Described::new("SPCR", Some(place.at))
        .with("interface", number(table, 36, 1))
        .with("clock_frequency", clock)
        .with("current_speed", exact.or(speed))
        .flag("console", true);
    let device = window(device, place, None);
    let kinds = number(table, 52, 1)?;
    Some(
        match kinds & 0x0f {
            0 => device,
            // Bit 0: an ISA wire.
            1 => device.wire(number(table, 53, 1)?, false, false),
            _ => device.wire(number(table, 54, 4)?, true, false),
        }
        .done(),
    )
}

/// The debug ports (Microsoft Debug Port Table 2).
pub fn debug_ports(table: &[u8]) -> Vec<Device> {
    let mut list = Vec::new();
    let Some(mut at) = number(table, 36, 4).map(|at| at as usize) else {
        return list;
    };
    for _ in 0..number(table, 40, 4).unwrap_or(0).min(MOST as u64) {
        let Some(size) = number(table, at.saturating_add(1), 2).filter(|size| *size >= 22) else {
            break;
        };
        let Some(entry) = table.get(at..at.saturating_add(size as usize)) else {
            break;
        };
        list.extend(debug_port(entry));
        at += size as usize;
    }
    list
}

fn debug_port(entry: &[u8]) -> Option<Device> {
    let count = number(entry, 3, 1)?.min(MOST as u64) as usize;
    let (places, sizes) = (
        number(entry, 18, 2)? as usize,
        number(entry, 20, 2)? as usize,
    );
    let first = address(entry, places)?;
    let kind = number(entry, 12, 2)?;
    let mut device = Described::new("DBG2", Some(first.at))
        .with("port_type", Some(kind))
        // The same numbers as the console's table has, for serial ports.
        .with("interface", number(entry, 14, 2).filter(|_| kind == 0x8000))
        .flag("debug", true);
    let (from, length) = (number(entry, 6, 2)? as usize, number(entry, 4, 2)? as usize);
    let name = entry
        .get(from..from.saturating_add(length))
        .unwrap_or_default();
    if let Ok(name) = core::str::from_utf8(name) {
        let name = name.trim_end_matches('\0');
        let known = !name.is_empty() && name != ".";
        device = device.fact("name", known.then(|| Value::Text(name.into())));
    }
    for n in 0..count {
        let size = number(entry, sizes + 4 * n, 4).filter(|size| *size != 0);
        if let Some(place) = address(entry, places + 12 * n) {
            device = window(device, place, size);
        }
    }
    Some(device.done())
}
