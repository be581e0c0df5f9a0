//! Slots: numbered places for what is outstanding.
//!
//! Slots keep in private state a set of busy bits (64 bits), then 32 bits kept for each slot, then the members that are not in
//! the arena.

use crate::instance::{InstanceId, Specialiser};
use crate::layout::{natural, ones, size_of};
use crate::place::bound_text;
use crate::value::{Bits, Kind, Layout, Num, Slot, Spot, Value};
use crate::{Error, Result};
use alloc::{format, rc::Rc, vec::Vec};
use graph::{BinOp, Space, Width};
use rulebook::tree::{Expr, Field, Item, ItemKind, Name, Place};

impl<'a> Specialiser<'a, '_> {
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
            let words = Kind::number(64);
            Ok(s.state_spot(Kind::row(words, bytes / 8)))
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
            at = at.next_multiple_of(natural(&kind));
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
        let mut kind = match &field.kind {
            Some(ty) => self.kind(i, ty, item.place)?,
            None => Kind::number(8),
        };
        kind.reaches(field.extent.as_ref());
        if let (Kind::Number { fields, .. }, Some(inner)) = (&mut kind, &field.fields) {
            *fields = Some(Bits::Fields(i, inner));
        }
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
        is_slot(index, n, place)?;
        let ItemKind::Slots {
            in_arena, align, ..
        } = &item.kind
        else {
            return Err(Error::new(place, "no slots", "name slots"));
        };
        let align = match align {
            Some(e) => {
                let align = self.fact_number(i, e)?;
                crate::layout::alignment(align, e.place)?;
                align
            }
            None => 16,
        };
        if *in_arena {
            let stride = layout.size.next_multiple_of(align.max(8));
            let key = self.arena_key(name);
            let whole = self.memory(i, key, |s| {
                let byte = Kind::number(8);
                Ok(s.arena_spot(Kind::row(byte, stride * n), align.max(16)))
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
        let mask = self.out.b.constant(ones(n as u32));
        let id = self.out.b.bin(BinOp::And, set.id, mask);
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
        let all = self.out.b.constant(ones(n as u32));
        let free = self.out.b.bin(BinOp::Xor, set.id, all);
        let free = self.out.b.bin(BinOp::And, free, all);
        let zero = self.out.b.constant(0);
        let some = self.out.b.bin(BinOp::Ne, free, zero);
        let some = self.node(some, 1);
        self.unless_had(some)?;
        let index = self.out.b.lowest_bit(free);
        let index = self.node(index, n - 1);
        self.entry.proved.at_most(index.id, n - 1);
        let one = self.out.b.constant(1);
        let bit = self.out.b.bin(BinOp::Shl, one, index.id);
        let set = self.out.b.bin(BinOp::Or, set.id, bit);
        let set = self.node(set, u64::MAX);
        self.raw_store(Space::State, at, Width::B64, set);
        if let Some(e) = keep {
            let kept = self.number(e)?;
            let base = self.plus(at, 8);
            self.store_kept(base, index, kept, place)?;
        }
        self.entry.taken.take((i, name, index), place);
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
        let shifted = self.out.b.bin(BinOp::Shr, set.id, index.id);
        let id = self.out.b.extract(shifted, 0, 1);
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
        is_slot(index, n, place)?;
        let at = self.slots_state(i, name, place)?;
        let set = self.raw_load(Space::State, at, Width::B64);
        let one = self.out.b.constant(1);
        let bit = self.out.b.bin(BinOp::Shl, one, index.id);
        let all = self.out.b.constant(u64::MAX);
        let others = self.out.b.bin(BinOp::Xor, bit, all);
        let set = self.out.b.bin(BinOp::And, set.id, others);
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

    /// The slots or ring that an expression names, for `free` and `busy`.
    pub fn slots_named(&mut self, e: &'a Expr) -> Result<(InstanceId, Name)> {
        match self.value(e)? {
            Value::Slots(i, name) => Ok((i, name)),
            _ => Err(Error::new(e.place, "these are no slots", "name `slots`")),
        }
    }
}

fn is_slot(index: Num, n: u64, place: Place) -> Result<()> {
    if index.most < n {
        return Ok(());
    }
    Err(Error::new(
        place,
        format!(
            "the slot can be {}, and there are {n}",
            bound_text(index.most)
        ),
        "check it first",
    ))
}
