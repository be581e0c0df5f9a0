//! What may be probed, how, and where: one table, and the gate in front of the machine that holds everyone to it.
//!
//! Discovery makes all its accesses through [`Gate`]; whoever probes a device for a rule (its clues, its first run) asks
//! [`allowed`] itself, because only he knows what he is about to do.

use crate::{hardware::Hardware, Journal};
use alloc::{format, string::String, vec::Vec};

/// What is done to a place. Later ones do more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A read without effect, or whose effect a rule declares.
    Read,
    /// A write, after which everything is put back as it was.
    Restore,
    /// A write that stays: a reset, a setting.
    Reset,
    /// The device is let write to memory: to a guard arena, and nowhere else.
    Dma,
}

/// How a place is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// RAM of the memory map that nothing uses now.
    Ram,
    /// RAM in use, and firmware's tables.
    InUse,
    /// An address that a table of the firmware gives, with nothing said of what is there.
    Named,
    /// PCI configuration space, where a table or the architecture says it is.
    Configuration,
    /// Registers of a device: a BAR, or a region that a table gives to a device.
    Window,
    /// Registers of a device, once a rule was chosen for it.
    Chosen,
    /// Where a rule says that a device may be, though no table names it.
    Candidate,
    /// What nothing claims.
    Unclaimed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Yes,
    /// Once it is written to the journal.
    Journaled,
    No,
}

use Answer::{Journaled as J, No as N, Yes as Y};

/// Place, and for each of Read, Restore, Reset, Dma what is allowed: with firmware's word for it, and in blind mode.
#[rustfmt::skip]
pub const POLICY: [(Place, [Answer; 4], [Answer; 4]); 8] = [
    //                     documented     blind
    //                     Rd Rs Rt Dm    Rd Rs Rt Dm
    (Place::Ram,           [Y, Y, N, N], [Y, Y, N, N]), // tests of RAM put back what was there
    (Place::InUse,         [Y, N, N, N], [Y, N, N, N]),
    (Place::Named,         [Y, N, N, N], [N, N, N, N]), // blind, nobody named it
    (Place::Configuration, [Y, Y, Y, N], [Y, Y, Y, N]), // sizes of BARs; buses, windows and BARs that are assigned
    (Place::Window,        [Y, Y, N, N], [Y, Y, N, N]), // clues
    (Place::Chosen,        [Y, Y, Y, Y], [Y, Y, Y, Y]), // init, self-test
    (Place::Candidate,     [J, J, N, N], [J, J, N, N]), // an empty place may hang a bus
    (Place::Unclaimed,     [N, N, N, N], [J, J, N, N]), // the search for RAM
];

/// What the table says.
pub fn allowed(probe: Probe, place: Place, blind: bool) -> Answer {
    let row = POLICY.iter().find(|(row, ..)| *row == place);
    row.map_or(N, |(_, documented, when_blind)| {
        let columns = if blind { when_blind } else { documented };
        columns[probe as usize]
    })
}

/// Ports to which AML's writes of a byte are made, since they change nothing: where firmware tells how far it is, and the number
/// of a register of the battery-backed memory that is read next. (The bit of it that masks NMIs is left clear.)
pub const HARMLESS: [(u16, u8); 3] = [(0x80, 0xff), (0x70, 0x7f), (0x72, 0xff)];

/// Most faults and refusals that are told one by one.
const MOST: usize = 32;
/// The ports through which PCI configuration space is reached (PCI Local Bus 3.0, 3.2.2.3.2).
const CONFIGURATION_PORTS: core::ops::RangeInclusive<u16> = 0xcf8..=0xcff;

/// The machine, behind the policy. What the policy does not allow reads as nothing, and is not written.
pub(crate) struct Gate<'h> {
    hardware: &'h mut dyn Hardware,
    blind: bool,
    journal: &'h mut Journal,
    /// Memory-mapped places: base, bytes, how they are known. Later ones count more.
    places: Vec<(u64, u64, Place)>,
    /// What is being looked at, for what is told of faults.
    pub about: String,
    /// What the processor refused: (what was being looked at, address, what happened).
    pub faults: Vec<(String, u64, String)>,
    /// What the policy refused.
    pub refusals: Vec<String>,
}

impl<'h> Gate<'h> {
    pub fn new(hardware: &'h mut dyn Hardware, journal: &'h mut Journal, blind: bool) -> Self {
        Gate {
            hardware,
            blind,
            journal,
            places: Vec::new(),
            about: String::new(),
            faults: Vec::new(),
            refusals: Vec::new(),
        }
    }

    /// From now on `size` bytes from `base` are known to be this.
    pub fn know(&mut self, base: u64, size: u64, place: Place) {
        self.places.push((base, size, place));
    }

    pub fn journal(&mut self) -> &mut Journal {
        self.journal
    }

    /// Probes that hung an earlier boot.
    pub fn hung(&self) -> &[String] {
        self.journal.hung()
    }

    fn place(&self, at: u64) -> Place {
        let known = (self.places.iter().rev())
            .find(|(base, size, _)| at.checked_sub(*base).is_some_and(|into| into < *size));
        known.map_or(
            match self.blind {
                true => Place::Unclaimed,
                false => Place::Named,
            },
            |(.., place)| *place,
        )
    }

    fn may(&mut self, probe: Probe, place: Place, at: u64) -> bool {
        match allowed(probe, place, self.blind) {
            Y => true,
            J if self.journal.under_way() => true,
            _ => {
                if self.refusals.len() < MOST {
                    self.refusals.push(format!(
                        "{}: {probe:?} at {at:#x} ({place:?}) is against the policy, and was not made",
                        self.about
                    ));
                }
                false
            }
        }
    }

    fn fault(&mut self, at: u64) {
        let what = self.hardware.what_failed();
        let Some(what) = what.filter(|_| self.faults.len() < MOST) else {
            return;
        };
        self.faults.push((self.about.clone(), at, what));
    }

    fn port_place(port: u16) -> Place {
        match CONFIGURATION_PORTS.contains(&port) {
            true => Place::Configuration,
            false => Place::Named,
        }
    }
}

impl Hardware for Gate<'_> {
    fn read(&mut self, physical: u64, bits: u32) -> Option<u64> {
        if !self.may(Probe::Read, self.place(physical), physical) {
            return None;
        }
        let value = self.hardware.read(physical, bits);
        if value.is_none() {
            self.fault(physical);
        }
        value
    }

    /// Writes of discovery stay: only configuration space takes them.
    fn write(&mut self, physical: u64, bits: u32, value: u64) {
        if self.may(Probe::Reset, self.place(physical), physical) {
            self.hardware.write(physical, bits, value);
        }
    }

    fn copy(&mut self, physical: u64, to: &mut [u8]) -> bool {
        if !self.may(Probe::Read, self.place(physical), physical) {
            return false;
        }
        let copied = self.hardware.copy(physical, to);
        if !copied {
            self.fault(physical);
        }
        copied
    }

    fn port_read(&mut self, port: u16, bits: u32) -> u64 {
        match self.may(Probe::Read, Gate::port_place(port), port as u64) {
            true => self.hardware.port_read(port, bits),
            false => u64::MAX >> (64 - bits.clamp(1, 64)),
        }
    }

    fn port_write(&mut self, port: u16, bits: u32, value: u64) {
        if self.may(Probe::Reset, Gate::port_place(port), port as u64) {
            self.hardware.port_write(port, bits, value);
        }
    }

    fn port_tell(&mut self, port: u16, bits: u32, value: u64) -> bool {
        let known = HARMLESS.iter().find(|(own, _)| *own == port && bits == 8);
        if let Some((_, mask)) = known.filter(|_| !self.blind && !self.hardware.copied()) {
            self.hardware.port_write(port, bits, value & *mask as u64);
            return true;
        }
        false
    }

    fn copied(&self) -> bool {
        self.hardware.copied()
    }

    fn cpuid(&mut self, leaf: u32, sub: u32) -> [u32; 4] {
        self.hardware.cpuid(leaf, sub)
    }

    fn cache(&mut self, selector: u64) -> Option<u64> {
        self.hardware.cache(selector)
    }

    fn register(&mut self, number: u32) -> Option<u64> {
        self.hardware.register(number)
    }

    /// The caller puts back what was there.
    fn ram_write(&mut self, physical: u64, bits: u32, value: u64) -> bool {
        self.may(Probe::Restore, self.place(physical), physical)
            && self.hardware.ram_write(physical, bits, value)
    }

    fn ram_read(&mut self, physical: u64, bits: u32) -> Option<u64> {
        if !self.may(Probe::Read, self.place(physical), physical) {
            return None;
        }
        self.hardware.ram_read(physical, bits)
    }

    fn what_failed(&mut self) -> Option<String> {
        self.hardware.what_failed()
    }
}

#[cfg(test)]
mod tests;
