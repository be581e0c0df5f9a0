//! Expressions.

use crate::instance::{Binding, InstanceId, Specialiser};
use crate::layout::ones;
use crate::value::{Bits, Buffer, Kind, Num, Register, Value};
use crate::{Error, Result};
use alloc::{boxed::Box, format, string::ToString, vec, vec::Vec};
use graph::{BinOp, Id, Late, Op, Space};
use rulebook::tree::{BinaryOp, Expr, ExprKind, ItemKind, Name, Place, Stage, UnaryOp};

/// An error if a value up to `most` may not fit so many bits.
pub fn store_fits(most: u64, bits: u32, place: Place) -> Result<()> {
    if most <= ones(bits) {
        return Ok(());
    }
    Err(Error::new(
        place,
        format!(
            "this can be {}, which does not fit {bits} bits",
            crate::place::bound_text(most)
        ),
        format!("check it first, or say `% {:#x}`", 1u128 << bits),
    ))
}

impl<'a> Specialiser<'a, '_> {
    /// The value of an expression, not yet loaded or read.
    pub fn value(&mut self, e: &'a Expr) -> Result<Value<'a>> {
        self.tick(e.place)?;
        match &e.kind {
            ExprKind::Number(n) => Ok(Value::Num(self.constant(*n))),
            ExprKind::Text(t) => Ok(Value::Text(self.text(*t).to_string())),
            ExprKind::Name(n) => self.name(*n, e.place),
            ExprKind::Dot(base, name) => self.dot(base, *name, e.place),
            ExprKind::Index(base, index) => self.index(base, index, e.place),
            ExprKind::Bits(base, lo, hi) => self.bit_range(base, lo, hi),
            ExprKind::Slice(base, from, len) => self.slice(base, from, len),
            ExprKind::Call(callee, arguments) => self.call(callee, arguments, e.place),
            ExprKind::Unary(op, a) => self.unary(*op, a),
            ExprKind::Binary(op, a, b) => self.binary(*op, a, b, e.place),
            ExprKind::Range(a, b) => Ok(Value::Range(self.number(a)?, self.number(b)?)),
            ExprKind::In(a, set) => self.is_in(a, set),
            ExprKind::Choose {
                stage,
                test,
                yes,
                no,
            } => self.choose(*stage, test, yes, no.as_deref(), e.place),
            ExprKind::Literal(members) => Ok(Value::Literal(members, e.place)),
            ExprKind::With(base, members) => {
                let base = self.value(base)?;
                let base = self.settle(base, e.place)?;
                Ok(Value::With(Box::new(base), members, e.place))
            }
            ExprKind::As(base, record) => self.seen_as(base, *record, e.place),
            ExprKind::Dma(of) => self.dma(of),
            ExprKind::Take { slots, keep } => self.take(slots, keep.as_deref(), e.place),
            ExprKind::Lend { ring, keep } => self.lend(ring, None, keep.as_deref(), e.place),
            ExprKind::Back(ring) => match self.value(ring)? {
                Value::Ring(id, name) => Ok(Value::Back(id, name)),
                _ => Err(Error::new(e.place, "`back` needs a ring", "name a `ring`")),
            },
            ExprKind::First { record, list, test } => self.first(*record, list, test, e.place),
            ExprKind::Those { .. } => Err(Error::new(
                e.place,
                "`those` cannot be specialised yet",
                "loop over the set with `for`",
            )),
            ExprKind::Spread { .. } => Err(Error::new(
                e.place,
                "`spread` cannot be specialised yet",
                "use one buffer a request (`segments` = 1)",
            )),
        }
    }

    /// The value as a number: registers are read, places loaded.
    pub fn number(&mut self, e: &'a Expr) -> Result<Num<'a>> {
        self.number_as(e, None)
    }

    /// The same, where `{ … }` means a number with these bits.
    pub fn number_as(&mut self, e: &'a Expr, bits: Option<Bits<'a>>) -> Result<Num<'a>> {
        let value = match (&e.kind, bits) {
            // `CAUSE & ~{ a b }`, `A | { c }`: the type goes through.
            (ExprKind::Unary(UnaryOp::Invert, inner), Some(_)) => {
                let n = self.number_as(inner, bits)?;
                return Ok(self.invert(n));
            }
            (
                ExprKind::Choose {
                    stage,
                    test,
                    yes,
                    no: Some(no),
                },
                Some(_),
            ) => return self.choose_number(*stage, test, yes, no, bits),
            _ => self.value(e)?,
        };
        self.number_for(value, bits, e.place)
    }

    pub fn number_for(
        &mut self,
        value: Value<'a>,
        bits: Option<Bits<'a>>,
        place: Place,
    ) -> Result<Num<'a>> {
        match value {
            Value::Num(n) => Ok(n),
            Value::Literal(members, at) => self.literal(members, bits, at),
            Value::BitSet(bits) => Ok(self.mask_of(bits)),
            Value::Register(r) => self.read_one(&r),
            Value::Spot(spot) => match self.load(&spot, place)? {
                Value::Num(n) => Ok(n),
                _ => Err(Error::new(
                    place,
                    "this is a record, not a number",
                    "name one of its members",
                )),
            },
            Value::Copy(_, pieces) if pieces.len() == 1 => Ok(pieces[0]),
            Value::None => Err(Error::new(
                place,
                "`none` is not a number",
                "test for it first",
            )),
            Value::Random => {
                let seed = self
                    .subject
                    .device
                    .path
                    .bytes()
                    .fold(0xcbf2_9ce4_8422_2325u64, |h, b| {
                        (h ^ b as u64).wrapping_mul(0x100_0000_01b3)
                    });
                Ok(self.constant(seed))
            }
            _ => Err(Error::new(
                place,
                "this is not a number",
                "name a register, a place in memory, a fact or a number",
            )),
        }
    }

    /// Copies what could change under us: registers are read, places loaded.
    pub fn settle(&mut self, value: Value<'a>, place: Place) -> Result<Value<'a>> {
        match value {
            Value::Register(r) => self.read(&r),
            Value::Spot(spot) if matches!(spot.kind, Kind::Number { .. } | Kind::Record(_)) => {
                self.load(&spot, place)
            }
            Value::BitSet(bits) => Ok(Value::Num(self.mask_of(bits))),
            other => Ok(other),
        }
    }

    // ---- names

    fn name(&mut self, n: Name, place: Place) -> Result<Value<'a>> {
        let from = self.frames.last().map_or(0, |f| f.scope);
        if let Some((_, binding)) = self.scopes[from..]
            .iter()
            .rev()
            .find(|(name, _)| *name == n)
        {
            return Ok(match binding.clone() {
                Binding::Value(Value::Num(n)) => Value::Num(Num {
                    most: self.node(n.id, n.most).most,
                    ..n
                }),
                Binding::Value(v) => v,
                Binding::Local { slot, most } => {
                    let id = self.b.step(Op::Local(slot));
                    Value::Num(self.node(id, most))
                }
            });
        }
        self.resolve(self.here(), n, place)
    }

    /// A name as the instance sees it: its own, its class's, what it stands on, the bus.
    pub fn resolve(&mut self, id: InstanceId, n: Name, place: Place) -> Result<Value<'a>> {
        let mut at = Some(id);
        while let Some(i) = at {
            if let Some(v) = self.own(i, n, place)? {
                return Ok(v);
            }
            at = self.instances[i].lower;
        }
        if let Some(v) = self.bus_name(n, place)? {
            return Ok(v);
        }
        if self.is_builtin(n) {
            return Ok(Value::Builtin);
        }
        Err(Error::new(
            place,
            format!("`{}` is not known here", self.text(n)),
            "if it is learned, learn it before this line; else check the spelling",
        ))
    }

    fn own(&mut self, i: InstanceId, n: Name, place: Place) -> Result<Option<Value<'a>>> {
        let instance = &self.instances[i];
        if let Some((_, v)) = instance.parameters.iter().find(|(name, _)| *name == n) {
            return Ok(Some(v.clone()));
        }
        if let Some((_, v)) = instance.facts.iter().rev().find(|(name, _)| *name == n) {
            return Ok(Some(v.clone()));
        }
        if let Some((_, part)) = instance.parts.iter().find(|(name, _)| *name == n) {
            return Ok(Some(Value::Instance(*part)));
        }
        let item = self.find_item(i, |k| match k {
            ItemKind::Reg(r) => r.name == n && r.at.is_some(),
            ItemKind::Space(s) => s.name == n && s.value.is_some(),
            ItemKind::Fact { name, value, .. } => *name == n && value.is_some(),
            ItemKind::Bits { name, .. }
            | ItemKind::State { name, .. }
            | ItemKind::Ring { name, .. }
            | ItemKind::Slots { name, .. } => *name == n,
            ItemKind::Arena(a) => a.name == n,
            ItemKind::Routine(r) => r.name == n && r.body.is_some(),
            _ => false,
        });
        let Some(item) = item else {
            let indexed = self.instances[i]
                .indexed
                .iter()
                .any(|(name, _, _)| *name == n);
            return Ok(indexed.then_some(Value::Callable(i, n)));
        };
        Ok(Some(match &item.kind {
            ItemKind::Reg(r) => Value::Register(self.register(i, r, place)),
            ItemKind::Space(s) => Value::Space(i, s.name, None),
            ItemKind::Fact {
                parameters,
                value: Some(value),
                ..
            } => {
                if !parameters.is_empty() {
                    Value::Callable(i, n)
                } else {
                    self.enter(i, Vec::new());
                    let v = self.value(value).and_then(|v| self.settle(v, place));
                    self.leave();
                    let v = self.typed_fact(i, n, v?);
                    // A fact that rests on no device access is the same every time.
                    if self.as_fact(&v).is_some() && !self.probing {
                        self.instances[i].facts.push((n, v.clone()));
                    }
                    v
                }
            }
            ItemKind::Bits { .. } => Value::BitSet(Bits::Named(i, n)),
            ItemKind::State { kind, .. } => Value::Spot(self.memory(i, n, |s| {
                let kind = s.kind(i, kind, item.place)?;
                Ok(s.state_spot(kind))
            })?),
            ItemKind::Arena(a) => Value::Spot(self.arena(i, item, a)?),
            ItemKind::Ring { .. } => Value::Ring(i, n),
            ItemKind::Slots { .. } => Value::Slots(i, n),
            _ => Value::Callable(i, n),
        }))
    }

    // ---- a.b, a[i]

    fn dot(&mut self, base: &'a Expr, name: Name, place: Place) -> Result<Value<'a>> {
        // `cpu.apic`, `fadt.pm1a`: a fact of the device by its whole name, or by its last word.
        if let ExprKind::Name(first) = &base.kind {
            if let Some(v) = self.dotted_fact(*first, name) {
                return Ok(v);
            }
        }
        let value = self.value(base)?;
        self.dot_value(value, name, place)
    }

    pub fn dot_value(&mut self, value: Value<'a>, name: Name, place: Place) -> Result<Value<'a>> {
        let word = self.text(name);
        match value {
            Value::Instance(i) => match self.own(i, name, place)? {
                Some(v) => Ok(v),
                None => Err(Error::new(
                    place,
                    format!("the part has no `{word}`"),
                    "see its rule",
                )),
            },
            Value::Register(r) => {
                let n = self.read_one(&r)?;
                self.field_of(n, name, place)
            }
            Value::Num(n) => self.field_of(n, name, place),
            Value::Copy(layout, pieces) => self.member_of_copy(&layout, &pieces, name, place),
            Value::Spot(spot) => match (word, &spot.kind) {
                ("in" | "out", _) => Ok(Value::Buffers(vec![self.buffer_of(&spot, word == "in")])),
                (_, Kind::Record(_)) => Ok(Value::Spot(self.member(&spot, name, place)?)),
                _ => {
                    let n = self.number_for(Value::Spot(spot), None, place)?;
                    self.field_of(n, name, place)
                }
            },
            Value::Buffer(b) => match word {
                "len" => Ok(Value::Num(b.len)),
                "last" => Ok(Value::Num(self.constant(b.last as u64))),
                "in" | "out" => Ok(Value::Buffers(vec![Buffer {
                    inward: word == "in",
                    ..b
                }])),
                _ => Err(Error::new(
                    place,
                    format!("a buffer has no `{word}`"),
                    "use len, in, out, before(n) or with(n)",
                )),
            },
            Value::Piece(b) => match word {
                "len" => Ok(Value::Num(b.len)),
                "last" => Ok(Value::Num(self.constant(b.last as u64))),
                "in" | "out" => Ok(Value::Num(
                    self.constant((b.inward == (word == "in")) as u64),
                )),
                _ => Err(Error::new(
                    place,
                    format!("a buffer of a list has no `{word}`"),
                    "use len, last, in or out",
                )),
            },
            Value::Bytes(b) if matches!(word, "in" | "out") => Ok(Value::Buffers(vec![Buffer {
                inward: word == "in",
                ..b
            }])),
            Value::Buffers(list) => match word {
                "count" => Ok(Value::Num(self.constant(list.len() as u64))),
                "in" | "out" => Ok(Value::Buffers(
                    list.into_iter()
                        .map(|b| Buffer {
                            inward: word == "in",
                            ..b
                        })
                        .collect(),
                )),
                "len" => {
                    let mut sum = self.constant(0);
                    for b in list {
                        sum = self.sum(sum, b.len);
                    }
                    Ok(Value::Num(sum))
                }
                _ => Err(Error::new(
                    place,
                    format!("buffers have no `{word}`"),
                    "use count, len, in or out",
                )),
            },
            Value::List(list) if word == "count" => {
                Ok(Value::Num(self.constant(list.len() as u64)))
            }
            Value::Ring(i, ring) => self.ring_member(i, ring, name, place),
            Value::Slots(i, slots) if word == "busy" => {
                Ok(Value::Num(self.busy_set(i, slots, place)?))
            }
            Value::OneSlot(i, slots, index) => self.slot_member(i, slots, index, name, place),
            Value::Space(i, space, index) => {
                let item = self.find_item(
                    i,
                    |k| matches!(k, ItemKind::Reg(r) if r.name == name && r.at.is_some()),
                );
                let Some(item) = item else {
                    return Err(Error::new(
                        place,
                        format!("there is no register `{word}`"),
                        "see the rule's registers",
                    ));
                };
                let ItemKind::Reg(reg) = &item.kind else {
                    return Err(Error::new(place, "no register", "name one"));
                };
                let mut r = self.register(i, reg, place);
                r.space = Some(space);
                r.space_index = index;
                Ok(Value::Register(r))
            }
            Value::Irq => {
                let holds = match word {
                    "level" => !self.subject.device.wires.is_empty(),
                    _ => false,
                };
                Ok(Value::Num(self.constant(holds as u64)))
            }
            Value::Region(region) if word == "here" => {
                Ok(Value::Num(self.constant((region.size != 0) as u64)))
            }
            Value::None if word == "here" => Ok(Value::Num(self.constant(0))),
            _ => Err(Error::new(
                place,
                format!("nothing here has a `{word}`"),
                "check what stands before the dot",
            )),
        }
    }

    pub fn field_of(&mut self, n: Num<'a>, name: Name, place: Place) -> Result<Value<'a>> {
        let Some(field) = n.bits.and_then(|b| self.field(b, name)) else {
            return Err(Error::new(
                place,
                format!("no field `{}` here", self.text(name)),
                "see the declaration of the value",
            ));
        };
        let id = self.b.extract(n.id, field.lo as u8, field.width as u8);
        let mut n = self.node(id, ones(field.width));
        n.bits = field.bits;
        Ok(Value::Num(n))
    }

    fn buffer_of(&mut self, spot: &crate::value::Spot<'a>, inward: bool) -> Buffer<'a> {
        let len = self.constant(crate::layout::size_of(&spot.kind));
        Buffer {
            space: spot.space,
            at: spot.at,
            len,
            inward,
            last: false,
        }
    }

    fn index(&mut self, base: &'a Expr, index: &'a Expr, place: Place) -> Result<Value<'a>> {
        let value = self.value(base)?;
        let k = self.number(index)?;
        match value {
            Value::Register(r) => Ok(Value::Register(Register {
                index: Some(k),
                ..r
            })),
            Value::Spot(spot) => Ok(Value::Spot(self.element(&spot, k, place)?)),
            Value::Space(i, name, None) => Ok(Value::Space(i, name, Some(k))),
            Value::Slots(i, name) => Ok(Value::OneSlot(i, name, k)),
            // One byte of a client's buffer.
            Value::Buffer(b) => {
                let at = self.sum(b.at, k);
                Ok(Value::Num(self.raw_load(b.space, at, graph::Width::B8)))
            }
            Value::List(list) => {
                let at = self.b.known(k.id).ok_or_else(|| {
                    Error::new(
                        place,
                        "a list is indexed by facts only",
                        "keep it in an arena or a state to index it at run time",
                    )
                })?;
                list.get(at as usize).cloned().ok_or_else(|| {
                    Error::new(
                        place,
                        format!("the list has {} elements", list.len()),
                        "check the index",
                    )
                })
            }
            Value::Callable(i, name) => {
                let at = self.b.known(k.id).ok_or_else(|| {
                    Error::new(
                        place,
                        "a learned fact is indexed by facts only",
                        "use a number known beforehand",
                    )
                })?;
                let found = self.instances[i]
                    .indexed
                    .iter()
                    .find(|(n, at2, _)| *n == name && *at2 == at)
                    .map(|(_, _, v)| *v);
                found.map(Value::Num).ok_or_else(|| {
                    Error::new(
                        place,
                        format!("`{}[{at}]` has not been learned", self.text(name)),
                        "learn it first",
                    )
                })
            }
            _ => Err(Error::new(
                place,
                "this cannot be indexed",
                "use a register, an array, a list or slots",
            )),
        }
    }

    fn bit_range(&mut self, base: &'a Expr, lo: &'a Expr, hi: &'a Expr) -> Result<Value<'a>> {
        let n = self.number(base)?;
        let (lo_n, hi_n) = (self.number(lo)?, self.number(hi)?);
        match (self.b.known(lo_n.id), self.b.known(hi_n.id)) {
            (Some(l), Some(h)) if l < h && h <= 64 => {
                let id = self.b.extract(n.id, l as u8, (h - l) as u8);
                Ok(Value::Num(self.node(id, ones((h - l) as u32))))
            }
            _ => Err(Error::new(
                lo.place,
                "a range of bits needs two known numbers, the lower first, at most 64",
                "write `value[lo..hi]`",
            )),
        }
    }

    /// `RX[from : len]`, `frame[from : len]`
    fn slice(&mut self, base: &'a Expr, from: &'a Expr, len: &'a Expr) -> Result<Value<'a>> {
        let value = self.value(base)?;
        let (from_n, len_n) = (self.number(from)?, self.number(len)?);
        let (space, at, room) = match value {
            Value::Spot(spot) => (spot.space, spot.at, crate::layout::size_of(&spot.kind)),
            Value::Buffer(b) => (b.space, b.at, b.len.most),
            _ => {
                return Err(Error::new(
                    base.place,
                    "this has no bytes to take",
                    "name an arena or a buffer",
                ))
            }
        };
        if from_n.most.saturating_add(len_n.most) > room && space == Space::Arena {
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
        }))
    }

    fn seen_as(&mut self, base: &'a Expr, record: Name, place: Place) -> Result<Value<'a>> {
        let layout = self.record(self.here(), record, place)?;
        match self.value(base)? {
            Value::Spot(spot) => Ok(Value::Spot(crate::value::Spot {
                kind: Kind::Record(layout),
                ..spot
            })),
            Value::Num(n) => Ok(Value::Copy(layout, vec![n])),
            _ => Err(Error::new(
                place,
                "this cannot be seen as a record",
                "name a place in memory",
            )),
        }
    }

    fn dma(&mut self, of: &'a Expr) -> Result<Value<'a>> {
        let (space, at) = match self.value(of)? {
            Value::Spot(spot) => (spot.space, spot.at),
            Value::Buffer(b) | Value::Bytes(b) | Value::Piece(b) => (b.space, b.at),
            Value::Buffers(list) if list.len() == 1 => (list[0].space, list[0].at),
            Value::OneSlot(i, slots, index) => {
                let spot = self.slot_spot(i, slots, index, of.place)?;
                (spot.space, spot.at)
            }
            Value::Ring(i, ring) => {
                let spot = self.ring_cells(i, ring, of.place)?;
                (spot.space, spot.at)
            }
            _ => {
                return Err(Error::new(
                    of.place,
                    "this has no device address",
                    "name a place in the arena or a buffer",
                ))
            }
        };
        let late = match space {
            Space::Arena => Late::ArenaDma,
            Space::Pool => Late::PoolDma,
            Space::State => {
                return Err(Error::new(
                    of.place,
                    "the device cannot see private state",
                    "put it into an `arena`",
                ))
            }
        };
        let base = match self.live.as_mut() {
            Some(live) => {
                let v = live.late(late);
                self.b.constant(v)
            }
            None => self.b.late(late),
        };
        let id = self.b.bin(BinOp::Add, base, at.id);
        Ok(Value::Num(self.node(id, u64::MAX)))
    }

    // ---- operators

    fn invert(&mut self, n: Num<'a>) -> Num<'a> {
        let all = self.b.constant(u64::MAX);
        let id = self.b.bin(BinOp::Xor, n.id, all);
        Num {
            open: true,
            bits: n.bits,
            ..self.node(id, u64::MAX)
        }
    }

    fn unary(&mut self, op: UnaryOp, a: &'a Expr) -> Result<Value<'a>> {
        let n = self.number(a)?;
        let zero = self.b.constant(0);
        Ok(Value::Num(match op {
            UnaryOp::Not => {
                let id = self.b.bin(BinOp::Eq, n.id, zero);
                self.node(id, 1)
            }
            UnaryOp::Invert => self.invert(n),
            UnaryOp::Negate => {
                let id = self.b.bin(BinOp::Sub, zero, n.id);
                Num {
                    open: true,
                    ..self.node(id, u64::MAX)
                }
            }
        }))
    }

    fn binary(
        &mut self,
        op: BinaryOp,
        a: &'a Expr,
        b: &'a Expr,
        place: Place,
    ) -> Result<Value<'a>> {
        match op {
            BinaryOp::Both | BinaryOp::Either => return self.logical(op, a, b),
            BinaryOp::Join => {
                let mut list = self.buffers(a)?;
                list.extend(self.buffers(b)?);
                return Ok(Value::Buffers(list));
            }
            _ => {}
        }
        let left = self.value(a)?;
        match (&left, op) {
            (Value::Region(_), BinaryOp::Add) => {
                let Value::Region(mut region) = left else {
                    return Ok(Value::None);
                };
                let n = self.number(b)?;
                match self.b.known(n.id) {
                    Some(by) => {
                        region.base += by;
                        region.size = region.size.saturating_sub(by);
                    }
                    None => region.offset = Some(n.id),
                }
                return Ok(Value::Region(region));
            }
            (
                Value::Text(_) | Value::Texts(_) | Value::None | Value::Region(_),
                BinaryOp::Eq | BinaryOp::Ne,
            ) => {
                let right = self.value(b)?;
                let same = match (&left, &right) {
                    (Value::Text(x), Value::Text(y)) => x == y,
                    (Value::Texts(list), Value::Text(y)) => list.iter().any(|x| x == y),
                    (Value::None, Value::None) => true,
                    _ => false,
                };
                return Ok(Value::Num(
                    self.constant((same == (op == BinaryOp::Eq)) as u64),
                ));
            }
            _ => {}
        }
        // A literal takes its meaning from the other side.
        let (x, y) = if matches!(left, Value::Literal(..)) {
            let y = self.number(b)?;
            (self.number_for(left, y.bits, a.place)?, y)
        } else {
            let x = self.number_for(left, None, a.place)?;
            (x, self.number_as(b, x.bits)?)
        };
        Ok(Value::Num(self.arithmetic(op, x, y, place)?))
    }

    pub fn arithmetic(
        &mut self,
        op: BinaryOp,
        x: Num<'a>,
        y: Num<'a>,
        place: Place,
    ) -> Result<Num<'a>> {
        let (node, most, swap) = match op {
            BinaryOp::Add => (BinOp::Add, x.most.saturating_add(y.most), false),
            BinaryOp::Sub => (BinOp::Sub, u64::MAX, false),
            BinaryOp::Mul => (BinOp::Mul, x.most.saturating_mul(y.most), false),
            BinaryOp::Div | BinaryOp::Rem => {
                let Some(by) = self.b.known(y.id).filter(|n| *n != 0) else {
                    return Err(Error::new(
                        place,
                        "the divisor must be a known number that is not 0",
                        "learn it first, or check it",
                    ));
                };
                if op == BinaryOp::Div {
                    (BinOp::Div, x.most / by, false)
                } else {
                    (BinOp::Rem, x.most.min(by - 1), false)
                }
            }
            BinaryOp::And => (BinOp::And, x.most.min(y.most), false),
            BinaryOp::Or | BinaryOp::Xor => {
                let top = x.most | y.most;
                let most = if top == 0 {
                    0
                } else {
                    u64::MAX >> top.leading_zeros()
                };
                (
                    if op == BinaryOp::Or {
                        BinOp::Or
                    } else {
                        BinOp::Xor
                    },
                    most,
                    false,
                )
            }
            BinaryOp::Shl => {
                let by = y.most;
                let most = if by < 64 && x.most.leading_zeros() as u64 >= by {
                    x.most << by
                } else {
                    u64::MAX
                };
                (BinOp::Shl, most, false)
            }
            BinaryOp::Shr => (
                BinOp::Shr,
                self.b
                    .known(y.id)
                    .map_or(x.most, |by| if by < 64 { x.most >> by } else { 0 }),
                false,
            ),
            BinaryOp::Eq => (BinOp::Eq, 1, false),
            BinaryOp::Ne => (BinOp::Ne, 1, false),
            BinaryOp::Lt => (BinOp::Lt, 1, false),
            BinaryOp::Le => (BinOp::Le, 1, false),
            BinaryOp::Gt => (BinOp::Lt, 1, true),
            BinaryOp::Ge => (BinOp::Le, 1, true),
            BinaryOp::Both | BinaryOp::Either | BinaryOp::Join => {
                return Err(Error::new(
                    place,
                    "not an arithmetic operator",
                    "use numbers",
                ))
            }
        };
        let (a, b): (Id, Id) = if swap { (y.id, x.id) } else { (x.id, y.id) };
        let id = self.b.bin(node, a, b);
        let mut n = self.node(id, most);
        if self.b.known(id).is_none() {
            n.most = n.most.min(self.b.most(id));
        }
        n.open = (x.open || y.open)
            && matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Xor)
            && n.most == u64::MAX;
        if matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Xor) {
            n.bits = x.bits.or(y.bits);
        }
        Ok(n)
    }

    pub fn truth(&mut self, n: Num<'a>) -> Num<'a> {
        if n.most <= 1 || self.b.most(n.id) <= 1 {
            return n;
        }
        let zero = self.b.constant(0);
        let id = self.b.bin(BinOp::Ne, n.id, zero);
        self.node(id, 1)
    }

    /// `and`, `or`: the right side runs only if the left does not decide.
    fn logical(&mut self, op: BinaryOp, a: &'a Expr, b: &'a Expr) -> Result<Value<'a>> {
        let left = self.value(a)?;
        // `bar(1) or bar(0)`: the first that is there.
        if op == BinaryOp::Either {
            match left {
                Value::Region(_) => return Ok(left),
                Value::None => return self.value(b),
                _ => {}
            }
        }
        let x = self.number_for(left, None, a.place)?;
        let x = self.truth(x);
        let both = op == BinaryOp::Both;
        if let Some(v) = self.b.known(x.id) {
            if (v != 0) != both {
                return Ok(Value::Num(self.constant(v)));
            }
            let y = self.number(b)?;
            return Ok(Value::Num(self.truth(y)));
        }
        // Device reads on the right must not happen when the left decides.
        let slot = self.b.new_local();
        let before = self.b.step(Op::SetLocal(slot, x.id));
        self.region_open();
        let y = self.number(b)?;
        let y = self.truth(y);
        if self.b.current_is_empty() {
            // Nothing was touched: both sides may be computed.
            self.region_close();
            self.b.take_back(before);
            let id = self
                .b
                .bin(if both { BinOp::And } else { BinOp::Or }, x.id, y.id);
            return Ok(Value::Num(self.node(id, 1)));
        }
        self.b.step(Op::SetLocal(slot, y.id));
        let inner = self.region_close();
        self.region_open();
        let empty = self.region_close();
        let (yes, no) = if both { (inner, empty) } else { (empty, inner) };
        self.b.step(Op::If {
            cond: x.id,
            yes,
            no,
        });
        let id = self.b.step(Op::Local(slot));
        Ok(Value::Num(self.node(id, 1)))
    }

    fn is_in(&mut self, a: &'a Expr, set: &'a Expr) -> Result<Value<'a>> {
        let n = self.number(a)?;
        match self.value(set)? {
            Value::Range(lo, hi) => {
                let low = self.b.bin(BinOp::Le, lo.id, n.id);
                let high = self.b.bin(BinOp::Lt, n.id, hi.id);
                let id = self.b.bin(BinOp::And, low, high);
                Ok(Value::Num(self.node(id, 1)))
            }
            Value::List(list) => {
                let mut id = self.b.constant(0);
                for v in list {
                    let v = self.number_for(v, None, set.place)?;
                    let same = self.b.bin(BinOp::Eq, n.id, v.id);
                    id = self.b.bin(BinOp::Or, id, same);
                }
                Ok(Value::Num(self.node(id, 1)))
            }
            _ => Err(Error::new(
                set.place,
                "`in` needs a range or a list",
                "write `x in 1..5`",
            )),
        }
    }

    fn choose(
        &mut self,
        stage: Stage,
        test: &'a Expr,
        yes: &'a Expr,
        no: Option<&'a Expr>,
        place: Place,
    ) -> Result<Value<'a>> {
        let t = self.number(test)?;
        match (self.b.known(t.id), no) {
            (Some(0), Some(no)) => self.value(no),
            (Some(0), None) => Ok(Value::Num(self.constant(0))),
            (Some(_), _) => self.value(yes),
            (None, Some(no)) if stage == Stage::Run => {
                Ok(Value::Num(self.choose_number(stage, test, yes, no, None)?))
            }
            _ => Err(Error::new(
                place,
                "this choice is made by facts, and its test is none",
                "use `if … else`, or learn it first",
            )),
        }
    }

    fn choose_number(
        &mut self,
        stage: Stage,
        test: &'a Expr,
        yes: &'a Expr,
        no: &'a Expr,
        bits: Option<Bits<'a>>,
    ) -> Result<Num<'a>> {
        let t = self.number(test)?;
        match self.b.known(t.id) {
            Some(0) => return self.number_as(no, bits),
            Some(_) => return self.number_as(yes, bits),
            None if stage == Stage::Fact => {
                return Err(Error::new(
                    test.place,
                    "this choice is made by facts, and its test is none",
                    "use `if … else`, or learn it first",
                ))
            }
            None => {}
        }
        let slot = self.b.new_local();
        self.region_open();
        let a = self.number_as(yes, bits)?;
        let pure = self.b.current_is_empty();
        self.b.step(Op::SetLocal(slot, a.id));
        let yes = self.region_close();
        self.region_open();
        let b = self.number_as(no, bits)?;
        if pure && self.b.current_is_empty() {
            self.region_close();
            let id = self.b.select(t.id, a.id, b.id);
            return Ok(self.node(id, a.most.max(b.most)));
        }
        self.b.step(Op::SetLocal(slot, b.id));
        let no = self.region_close();
        self.b.step(Op::If {
            cond: t.id,
            yes,
            no,
        });
        let id = self.b.step(Op::Local(slot));
        Ok(self.node(id, a.most.max(b.most)))
    }

    // ---- buffers

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

    // ---- regions

    pub fn region_open(&mut self) {
        self.b.open();
        self.nest += 1;
        self.narrow_marks.push(self.narrowed.len());
    }

    pub fn region_close(&mut self) -> graph::RegionId {
        self.nest -= 1;
        // What was proved inside does not hold outside.
        let mark = self.narrow_marks.pop().unwrap_or(0);
        self.narrowed.truncate(mark);
        self.b.close()
    }
}
