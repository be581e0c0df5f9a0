//! Rings: ordered cells that change owner.
//!
//! A ring keeps in private state how many cells were lent (`put`), came back (`got`) and were shown to the device (`told`),
//! then a word for each cell.

use crate::value::{Bits, Id, Kind, Layout, Num, Register, Spot, Value};
use crate::{refused, wrong, Exit, Meaning, Outside, Run};
use graph::{Fence, Space, Width};
use rulebook::tree::{Expr, ExprKind, Item, ItemKind, Name, Place};
use std::rc::Rc;

const PUT: u64 = 0;
const GOT: u64 = 1;
const TOLD: u64 = 2;
const KEPT: u64 = 3;

pub fn words<'a>(count: u64) -> Kind<'a> {
    let word = Kind::Number {
        bits: 64,
        big: false,
        fields: None,
    };
    Kind::Array(Rc::new(word), count, 8)
}

impl<'a> Meaning<'a> {
    fn ring_item(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        place: Place,
    ) -> Run<&'a Item> {
        let found = self.find(
            io,
            i,
            |k| matches!(k, ItemKind::Ring { name: n, .. } if *n == name),
        );
        match found {
            Some(item) => Ok(item),
            None => wrong(place, "there is no such ring"),
        }
    }

    /// How many cells can be lent: the last of a ring with a link leads back to the first.
    fn ring_size(&mut self, io: &mut dyn Outside, i: Id, name: Name, place: Place) -> Run<u64> {
        match &self.ring_item(io, i, name, place)?.kind {
            ItemKind::Ring { count, link, .. } => {
                let n = self.count(io, i, count)?;
                match n.checked_sub(link.is_some().into()) {
                    Some(n @ 1..=4096) => Ok(n),
                    _ => wrong(count.place, format!("a ring of {n} cells")),
                }
            }
            _ => wrong(place, "no ring"),
        }
    }

    fn counter_at(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        which: u64,
        place: Place,
    ) -> Run<u64> {
        let spot = match self.known_spot(i, name, "ring") {
            Some(spot) => spot,
            None => {
                let n = self.ring_size(io, i, name, place)?;
                self.put(i, name, "ring", Space::State, words(KEPT + n), 8)
            }
        };
        Ok(spot.at + 8 * which)
    }

    fn counter(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        which: u64,
        place: Place,
    ) -> Run<u64> {
        let at = self.counter_at(io, i, name, which, place)?;
        Ok(io.load(Space::State, at, Width::B64))
    }

    fn set_counter(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        which: u64,
        value: u64,
        place: Place,
    ) -> Run<()> {
        let at = self.counter_at(io, i, name, which, place)?;
        io.store(Space::State, at, Width::B64, value);
        Ok(())
    }

    /// An array or registers.
    pub(crate) fn cells(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        place: Place,
    ) -> Run<Value<'a>> {
        match &self.ring_item(io, i, name, place)?.kind {
            ItemKind::Ring { cells, .. } => self.value_in(io, i, cells),
            _ => wrong(place, "no ring"),
        }
    }

    fn cell(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        k: u64,
        place: Place,
    ) -> Run<Value<'a>> {
        match self.cells(io, i, name, place)? {
            Value::Spot(spot) => Ok(Value::Spot(self.element(&spot, k.into(), place)?)),
            Value::Register(r) => Ok(Value::Register(Register {
                index: Some(k.into()),
                ..r
            })),
            _ => wrong(place, "cells are an array or registers"),
        }
    }

    /// The mark of a lap: 1 the first time around, then 0, and so on.
    fn lap(counter: u64, n: u64) -> u64 {
        1 - counter / n % 2
    }

    pub(crate) fn lend(
        &mut self,
        io: &mut dyn Outside,
        ring: &'a Expr,
        cell: Option<&'a Expr>,
        keep: Option<&'a Expr>,
        place: Place,
    ) -> Run<Value<'a>> {
        let Value::Ring(i, name) = self.value(io, ring)? else {
            return wrong(place, "`lend` needs a ring");
        };
        let n = self.ring_size(io, i, name, place)?;
        let put = self.counter(io, i, name, PUT, place)?;
        let got = self.counter(io, i, name, GOT, place)?;
        self.unless(io, put.wrapping_sub(got) < n)?;
        let index = put % n;
        if let Some(e) = cell {
            let target = self.cell(io, i, name, index, place)?;
            let value = self.value(io, e)?;
            match target {
                Value::Spot(spot) => {
                    let value = match value {
                        value @ (Value::Literal(_) | Value::With(..)) => value,
                        value => self.settle(io, value, e.place)?,
                    };
                    let told = self.counter(io, i, name, TOLD, place)?;
                    // The first cell that is not shown yet carries the marks of the lap before.
                    let held = put == told;
                    let lap = Self::lap(put, n) ^ u64::from(held);
                    let value = self.marked(io, i, name, &spot, value, (lap, held), e.place)?;
                    self.store(io, &spot, value, e.place)?;
                }
                Value::Register(r) => self.write(io, &r, value, e.place)?,
                _ => {}
            }
        }
        if index + 1 == n {
            self.link(io, i, name, n, Self::lap(put, n), place)?;
        }
        if let Some(e) = keep {
            let kept = self.number(io, e)?;
            let kept = self.fit(kept, 32, e.place)?;
            self.set_counter(io, i, name, KEPT + index, kept, place)?;
        }
        self.set_counter(io, i, name, PUT, put + 1, place)?;
        Ok(Value::number(index))
    }

    /// A cell of a ring with marks, with those of a lap, held back from the device or not.
    #[allow(clippy::too_many_arguments)]
    fn marked(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        spot: &Spot<'a>,
        value: Value<'a>,
        (lap, held): (u64, bool),
        place: Place,
    ) -> Run<Value<'a>> {
        let ItemKind::Ring {
            lent: Some(lent), ..
        } = &self.ring_item(io, i, name, place)?.kind
        else {
            return Ok(value);
        };
        let Kind::Record(layout) = &spot.kind else {
            return refused(place, "marks in cells that are no records");
        };
        let mut bytes = self.record_bytes(io, layout, value, place)?;
        let marks = self.marks(io, i, layout, lent, lap, held)?;
        self.mark(&mut bytes, &marks);
        Ok(Value::Copy(layout.clone(), bytes))
    }

    /// Where the bits of each mark are in a cell, how many, and what they are in this lap. A bit that is the same in every
    /// lap is the other way around while the cell is held back.
    fn marks(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        layout: &Rc<Layout<'a>>,
        lent: &'a Expr,
        lap: u64,
        held: bool,
    ) -> Run<Vec<(u64, u32, u64)>> {
        let ExprKind::Literal(members) = &lent.kind else {
            return refused(lent.place, "marks that are not written in braces");
        };
        let word = self.named("lap");
        let mut marks = Vec::new();
        for member in members {
            let first = member.path.first();
            let slot = layout.members.iter().find(|(n, ..)| Some(n) == first);
            let Some((_, at, Kind::Number { bits, big, fields })) = slot else {
                return wrong(member.place, "the cell has no such number");
            };
            if *big && *bits > 8 {
                return refused(member.place, "marks in big-endian members");
            }
            let fields: Option<Bits<'a>> = *fields;
            let mut in_lap = |m: &mut Self, lap| {
                let locals = word.map(|n| (n, Value::number(lap)));
                let locals = locals.into_iter().collect();
                m.within(i, locals, |m| m.member_bits(io, member, fields, *bits))
            };
            let (mut n, lo, width) = in_lap(self, lap)?;
            if held && in_lap(self, lap ^ 1)?.0 == n {
                if width != 1 {
                    return refused(member.place, "a mark of several bits without a lap");
                }
                n ^= 1;
            }
            marks.push((at + u64::from(lo), width, n));
        }
        Ok(marks)
    }

    /// Behind the last cell that is lent stands one that leads back to the first, with the marks of the lap that it ends.
    fn link(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        n: u64,
        lap: u64,
        place: Place,
    ) -> Run<()> {
        let ItemKind::Ring {
            link: Some(link),
            lent,
            ..
        } = &self.ring_item(io, i, name, place)?.kind
        else {
            return Ok(());
        };
        let Value::Spot(spot) = self.cell(io, i, name, n, place)? else {
            return refused(place, "a link in registers");
        };
        let Kind::Record(layout) = spot.kind.clone() else {
            return refused(place, "a link that is no record");
        };
        let mut bytes = self.within(i, Vec::new(), |m| {
            let value = m.value(io, link)?;
            m.record_bytes(io, &layout, value, place)
        })?;
        if let Some(lent) = lent {
            let marks = self.marks(io, i, &layout, lent, lap, false)?;
            self.mark(&mut bytes, &marks);
        }
        self.store(io, &spot, Value::Copy(layout, bytes), place)
    }

    /// Shows the cells lent since the last time: what is behind the first is there already, so its marks show all.
    pub(crate) fn show(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        place: Place,
    ) -> Run<()> {
        let ItemKind::Ring {
            lent: Some(lent), ..
        } = &self.ring_item(io, i, name, place)?.kind
        else {
            return Ok(());
        };
        let n = self.ring_size(io, i, name, place)?;
        let put = self.counter(io, i, name, PUT, place)?;
        let told = self.counter(io, i, name, TOLD, place)?;
        if put == told {
            return Ok(());
        }
        io.fence(Fence::Publish);
        let Value::Spot(spot) = self.cell(io, i, name, told % n, place)? else {
            return refused(place, "marks in registers");
        };
        let Kind::Record(layout) = spot.kind.clone() else {
            return refused(place, "marks in cells that are no records");
        };
        let marks = self.marks(io, i, &layout, lent, Self::lap(told, n), false)?;
        for (_, at, kind) in &layout.members {
            let Kind::Number { bits, .. } = kind else {
                continue;
            };
            let own = *at..at + u64::from(*bits);
            let mine = marks.iter().filter(|(at, ..)| own.contains(at));
            let mine: Vec<_> = mine.map(|(m, w, v)| (m - at, *w, *v)).collect();
            if mine.is_empty() {
                continue;
            }
            // A member is stored once, whole.
            let member = Spot {
                space: spot.space,
                at: spot.at + at / 8,
                shift: at % 8,
                kind: kind.clone(),
            };
            let mut word = (self.load_number(io, &member).v as u64).to_le_bytes();
            self.mark(&mut word, &mine);
            let word = Value::number(u64::from_le_bytes(word));
            self.store(io, &member, word, place)?;
        }
        self.set_counter(io, i, name, TOLD, put, place)
    }

    /// The next cell to come back, copied once.
    fn next(&mut self, io: &mut dyn Outside, i: Id, name: Name, place: Place) -> Run<Value<'a>> {
        let n = self.ring_size(io, i, name, place)?;
        let got = self.counter(io, i, name, GOT, place)?;
        let cell = self.cell(io, i, name, got % n, place)?;
        self.settle(io, cell, place)
    }

    /// The next cell, if it came back. It is looked at even when none is lent.
    pub(crate) fn is_back(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        place: Place,
    ) -> Run<Option<Value<'a>>> {
        let cell = self.next(io, i, name, place)?;
        let ItemKind::Ring { back, full, .. } = &self.ring_item(io, i, name, place)?.kind else {
            return Ok(None);
        };
        let n = self.ring_size(io, i, name, place)?;
        let got = self.counter(io, i, name, GOT, place)?;
        let lent = *full || self.counter(io, i, name, PUT, place)? != got;
        let Some(test) = back else {
            return Ok(lent.then_some(cell));
        };
        let mut locals = Vec::new();
        for (text, value) in [
            ("cell", cell.clone()),
            ("lap", Value::number(Self::lap(got, n))),
        ] {
            locals.extend(self.named(text).map(|name| (name, value)));
        }
        if let Value::Copy(layout, bytes) = &cell {
            for (member, ..) in &layout.members {
                locals.push((*member, self.copied(layout, bytes, *member, place)?));
            }
        }
        let holds = self.within(i, locals, |m| m.condition(io, test))?;
        Ok((lent && holds).then_some(cell))
    }

    /// Takes the next cell back: its index, and the word kept with it.
    pub(crate) fn advance(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        place: Place,
    ) -> Run<(u64, u64)> {
        let n = self.ring_size(io, i, name, place)?;
        let got = self.counter(io, i, name, GOT, place)?;
        let kept = self.counter(io, i, name, KEPT + got % n, place)?;
        self.set_counter(io, i, name, GOT, got + 1, place)?;
        Ok((got % n, kept))
    }

    /// Turns that a loop over what came back takes at most; whether the cells are in memory.
    pub(crate) fn ring_bound(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        place: Place,
    ) -> Run<(u64, bool)> {
        let n = self.ring_size(io, i, name, place)?;
        let memory = matches!(self.cells(io, i, name, place)?, Value::Spot(_));
        Ok((n, memory))
    }

    /// Whether any cell is lent, and how many came back so far.
    pub(crate) fn ring_progress(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        place: Place,
    ) -> Run<(bool, u64)> {
        let put = self.counter(io, i, name, PUT, place)?;
        let got = self.counter(io, i, name, GOT, place)?;
        Ok((put != got, got))
    }

    pub(crate) fn ring_member(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        ring: Name,
        member: Name,
        place: Place,
    ) -> Run<Value<'a>> {
        let put = self.counter(io, i, ring, PUT, place)?;
        let got = self.counter(io, i, ring, GOT, place)?;
        Ok(match self.text(member) {
            "put" => Value::number(put),
            "got" => Value::number(got),
            "count" => Value::number(self.ring_size(io, i, ring, place)?),
            "lent" => Value::number(put.wrapping_sub(got)),
            "next" => self.next(io, i, ring, place)?,
            other => return wrong(place, format!("a ring has no `{other}`")),
        })
    }

    pub(crate) fn set_ring_member(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        ring: Name,
        member: Name,
        value: Num<'a>,
        place: Place,
    ) -> Run<()> {
        let which = match self.text(member) {
            "put" => PUT,
            "got" => GOT,
            other => return wrong(place, format!("`{other}` of a ring cannot be set")),
        };
        let value = self.small(value, place)?;
        self.set_counter(io, i, ring, which, value, place)
    }

    /// Where something cannot be had: what stands behind `else`, or the operation is not accepted.
    pub(crate) fn unless(&mut self, io: &mut dyn Outside, had: bool) -> Run<()> {
        if had {
            return Ok(());
        }
        match self.otherwise.take() {
            Some(statement) => {
                let flow = self.statement(io, statement)?;
                self.jump = Some(flow);
                Err(Exit::Jump)
            }
            None => self.finish(io, abi::status::BUSY),
        }
    }
}
