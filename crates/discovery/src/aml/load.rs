//! Scanning a table: what it names, without running it.

use super::{
    namespace::{Kind, NodeId, Span, ROOT},
    reader::Reader,
    regions::World,
    Aml, Error,
};
use alloc::format;

/// Further conditions outside of methods are left out.
const MOST_LATE: usize = 1024;
/// Bytes of a table's header before its AML.
const HEADER: usize = 36;

impl<'a> Aml<'a> {
    /// Takes in a DSDT or SSDT with its header. What cannot be understood is left out, with a note.
    pub fn load(&mut self, table: &'a [u8]) {
        let index = self.tables.len();
        self.tables.push(table);
        if let (Ok(index), true) = (u16::try_from(index), table.len() > HEADER) {
            let span = Span {
                table: index,
                at: HEADER as u32,
                end: table.len() as u32,
            };
            self.depth = 0;
            self.scan(ROOT, span);
        }
    }

    /// Runs the conditions that stand outside of methods, and takes in what the branch taken declares.
    pub fn settle(&mut self, world: &mut World) {
        let mut at = 0;
        // What a branch declares may be conditional again, and is then at the end of the list.
        while let Some((scope, span)) = self.late.get(at).copied() {
            at += 1;
            if let Err(why) = self.settle_one(world, scope, span) {
                self.notes.push(format!(
                    "AML: conditional declarations in {} are left out: {}",
                    self.path(scope),
                    why.told()
                ));
            }
        }
    }

    fn settle_one(&mut self, world: &mut World, scope: NodeId, span: Span) -> Result<(), Error> {
        let mut reader = self.reader(span);
        reader.byte()?;
        let end = reader.package()?;
        let outer = reader.end;
        reader.end = end;
        let yes = self.condition(world, scope, span.table, &mut reader)?;
        let (mut from, mut to) = (reader.at, end);
        if !yes {
            reader.at = end;
            reader.end = outer;
            if reader.done() {
                return Ok(());
            }
            reader.byte()?;
            to = reader.package()?;
            from = reader.at;
        }
        let span = Span {
            table: span.table,
            at: from as u32,
            end: to as u32,
        };
        self.depth = 0;
        self.scan(scope, span);
        Ok(())
    }

    pub(super) fn reader(&self, span: Span) -> Reader<'a> {
        let bytes = self
            .tables
            .get(span.table as usize)
            .copied()
            .unwrap_or_default();
        Reader::new(bytes, span.at as usize, span.end as usize)
    }

    /// Declares everything in a list of terms; stops at the first thing that is not understood.
    fn scan(&mut self, scope: NodeId, span: Span) {
        if self.depth > super::DEPTH {
            return;
        }
        self.depth += 1;
        let mut reader = self.reader(span);
        while !reader.done() {
            let at = reader.at;
            match self.declare(scope, span.table, &mut reader) {
                Ok(true) => {}
                Ok(false) | Err(_) => {
                    self.notes.push(format!(
                        "AML at {at:#x} of table {} is not understood: the rest of its scope {} is left out",
                        span.table,
                        self.path(scope)
                    ));
                    break;
                }
            }
        }
        self.depth -= 1;
    }

    /// Takes in one declaration; false when the term is not one.
    pub(super) fn declare(
        &mut self,
        scope: NodeId,
        table: u16,
        reader: &mut Reader<'a>,
    ) -> Result<bool, Error> {
        let start = *reader;
        let code = opcode(reader)?;
        match code {
            0x08 => self.declare_name(scope, table, reader)?,
            0x06 => {
                let to = reader.name()?;
                let (parent, name) = self.place(scope, &reader.name()?)?;
                let to = self.find(scope, &to)?;
                self.add(parent, name, Kind::Alias(to))?;
            }
            0x14 => self.declare_method(scope, table, reader)?,
            0x15 => {
                reader.name()?;
                reader.number(2)?;
            }
            0x10 | 0x5b82 | 0x5b83 | 0x5b84 | 0x5b85 => {
                self.declare_scope(code, scope, table, reader)?
            }
            0x5b80 => self.declare_region(scope, table, reader)?,
            0x5b81 => self.declare_fields(scope, reader)?,
            0x5b86 | 0x5b87 => {
                let end = reader.package()?;
                reader.at = end;
            }
            0x5b01 | 0x5b02 => {
                let (parent, name) = self.place(scope, &reader.name()?)?;
                self.add(parent, name, Kind::Other)?;
                if code == 0x5b01 {
                    reader.byte()?;
                }
            }
            // A condition may ask for what a later table names: it is run when all are loaded.
            0xa0 if scope_is_static(self, scope) => {
                let end = reader.package()?;
                reader.at = end;
                if !reader.done() && reader.peek()? == 0xa1 {
                    reader.byte()?;
                    reader.at = reader.package()?;
                }
                let span = Span {
                    table,
                    at: start.at as u32,
                    end: reader.at as u32,
                };
                if self.late.len() < MOST_LATE {
                    self.late.push((scope, span));
                }
            }
            0xa1 | 0xa2 if scope_is_static(self, scope) => {
                reader.at = reader.package()?;
                self.notes.push(format!(
                    "AML: a loop outside of any method, in {}, is left out",
                    self.path(scope)
                ));
            }
            _ => {
                *reader = start;
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn declare_name(
        &mut self,
        scope: NodeId,
        table: u16,
        reader: &mut Reader<'a>,
    ) -> Result<(), Error> {
        let (parent, name) = self.place(scope, &reader.name()?)?;
        let at = reader.at as u32;
        skip_object(reader)?;
        let span = Span {
            table,
            at,
            end: reader.at as u32,
        };
        self.add(parent, name, Kind::Name(span))?;
        Ok(())
    }

    fn declare_method(
        &mut self,
        scope: NodeId,
        table: u16,
        reader: &mut Reader<'a>,
    ) -> Result<(), Error> {
        let end = reader.package()?;
        let (parent, name) = self.place(scope, &reader.name()?)?;
        let arguments = reader.byte()? & 7;
        let body = Span {
            table,
            at: reader.at as u32,
            end: end as u32,
        };
        self.add(parent, name, Kind::Method { body, arguments })?;
        reader.at = end;
        Ok(())
    }

    fn declare_scope(
        &mut self,
        code: u16,
        scope: NodeId,
        table: u16,
        reader: &mut Reader<'a>,
    ) -> Result<(), Error> {
        let end = reader.package()?;
        let name = reader.name()?;
        let inner = match (code, name.segments.is_empty()) {
            (0x10, true) => ROOT,
            (0x10, false) => match self.find(scope, &name) {
                Ok(id) => id,
                Err(_) => {
                    let (parent, name) = self.place(scope, &name)?;
                    self.add(parent, name, Kind::Scope)?
                }
            },
            _ => {
                let (parent, name) = self.place(scope, &name)?;
                let kind = if code == 0x5b82 {
                    Kind::Device
                } else {
                    Kind::Scope
                };
                self.add(parent, name, kind)?
            }
        };
        // Processor: ID, block address, block length. Power resource: level, order.
        match code {
            0x5b83 => drop(reader.take(6)?),
            0x5b84 => drop(reader.take(3)?),
            _ => {}
        }
        let span = Span {
            table,
            at: reader.at as u32,
            end: end as u32,
        };
        self.scan(inner, span);
        reader.at = end;
        Ok(())
    }

    fn declare_region(
        &mut self,
        scope: NodeId,
        table: u16,
        reader: &mut Reader<'a>,
    ) -> Result<(), Error> {
        let (parent, name) = self.place(scope, &reader.name()?)?;
        let space = reader.byte()?;
        let at = reader.at as u32;
        skip_object(reader)?;
        skip_object(reader)?;
        let terms = Span {
            table,
            at,
            end: reader.at as u32,
        };
        self.add(parent, name, Kind::Region { space, terms })?;
        Ok(())
    }

    fn declare_fields(&mut self, scope: NodeId, reader: &mut Reader<'a>) -> Result<(), Error> {
        let end = reader.package()?;
        let region = reader.name()?;
        let region = self.find(scope, &region)?;
        let mut access = access_bits(reader.byte()?);
        let mut bit = 0u32;
        while reader.at < end {
            match reader.peek()? {
                // Reserved bits.
                0 => {
                    reader.byte()?;
                    bit = bit.saturating_add(reader.length()? as u32);
                }
                // Another access type from here on.
                1 => {
                    reader.byte()?;
                    access = access_bits(reader.byte()?);
                    reader.byte()?;
                }
                // What the next fields are connected to: a name, or a buffer.
                2 => {
                    reader.byte()?;
                    skip_object(reader)?;
                }
                // An access type with attributes, as 1 is.
                3 => {
                    reader.byte()?;
                    access = access_bits(reader.byte()?);
                    reader.take(2)?;
                }
                _ => {
                    let segment = reader.take(4)?;
                    let name = [segment[0], segment[1], segment[2], segment[3]];
                    let bits = reader.length()? as u32;
                    let field = Kind::Field {
                        region,
                        bit,
                        bits,
                        access,
                    };
                    self.add(scope, name, field)?;
                    bit = bit.saturating_add(bits);
                }
            }
        }
        reader.at = end;
        Ok(())
    }
}

fn scope_is_static(aml: &Aml, scope: NodeId) -> bool {
    aml.node(scope)
        .is_ok_and(|node| !matches!(node.kind, Kind::Method { .. }))
}

fn access_bits(flags: u8) -> u32 {
    match flags & 15 {
        2 => 16,
        3 => 32,
        4 => 64,
        _ => 8,
    }
}

/// One or two bytes.
pub fn opcode(reader: &mut Reader) -> Result<u16, Error> {
    match reader.byte()? {
        0x5b => Ok(0x5b00 | reader.byte()? as u16),
        code => Ok(code as u16),
    }
}

/// Steps over a constant, string, buffer, package or name.
fn skip_object(reader: &mut Reader) -> Result<(), Error> {
    if reader.at_name() {
        reader.name()?;
        return Ok(());
    }
    match opcode(reader)? {
        0x00 | 0x01 | 0xff => {}
        0x0a => drop(reader.take(1)?),
        0x0b => drop(reader.take(2)?),
        0x0c => drop(reader.take(4)?),
        0x0e => drop(reader.take(8)?),
        0x0d => drop(reader.text()?),
        0x11..=0x13 => {
            let end = reader.package()?;
            reader.at = end;
        }
        other => return Err(Error::Unknown(other)),
    }
    Ok(())
}
