//! Which functions there are. Buses are numbered where the firmware numbered none.

use super::{Address, Function, Host};
use crate::{hardware::Hardware, Notes};
use alloc::{format, vec::Vec};

/// Most functions that are taken in.
const MOST: usize = 1024;
/// Most bridges one behind another.
const DEEPEST: u32 = 16;

struct Scan<'h, 'a> {
    hardware: &'h mut dyn Hardware,
    host: &'h Host<'a>,
    notes: &'h mut Notes,
    functions: Vec<Function>,
    /// Buses seen, so that a loop of bridges ends.
    seen: [bool; 256],
    /// Highest bus number in use.
    highest: u8,
}

pub(super) fn scan(hardware: &mut dyn Hardware, host: &Host, notes: &mut Notes) -> Vec<Function> {
    let mut scan = Scan {
        hardware,
        host,
        notes,
        functions: Vec::new(),
        seen: [false; 256],
        highest: host.first_bus,
    };
    scan.bus(host.first_bus, None, 0);
    scan.functions
}

impl Scan<'_, '_> {
    fn bus(&mut self, bus: u8, behind: Option<usize>, depth: u32) {
        if depth > DEEPEST || self.seen[bus as usize] {
            self.notes.say(format!(
                "pci: bus {bus:02x} is reached twice or too deep, and left out"
            ));
            return;
        }
        self.seen[bus as usize] = true;
        self.highest = self.highest.max(bus);
        for device in 0..32 {
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
        let header = (self.read(address, 0x0c) >> 16) as u8;
        let class = self.read(address, 8) >> 8;
        let index = self.functions.len();
        self.functions.push(Function {
            address,
            behind,
            header,
            class,
            bars: Vec::new(),
            secondary: 0,
        });
        if header & 0x7f == 1 {
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
                    "pci/{address}: no bus number is left for this bridge"
                ));
                return;
            }
            secondary = self.highest + 1;
            // Everything above goes through here until the last bus behind it is known.
            let open = numbers & 0xff00_0000
                | (self.host.last_bus as u32) << 16
                | (secondary as u32) << 8
                | address.bus as u32;
            self.host.config.write(self.hardware, address, 0x18, open);
        } else if secondary <= address.bus || secondary > self.host.last_bus {
            self.notes.say(format!(
                "pci/{address}: the bus {secondary:02x} behind this bridge cannot be"
            ));
            return;
        }
        self.functions[index].secondary = secondary;
        self.bus(secondary, Some(index), depth + 1);
        if assigned {
            let closed = numbers & 0xff00_0000
                | (self.highest as u32) << 16
                | (secondary as u32) << 8
                | address.bus as u32;
            self.host.config.write(self.hardware, address, 0x18, closed);
        }
    }

    fn read(&mut self, address: Address, offset: u16) -> u32 {
        self.host.config.read(self.hardware, address, offset)
    }
}
