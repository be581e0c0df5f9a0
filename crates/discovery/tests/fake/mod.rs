//! A machine made of bytes.
#![allow(dead_code)]

use discovery::{discover, Firmware, Hardware, Request};
use machine::{Arch, Device, Machine};
use std::collections::BTreeMap;

/// One PCI function: its configuration space, and which bits of each word can be written.
#[derive(Clone)]
pub struct Function {
    pub config: [u8; 256],
    pub writable: BTreeMap<u16, u32>,
}

impl Function {
    pub fn new(vendor: u16, device: u16, class: u32) -> Function {
        let mut config = [0; 256];
        config[..2].copy_from_slice(&vendor.to_le_bytes());
        config[2..4].copy_from_slice(&device.to_le_bytes());
        config[8..12].copy_from_slice(&(class << 8).to_le_bytes());
        Function {
            config,
            writable: BTreeMap::from([(4, 0xffff)]),
        }
    }

    /// A register of `size` bytes (or ports): the type bits, and where it is.
    pub fn bar(mut self, index: u16, size: u64, kind: u32, base: u64) -> Function {
        let at = 0x10 + 4 * index;
        let mask = !(size - 1);
        self.put(at, base as u32 | kind);
        self.writable.insert(at, mask as u32);
        if kind & 7 == 4 {
            self.put(at + 4, (base >> 32) as u32);
            self.writable.insert(at + 4, (mask >> 32) as u32);
        }
        self
    }

    pub fn pin(mut self, pin: u8) -> Function {
        self.config[0x3d] = pin;
        self
    }

    pub fn bridge(mut self, secondary: u8, subordinate: u8) -> Function {
        self.config[0x0e] = 1;
        self.put(0x18, (subordinate as u32) << 16 | (secondary as u32) << 8);
        for at in [0x18, 0x1c, 0x20, 0x24, 0x30] {
            self.writable.insert(at, u32::MAX);
        }
        self
    }

    pub fn put(&mut self, at: u16, value: u32) {
        self.config[at as usize..at as usize + 4].copy_from_slice(&value.to_le_bytes());
    }

    pub fn get(&self, at: u16) -> u32 {
        u32::from_le_bytes(
            self.config[at as usize..at as usize + 4]
                .try_into()
                .unwrap(),
        )
    }
}

#[derive(Default)]
pub struct Fake {
    pub memory: Vec<(u64, Vec<u8>)>,
    /// By bus, device, function.
    pub pci: BTreeMap<(u8, u8, u8), Function>,
    /// Where configuration space is mapped.
    pub mapped: Option<u64>,
    /// Words beyond a function's first 256 bytes; where there is none, nothing answers.
    pub extended: BTreeMap<((u8, u8, u8), u16), u32>,
    pub reads: u64,
    /// Words of a device's registers, by address: nothing else answers there.
    pub registers: BTreeMap<u64, u32>,
    /// What was written to ports other than those of PCI's configuration: only a few may be.
    pub told: Vec<(u16, u64)>,
    address: u32,
}

impl Fake {
    /// Configuration space at this address, with nothing in it.
    pub fn mapped_at(base: u64) -> Fake {
        Fake {
            mapped: Some(base),
            ..Fake::default()
        }
    }

    /// The pieces of memory of a `.acpi` fixture; gives the address of the root pointer.
    pub fn acpi(mut pieces: &[u8]) -> (Fake, u64) {
        let mut fake = Fake::default();
        while !pieces.is_empty() {
            let word = |at: usize| u64::from_le_bytes(pieces[at..at + 8].try_into().unwrap());
            let (at, size) = (word(0), word(8) as usize);
            fake.memory.push((at, pieces[16..16 + size].to_vec()));
            pieces = &pieces[16 + size..];
        }
        let root = fake.memory[0].0;
        (fake, root)
    }

    /// The bytes of the table with this signature.
    pub fn table(&mut self, signature: &[u8; 4]) -> &mut Vec<u8> {
        let found = self.memory.iter_mut().find(|(_, b)| &b[..4] == signature);
        &mut found.expect("a table of the fixture").1
    }

    fn config(&mut self, place: u64) -> Option<(&mut Function, u16)> {
        let key = (
            (place >> 20) as u8,
            (place >> 15) as u8 & 31,
            (place >> 12) as u8 & 7,
        );
        let at = (place & 0xfff) as u16;
        self.pci.get_mut(&key).filter(|_| at < 256).map(|f| (f, at))
    }

    fn config_read(&mut self, place: u64, bits: u32) -> u64 {
        if place & 0xfff >= 256 {
            let key = (
                (place >> 20) as u8,
                (place >> 15) as u8 & 31,
                (place >> 12) as u8 & 7,
            );
            let word = self.extended.get(&(key, (place & 0xffc) as u16));
            return word.map_or(u64::MAX >> (64 - bits), |word| *word as u64);
        }
        match self.config(place) {
            Some((function, at)) => {
                (function.get(at & !3) >> (8 * (at & 3))) as u64 & (u64::MAX >> (64 - bits))
            }
            None => u64::MAX >> (64 - bits),
        }
    }

    fn config_write(&mut self, place: u64, bits: u32, value: u64) {
        if let Some((function, at)) = self.config(place) {
            let word = at & !3;
            let part = ((u64::MAX >> (64 - bits)) as u32) << (8 * (at & 3));
            let mask = function.writable.get(&word).copied().unwrap_or(0) & part;
            let old = function.get(word);
            function.put(word, old & !mask | (value as u32) << (8 * (at & 3)) & mask);
        }
    }

    fn byte(&self, physical: u64) -> Option<u8> {
        self.memory.iter().find_map(|(base, bytes)| {
            let at = usize::try_from(physical.checked_sub(*base)?).ok()?;
            bytes.get(at).copied()
        })
    }
}

impl Hardware for Fake {
    fn read(&mut self, physical: u64, bits: u32) -> Option<u64> {
        self.reads += 1;
        if let Some(base) = self
            .mapped
            .filter(|base| (*base..*base + (256 << 20)).contains(&physical))
        {
            return Some(self.config_read(physical - base, bits));
        }
        if let Some(word) = self.registers.get(&physical) {
            return Some(*word as u64);
        }
        let mut value = 0;
        for n in 0..bits as u64 / 8 {
            value |= (self.byte(physical.checked_add(n)?)? as u64) << (8 * n);
        }
        Some(value)
    }

    fn write(&mut self, physical: u64, bits: u32, value: u64) {
        if let Some(word) = self.registers.get_mut(&physical) {
            assert_eq!(bits, 32);
            *word = value as u32;
            return;
        }
        let base = self.mapped.expect("a write to memory");
        assert!(
            (base..base + (256 << 20)).contains(&physical),
            "a write to memory at {physical:#x}"
        );
        self.config_write(physical - base, bits, value);
    }

    fn copy(&mut self, physical: u64, to: &mut [u8]) -> bool {
        self.reads += 1;
        let found = self.memory.iter().find_map(|(base, bytes)| {
            let at = usize::try_from(physical.checked_sub(*base)?).ok()?;
            bytes.get(at..at.checked_add(to.len())?)
        });
        found.map(|bytes| to.copy_from_slice(bytes)).is_some()
    }

    fn port_read(&mut self, port: u16, bits: u32) -> u64 {
        match port {
            0xcf8 if bits == 32 => self.address as u64,
            0xcfc..=0xcff if self.address >> 31 == 1 => {
                let place = config_place(self.address) + (port & 3) as u64;
                self.config_read(place, bits)
            }
            _ => u64::MAX >> (64 - bits),
        }
    }

    fn port_write(&mut self, port: u16, bits: u32, value: u64) {
        match port {
            0xcf8 => self.address = value as u32,
            0xcfc..=0xcff if self.address >> 31 == 1 => {
                let place = config_place(self.address) + (port & 3) as u64;
                self.config_write(place, bits, value);
            }
            0x70 | 0x72 | 0x80 if bits == 8 => self.told.push((port, value)),
            _ => panic!("a write to port {port:#x}"),
        }
    }

    fn cpuid(&mut self, leaf: u32, _: u32) -> [u32; 4] {
        match leaf {
            0 => [1, 0x756e_6547, 0x6c65_746e, 0x4965_6e69],
            1 => [0x663, 0, 0, 1 << 9 | 1 << 4],
            _ => [0; 4],
        }
    }

    fn register(&mut self, _: u32) -> Option<u64> {
        None
    }
}

/// From the address port's form to bus, device, function, offset as in mapped space.
fn config_place(address: u32) -> u64 {
    ((address >> 8 & 0xffff) as u64) << 12 | (address & 0xfc) as u64
}

/// The arm64 board, from its devicetree.
pub fn arm(fake: &mut Fake) -> Machine {
    fake.mapped = Some(0x40_1000_0000);
    let request = Request {
        firmware: Firmware::Devicetree(include_bytes!("../fixtures/virt.dtb")),
        ..Request::new(Arch::Aarch64)
    };
    discover(fake, request)
}

/// The device at `path`, which must be there.
#[track_caller]
pub fn device<'a>(machine: &'a Machine, path: &str) -> &'a Device {
    let found = machine.devices.iter().find(|d| d.path == path);
    found.unwrap_or_else(|| panic!("no {path}; notes: {:#?}", machine.notes))
}

/// A note must say this.
#[track_caller]
pub fn noted(machine: &Machine, text: &str) {
    let found = machine.notes.iter().any(|n| n.contains(text));
    assert!(found, "no note says {text:?}: {:#?}", machine.notes);
}
