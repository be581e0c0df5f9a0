//! Legacy places: PCI functions of some kinds (such as disk controllers) also answer at the fixed ports and lines that such devices
//! had before PCI.

use alloc::string::String;
use machine::{Device, Fact, Source, Value, Window, WindowKind, Wire};

/// Offset of a function's interface in configuration space, and of its class (PCI Local Bus 3.0, 6.2.1).
const INTERFACE: usize = 0x09;
const CLASS: usize = 0x0a;
/// Disk controllers with one channel or two (appendix D.2), whose interface tells in which mode each channel is.
const CHANNELS: [u8; 2] = [1, 1];
/// Ports of a channel in compatibility mode: what its two base address registers stand for otherwise, and its ISA wire
/// (PCI SIG, its specification 1.0 of such controllers, 2.1).
const PLACES: [([(u64, u64); 2], u32); 2] = [
    ([(0x1f0, 8), (0x3f6, 1)], 14),
    ([(0x170, 8), (0x376, 1)], 15),
];

/// Adds to `device` the windows and wires of channels that are where a PC had them, and the fact `old_channels`, a bit for
/// each. In that mode base address registers say nothing. `wire` gives the line of an ISA wire, whether it counts by level,
/// and whether low.
pub fn old_places(device: &mut Device, wire: impl Fn(u32) -> (u32, bool, bool)) {
    let channels = device.config.get(CLASS..CLASS + 2) == Some(&CHANNELS);
    let Some(interface) = device.config.get(INTERFACE).copied().filter(|_| channels) else {
        return;
    };
    let mut old = 0u64;
    for (channel, (ports, line)) in PLACES.into_iter().enumerate() {
        // The bit of a channel is set in native mode.
        if interface >> (2 * channel) & 1 != 0 {
            continue;
        }
        old |= 1 << channel;
        for (n, (base, size)) in ports.into_iter().enumerate() {
            let index = (2 * channel + n) as u8;
            device.windows.retain(|w| w.index != index);
            device.windows.push(Window {
                index,
                kind: WindowKind::Port,
                base,
                size,
                source: Source::Inferred,
            });
        }
        let (line, level, low) = wire(line);
        device.wires.push(Wire {
            line,
            level,
            low,
            source: Source::Inferred,
            pin: 0,
        });
    }
    device.windows.sort_by_key(|w| w.index);
    if old == 0b11 {
        // No channel uses the function's own pin.
        device.wires.retain(|w| w.source == Source::Inferred);
    }
    if old != 0 {
        device.facts.push(Fact {
            name: String::from("old_channels"),
            value: Value::Number(old),
            source: Source::Configuration,
        });
    }
}
