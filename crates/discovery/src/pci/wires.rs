//! Which line of the machine's interrupt controllers a function's pin ends at.

use super::{Function, Host};
use crate::Notes;
use alloc::{boxed::Box, format, vec::Vec};
use machine::{Source, Wire};

/// The line behind one pin of a host bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routing {
    pub line: u32,
    pub level: bool,
    pub low: bool,
    pub source: Source,
}

/// From (bridges, device, pin counted from 0) to its line. The bridges are (device, function) each, from the host bridge's
/// own bus down to the bus that the device is on: none for the host bridge's own bus. `None` where no table names that bus
/// or that pin: the pin is then followed up through the bridge.
pub type Routings<'a> = Box<dyn Fn(&[(u8, u8)], u8, u8) -> Option<Routing> + 'a>;

/// Follows a pin (1 to 4 as in configuration space, 0 for none) up through the bridges: each turns it by the number of the
/// device (PCI-to-PCI bridge 1.2, 9.1).
pub(super) fn wire(
    host: &Host,
    functions: &[Function],
    index: usize,
    pin: u8,
    notes: &mut Notes,
) -> Option<Wire> {
    let mut function = functions.get(index)?;
    let of = function.address;
    // A bridge's own pin is of use to its hot-plug events only.
    if !(1..=4).contains(&pin) || function.is_bridge() {
        return None;
    }
    let own = pin;
    let mut pin = pin - 1;
    // A bridge stands before what is behind it, so this ends.
    let routing = loop {
        let bridges = above(functions, function);
        if let Some(found) = (host.routings)(&bridges, function.address.device, pin) {
            break Some(found);
        }
        let Some(bridge) = function.behind else {
            break None;
        };
        pin = (pin + function.address.device) % 4;
        function = functions.get(bridge)?;
    };
    let Some(routing) = routing else {
        notes.say(format!(
            "pci/{of}: no table says where its interrupt pin {} ends",
            (b'A' + pin) as char
        ));
        return None;
    };
    Some(Wire {
        line: routing.line,
        level: routing.level,
        low: routing.low,
        source: routing.source,
        pin: own,
    })
}

/// The bridges above a function, from the host bridge down.
fn above(functions: &[Function], function: &Function) -> Vec<(u8, u8)> {
    let mut bridges = Vec::new();
    let mut behind = function.behind;
    while let Some(bridge) = behind.and_then(|index| functions.get(index)) {
        bridges.push((bridge.address.device, bridge.address.function));
        behind = bridge.behind;
    }
    bridges.reverse();
    bridges
}
