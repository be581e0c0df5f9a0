//! Which functions there are. Buses are numbered where the firmware numbered none.

use super::{capabilities, Address, Function, Host, Windows};
use crate::{hardware::Hardware, Notes};
use alloc::{collections::BTreeSet, format, vec::Vec};

/// Most functions that are taken in.
const MOST: usize = 1024;
/// Most bridges one behind another.
const DEEPEST: u32 = 16;

/// Buses seen, by segment and number, so that a loop of bridges ends, and no host bridge is scanned twice.
pub type Seen = BTreeSet<(u16, u8)>;

struct Scan<'h, 'a> {
    hardware: &'h mut dyn Hardware,
    host: &'h Host<'a>,
    notes: &'h mut Notes,
    functions: Vec<Function>,
    seen: &'h mut Seen,
    /// Highest bus number in use.
    highest: u8,
}

pub(super) fn scan(
    hardware: &mut dyn Hardware,
    host: &Host,
    seen: &mut Seen,
    notes: &mut Notes,
) -> Vec<Function> {
    let mut scan = Scan {
        hardware,
        host,
        notes,
        functions: Vec::new(),
        seen,
        highest: host.first_bus,
    };
    scan.bus(host.first_bus, None, 0);
    scan.functions
}

impl Scan<'_, '_> {
    fn bus(&mut self, bus: u8, behind: Option<usize>, depth: u32) {
        if depth > DEEPEST || !self.seen.insert((self.host.segment, bus)) {
            self.notes.say(format!(
                "pci: bus {bus:02x} is reached twice or too deep, and left out"
            ));
            return;
        }
        self.highest = self.highest.max(bus);
        // Behind a port of PCI Express there is one device only (PCI Express 3.0, 7.3.1): others would be its echo.
        let link = behind.is_some_and(|bridge| self.functions[bridge].is_downstream());
        for device in 0..if link { 1 } else { 32 } {
            for function in 0..8 {
                let address = Address {
                    bus,
                    device,
                    function,
                };
                let several = self.function(address, behind, depth);
                if function == 0 && several != Some(true) {
                    break;
                }
            }
        }
    }

    /// Takes in one function: `None` if there is none, else whether the device has several.
    fn function(&mut self, address: Address, behind: Option<usize>, depth: u32) -> Option<bool> {
        let id = self.read(address, 0);
        if id & 0xffff == 0xffff || id == 0 {
            return None;
        }
        if self.functions.len() == MOST {
            self.notes.say(format!("pci: more than {MOST} functions"));
            return None;
        }
        let index = self.functions.len();
        let config: Vec<u8> = (0..256)
            .step_by(4)
            .flat_map(|at| match at {
                0 => id.to_le_bytes(),
                _ => self.read(address, at).to_le_bytes(),
            })
            .collect();
        let mut function = Function {
            address,
            behind,
            header: config[0x0e],
            class: u32::from_le_bytes([config[9], config[10], config[11], 0]),
            capabilities: Vec::new(),
            bars: Vec::new(),
            secondary: 0,
            windows: Windows::default(),
            config,
        };
        function.capabilities = capabilities::list(self.hardware, self.host, &function, self.notes);
        let (header, bridge) = (function.header, function.is_bridge());
        if header & 0x7f > 2 {
            self.notes.say(format!(
                "{}: a header of type {:#x} is not known",
                self.host.name(address),
                header & 0x7f
            ));
        }
        self.functions.push(function);
        if bridge {
            self.bridge(address, index, depth);
        }
        Some(header & 0x80 != 0)
    }

    fn bridge(&mut self, address: Address, index: usize, depth: u32) {
        let numbers = self.read(address, 0x18);
        let mut secondary = (numbers >> 8) as u8;
        let assigned = secondary == 0;
        if assigned {
            if self.highest >= self.host.last_bus {
                self.notes.say(format!(
                    "{}: no bus number is left for this bridge",
                    self.host.name(address)
                ));
                return;
            }
            secondary = self.highest + 1;
            // Everything above goes through here until the last bus behind it is known.
            self.number(address, numbers, secondary, self.host.last_bus);
        } else if secondary <= address.bus || secondary > self.host.last_bus {
            self.notes.say(format!(
                "{}: the bus {secondary:02x} behind this bridge cannot be",
                self.host.name(address)
            ));
            return;
        }
        self.functions[index].secondary = secondary;
        self.bus(secondary, Some(index), depth + 1);
        if assigned {
            self.number(address, numbers, secondary, self.highest);
        } else {
            // Buses that firmware keeps free behind it, for what may be plugged in, are not given to another bridge.
            self.highest = self
                .highest
                .max((numbers >> 16) as u8)
                .min(self.host.last_bus);
        }
    }

    /// Sets a bridge's bus numbers: above, behind, last behind.
    fn number(&mut self, address: Address, old: u32, secondary: u8, last: u8) {
        let new =
            old & 0xff00_0000 | (last as u32) << 16 | (secondary as u32) << 8 | address.bus as u32;
        self.host.config.write(self.hardware, address, 0x18, new);
    }

    fn read(&mut self, address: Address, offset: u16) -> u32 {
        self.host.config.read(self.hardware, address, offset)
    }
}
