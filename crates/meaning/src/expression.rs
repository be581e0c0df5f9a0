//! Expressions: operators, choices, members, elements.

use crate::value::{ones, Bits, Buffer, Kind, Num, Register, Value, Written};
use crate::{refused, wrong, Meaning, Outside, Run};
use graph::Width;
use rulebook::tree::{BinaryOp, Expr, ExprKind, ItemKind, Member, Name, Place, UnaryOp};
use std::rc::Rc;

impl<'a> Meaning<'a> {
    /// What an expression stands for: a place is not loaded yet, a register not read.
    pub(crate) fn value(&mut self, io: &mut dyn Outside, e: &'a Expr) -> Run<Value<'a>> {
        self.tick()?;
        match &e.kind {
            ExprKind::Number(n) => Ok(Value::number(*n)),
            ExprKind::Text(t) => Ok(Value::Text(self.text(*t).to_owned())),
            ExprKind::Name(n) => self.name(io, *n, e.place),
            ExprKind::Dot(base, name) => self.dot(io, base, *name, e.place),
            ExprKind::Index(base, index) => self.index(io, base, index, e.place),
            ExprKind::Bits(base, lo, hi) => {
                let n = self.number(io, base)?;
                let lo = self.number(io, lo)?;
                let hi = self.number(io, hi)?;
                if !(0 <= lo.v && lo.v < hi.v && hi.v <= 64) {
                    return wrong(e.place, format!("bits {}..{}", lo.v, hi.v));
                }
                Ok(Value::number(
                    (n.v >> lo.v) as u64 & ones((hi.v - lo.v) as u32),
                ))
            }
            ExprKind::Slice(base, from, len) => self.slice(io, base, from, len),
            ExprKind::Call(callee, arguments) => self.call(io, callee, arguments, e.place),
            ExprKind::Unary(op, a) => self.unary(io, *op, a),
            ExprKind::Binary(op, a, b) => self.binary(io, *op, a, b, e.place),
            ExprKind::Range(a, b) => {
                let a = self.number(io, a)?;
                Ok(Value::Range(a.v, self.number(io, b)?.v))
            }
            ExprKind::In(a, set) => self.is_in(io, a, set),
            ExprKind::Choose { test, yes, no, .. } => match (self.condition(io, test)?, no) {
                (true, _) => self.value(io, yes),
                (false, Some(no)) => self.value(io, no),
                (false, None) => Ok(Value::number(0)),
            },
            ExprKind::Literal(members) => Ok(Value::Literal(self.written(members))),
            ExprKind::With(base, members) => {
                let base = self.value(io, base)?;
                let base = self.settle(io, base, e.place)?;
                Ok(Value::With(Box::new(base), self.written(members)))
            }
            ExprKind::As(base, record) => {
                let layout = self.record(io, self.here(), *record, e.place)?;
                match self.value(io, base)? {
                    Value::Spot(mut spot) => {
                        spot.kind = Kind::Record(layout);
                        Ok(Value::Spot(spot))
                    }
                    Value::Num(n) => {
                        let bytes = self.fit(n, 64, e.place)?.to_le_bytes();
                        Ok(Value::Copy(layout, bytes.to_vec()))
                    }
                    _ => wrong(e.place, "this cannot be seen as a record"),
                }
            }
            ExprKind::Dma(of) => self.dma(io, of),
            ExprKind::Take { slots, keep } => self.take(io, slots, keep.as_deref(), e.place),
            ExprKind::Lend { ring, keep } => self.lend(io, ring, None, keep.as_deref(), e.place),
            ExprKind::Back(ring) => match self.value(io, ring)? {
                Value::Ring(i, name) => Ok(Value::Back(i, name)),
                _ => wrong(e.place, "`back` needs a ring"),
            },
            ExprKind::First { record, list, test } => {
                self.first_of(io, *record, list, test, e.place)
            }
            ExprKind::Those { name, set, test } => {
                let set_value = self.value(io, set)?;
                let mut list = Vec::new();
                for k in self.numbers(io, set_value, set.place)? {
                    let holds = self.scoped(|m| {
                        m.bind(*name, Value::number(k));
                        m.condition(io, test)
                    })?;
                    if holds {
                        list.push(Value::number(k));
                    }
                }
                Ok(Value::List(list))
            }
            ExprKind::Spread { .. } => self.spread(io, e),
            ExprKind::List(list) => {
                let mut out = Vec::new();
                for one in list {
                    let value = self.value(io, one)?;
                    out.push(match self.settle(io, value, one.place)? {
                        Value::Text(text) => Value::Text(text),
                        value => {
                            let n = self.number_of(io, value, None, one.place)?;
                            Value::number(self.small(n, one.place)?)
                        }
                    });
                }
                Ok(Value::List(out))
            }
        }
    }

    fn written(&self, members: &'a [Member]) -> Written<'a> {
        let locals = self.frames.last().map(|f| f.locals.clone());
        Written {
            members,
            instance: self.here(),
            locals: Rc::new(locals.unwrap_or_default()),
        }
    }

    pub(crate) fn number(&mut self, io: &mut dyn Outside, e: &'a Expr) -> Run<Num<'a>> {
        self.number_as(io, e, None)
    }

    /// The value as a number, where `{ … }` means one with these bits.
    pub(crate) fn number_as(
        &mut self,
        io: &mut dyn Outside,
        e: &'a Expr,
        bits: Option<Bits<'a>>,
    ) -> Run<Num<'a>> {
        // What is meant by braces goes through `~` and choices.
        if bits.is_some() {
            match &e.kind {
                ExprKind::Unary(UnaryOp::Invert, a) => {
                    let n = self.number_as(io, a, bits)?;
                    return Ok(inverted(n));
                }
                ExprKind::Choose {
                    test,
                    yes,
                    no: Some(no),
                    ..
                } => {
                    let side = if self.condition(io, test)? { yes } else { no };
                    return self.number_as(io, side, bits);
                }
                _ => {}
            }
        }
        let value = self.value(io, e)?;
        self.number_of(io, value, bits, e.place)
    }

    pub(crate) fn number_of(
        &mut self,
        io: &mut dyn Outside,
        value: Value<'a>,
        bits: Option<Bits<'a>>,
        place: Place,
    ) -> Run<Num<'a>> {
        match value {
            Value::Num(n) => Ok(n),
            Value::Literal(written) => self.literal(io, &written, bits),
            Value::BitSet(set) => match self.mask_of(set) {
                Value::Num(n) => Ok(n),
                _ => wrong(place, "no bits"),
            },
            Value::Register(r) => self.read_one(io, &r),
            Value::Spot(spot) => match self.load(io, &spot, place)? {
                Value::Num(n) => Ok(n),
                _ => wrong(place, "a record is no number"),
            },
            Value::Copy(layout, bytes) if layout.size <= 8 => {
                let mut word = [0; 8];
                word[..bytes.len().min(8)].copy_from_slice(&bytes[..bytes.len().min(8)]);
                Ok(plain(u64::from_le_bytes(word)))
            }
            Value::Buffer(Buffer { word: Some(n), .. }) => Ok(plain(n)),
            Value::Buffer(b) => {
                let width = self.word_width(&b, place)?;
                Ok(plain(io.load(b.space, b.at, width) & width.mask()))
            }
            Value::Random => {
                // A number of the device's own: FNV-1a of its path.
                let path = self.subject.device.path.bytes();
                Ok(plain(path.fold(0xcbf2_9ce4_8422_2325, |h, b| {
                    (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)
                })))
            }
            Value::Back(i, ring) => Ok(plain(self.is_back(io, i, ring, place)?.is_some().into())),
            _ => wrong(place, "this is no number"),
        }
    }

    /// A number of 64 bits: a place, a count.
    pub(crate) fn small(&self, n: Num<'a>, place: Place) -> Run<u64> {
        match u64::try_from(n.v) {
            Ok(n) => Ok(n),
            Err(_) => wrong(place, format!("{} is no number of 64 bits", n.v)),
        }
    }

    pub(crate) fn condition(&mut self, io: &mut dyn Outside, e: &'a Expr) -> Run<bool> {
        Ok(self.number(io, e)?.v != 0)
    }

    /// Copies what could change: a register is read, a place loaded.
    pub(crate) fn settle(
        &mut self,
        io: &mut dyn Outside,
        value: Value<'a>,
        place: Place,
    ) -> Run<Value<'a>> {
        match value {
            Value::Register(r) => self.read(io, &r),
            Value::Spot(spot) if !matches!(spot.kind, Kind::Array(..)) => {
                self.load(io, &spot, place)
            }
            // Bytes that are a number are read now, whatever they are used for later.
            Value::Buffer(b) if b.word.is_none() => {
                let word = match self.word_width(&b, place) {
                    Ok(width) => Some(io.load(b.space, b.at, width) & width.mask()),
                    Err(_) => None,
                };
                Ok(Value::Buffer(Buffer { word, ..b }))
            }
            Value::BitSet(bits) => Ok(self.mask_of(bits)),
            Value::With(base, written) => match *base {
                Value::Copy(layout, bytes) => {
                    let base = Box::new(Value::Copy(layout.clone(), bytes));
                    let value = Value::With(base, written);
                    let bytes = self.record_bytes(io, &layout, value, place)?;
                    Ok(Value::Copy(layout, bytes))
                }
                base => Ok(Value::With(Box::new(base), written)),
            },
            other => Ok(other),
        }
    }

    /// `{ a b: 3 }` as a number with these bits.
    fn literal(
        &mut self,
        io: &mut dyn Outside,
        written: &Written<'a>,
        bits: Option<Bits<'a>>,
    ) -> Run<Num<'a>> {
        let locals = (*written.locals).clone();
        self.within(written.instance, locals, |m| {
            let mut whole = 0u64;
            for member in written.members {
                let Some(name) = member.path.first() else {
                    if let Some(e) = &member.value {
                        let n = m.number_as(io, e, bits)?;
                        whole |= m.fit(n, 64, member.place)?;
                    }
                    continue;
                };
                let Some(field) = bits.and_then(|bits| m.field(bits, *name)) else {
                    return wrong(member.place, format!("no field `{}` here", m.text(*name)));
                };
                let (n, lo, width) = m.member_bits(io, member, field.bits, field.width)?;
                let lo = field.lo + lo;
                whole = whole & !(ones(width) << lo) | n << lo;
            }
            Ok(Num {
                v: whole.into(),
                bits,
                open: false,
            })
        })
    }

    fn unary(&mut self, io: &mut dyn Outside, op: UnaryOp, a: &'a Expr) -> Run<Value<'a>> {
        let n = self.number(io, a)?;
        Ok(Value::Num(match op {
            UnaryOp::Not => plain((n.v == 0).into()),
            UnaryOp::Invert => inverted(n),
            UnaryOp::Negate => Num {
                v: -n.v,
                bits: None,
                open: true,
            },
        }))
    }

    fn binary(
        &mut self,
        io: &mut dyn Outside,
        op: BinaryOp,
        a: &'a Expr,
        b: &'a Expr,
        place: Place,
    ) -> Run<Value<'a>> {
        if op == BinaryOp::Join {
            let left = self.value(io, a)?;
            let mut list = self.buffers(left, a.place)?;
            let right = self.value(io, b)?;
            list.extend(self.buffers(right, b.place)?);
            return Ok(Value::Buffers(list));
        }
        let left = match (op, self.value(io, a)?) {
            (BinaryOp::Add | BinaryOp::Either, Value::Space(i, name, index)) => {
                self.begins_in(io, i, name, index, a.place)?
            }
            (_, left) => left,
        };
        match (op, left) {
            (BinaryOp::Add, Value::None) => Ok(Value::None),
            // `bar(1) or bar(0)`: the first that is there.
            (BinaryOp::Either, Value::None) => self.value(io, b),
            (BinaryOp::Either, left @ Value::Region(_)) => Ok(left),
            (BinaryOp::Both | BinaryOp::Either, left) => {
                let decides = op == BinaryOp::Either;
                let left = self.number_of(io, left, None, a.place)?.v != 0;
                match left == decides {
                    true => Ok(Value::truth(left)),
                    false => Ok(Value::truth(self.condition(io, b)?)),
                }
            }
            (BinaryOp::Add, Value::Region(mut region)) => {
                region.offset += self.number(io, b)?.v;
                Ok(Value::Region(region))
            }
            (
                BinaryOp::Eq | BinaryOp::Ne,
                left @ (Value::Text(_) | Value::Texts(_) | Value::None | Value::Region(_)),
            ) => {
                let same = match (&left, &self.value(io, b)?) {
                    (Value::Text(x), Value::Text(y)) => x == y,
                    (Value::Texts(list), Value::Text(y)) => list.contains(y),
                    (Value::None, Value::None) => true,
                    _ => false,
                };
                Ok(Value::truth(same == (op == BinaryOp::Eq)))
            }
            // Braces mean what the other side says.
            (_, left @ Value::Literal(..)) => {
                let y = self.number(io, b)?;
                let x = self.number_of(io, left, y.bits, a.place)?;
                self.arithmetic(op, x, y, place).map(Value::Num)
            }
            (_, left) => {
                let x = self.number_of(io, left, None, a.place)?;
                let y = self.number_as(io, b, x.bits)?;
                self.arithmetic(op, x, y, place).map(Value::Num)
            }
        }
    }

    /// Exact: the result is as large as it needs to be.
    pub(crate) fn arithmetic(
        &mut self,
        op: BinaryOp,
        x: Num<'a>,
        y: Num<'a>,
        place: Place,
    ) -> Run<Num<'a>> {
        let (a, b) = (x.v, y.v);
        let v = match op {
            BinaryOp::Add => a.checked_add(b),
            BinaryOp::Sub => a.checked_sub(b),
            BinaryOp::Mul => a.checked_mul(b),
            BinaryOp::Div if b > 0 => a.checked_div_euclid(b),
            BinaryOp::Rem if b > 0 => a.checked_rem_euclid(b),
            BinaryOp::And => Some(a & b),
            BinaryOp::Or => Some(a | b),
            BinaryOp::Xor => Some(a ^ b),
            BinaryOp::Shl if a == 0 => Some(0),
            BinaryOp::Shl if (0..120).contains(&b) => a.checked_mul(1 << b),
            BinaryOp::Shr if b >= 0 => Some(a >> b.min(127)),
            BinaryOp::Eq => Some((a == b).into()),
            BinaryOp::Ne => Some((a != b).into()),
            BinaryOp::Lt => Some((a < b).into()),
            BinaryOp::Le => Some((a <= b).into()),
            BinaryOp::Gt => Some((a > b).into()),
            BinaryOp::Ge => Some((a >= b).into()),
            _ => None,
        };
        let Some(v) = v else {
            let what = format!("{a} {} {b}", op.sign());
            return match op {
                BinaryOp::Div | BinaryOp::Rem if b <= 0 => {
                    wrong(place, format!("{what} is no number"))
                }
                BinaryOp::Shl | BinaryOp::Shr if b < 0 => {
                    wrong(place, format!("{what} is no number"))
                }
                _ => refused(place, "a number of more than 127 bits"),
            };
        };
        let bitwise = matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Xor);
        Ok(Num {
            v,
            bits: x.bits.or(y.bits).filter(|_| bitwise),
            open: bitwise && (x.open || y.open),
        })
    }

    fn is_in(&mut self, io: &mut dyn Outside, a: &'a Expr, set: &'a Expr) -> Run<Value<'a>> {
        let left = self.value(io, a)?;
        if matches!(left, Value::Text(_) | Value::Texts(_) | Value::None) {
            let Value::List(list) = self.value(io, set)? else {
                return wrong(set.place, "a text is in a list of texts");
            };
            let found = list.iter().any(|one| match (&left, one) {
                (Value::Text(x), Value::Text(y)) => x == y,
                (Value::Texts(x), Value::Text(y)) => x.contains(y),
                _ => false,
            });
            return Ok(Value::truth(found));
        }
        let n = self.number_of(io, left, None, a.place)?;
        // What stands in braces in a list has the bits of the number that is looked for.
        if let ExprKind::List(list) = &set.kind {
            let mut found = false;
            for one in list {
                let value = self.value(io, one)?;
                if !matches!(value, Value::Text(_)) {
                    found |= self.number_of(io, value, n.bits, one.place)?.v == n.v;
                }
            }
            return Ok(Value::truth(found));
        }
        let found = match self.value(io, set)? {
            Value::Range(lo, hi) => lo <= n.v && n.v < hi,
            Value::List(list) => {
                let mut found = false;
                for one in list {
                    if !matches!(one, Value::Text(_)) {
                        found |= self.number_of(io, one, None, set.place)?.v == n.v;
                    }
                }
                found
            }
            other => {
                let list = self.numbers(io, other, set.place)?;
                list.iter().any(|k| i128::from(*k) == n.v)
            }
        };
        Ok(Value::truth(found))
    }

    // ---- `a.b`, `a[k]`

    fn dot(
        &mut self,
        io: &mut dyn Outside,
        base: &'a Expr,
        name: Name,
        place: Place,
    ) -> Run<Value<'a>> {
        if let ExprKind::Name(first) = &base.kind {
            let bound = self.frames.last();
            let bound = bound.is_some_and(|f| f.locals.iter().any(|(n, _)| n == first));
            if let (false, Some(value)) = (bound, self.dotted_fact(*first, name)) {
                return Ok(value);
            }
        }
        let value = self.value(io, base)?;
        self.dot_value(io, value, name, place)
    }

    pub(crate) fn dot_value(
        &mut self,
        io: &mut dyn Outside,
        value: Value<'a>,
        name: Name,
        place: Place,
    ) -> Run<Value<'a>> {
        let word = self.text(name);
        let turned = |b: Buffer| {
            Value::Buffers(vec![Buffer {
                inward: word == "in",
                ..b
            }])
        };
        match value {
            Value::Instance(i) => match self.own(io, i, name, place)? {
                Some(value) => Ok(value),
                None => wrong(place, format!("the part has no `{word}`")),
            },
            Value::Register(r) => {
                let n = self.read_one(io, &r)?;
                self.field_of(n, name, place)
            }
            Value::Num(n) => self.field_of(n, name, place),
            Value::Copy(layout, bytes) => self.copied(&layout, &bytes, name, place),
            Value::Spot(spot) if matches!(word, "in" | "out") => Ok(turned(buffer_of(&spot))),
            Value::Spot(spot) if matches!(spot.kind, Kind::Record(_)) => {
                Ok(Value::Spot(self.part_of(&spot, name, place)?))
            }
            value @ Value::Spot(_) => {
                let n = self.number_of(io, value, None, place)?;
                self.field_of(n, name, place)
            }
            Value::Buffer(b) => match word {
                "len" => Ok(Value::number(b.len)),
                "at" => Ok(Value::number(b.at)),
                "last" => Ok(Value::truth(b.last)),
                "in" | "out" => Ok(turned(b)),
                _ => wrong(place, format!("a buffer has no `{word}`")),
            },
            Value::Bytes(b) if matches!(word, "in" | "out") => Ok(turned(b)),
            Value::Piece(b) => match word {
                "len" => Ok(Value::number(b.len)),
                "last" => Ok(Value::truth(b.last)),
                "in" | "out" => Ok(Value::truth(b.inward == (word == "in"))),
                _ => wrong(place, format!("a piece has no `{word}`")),
            },
            Value::Buffers(list) => match word {
                "count" => Ok(Value::number(list.len() as u64)),
                "len" => Ok(Value::number(list.iter().map(|b| b.len).sum())),
                "in" | "out" => Ok(Value::Buffers(
                    list.into_iter()
                        .map(|b| Buffer {
                            inward: word == "in",
                            ..b
                        })
                        .collect(),
                )),
                _ => wrong(place, format!("buffers have no `{word}`")),
            },
            Value::Each(i, each) if word == "count" => {
                Ok(Value::number(self.members(io, i, each, place)?.len() as u64))
            }
            Value::List(list) if word == "count" => Ok(Value::number(list.len() as u64)),
            Value::Ring(i, ring) => self.ring_member(io, i, ring, name, place),
            Value::Slots(i, slots) if word == "busy" => {
                Ok(Value::number(self.busy_set(io, i, slots, place)?))
            }
            Value::Slot(i, slots, k) => {
                let spot = self.slot_spot(io, i, slots, k, place)?;
                match word {
                    "in" | "out" => Ok(turned(buffer_of(&spot))),
                    _ => Ok(Value::Spot(self.part_of(&spot, name, place)?)),
                }
            }
            Value::Space(i, space, index) => {
                let wanted = |k: &ItemKind| matches!(k, ItemKind::Reg(r) if r.name == name && r.at.is_some());
                match self.find(io, i, wanted).map(|item| &item.kind) {
                    Some(ItemKind::Reg(item)) => Ok(Value::Register(Register {
                        instance: i,
                        item,
                        place,
                        index: None,
                        space_index: index,
                        space: Some(space),
                    })),
                    _ => wrong(place, format!("there is no register `{word}`")),
                }
            }
            Value::Irq if word == "level" => {
                Ok(Value::truth(!self.subject.device.wires.is_empty()))
            }
            Value::Region(region) if word == "here" => Ok(Value::truth(region.size != 0)),
            Value::Region(region) if word == "size" => Ok(Value::number(region.size)),
            Value::None if word == "here" => Ok(Value::truth(false)),
            _ => wrong(place, format!("nothing here has a `{word}`")),
        }
    }

    fn field_of(&self, n: Num<'a>, name: Name, place: Place) -> Run<Value<'a>> {
        match n.bits.and_then(|bits| self.field(bits, name)) {
            Some(field) => Ok(Value::Num(Num {
                v: (n.v >> field.lo) & i128::from(ones(field.width)),
                bits: field.bits,
                open: false,
            })),
            None => wrong(place, format!("no field `{}` here", self.text(name))),
        }
    }

    fn index(
        &mut self,
        io: &mut dyn Outside,
        base: &'a Expr,
        index: &'a Expr,
        place: Place,
    ) -> Run<Value<'a>> {
        let value = self.value(io, base)?;
        let n = self.number(io, index)?;
        self.index_of(io, value, n, place)
    }

    fn index_of(
        &mut self,
        io: &mut dyn Outside,
        value: Value<'a>,
        n: Num<'a>,
        place: Place,
    ) -> Run<Value<'a>> {
        let k = n.v;
        match value {
            Value::Register(r) => Ok(Value::Register(Register {
                index: Some(k),
                ..r
            })),
            Value::Spot(spot) => Ok(Value::Spot(self.element(&spot, k, place)?)),
            Value::Space(i, name, None) => Ok(Value::Space(i, name, Some(k))),
            Value::Each(i, each) => Ok(Value::Instance(self.member(io, i, each, k, place)?)),
            Value::Slots(i, name) => Ok(Value::Slot(i, name, self.small(n, place)?)),
            Value::Buffer(b) => {
                let at = b.at + self.small(n, place)?;
                Ok(Value::number(io.load(b.space, at, Width::B8) & 0xff))
            }
            Value::List(list) => match usize::try_from(k).ok().and_then(|k| list.get(k)) {
                Some(value) => Ok(value.clone()),
                None => wrong(place, format!("index {k} of {}", list.len())),
            },
            Value::Callable(i, name) => {
                let mut known = self.instances[i].indexed.iter().rev();
                match known.find(|(n, at, _)| *n == name && i128::from(*at) == k) {
                    Some((.., value)) => Ok(value.clone()),
                    None => wrong(place, format!("`{}[{k}]` is not known", self.text(name))),
                }
            }
            _ => wrong(place, "this has no elements"),
        }
    }

    // ---- buffers

    fn slice(
        &mut self,
        io: &mut dyn Outside,
        base: &'a Expr,
        from: &'a Expr,
        len: &'a Expr,
    ) -> Run<Value<'a>> {
        let mut room = None;
        let value = match &base.kind {
            // All from where an element begins to where the next one does.
            ExprKind::Index(array, index) => {
                let array = self.value(io, array)?;
                if let Value::Spot(spot) = &array {
                    room = match spot.kind {
                        Kind::Array(_, _, step) => Some(step),
                        _ => None,
                    };
                }
                let n = self.number(io, index)?;
                self.index_of(io, array, n, base.place)?
            }
            _ => self.value(io, base)?,
        };
        let (from_n, len_n) = (self.number(io, from)?, self.number(io, len)?);
        let (from_n, len) = (
            self.small(from_n, from.place)?,
            self.small(len_n, len.place)?,
        );
        let (space, at, room) = match value {
            Value::Spot(spot) => (spot.space, spot.at, room.unwrap_or(spot.kind.size())),
            // Whoever has a buffer knows where it ends: the client's are checked by the pump.
            Value::Buffer(b) => (b.space, b.at, u64::MAX),
            _ => return wrong(base.place, "this has no bytes"),
        };
        if from_n.saturating_add(len) > room {
            return wrong(from.place, format!("{len} bytes at {from_n} of {room}"));
        }
        Ok(Value::Buffer(Buffer {
            space,
            at: at + from_n,
            len,
            inward: false,
            last: true,
            word: None,
        }))
    }

    /// Bytes of a buffer that are one number.
    pub(crate) fn word_width(&self, b: &Buffer, place: Place) -> Run<Width> {
        let width = (b.len <= 8).then(|| Width::of_bits(b.len as u32 * 8));
        match width.flatten() {
            Some(width) => Ok(width),
            None => wrong(place, format!("{} bytes are no number", b.len)),
        }
    }

    pub(crate) fn buffers(&self, value: Value<'a>, place: Place) -> Run<Vec<Buffer>> {
        match value {
            Value::Buffers(list) => Ok(list),
            Value::Buffer(b) | Value::Bytes(b) => Ok(vec![b]),
            Value::Spot(spot) => Ok(vec![buffer_of(&spot)]),
            Value::None => Ok(Vec::new()),
            _ => wrong(place, "these are no buffers"),
        }
    }

    fn dma(&mut self, io: &mut dyn Outside, of: &'a Expr) -> Run<Value<'a>> {
        let (space, at) = match self.value(io, of)? {
            Value::Spot(spot) => (spot.space, spot.at),
            Value::Buffer(b) | Value::Bytes(b) | Value::Piece(b) => (b.space, b.at),
            Value::Buffers(list) if list.len() == 1 => (list[0].space, list[0].at),
            Value::Slot(i, slots, k) => {
                let spot = self.slot_spot(io, i, slots, k, of.place)?;
                (spot.space, spot.at)
            }
            Value::Ring(i, ring) => match self.cells(io, i, ring, of.place)? {
                Value::Spot(spot) => (spot.space, spot.at),
                _ => return wrong(of.place, "cells that are registers"),
            },
            Value::Register(r) => return Ok(Value::number(self.address_of(io, &r)?)),
            _ => return wrong(of.place, "this has no device address"),
        };
        Ok(Value::number(self.device_address(io, space, at, of.place)?))
    }

    /// Where the device sees a place.
    pub(crate) fn device_address(
        &mut self,
        io: &mut dyn Outside,
        space: graph::Space,
        at: u64,
        place: Place,
    ) -> Run<u64> {
        let base = match space {
            graph::Space::Arena => io.late(graph::Late::ArenaDma),
            graph::Space::Pool => io.late(graph::Late::PoolDma),
            graph::Space::State => return wrong(place, "no device sees private state"),
        };
        Ok(base.wrapping_add(at))
    }
}

fn buffer_of(spot: &crate::value::Spot) -> Buffer {
    Buffer {
        space: spot.space,
        at: spot.at,
        len: spot.kind.size(),
        inward: false,
        last: false,
        word: None,
    }
}

pub fn plain<'a>(v: u64) -> Num<'a> {
    Num {
        v: v.into(),
        bits: None,
        open: false,
    }
}

fn inverted(n: Num) -> Num {
    Num {
        v: !n.v,
        open: true,
        ..n
    }
}
