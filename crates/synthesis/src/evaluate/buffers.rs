//! Bytes, buffers and their device addresses.

use super::*;

impl<'a> Specialiser<'a, '_> {
    /// `RX[from : len]`, `frame[from : len]`
    pub(super) fn slice(
        &mut self,
        base: &'a Expr,
        from: &'a Expr,
        len: &'a Expr,
    ) -> Result<Value<'a>> {
        // An element has the room up to the next, be its record shorter.
        let (value, apart) = match &base.kind {
            ExprKind::Index(array, index) => {
                let array = self.value(array)?;
                let k = self.exact_number(index)?;
                let apart = match &array {
                    Value::Spot(crate::value::Spot {
                        kind: Kind::Array(_, _, step),
                        ..
                    }) => Some(*step),
                    _ => None,
                };
                (self.index_value(array, k, base.place)?, apart)
            }
            _ => (self.value(base)?, None),
        };
        let (from_n, len_n) = (self.exact_number(from)?, self.exact_number(len)?);
        let (space, at, room) = match value {
            Value::Spot(spot) => {
                let room = apart.unwrap_or(crate::layout::size_of(&spot.kind));
                (spot.space, spot.at, room)
            }
            Value::Buffer(b) => (b.space, b.at, b.len.most),
            _ => {
                return Err(Error::new(
                    base.place,
                    "this has no bytes to take",
                    "name an arena or a buffer",
                ))
            }
        };
        // How long a buffer of the client really is shows at run time; what is beyond its most is outside of any.
        let known = |n: &Num| self.out.b.known(n.id).is_some();
        let certain = space == Space::Arena || known(&from_n) && known(&len_n);
        if from_n.most.saturating_add(len_n.most) > room && certain {
            return Err(Error::new(
                from.place,
                format!(
                    "the bytes may reach {} and there are {room}",
                    crate::place::bound_text(from_n.most.saturating_add(len_n.most))
                ),
                "check position and length first",
            ));
        }
        let at = self.sum(at, from_n);
        Ok(Value::Buffer(Buffer {
            space,
            at,
            len: len_n,
            inward: false,
            last: true,
            ends: None,
            word: None,
        }))
    }

    /// `frame[k : 4]` as a number, lowest byte first: 1, 2, 4 or 8 bytes.
    pub fn word_of(&self, b: &Buffer<'a>, place: Place) -> Result<graph::Width> {
        let bytes = self.out.b.known(b.len.id).filter(|n| *n <= 8);
        bytes
            .and_then(|n| graph::Width::of_bits(n as u32 * 8))
            .ok_or_else(|| {
                Error::new(
                    place,
                    "these bytes are not a number",
                    "take 1, 2, 4 or 8 of them: `data[k : 4]`",
                )
            })
    }

    pub(super) fn seen_as(
        &mut self,
        base: &'a Expr,
        record: Name,
        place: Place,
    ) -> Result<Value<'a>> {
        let layout = self.record(self.here(), record, place)?;
        match self.value(base)? {
            Value::Spot(spot) => Ok(Value::Spot(crate::value::Spot {
                kind: Kind::Record(layout),
                ..spot
            })),
            Value::Num(n) if layout.size <= 8 => Ok(Value::Copy(layout, vec![n])),
            _ => Err(Error::new(
                place,
                "this cannot be seen as a record",
                "name a place in memory",
            )),
        }
    }

    pub(super) fn dma(&mut self, of: &'a Expr) -> Result<Value<'a>> {
        let (value, bytes) = self.located(of)?;
        if let Value::Register(register) = &value {
            return self.register_address(register).map(Value::Num);
        }
        // A piece that `spread` cut off belongs to the whole of what it was cut off.
        let piece = matches!(value, Value::Piece(_));
        let (space, at) = self.place_of(value, of.place)?;
        let address = self.device_address(space, at, of.place)?;
        let whole = self.entry.reach.spread.filter(|_| piece);
        self.lend_bytes(address.id, bytes, whole);
        Ok(Value::Num(address))
    }

    /// Where a place lies that has a device address.
    pub(crate) fn place_of(&self, value: Value<'a>, place: Place) -> Result<(Space, Num<'a>)> {
        Ok(match value {
            Value::Spot(spot) => (spot.space, spot.at),
            Value::Buffer(b) | Value::Bytes(b) | Value::Piece(b) => (b.space, b.at),
            Value::Buffers(list) if list.len() == 1 => (list[0].space, list[0].at),
            _ => {
                return Err(Error::new(
                    place,
                    "this has no device address",
                    "name a place in the arena, a buffer, or a register in memory",
                ))
            }
        })
    }

    /// The largest device address, by the rule's fact `reach`: the pump gives no memory beyond it.
    pub(crate) fn reach(&mut self) -> u64 {
        let name = self
            .rules
            .subject
            .book
            .names
            .iter()
            .position(|n| n == "reach");
        let Some(name) = name.map(|k| Name(k as u16)) else {
            return u64::MAX;
        };
        match self.resolve(self.here(), name, Place::default()) {
            Ok(Value::Num(n)) => self
                .known_now(n.id)
                .map_or(u64::MAX, |bits| ones(bits.min(64) as u32)),
            _ => u64::MAX,
        }
    }

    pub fn buffers(&mut self, e: &'a Expr) -> Result<Vec<Buffer<'a>>> {
        let v = self.value(e)?;
        self.as_buffers(v, e.place)
    }

    pub fn as_buffers(&mut self, v: Value<'a>, place: Place) -> Result<Vec<Buffer<'a>>> {
        match v {
            Value::Buffers(list) => Ok(list),
            Value::Buffer(b) | Value::Bytes(b) => Ok(vec![b]),
            Value::Spot(spot) => Ok(vec![self.buffer_of(&spot, false)]),
            Value::None => Ok(Vec::new()),
            _ => Err(Error::new(
                place,
                "these are no buffers",
                "say `.in` or `.out` of a buffer or place",
            )),
        }
    }
}
