//! Loads and stores: numbers, records, bytes.

use crate::value::{ones, Kind, Layout, Num, Spot, Value, Written};
use crate::{wrong, Meaning, Outside, Run};
use graph::{Space, Width};
use rulebook::tree::{Name, Place};
use std::rc::Rc;

/// The smallest access that holds so many bits.
fn width(bits: u64) -> Width {
    match bits {
        0..=8 => Width::B8,
        9..=16 => Width::B16,
        17..=32 => Width::B32,
        _ => Width::B64,
    }
}

fn piece(bytes: u64) -> Width {
    match bytes {
        8.. => Width::B64,
        4..=7 => Width::B32,
        2..=3 => Width::B16,
        _ => Width::B8,
    }
}

/// The lowest `bits` with their bytes in opposite order.
pub fn swapped(value: u64, bits: u32) -> u64 {
    value.swap_bytes() >> (64 - bits.clamp(8, 64))
}

/// Bits of a record that was copied out.
fn bits_at(bytes: &[u8], at: u64, bits: u32) -> u64 {
    (0..u64::from(bits.min(64))).fold(0, |n, k| {
        let at = at + k;
        let byte = bytes.get((at / 8) as usize).copied().unwrap_or(0);
        n | u64::from(byte >> (at % 8) & 1) << k
    })
}

fn set_bits(bytes: &mut [u8], at: u64, bits: u32, value: u64) {
    for k in 0..u64::from(bits.min(64)) {
        let at = at + k;
        if let Some(byte) = bytes.get_mut((at / 8) as usize) {
            *byte = *byte & !(1 << (at % 8)) | ((value >> k & 1) as u8) << (at % 8);
        }
    }
}

impl<'a> Meaning<'a> {
    pub(crate) fn load_bytes(
        &mut self,
        io: &mut dyn Outside,
        space: Space,
        at: u64,
        size: u64,
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < size {
            let done = bytes.len() as u64;
            let width = piece(size - done);
            let word = io.load(space, at + done, width) & width.mask();
            bytes.extend(&word.to_le_bytes()[..width.bytes() as usize]);
        }
        bytes
    }

    pub(crate) fn store_bytes(
        &mut self,
        io: &mut dyn Outside,
        space: Space,
        at: u64,
        bytes: &[u8],
    ) {
        let mut done = 0;
        while done < bytes.len() {
            let width = piece((bytes.len() - done) as u64);
            let length = width.bytes() as usize;
            let mut word = [0; 8];
            word[..length].copy_from_slice(&bytes[done..done + length]);
            io.store(space, at + done as u64, width, u64::from_le_bytes(word));
            done += length;
        }
    }

    /// The number in a place.
    pub(crate) fn load_number(&mut self, io: &mut dyn Outside, spot: &Spot<'a>) -> Num<'a> {
        let Kind::Number { bits, big, fields } = spot.kind else {
            return Num {
                v: 0,
                bits: None,
                open: false,
            };
        };
        let (at, shift) = word_of(spot, bits);
        let width = width(shift + u64::from(bits));
        let mut word = io.load(spot.space, at, width) & width.mask();
        if big {
            word = swapped(word, width.bits());
        }
        Num {
            v: (word >> shift & ones(bits)).into(),
            bits: fields,
            open: false,
        }
    }

    fn store_number(
        &mut self,
        io: &mut dyn Outside,
        spot: &Spot<'a>,
        bits: u32,
        big: bool,
        value: u64,
    ) {
        let (at, shift) = word_of(spot, bits);
        let width = width(shift + u64::from(bits));
        let mut word = value;
        if shift != 0 || bits != width.bits() {
            let old = io.load(spot.space, at, width) & width.mask();
            let old = if big { swapped(old, width.bits()) } else { old };
            word = old & !(ones(bits) << shift) | value << shift;
        }
        if big {
            word = swapped(word, width.bits());
        }
        io.store(spot.space, at, width, word);
    }

    /// What is in a place, copied once.
    pub(crate) fn load(
        &mut self,
        io: &mut dyn Outside,
        spot: &Spot<'a>,
        place: Place,
    ) -> Run<Value<'a>> {
        match spot.kind.clone() {
            Kind::Number { .. } => Ok(Value::Num(self.load_number(io, spot))),
            Kind::Record(layout) => {
                let bytes = self.load_bytes(io, spot.space, spot.at, layout.size);
                Ok(Value::Copy(layout, bytes))
            }
            Kind::Array(of, n, _) if n <= 64 && matches!(*of, Kind::Number { .. }) => {
                let mut list = Vec::new();
                for k in 0..n {
                    let element = self.element(spot, k.into(), place)?;
                    list.push(Value::Num(self.load_number(io, &element)));
                }
                Ok(Value::List(list))
            }
            Kind::Array(..) => wrong(place, "a whole array is no value"),
        }
    }

    /// A member of a record that was copied out.
    pub(crate) fn copied(
        &self,
        layout: &Layout<'a>,
        bytes: &[u8],
        name: Name,
        place: Place,
    ) -> Run<Value<'a>> {
        let Some((_, at, kind)) = layout.members.iter().find(|(n, ..)| *n == name) else {
            return wrong(place, format!("the record has no `{}`", self.text(name)));
        };
        let of_bits = |at, kind: &Kind<'a>| -> Value<'a> {
            let Kind::Number { bits, big, fields } = *kind else {
                return Value::None;
            };
            let word = bits_at(bytes, at, bits);
            Value::Num(Num {
                v: if big { swapped(word, bits) } else { word }.into(),
                bits: fields,
                open: false,
            })
        };
        Ok(match kind {
            Kind::Number { .. } => of_bits(*at, kind),
            Kind::Array(of, n, step) => {
                let step = step * 8;
                Value::List(
                    (0..(*n).min(64))
                        .map(|k| of_bits(at + k * step, of))
                        .collect(),
                )
            }
            Kind::Record(inner) => {
                let sub = (0..inner.size).map(|k| bits_at(bytes, at + k * 8, 8) as u8);
                Value::Copy(inner.clone(), sub.collect())
            }
        })
    }

    /// `spot.name`
    pub(crate) fn part_of(&self, spot: &Spot<'a>, name: Name, place: Place) -> Run<Spot<'a>> {
        let Kind::Record(layout) = &spot.kind else {
            return wrong(place, format!("`{}` of what is no record", self.text(name)));
        };
        let Some((_, at, kind)) = layout.members.iter().find(|(n, ..)| *n == name) else {
            return wrong(place, format!("the record has no `{}`", self.text(name)));
        };
        Ok(Spot {
            space: spot.space,
            at: spot.at + at / 8,
            shift: at % 8,
            kind: kind.clone(),
        })
    }

    /// `spot[k]`
    pub(crate) fn element(&self, spot: &Spot<'a>, k: i128, place: Place) -> Run<Spot<'a>> {
        let Kind::Array(of, count, step) = &spot.kind else {
            return wrong(place, "an index into what is no array");
        };
        match u64::try_from(k).ok().filter(|k| k < count) {
            Some(k) => Ok(Spot {
                space: spot.space,
                at: spot.at + k * step,
                shift: 0,
                kind: (**of).clone(),
            }),
            None => wrong(place, format!("index {k}, and there are {count}")),
        }
    }

    /// A number that goes into so many bits: it has to fit, unless it is as wide as where it is stored. 64 bits take the
    /// lowest of any.
    pub(crate) fn fit(&self, n: Num<'a>, bits: u32, place: Place) -> Run<u64> {
        if n.open || bits >= 64 {
            return Ok((n.v as u128 as u64) & ones(bits));
        }
        match u64::try_from(n.v).ok().filter(|v| *v <= ones(bits)) {
            Some(v) => Ok(v),
            None => wrong(place, format!("{:#x} does not fit {bits} bits", n.v)),
        }
    }

    pub(crate) fn store(
        &mut self,
        io: &mut dyn Outside,
        spot: &Spot<'a>,
        value: Value<'a>,
        place: Place,
    ) -> Run<()> {
        match spot.kind.clone() {
            Kind::Number { bits, big, fields } => {
                let n = self.number_of(io, value, fields, place)?;
                let n = self.fit(n, bits, place)?;
                self.store_number(io, spot, bits, big, n);
                Ok(())
            }
            Kind::Record(layout) => {
                let bytes = self.record_bytes(io, &layout, value, place)?;
                self.store_bytes(io, spot.space, spot.at, &bytes);
                Ok(())
            }
            Kind::Array(of, count, step) => match value {
                Value::List(list) if list.len() as u64 <= count => {
                    for (k, value) in list.into_iter().enumerate() {
                        let element = self.element(spot, k as i128, place)?;
                        self.store(io, &element, value, place)?;
                    }
                    Ok(())
                }
                Value::Num(n) if (0..256).contains(&n.v) => {
                    let bytes = vec![n.v as u8; (step * count) as usize];
                    self.store_bytes(io, spot.space, spot.at, &bytes);
                    Ok(())
                }
                Value::Buffer(b) if b.len <= count * step && step == of.size() => {
                    for k in 0..b.len {
                        let byte = io.load(b.space, b.at + k, Width::B8);
                        io.store(spot.space, spot.at + k, Width::B8, byte);
                    }
                    Ok(())
                }
                _ => wrong(place, "this cannot be stored into an array"),
            },
        }
    }

    /// A record as bytes, the way it lies in memory.
    pub(crate) fn record_bytes(
        &mut self,
        io: &mut dyn Outside,
        layout: &Rc<Layout<'a>>,
        value: Value<'a>,
        place: Place,
    ) -> Run<Vec<u8>> {
        let size = layout.size as usize;
        let mut bytes = match value {
            Value::Literal(written) => {
                let mut bytes = vec![0; size];
                self.set_members(io, layout, &mut bytes, &written)?;
                bytes
            }
            Value::With(base, written) => {
                let Value::Copy(_, mut bytes) = *base else {
                    return wrong(place, "`with` needs a record on its left");
                };
                self.set_members(io, layout, &mut bytes, &written)?;
                bytes
            }
            Value::Copy(_, bytes) => bytes,
            Value::Num(n) => self.fit(n, 64, place)?.to_le_bytes().to_vec(),
            _ => return wrong(place, "this is no record"),
        };
        bytes.resize(size, 0);
        Ok(bytes)
    }

    fn set_members(
        &mut self,
        io: &mut dyn Outside,
        layout: &Rc<Layout<'a>>,
        bytes: &mut [u8],
        written: &Written<'a>,
    ) -> Run<()> {
        let locals = (*written.locals).clone();
        self.within(written.instance, locals, |m| {
            for member in written.members {
                let first = member.path.first();
                let slot = layout.members.iter().find(|(n, ..)| Some(n) == first);
                let Some((_, at, Kind::Number { bits, big, fields })) = slot else {
                    return wrong(member.place, "a member of the record that is a number");
                };
                let (n, lo, width) = m.member_bits(io, member, *fields, *bits)?;
                let turned = |n: u64| if *big { swapped(n, *bits) } else { n };
                // `a.b: x` leaves the rest of `a` as it is.
                let old = turned(bits_at(bytes, *at, *bits));
                let new = old & !(ones(width) << lo) | n << lo;
                set_bits(bytes, *at, *bits, turned(new));
            }
            Ok(())
        })
    }

    /// Stores marks into a record's bytes: where a member's bits are, and their values.
    pub(crate) fn mark(&mut self, bytes: &mut [u8], marks: &[(u64, u32, u64)]) {
        for (at, bits, value) in marks {
            set_bits(bytes, *at, *bits, *value);
        }
    }
}

/// The bytes through which a number is reached, and its lowest bit in them: a field of whole bytes directly, another
/// through the word that holds it.
fn word_of(spot: &Spot, bits: u32) -> (u64, u64) {
    if spot.shift == 0 && Width::of_bits(bits).is_some() {
        return (spot.at, 0);
    }
    let size = u64::from(width(spot.shift + u64::from(bits)).bytes());
    let aligned = spot.at / size * size;
    let shift = (spot.at - aligned) * 8 + spot.shift;
    match shift + u64::from(bits) <= size * 8 {
        true => (aligned, shift),
        false => (spot.at, spot.shift),
    }
}
