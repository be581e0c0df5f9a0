//! The operands of each operator (20.2.5), and stepping over a term without running it.

use super::{
    namespace::{Kind, NodeId, OSI},
    reader::Reader,
    Aml, Error,
};
use alloc::vec::Vec;

/// One or two bytes.
pub fn opcode(reader: &mut Reader) -> Result<u16, Error> {
    match reader.byte()? {
        0x5b => Ok(0x5b00 | reader.byte()? as u16),
        code => Ok(code as u16),
    }
}

/// What follows an operator: `i` a term that gives an integer, `o` one that gives
/// an object, `v` the same but references stay, `r` a place, `>` a place that takes the result;
/// `n` a name, `s` a text, `p` a package with all that is in it; `1`, `2`, `4`, `8` as many bytes.
pub fn shape(code: u16) -> Result<&'static [u8], Error> {
    Ok(match code {
        0x00 | 0x01 | 0xff | 0x60..=0x6e | 0x9f | 0xa3 | 0xa5 | 0xcc => b"",
        0x5b30 | 0x5b31 | 0x5b33 => b"",
        0x06 => b"nn",
        0x08 => b"nv",
        0x0a => b"1",
        0x0b => b"2",
        0x0c => b"4",
        0x0d => b"s",
        0x0e => b"8",
        0x10..=0x14 | 0xa0..=0xa2 | 0x5b81..=0x5b87 => b"p",
        0x15 => b"n2",
        0x5b80 => b"n1ii",
        0x5b88 => b"nvvv",
        0x5b01 => b"n1",
        0x5b02 => b"n",
        0x5b13 => b"oiin",
        0x8a..=0x8d | 0x8f => b"oin",
        0x70 | 0x9d => b"v>",
        0x75 | 0x76 | 0x71 | 0x8e => b"r",
        0x72 | 0x74 | 0x77 | 0x79..=0x7f | 0x85 => b"ii>",
        0x73 | 0x84 => b"oo>",
        0x78 => b"iirr",
        0x80..=0x82 | 0x5b28 | 0x5b29 => b"i>",
        0x83 | 0xa4 => b"v",
        0x87 => b"o",
        0x86 => b"rv",
        0x88 | 0x9c => b"oi>",
        0x89 => b"o1i1ii",
        0x90 | 0x91 => b"ii",
        0x92 | 0x5b21 | 0x5b22 => b"i",
        0x93..=0x95 => b"oo",
        0x96..=0x99 => b"o>",
        0x9e => b"oii>",
        0x5b12 => b"rr",
        0x5b1f => b"vvvvvv",
        0x5b20 => b"nr",
        0x5b23 => b"r2",
        0x5b24 | 0x5b26 | 0x5b27 | 0x5b2a => b"r",
        0x5b25 => b"ri",
        0x5b32 => b"14i",
        other => return Err(Error::Unknown(other)),
    })
}

impl<'a> Aml<'a> {
    /// How many terms follow a name.
    pub(super) fn arguments(&self, id: NodeId) -> u8 {
        match self.node(id).map(|node| (node.kind, node.name)) {
            Ok((Kind::Method { arguments, .. }, _)) => arguments,
            Ok((Kind::Other, OSI)) => 1,
            _ => 0,
        }
    }

    /// Steps over a term and its operands. A name that is nowhere is taken for one without.
    pub(super) fn skip(&self, scope: NodeId, reader: &mut Reader<'a>) -> Result<(), Error> {
        // What is left of the shapes that are open, the innermost last.
        let mut open: Vec<&[u8]> = Vec::from([&b"v"[..]]);
        while let Some(shape) = open.last_mut() {
            let Some((next, rest)) = shape.split_first() else {
                open.pop();
                continue;
            };
            *shape = rest;
            match next {
                b'n' => drop(reader.name()?),
                b's' => drop(reader.text()?),
                b'p' => reader.at = reader.package()?,
                b'1'..=b'8' => drop(reader.take((next - b'0') as usize)?),
                // A place: a method there is not called.
                b'r' | b'>' if reader.at_name() => drop(reader.name()?),
                _ if reader.at_name() => {
                    let name = reader.name()?;
                    let arguments = self.find(scope, &name).map_or(0, |id| self.arguments(id));
                    open.push(&b"vvvvvvv"[..arguments as usize]);
                }
                _ => open.push(self::shape(opcode(reader)?)?),
            }
            // Nesting costs no more than the bytes that it takes.
            if open.len() > super::OBJECT {
                return Err(Error::Budget);
            }
        }
        Ok(())
    }
}
