//! Configuration space as sysfs shows it. What discovery writes changes a copy, whose address registers answer as the real
//! ones would: the kernel has sized them.

use super::{fact, number, Linux};
use crate::discover::tables::Mapped;
use machine::{Machine, Value};
use std::collections::BTreeMap;

/// Without rights, sysfs shows so many bytes.
const UNPRIVILEGED: usize = 64;
/// A function's mapped configuration space.
const SPACE: usize = 4096;
const MEMORY: u64 = 0x200;
const WIDE: u64 = 0x10_0000;
const ADDRESS_PORT: u16 = 0xcf8;
const DATA_PORT: u16 = 0xcfc;

/// Segment, bus, device and function (3 bits).
type Address = (u16, u8, u8);

#[derive(Default)]
pub struct Functions {
    list: BTreeMap<Address, Function>,
    mapped: Vec<Mapped>,
    /// What was written to the address port.
    selected: u32,
}

struct Function {
    /// As the kernel calls it.
    name: String,
    bytes: Vec<u8>,
    /// Which bits of a word stay as written; others are as they were.
    masks: BTreeMap<usize, u32>,
}

impl Functions {
    pub fn read(linux: &mut Linux, mapped: &[Mapped]) -> Functions {
        let mut list = BTreeMap::new();
        for name in linux.names("sys/bus/pci/devices") {
            let Some(address) = address(&name) else {
                continue;
            };
            let folder = format!("sys/bus/pci/devices/{name}");
            let what = "PCI configuration space";
            let bytes = linux.bytes(&format!("{folder}/config"), what);
            let resources = linux.text(&format!("{folder}/resource"), what);
            let (Some(mut bytes), Some(resources)) = (bytes, resources) else {
                continue;
            };
            if bytes.len() <= UNPRIVILEGED {
                linux.tell(
                    "PCI capabilities: the kernel shows more than 64 bytes of configuration space only to root: \
                     run this with sudo"
                        .into(),
                );
                // Without the list's first place nothing behind is looked for.
                if let Some(first) = bytes.get_mut(0x34) {
                    *first = 0;
                }
            }
            bytes.resize(SPACE, 0);
            let masks = masks(&bytes, &resources);
            list.insert(address, Function { name, bytes, masks });
        }
        Functions {
            list,
            mapped: mapped.to_vec(),
            selected: 0,
        }
    }

    pub fn any(&self) -> bool {
        !self.list.is_empty()
    }

    /// Adds what the kernel knows beside: its driver. Tells functions that are not in the model.
    pub fn complete(&self, linux: &mut Linux, model: &mut Machine) {
        for (address, function) in &self.list {
            let (segment, bus, place) = *address;
            let path = format!("pci/{bus:02x}:{:02x}.{}", place >> 3, place & 7);
            let device = model.devices.iter_mut().find(|d| d.path == path);
            match device.filter(|_| segment == 0) {
                Some(device) => {
                    let link = format!("sys/bus/pci/devices/{}/driver", function.name);
                    let driver = std::fs::read_link(linux.path(&link)).ok();
                    let name =
                        driver.and_then(|d| Some(d.file_name()?.to_string_lossy().into_owned()));
                    device
                        .facts
                        .extend(name.map(|name| fact("used_by", Value::Text(name))));
                }
                None => linux.tell(format!(
                    "the PCI function {} was not reached",
                    function.name
                )),
            }
        }
    }

    /// The function and offset of a place in mapped configuration space; `None` when the place is none.
    fn place(&self, physical: u64) -> Option<(Address, usize)> {
        self.mapped.iter().find_map(|m| {
            let at = physical.checked_sub(m.base)?;
            let bus = (at >> 20) + u64::from(m.first);
            let place = (at >> 12) as u8;
            let offset = at as usize % SPACE;
            (bus <= u64::from(m.last)).then_some(((m.segment, bus as u8, place), offset))
        })
    }

    pub fn mapped_read(&self, physical: u64, bits: u32) -> Option<u64> {
        let (address, offset) = self.place(physical)?;
        Some(self.config_read(address, offset, bits))
    }

    pub fn mapped_write(&mut self, physical: u64, bits: u32, value: u64) {
        if let Some((address, offset)) = self.place(physical) {
            self.config_write(address, offset, bits, value);
        }
    }

    pub fn port_read(&self, port: u16, bits: u32) -> u64 {
        match self.by_ports(port) {
            Some((address, offset)) => self.config_read(address, offset, bits),
            None if port == ADDRESS_PORT && bits == 32 => self.selected.into(),
            None => ones(bits),
        }
    }

    pub fn port_write(&mut self, port: u16, bits: u32, value: u64) {
        if port == ADDRESS_PORT && bits == 32 {
            self.selected = value as u32;
        } else if let Some((address, offset)) = self.by_ports(port) {
            self.config_write(address, offset, bits, value);
        }
    }

    /// PCI Local Bus 3.0, 3.2.2.3.2.
    fn by_ports(&self, port: u16) -> Option<(Address, usize)> {
        let in_word = port.checked_sub(DATA_PORT).filter(|at| *at < 4)?;
        let enabled = self.selected >> 31 == 1;
        let address = (0, (self.selected >> 16) as u8, (self.selected >> 8) as u8);
        let offset = (self.selected & 0xfc) as usize + usize::from(in_word);
        enabled.then_some((address, offset))
    }

    fn config_read(&self, address: Address, offset: usize, bits: u32) -> u64 {
        let count = (bits / 8) as usize;
        let bytes = (self.list.get(&address)).and_then(|f| f.bytes.get(offset..offset + count));
        let Some(bytes) = bytes else {
            return ones(bits);
        };
        let high_first = bytes.iter().rev();
        high_first.fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    /// Changes the copy.
    fn config_write(&mut self, address: Address, offset: usize, bits: u32, value: u64) {
        let Some(function) = self.list.get_mut(&address) else {
            return;
        };
        for (number, at) in (offset..offset + (bits / 8) as usize).enumerate() {
            let mask = function.masks.get(&(at & !3)).copied().unwrap_or(u32::MAX);
            let mask = (mask >> (8 * (at & 3))) as u8;
            let written = (value >> (8 * number)) as u8;
            if let Some(byte) = function.bytes.get_mut(at) {
                *byte = *byte & !mask | written & mask;
            }
        }
    }
}

fn ones(bits: u32) -> u64 {
    u64::MAX >> (64 - bits.clamp(1, 64))
}

/// `0000:00:1f.2`
fn address(name: &str) -> Option<Address> {
    let (segment, rest) = name.split_once(':')?;
    let (bus, rest) = rest.split_once(':')?;
    let (device, function) = rest.split_once('.')?;
    let place = number(device)? << 3 | number(function)?;
    Some((
        u16::try_from(number(segment)?).ok()?,
        u8::try_from(number(bus)?).ok()?,
        u8::try_from(place).ok()?,
    ))
}

/// Which bits of the address registers can be written, from the sizes in sysfs' `resource`: a line for each register, then
/// one for the expansion ROM.
fn masks(config: &[u8], resources: &str) -> BTreeMap<usize, u32> {
    let (registers, rom) = match config.get(0x0e).map(|header| header & 0x7f) {
        Some(0) => (6, 0x30),
        Some(1) => (2, 0x38),
        _ => return BTreeMap::new(),
    };
    // Identification is what it is.
    let mut masks = BTreeMap::from([(0, 0), (8, 0)]);
    // A register without a line of its own keeps what it has: nothing is there, or the upper half of the one before.
    masks.extend((0..registers).map(|index| (0x10 + 4 * index, 0)));
    masks.insert(rom, 0);
    for (index, line) in resources.lines().take(7).enumerate() {
        let mut words = line.split_whitespace().filter_map(number);
        let (Some(start), Some(end), Some(flags)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        if flags == 0 || end < start || (index >= registers && index != 6) {
            continue;
        }
        let size = end - start + 1;
        let bits = !(size.max(1).next_power_of_two() - 1);
        if index == 6 {
            masks.insert(rom, bits as u32 & !0x7fe);
            continue;
        }
        let at = 0x10 + 4 * index;
        let fixed = if flags & MEMORY != 0 { 15 } else { 3 };
        masks.insert(at, bits as u32 & !fixed);
        if flags & MEMORY != 0 && flags & WIDE != 0 {
            masks.insert(at + 4, (bits >> 32) as u32);
        }
    }
    masks
}
