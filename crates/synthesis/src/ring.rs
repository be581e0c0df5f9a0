//! Rings and slots: cells and tags that change owner.
//!
//! A ring keeps in private state: `put` and `got` (64 bits, never wrapping), then 32 bits kept for each cell.
//! Slots keep a set of busy bits (64 bits), then 32 bits kept for each slot, then the members that are not in the arena.

use crate::instance::{Binding, InstanceId, Specialiser};
use crate::layout::{ones, size_of};
use crate::value::{Kind, Layout, Num, Register, Slot, Spot, Value};
use crate::{Error, Result};
use alloc::{format, rc::Rc, vec::Vec};
use graph::{BinOp, Space, Width};
use rulebook::tree::{Expr, ExprKind, Field, Item, ItemKind, Name, Place};

const PUT: u64 = 0;
const GOT: u64 = 8;
const KEPT: u64 = 16;

impl<'a> Specialiser<'a, '_> {
    fn ring_item(&mut self, i: InstanceId, name: Name, place: Place) -> Result<&'a Item> {
        self.find_item(
            i,
            |k| matches!(k, ItemKind::Ring { name: n, .. } if *n == name),
        )
        .ok_or_else(|| {
            Error::new(
                place,
                format!("there is no ring `{}`", self.text(name)),
                "declare it with `ring`",
            )
        })
    }

    pub fn ring_count(&mut self, i: InstanceId, name: Name, place: Place) -> Result<u64> {
        let item = self.ring_item(i, name, place)?;
        let ItemKind::Ring { count, link, .. } = &item.kind else {
            return Ok(0);
        };
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
            let words = Kind::Number {
                bits: 64,
                big: false,
                dma: false,
                fields: None,
            };
            // Behind the kept words: how far marks were shown to the device.
            Ok(s.state_spot(Kind::Array(Rc::new(words), 3 + n.div_ceil(2))))
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
        let c = self.b.constant(by);
        let id = self.b.bin(BinOp::Rem, n.id, c);
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
        let item = self.ring_item(i, name, place)?;
        let ItemKind::Ring { cells, .. } = &item.kind else {
            return Ok(Value::None);
        };
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
        let used = self.b.bin(BinOp::Sub, put.id, got.id);
        let limit = self.b.constant(n);
        let room = self.b.bin(BinOp::Lt, used, limit);
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

    /// Behind the last cell that is lent stands one that leads back to the first, with the marks of the lap that it ends.
    fn link(
        &mut self,
        i: InstanceId,
        name: Name,
        index: Num<'a>,
        (put, n): (Num<'a>, u64),
        place: Place,
    ) -> Result<()> {
        let item = self.ring_item(i, name, place)?;
        let ItemKind::Ring {
            link: Some(link),
            lent,
            ..
        } = &item.kind
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
        let last = self.b.constant(n - 1);
        let ends = self.b.bin(BinOp::Eq, index.id, last);
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
                    for (_, at, bits, n) in s.marks(i, &layout, lent, lap)? {
                        s.set_bits(&mut pieces, at, bits, n);
                    }
                }
                s.store(&cell, Value::Copy(layout.clone(), pieces), place)?;
                Ok(crate::execute::Flow::Next)
            },
            |_| Ok(crate::execute::Flow::Next),
        )?;
        Ok(())
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

    fn store_kept(
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

    fn load_kept(&mut self, base: Num<'a>, index: Num<'a>) -> Num<'a> {
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
        let item = self.ring_item(i, name, place)?;
        let ItemKind::Ring { back, full, .. } = &item.kind else {
            return Ok(self.constant(0));
        };
        let n = self.ring_count(i, name, place)?;
        let got = self.counter(i, name, GOT, place)?;
        let lent = if *full {
            self.constant(1)
        } else {
            let put = self.counter(i, name, PUT, place)?;
            let id = self.b.bin(BinOp::Ne, put.id, got.id);
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
                    self.scopes.push((member, Binding::Value(v)));
                }
            }
        }
        let holds = self.number(test);
        self.leave();
        let holds = holds?;
        let holds = self.truth(holds);
        let id = self.b.bin(BinOp::And, lent.id, holds.id);
        Ok(self.node(id, 1))
    }

    /// The mark of this time around: 1 on the first, 0 on the second.
    fn lap(&mut self, counter: Num<'a>, n: u64) -> Num<'a> {
        let by = self.b.constant(n);
        let round = self.b.bin(BinOp::Div, counter.id, by);
        let bit = self.b.extract(round, 0, 1);
        let one = self.b.constant(1);
        let id = self.b.bin(BinOp::Xor, bit, one);
        self.node(id, 1)
    }

    pub fn bind_text(&mut self, text: &str, value: Value<'a>) {
        if let Some(k) = self.subject.book.names.iter().position(|n| n == text) {
            self.scopes.push((Name(k as u16), Binding::Value(value)));
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
        let id = self.b.bin(BinOp::Ne, put.id, got.id);
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
                let id = self.b.bin(BinOp::Sub, put.id, got.id);
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

    /// Bytes of the ring's state up to the word that says how far marks were shown.
    fn told_at(n: u64) -> u64 {
        KEPT + 8 * n.div_ceil(2)
    }

    /// A cell with its marks. The first since the last `publish` gets those of the lap before, so that the device stops
    /// there, whatever stands behind it.
    fn marked(
        &mut self,
        i: InstanceId,
        name: Name,
        target: &Value<'a>,
        value: Value<'a>,
        (put, n): (Num<'a>, u64),
        place: Place,
    ) -> Result<Value<'a>> {
        let item = self.ring_item(i, name, place)?;
        let ItemKind::Ring {
            lent: Some(lent), ..
        } = &item.kind
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
        let first = self.b.bin(BinOp::Eq, put.id, told.id);
        let lap = self.lap(put, n);
        let lap = self.b.bin(BinOp::Xor, lap.id, first);
        let lap = self.node(lap, 1);
        for (_, at, bits, n) in self.marks(i, &layout, lent, lap)? {
            self.set_bits(&mut pieces, at, bits, n);
        }
        Ok(Value::Copy(layout, pieces))
    }

    /// The members of `lent { … }`: the record's member, where its bits are, how many, and their value in this lap.
    #[allow(clippy::type_complexity)]
    fn marks(
        &mut self,
        i: InstanceId,
        layout: &Rc<Layout<'a>>,
        lent: &'a Expr,
        lap: Num<'a>,
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
            self.enter(i, Vec::new());
            self.bind_text("lap", Value::Num(lap));
            let value = match &member.value {
                Some(e) => self.number(e),
                None => Ok(self.constant(1)),
            };
            self.leave();
            let value = self.fit(value?, width, member.place)?;
            marks.push((name, at, width, value));
        }
        Ok(marks)
    }

    /// Rings whose cells carry marks hand them over when published: the first cell's last, which shows all behind it.
    pub fn publish_ring(&mut self, i: InstanceId, name: Name, place: Place) -> Result<()> {
        let item = self.ring_item(i, name, place)?;
        let ItemKind::Ring {
            lent: Some(lent), ..
        } = &item.kind
        else {
            return Ok(());
        };
        let n = self.ring_count(i, name, place)?;
        let put = self.counter(i, name, PUT, place)?;
        let told = self.counter(i, name, Self::told_at(n), place)?;
        let some = self.b.bin(BinOp::Ne, put.id, told.id);
        let some = self.node(some, 1);
        self.branch(
            some,
            |s| {
                s.fence(graph::Fence::Publish);
                s.show_marks(i, name, lent, told, n, place)?;
                s.set_counter(i, name, Self::told_at(n), put, place)?;
                Ok(crate::execute::Flow::Next)
            },
            |_| Ok(crate::execute::Flow::Next),
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
        let marks = self.marks(i, &layout, lent, lap)?;
        let mut done: Vec<Name> = Vec::new();
        for (member, ..) in &marks {
            if done.contains(member) {
                continue;
            }
            done.push(*member);
            let spot = self.member(&cell, *member, place)?;
            let start = layout
                .members
                .iter()
                .find(|(n, _)| n == member)
                .map_or(0, |(_, slot)| slot.at);
            let old = self.load_number(&spot);
            let mut id = old.id;
            for (of, at, width, value) in &marks {
                if of == member {
                    let lo = (*at - start) as u8;
                    id = self.b.insert(id, value.id, lo, *width as u8);
                }
            }
            let whole = self.node(id, u64::MAX);
            self.store(&spot, Value::Num(whole), place)?;
        }
        Ok(())
    }

    // ---- slots

    fn slots_item(&mut self, i: InstanceId, name: Name, place: Place) -> Result<(&'a Item, u64)> {
        let item = self
            .find_item(
                i,
                |k| matches!(k, ItemKind::Slots { name: n, .. } if *n == name),
            )
            .ok_or_else(|| {
                Error::new(
                    place,
                    format!("there are no slots `{}`", self.text(name)),
                    "declare them with `slots`",
                )
            })?;
        let ItemKind::Slots { count, .. } = &item.kind else {
            return Ok((item, 0));
        };
        let n = self.fact_number(i, count)?;
        if n == 0 || n > 64 {
            return Err(Error::new(
                count.place,
                format!("{n} slots"),
                "use 1 to 64: `min(n, 64)`",
            ));
        }
        Ok((item, n))
    }

    /// Private state of the slots, and the array of members kept there.
    fn slots_state(&mut self, i: InstanceId, name: Name, place: Place) -> Result<Num<'a>> {
        let (item, n) = self.slots_item(i, name, place)?;
        let spot = self.memory(i, name, |s| {
            let inner = s
                .slot_layout(i, item)?
                .map_or(0, |l| l.size.next_multiple_of(8));
            let in_arena = matches!(&item.kind, ItemKind::Slots { in_arena: true, .. });
            let bytes = 8 + 4 * n.next_multiple_of(2) + if in_arena { 0 } else { inner * n };
            let words = Kind::Number {
                bits: 64,
                big: false,
                dma: false,
                fields: None,
            };
            Ok(s.state_spot(Kind::Array(Rc::new(words), bytes / 8)))
        })?;
        Ok(spot.at)
    }

    fn slot_layout(&mut self, i: InstanceId, item: &'a Item) -> Result<Option<Rc<Layout<'a>>>> {
        let ItemKind::Slots { fields, .. } = &item.kind else {
            return Ok(None);
        };
        if fields.list.is_empty() {
            return Ok(None);
        }
        let mut members = Vec::new();
        let mut at = 0u64;
        for field in &fields.list {
            let (kind, size) = self.slot_field(i, field, item)?;
            at = at.next_multiple_of(crate::layout::natural(&kind));
            if let Some(name) = field.name {
                members.push((name, Slot { at: at * 8, kind }));
            }
            at += size;
        }
        Ok(Some(Rc::new(Layout {
            members,
            size: at,
            align: 8,
        })))
    }

    fn slot_field(
        &mut self,
        i: InstanceId,
        field: &'a Field,
        item: &'a Item,
    ) -> Result<(Kind<'a>, u64)> {
        let kind = match &field.kind {
            Some(ty) => self.kind(i, ty, item.place)?,
            None => Kind::Number {
                bits: 8,
                big: false,
                dma: false,
                fields: None,
            },
        };
        let size = size_of(&kind);
        Ok((kind, size))
    }

    /// The members of one slot.
    pub fn slot_spot(
        &mut self,
        i: InstanceId,
        name: Name,
        index: Num<'a>,
        place: Place,
    ) -> Result<Spot<'a>> {
        let (item, n) = self.slots_item(i, name, place)?;
        let Some(layout) = self.slot_layout(i, item)? else {
            return Err(Error::new(
                place,
                "these slots have no members",
                "declare them in braces",
            ));
        };
        if index.most >= n {
            return Err(Error::new(
                place,
                format!(
                    "the slot can be {}, and there are {n}",
                    crate::place::bound_text(index.most)
                ),
                "check it first",
            ));
        }
        let ItemKind::Slots {
            in_arena, align, ..
        } = &item.kind
        else {
            return Err(Error::new(place, "no slots", "name slots"));
        };
        let align = match align {
            Some(e) => self.fact_number(i, e)?,
            None => 16,
        };
        if *in_arena {
            let stride = layout.size.next_multiple_of(align.max(8));
            let key = self.arena_key(name);
            let whole = self.memory(i, key, |s| {
                let byte = Kind::Number {
                    bits: 8,
                    big: false,
                    dma: false,
                    fields: None,
                };
                Ok(s.arena_spot(Kind::Array(Rc::new(byte), stride * n), align.max(16)))
            })?;
            let offset = self.times(index, stride);
            let at = self.sum(whole.at, offset);
            return Ok(Spot {
                space: Space::Arena,
                at,
                shift: 0,
                kind: Kind::Record(layout),
            });
        }
        let base = self.slots_state(i, name, place)?;
        let base = self.plus(base, 8 + 4 * n.next_multiple_of(2));
        let offset = self.times(index, layout.size.next_multiple_of(8));
        let at = self.sum(base, offset);
        Ok(Spot {
            space: Space::State,
            at,
            shift: 0,
            kind: Kind::Record(layout),
        })
    }

    /// A second name for the arena side of slots, which also have private state.
    fn arena_key(&self, name: Name) -> Name {
        Name(name.0 | 0x8000)
    }

    pub fn busy_set(&mut self, i: InstanceId, name: Name, place: Place) -> Result<Num<'a>> {
        let (_, n) = self.slots_item(i, name, place)?;
        let at = self.slots_state(i, name, place)?;
        let set = self.raw_load(Space::State, at, Width::B64);
        let mask = self.b.constant(ones(n as u32));
        let id = self.b.bin(BinOp::And, set.id, mask);
        Ok(self.node(id, ones(n as u32)))
    }

    /// `take SLOTS keep X`: a free slot's number.
    pub fn take(
        &mut self,
        slots: &'a Expr,
        keep: Option<&'a Expr>,
        place: Place,
    ) -> Result<Value<'a>> {
        let Value::Slots(i, name) = self.value(slots)? else {
            return Err(Error::new(place, "`take` needs slots", "name `slots`"));
        };
        let (_, n) = self.slots_item(i, name, place)?;
        let at = self.slots_state(i, name, place)?;
        let set = self.raw_load(Space::State, at, Width::B64);
        let all = self.b.constant(ones(n as u32));
        let free = self.b.bin(BinOp::Xor, set.id, all);
        let free = self.b.bin(BinOp::And, free, all);
        let zero = self.b.constant(0);
        let some = self.b.bin(BinOp::Ne, free, zero);
        let some = self.node(some, 1);
        self.unless_had(some)?;
        let index = self.b.lowest_bit(free);
        let index = self.node(index, n - 1);
        self.narrowed.push((index.id, n - 1));
        let one = self.b.constant(1);
        let bit = self.b.bin(BinOp::Shl, one, index.id);
        let set = self.b.bin(BinOp::Or, set.id, bit);
        let set = self.node(set, u64::MAX);
        self.raw_store(Space::State, at, Width::B64, set);
        if let Some(e) = keep {
            let kept = self.number(e)?;
            let base = self.plus(at, 8);
            self.store_kept(base, index, kept, place)?;
        }
        self.taken.push((i, name, index));
        Ok(Value::Num(index))
    }

    /// `busy(SLOTS, k)`
    pub fn is_busy(
        &mut self,
        i: InstanceId,
        name: Name,
        index: Num<'a>,
        place: Place,
    ) -> Result<Num<'a>> {
        let set = self.busy_set(i, name, place)?;
        let shifted = self.b.bin(BinOp::Shr, set.id, index.id);
        let id = self.b.extract(shifted, 0, 1);
        Ok(self.node(id, 1))
    }

    /// `free(SLOTS, k)`: the slot is free again; gives what was kept with it.
    pub fn free(
        &mut self,
        i: InstanceId,
        name: Name,
        index: Num<'a>,
        place: Place,
    ) -> Result<Num<'a>> {
        let (_, n) = self.slots_item(i, name, place)?;
        if index.most >= n {
            return Err(Error::new(
                place,
                format!(
                    "the slot can be {}, and there are {n}",
                    crate::place::bound_text(index.most)
                ),
                "check it first",
            ));
        }
        let at = self.slots_state(i, name, place)?;
        let set = self.raw_load(Space::State, at, Width::B64);
        let one = self.b.constant(1);
        let bit = self.b.bin(BinOp::Shl, one, index.id);
        let all = self.b.constant(u64::MAX);
        let others = self.b.bin(BinOp::Xor, bit, all);
        let set = self.b.bin(BinOp::And, set.id, others);
        let set = self.node(set, u64::MAX);
        self.raw_store(Space::State, at, Width::B64, set);
        self.count_freed(i, name)?;
        let base = self.plus(at, 8);
        Ok(self.load_kept(base, index))
    }

    pub fn slot_member(
        &mut self,
        i: InstanceId,
        slots: Name,
        index: Num<'a>,
        member: Name,
        place: Place,
    ) -> Result<Value<'a>> {
        let spot = self.slot_spot(i, slots, index, place)?;
        if matches!(self.text(member), "in" | "out") {
            return self.dot_value(Value::Spot(spot), member, place);
        }
        Ok(Value::Spot(self.member(&spot, member, place)?))
    }

    pub fn set_slot_member(
        &mut self,
        i: InstanceId,
        slots: Name,
        index: Num<'a>,
        member: Name,
        value: Value<'a>,
        place: Place,
    ) -> Result<()> {
        let spot = self.slot_spot(i, slots, index, place)?;
        let member = self.member(&spot, member, place)?;
        self.store(&member, value, place)
    }

    /// The slots or ring that an expression names, for `free` and `busy`.
    pub fn slots_named(&mut self, e: &'a Expr) -> Result<(InstanceId, Name)> {
        match self.value(e)? {
            Value::Slots(i, name) => Ok((i, name)),
            _ => Err(Error::new(e.place, "these are no slots", "name `slots`")),
        }
    }
}
