//! Fields of operation regions: what is read, and what becomes of what is written.

use super::{
    namespace::{Ground, Kind, NodeId, ROOT},
    text::put_bits,
    Aml, Error, Value,
};
use crate::{acpi::Spaces, hardware::Hardware, pci::Address};
use alloc::vec::Vec;

/// Most bytes that are kept of what was written to devices.
const MOST_WRITTEN: usize = 16 * 1024;

/// What an evaluation may look at.
pub struct World<'h> {
    pub hardware: &'h mut dyn Hardware,
    pub spaces: &'h Spaces,
}

/// First bit, bits, and flags of a field.
type Bits = (u32, u32, u8);

impl Aml<'_> {
    /// Reads a field; accesses are as wide as the field says, and never beyond its region.
    pub(super) fn read_field(
        &mut self,
        world: &mut World,
        ground: u32,
        (bit, bits, flags): Bits,
    ) -> Result<Value, Error> {
        let ground = self.ground(world, ground, (bit, bits))?;
        let access = access_bits(flags);
        let from = bit / access * access;
        let mut bytes = Vec::new();
        let mut at = from;
        while at < bit + bits {
            self.charge(1)?;
            let unit = self.read_unit(world, &ground, at / 8, access)?;
            bytes.extend(unit.to_le_bytes().iter().take(access as usize / 8));
            at += access;
        }
        self.cut_out(&bytes, (bit - from) as usize, bits as usize)
    }

    /// Writes a field, by the rule that it has for the bits beside it.
    pub(super) fn write_field(
        &mut self,
        world: &mut World,
        ground: u32,
        (bit, bits, flags): Bits,
        value: &[u8],
    ) -> Result<(), Error> {
        let ground = self.ground(world, ground, (bit, bits))?;
        let access = access_bits(flags);
        let mut at = bit / access * access;
        while at < bit + bits {
            self.charge(access as usize)?;
            let (first, last) = (bit.max(at), (bit + bits).min(at + access));
            let old = match (last - first == access, flags >> 5 & 3) {
                (false, 0) => self.read_unit(world, &ground, at / 8, access)?,
                (false, 1) => u64::MAX,
                _ => 0,
            };
            let mut unit = old.to_le_bytes();
            let mut part = [0; 8];
            for n in first..last {
                let from = (n - bit) as usize;
                let set = value
                    .get(from / 8)
                    .is_some_and(|b| b >> (from % 8) & 1 == 1);
                part[(n - first) as usize / 8] |= (set as u8) << ((n - first) % 8);
            }
            put_bits(
                &mut unit,
                (first - at) as usize,
                (last - first) as usize,
                &part,
            )?;
            let unit = u64::from_le_bytes(unit);
            match ground {
                Ground::Index(_, data) => {
                    self.select(world, &ground, at / 8)?;
                    self.write_node(world, data, unit)?;
                }
                Ground::Region(region) | Ground::Bank(region, ..) => {
                    let (space, address) = self.reach(world, region, at / 8, access)?;
                    self.write_space(world, space, address, (access, unit))?;
                }
            }
            at += access;
        }
        Ok(())
    }

    /// What a field stands on, once the registers that select it are written.
    fn ground(
        &mut self,
        world: &mut World,
        ground: u32,
        (bit, bits): (u32, u32),
    ) -> Result<Ground, Error> {
        let fits = bit.checked_add(bits).and_then(|end| end.checked_add(64));
        if bits == 0 || bits as usize > super::OBJECT * 8 || fits.is_none() {
            return Err(Error::Region);
        }
        let ground = self
            .grounds
            .get(ground as usize)
            .ok_or(Error::Kind)?
            .clone();
        if let Ground::Bank(_, bank, value) = ground {
            self.unmade = false;
            self.write_node(world, bank, value)?;
        }
        Ok(ground)
    }

    /// Writes the number of an indexed register, in bytes.
    fn select(&mut self, world: &mut World, ground: &Ground, byte: u32) -> Result<(), Error> {
        if let Ground::Index(index, _) = ground {
            self.unmade = false;
            self.write_node(world, *index, byte as u64)?;
        }
        Ok(())
    }

    fn write_node(&mut self, world: &mut World, node: NodeId, value: u64) -> Result<(), Error> {
        // A field may stand on itself.
        self.charge(1)?;
        self.depth += 1;
        let written = match self.node(node)?.kind {
            Kind::Field {
                ground,
                bit,
                bits,
                flags,
            } if self.depth < super::DEPTH => {
                self.write_field(world, ground, (bit, bits, flags), &value.to_le_bytes())
            }
            _ => Err(Error::Kind),
        };
        self.depth -= 1;
        written
    }

    fn read_unit(
        &mut self,
        world: &mut World,
        ground: &Ground,
        byte: u32,
        access: u32,
    ) -> Result<u64, Error> {
        match ground {
            Ground::Index(_, data) => {
                self.select(world, ground, byte)?;
                if self.unmade {
                    return Err(Error::Selected);
                }
                self.depth += 1;
                let value = match self.depth < super::DEPTH {
                    true => self.value(world, *data),
                    false => Err(Error::Budget),
                };
                self.depth -= 1;
                value?.integer()
            }
            Ground::Bank(..) if self.unmade => Err(Error::Selected),
            Ground::Region(region) | Ground::Bank(region, ..) => {
                let (space, address) = self.reach(world, *region, byte, access)?;
                self.read_space(world, space, address, access)
            }
        }
    }

    /// Address space and address of a place in a region.
    fn reach(
        &mut self,
        world: &mut World,
        region: NodeId,
        byte: u32,
        access: u32,
    ) -> Result<(u8, u64), Error> {
        let Kind::Region { space, terms } = self.node(region)?.kind else {
            return Err(Error::Region);
        };
        let (offset, length) = match self.places.get(&region) {
            Some(place) => *place,
            None => {
                let mut reader = self.reader(terms);
                let scope = self.node(region)?.parent;
                let mut frame = super::evaluate::Frame::new(scope, terms.table);
                let offset = self.number_of(world, &mut frame, &mut reader)?;
                let length = self.number_of(world, &mut frame, &mut reader)?;
                self.places.insert(region, (offset, length));
                (offset, length)
            }
        };
        if u64::from(byte + access / 8) > length {
            return Err(Error::Region);
        }
        let mut address = offset.checked_add(byte as u64).ok_or(Error::Region)?;
        if space == CONFIGURATION {
            if address >= 4096 {
                return Err(Error::Region);
            }
            let at = self.function(world, region)?;
            // Told apart by where they are, for the shadow.
            address |= (at.0 as u64) << 32
                | (at.1.bus as u64) << 24
                | (at.1.device as u64) << 19
                | (at.1.function as u64) << 16;
        }
        Ok((space, address))
    }

    fn read_space(
        &mut self,
        world: &mut World,
        space: u8,
        address: u64,
        bits: u32,
    ) -> Result<u64, Error> {
        let end = address.checked_add(8).ok_or(Error::Region)?;
        let written: Vec<(u32, u8)> = (self.shadow.range((space, address)..(space, end)))
            .map(|((_, at), byte)| (8 * (at - address) as u32, *byte))
            .filter(|(shift, _)| *shift < bits)
            .collect();
        let mut value = match written.len() as u32 * 8 == bits {
            true => 0,
            false => self.read_really(world, space, address, bits)?,
        };
        for (shift, byte) in written {
            value = value & !(0xff << shift) | (byte as u64) << shift;
        }
        Ok(value)
    }

    fn read_really(
        &mut self,
        world: &mut World,
        space: u8,
        address: u64,
        bits: u32,
    ) -> Result<u64, Error> {
        let mask = u64::MAX >> (64 - bits);
        match space {
            0 => world.hardware.read(address, bits).ok_or(Error::Region),
            1 if address <= 0xffff => {
                // The second of two ports shows what the first selects.
                let first = (space, address & !1);
                if address & 1 == 1 && self.shadow.contains_key(&first) && !world.hardware.copied()
                {
                    return Err(Error::Selected);
                }
                Ok(world.hardware.port_read(address as u16, bits))
            }
            CONFIGURATION => {
                let function = Address {
                    bus: (address >> 24) as u8,
                    device: (address >> 19) as u8 & 31,
                    function: (address >> 16) as u8 & 7,
                };
                let segment = (address >> 32) as u16;
                let config = world
                    .spaces
                    .of(segment, function.bus)
                    .ok_or(Error::Region)?;
                let at = address as u16 & 0xfff;
                let word = config.read(world.hardware, function, at & !3) as u64;
                let next = match bits {
                    64 => config.read(world.hardware, function, at.wrapping_add(4) & 0xffc),
                    _ => 0,
                };
                Ok((word | (next as u64) << 32) >> (8 * (at & 3)) & mask)
            }
            // A dump answers for every space with the same.
            _ if world.hardware.copied() => Ok(world.hardware.port_read(0, bits)),
            5 if address < 256 && bits == 8 => {
                let (index, data) = [(0x70, 0x71), (0x72, 0x73)][address as usize / 128];
                match world.hardware.port_tell(index, 8, address & 127) {
                    true => Ok(world.hardware.port_read(data, 8)),
                    false => Err(Error::Selected),
                }
            }
            other => Err(Error::Space(other)),
        }
    }

    /// The few registers of the policy are written; what was meant for others is kept, and read back.
    fn write_space(
        &mut self,
        world: &mut World,
        space: u8,
        address: u64,
        (bits, value): (u32, u64),
    ) -> Result<(), Error> {
        let port = u16::try_from(address).ok().filter(|_| space == 1);
        if port.is_some_and(|port| world.hardware.port_tell(port, bits, value)) {
            return Ok(());
        }
        self.unmade |= !world.hardware.copied();
        if self.shadow.len() >= MOST_WRITTEN {
            return Err(Error::Budget);
        }
        for n in 0..bits / 8 {
            let at = address.checked_add(n as u64).ok_or(Error::Region)?;
            self.shadow.insert((space, at), (value >> (8 * n)) as u8);
        }
        Ok(())
    }

    /// The PCI function that a configuration region belongs to: the nearest device above, followed down from its host bridge
    /// through the bridges in between; with its segment.
    fn function(&mut self, world: &mut World, region: NodeId) -> Result<(u16, Address), Error> {
        let mut way = Vec::new();
        let mut at = self.node(region)?.parent;
        while at != ROOT && !self.is_host(world, at) {
            if let Some(place) = self.inner_number(world, at, b"_ADR") {
                way.push(place);
            }
            at = self.node(at)?.parent;
        }
        let (mut bus, segment) = match at {
            ROOT => (0, 0),
            host => (
                self.inner_number(world, host, b"_BBN").unwrap_or(0) as u8,
                self.inner_number(world, host, b"_SEG").unwrap_or(0) as u16,
            ),
        };
        if at == ROOT {
            // Without a host bridge above, only the nearest is believed.
            way.truncate(1);
        } else if way.is_empty() {
            // The host bridge itself is a function, too.
            way.push(self.inner_number(world, at, b"_ADR").unwrap_or(0));
        }
        while let Some(place) = way.pop() {
            let address = Address {
                bus,
                device: (place >> 16) as u8 & 31,
                function: place as u8 & 7,
            };
            if way.is_empty() {
                return Ok((segment, address));
            }
            let config = world.spaces.of(segment, bus).ok_or(Error::Region)?;
            // PCI-to-PCI bridge 1.2, 3.2.5.4: the bus behind it.
            bus = (config.read(world.hardware, address, 0x18) >> 8) as u8;
        }
        Err(Error::Region)
    }

    /// The value of a member that is a number, or a method that gives one; inside of an evaluation.
    fn inner_number(&mut self, world: &mut World, of: NodeId, name: &[u8; 4]) -> Option<u64> {
        let node = self.member(of, name)?;
        let value = self.answer(world, node, &[]);
        value.and_then(|value| value.integer()).ok()
    }

    /// The same, as an evaluation of its own.
    pub fn number(&mut self, world: &mut World, of: NodeId, name: &[u8; 4]) -> Option<u64> {
        let node = self.member(of, name)?;
        let value = self.evaluate(world, node, &[]);
        value.and_then(|value| value.integer()).ok()
    }

    /// Calls itself a PCI host bridge: `PNP0A03` or `PNP0A08`, packed or as text.
    fn is_host(&mut self, world: &mut World, node: NodeId) -> bool {
        let Some(id) = self.member(node, b"_HID") else {
            return false;
        };
        match self.answer(world, id, &[]) {
            Ok(Value::Integer(packed)) => matches!(packed, 0x030a_d041 | 0x080a_d041),
            Ok(value @ Value::Text(_)) => {
                matches!(value.bytes().as_deref(), Ok(b"PNP0A03" | b"PNP0A08"))
            }
            _ => false,
        }
    }
}

/// PCI configuration space (5.5.2.4).
const CONFIGURATION: u8 = 2;

/// Bits of each access (20.2.5.2).
fn access_bits(flags: u8) -> u32 {
    match flags & 15 {
        2 => 16,
        3 => 32,
        4 => 64,
        _ => 8,
    }
}
