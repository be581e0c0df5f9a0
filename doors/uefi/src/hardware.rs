//! Discovery's way to a machine that firmware still runs: loads from what firmware's map calls memory, configuration space
//! through firmware, ports read, and nothing written, assigned or turned on.

use crate::pci::Pci;
use crate::processor;
use alloc::vec::Vec;
use discovery::Hardware;

/// Address and data ports of PCI configuration (PCI Local Bus 3.0, 3.2.2.3.2).
const ADDRESS: u16 = 0xcf8;
const DATA: u16 = 0xcfc;

/// Configuration space in memory, as ACPI's table names it (PCI Firmware 3.3, 4.1.2).
#[derive(Clone, Copy)]
struct Mapped {
    base: u64,
    segment: u16,
    first: u8,
    last: u8,
}

/// A machine under firmware.
pub struct Lent {
    /// Memory that may be read: base and bytes.
    memory: Vec<(u64, u64)>,
    mapped: Vec<Mapped>,
    address: u32,
    pci: Pci,
}

impl Lent {
    /// `memory` is what has contents; `root` is ACPI's root pointer, or 0.
    pub fn new(memory: Vec<(u64, u64)>, root: u64) -> Lent {
        let mut lent = Lent {
            memory,
            mapped: Vec::new(),
            address: 0,
            pci: Pci::new(),
        };
        lent.mapped = lent.find_mapped(root).unwrap_or_default();
        lent
    }

    fn find_mapped(&mut self, root: u64) -> Option<Vec<Mapped>> {
        let list = self.read(root.checked_add(24)?, 64).filter(|_| root != 0)?;
        let size = self.read(list + 4, 32)?.min(4096);
        let table = (36..size).step_by(8).find_map(|at| {
            let table = self.read(list + at, 64)?;
            let found = self.read(table, 32)? == u64::from(u32::from_le_bytes(*b"MCFG"));
            found.then_some(table)
        })?;
        let size = self.read(table + 4, 32)?.min(4096);
        let mut found = Vec::new();
        for at in (44..size).step_by(16) {
            found.push(Mapped {
                base: self.read(table + at, 64)?,
                segment: self.read(table + at + 8, 16)? as u16,
                first: self.read(table + at + 10, 8)? as u8,
                last: self.read(table + at + 11, 8)? as u8,
            });
        }
        Some(found)
    }

    /// The register that a physical address is.
    fn place(&self, physical: u64) -> Option<(u16, u16, u16)> {
        self.mapped.iter().find_map(|m| {
            // The address is that of bus 0, whether it is there or not.
            let at = physical.checked_sub(m.base)?;
            let bus = at >> 20;
            let inside = (u64::from(m.first)..=u64::from(m.last)).contains(&bus);
            inside.then_some((m.segment, (at >> 12) as u16, (at & 0xfff) as u16))
        })
    }

    fn selected(&self, port: u16) -> Option<(u16, u16, u16)> {
        let offset = (self.address & 0xfc) as u16 + port.checked_sub(DATA)?;
        (self.address >> 31 == 1).then_some((0, (self.address >> 8) as u16, offset))
    }
}

impl Hardware for Lent {
    fn read(&mut self, physical: u64, bits: u32) -> Option<u64> {
        if let Some(place) = self.place(physical) {
            return self.pci.read(place, bits);
        }
        let end = physical.checked_add(u64::from(bits / 8))?;
        let readable = |(base, size): &(u64, u64)| *base <= physical && end <= base + size;
        self.memory.iter().any(readable).then_some(())?;
        // SAFETY: firmware's map calls it memory with contents, and firmware maps all of that to itself. Nothing here
        // holds a reference to it; volatile, since firmware may change it.
        unsafe {
            Some(match bits {
                8 => (physical as *const u8).read_volatile().into(),
                16 => u16::from_le_bytes((physical as *const [u8; 2]).read_volatile()).into(),
                32 => u32::from_le_bytes((physical as *const [u8; 4]).read_volatile()).into(),
                _ => u64::from_le_bytes((physical as *const [u8; 8]).read_volatile()),
            })
        }
    }

    fn write(&mut self, physical: u64, bits: u32, value: u64) {
        if let Some(place) = self.place(physical) {
            self.pci.write(place, bits, value);
        }
    }

    fn copy(&mut self, physical: u64, to: &mut [u8]) -> bool {
        for (at, byte) in (physical..).zip(to) {
            match self.read(at, 8) {
                Some(value) => *byte = value as u8,
                None => return false,
            }
        }
        true
    }

    fn port_read(&mut self, port: u16, bits: u32) -> u64 {
        match port {
            ADDRESS => self.address.into(),
            DATA..=0xcff => {
                let place = self.selected(port);
                place
                    .and_then(|place| self.pci.read(place, bits))
                    .unwrap_or(u64::MAX)
            }
            _ => processor::port_read(port, bits),
        }
    }

    fn port_write(&mut self, port: u16, bits: u32, value: u64) {
        match port {
            ADDRESS => self.address = value as u32,
            DATA..=0xcff => {
                if let Some(place) = self.selected(port) {
                    self.pci.write(place, bits, value);
                }
            }
            _ => {}
        }
    }

    fn cpuid(&mut self, leaf: u32, sub: u32) -> [u32; 4] {
        processor::cpuid(leaf, sub)
    }

    fn register(&mut self, number: u32) -> Option<u64> {
        processor::register(number)
    }

    fn cache(&mut self, selector: u64) -> Option<u64> {
        processor::cache(selector)
    }
}
