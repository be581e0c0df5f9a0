//! Slots: numbered places for what is outstanding. Private state keeps which are busy, how many were freed, and a word for
//! each.

use crate::ring::words;
use crate::value::{Id, Kind, Layout, Spot, Value};
use crate::{wrong, Meaning, Outside, Run};
use graph::{Space, Width};
use rulebook::tree::{Expr, Item, ItemKind, Name, Place};
use std::rc::Rc;

const BUSY: u64 = 0;
const FREED: u64 = 1;
const KEPT: u64 = 2;

impl<'a> Meaning<'a> {
    fn slots_item(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        place: Place,
    ) -> Run<(&'a Item, u64)> {
        let found = self.find(
            io,
            i,
            |k| matches!(k, ItemKind::Slots { name: n, .. } if *n == name),
        );
        match found.map(|item| (item, &item.kind)) {
            Some((item, ItemKind::Slots { count, .. })) => match self.count(io, i, count)? {
                n @ 1..=64 => Ok((item, n)),
                n => wrong(count.place, format!("{n} slots")),
            },
            _ => wrong(place, "there are no such slots"),
        }
    }

    fn slot_word(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        which: u64,
        place: Place,
    ) -> Run<u64> {
        let spot = match self.known_spot(i, name, "taken") {
            Some(spot) => spot,
            None => {
                let (_, n) = self.slots_item(io, i, name, place)?;
                self.put(i, name, "taken", Space::State, words(KEPT + n), 8)
            }
        };
        Ok(spot.at + 8 * which)
    }

    /// The members of one slot.
    pub(crate) fn slot_spot(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        k: u64,
        place: Place,
    ) -> Run<Spot<'a>> {
        let (item, n) = self.slots_item(io, i, name, place)?;
        let ItemKind::Slots {
            in_arena,
            fields,
            align,
            ..
        } = &item.kind
        else {
            return wrong(place, "no slots");
        };
        if fields.list.is_empty() || k >= n {
            return wrong(place, format!("slot {k} of {n}, and its members"));
        }
        let byte = Kind::Number {
            bits: 8,
            big: false,
            fields: None,
        };
        let layout: Rc<Layout<'a>> = self.members_of(io, i, &fields.list, byte.clone())?;
        let align = match align {
            Some(e) => self.count(io, i, e)?,
            None => 16,
        };
        let (space, align) = match in_arena {
            true => (Space::Arena, align.max(8)),
            false => (Space::State, 8),
        };
        let stride = layout.size.next_multiple_of(align);
        let whole = match self.known_spot(i, name, "slots") {
            Some(spot) => spot,
            None => {
                let kind = Kind::Array(Rc::new(byte), stride * n, 1);
                self.put(i, name, "slots", space, kind, align.max(16))
            }
        };
        Ok(Spot {
            at: whole.at + k * stride,
            kind: Kind::Record(layout),
            ..whole
        })
    }

    /// The set of those that are taken.
    pub(crate) fn busy_set(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        place: Place,
    ) -> Run<u64> {
        let at = self.slot_word(io, i, name, BUSY, place)?;
        Ok(io.load(Space::State, at, Width::B64))
    }

    fn set_busy(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        set: u64,
        place: Place,
    ) -> Run<()> {
        let at = self.slot_word(io, i, name, BUSY, place)?;
        io.store(Space::State, at, Width::B64, set);
        Ok(())
    }

    /// The lowest free slot.
    pub(crate) fn take(
        &mut self,
        io: &mut dyn Outside,
        slots: &'a Expr,
        keep: Option<&'a Expr>,
        place: Place,
    ) -> Run<Value<'a>> {
        let Value::Slots(i, name) = self.value(io, slots)? else {
            return wrong(place, "`take` needs slots");
        };
        let (_, n) = self.slots_item(io, i, name, place)?;
        let busy = self.busy_set(io, i, name, place)?;
        let k = u64::from(busy.trailing_ones());
        self.unless(io, k < n)?;
        self.set_busy(io, i, name, busy | 1 << k, place)?;
        if let Some(e) = keep {
            let kept = self.number(io, e)?;
            let kept = self.fit(kept, 32, e.place)?;
            let at = self.slot_word(io, i, name, KEPT + k, place)?;
            io.store(Space::State, at, Width::B64, kept);
        }
        self.taken.push((i, name, k));
        Ok(Value::number(k))
    }

    /// The slot is free again; gives the word that was kept with it.
    pub(crate) fn free(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        k: u64,
        place: Place,
    ) -> Run<u64> {
        let (_, n) = self.slots_item(io, i, name, place)?;
        if k >= n {
            return wrong(place, format!("slot {k} of {n}"));
        }
        let busy = self.busy_set(io, i, name, place)?;
        self.set_busy(io, i, name, busy & !(1 << k), place)?;
        let at = self.slot_word(io, i, name, FREED, place)?;
        let freed = io.load(Space::State, at, Width::B64);
        io.store(Space::State, at, Width::B64, freed.wrapping_add(1));
        let at = self.slot_word(io, i, name, KEPT + k, place)?;
        Ok(io.load(Space::State, at, Width::B64))
    }

    /// Whether any slot is taken, and how many were freed so far.
    pub(crate) fn slots_progress(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        place: Place,
    ) -> Run<(bool, u64)> {
        let busy = self.busy_set(io, i, name, place)?;
        let at = self.slot_word(io, i, name, FREED, place)?;
        Ok((busy != 0, io.load(Space::State, at, Width::B64)))
    }
}
