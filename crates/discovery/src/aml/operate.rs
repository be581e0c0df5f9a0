//! Operators (ACPI 6.5, 20.2.5.4).

use super::{
    evaluate::Frame,
    namespace::{Kind, NodeId},
    reader::Reader,
    regions::World,
    value::Value,
    Aml, Error,
};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

/// Where a result goes.
enum Target {
    Nowhere,
    Local(usize),
    Argument(usize),
    Node(NodeId),
    Element(Rc<RefCell<Vec<Value>>>, usize),
}

impl<'a> Aml<'a> {
    pub(super) fn operation(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
        code: u16,
    ) -> Result<Value, Error> {
        match code {
            0x00 => Ok(Value::Integer(0)),
            0x01 => Ok(Value::Integer(1)),
            0xff => Ok(Value::Integer(u64::MAX)),
            0x0a => Ok(Value::Integer(reader.number(1)?)),
            0x0b => Ok(Value::Integer(reader.number(2)?)),
            0x0c => Ok(Value::Integer(reader.number(4)?)),
            0x0e => Ok(Value::Integer(reader.number(8)?)),
            0x0d => Ok(Value::Text(Vec::from(reader.text()?))),
            0x11 => self.buffer(world, frame, reader),
            0x12 => self.elements(world, frame, reader, false),
            0x13 => self.elements(world, frame, reader, true),
            0x60..=0x67 => Ok(frame.locals[code as usize - 0x60].clone()),
            0x68..=0x6e => Ok(frame.arguments[code as usize - 0x68].clone()),
            0x70 | 0x9d => {
                let value = self.term(world, frame, reader)?;
                let to = self.target(world, frame, reader)?;
                self.store(frame, to, value.clone())?;
                Ok(value)
            }
            0x75 | 0x76 => {
                let to = self.target(world, frame, reader)?;
                let old = self.load_target(world, frame, &to)?.integer()?;
                let new = if code == 0x75 {
                    old.wrapping_add(1)
                } else {
                    old.wrapping_sub(1)
                };
                self.store(frame, to, Value::Integer(new))?;
                Ok(Value::Integer(new))
            }
            0x72 | 0x74 | 0x77 | 0x79..=0x7f | 0x85 => self.arithmetic(world, frame, reader, code),
            0x78 => self.divide(world, frame, reader),
            0x80..=0x82 => self.unary(world, frame, reader, code),
            0x83 => self.dereference(world, frame, reader),
            0x86 => {
                // Notify: nobody listens.
                self.term(world, frame, reader)?;
                self.term(world, frame, reader)
            }
            0x87 => self.size(world, frame, reader),
            0x88 => self.index(world, frame, reader),
            0x90 | 0x91 | 0x93..=0x95 => self.compare(world, frame, reader, code),
            0x92 => {
                let value = self.term(world, frame, reader)?.integer()?;
                Ok(truth(value == 0))
            }
            0x99 => {
                let value = self.term(world, frame, reader)?.integer()?;
                let to = self.target(world, frame, reader)?;
                self.store(frame, to, Value::Integer(value))?;
                Ok(Value::Integer(value))
            }
            // Acquire: there is no one else.
            0x5b23 => {
                self.term(world, frame, reader)?;
                reader.number(2)?;
                Ok(Value::Integer(0))
            }
            // Release, Reset, Signal: the same.
            0x5b24 | 0x5b26 | 0x5b27 => self.term(world, frame, reader),
            // Stall and Sleep: nothing here has to settle, since nothing is written.
            0x5b21 | 0x5b22 => self.term(world, frame, reader),
            // Wait: the event never comes.
            0x5b25 => {
                self.term(world, frame, reader)?;
                self.term(world, frame, reader)?;
                Ok(Value::Integer(u64::MAX))
            }
            // RefOf, CondRefOf.
            0x71 => match self.target(world, frame, reader)? {
                Target::Node(node) => Ok(Value::Node(node)),
                Target::Element(list, at) => Ok(Value::Element(list, at)),
                _ => Err(Error::Kind),
            },
            0x5b12 => self.maybe(world, frame, reader),
            0x73 => self.join(world, frame, reader),
            0x8e => self.kind_of(world, frame, reader),
            0x96 => {
                let value = match self.term(world, frame, reader)? {
                    Value::Integer(n) => Value::Buffer(Vec::from(n.to_le_bytes())),
                    other => Value::Buffer(Vec::from(other.bytes()?)),
                };
                let to = self.target(world, frame, reader)?;
                self.store(frame, to, value.clone())?;
                Ok(value)
            }
            0x5b30 => Ok(Value::Integer(2)),
            0x5b31 => Ok(Value::None),
            // Timer: it stands still.
            0x5b33 => Ok(Value::Integer(0)),
            other => Err(Error::Unknown(other)),
        }
    }

    fn arithmetic(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
        code: u16,
    ) -> Result<Value, Error> {
        let a = self.term(world, frame, reader)?.integer()?;
        let b = self.term(world, frame, reader)?.integer()?;
        let shift = u32::try_from(b).unwrap_or(u32::MAX);
        let value = match code {
            0x72 => a.wrapping_add(b),
            0x74 => a.wrapping_sub(b),
            0x77 => a.wrapping_mul(b),
            0x79 => a.checked_shl(shift).unwrap_or(0),
            0x7a => a.checked_shr(shift).unwrap_or(0),
            0x7b => a & b,
            0x7c => !(a & b),
            0x7d => a | b,
            0x7e => !(a | b),
            0x7f => a ^ b,
            _ => a.checked_rem(b).ok_or(Error::Kind)?,
        };
        let to = self.target(world, frame, reader)?;
        self.store(frame, to, Value::Integer(value))?;
        Ok(Value::Integer(value))
    }

    fn divide(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Value, Error> {
        let a = self.term(world, frame, reader)?.integer()?;
        let b = self.term(world, frame, reader)?.integer()?;
        let quotient = a.checked_div(b).ok_or(Error::Kind)?;
        let rest = self.target(world, frame, reader)?;
        self.store(frame, rest, Value::Integer(a % b))?;
        let to = self.target(world, frame, reader)?;
        self.store(frame, to, Value::Integer(quotient))?;
        Ok(Value::Integer(quotient))
    }

    fn unary(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
        code: u16,
    ) -> Result<Value, Error> {
        let a = self.term(world, frame, reader)?.integer()?;
        let value = match (code, a) {
            (0x80, _) => !a,
            (_, 0) => 0,
            (0x81, _) => 64 - a.leading_zeros() as u64,
            _ => a.trailing_zeros() as u64 + 1,
        };
        let to = self.target(world, frame, reader)?;
        self.store(frame, to, Value::Integer(value))?;
        Ok(Value::Integer(value))
    }

    fn compare(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
        code: u16,
    ) -> Result<Value, Error> {
        let a = self.term(world, frame, reader)?;
        let b = self.term(world, frame, reader)?;
        if let (Ok(x), Ok(y), true) = (a.bytes(), b.bytes(), code >= 0x93) {
            return Ok(truth(match code {
                0x93 => x == y,
                0x94 => x > y,
                _ => x < y,
            }));
        }
        let (a, b) = (a.integer()?, b.integer()?);
        Ok(truth(match code {
            0x90 => a != 0 && b != 0,
            0x91 => a != 0 || b != 0,
            0x93 => a == b,
            0x94 => a > b,
            _ => a < b,
        }))
    }

    fn size(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Value, Error> {
        let value = self.term(world, frame, reader)?;
        let size = match &value {
            Value::Package(list) => list.try_borrow().map_err(|_| Error::Kind)?.len(),
            other => other.bytes()?.len(),
        };
        Ok(Value::Integer(size as u64))
    }

    fn index(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Value, Error> {
        let of = self.term(world, frame, reader)?;
        let at = self.term(world, frame, reader)?.integer()? as usize;
        let value = match of {
            Value::Package(list) if at < list.try_borrow().map_err(|_| Error::Kind)?.len() => {
                Value::Element(list, at)
            }
            Value::Buffer(bytes) | Value::Text(bytes) => {
                Value::Integer(*bytes.get(at).ok_or(Error::Kind)? as u64)
            }
            _ => return Err(Error::Kind),
        };
        let to = self.target(world, frame, reader)?;
        self.store(frame, to, value.clone())?;
        Ok(value)
    }

    fn dereference(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Value, Error> {
        match self.term(world, frame, reader)? {
            Value::Element(list, at) => {
                let list = list.try_borrow().map_err(|_| Error::Kind)?;
                list.get(at).cloned().ok_or(Error::Kind)
            }
            Value::Node(node) => self.value(world, node),
            other => Ok(other),
        }
    }

    /// `CondRefOf` (19.6.14): whether there is such a name, and a reference to it.
    fn maybe(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Value, Error> {
        let found = match reader.at_name() {
            true => {
                let name = reader.name()?;
                match self.find(frame.scope, &name) {
                    Ok(node) => Some(node),
                    Err(Error::NoName(_)) => None,
                    Err(why) => return Err(why),
                }
            }
            false => match self.target(world, frame, reader)? {
                Target::Node(node) => Some(node),
                _ => None,
            },
        };
        let to = self.target(world, frame, reader)?;
        if let Some(node) = found {
            self.store(frame, to, Value::Node(node))?;
        }
        Ok(truth(found.is_some()))
    }

    /// `Concatenate` (19.6.12), of buffers and texts.
    fn join(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Value, Error> {
        let a = self.term(world, frame, reader)?;
        let b = self.term(world, frame, reader)?;
        let bytes = |value: &Value| match value {
            Value::Integer(n) => Ok(Vec::from(n.to_le_bytes())),
            other => other.bytes().map(Vec::from),
        };
        let mut whole = bytes(&a)?;
        whole.extend(bytes(&b)?);
        if whole.len() > super::OBJECT {
            return Err(Error::Budget);
        }
        self.steps = (self.steps)
            .checked_sub(whole.len() as u32 / 16)
            .ok_or(Error::Budget)?;
        let value = match a {
            Value::Text(_) => Value::Text(whole),
            _ => Value::Buffer(whole),
        };
        let to = self.target(world, frame, reader)?;
        self.store(frame, to, value.clone())?;
        Ok(value)
    }

    /// `ObjectType` (19.6.98).
    fn kind_of(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Value, Error> {
        let target = self.target(world, frame, reader)?;
        if let Target::Node(node) = target {
            let kind = match self.node(node)?.kind {
                Kind::Device => 6,
                Kind::Method { .. } => 8,
                Kind::Region { .. } => 10,
                Kind::Field { .. } => 5,
                Kind::BufferField { .. } => 14,
                _ => 0,
            };
            if kind != 0 {
                return Ok(Value::Integer(kind));
            }
        }
        Ok(Value::Integer(
            match self.load_target(world, frame, &target)? {
                Value::Integer(_) => 1,
                Value::Text(_) => 2,
                Value::Buffer(_) => 3,
                Value::Package(_) => 4,
                _ => 0,
            },
        ))
    }

    fn target(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Target, Error> {
        if reader.at_name() {
            let name = reader.name()?;
            return Ok(Target::Node(self.find(frame.scope, &name)?));
        }
        match reader.peek()? {
            0 => {
                reader.byte()?;
                Ok(Target::Nowhere)
            }
            code @ 0x60..=0x67 => {
                reader.byte()?;
                Ok(Target::Local(code as usize - 0x60))
            }
            code @ 0x68..=0x6e => {
                reader.byte()?;
                Ok(Target::Argument(code as usize - 0x68))
            }
            _ => match self.term(world, frame, reader)? {
                Value::Element(list, at) => Ok(Target::Element(list, at)),
                Value::Node(node) => Ok(Target::Node(node)),
                Value::None => Ok(Target::Nowhere),
                _ => Err(Error::Kind),
            },
        }
    }

    fn load_target(
        &mut self,
        world: &mut World,
        frame: &Frame,
        target: &Target,
    ) -> Result<Value, Error> {
        match target {
            Target::Nowhere => Err(Error::Kind),
            Target::Local(n) => Ok(frame.locals[*n].clone()),
            Target::Argument(n) => Ok(frame.arguments[*n].clone()),
            Target::Node(node) => self.value(world, *node),
            Target::Element(list, at) => {
                let list = list.try_borrow().map_err(|_| Error::Kind)?;
                list.get(*at).cloned().ok_or(Error::Kind)
            }
        }
    }

    fn store(&mut self, frame: &mut Frame, target: Target, value: Value) -> Result<(), Error> {
        let value = self.copy(&value, 0)?;
        match target {
            Target::Nowhere => Ok(()),
            Target::Local(n) => {
                frame.locals[n] = value;
                Ok(())
            }
            Target::Argument(n) => {
                frame.arguments[n] = value;
                Ok(())
            }
            Target::Element(list, at) => {
                let mut list = list.try_borrow_mut().map_err(|_| Error::Kind)?;
                *list.get_mut(at).ok_or(Error::Kind)? = value;
                Ok(())
            }
            Target::Node(node) => match self.node(node)?.kind {
                Kind::Name(_) => {
                    self.values.insert(node, value);
                    Ok(())
                }
                Kind::BufferField { buffer, bit, bits } => {
                    self.write_buffer(buffer, bit, bits, value.integer()?)
                }
                _ => Err(Error::Write),
            },
        }
    }

    /// A copy that shares nothing, so that no package can come to contain itself.
    fn copy(&mut self, value: &Value, depth: u32) -> Result<Value, Error> {
        match value {
            Value::Package(list) if depth < 8 => {
                let list = list.try_borrow().map_err(|_| Error::Kind)?;
                self.steps = self
                    .steps
                    .checked_sub(list.len() as u32)
                    .ok_or(Error::Budget)?;
                let mut copy = Vec::with_capacity(list.len());
                for element in list.iter() {
                    copy.push(self.copy(element, depth + 1)?);
                }
                Ok(Value::Package(Rc::new(RefCell::new(copy))))
            }
            Value::Package(_) => Err(Error::Budget),
            other => Ok(other.clone()),
        }
    }
}

fn truth(yes: bool) -> Value {
    Value::Integer(if yes { u64::MAX } else { 0 })
}
