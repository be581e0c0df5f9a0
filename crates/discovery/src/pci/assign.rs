//! Places for what the firmware left without: base address registers, and the windows of the bridges above them.

use super::{Aperture, Function, Host};
use crate::{hardware::Hardware, Notes};
use alloc::{format, vec::Vec};

/// Bridges pass on memory in pieces of 1 MiB and ports in pieces of 4 KiB.
const MEMORY_UNIT: u64 = 1 << 20;
const PORT_UNIT: u64 = 4096;
/// The lowest ports are left to what has fixed ones.
const LOWEST_PORT: u64 = 0x1000;

/// Where the next range may begin, on the bus.
struct Room {
    at: u64,
    end: u64,
}

impl Room {
    fn take(&mut self, size: u64, align: u64) -> Option<u64> {
        let base = self.at.checked_next_multiple_of(align)?;
        let end = base.checked_add(size)?;
        if end > self.end {
            return None;
        }
        self.at = end;
        Some(base)
    }
}

/// Does nothing unless no register at all has a place: a firmware that assigned some knows better where the others may be.
pub(super) fn assign(
    hardware: &mut dyn Hardware,
    host: &Host,
    functions: &mut [Function],
    notes: &mut Notes,
) {
    let any = |f: &Function, placed: bool| f.bars.iter().any(|bar| (bar.base != 0) == placed);
    if functions.iter().any(|f| any(f, true)) || !functions.iter().any(|f| any(f, false)) {
        return;
    }
    let room = |port| {
        let of =
            |a: &&Aperture| a.port == port && (port || a.bus.saturating_add(a.size) <= 1 << 32);
        let best = host.apertures.iter().filter(of).max_by_key(|a| a.size);
        best.map_or(Room { at: 0, end: 0 }, |a| Room {
            at: a.bus.max(if port { LOWEST_PORT } else { MEMORY_UNIT }),
            end: a.bus.saturating_add(a.size),
        })
    };
    let mut rooms = [room(false), room(true)];
    behind(hardware, host, functions, None, &mut rooms, notes);
    let placed: usize = functions
        .iter()
        .map(|f| f.bars.iter().filter(|b| b.assigned).count())
        .sum();
    notes.say(format!(
        "pci: the firmware assigned no addresses; {placed} ranges were assigned"
    ));
}

/// Assigns everything directly behind `bridge`, largest first, then what is behind the bridges there.
fn behind(
    hardware: &mut dyn Hardware,
    host: &Host,
    functions: &mut [Function],
    bridge: Option<usize>,
    rooms: &mut [Room; 2],
    notes: &mut Notes,
) {
    let mut wanted: Vec<(u64, usize, usize)> = Vec::new();
    for (f, function) in functions
        .iter()
        .enumerate()
        .filter(|(_, f)| f.behind == bridge)
    {
        wanted.extend(
            function
                .bars
                .iter()
                .enumerate()
                .map(|(b, bar)| (bar.size, f, b)),
        );
    }
    wanted.sort_by_key(|(size, f, b)| (core::cmp::Reverse(*size), *f, *b));
    for (size, f, b) in wanted {
        let (address, mut bar) = (functions[f].address, functions[f].bars[b]);
        let room = &mut rooms[bar.port as usize];
        let Some(base) = room.take(size, size.max(16)) else {
            notes.say(format!(
                "pci/{address}: no room for BAR {} of {size:#x} bytes",
                bar.index
            ));
            continue;
        };
        let at = 0x10 + 4 * bar.index as u16;
        host.config.write(hardware, address, at, base as u32);
        if bar.wide {
            host.config
                .write(hardware, address, at + 4, (base >> 32) as u32);
        }
        bar.base = base;
        bar.assigned = true;
        functions[f].bars[b] = bar;
    }
    for f in 0..functions.len() {
        if functions[f].behind == bridge && functions[f].secondary != 0 {
            windows(hardware, host, functions, f, rooms, notes);
        }
    }
}

/// Assigns what is behind one bridge, and its windows around that.
fn windows(
    hardware: &mut dyn Hardware,
    host: &Host,
    functions: &mut [Function],
    bridge: usize,
    rooms: &mut [Room; 2],
    notes: &mut Notes,
) {
    let start = |room: &mut Room, unit: u64| {
        room.at = room
            .at
            .checked_next_multiple_of(unit)
            .unwrap_or(room.end)
            .min(room.end);
        room.at
    };
    let (memory, ports) = (
        start(&mut rooms[0], MEMORY_UNIT),
        start(&mut rooms[1], PORT_UNIT),
    );
    behind(hardware, host, functions, Some(bridge), rooms, notes);
    let (memory_end, ports_end) = (
        start(&mut rooms[0], MEMORY_UNIT),
        start(&mut rooms[1], PORT_UNIT),
    );
    let address = functions[bridge].address;
    // A window with its base above its limit passes on nothing.
    let memory_window = match memory_end > memory {
        true => (memory >> 16) as u32 & 0xfff0 | (memory_end - 1) as u32 & 0xfff0_0000,
        false => 0x0000_fff0,
    };
    let port_window = match ports_end > ports {
        true => (ports >> 8) as u32 & 0xf0 | (ports_end - 1) as u32 & 0xf000,
        false => 0x00f0,
    };
    host.config.write(hardware, address, 0x20, memory_window);
    host.config.write(hardware, address, 0x24, 0x0000_fff0);
    let upper =
        (ports >> 16) as u32 & 0xffff | (ports_end.saturating_sub(1) >> 16) as u32 & 0xffff << 16;
    host.config.write(hardware, address, 0x30, upper);
    host.config
        .write16(hardware, address, 0x1c, port_window as u16);
}
