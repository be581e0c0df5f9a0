//! Expressions.

mod buffers;
mod member;
mod names;
mod operator;

use crate::instance::{Binding, InstanceId, Mark, Specialiser};
use crate::layout::ones;
use crate::value::{Bits, Buffer, Kind, Num, Register, Value};
use crate::{Error, Result};
use alloc::{format, string::ToString, vec, vec::Vec};
use graph::{BinOp, Id, Op, Space};
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
            ExprKind::Range(a, b) => Ok(Value::Range(self.exact_number(a)?, self.exact_number(b)?)),
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
                match self.settle(base, e.place)? {
                    // What its braces name is read here, once, however often the record is used.
                    Value::Copy(layout, pieces) => {
                        let pieces = self.with_members(&layout, pieces, members, e.place)?;
                        Ok(Value::Copy(layout, pieces))
                    }
                    _ => Err(Error::new(
                        e.place,
                        "`with` needs a record on its left",
                        "name a record's value",
                    )),
                }
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
            ExprKind::Those { name, set, test } => self.those(*name, set, test, e.place),
            ExprKind::Spread { .. } => self.spread(e),
            ExprKind::List(list) => self.list(list),
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
            ) => {
                let test = self.exact_number(test).map(|n| (n, test.place))?;
                return self.choose_number(*stage, test, yes, no, bits);
            }
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
            Value::Literal(members, _) => self.literal(members, bits),
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
            Value::Buffer(Buffer { word: Some(n), .. }) => Ok(n),
            Value::Buffer(b) => {
                let width = self.word_of(&b, place)?;
                Ok(self.raw_load(b.space, b.at, width))
            }
            Value::None => Err(Error::new(
                place,
                "`none` is not a number",
                "test for it first",
            )),
            Value::Random => {
                let seed = self
                    .rules
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
            // Bytes that are a number are read now, whatever they are used for later.
            Value::Buffer(b) if b.word.is_none() => {
                let word = match self.word_of(&b, place) {
                    Ok(width) => Some(self.raw_load(b.space, b.at, width)),
                    Err(_) => None,
                };
                Ok(Value::Buffer(Buffer { word, ..b }))
            }
            other => Ok(other),
        }
    }

    pub fn region_open(&mut self) {
        self.out.b.open();
        self.entry.nest += 1;
        let mark = self.mark();
        self.entry.marks.push(mark);
    }

    pub fn region_close(&mut self) -> graph::RegionId {
        self.entry.nest -= 1;
        if let Some(mark) = self.entry.marks.pop() {
            self.back_to(mark);
        }
        self.out.b.close()
    }

    pub fn mark(&self) -> Mark {
        Mark {
            proved: self.entry.proved.mark(),
            taken: self.entry.taken.mark(),
        }
    }

    /// What was proved inside does not hold outside.
    pub fn back_to(&mut self, mark: Mark) {
        self.entry.proved.back_to(mark.proved);
        self.entry.taken.back_to(mark.taken);
    }
}
