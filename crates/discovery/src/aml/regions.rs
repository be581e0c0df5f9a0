//! Reading fields of operation regions, and bits of buffers.

use super::{
    namespace::{Kind, NodeId, Span},
    Aml, Error, Value,
};
use crate::{hardware::Hardware, pci::Address, pci::Config};

/// What an evaluation may look at.
pub struct World<'h> {
    pub hardware: &'h mut dyn Hardware,
    pub config: &'h Config,
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
                let function = self.function(world, region)?;
                let word = world
                    .config
                    .read(world.hardware, function, address as u16 & !3);
                let shifted = (word as u64) >> (8 * (address & 3));
                Ok(shifted & (u64::MAX >> (64 - bits.min(32))))
            }
            _ => Err(Error::Region),
        }
    }

    /// The PCI function that a configuration region belongs to: the nearest device above with an `_ADR`, on bus 0.
    fn function(&mut self, world: &mut World, region: NodeId) -> Result<Address, Error> {
        let mut at = self.node(region)?.parent;
        while at != 0 {
            if let Some(address) = self.member(at, b"_ADR") {
                let place = self.value(world, address)?.integer()?;
                return Ok(Address {
                    bus: 0,
                    device: (place >> 16) as u8 & 31,
                    function: place as u8 & 7,
                });
            }
            at = self.node(at)?.parent;
        }
        Err(Error::Region)
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
