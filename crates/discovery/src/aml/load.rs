//! Running a table: what it names.

use super::{
    evaluate::{Flow, Frame},
    namespace::{Ground, Kind, NodeId, Span, ROOT},
    reader::Reader,
    regions::World,
    value::Value,
    Aml, Error, STEPS,
};
use alloc::format;

/// Bytes of a table's header before its AML.
const HEADER: usize = 36;
/// Further notes are left out.
const MOST_NOTES: usize = 64;

impl<'a> Aml<'a> {
    /// Takes in a DSDT or SSDT with its header, the DSDT first. What cannot be run is left out, with a note.
    pub fn load(&mut self, world: &mut World, table: &'a [u8]) {
        let index = self.tables.len();
        self.tables.push(table);
        if let (Ok(index), Some(revision)) = (u16::try_from(index), table.get(8)) {
            if index == 0 && *revision < 2 {
                self.width = 32;
            }
            let span = Span {
                table: index,
                at: HEADER as u32,
                end: table.len() as u32,
            };
            self.depth = 0;
            let mut frame = Frame::new(ROOT, index);
            frame.loading = true;
            self.take_in(world, &mut frame, &mut self.reader(span));
        }
    }

    pub(super) fn reader(&self, span: Span) -> Reader<'a> {
        let bytes = self
            .tables
            .get(span.table as usize)
            .copied()
            .unwrap_or_default();
        Reader::new(bytes, span.at as usize, span.end as usize)
    }

    /// Runs a list of terms outside of methods. One that fails is left out; those behind it are not.
    pub(super) fn take_in(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Flow {
        let (outer, depth) = (self.steps, self.depth);
        let mut flow = Flow::Next;
        while !reader.done() && matches!(flow, Flow::Next) {
            let start = *reader;
            let given = STEPS.min(self.left);
            self.steps = given;
            let ended = self.statement(world, frame, reader);
            // What was inside of it is counted already.
            self.left = self.left.saturating_sub(given - self.steps.min(given));
            flow = ended.unwrap_or_else(|why| {
                self.depth = depth;
                *reader = start;
                let skipped = self.skip(frame.scope, reader);
                let (what, flow) = match skipped {
                    Ok(()) if given != 0 => ("is left out", Flow::Next),
                    // Who does not know where a term ends knows none of those behind it.
                    _ => ("and the rest of its scope are left out", Flow::Break),
                };
                if self.notes.len() < MOST_NOTES {
                    self.notes.push(format!(
                        "AML: a term at {:#x} of table {}, in {}, {what}: {}",
                        start.at,
                        frame.table,
                        self.path(frame.scope),
                        why.told()
                    ));
                }
                flow
            });
        }
        self.steps = outer;
        flow
    }

    /// Runs one declaration.
    pub(super) fn declare(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
        code: u16,
    ) -> Result<(), Error> {
        match code {
            0x06 => {
                let to = reader.name()?;
                let to = self.find(frame.scope, &to)?;
                let place = self.place(frame.scope, &reader.name()?)?;
                self.add(place, Kind::Alias(to))?;
            }
            0x08 => {
                let place = self.place(frame.scope, &reader.name()?)?;
                let mut span = self.span(frame, reader);
                if frame.loading {
                    self.skip(frame.scope, reader)?;
                    span.end = reader.at as u32;
                    self.add(place, Kind::Name(span))?;
                } else {
                    let value = self.term(world, frame, reader)?;
                    let value = self.copy(&value, 0)?;
                    let node = self.add(place, Kind::Name(span))?;
                    self.values.insert(node, value);
                }
            }
            0x14 => {
                let end = reader.package()?;
                let place = self.place(frame.scope, &reader.name()?)?;
                let arguments = reader.byte()? & 7;
                let mut body = self.span(frame, reader);
                body.end = end as u32;
                self.add(place, Kind::Method { body, arguments })?;
                reader.at = end;
            }
            0x5b80 => {
                let place = self.place(frame.scope, &reader.name()?)?;
                let space = reader.byte()?;
                let terms = self.span(frame, reader);
                if frame.loading {
                    self.skip(frame.scope, reader)?;
                    self.skip(frame.scope, reader)?;
                    self.add(place, Kind::Region { space, terms })?;
                } else {
                    let offset = self.number_of(world, frame, reader)?;
                    let length = self.number_of(world, frame, reader)?;
                    let node = self.add(place, Kind::Region { space, terms })?;
                    self.places.insert(node, (offset, length));
                }
            }
            0x5b81 | 0x5b86 | 0x5b87 => self.declare_fields(world, frame, reader, code)?,
            0x5b01 | 0x5b02 | 0x5b88 => {
                let place = self.place(frame.scope, &reader.name()?)?;
                match code {
                    0x5b01 => drop(reader.byte()?),
                    0x5b88 => {
                        for _ in 0..3 {
                            self.skip(frame.scope, reader)?;
                        }
                    }
                    _ => {}
                }
                self.add(place, Kind::Other)?;
            }
            0x5b13 | 0x8a..=0x8d | 0x8f => self.buffer_field(world, frame, reader, code)?,
            _ => self.declare_scope(world, frame, reader, code)?,
        }
        Ok(())
    }

    fn span(&self, frame: &Frame, reader: &Reader<'a>) -> Span {
        Span {
            table: frame.table,
            at: reader.at as u32,
            end: reader.end as u32,
        }
    }

    fn declare_scope(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
        code: u16,
    ) -> Result<(), Error> {
        let end = reader.package()?;
        let name = reader.name()?;
        let inner = match (code, name.segments.is_empty()) {
            (0x10, true) if name.up == 0 => ROOT,
            (0x10, _) => self.find(frame.scope, &name)?,
            _ => {
                let kind = match code {
                    0x5b82 => Kind::Device,
                    _ => Kind::Scope,
                };
                let place = self.place(frame.scope, &name)?;
                self.add(place, kind)?
            }
        };
        // Processor: ID, block address, block length. Power resource: level, order.
        match code {
            0x5b83 => drop(reader.take(6)?),
            0x5b84 => drop(reader.take(3)?),
            _ => {}
        }
        let outer = core::mem::replace(&mut frame.scope, inner);
        let behind = core::mem::replace(&mut reader.end, end);
        let ended = self.list(world, frame, reader);
        frame.scope = outer;
        reader.at = end;
        reader.end = behind;
        ended.map(drop)
    }

    fn declare_fields(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
        code: u16,
    ) -> Result<(), Error> {
        let end = reader.package()?;
        let first = reader.name()?;
        let first = self.find(frame.scope, &first)?;
        let ground = if code == 0x5b81 {
            Ground::Region(first)
        } else {
            let second = reader.name()?;
            let second = self.find(frame.scope, &second)?;
            match code {
                0x5b86 => Ground::Index(first, second),
                _ => Ground::Bank(first, second, self.number_of(world, frame, reader)?),
            }
        };
        let number = self.grounds.len() as u32;
        if number as usize >= super::NODES {
            return Err(Error::Budget);
        }
        self.grounds.push(ground);
        let mut flags = reader.byte()?;
        let mut bit = 0u32;
        while reader.at < end {
            match reader.peek()? {
                // Reserved bits.
                0 => {
                    reader.byte()?;
                    bit = bit.saturating_add(reader.length()? as u32);
                }
                // Another access type from here on; 3 with a length.
                kind @ (1 | 3) => {
                    reader.byte()?;
                    flags = flags & 0xf0 | reader.byte()? & 15;
                    reader.take(if kind == 1 { 1 } else { 2 })?;
                }
                // What the next fields are connected to: a name, or a buffer.
                2 => {
                    reader.byte()?;
                    self.skip(frame.scope, reader)?;
                }
                _ => {
                    let segment = reader.take(4)?;
                    let name = [segment[0], segment[1], segment[2], segment[3]];
                    let bits = reader.length()? as u32;
                    let field = Kind::Field {
                        ground: number,
                        bit,
                        bits,
                        flags,
                    };
                    match self.add((frame.scope, name), field) {
                        // The others are none the worse for it.
                        Err(Error::Twice(_)) | Ok(_) => {}
                        Err(why) => return Err(why),
                    }
                    bit = bit.saturating_add(bits);
                }
            }
        }
        reader.at = end;
        Ok(())
    }

    /// `CreateByteField` and its kin (19.6.17 to 19.6.23): a name for bits of a buffer.
    fn buffer_field(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
        code: u16,
    ) -> Result<(), Error> {
        let (unit, mut bits) = match code {
            0x8a => (8, 32),
            0x8b => (8, 16),
            0x8c => (8, 8),
            0x8f => (8, 64),
            _ => (1, 1),
        };
        let buffer = self.object(world, frame, reader)?;
        if !matches!(buffer, Value::Buffer(_)) {
            return Err(Error::Kind);
        }
        let index = self.number_of(world, frame, reader)?;
        if code == 0x5b13 {
            bits = u32::try_from(self.number_of(world, frame, reader)?).unwrap_or(0);
        }
        let bit = u32::try_from(index).ok().and_then(|i| i.checked_mul(unit));
        let bit = bit.filter(|bit| bit.checked_add(bits).is_some());
        let bit = bit.filter(|_| bits != 0).ok_or(Error::Kind)?;
        let place = self.place(frame.scope, &reader.name()?)?;
        let node: NodeId = self.add(
            place,
            Kind::BufferField {
                bit,
                bits,
                bytes: code == 0x5b13,
            },
        )?;
        self.values.insert(node, buffer);
        Ok(())
    }
}
