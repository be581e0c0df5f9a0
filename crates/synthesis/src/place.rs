//! Loads and stores: places in state, arena and pool.

use crate::evaluate::store_fits;
use crate::instance::Specialiser;
use crate::layout::{ones, size_of};
use crate::value::{Buffer, Kind, Layout, Num, Spot, Value};
use crate::{Error, Result};
use alloc::{rc::Rc, vec::Vec};
use graph::{BinOp, Op, Space, Width};
use rulebook::tree::{Member, Name, Place};

impl<'a> Specialiser<'a, '_> {
    pub fn raw_load(&mut self, space: Space, at: Num<'a>, width: Width) -> Num<'a> {
        if self.is_live() {
            // Where the place is not known nothing is loaded, and the statement ends in an error.
            let known = self.known_now(at.id);
            let value = known.and_then(|at| Some(self.mode.device()?.load(space, at, width)));
            return self.constant(value.unwrap_or(0));
        }
        let id = self.out.b.step(Op::Load {
            space,
            at: at.id,
            width,
        });
        self.node(id, width.mask())
    }

    pub fn raw_store(&mut self, space: Space, at: Num<'a>, width: Width, value: Num<'a>) {
        if self.is_live() {
            let known = self.all_known_now([at.id, value.id]);
            if let (Some([at, value]), Some(device)) = (known, self.mode.device()) {
                device.store(space, at, width, value);
            }
            return;
        }
        self.out.b.step(Op::Store {
            space,
            at: at.id,
            width,
            value: value.id,
        });
    }

    pub fn plus(&mut self, n: Num<'a>, bytes: u64) -> Num<'a> {
        if bytes == 0 {
            return n;
        }
        let c = self.out.b.constant(bytes);
        let id = self.out.b.bin(BinOp::Add, n.id, c);
        self.node(id, n.most.saturating_add(bytes))
    }

    pub fn sum(&mut self, a: Num<'a>, b: Num<'a>) -> Num<'a> {
        let id = self.out.b.bin(BinOp::Add, a.id, b.id);
        self.node(id, a.most.saturating_add(b.most))
    }

    pub fn times(&mut self, n: Num<'a>, by: u64) -> Num<'a> {
        let c = self.out.b.constant(by);
        let id = self.out.b.bin(BinOp::Mul, n.id, c);
        self.node(id, n.most.saturating_mul(by))
    }

    /// The value in a place. A record is copied out whole.
    pub fn load(&mut self, spot: &Spot<'a>, place: Place) -> Result<Value<'a>> {
        match &spot.kind {
            Kind::Number { .. } => Ok(Value::Num(self.load_number(spot, place)?)),
            Kind::Record(layout) => {
                let pieces = self.load_pieces(spot, layout);
                Ok(Value::Copy(layout.clone(), pieces))
            }
            Kind::Array(of, n, _) if *n <= 64 && matches!(**of, Kind::Number { .. }) => {
                let mut list = Vec::new();
                for k in 0..*n {
                    let index = self.constant(k);
                    let element = self.element(spot, index, place)?;
                    list.push(Value::Num(self.load_number(&element, place)?));
                }
                Ok(Value::List(list))
            }
            Kind::Array(..) => Err(Error::new(
                place,
                "a whole array is not a value",
                "name one of its elements",
            )),
        }
    }

    pub fn load_number(&mut self, spot: &Spot<'a>, place: Place) -> Result<Num<'a>> {
        let Kind::Number {
            bits,
            big,
            fields,
            dma,
        } = &spot.kind
        else {
            return Err(Error::new(
                place,
                "this is a record or an array, not a number",
                "name one of its members",
            ));
        };
        let (bits, big, fields) = (*bits, *big, *fields);
        let span = spot.shift + bits;
        let width = width_for(span);
        let mut n = self.raw_load(spot.space, spot.at, width);
        if dma.is_some() {
            self.took_back(n.id);
        }
        if big {
            let id = self.out.b.swap(width, n.id);
            n = self.node(id, width.mask());
        }
        if spot.shift != 0 || bits != width.bits() {
            let id = self.out.b.extract(n.id, spot.shift as u8, bits as u8);
            n = self.node(id, ones(bits));
        }
        n.bits = fields;
        Ok(n)
    }

    fn load_pieces(&mut self, spot: &Spot<'a>, layout: &Rc<Layout<'a>>) -> Vec<Num<'a>> {
        let mut pieces: Vec<Num<'a>> = Vec::new();
        let mut done = 0;
        while done < layout.size {
            let width = piece_width(layout.size - done);
            let at = self.plus(spot.at, done);
            let part = self.raw_load(spot.space, at, width);
            if done % 8 == 0 {
                pieces.push(part);
            } else if let Some(last) = pieces.last().copied() {
                let id =
                    self.out
                        .b
                        .insert(last.id, part.id, (done % 8 * 8) as u8, width.bits() as u8);
                let merged = self.node(id, u64::MAX);
                if let Some(slot) = pieces.last_mut() {
                    *slot = merged;
                }
            }
            done += width.bytes() as u64;
        }
        pieces
    }

    /// A member of a record that was copied out.
    pub fn member_of_copy(
        &mut self,
        layout: &Rc<Layout<'a>>,
        pieces: &[Num<'a>],
        name: Name,
        place: Place,
    ) -> Result<Value<'a>> {
        let Some((_, slot)) = layout.members.iter().find(|(n, _)| *n == name) else {
            return Err(Error::new(
                place,
                alloc::format!("the record has no `{}`", self.text(name)),
                "see its declaration",
            ));
        };
        match &slot.kind {
            Kind::Number {
                bits, big, fields, ..
            } => {
                let (at, bits, big, fields) = (slot.at, *bits, *big, *fields);
                let mut n = self.bits_of_copy(pieces, at, bits, place)?;
                if big {
                    if let Some(width) = Width::of_bits(bits) {
                        let id = self.out.b.swap(width, n.id);
                        n = self.node(id, ones(bits));
                    }
                }
                n.bits = fields;
                Ok(Value::Num(n))
            }
            Kind::Array(of, count, step) => {
                let (size, step) = (size_of(of) * 8, step * 8);
                let mut list = Vec::new();
                for k in 0..(*count).min(64) {
                    let at = slot.at + k * step;
                    let n = self.bits_of_copy(pieces, at, size as u32, place)?;
                    list.push(Value::Num(n));
                }
                Ok(Value::List(list))
            }
            Kind::Record(inner) => {
                let mut sub = Vec::new();
                for k in 0..inner.size.div_ceil(8) {
                    sub.push(self.bits_of_copy(
                        pieces,
                        slot.at + k * 64,
                        (inner.size * 8 - k * 64).min(64) as u32,
                        place,
                    )?);
                }
                Ok(Value::Copy(inner.clone(), sub))
            }
        }
    }

    fn bits_of_copy(
        &mut self,
        pieces: &[Num<'a>],
        at: u64,
        bits: u32,
        place: Place,
    ) -> Result<Num<'a>> {
        let piece = |k: usize| {
            pieces.get(k).copied().ok_or_else(|| {
                Error::new(
                    place,
                    "this member lies behind the end of its record",
                    "give the record its size, or the member another place",
                )
            })
        };
        let (k, lo) = ((at / 64) as usize, (at % 64) as u32);
        let low = piece(k)?;
        let first = bits.min(64 - lo);
        let mut id = self.out.b.extract(low.id, lo as u8, first as u8);
        if first < bits {
            let high = piece(k + 1)?;
            id = self
                .out
                .b
                .insert(id, high.id, first as u8, (bits - first) as u8);
        }
        Ok(self.node(id, ones(bits)))
    }

    /// `spot.name`
    pub fn member(&mut self, spot: &Spot<'a>, name: Name, place: Place) -> Result<Spot<'a>> {
        let Kind::Record(layout) = &spot.kind else {
            return Err(Error::new(
                place,
                alloc::format!(
                    "`{}` is asked of something that is no record",
                    self.text(name)
                ),
                "name the record's member directly",
            ));
        };
        let Some((_, slot)) = layout.members.iter().find(|(n, _)| *n == name) else {
            return Err(Error::new(
                place,
                alloc::format!("the record has no `{}`", self.text(name)),
                "see its declaration",
            ));
        };
        let slot = slot.clone();
        // A field that is not whole bytes is reached through the aligned word that holds it.
        let (byte, shift) = match &slot.kind {
            Kind::Number { bits, .. } if slot.at % 8 != 0 || Width::of_bits(*bits).is_none() => {
                let word = width_for((slot.at % 8) as u32 + *bits);
                let aligned = slot.at / word.bits() as u64 * word.bits() as u64;
                if slot.at - aligned + *bits as u64 <= word.bits() as u64 {
                    (aligned / 8, (slot.at - aligned) as u32)
                } else {
                    (slot.at / 8, (slot.at % 8) as u32)
                }
            }
            _ => (slot.at / 8, 0),
        };
        Ok(Spot {
            space: spot.space,
            at: self.plus(spot.at, byte),
            shift,
            kind: slot.kind,
        })
    }

    /// `spot[index]`
    pub fn element(&mut self, spot: &Spot<'a>, index: Num<'a>, place: Place) -> Result<Spot<'a>> {
        let Kind::Array(of, count, step) = &spot.kind else {
            return Err(Error::new(
                place,
                "an index into something that is no array",
                "remove the index",
            ));
        };
        if index.most >= *count {
            return Err(Error::new(
                place,
                alloc::format!(
                    "the index can be {}, and there are only {count}",
                    bound_text(index.most)
                ),
                "check it first, or take it `% count`",
            ));
        }
        let offset = self.times(index, *step);
        let at = self.sum(spot.at, offset);
        Ok(Spot {
            space: spot.space,
            at,
            shift: 0,
            kind: (**of).clone(),
        })
    }

    /// Stores a value into a place.
    pub fn store(&mut self, spot: &Spot<'a>, value: Value<'a>, place: Place) -> Result<()> {
        match spot.kind.clone() {
            Kind::Number {
                bits,
                big,
                dma,
                fields,
            } => {
                let n = self.number_for(value, fields, place)?;
                let n = if dma.is_some() && bits == 32 {
                    Num {
                        most: n.most.min(ones(32)),
                        ..n
                    }
                } else {
                    n
                };
                let n = self.fit(n, bits, place)?;
                match spot.space {
                    Space::Arena => self.given(n, dma, &[], None, place)?,
                    Space::State => self.keeps(n, place)?,
                    Space::Pool => {}
                }
                self.store_number(spot, n, bits, big);
                Ok(())
            }
            Kind::Record(layout) => self.store_record(spot, &layout, value, place),
            Kind::Array(of, count, step) => {
                self.store_bytes(spot, (&of, count, step), value, place)
            }
        }
    }

    /// Proves that a number fits so many bits, or cuts a `~`.
    pub fn fit(&mut self, n: Num<'a>, bits: u32, place: Place) -> Result<Num<'a>> {
        let mask = ones(bits);
        // 64 bits take the lowest of any.
        if bits >= 64 || !n.cut && (n.most <= mask || self.out.b.most(n.id) <= mask) {
            return Ok(Num { cut: false, ..n });
        }
        if n.open {
            let id = self.out.b.extract(n.id, 0, bits as u8);
            return Ok(Num {
                most: mask,
                open: false,
                cut: false,
                ..self.node(id, mask)
            });
        }
        self.exact(n, place)?;
        store_fits(n.most, bits, place)?;
        Ok(n)
    }

    fn store_number(&mut self, spot: &Spot<'a>, n: Num<'a>, bits: u32, big: bool) {
        let width = width_for(spot.shift + bits);
        let mut id = n.id;
        if spot.shift != 0 || bits != width.bits() {
            let old = self.raw_load(spot.space, spot.at, width);
            id = self
                .out
                .b
                .insert(old.id, n.id, spot.shift as u8, bits as u8);
        }
        if big {
            id = self.out.b.swap(width, id);
        }
        let n = self.node(id, width.mask());
        self.raw_store(spot.space, spot.at, width, n);
    }

    /// A record is put together in registers and stored in the largest pieces that fit it.
    fn store_record(
        &mut self,
        spot: &Spot<'a>,
        layout: &Rc<Layout<'a>>,
        value: Value<'a>,
        place: Place,
    ) -> Result<()> {
        let pieces = match value {
            Value::Literal(members, at) => self.build_record(layout, members, at)?,
            Value::Copy(of, pieces) if of.size == layout.size => pieces,
            Value::Copy(of, _) => {
                return Err(Error::new(
                    place,
                    alloc::format!(
                        "this record has {} bytes, and there it has {}",
                        of.size,
                        layout.size
                    ),
                    "store a record of the same type, or its members one by one",
                ))
            }
            // A number is a record of at most eight bytes; 0 clears one of any size.
            Value::Num(n) if layout.size <= 8 => alloc::vec![n],
            Value::Num(n) if !n.cut && self.out.b.known(n.id) == Some(0) => {
                alloc::vec![n; layout.size.div_ceil(8) as usize]
            }
            _ => {
                return Err(Error::new(
                    place,
                    "this is no record",
                    "write its members in braces",
                ))
            }
        };
        let mut done = 0;
        while done < layout.size {
            let width = piece_width(layout.size - done);
            let Some(piece) = pieces.get((done / 8) as usize) else {
                return Err(Error::new(
                    place,
                    "this is no record",
                    "write its members in braces",
                ));
            };
            let id = self
                .out
                .b
                .extract(piece.id, (done % 8 * 8) as u8, width.bits() as u8);
            let part = self.node(id, width.mask());
            let at = self.plus(spot.at, done);
            self.raw_store(spot.space, at, width, part);
            done += width.bytes() as u64;
        }
        Ok(())
    }

    pub(crate) fn build_record(
        &mut self,
        layout: &Rc<Layout<'a>>,
        members: &'a [Member],
        place: Place,
    ) -> Result<Vec<Num<'a>>> {
        let zero = self.constant(0);
        let mut pieces = alloc::vec![zero; layout.size.div_ceil(8) as usize];
        self.set_members(layout, &mut pieces, members, place)?;
        Ok(pieces)
    }

    /// A record with other values for some of its members.
    pub(crate) fn with_members(
        &mut self,
        layout: &Rc<Layout<'a>>,
        mut pieces: Vec<Num<'a>>,
        members: &'a [Member],
        place: Place,
    ) -> Result<Vec<Num<'a>>> {
        self.set_members(layout, &mut pieces, members, place)?;
        Ok(pieces)
    }

    fn set_members(
        &mut self,
        layout: &Rc<Layout<'a>>,
        pieces: &mut [Num<'a>],
        members: &'a [Member],
        place: Place,
    ) -> Result<()> {
        let mut set: Vec<(Name, Num<'a>)> = Vec::new();
        for member in members {
            let Some(first) = member.path.first() else {
                return Err(Error::new(
                    member.place,
                    "a record's members have names",
                    "write `name: value`",
                ));
            };
            let Some((_, slot)) = layout.members.iter().find(|(n, _)| n == first) else {
                return Err(Error::new(
                    member.place,
                    alloc::format!("the record has no `{}`", self.text(*first)),
                    "see its declaration",
                ));
            };
            let slot = slot.clone();
            let Kind::Number {
                bits,
                big,
                dma,
                fields,
            } = slot.kind
            else {
                return Err(Error::new(
                    member.place,
                    "only numbers can be set in braces",
                    "store the other members one by one",
                ));
            };
            let (mut n, lo, own) = self.member_value(member, fields, bits)?;
            if dma.is_some() && bits == 32 {
                n.most = n.most.min(ones(32));
            }
            let mut n = self.fit(n, own, member.place)?;
            match own == bits {
                true => set.push((*first, n)),
                false => set.retain(|(name, _)| name != first),
            }
            if dma.is_none() {
                self.given(n, None, &[], None, member.place)?;
            }
            let turned = match big {
                true => Width::of_bits(bits),
                false => None,
            };
            let Some(width) = turned else {
                self.set_bits(pieces, slot.at + u64::from(lo), own, n);
                continue;
            };
            // The bits of a part are counted where its number stands the right way around.
            if own != bits {
                let old = self.bits_of_copy(pieces, slot.at, bits, place)?;
                let old = self.out.b.swap(width, old.id);
                let id = self.out.b.insert(old, n.id, lo as u8, own as u8);
                n = self.node(id, ones(bits));
            }
            let id = self.out.b.swap(width, n.id);
            let n = self.node(id, ones(bits));
            self.set_bits(pieces, slot.at, bits, n);
        }
        self.give_record(layout, pieces, set, place)
    }

    /// The addresses of a record that is complete, each with what its other members say.
    fn give_record(
        &mut self,
        layout: &Rc<Layout<'a>>,
        pieces: &[Num<'a>],
        mut all: Vec<(Name, Num<'a>)>,
        place: Place,
    ) -> Result<()> {
        let takes =
            |slot: &crate::value::Slot| matches!(slot.kind, Kind::Number { dma: Some(_), .. });
        if !layout.members.iter().any(|(_, slot)| takes(slot)) {
            return Ok(());
        }
        for (name, slot) in &layout.members {
            let Kind::Number { bits, fields, .. } = slot.kind else {
                continue;
            };
            match all.iter_mut().find(|(set, _)| set == name) {
                Some((_, n)) => n.bits = fields,
                None => {
                    let mut n = self.bits_of_copy(pieces, slot.at, bits, place)?;
                    n.bits = fields;
                    all.push((*name, n));
                }
            }
        }
        for (name, slot) in &layout.members {
            if let Kind::Number { dma, .. } = slot.kind {
                let n = all.iter().find(|(set, _)| set == name);
                if let (Some(_), Some((_, n))) = (dma, n) {
                    self.given(*n, dma, &all, None, place)?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn set_bits(&mut self, pieces: &mut [Num<'a>], at: u64, bits: u32, n: Num<'a>) {
        let (k, lo) = ((at / 64) as usize, (at % 64) as u32);
        let first = bits.min(64 - lo);
        if let Some(piece) = pieces.get_mut(k) {
            let id = self.out.b.insert(piece.id, n.id, lo as u8, first as u8);
            *piece = self.node(id, u64::MAX);
        }
        if first < bits {
            let high = self.out.b.extract(n.id, first as u8, (bits - first) as u8);
            if let Some(piece) = pieces.get_mut(k + 1) {
                let id = self.out.b.insert(piece.id, high, 0, (bits - first) as u8);
                *piece = self.node(id, u64::MAX);
            }
        }
    }

    fn store_bytes(
        &mut self,
        spot: &Spot<'a>,
        (of, count, step): (&Kind<'a>, u64, u64),
        value: Value<'a>,
        place: Place,
    ) -> Result<()> {
        match value {
            Value::List(list) if list.len() as u64 <= count => {
                for (k, v) in list.into_iter().enumerate() {
                    let index = self.constant(k as u64);
                    let element = self.element(spot, index, place)?;
                    self.store(&element, v, place)?;
                }
                Ok(())
            }
            Value::Num(n) if !n.cut && self.out.b.known(n.id).is_some() => {
                self.fill(spot.space, spot.at, step * count, n, place)
            }
            Value::Buffer(_) if step != size_of(of) => Err(Error::new(
                place,
                "bytes do not go into elements that stand apart",
                "store a list, or the bytes into a member of one element (`data: 8[64]`)",
            )),
            Value::Buffer(buffer) => self.copy_bytes(spot, count, buffer, place),
            _ => Err(Error::new(
                place,
                "this cannot be stored into an array",
                "store a list, zero, or bytes",
            )),
        }
    }

    /// Sets so many bytes to the same value (mostly 0), in large pieces.
    pub fn fill(
        &mut self,
        space: Space,
        at: Num<'a>,
        size: u64,
        value: Num<'a>,
        place: Place,
    ) -> Result<()> {
        let byte = self.out.b.known(value.id).filter(|b| *b < 256);
        let Some(byte) = byte else {
            return Err(Error::new(
                place,
                "memory is filled with one byte",
                "use a number below 256",
            ));
        };
        if size > 4096 {
            return Err(Error::new(
                place,
                "too much memory to fill in one go",
                "fill at most 4096 bytes",
            ));
        }
        let word = self.constant(byte * 0x0101_0101_0101_0101);
        let mut done = 0;
        while done < size {
            let width = piece_width(size - done);
            let to = self.plus(at, done);
            let id = self.out.b.extract(word.id, 0, width.bits() as u8);
            let part = self.node(id, width.mask());
            self.raw_store(space, to, width, part);
            done += width.bytes() as u64;
        }
        Ok(())
    }

    /// Copies bytes of a buffer whose length is not known: a bounded loop, a byte a turn.
    fn copy_bytes(
        &mut self,
        to: &Spot<'a>,
        count: u64,
        from: Buffer<'a>,
        place: Place,
    ) -> Result<()> {
        // A `check` may have said more of it since.
        let length = self.node(from.len.id, from.len.most);
        if length.most > count {
            return Err(Error::new(
                place,
                "more bytes than there is room for",
                "check the length first",
            ));
        }
        let target = to.clone();
        self.counted(length, place, move |s, k| {
            let source = s.sum(from.at, k);
            let byte = s.raw_load(from.space, source, Width::B8);
            let at = s.sum(target.at, k);
            s.raw_store(target.space, at, Width::B8, byte);
            Ok(())
        })
    }
}

/// The smallest access that holds so many bits.
fn width_for(bits: u32) -> Width {
    match bits {
        0..=8 => Width::B8,
        9..=16 => Width::B16,
        17..=32 => Width::B32,
        _ => Width::B64,
    }
}

fn piece_width(bytes: u64) -> Width {
    match bytes {
        8.. => Width::B64,
        4..=7 => Width::B32,
        2..=3 => Width::B16,
        _ => Width::B8,
    }
}

pub fn bound_text(most: u64) -> alloc::string::String {
    if most == u64::MAX {
        "anything".into()
    } else {
        alloc::format!("{most}")
    }
}
