//! What gives a cell to the device: marks in the cell itself, and the link behind the last one.

use super::{Declared, KEPT, PUT};
use crate::execute::Flow;
use crate::instance::{InstanceId, Specialiser};
use crate::value::{Kind, Layout, Num, Spot, Value};
use crate::{Error, Result};
use alloc::{format, rc::Rc, vec::Vec};
use graph::BinOp;
use rulebook::tree::{Expr, ExprKind, Name, Place};

impl<'a> Specialiser<'a, '_> {
    /// Behind the last cell that is lent stands one that leads back to the first, with the marks of the lap that it ends.
    pub(super) fn link(
        &mut self,
        i: InstanceId,
        name: Name,
        index: Num<'a>,
        (put, n): (Num<'a>, u64),
        place: Place,
    ) -> Result<()> {
        let Declared {
            link: Some(link),
            lent,
            ..
        } = self.ring_item(i, name, place)?
        else {
            return Ok(());
        };
        let at = self.constant(n);
        let Value::Spot(cell) = self.cell_at(i, name, at, place)? else {
            return Err(Error::new(
                link.place,
                "a ring of registers has no link",
                "leave `link` out",
            ));
        };
        let (Kind::Record(layout), ExprKind::Literal(members)) = (&cell.kind, &link.kind) else {
            return Err(Error::new(
                link.place,
                "a link is a cell, written in braces",
                "make the cells of the ring a `record`",
            ));
        };
        let layout = layout.clone();
        let last = self.out.b.constant(n - 1);
        let ends = self.out.b.bin(BinOp::Eq, index.id, last);
        let ends = self.node(ends, 1);
        self.branch(
            ends,
            |s| {
                s.enter(i, Vec::new());
                let pieces = s.build_record(&layout, members, link.place);
                s.leave();
                let mut pieces = pieces?;
                if let Some(lent) = lent {
                    let lap = s.lap(put, n);
                    for (_, at, bits, n) in s.marks(i, &layout, lent, lap, None)? {
                        s.set_bits(&mut pieces, at, bits, n);
                    }
                }
                s.store(&cell, Value::Copy(layout.clone(), pieces), place)?;
                Ok(Flow::Next)
            },
            |_| Ok(Flow::Next),
        )?;
        Ok(())
    }

    /// Bytes of the ring's state up to the word that says how far marks were shown.
    fn told_at(n: u64) -> u64 {
        KEPT + 8 * n.div_ceil(2)
    }

    /// A cell with its marks. The first since the last `publish` gets those of the lap before, so that the device stops
    /// there, whatever stands behind it.
    pub(super) fn marked(
        &mut self,
        i: InstanceId,
        name: Name,
        target: &Value<'a>,
        value: Value<'a>,
        (put, n): (Num<'a>, u64),
        place: Place,
    ) -> Result<Value<'a>> {
        let Declared {
            lent: Some(lent), ..
        } = self.ring_item(i, name, place)?
        else {
            return Ok(value);
        };
        let Value::Spot(Spot {
            kind: Kind::Record(layout),
            ..
        }) = target
        else {
            return Err(Error::new(
                lent.place,
                "marks are members of a record",
                "make the cells of the ring a `record`",
            ));
        };
        let layout = layout.clone();
        let mut pieces = match value {
            Value::Literal(members, at) => self.build_record(&layout, members, at)?,
            Value::Copy(_, pieces) => pieces,
            _ => {
                return Err(Error::new(
                    place,
                    "this is no cell",
                    "write its members in braces",
                ))
            }
        };
        let told = self.counter(i, name, Self::told_at(n), place)?;
        let first = self.out.b.bin(BinOp::Eq, put.id, told.id);
        let lap = self.lap(put, n);
        let lap = self.out.b.bin(BinOp::Xor, lap.id, first);
        let lap = self.node(lap, 1);
        let first = self.node(first, 1);
        for (_, at, bits, n) in self.marks(i, &layout, lent, lap, Some(first))? {
            self.set_bits(&mut pieces, at, bits, n);
        }
        Ok(Value::Copy(layout, pieces))
    }

    /// The members of `lent { … }`: the record's member, where its bits are, how many, and their value in this lap. A mark
    /// that is the same in every lap is the other way around in a cell that is `held` back.
    #[allow(clippy::type_complexity)]
    fn marks(
        &mut self,
        i: InstanceId,
        layout: &Rc<Layout<'a>>,
        lent: &'a Expr,
        lap: Num<'a>,
        held: Option<Num<'a>>,
    ) -> Result<Vec<(Name, u64, u32, Num<'a>)>> {
        let ExprKind::Literal(members) = &lent.kind else {
            return Err(Error::new(
                lent.place,
                "marks are written in braces",
                "lent { cycle: lap }",
            ));
        };
        let mut marks = Vec::new();
        for member in members {
            let slot = member
                .path
                .first()
                .and_then(|name| layout.members.iter().find(|(n, _)| n == name));
            let Some((name, slot)) = slot.cloned() else {
                return Err(Error::new(
                    member.place,
                    "the cell has no such member",
                    "see its record",
                ));
            };
            let Kind::Number { bits, fields, .. } = slot.kind else {
                return Err(Error::new(
                    member.place,
                    "a mark is a number",
                    "name a member that is one",
                ));
            };
            let (mut at, mut width) = (slot.at, bits);
            if let Some(second) = member.path.get(1) {
                let field = fields.and_then(|f| self.field(f, *second));
                let Some(field) = field else {
                    return Err(Error::new(
                        member.place,
                        format!("no field `{}`", self.text(*second)),
                        "see the cell's record",
                    ));
                };
                at += u64::from(field.lo);
                width = field.width;
            }
            let in_lap = |s: &mut Self, lap| {
                s.enter(i, Vec::new());
                s.bind_text("lap", Value::Num(lap));
                let value = match &member.value {
                    Some(e) => s.number(e),
                    None => Ok(s.constant(1)),
                };
                s.leave();
                s.fit(value?, width, member.place)
            };
            let mut value = in_lap(self, lap)?;
            if let Some(held) = held {
                let (even, odd) = (self.constant(0), self.constant(1));
                if in_lap(self, even)?.id == in_lap(self, odd)?.id {
                    if width != 1 {
                        return Err(Error::new(
                            member.place,
                            "a mark that is the same in every lap has one bit",
                            "name the bit that says whose the cell is, or say what it is by `lap`",
                        ));
                    }
                    let id = self.out.b.bin(BinOp::Xor, value.id, held.id);
                    value = self.node(id, 1);
                }
            }
            marks.push((name, at, width, value));
        }
        Ok(marks)
    }

    /// Rings whose cells carry marks hand them over when published: the first cell's last, which shows all behind it.
    pub fn publish_ring(&mut self, i: InstanceId, name: Name, place: Place) -> Result<()> {
        let Declared {
            lent: Some(lent), ..
        } = self.ring_item(i, name, place)?
        else {
            return Ok(());
        };
        let n = self.ring_count(i, name, place)?;
        let put = self.counter(i, name, PUT, place)?;
        let told = self.counter(i, name, Self::told_at(n), place)?;
        let some = self.out.b.bin(BinOp::Ne, put.id, told.id);
        let some = self.node(some, 1);
        self.branch(
            some,
            |s| {
                s.fence(graph::Fence::Publish);
                s.show_marks(i, name, lent, told, n, place)?;
                s.set_counter(i, name, Self::told_at(n), put, place)?;
                Ok(Flow::Next)
            },
            |_| Ok(Flow::Next),
        )?;
        Ok(())
    }

    /// Stores the marks of one cell, each of its members once.
    fn show_marks(
        &mut self,
        i: InstanceId,
        name: Name,
        lent: &'a Expr,
        told: Num<'a>,
        n: u64,
        place: Place,
    ) -> Result<()> {
        let index = self.modulo(told, n);
        let Value::Spot(cell) = self.cell_at(i, name, index, place)? else {
            return Ok(());
        };
        let Kind::Record(layout) = &cell.kind else {
            return Ok(());
        };
        let layout = layout.clone();
        let lap = self.lap(told, n);
        let marks = self.marks(i, &layout, lent, lap, None)?;
        let mut done: Vec<Name> = Vec::new();
        for (member, ..) in &marks {
            if done.contains(member) {
                continue;
            }
            done.push(*member);
            let spot = self.member(&cell, *member, place)?;
            let known = layout.members.iter().find(|(n, _)| n == member);
            let Some(start) = known.map(|(_, slot)| slot.at) else {
                return Err(Error::new(
                    place,
                    "the cell has no such member",
                    "see its record",
                ));
            };
            let old = self.load_number(&spot, place)?;
            let mut id = old.id;
            for (of, at, width, value) in &marks {
                if of == member {
                    let lo = (*at - start) as u8;
                    id = self.out.b.insert(id, value.id, lo, *width as u8);
                }
            }
            let whole = self.node(id, u64::MAX);
            self.store(&spot, Value::Num(whole), place)?;
        }
        Ok(())
    }
}
