//! Running terms.

use super::{
    load::opcode,
    namespace::{Kind, NodeId},
    reader::Reader,
    regions::World,
    value::Value,
    Aml, Error, DEPTH, OBJECT, STEPS,
};
use alloc::{rc::Rc, vec::Vec};
use core::cell::RefCell;

/// One call of a method.
pub(super) struct Frame {
    pub scope: NodeId,
    pub table: u16,
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
        let value = match self.node(node)?.kind {
            Kind::Method { .. } => self.call(world, node, arguments),
            _ => self.value(world, node),
        };
        self.left -= given - self.steps.min(given);
        value
    }

    /// Whether a term outside of any method holds.
    pub(super) fn condition(
        &mut self,
        world: &mut World,
        scope: NodeId,
        table: u16,
        reader: &mut Reader<'a>,
    ) -> Result<bool, Error> {
        let given = STEPS.min(self.left);
        self.steps = given;
        self.depth = 0;
        let value = self.constant(world, scope, table, reader);
        self.left -= given - self.steps.min(given);
        Ok(value?.integer()? != 0)
    }

    pub(super) fn call(
        &mut self,
        world: &mut World,
        method: NodeId,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let Kind::Method { body, .. } = self.node(method)?.kind else {
            return Err(Error::Kind);
        };
        self.enter()?;
        let before = self.nodes.len();
        let mut frame = Frame::new(method, body.table);
        for (to, from) in frame.arguments.iter_mut().zip(arguments) {
            *to = from.clone();
        }
        let mut reader = self.reader(body);
        let flow = self.list(world, &mut frame, &mut reader);
        self.forget(method, before);
        self.depth -= 1;
        match flow? {
            Flow::Return(value) => Ok(value),
            _ => Ok(Value::Integer(0)),
        }
    }

    /// One level deeper, one step further.
    fn enter(&mut self) -> Result<(), Error> {
        self.steps = self.steps.checked_sub(1).ok_or(Error::Budget)?;
        self.depth += 1;
        match self.depth > DEPTH {
            true => Err(Error::Budget),
            false => Ok(()),
        }
    }

    /// What a node stands for.
    pub(super) fn value(&mut self, world: &mut World, node: NodeId) -> Result<Value, Error> {
        if let Some(value) = self.values.get(&node) {
            return Ok(value.clone());
        }
        match self.node(node)?.kind {
            Kind::Name(span) => {
                let scope = self.node(node)?.parent;
                let value = self.constant(world, scope, span.table, &mut self.reader(span))?;
                self.values.insert(node, value.clone());
                Ok(value)
            }
            Kind::Field {
                region,
                bit,
                bits,
                access,
            } => Ok(Value::Integer(self.read_field(
                world,
                region,
                (bit, bits, access),
            )?)),
            Kind::BufferField { buffer, bit, bits } => {
                Ok(Value::Integer(self.read_buffer(world, buffer, bit, bits)?))
            }
            Kind::Alias(to) => Ok(Value::Node(to)),
            _ => Ok(Value::Node(node)),
        }
    }

    /// A term outside of any method.
    pub(super) fn constant(
        &mut self,
        world: &mut World,
        scope: NodeId,
        table: u16,
        reader: &mut Reader<'a>,
    ) -> Result<Value, Error> {
        self.term(world, &mut Frame::new(scope, table), reader)
    }

    pub(super) fn list(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Flow, Error> {
        while !reader.done() {
            match self.statement(world, frame, reader)? {
                Flow::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    fn statement(
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
        let end = reader.end;
        match reader.peek()? {
            0xa0 => return self.conditional(world, frame, reader),
            0xa2 => return self.repeat(world, frame, reader),
            0xa4 => {
                reader.byte()?;
                return Ok(Flow::Return(self.term(world, frame, reader)?));
            }
            0xa5 => return Ok(Flow::Break),
            0x9f => return Ok(Flow::Continue),
            0xa3 => drop(reader.byte()?),
            0x8a..=0x8d | 0x8f => self.buffer_field(world, frame, reader)?,
            _ if reader.at_name() => drop(self.term(world, frame, reader)?),
            _ => {
                if !self.declare(frame.scope, frame.table, reader)? {
                    self.term(world, frame, reader)?;
                }
            }
        }
        reader.end = end;
        Ok(Flow::Next)
    }

    fn conditional(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Flow, Error> {
        reader.byte()?;
        let end = reader.package()?;
        let outer = reader.end;
        reader.end = end;
        let yes = self.term(world, frame, reader)?.integer()? != 0;
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
        reader.byte()?;
        let end = reader.package()?;
        let (outer, start) = (reader.end, reader.at);
        reader.end = end;
        loop {
            self.steps = self.steps.checked_sub(1).ok_or(Error::Budget)?;
            reader.at = start;
            if self.term(world, frame, reader)?.integer()? == 0 {
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

    /// `CreateByteField` and its kin (19.6.17): a name for bits of a buffer that another name holds.
    fn buffer_field(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<(), Error> {
        let (unit, bits) = match reader.byte()? {
            0x8a => (8, 32),
            0x8b => (8, 16),
            0x8c => (8, 8),
            0x8d => (1, 1),
            _ => (8, 64),
        };
        if !reader.at_name() {
            return Err(Error::Unknown(0x8a));
        }
        let buffer = reader.name()?;
        let buffer = self.find(frame.scope, &buffer)?;
        // Its value is needed before it can be changed.
        self.value(world, buffer)?;
        let index = self.term(world, frame, reader)?.integer()?;
        let bit = u32::try_from(index)
            .ok()
            .and_then(|i| i.checked_mul(unit))
            .ok_or(Error::Kind)?;
        let (parent, name) = self.place(frame.scope, &reader.name()?)?;
        self.add(parent, name, Kind::BufferField { buffer, bit, bits })?;
        Ok(())
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
                let code = opcode(reader)?;
                self.operation(world, frame, reader, code)
            }
        };
        self.depth -= 1;
        value
    }

    fn named(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Value, Error> {
        let name = reader.name()?;
        let node = match self.find(frame.scope, &name) {
            Err(Error::NoName(missing)) if &missing == b"_OSI" => {
                return self.interface(world, frame, reader);
            }
            found => found?,
        };
        let Kind::Method { arguments, .. } = self.node(node)?.kind else {
            return self.value(world, node);
        };
        let mut given = Vec::new();
        for _ in 0..arguments {
            given.push(self.term(world, frame, reader)?);
        }
        self.call(world, node, &given)
    }

    /// `_OSI` (5.7.2): as every system does, it says yes to the names of others, because firmware shows all of its devices
    /// only then.
    fn interface(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Value, Error> {
        let asked = self.term(world, frame, reader)?;
        let known = asked.bytes()?.starts_with(b"Windows");
        Ok(Value::Integer(if known { u64::MAX } else { 0 }))
    }

    /// A buffer: its length, then the bytes that are given.
    pub(super) fn buffer(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Value, Error> {
        let end = reader.package()?;
        let length = self.term(world, frame, reader)?.integer()? as usize;
        if length > OBJECT {
            return Err(Error::Budget);
        }
        let given = reader.take(end.checked_sub(reader.at).ok_or(Error::Truncated)?)?;
        let mut bytes = Vec::from(&given[..given.len().min(length)]);
        bytes.resize(length, 0);
        Ok(Value::Buffer(bytes))
    }

    /// A package: names in it stay names.
    pub(super) fn elements(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
        variable: bool,
    ) -> Result<Value, Error> {
        let end = reader.package()?;
        let outer = reader.end;
        let count = match variable {
            false => reader.byte()? as usize,
            true => self.term(world, frame, reader)?.integer()? as usize,
        };
        if count > OBJECT / 16 {
            return Err(Error::Budget);
        }
        self.steps = self
            .steps
            .checked_sub(count as u32 / 8)
            .ok_or(Error::Budget)?;
        reader.end = end;
        let mut list = Vec::with_capacity(count);
        while !reader.done() && list.len() < count {
            let value = match reader.at_name() {
                true => {
                    let name = reader.name()?;
                    match self.find(frame.scope, &name) {
                        Ok(node) => Value::Node(node),
                        Err(_) => Value::None,
                    }
                }
                false => self.term(world, frame, reader)?,
            };
            list.push(value);
        }
        list.resize(count, Value::None);
        reader.at = end;
        reader.end = outer;
        Ok(Value::Package(Rc::new(RefCell::new(list))))
    }
}
