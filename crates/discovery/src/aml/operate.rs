//! Operators (ACPI 6.5, 20.2.5.4).

use super::{
    evaluate::Frame,
    namespace::{Kind, NodeId},
    reader::Reader,
    regions::World,
    shape::shape,
    text::{put_bits, Style},
    value::{shared, Shared, Value},
    Aml, Error,
};
use alloc::vec::Vec;

/// Where a result goes.
pub(super) enum Target {
    Nowhere,
    Local(usize),
    Argument(usize),
    Node(NodeId),
    Element(Shared<Value>, usize),
    Byte(Shared<u8>, usize),
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
            0x60..=0x67 => return Ok(frame.locals[code as usize - 0x60].clone()),
            0x68..=0x6e => return Ok(frame.arguments[code as usize - 0x68].clone()),
            0x0d => return Ok(Value::text(Vec::from(reader.text()?))),
            0x11 => return self.new_buffer(world, frame, reader),
            0x12 | 0x13 => return self.new_package(world, frame, reader, code == 0x13),
            0x5b12 => return self.maybe(world, frame, reader),
            _ => {}
        }
        let (mut numbers, mut counted) = ([0u64; 5], 0);
        let mut values = [const { Value::None }; 2];
        let mut objects = 0;
        let mut places = [const { Target::Nowhere }; 2];
        let mut placed = 0;
        let shape = shape(code)?;
        for next in shape {
            let number = match next {
                b'1'..=b'8' => reader.number((next - b'0') as usize)?,
                b'i' => self.number_of(world, frame, reader)?,
                b'o' | b'v' => {
                    let mut value = self.term(world, frame, reader)?;
                    if *next == b'o' {
                        value = self.behind_reference(world, value)?;
                    }
                    // Only operators that are not run have more.
                    *values.get_mut(objects).ok_or(Error::Unknown(code))? = value;
                    objects += 1;
                    continue;
                }
                b'r' => {
                    places[placed] = self.target(world, frame, reader)?;
                    placed += 1;
                    continue;
                }
                b'>' => break,
                _ => return Err(Error::Unknown(code)),
            };
            *numbers.get_mut(counted).ok_or(Error::Unknown(code))? = number;
            counted += 1;
        }
        let [a, b, ..] = numbers;
        let [first, second] = &values;
        let value = match code {
            // 0x0a to 0x0e are constants.
            0x00 | 0x5b23 => Value::Integer(0),
            0x01 => Value::Integer(1),
            0xff => Value::Integer(u64::MAX),
            0x0a..=0x0e => Value::Integer(a),
            0x70 | 0x83 | 0x9d => first.clone(),
            0x71 => match core::mem::replace(&mut places[0], Target::Nowhere) {
                Target::Node(node) => Value::Node(node),
                Target::Element(list, at) => Value::Element(list, at),
                Target::Byte(bytes, at) => Value::Byte(bytes, at),
                // Of what it holds now: a store through it goes nowhere.
                other => Value::Element(shared(Vec::from([self.held(world, frame, &other)?])), 0),
            },
            0x73 => self.join(first, second)?,
            0x75 | 0x76 | 0x78 => return self.change(world, frame, code, places, (a, b)),
            0x72..=0x85 if !matches!(code, 0x80..=0x84) => Value::Integer(arithmetic(code, a, b)?),
            0x80 => Value::Integer(!a),
            0x81 => Value::Integer(64 - a.leading_zeros() as u64),
            0x82 => Value::Integer(if a == 0 {
                0
            } else {
                a.trailing_zeros() as u64 + 1
            }),
            0x84 => self.join_templates(first, second)?,
            0x87 => Value::Integer(match first {
                Value::Package(list) => list.try_borrow().map_err(|_| Error::Kind)?.len() as u64,
                other => other.bytes()?.len() as u64,
            }),
            0x88 => index(first, a)?,
            0x89 => self.find_match(world, first, numbers)?,
            0x8e => self.kind_of(world, frame, &places[0])?,
            0x90 => truth(a != 0 && b != 0),
            0x91 => truth(a != 0 || b != 0),
            0x92 => truth(a == 0),
            0x93..=0x95 => {
                let order = self.compare(first, second)?;
                truth(match code {
                    0x93 => order.is_eq(),
                    0x94 => order.is_gt(),
                    _ => order.is_lt(),
                })
            }
            0x96 => {
                let mut bytes = self.as_bytes(first)?;
                bytes.extend(matches!(first, Value::Text(_)).then_some(0));
                Value::buffer(bytes)
            }
            0x97 => Value::text(self.as_text(first, Style::Decimal)?),
            0x98 => Value::text(self.as_text(first, Style::Hexadecimal)?),
            0x99 => Value::Integer(self.as_integer(first)?),
            0x9c => {
                let mut bytes = self.part(first, 0, a)?.bytes()?;
                bytes.truncate(bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len()));
                Value::text(bytes)
            }
            0x9e => self.part(first, a, b)?,
            // FromBCD, ToBCD.
            0x5b28 => Value::Integer(decimal(a, 16, 10)),
            0x5b29 => Value::Integer(decimal(a, 10, 16)),
            0x5b30 => Value::Integer(2),
            // 100 ns each: it goes on with what is run, so that who waits does not wait for ever.
            0x5b33 => Value::Integer(u64::from(super::STEPS - self.steps.min(super::STEPS)) * 1000),
            // Wait: the event never comes.
            0x5b25 => truth(true),
            // Notify: nobody listens. Acquire, Release, Reset, Signal: there is no one else. Stall and Sleep: nothing here
            // has to settle, since nothing is written. Debug: nobody reads it.
            0x86 | 0x5b21 | 0x5b22 | 0x5b24 | 0x5b26 | 0x5b27 | 0x5b31 => Value::None,
            other => return Err(Error::Unknown(other)),
        };
        let value = match value {
            Value::Integer(number) => Value::Integer(self.cut(number)),
            other => other,
        };
        if code == 0x83 {
            return self.dereferenced(world, value);
        }
        if shape.ends_with(b">") {
            let to = self.target(world, frame, reader)?;
            self.store(world, frame, &to, &value, code == 0x9d)?;
        }
        Ok(value)
    }

    /// Increment, Decrement, and Divide with its two results.
    fn change(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        code: u16,
        places: [Target; 2],
        (a, b): (u64, u64),
    ) -> Result<Value, Error> {
        let [first, second] = places;
        if code == 0x78 {
            let rest = a.checked_rem(b).ok_or(Error::Kind)?;
            self.store(world, frame, &first, &Value::Integer(rest), false)?;
            let value = Value::Integer(a / b);
            self.store(world, frame, &second, &value, false)?;
            return Ok(value);
        }
        let old = self.held(world, frame, &first)?;
        let old = self.behind_reference(world, old)?.integer()?;
        let new = match code {
            0x75 => old.wrapping_add(1),
            _ => old.wrapping_sub(1),
        };
        let value = Value::Integer(self.cut(new));
        self.store(world, frame, &first, &value, false)?;
        Ok(value)
    }

    /// The order of two values; the second is taken for what the first is.
    fn compare(&mut self, a: &Value, b: &Value) -> Result<core::cmp::Ordering, Error> {
        Ok(match a {
            Value::Text(_) => a.bytes()?.cmp(&self.as_text(b, Style::Implicit)?),
            Value::Buffer(_) => a.bytes()?.cmp(&self.as_bytes(b)?),
            _ => self.cut(a.integer()?).cmp(&self.cut(b.integer()?)),
        })
    }

    /// `Match` (19.6.82): the first element from one on for which two comparisons hold.
    fn find_match(
        &mut self,
        world: &mut World,
        package: &Value,
        [first, a, second, b, from]: [u64; 5],
    ) -> Result<Value, Error> {
        for (at, element) in self.elements(world, package)?.into_iter().enumerate() {
            self.charge(1)?;
            let holds = |operator: u64, order: core::cmp::Ordering| match operator {
                0 => true,
                1 => order.is_eq(),
                2 => order.is_le(),
                3 => order.is_lt(),
                4 => order.is_ge(),
                _ => order.is_gt(),
            };
            if let (Ok(number), true) = (element.integer(), at as u64 >= from) {
                if holds(first, number.cmp(&a)) && holds(second, number.cmp(&b)) {
                    return Ok(Value::Integer(at as u64));
                }
            }
        }
        Ok(Value::Integer(u64::MAX))
    }

    /// What a reference refers to; other values are what they are.
    pub(super) fn behind_reference(
        &mut self,
        world: &mut World,
        mut value: Value,
    ) -> Result<Value, Error> {
        for _ in 0..4 {
            value = match value {
                Value::Node(_) | Value::Element(..) | Value::Byte(..) => {
                    self.dereferenced(world, value)?
                }
                other => return Ok(other),
            };
        }
        Ok(value)
    }

    fn dereferenced(&mut self, world: &mut World, value: Value) -> Result<Value, Error> {
        match value {
            Value::Element(list, at) => {
                let list = list.try_borrow().map_err(|_| Error::Kind)?;
                let element = list.get(at).cloned().ok_or(Error::Kind)?;
                drop(list);
                match element {
                    // A name in a package stands for its object.
                    Value::Node(node) => self.value(world, node),
                    other => Ok(other),
                }
            }
            Value::Byte(..) => value.integer().map(Value::Integer),
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
        let found = match self.target(world, frame, reader) {
            Ok(Target::Node(node)) => Some(Value::Node(node)),
            Err(Error::NoName(_)) => None,
            Ok(other) => Some(self.held(world, frame, &other)?),
            Err(why) => return Err(why),
        };
        let to = self.target(world, frame, reader)?;
        if let Some(found) = &found {
            self.store(world, frame, &to, found, true)?;
        }
        Ok(Value::Integer(self.cut(match found {
            Some(_) => u64::MAX,
            None => 0,
        })))
    }

    /// `ObjectType` (19.6.98).
    fn kind_of(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        of: &Target,
    ) -> Result<Value, Error> {
        let mut value = match of {
            Target::Node(node) => Value::Node(*node),
            other => self.held(world, frame, other)?,
        };
        for _ in 0..4 {
            let kind = match &value {
                Value::Integer(_) | Value::Byte(..) => 1,
                Value::Text(_) => 2,
                Value::Buffer(_) => 3,
                Value::Package(_) => 4,
                Value::Node(node) => match self.node(*node)?.kind {
                    Kind::Field { .. } => 5,
                    Kind::Device => 6,
                    Kind::Method { .. } => 8,
                    Kind::Region { .. } => 10,
                    Kind::BufferField { .. } => 14,
                    Kind::Name(_) => {
                        value = self.value(world, *node)?;
                        continue;
                    }
                    _ => 0,
                },
                Value::Element(list, at) => {
                    let list = list.try_borrow().map_err(|_| Error::Kind)?;
                    let element = list.get(*at).cloned().ok_or(Error::Kind)?;
                    drop(list);
                    value = element;
                    continue;
                }
                Value::None => 0,
            };
            return Ok(Value::Integer(kind));
        }
        Err(Error::Kind)
    }

    pub(super) fn target(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        reader: &mut Reader<'a>,
    ) -> Result<Target, Error> {
        if reader.at_name() {
            // That of a method, too, is a place here: it is not called.
            let name = reader.name()?;
            return self.find(frame.scope, &name).map(Target::Node);
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
                Value::Byte(bytes, at) => Ok(Target::Byte(bytes, at)),
                Value::Node(node) => Ok(Target::Node(node)),
                Value::None => Ok(Target::Nowhere),
                _ => Err(Error::Kind),
            },
        }
    }

    /// What a place holds.
    fn held(&mut self, world: &mut World, frame: &Frame, target: &Target) -> Result<Value, Error> {
        match target {
            Target::Nowhere => Err(Error::Kind),
            Target::Local(n) => Ok(frame.locals[*n].clone()),
            Target::Argument(n) => Ok(frame.arguments[*n].clone()),
            Target::Node(node) => self.value(world, *node),
            Target::Element(list, at) => {
                let list = list.try_borrow().map_err(|_| Error::Kind)?;
                list.get(*at).cloned().ok_or(Error::Kind)
            }
            Target::Byte(bytes, at) => Ok(Value::Byte(bytes.clone(), *at)),
        }
    }

    /// Puts a copy of a value somewhere; what is there decides what becomes of it (19.3.5.8), unless it is to stay what it is.
    fn store(
        &mut self,
        world: &mut World,
        frame: &mut Frame,
        target: &Target,
        value: &Value,
        as_it_is: bool,
    ) -> Result<(), Error> {
        match target {
            Target::Nowhere => {}
            Target::Local(n) => frame.locals[*n] = self.copy(value, 0)?,
            Target::Argument(n) => {
                // A reference that was handed over is stored through (19.3.5.8.1).
                let through = match &frame.arguments[*n] {
                    Value::Node(node) if self.holds(*node) => Target::Node(*node),
                    Value::Element(list, at) => Target::Element(list.clone(), *at),
                    Value::Byte(bytes, at) => Target::Byte(bytes.clone(), *at),
                    _ => {
                        frame.arguments[*n] = self.copy(value, 0)?;
                        return Ok(());
                    }
                };
                return self.store(world, frame, &through, value, as_it_is);
            }
            Target::Element(list, at) => {
                let value = self.copy(value, 0)?;
                let mut list = list.try_borrow_mut().map_err(|_| Error::Kind)?;
                *list.get_mut(*at).ok_or(Error::Kind)? = value;
            }
            Target::Byte(bytes, at) => {
                let byte = value.integer()? as u8;
                let mut bytes = bytes.try_borrow_mut().map_err(|_| Error::Kind)?;
                *bytes.get_mut(*at).ok_or(Error::Kind)? = byte;
            }
            Target::Node(node) => match self.node(*node)?.kind {
                Kind::Name(_) => {
                    let new = match as_it_is {
                        true => self.copy(value, 0)?,
                        false => {
                            let old = self.value(world, *node).unwrap_or(Value::None);
                            self.made_like(&old, value)?
                        }
                    };
                    self.values.insert(*node, new);
                }
                Kind::Field {
                    ground,
                    bit,
                    bits,
                    flags,
                } => {
                    let value = self.behind_reference(world, value.clone())?;
                    let bytes = self.as_bytes(&value)?;
                    self.write_field(world, ground, (bit, bits, flags), &bytes)?;
                }
                Kind::BufferField { bit, bits, .. } => {
                    let from = self.as_bytes(value)?;
                    self.charge(bits as usize / 8)?;
                    let Some(Value::Buffer(bytes)) = self.values.get(node) else {
                        return Err(Error::Kind);
                    };
                    let mut bytes = bytes.try_borrow_mut().map_err(|_| Error::Kind)?;
                    put_bits(&mut bytes, bit as usize, bits as usize, &from)?;
                }
                _ => return Err(Error::Write),
            },
        }
        Ok(())
    }

    fn holds(&self, node: NodeId) -> bool {
        matches!(
            self.node(node).map(|node| node.kind),
            Ok(Kind::Name(_) | Kind::Field { .. } | Kind::BufferField { .. })
        )
    }

    /// A value as the kind that another one has; a buffer stays the one that it is, with its length.
    fn made_like(&mut self, old: &Value, value: &Value) -> Result<Value, Error> {
        Ok(match (old, value) {
            (_, Value::Package(_) | Value::Node(_) | Value::Element(..) | Value::None) => {
                self.copy(value, 0)?
            }
            (Value::Integer(_), _) => Value::Integer(self.cut(value.integer()?)),
            (Value::Text(_), _) => Value::text(self.as_text(value, Style::Implicit)?),
            (Value::Buffer(bytes), _) => {
                let mut new = self.as_bytes(value)?;
                self.charge(new.len() / 16)?;
                let mut bytes = bytes.try_borrow_mut().map_err(|_| Error::Kind)?;
                if !bytes.is_empty() {
                    new.resize(bytes.len(), 0);
                }
                *bytes = new;
                drop(bytes);
                old.clone()
            }
            _ => self.copy(value, 0)?,
        })
    }

    /// A copy that shares nothing, so that no package can come to contain itself.
    pub(super) fn copy(&mut self, value: &Value, depth: u32) -> Result<Value, Error> {
        match value {
            Value::Package(list) if depth < 8 => {
                let list = list.try_borrow().map_err(|_| Error::Kind)?;
                self.charge(list.len())?;
                let mut copy = Vec::with_capacity(list.len());
                for element in list.iter() {
                    copy.push(self.copy(element, depth + 1)?);
                }
                Ok(Value::Package(shared(copy)))
            }
            Value::Package(_) => Err(Error::Budget),
            Value::Buffer(_) | Value::Text(_) => {
                let bytes = value.bytes()?;
                self.charge(bytes.len() / 64)?;
                Ok(match value {
                    Value::Text(_) => Value::text(bytes),
                    _ => Value::buffer(bytes),
                })
            }
            other => Ok(other.clone()),
        }
    }
}

fn truth(yes: bool) -> Value {
    Value::Integer(if yes { u64::MAX } else { 0 })
}

fn arithmetic(code: u16, a: u64, b: u64) -> Result<u64, Error> {
    let shift = u32::try_from(b).unwrap_or(u32::MAX);
    Ok(match code {
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
    })
}

/// `Index` (19.6.61).
fn index(of: &Value, at: u64) -> Result<Value, Error> {
    let at = usize::try_from(at).map_err(|_| Error::Kind)?;
    let (length, value) = match of {
        Value::Package(list) => (
            list.try_borrow().map_err(|_| Error::Kind)?.len(),
            Value::Element(list.clone(), at),
        ),
        Value::Buffer(bytes) | Value::Text(bytes) => (
            bytes.try_borrow().map_err(|_| Error::Kind)?.len(),
            Value::Byte(bytes.clone(), at),
        ),
        _ => return Err(Error::Kind),
    };
    (at < length).then_some(value).ok_or(Error::Kind)
}

/// The digits of a number in one base, read in another.
fn decimal(mut number: u64, from: u64, to: u64) -> u64 {
    let (mut value, mut place) = (0u64, 1u64);
    while number != 0 {
        value = value.wrapping_add((number % from).wrapping_mul(place));
        place = place.wrapping_mul(to);
        number /= from;
    }
    value
}
