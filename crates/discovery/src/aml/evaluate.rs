//! Running terms.

use super::{
    namespace::{Kind, NodeId, OSI},
    reader::Reader,
    regions::World,
    shape::opcode,
    value::{shared, Value},
    Aml, Error, DEPTH, OBJECT, STEPS,
};
use alloc::vec::Vec;

/// One call of a method, or a table that is taken in.
pub(super) struct Frame {
    pub scope: NodeId,
    pub table: u16,
    /// Outside of any method: what fails is left out, and objects are made when they are asked for.
    pub loading: bool,
    pub locals: [Value; 8],
    pub arguments: [Value; 7],
}

/// How a list of terms ended.
pub(super) enum Flow {
    Next,
    Break,
    Continue,
    Return(Value),
}

const NONE: Value = Value::None;

impl Frame {
    pub fn new(scope: NodeId, table: u16) -> Frame {
        Frame {
            scope,
            table,
            loading: false,
            locals: [NONE; 8],
            arguments: [NONE; 7],
        }
    }
}

impl<'a> Aml<'a> {
    /// Evaluates a name or calls a method.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn evaluate(
        &mut self,
        world: &mut World,
        node: NodeId,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let given = STEPS.min(self.left);
        self.steps = given;
        self.depth = 0;
        let value = self.answer(world, node, arguments);
        self.left -= given - self.steps.min(given);
        value
    }

    /// The elements of a package, each the object that it stands for.
    ///
    /// # Errors
    /// When it is no package.
    pub fn elements(&mut self, world: &mut World, package: &Value) -> Result<Vec<Value>, Error> {
        let Value::Package(list) = package else {
            return Err(Error::Kind);
        };
        let list = list.try_borrow().map_err(|_| Error::Kind)?.clone();
        let object = |value| self.behind_reference(world, value).unwrap_or(Value::None);
        Ok(list.into_iter().map(object).collect())
    }

    /// What a name or a method gives, as a part of an evaluation.
    pub(super) fn answer(
        &mut self,
        world: &mut World,
        node: NodeId,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        match self.node(node)?.kind {
            Kind::Method { .. } => self.call(world, node, arguments),
            _ => self.value(world, node),
        }
    }

    fn call(
        &mut self,
        world: &mut World,
        method: NodeId,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let Kind::Method { body, .. } = self.node(method)?.kind else {
            return Err(Error::Kind);
        };
        self.enter()?;
        let (nodes, grounds) = (self.nodes.len(), self.grounds.len());
        let mut frame = Frame::new(method, body.table);
        for (to, from) in frame.arguments.iter_mut().zip(arguments) {
            *to = from.clone();
        }
        let mut reader = self.reader(body);
        let flow = self.list(world, &mut frame, &mut reader);
        self.forget(nodes);
        self.grounds.truncate(grounds);
        self.depth -= 1;
        match flow? {
            Flow::Return(value) => Ok(value),
            _ => Ok(Value::None),
        }
    }

    /// One level deeper, one step further.
    fn enter(&mut self) -> Result<(), Error> {
        self.steps = self.steps.checked_sub(1).ok_or(Error::Budget)?;
        match self.depth >= DEPTH {
            true => Err(Error::Budget),
            false => {
                self.depth += 1;
                Ok(())
            }
        }
    }

    /// Further steps, for what takes long.
    pub(super) fn charge(&mut self, steps: usize) -> Result<(), Error> {
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        self.steps = self.steps.checked_sub(steps).ok_or(Error::Budget)?;
        Ok(())
    }

    /// What a node stands for.
    pub(super) fn value(&mut self, world: &mut World, node: NodeId) -> Result<Value, Error> {
        match self.node(node)?.kind {
            Kind::Name(span) => {
                if let Some(value) = self.values.get(&node) {
                    return Ok(value.clone());
                }
                let mut frame = Frame::new(self.node(node)?.parent, span.table);
                let value = self.term(world, &mut frame, &mut self.reader(span))?;
                self.values.insert(node, value.clone());
                Ok(value)
            }
            Kind::Field {
                ground,
                bit,
                bits,
                flags,
            } => self.read_field(world, ground, (bit, bits, flags)),
            Kind::BufferField {
                bit,
                bits,
                bytes: always,
            } => {
                let bytes = self.values.get(&node).ok_or(Error::Kind)?.bytes()?;
                self.charge(bits as usize / 64)?;
                let value = self.cut_out(&bytes, bit as usize, bits as usize)?;
                Ok(match value {
                    Value::Integer(_) if always => Value::buffer({
                        let mut part = self.as_bytes(&value)?;
                        part.truncate(bits.div_ceil(8) as usize);
                        part
                    }),
                    other => other,
                })
            }
            Kind::Alias(to) => Ok(Value::Node(to)),
            _ => Ok(Value::Node(node)),
        }
    }

    pub(super) fn list(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Flow, Error> {
        if frame.loading {
            return Ok(self.take_in(world, frame, reader));
        }
        while !reader.done() {
            match self.statement(world, frame, reader)? {
                Flow::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    pub(super) fn statement(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Flow, Error> {
        self.enter()?;
        let flow = self.statement_inner(world, frame, reader);
        self.depth -= 1;
        flow
    }

    fn statement_inner(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Flow, Error> {
        if reader.at_name() {
            self.term(world, frame, reader)?;
            return Ok(Flow::Next);
        }
        let start = *reader;
        match opcode(reader)? {
            0xa0 => return self.conditional(world, frame, reader),
            0xa2 => return self.repeat(world, frame, reader),
            0xa4 => return Ok(Flow::Return(self.term(world, frame, reader)?)),
            0xa5 => return Ok(Flow::Break),
            0x9f => return Ok(Flow::Continue),
            0xa3 | 0xcc => {}
            // One that stands alone: what it belonged to was left out.
            0xa1 => reader.at = reader.package()?,
            0x15 => {
                reader.name()?;
                reader.take(2)?;
            }
            code @ (0x06 | 0x08 | 0x10 | 0x14 | 0x8a..=0x8d | 0x8f) => {
                self.declare(world, frame, reader, code)?;
            }
            code @ (0x5b01 | 0x5b02 | 0x5b13 | 0x5b80..=0x5b88) => {
                self.declare(world, frame, reader, code)?;
            }
            _ => {
                *reader = start;
                self.term(world, frame, reader)?;
            }
        }
        Ok(Flow::Next)
    }

    fn conditional(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Flow, Error> {
        let end = reader.package()?;
        let outer = core::mem::replace(&mut reader.end, end);
        let yes = self.number_of(world, frame, reader)? != 0;
        let mut flow = Flow::Next;
        if yes {
            flow = self.list(world, frame, reader)?;
        }
        reader.at = end;
        reader.end = outer;
        if !reader.done() && reader.peek()? == 0xa1 {
            reader.byte()?;
            let end = reader.package()?;
            if !yes {
                reader.end = end;
                flow = self.list(world, frame, reader)?;
            }
            reader.at = end;
            reader.end = outer;
        }
        Ok(flow)
    }

    fn repeat(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Flow, Error> {
        let end = reader.package()?;
        let start = reader.at;
        let outer = core::mem::replace(&mut reader.end, end);
        loop {
            self.charge(1)?;
            reader.at = start;
            if self.number_of(world, frame, reader)? == 0 {
                break;
            }
            match self.list(world, frame, reader)? {
                Flow::Next | Flow::Continue => {}
                Flow::Break => break,
                other => return Ok(other),
            }
        }
        reader.at = end;
        reader.end = outer;
        Ok(Flow::Next)
    }

    /// A term that gives a value.
    pub(super) fn term(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Value, Error> {
        self.enter()?;
        let value = match reader.at_name() {
            true => self.named(world, frame, reader),
            false => {
                let code = opcode(reader);
                code.and_then(|code| self.operation(world, frame, reader, code))
            }
        };
        self.depth -= 1;
        value
    }

    /// A term that gives an object: what a reference refers to.
    pub(super) fn object(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Value, Error> {
        let value = self.term(world, frame, reader)?;
        self.behind_reference(world, value)
    }

    /// A term that gives a number.
    pub(super) fn number_of(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<u64, Error> {
        let value = self.object(world, frame, reader)?;
        value.integer().map(|number| self.cut(number))
    }

    /// The bits that an integer has.
    pub(super) fn cut(&self, number: u64) -> u64 {
        number & u64::MAX >> (64 - self.width)
    }

    fn named(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Value, Error> {
        let name = reader.name()?;
        let node = self.find(frame.scope, &name)?;
        let count = self.arguments(node) as usize;
        let mut given = [NONE; 7];
        for value in given.iter_mut().take(count) {
            *value = self.term(world, frame, reader)?;
        }
        let found = self.node(node)?;
        match found.kind {
            // As every system does, this says yes to the names of others, because firmware shows all of its devices only then.
            Kind::Other if found.name == OSI => {
                let known = given[0].bytes()?.starts_with(b"Windows");
                Ok(Value::Integer(self.cut(if known { u64::MAX } else { 0 })))
            }
            _ => self.answer(world, node, &given[..count]),
        }
    }

    /// A buffer: its length, then the bytes that are given.
    pub(super) fn new_buffer(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Value, Error> {
        let end = reader.package()?;
        let length = self.number_of(world, frame, reader)? as usize;
        let given = reader.take(end.checked_sub(reader.at).ok_or(Error::Truncated)?)?;
        if length > OBJECT {
            return Err(Error::Budget);
        }
        let length = length.max(given.len());
        self.charge(length / 64)?;
        let mut bytes = Vec::from(given);
        bytes.resize(length, 0);
        Ok(Value::buffer(bytes))
    }

    /// A package: names in it stay names.
    pub(super) fn new_package(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
        variable: bool,
    ) -> Result<Value, Error> {
        let end = reader.package()?;
        let count = match variable {
            false => reader.byte()? as usize,
            true => self.number_of(world, frame, reader)? as usize,
        };
        if count > OBJECT / 16 {
            return Err(Error::Budget);
        }
        self.charge(count / 8)?;
        let outer = core::mem::replace(&mut reader.end, end);
        let mut list = Vec::with_capacity(count);
        while !reader.done() && list.len() < count {
            let value = match reader.at_name() {
                true => {
                    let name = reader.name()?;
                    let found = self.find(frame.scope, &name);
                    found.map_or(Value::None, Value::Node)
                }
                false => self.term(world, frame, reader)?,
            };
            list.push(value);
        }
        list.resize(count, Value::None);
        reader.at = end;
        reader.end = outer;
        Ok(Value::Package(shared(list)))
    }
}
