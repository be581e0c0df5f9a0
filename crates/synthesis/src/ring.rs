//! Rings: ordered cells that change owner.
//!
//! A ring keeps in private state: `put` and `got` (64 bits, never wrapping), then 32 bits kept for each cell.

mod marks;

use crate::instance::{Binding, InstanceId, Specialiser};
use crate::value::{Kind, Num, Register, Spot, Value};
use crate::{Error, Result};
use alloc::{format, vec::Vec};
use graph::{BinOp, Space, Width};
use rulebook::tree::{Expr, ItemKind, Name, Place};

const PUT: u64 = 0;
const GOT: u64 = 8;
const KEPT: u64 = 16;

/// A `ring` as its rule declares it.
struct Declared<'a> {
    count: &'a Expr,
    cells: &'a Expr,
    lent: Option<&'a Expr>,
    back: Option<&'a Expr>,
    link: Option<&'a Expr>,
    full: bool,
}

impl<'a> Specialiser<'a, '_> {
    fn ring_item(&mut self, i: InstanceId, name: Name, place: Place) -> Result<Declared<'a>> {
        let found = self.find_item(
            i,
            |k| matches!(k, ItemKind::Ring { name: n, .. } if *n == name),
        );
        match found.map(|item| &item.kind) {
            Some(ItemKind::Ring {
                count,
                cells,
                lent,
                back,
                link,
                full,
                ..
            }) => Ok(Declared {
                count,
                cells,
                lent: lent.as_ref(),
                back: back.as_ref(),
                link: link.as_ref(),
                full: *full,
            }),
            _ => Err(Error::new(
                place,
                format!("there is no ring `{}`", self.text(name)),
                "declare it with `ring`",
            )),
        }
    }

    pub fn ring_count(&mut self, i: InstanceId, name: Name, place: Place) -> Result<u64> {
        let Declared { count, link, .. } = self.ring_item(i, name, place)?;
        // The last cell of a ring with a link is not lent: it leads back to the first.
        let n = self
            .fact_number(i, count)?
            .saturating_sub(link.is_some() as u64);
        if n == 0 || n > 4096 {
            return Err(Error::new(
                count.place,
                format!("a ring of {n} cells"),
                "use 1 to 4096",
            ));
        }
        Ok(n)
    }

    /// The ring's private state.
    fn ring_state(&mut self, i: InstanceId, name: Name, place: Place) -> Result<Num<'a>> {
        let n = self.ring_count(i, name, place)?;
        let spot = self.memory(i, name, |s| {
            let words = Kind::number(64);
            // Behind the kept words: how far marks were shown to the device.
            Ok(s.state_spot(Kind::row(words, 3 + n.div_ceil(2))))
        })?;
        Ok(spot.at)
    }

    fn counter(&mut self, i: InstanceId, name: Name, which: u64, place: Place) -> Result<Num<'a>> {
        let base = self.ring_state(i, name, place)?;
        let at = self.plus(base, which);
        Ok(self.raw_load(Space::State, at, Width::B64))
    }

    fn set_counter(
        &mut self,
        i: InstanceId,
        name: Name,
        which: u64,
        value: Num<'a>,
        place: Place,
    ) -> Result<()> {
        let base = self.ring_state(i, name, place)?;
        let at = self.plus(base, which);
        self.raw_store(Space::State, at, Width::B64, value);
        Ok(())
    }

    fn modulo(&mut self, n: Num<'a>, by: u64) -> Num<'a> {
        let c = self.out.b.constant(by);
        let id = self.out.b.bin(BinOp::Rem, n.id, c);
        self.node(id, by - 1)
    }

    /// Where the cells are, as a whole.
    pub fn ring_cells(&mut self, i: InstanceId, name: Name, place: Place) -> Result<Spot<'a>> {
        match self.cells(i, name, place)? {
            Value::Spot(spot) => Ok(spot),
            _ => Err(Error::new(
                place,
                "the cells of this ring are registers",
                "use an arena for a ring in memory",
            )),
        }
    }

    fn cells(&mut self, i: InstanceId, name: Name, place: Place) -> Result<Value<'a>> {
        let Declared { cells, .. } = self.ring_item(i, name, place)?;
        self.enter(i, Vec::new());
        let v = self.value(cells);
        self.leave();
        v
    }

    fn cell_at(
        &mut self,
        i: InstanceId,
        name: Name,
        index: Num<'a>,
        place: Place,
    ) -> Result<Value<'a>> {
        match self.cells(i, name, place)? {
            Value::Spot(spot) => Ok(Value::Spot(self.element(&spot, index, place)?)),
            Value::Register(r) => Ok(Value::Register(Register {
                index: Some(index),
                ..r
            })),
            _ => Err(Error::new(
                place,
                "a ring's cells are an array or registers",
                "name an arena or a register with a count",
            )),
        }
    }

    /// `lend RING = CELL keep T`: gives the index of the cell.
    pub fn lend(
        &mut self,
        ring: &'a Expr,
        cell: Option<&'a Expr>,
        keep: Option<&'a Expr>,
        place: Place,
    ) -> Result<Value<'a>> {
        let Value::Ring(i, name) = self.value(ring)? else {
            return Err(Error::new(place, "`lend` needs a ring", "name a `ring`"));
        };
        let n = self.ring_count(i, name, place)?;
        let put = self.counter(i, name, PUT, place)?;
        let got = self.counter(i, name, GOT, place)?;
        let used = self.out.b.bin(BinOp::Sub, put.id, got.id);
        let limit = self.out.b.constant(n);
        let room = self.out.b.bin(BinOp::Lt, used, limit);
        let room = self.node(room, 1);
        self.unless_had(room)?;
        let index = self.modulo(put, n);
        if let Some(e) = cell {
            let target = self.cell_at(i, name, index, place)?;
            let value = self.value(e)?;
            let value = self.marked(i, name, &target, value, (put, n), e.place)?;
            match target {
                Value::Spot(spot) => {
                    let value = if matches!(value, Value::Literal(..)) {
                        value
                    } else {
                        self.settle(value, e.place)?
                    };
                    self.store(&spot, value, e.place)?
                }
                Value::Register(r) => self.write(&r, value, e.place)?,
                _ => {}
            }
        }
        self.link(i, name, index, (put, n), place)?;
        if let Some(e) = keep {
            let kept = self.number(e)?;
            self.keep(i, name, index, kept, place)?;
        }
        let next = self.plus(put, 1);
        self.set_counter(i, name, PUT, next, place)?;
        Ok(Value::Num(index))
    }

    fn keep(
        &mut self,
        i: InstanceId,
        name: Name,
        index: Num<'a>,
        kept: Num<'a>,
        place: Place,
    ) -> Result<()> {
        let base = self.ring_state(i, name, place)?;
        let base = self.plus(base, KEPT);
        self.store_kept(base, index, kept, place)
    }

    pub(crate) fn store_kept(
        &mut self,
        base: Num<'a>,
        index: Num<'a>,
        kept: Num<'a>,
        place: Place,
    ) -> Result<()> {
        let kept = self.fit(kept, 32, place)?;
        let offset = self.times(index, 4);
        let at = self.sum(base, offset);
        self.raw_store(Space::State, at, Width::B32, kept);
        Ok(())
    }

    pub(crate) fn load_kept(&mut self, base: Num<'a>, index: Num<'a>) -> Num<'a> {
        let offset = self.times(index, 4);
        let at = self.sum(base, offset);
        self.raw_load(Space::State, at, Width::B32)
    }

    /// The oldest lent cell, copied once.
    pub fn ring_cell(&mut self, i: InstanceId, name: Name, place: Place) -> Result<Value<'a>> {
        let n = self.ring_count(i, name, place)?;
        let got = self.counter(i, name, GOT, place)?;
        let index = self.modulo(got, n);
        let cell = self.cell_at(i, name, index, place)?;
        self.settle(cell, place)
    }

    pub fn is_back(&mut self, i: InstanceId, name: Name, place: Place) -> Result<Num<'a>> {
        let cell = self.ring_cell(i, name, place)?;
        self.is_back_with(i, name, cell, place)
    }

    /// Whether the oldest lent cell is ours again.
    pub fn is_back_with(
        &mut self,
        i: InstanceId,
        name: Name,
        cell: Value<'a>,
        place: Place,
    ) -> Result<Num<'a>> {
        let Declared { back, full, .. } = self.ring_item(i, name, place)?;
        let n = self.ring_count(i, name, place)?;
        let got = self.counter(i, name, GOT, place)?;
        let lent = if full {
            self.constant(1)
        } else {
            let put = self.counter(i, name, PUT, place)?;
            let id = self.out.b.bin(BinOp::Ne, put.id, got.id);
            self.node(id, 1)
        };
        let Some(test) = back else { return Ok(lent) };
        let lap = self.lap(got, n);
        self.enter(i, Vec::new());
        self.bind_text("cell", Value::clone(&cell));
        self.bind_text("lap", Value::Num(lap));
        if let Value::Copy(layout, pieces) = &cell {
            let members: Vec<Name> = layout.members.iter().map(|(n, _)| *n).collect();
            for member in members {
                if let Ok(v) = self.member_of_copy(layout, pieces, member, place) {
                    self.entry.scopes.push((member, Binding::Value(v)));
                }
            }
        }
        let holds = self.exact_number(test);
        self.leave();
        let holds = self.truth(holds?);
        let id = self.out.b.bin(BinOp::And, lent.id, holds.id);
        Ok(self.node(id, 1))
    }

    /// The mark of this time around: 1 on the first, 0 on the second.
    fn lap(&mut self, counter: Num<'a>, n: u64) -> Num<'a> {
        let by = self.out.b.constant(n);
        let round = self.out.b.bin(BinOp::Div, counter.id, by);
        let bit = self.out.b.extract(round, 0, 1);
        let one = self.out.b.constant(1);
        let id = self.out.b.bin(BinOp::Xor, bit, one);
        self.node(id, 1)
    }

    pub fn bind_text(&mut self, text: &str, value: Value<'a>) {
        if let Some(k) = self.rules.subject.book.names.iter().position(|n| n == text) {
            self.entry
                .scopes
                .push((Name(k as u16), Binding::Value(value)));
        }
    }

    /// Takes the oldest cell back: its index and what was kept with it.
    pub fn ring_advance(
        &mut self,
        i: InstanceId,
        name: Name,
        place: Place,
    ) -> Result<(Num<'a>, Num<'a>)> {
        let n = self.ring_count(i, name, place)?;
        let got = self.counter(i, name, GOT, place)?;
        let index = self.modulo(got, n);
        let base = self.ring_state(i, name, place)?;
        let base = self.plus(base, KEPT);
        let kept = self.load_kept(base, index);
        let next = self.plus(got, 1);
        self.set_counter(i, name, GOT, next, place)?;
        Ok((index, kept))
    }

    /// Whether any cell is lent, and how many came back so far.
    pub fn ring_progress(
        &mut self,
        i: InstanceId,
        ring: Name,
        place: Place,
    ) -> Result<(Num<'a>, Num<'a>)> {
        let put = self.counter(i, ring, PUT, place)?;
        let got = self.counter(i, ring, GOT, place)?;
        let id = self.out.b.bin(BinOp::Ne, put.id, got.id);
        Ok((self.node(id, 1), got))
    }

    pub fn ring_member(
        &mut self,
        i: InstanceId,
        ring: Name,
        member: Name,
        place: Place,
    ) -> Result<Value<'a>> {
        Ok(match self.text(member) {
            "put" => Value::Num(self.counter(i, ring, PUT, place)?),
            "got" => Value::Num(self.counter(i, ring, GOT, place)?),
            "count" => {
                let n = self.ring_count(i, ring, place)?;
                Value::Num(self.constant(n))
            }
            "lent" => {
                let (put, got) = (
                    self.counter(i, ring, PUT, place)?,
                    self.counter(i, ring, GOT, place)?,
                );
                let id = self.out.b.bin(BinOp::Sub, put.id, got.id);
                Value::Num(self.node(id, u64::MAX))
            }
            "next" => self.ring_cell(i, ring, place)?,
            other => {
                return Err(Error::new(
                    place,
                    format!("a ring has no `{other}`"),
                    "use put, got, count, lent or next",
                ))
            }
        })
    }

    pub fn set_ring_member(
        &mut self,
        i: InstanceId,
        ring: Name,
        member: Name,
        value: Value<'a>,
        place: Place,
    ) -> Result<()> {
        let which = match self.text(member) {
            "put" => PUT,
            "got" => GOT,
            other => {
                return Err(Error::new(
                    place,
                    format!("`{other}` of a ring cannot be set"),
                    "set put or got",
                ))
            }
        };
        let n = self.number_for(value, None, place)?;
        self.set_counter(i, ring, which, n, place)
    }
}
