//! What the pump of each class wants to know about a device.

use contract::default;

pub use contract::{Class, Kind};

/// The facts of one device that its class knows. The defaults are what a rule that says nothing means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// serial: most bytes of one `send`.
    pub depth: u64,
    /// nic: bytes that the client leaves free before each frame.
    pub headroom: u64,
    /// nic: bytes of the shortest frame that may be transmitted.
    pub min: u64,
    /// nic: payload bytes of the longest frame (the Ethernet header comes on top).
    pub mtu: u64,
    /// nic: bytes of the smallest buffer that may be supplied.
    pub buffer: u64,
    /// nic: the station address, first octet in the lowest byte; `None` if the device has none.
    pub mac: Option<u64>,
    /// block: number of blocks.
    pub sectors: u64,
    /// block: bytes of a block.
    pub size: u64,
    pub writable: bool,
    /// Bits of the device's addresses.
    pub reach: u64,
    /// nic: nanoseconds after its start until it carries frames.
    pub settles: u64,
    /// watchdog: the longest time that it waits, in nanoseconds.
    pub longest: u64,
    /// block: most bytes of one request.
    pub most: u64,
    /// Interrupts that come by message; 0 if they come by wire.
    pub messages: u64,
    /// bus: how many children it has room for, numbered from 0.
    pub places: u64,
}

impl Default for Facts {
    fn default() -> Facts {
        Facts {
            depth: default::serial::DEPTH,
            headroom: default::nic::HEADROOM,
            min: default::nic::MIN,
            mtu: default::nic::MTU,
            buffer: default::nic::BUFFER,
            mac: None,
            sectors: 0,
            size: default::block::SIZE,
            writable: default::block::WRITABLE != 0,
            reach: 64,
            settles: default::nic::SETTLES,
            longest: 0,
            most: u64::MAX,
            messages: 0,
            places: default::bus::PLACES,
        }
    }
}

impl Facts {
    /// From name and value, as the inventory keeps them. Names that no class knows are not looked at.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, u64)>) -> Facts {
        let mut facts = Facts::default();
        for (name, value) in pairs {
            facts.set(name, value);
        }
        facts
    }

    fn set(&mut self, name: &str, value: u64) {
        match name {
            "depth" => self.depth = value.max(1),
            "headroom" => self.headroom = value,
            "min" => self.min = value,
            "mtu" => self.mtu = value,
            "buffer" => self.buffer = value,
            "mac" => self.mac = Some(value),
            "sectors" => self.sectors = value,
            "size" => self.size = value.max(1),
            "reach" => self.reach = value,
            "settles" => self.settles = value,
            "longest" => self.longest = value,
            "writable" => self.writable = value != 0,
            "most" => self.most = value.max(1),
            "messages" => self.messages = value.min(64),
            "places" => self.places = value.clamp(1, 64),
            _ => {}
        }
    }

    /// The station address in the order it is sent.
    pub fn station(&self) -> Option<[u8; 6]> {
        let bytes = self.mac?.to_le_bytes();
        Some([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]])
    }
}

/// Most instances (disks, ports) that one driver serves.
pub const UNITS: usize = 16;

/// The facts of each instance of a driver; most drivers have one.
#[derive(Clone, Copy, Debug)]
pub struct Units {
    count: usize,
    first: Facts,
    /// Of the others, what can differ: kept small, for every driver has this on its stack.
    more: [Part; UNITS - 1],
}

/// What instances of one driver may have of their own.
#[derive(Clone, Copy, Debug)]
struct Part {
    sectors: u64,
    size: u32,
    most: u32,
    writable: bool,
}

impl Part {
    fn of(facts: &Facts) -> Part {
        Part {
            sectors: facts.sectors,
            size: u32::try_from(facts.size).unwrap_or(u32::MAX),
            most: u32::try_from(facts.most).unwrap_or(u32::MAX),
            writable: facts.writable,
        }
    }

    fn put_into(&self, facts: &mut Facts) {
        facts.sectors = self.sectors;
        facts.size = u64::from(self.size);
        facts.most = u64::from(self.most);
        facts.writable = self.writable;
    }
}

impl From<Facts> for Units {
    fn from(facts: Facts) -> Units {
        Units {
            count: 1,
            first: facts,
            more: [Part::of(&Facts::default()); UNITS - 1],
        }
    }
}

impl Units {
    /// As [`Facts::from_pairs`]; `units` says how many there are, and `2.sectors` is a fact of the third. What an
    /// instance does not say of itself is the default, not the first one's.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, u64)>) -> Units {
        let mut units = Units::from(Facts::default());
        for (name, value) in pairs {
            if name == "units" {
                units.count = usize::try_from(value).unwrap_or(UNITS).min(UNITS);
                continue;
            }
            let Some((unit, name)) = name.split_once('.') else {
                units.first.set(name, value);
                continue;
            };
            let at = unit
                .parse()
                .ok()
                .and_then(|unit: usize| unit.checked_sub(1));
            if let Some(part) = at.and_then(|at| units.more.get_mut(at)) {
                let mut facts = Facts::default();
                part.put_into(&mut facts);
                facts.set(name, value);
                *part = Part::of(&facts);
            }
        }
        units
    }

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn get(&self, unit: u64) -> Option<Facts> {
        let unit = usize::try_from(unit).ok().filter(|u| *u < self.count)?;
        let mut facts = self.first;
        if let Some(at) = unit.checked_sub(1) {
            self.more.get(at)?.put_into(&mut facts);
        }
        Some(facts)
    }

    /// Those of the first instance: of the only one, mostly.
    pub fn first(&self) -> &Facts {
        &self.first
    }

    pub(crate) fn first_mut(&mut self) -> &mut Facts {
        &mut self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_instance_has_facts_of_its_own() {
        let units = Units::from_pairs([
            ("sectors", 7),
            ("1.sectors", 9),
            ("1.writable", 0),
            ("units", 2),
        ]);
        assert_eq!(units.count(), 2);
        assert_eq!(
            units.get(0).map(|f| (f.sectors, f.writable)),
            Some((7, true))
        );
        assert_eq!(
            units.get(1).map(|f| (f.sectors, f.writable)),
            Some((9, false))
        );
        assert!(units.get(2).is_none());
    }

    #[test]
    fn a_device_without_instances_is_its_own() {
        let units = Units::from_pairs([("sectors", 7), ("99.sectors", 1), ("x.sectors", 1)]);
        assert_eq!((units.count(), units.first().sectors), (1, 7));
    }
}
