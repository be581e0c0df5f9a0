//! Configuration space, through mapped memory or through the two ports.

use crate::hardware::Hardware;
use core::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    pub bus: u8,
    pub device: u8,
    pub function: u8,
}

impl Address {
    /// From a path of the model: `pci/00:02.0`, or `pci/0001:00:02.0` in another segment than 0.
    pub fn of_path(path: &str) -> Option<Address> {
        let place = path.strip_prefix("pci/")?;
        let (bus, rest) = place.get(place.len().checked_sub(7)?..)?.split_once(':')?;
        let (device, function) = rest.split_once('.')?;
        let number = |text| u8::from_str_radix(text, 16).ok();
        let (device, function) = (number(device)?, number(function)?);
        (device < 32 && function < 8).then_some(Address {
            bus: number(bus)?,
            device,
            function,
        })
    }

    /// Where a function's 4 KiB are in mapped configuration space that begins with bus 0.
    pub(crate) fn offset(&self) -> u64 {
        (self.bus as u64) << 20 | (self.device as u64) << 15 | (self.function as u64) << 12
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:02x}:{:02x}.{}", self.bus, self.device, self.function)
    }
}

/// How configuration space is reached (PCI Firmware 3.3, 4.1; PCI Local Bus 3.0, 3.2.2.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Config {
    /// 4 KiB a function from this physical address, beginning with bus `first`.
    Mapped { base: u64, first: u8, last: u8 },
    /// Address and data ports.
    Ports,
}

const ADDRESS_PORT: u16 = 0xcf8;
const DATA_PORT: u16 = 0xcfc;

impl Config {
    /// Whether the 4 KiB of PCI Express are reached on this bus, and not only PCI's 256 bytes.
    pub(crate) fn extended(&self, bus: u8) -> bool {
        match self {
            Config::Mapped { first, last, .. } => (*first..=*last).contains(&bus),
            Config::Ports => false,
        }
    }

    /// Physical address and bytes of the whole space, where it is mapped.
    pub(crate) fn range(&self) -> Option<(u64, u64)> {
        match self {
            Config::Mapped { base, first, last } => {
                Some((*base, (last.checked_sub(*first)? as u64 + 1) << 20))
            }
            Config::Ports => None,
        }
    }

    /// Physical address of a function's configuration space, where it is mapped.
    pub(crate) fn mapped(&self, at: Address) -> Option<u64> {
        self.place(at, 0)
    }

    fn place(&self, at: Address, offset: u16) -> Option<u64> {
        match self {
            Config::Mapped { base, first, last } if (*first..=*last).contains(&at.bus) => {
                let below = (*first as u64) << 20;
                base.checked_add(at.offset() - below + offset as u64)
            }
            _ => None,
        }
    }

    fn select(at: Address, offset: u16) -> u64 {
        let function = (at.bus as u64) << 16 | (at.device as u64) << 11 | (at.function as u64) << 8;
        1 << 31 | function | (offset as u64 & 0xfc)
    }

    /// The 32-bit word at `offset` (a multiple of 4); all ones when nothing answers.
    pub fn read(&self, hardware: &mut dyn Hardware, at: Address, offset: u16) -> u32 {
        match self {
            Config::Mapped { .. } => (self.place(at, offset))
                .and_then(|place| hardware.read(place, 32))
                .map_or(u32::MAX, |word| word as u32),
            Config::Ports => {
                hardware.port_write(ADDRESS_PORT, 32, Config::select(at, offset));
                hardware.port_read(DATA_PORT, 32) as u32
            }
        }
    }

    pub fn write(&self, hardware: &mut dyn Hardware, at: Address, offset: u16, value: u32) {
        match self {
            Config::Mapped { .. } => {
                if let Some(place) = self.place(at, offset) {
                    hardware.write(place, 32, value as u64);
                }
            }
            Config::Ports => {
                hardware.port_write(ADDRESS_PORT, 32, Config::select(at, offset));
                hardware.port_write(DATA_PORT, 32, value as u64);
            }
        }
    }

    /// A half word, so that its neighbour (the status register's bits are cleared by writing) stays as it is.
    pub fn write16(&self, hardware: &mut dyn Hardware, at: Address, offset: u16, value: u16) {
        match self {
            Config::Mapped { .. } => {
                if let Some(place) = self.place(at, offset) {
                    hardware.write(place, 16, value as u64);
                }
            }
            Config::Ports => {
                hardware.port_write(ADDRESS_PORT, 32, Config::select(at, offset));
                hardware.port_write(DATA_PORT + (offset & 2), 16, value as u64);
            }
        }
    }
}
