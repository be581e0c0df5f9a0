//! Where bits and members lie: register fields, records, and the driver's memory.

use crate::instance::{InstanceId, Specialiser};
use crate::lent::Reach;
use crate::value::{Bits, Kind, Layout, Num, Slot, Spot, Value};
use crate::{Error, Result};
use alloc::{format, rc::Rc, vec::Vec};
use graph::Space;
use rulebook::tree::{
    ArenaItem, Effects, Expr, Field, Fields, Item, ItemKind, Name, Place, Rest, Type, TypeBase,
};

/// One field of a register or number.
#[derive(Clone, Copy, Debug)]
pub struct FieldAt<'a> {
    pub lo: u32,
    pub width: u32,
    pub bits: Option<Bits<'a>>,
}

/// Bytes that anything in memory may have: offsets are far from where numbers end.
pub const LARGEST: u64 = 1 << 30;

impl<'a> Specialiser<'a, '_> {
    /// The lists of fields that a `Bits` stands for, with the instance that names inside are resolved in.
    fn field_lists(&self, bits: Bits<'a>) -> Vec<(InstanceId, &'a Fields)> {
        match bits {
            Bits::Fields(id, fields) => alloc::vec![(id, fields)],
            Bits::Named(id, name) => {
                let mut lists = Vec::new();
                for instance in self.family(id) {
                    for item in self.all_items(instance) {
                        match &item.kind {
                            ItemKind::Bits { name: n, fields } if *n == name => {
                                lists.push((instance, fields))
                            }
                            _ => {}
                        }
                    }
                }
                lists
            }
        }
    }

    /// The instance, what it stands on, and what stands on it: all that may add names to one set of bits.
    fn family(&self, id: InstanceId) -> Vec<InstanceId> {
        let mut family = alloc::vec![id];
        let mut at = id;
        while let Some(lower) = self.rules.instances[at].lower {
            family.push(lower);
            at = lower;
        }
        let mut at = id;
        while let Some((upper, _)) = self.rules.instances[at].upper {
            if !family.contains(&upper) {
                family.push(upper);
            }
            at = upper;
        }
        // A part's transport is also its user's; whoever uses the transport directly may add to it.
        for k in 0..self.rules.instances.len() {
            if self.rules.instances[k].label.is_empty() && !family.contains(&k) {
                family.push(k);
            }
        }
        family
    }

    pub fn field(&self, bits: Bits<'a>, name: Name) -> Option<FieldAt<'a>> {
        for (instance, fields) in self.field_lists(bits) {
            for (field, lo, width) in placed(fields) {
                if field.name == Some(name) {
                    return Some(FieldAt {
                        lo,
                        width,
                        bits: sub_bits(instance, field),
                    });
                }
            }
        }
        None
    }

    /// A field of a field of a field: its bits are counted from the start of the number.
    pub fn nested(&self, bits: Bits<'a>, path: &[Name]) -> Option<FieldAt<'a>> {
        let (first, rest) = path.split_first()?;
        let outer = self.field(bits, *first)?;
        if rest.is_empty() {
            return Some(outer);
        }
        let inner = self.nested(outer.bits?, rest)?;
        Some(FieldAt {
            lo: outer.lo + inner.lo,
            ..inner
        })
    }

    /// What a write of another field sends of these bits: those that writing them does nothing to, nor to a part of them.
    pub fn kept_mask(&self, bits: Bits<'a>, acts: u16) -> u64 {
        let mut keep = 0;
        for (instance, fields) in self.field_lists(bits) {
            for (field, lo, width) in placed(fields) {
                if field.name.is_none() || field.effects.0 & acts != 0 {
                    continue;
                }
                let mut own = ones(width);
                if let Some(inner) = sub_bits(instance, field) {
                    let named = self.named_mask(inner);
                    own &= !(named & !self.kept_mask(inner, acts));
                }
                keep |= own << lo;
            }
        }
        keep
    }

    /// All named fields, for masks: lowest bit, width, effects.
    pub fn named_fields(&self, bits: Bits<'a>) -> Vec<(u32, u32, Effects)> {
        let mut all = Vec::new();
        for (_, fields) in self.field_lists(bits) {
            for (field, lo, width) in placed(fields) {
                if field.name.is_some() {
                    all.push((lo, width, field.effects));
                }
            }
        }
        all
    }

    pub fn rest(&self, bits: Bits<'a>) -> Rest {
        self.field_lists(bits)
            .first()
            .map_or(Rest::Nothing, |(_, f)| f.rest)
    }

    /// Ones where a field has a name.
    pub fn named_mask(&self, bits: Bits<'a>) -> u64 {
        self.named_fields(bits)
            .iter()
            .fold(0, |mask, (lo, width, _)| mask | ones(*width) << lo)
    }

    // ---- types of memory

    pub fn kind(&mut self, id: InstanceId, ty: &'a Type, place: Place) -> Result<Kind<'a>> {
        let mut kind = self.base_kind(id, ty.base, place)?;
        for dim in ty.dims.iter().rev() {
            let n = self.fact_number(id, dim)?;
            if n.saturating_mul(size_of(&kind).max(1)) > LARGEST {
                return Err(Error::new(
                    dim.place,
                    format!("an array of {n} is larger than 1 GiB"),
                    "give it fewer elements, or bound the fact that says how many",
                ));
            }
            kind = Kind::row(kind, n);
        }
        Ok(kind)
    }

    fn base_kind(&mut self, id: InstanceId, base: TypeBase, place: Place) -> Result<Kind<'a>> {
        let number = |bits, big, dma| Kind::Number {
            bits,
            big,
            dma,
            fields: None,
        };
        Ok(match base {
            TypeBase::Bits(n) => number(n, false, None),
            TypeBase::Dma(n) => {
                let reach = Reach {
                    extent: None,
                    instance: id,
                };
                number(n, false, Some(reach))
            }
            TypeBase::Big(n) => number(n, true, None),
            TypeBase::Bool => number(8, false, None),
            TypeBase::Named(name) => Kind::Record(self.record(id, name, place)?),
        })
    }

    /// A number that facts must give: a count, a size, an alignment.
    pub fn fact_number(&mut self, id: InstanceId, expr: &'a Expr) -> Result<u64> {
        self.enter(id, Vec::new());
        let n = self.exact_number(expr);
        self.leave();
        let n = n?;
        self.decided(n.id).ok_or_else(|| {
            Error::new(
                expr.place,
                "this number is not known when the code is written",
                "learn it first",
            )
        })
    }

    pub fn has_record(&mut self, id: InstanceId, name: Name) -> bool {
        let mut at = Some(id);
        while let Some(i) = at {
            let found = self.find_item(
                i,
                |k| matches!(k, ItemKind::Record { name: n, .. } if *n == name),
            );
            if found.is_some() {
                return true;
            }
            at = self.rules.instances[i].lower;
        }
        false
    }

    /// The layout of a record that the instance (or what it stands on) declares.
    pub fn record(&mut self, id: InstanceId, name: Name, place: Place) -> Result<Rc<Layout<'a>>> {
        let mut at = Some(id);
        while let Some(i) = at {
            let found = self.find_item(
                i,
                |k| matches!(k, ItemKind::Record { name: n, .. } if *n == name),
            );
            if let Some(item) = found {
                let ItemKind::Record {
                    big, size, fields, ..
                } = &item.kind
                else {
                    break;
                };
                return self.record_layout(i, *big, *size, fields);
            }
            at = self.rules.instances[i].lower;
        }
        Err(Error::new(
            place,
            format!("there is no record `{}`", self.text(name)),
            "declare it with `record`",
        ))
    }

    fn record_layout(
        &mut self,
        id: InstanceId,
        big: bool,
        size: Option<u32>,
        fields: &'a Fields,
    ) -> Result<Rc<Layout<'a>>> {
        let mut members = Vec::new();
        let mut at = 0u64;
        let mut align = 1u64;
        for field in &fields.list {
            if let Some(byte) = field.at {
                at = byte as u64 * 8;
            }
            let (kind, bits) = self.field_kind(id, field, big)?;
            if at.is_multiple_of(8) && bits.is_multiple_of(8) {
                align = align.max((bits / 8).min(8).next_power_of_two().min(8));
            }
            if let Some(name) = field.name {
                members.push((name, Slot { at, kind }));
            }
            at += bits;
        }
        let size = size.map_or(at.div_ceil(8), |s| s as u64);
        Ok(Rc::new(Layout {
            members,
            size,
            align,
        }))
    }

    /// The type of a field and how many bits it takes in a record.
    fn field_kind(
        &mut self,
        id: InstanceId,
        field: &'a Field,
        big: bool,
    ) -> Result<(Kind<'a>, u64)> {
        let mut kind = match &field.kind {
            Some(ty) => self.kind(id, ty, field.place)?,
            None => Kind::number(1),
        };
        kind.reaches(field.extent.as_ref());
        if let Kind::Number {
            bits,
            big: b,
            fields,
            ..
        } = &mut kind
        {
            *b |= big && *bits > 8;
            if let Some(sub) = &field.fields {
                *fields = Some(Bits::Fields(id, sub));
            }
        }
        let bits = match &kind {
            Kind::Number { bits, .. } => *bits as u64,
            other => size_of(other) * 8,
        };
        Ok((kind, bits))
    }

    // ---- the driver's memory

    /// Memory of a name: made when it is first used, the same ever after.
    pub fn memory(
        &mut self,
        id: InstanceId,
        name: Name,
        make: impl FnOnce(&mut Self) -> Result<Spot<'a>>,
    ) -> Result<Spot<'a>> {
        if let Some((_, spot)) = self.rules.instances[id]
            .memory
            .iter()
            .find(|(n, _)| *n == name)
        {
            return Ok(spot.clone());
        }
        let spot = match self.rules.instances[id].bank {
            None => make(self)?,
            Some((bank, position)) => self.banked(id, name, bank, position, make)?,
        };
        self.rules.instances[id].memory.push((name, spot.clone()));
        Ok(spot)
    }

    pub fn state_spot(&mut self, kind: Kind<'a>) -> Spot<'a> {
        let at = self.out.room.reserve_state(size_of(&kind));
        Spot {
            space: Space::State,
            at: self.constant(at),
            shift: 0,
            kind,
        }
    }

    pub fn arena_spot(&mut self, kind: Kind<'a>, align: u64) -> Spot<'a> {
        let at = self.out.room.reserve_arena(size_of(&kind), align);
        Spot {
            space: Space::Arena,
            at: self.constant(at),
            shift: 0,
            kind,
        }
    }

    /// The memory of an `arena` item.
    pub fn arena(
        &mut self,
        id: InstanceId,
        item: &'a Item,
        arena: &'a ArenaItem,
    ) -> Result<Spot<'a>> {
        self.memory(id, arena.name, |s| {
            let align = match &arena.align {
                Some(e) => s.fact_number(id, e)?,
                None => 8,
            };
            alignment(align, item.place)?;
            if let Some(reach) = &arena.reach {
                s.reached(id, reach)?;
            }
            if arena.circular && arena.spill.is_none() {
                return Err(Error::new(
                    item.place,
                    "a circular arena without room behind its end",
                    "say how far the device writes over the end: `spill 2 KiB`",
                ));
            }
            let mut kind = if !arena.fields.is_empty() {
                Kind::Record(s.arena_members(id, &arena.fields)?)
            } else if let Some(ty) = &arena.kind {
                let kind = s.kind(id, ty, item.place)?;
                s.apart(id, kind, arena.step.as_ref())?
            } else {
                let size = arena.size.as_ref().ok_or_else(|| {
                    Error::new(
                        item.place,
                        "this arena has no size",
                        "give a size, a type or members",
                    )
                })?;
                let mut bytes = s.fact_number(id, size)?;
                if let Some(spill) = &arena.spill {
                    bytes = bytes.saturating_add(s.fact_number(id, spill)?);
                }
                if bytes > LARGEST {
                    return Err(Error::new(
                        size.place,
                        format!("{bytes} bytes are more than 1 GiB"),
                        "make the arena smaller",
                    ));
                }
                Kind::row(Kind::number(8), bytes)
            };
            kind.reaches(arena.extent.as_ref());
            // A block that may not cross a boundary is aligned to its own size.
            let align = if arena.across.is_some() {
                align.max(size_of(&kind).next_power_of_two())
            } else {
                align
            };
            Ok(s.arena_spot(kind, align))
        })
    }

    /// An array whose elements stand so many bytes apart. It ends where one more would begin.
    fn apart(
        &mut self,
        id: InstanceId,
        kind: Kind<'a>,
        step: Option<&'a Expr>,
    ) -> Result<Kind<'a>> {
        let Some(expr) = step else { return Ok(kind) };
        let (of, count) = match kind {
            Kind::Array(of, count, _) if !matches!(*of, Kind::Array(..)) => (of, count),
            _ => {
                return Err(Error::new(
                    expr.place,
                    "this is no row of elements that could stand apart",
                    "give it a type with one count: `arena M: CELL[8] step 64`",
                ))
            }
        };
        let step = self.fact_number(id, expr)?;
        let (size, align) = (size_of(&of), natural(&of).max(1));
        if step < size || !step.is_multiple_of(align) {
            return Err(Error::new(
                expr.place,
                format!(
                    "elements of {size} bytes at multiples of {align} do not stand {step} bytes apart"
                ),
                "use a `step` that is not less, and a multiple",
            ));
        }
        if count.saturating_mul(step) > LARGEST {
            return Err(Error::new(
                expr.place,
                format!("an array of {count}, {step} bytes apart, is larger than 1 GiB"),
                "give it fewer elements, or let them stand closer",
            ));
        }
        Ok(Kind::Array(of, count, step))
    }

    /// All memory of a driver lies within one reach, which its installer is told by the fact.
    fn reached(&mut self, id: InstanceId, reach: &'a Expr) -> Result<()> {
        let bits = self.fact_number(id, reach)?;
        self.enter(id, Vec::new());
        let all = self.reach();
        self.leave();
        if all > ones(bits.min(64) as u32) {
            return Err(Error::new(
                reach.place,
                format!("this arena must lie below 2^{bits}, but the rule does not say so of all memory"),
                format!("add `fact reach = {bits}`"),
            ));
        }
        Ok(())
    }

    fn arena_members(&mut self, id: InstanceId, fields: &'a [Field]) -> Result<Rc<Layout<'a>>> {
        let mut members = Vec::new();
        let (mut at, mut largest) = (0u64, 8u64);
        for field in fields {
            let (kind, _) = self.field_kind(id, field, false)?;
            let kind = self.apart(id, kind, field.step.as_ref())?;
            let align = match &field.align {
                Some(e) => self.fact_number(id, e)?.max(1),
                None => natural(&kind),
            };
            largest = largest.max(align);
            at = at.next_multiple_of(align);
            let size = size_of(&kind);
            if let Some(name) = field.name {
                members.push((name, Slot { at: at * 8, kind }));
            }
            at += size;
        }
        Ok(Rc::new(Layout {
            members,
            size: at,
            align: largest,
        }))
    }

    /// The numbers of a `bits` item as one mask.
    pub fn mask_of(&mut self, bits: Bits<'a>) -> Num<'a> {
        let mask = self.named_mask(bits);
        let mut n = self.constant(mask);
        n.bits = Some(bits);
        n
    }

    /// A record as constants, from bytes.
    pub fn copy_of_bytes(&mut self, layout: Rc<Layout<'a>>, bytes: &[u8]) -> Value<'a> {
        let pieces = (0..layout.size.div_ceil(8) as usize)
            .map(|k| {
                let mut word = [0u8; 8];
                for (j, b) in word.iter_mut().enumerate() {
                    // A capability may end before its record does, at the end of configuration space: nothing is there.
                    *b = bytes.get(k * 8 + j).copied().unwrap_or(0);
                }
                self.constant(u64::from_le_bytes(word))
            })
            .collect();
        Value::Copy(layout, pieces)
    }
}

/// An error where the driver's memory cannot be at a multiple of this.
pub fn alignment(align: u64, place: Place) -> Result<()> {
    match align.is_power_of_two() && align <= LARGEST {
        true => Ok(()),
        false => Err(Error::new(
            place,
            format!("an alignment of {align} bytes"),
            "use a power of two, up to 1 GiB: 16, 4096 or the like",
        )),
    }
}

/// Ones in the low `width` bits.
pub fn ones(width: u32) -> u64 {
    if width == 0 {
        0
    } else {
        u64::MAX >> (64 - width.min(64))
    }
}

/// Fields with their places, counted on where no `@` says.
fn placed(fields: &Fields) -> impl Iterator<Item = (&Field, u32, u32)> {
    let mut at = 0;
    fields.list.iter().map(move |field| {
        let lo = field.at.unwrap_or(at);
        let width = width_of(field);
        at = lo + width;
        (field, lo, width)
    })
}

fn width_of(field: &Field) -> u32 {
    match &field.kind {
        None => 1,
        Some(ty) => match ty.base {
            TypeBase::Bits(n) | TypeBase::Dma(n) | TypeBase::Big(n) => n,
            TypeBase::Bool => 1,
            TypeBase::Named(_) => 64,
        },
    }
}

fn sub_bits(instance: InstanceId, field: &Field) -> Option<Bits<'_>> {
    if let Some(fields) = &field.fields {
        return Some(Bits::Fields(instance, fields));
    }
    match field.kind.as_ref()?.base {
        TypeBase::Named(name) => Some(Bits::Named(instance, name)),
        _ => None,
    }
}

/// Bytes that a kind takes.
pub fn size_of(kind: &Kind) -> u64 {
    match kind {
        Kind::Number { bits, .. } => bits.div_ceil(8).next_power_of_two() as u64,
        Kind::Record(layout) => layout.size,
        Kind::Array(_, n, step) => step * n,
    }
}

pub fn natural(kind: &Kind) -> u64 {
    match kind {
        Kind::Number { .. } => size_of(kind).min(8),
        Kind::Record(layout) => layout.align,
        Kind::Array(of, ..) => natural(of),
    }
}
