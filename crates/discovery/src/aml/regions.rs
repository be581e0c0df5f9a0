//! Reading fields of operation regions, and bits of buffers.

use super::{
    namespace::{Kind, NodeId, Span, ROOT},
    Aml, Error, Value,
};
use crate::{acpi::Spaces, hardware::Hardware, pci::Address, pci::Config};
use alloc::vec::Vec;

/// What an evaluation may look at.
pub struct World<'h> {
    pub hardware: &'h mut dyn Hardware,
    pub spaces: &'h Spaces,
}

impl Aml<'_> {
    /// Reads a field; accesses are as wide as the field says, and never beyond its region.
    pub(super) fn read_field(
        &mut self,
        world: &mut World,
        region: NodeId,
        (bit, bits, access): (u32, u32, u32),
    ) -> Result<u64, Error> {
        let Kind::Region { space, terms } = self.node(region)?.kind else {
            return Err(Error::Region);
        };
        if bits == 0 || bits > 64 {
            return Err(Error::Region);
        }
        let (offset, length) = self.region_place(world, region, terms)?;
        let mut value: u128 = 0;
        let mut at = bit / access * access;
        let from = at;
        while at < bit + bits {
            let byte = (at / 8) as u64;
            if byte + (access / 8) as u64 > length {
                return Err(Error::Region);
            }
            let address = offset.checked_add(byte).ok_or(Error::Region)?;
            let part = self.read_space(world, region, space, address, access)?;
            value |= (part as u128) << (at - from);
            at += access;
        }
        Ok((value >> (bit - from)) as u64 & (u64::MAX >> (64 - bits)))
    }

    fn region_place(
        &mut self,
        world: &mut World,
        region: NodeId,
        terms: Span,
    ) -> Result<(u64, u64), Error> {
        let mut reader = self.reader(terms);
        let scope = self.node(region)?.parent;
        let offset = self
            .constant(world, scope, terms.table, &mut reader)?
            .integer()?;
        let length = self
            .constant(world, scope, terms.table, &mut reader)?
            .integer()?;
        Ok((offset, length))
    }

    fn read_space(
        &mut self,
        world: &mut World,
        region: NodeId,
        space: u8,
        address: u64,
        bits: u32,
    ) -> Result<u64, Error> {
        match space {
            0 => world.hardware.read(address, bits).ok_or(Error::Region),
            1 if address <= 0xffff => Ok(world.hardware.port_read(address as u16, bits)),
            2 if address < 256 => {
                let (config, function) = self.function(world, region)?;
                let word = config.read(world.hardware, function, address as u16 & !3);
                let shifted = (word as u64) >> (8 * (address & 3));
                Ok(shifted & (u64::MAX >> (64 - bits.min(32))))
            }
            _ => Err(Error::Region),
        }
    }

    /// The PCI function that a configuration region belongs to: the nearest device above with an `_ADR`, followed down from
    /// its host bridge through the bridges in between.
    fn function(&mut self, world: &mut World, region: NodeId) -> Result<(Config, Address), Error> {
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
        // Without a host bridge above, only the nearest is believed.
        if at == ROOT {
            way.truncate(1);
        }
        while let Some(place) = way.pop() {
            let address = Address {
                bus,
                device: (place >> 16) as u8 & 31,
                function: place as u8 & 7,
            };
            let config = world.spaces.of(segment, bus).ok_or(Error::Region)?;
            if way.is_empty() {
                return Ok((config, address));
            }
            // PCI-to-PCI bridge 1.2, 3.2.5.4: the bus behind it.
            bus = (config.read(world.hardware, address, 0x18) >> 8) as u8;
        }
        Err(Error::Region)
    }

    /// The value of a member that is a number, or a method that gives one; inside of an evaluation.
    fn inner_number(&mut self, world: &mut World, of: NodeId, name: &[u8; 4]) -> Option<u64> {
        let node = self.member(of, name)?;
        let value = match self.node(node).ok()?.kind {
            Kind::Method { .. } => self.call(world, node, &[]),
            _ => self.value(world, node),
        };
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
        match self.value(world, id) {
            Ok(Value::Integer(packed)) => matches!(packed, 0x030a_d041 | 0x080a_d041),
            Ok(Value::Text(text)) => text == b"PNP0A03" || text == b"PNP0A08",
            _ => false,
        }
    }

    /// Reads bits of a buffer that a name holds.
    pub(super) fn read_buffer(
        &mut self,
        world: &mut World,
        buffer: NodeId,
        bit: u32,
        bits: u32,
    ) -> Result<u64, Error> {
        let value = self.value(world, buffer)?;
        let bytes = value.bytes()?;
        let mut number = 0;
        for n in 0..bits.min(64) {
            let at = (bit + n) as usize;
            let byte = bytes.get(at / 8).ok_or(Error::Kind)?;
            number |= ((byte >> (at % 8) & 1) as u64) << n;
        }
        Ok(number)
    }

    /// Changes bits of a buffer that a name holds.
    pub(super) fn write_buffer(
        &mut self,
        buffer: NodeId,
        bit: u32,
        bits: u32,
        number: u64,
    ) -> Result<(), Error> {
        let Some(Value::Buffer(bytes)) = self.values.get_mut(&buffer) else {
            return Err(Error::Kind);
        };
        for n in 0..bits.min(64) {
            let at = (bit + n) as usize;
            let byte = bytes.get_mut(at / 8).ok_or(Error::Kind)?;
            *byte = *byte & !(1 << (at % 8)) | ((number >> n & 1) as u8) << (at % 8);
        }
        Ok(())
    }
}
