//! Addresses for base address registers that the firmware left without one, and windows for the bridges above them.
//!
//! What has a place keeps it. The rest is put, bus by bus and largest first, into the gaps of what the host bridge or the
//! bridge above passes on.

use super::{
    bridge::{self, MEMORY_UNIT, PORT_UNIT},
    Function, Host, Taken, ROM,
};
use crate::{hardware::Hardware, Notes};
use alloc::{format, vec::Vec};
use core::cmp::Reverse;

/// The lowest ports are left to what has fixed ones.
const LOWEST_PORT: u64 = 0x1000;
const FOUR_GIB: u64 = 1 << 32;

/// What needs a place on a bus.
#[derive(Clone, Copy)]
struct Want {
    size: u64,
    align: u64,
    port: bool,
    function: usize,
    /// Index into the function's registers; `None` for a bridge's window.
    bar: Option<usize>,
}

struct Assign<'h, 'a> {
    hardware: &'h mut dyn Hardware,
    host: &'h Host<'a>,
    functions: &'h mut [Function],
    /// What other devices claim, as the processor sees it.
    taken: &'h [Taken],
    notes: &'h mut Notes,
    placed: usize,
}

pub(super) fn assign(
    hardware: &mut dyn Hardware,
    host: &Host,
    functions: &mut [Function],
    taken: &[Taken],
    notes: &mut Notes,
) {
    let mut assign = Assign {
        hardware,
        host,
        functions,
        taken,
        notes,
        placed: 0,
    };
    assign.unplace_strays();
    assign.bus(None);
    if assign.placed > 0 {
        let placed = assign.placed;
        assign.notes.say(format!(
            "{}: the firmware left {placed} ranges without addresses; they were assigned",
            host.path
        ));
    }
}

impl Assign<'_, '_> {
    /// A register whose range the bridge above does not pass on has no place, whatever it says.
    fn unplace_strays(&mut self) {
        for f in 0..self.functions.len() {
            let Some(above) = self.functions[f].behind else {
                continue;
            };
            let above = &self.functions[above];
            // A bridge that decodes what nobody else does passes on more than its windows (class code 06 04 01).
            if above.class & 0xff == 1 {
                continue;
            }
            let (windows, address) = (above.windows, self.functions[f].address);
            for bar in self.functions[f].bars.iter_mut() {
                if bar.base != 0
                    && bar.index != ROM
                    && !windows.hold(bar.port, bar.prefetch, bar.base, bar.size)
                {
                    self.notes.say(format!(
                        "{}: BAR {} at {:#x} is not passed on by the bridge above it",
                        self.host.name(address),
                        bar.index,
                        bar.base
                    ));
                    bar.base = 0;
                }
            }
        }
    }

    /// Places what is directly behind `bridge` (`None` for the host bridge), then what is behind the bridges there.
    fn bus(&mut self, bridge: Option<usize>) {
        let mut wants = self.wants(bridge);
        wants.sort_by_key(|w| (Reverse(w.align), w.function, w.bar));
        for want in wants {
            self.place(bridge, want);
        }
        for f in 0..self.functions.len() {
            if self.functions[f].behind == bridge && self.functions[f].secondary != 0 {
                self.bus(Some(f));
            }
        }
    }

    /// What on this bus has no place.
    fn wants(&self, bridge: Option<usize>) -> Vec<Want> {
        let mut wants = Vec::new();
        for (f, function) in self.functions.iter().enumerate() {
            if function.behind != bridge {
                continue;
            }
            for (b, bar) in function.bars.iter().enumerate() {
                if bar.base == 0 && bar.index != ROM {
                    wants.push(Want {
                        size: bar.size,
                        align: bar.size.max(16),
                        port: bar.port,
                        function: f,
                        bar: Some(b),
                    });
                }
            }
            for port in [false, true] {
                if function.secondary != 0 && function.windows.of(port).is_none() {
                    wants.extend(self.window(f, port));
                }
            }
        }
        wants
    }

    /// The window that a bridge needs for all that is behind it; `None` if it needs none. (Placing in order of falling
    /// alignment leaves no gaps, but behind windows inside, which this counts in.)
    fn window(&self, bridge: usize, port: bool) -> Option<Want> {
        let unit = if port { PORT_UNIT } else { MEMORY_UNIT };
        let mut wants = self.wants(Some(bridge));
        wants.retain(|w| w.port == port);
        wants.sort_by_key(|w| (Reverse(w.align), w.function, w.bar));
        let align = wants.first()?.align.max(unit);
        let mut end = 0u64;
        for want in &wants {
            end = end
                .checked_next_multiple_of(want.align)?
                .checked_add(want.size)?;
        }
        Some(Want {
            size: end.checked_next_multiple_of(unit)?,
            align,
            port,
            function: bridge,
            bar: None,
        })
    }

    fn place(&mut self, bridge: Option<usize>, want: Want) {
        let address = self.functions[want.function].address;
        let bar = want.bar.map(|b| self.functions[want.function].bars[b]);
        let occupied = self.occupied(bridge, want.port);
        let ranges = self.ranges(bridge, want.port, bar.is_some_and(|b| b.prefetch));
        let reach = match bar {
            Some(bar) if bar.wide => u64::MAX,
            _ => FOUR_GIB - 1,
        };
        let found = ranges
            .iter()
            .find_map(|(first, last)| gap(*first, (*last).min(reach), &occupied, want));
        let Some(base) = found else {
            let what = match bar {
                Some(bar) => format!("BAR {}", bar.index),
                None => "what is behind it".into(),
            };
            // Where the host bridge's own ranges are not known, there is nothing to choose from.
            if bridge.is_some() || !self.host.apertures.is_empty() {
                self.notes.say(format!(
                    "{}: no room for {what} of {:#x} bytes",
                    self.host.name(address),
                    want.size
                ));
            }
            return;
        };
        match want.bar {
            Some(b) => self.set(want.function, b, base),
            None => {
                let function = &mut self.functions[want.function];
                let span = (base, base + (want.size - 1));
                if want.port {
                    function.windows.ports = Some(span);
                } else {
                    function.windows.memory = Some(span);
                }
                bridge::open(self.hardware, &self.host.config, address, want.port, span);
            }
        }
    }

    /// What the bus gets: ranges from which places may be taken.
    fn ranges(&self, bridge: Option<usize>, port: bool, prefetch: bool) -> Vec<(u64, u64)> {
        if let Some(bridge) = bridge {
            let windows = self.functions[bridge].windows;
            let second = windows.prefetch.filter(|_| prefetch && !port);
            return windows.of(port).into_iter().chain(second).collect();
        }
        let lowest = if port { LOWEST_PORT } else { MEMORY_UNIT };
        let mut ranges: Vec<(u64, u64)> = (self.host.apertures.iter())
            .filter(|a| a.port == port && a.size != 0)
            .map(|a| (a.bus.max(lowest), a.bus.saturating_add(a.size - 1)))
            .filter(|(first, last)| first <= last)
            .collect();
        // The largest below 4 GiB first, as every register reaches it.
        ranges.sort_by_key(|(first, last)| (*last >= FOUR_GIB, Reverse(last - first)));
        ranges
    }

    /// What has a place on this bus already, sorted.
    fn occupied(&self, bridge: Option<usize>, port: bool) -> Vec<(u64, u64)> {
        let mut occupied = Vec::new();
        for function in self.functions.iter().filter(|f| f.behind == bridge) {
            occupied.extend(
                (function.bars.iter())
                    .filter(|b| b.port == port && b.base != 0)
                    .map(|b| (b.base, b.base + (b.size - 1))),
            );
            let windows = function.windows;
            occupied.extend(windows.of(port));
            occupied.extend(windows.prefetch.filter(|_| !port));
        }
        if bridge.is_none() {
            let others = self.taken.iter().filter(|t| t.port == port && t.size != 0);
            occupied.extend(others.filter_map(|t| {
                let first = self.host.on_bus(port, t.base)?;
                Some((first, first.saturating_add(t.size - 1)))
            }));
        }
        occupied.sort_unstable();
        occupied
    }

    fn set(&mut self, f: usize, b: usize, base: u64) {
        let (address, config) = (self.functions[f].address, &self.host.config);
        // Not at two places at once while it moves.
        let command = config.read(self.hardware, address, 4) as u16;
        config.write16(self.hardware, address, 4, command & !3);
        let bar = &mut self.functions[f].bars[b];
        let at = 0x10 + 4 * bar.index as u16;
        config.write(self.hardware, address, at, base as u32);
        if bar.wide {
            config.write(self.hardware, address, at + 4, (base >> 32) as u32);
        }
        bar.base = base;
        bar.assigned = true;
        self.placed += 1;
    }
}

/// The first gap that is large enough.
fn gap(first: u64, last: u64, occupied: &[(u64, u64)], want: Want) -> Option<u64> {
    let mut at = first.checked_next_multiple_of(want.align)?;
    for (from, to) in occupied {
        let end = at.checked_add(want.size - 1)?;
        if *to < at {
            continue;
        }
        if end < *from {
            break;
        }
        at = to.checked_add(1)?.checked_next_multiple_of(want.align)?;
    }
    (at.checked_add(want.size - 1)? <= last).then_some(at)
}
