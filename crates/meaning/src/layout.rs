//! Where bits and members lie, and where objects are put in memory.

use crate::value::{ones, Bits, Id, Kind, Layout, Num, Spot, Value};
use crate::{wrong, Meaning, Outside, Run};
use graph::Space;
use rulebook::tree::{
    ArenaItem, Effects, Expr, Field, Fields, ItemKind, Name, Place, Rest, Type, TypeBase,
};
use std::rc::Rc;

/// One field: where its bits are, and what their names are.
pub struct FieldAt<'a> {
    pub lo: u32,
    pub width: u32,
    pub effects: Effects,
    pub bits: Option<Bits<'a>>,
    name: Option<Name>,
}

/// Fields with their places: one without `@` follows the one before.
fn placed(id: Id, fields: &Fields) -> Vec<FieldAt<'_>> {
    let mut at = 0;
    let mut list = Vec::new();
    for field in &fields.list {
        let lo = field.at.unwrap_or(at);
        let width = match &field.kind {
            None => 1,
            Some(kind) => kind.bits().unwrap_or(64),
        };
        let named = field.kind.as_ref().map(|kind| kind.base);
        list.push(FieldAt {
            lo,
            width,
            effects: field.effects,
            name: field.name,
            bits: match (&field.fields, named) {
                (Some(inner), _) => Some(Bits::Fields(id, inner)),
                (None, Some(TypeBase::Named(name))) => Some(Bits::Named(id, name)),
                _ => None,
            },
        });
        at = lo + width;
    }
    list
}

fn number<'a>(bits: u32, big: bool) -> Kind<'a> {
    Kind::Number {
        bits,
        big,
        fields: None,
    }
}

impl<'a> Meaning<'a> {
    /// The lists of fields that a set of bits has: a function's `bits` add to those of what carries it.
    fn lists(&self, bits: Bits<'a>) -> Vec<(Id, &'a Fields)> {
        let (id, wanted) = match bits {
            Bits::Fields(id, fields) => return vec![(id, fields)],
            Bits::Named(id, name) => (id, name),
        };
        let mut family = vec![id];
        while let Some(lower) = self.instances[family[family.len() - 1]].lower {
            family.push(lower);
        }
        let mut at = id;
        while let Some((upper, _)) = self.instances[at].upper {
            family.push(upper);
            at = upper;
        }
        family.push(self.function);
        let mut lists: Vec<(Id, &'a Fields)> = Vec::new();
        for member in family {
            for item in self.all_items(member) {
                if let ItemKind::Bits { name, fields } = &item.kind {
                    if *name == wanted && lists.iter().all(|(_, f)| !std::ptr::eq(*f, fields)) {
                        lists.push((member, fields));
                    }
                }
            }
        }
        lists
    }

    pub(crate) fn field(&self, bits: Bits<'a>, name: Name) -> Option<FieldAt<'a>> {
        let lists = self.lists(bits).into_iter();
        let mut all = lists.flat_map(|(id, fields)| placed(id, fields));
        all.find(|field| field.name == Some(name))
    }

    pub(crate) fn fields(&self, bits: Bits<'a>) -> Vec<FieldAt<'a>> {
        let lists = self.lists(bits).into_iter();
        let all = lists.flat_map(|(id, fields)| placed(id, fields));
        all.filter(|field| field.name.is_some()).collect()
    }

    /// A field of a field: where it lies in the whole.
    pub(crate) fn deep_field(&self, bits: Bits<'a>, path: &[Name]) -> Option<FieldAt<'a>> {
        let mut found: Option<FieldAt<'a>> = None;
        for name in path {
            let (bits, from) = match &found {
                None => (bits, 0),
                Some(outer) => (outer.bits?, outer.lo),
            };
            let mut field = self.field(bits, *name)?;
            field.lo += from;
            found = Some(field);
        }
        found
    }

    /// The bits inside a field that do something when they are written, by what is said of its parts.
    pub(crate) fn acting(&self, field: &FieldAt<'a>, acts: u16, from: u32) -> u64 {
        let Some(bits) = field.bits else { return 0 };
        let from = from + field.lo;
        self.fields(bits).iter().fold(0, |mask, part| {
            let own = match part.effects.0 & acts {
                0 => 0,
                _ => ones(part.width) << (from + part.lo),
            };
            mask | own | self.acting(part, acts, from)
        })
    }

    /// What bits without a name are written as.
    pub(crate) fn rest(&self, bits: Bits<'a>) -> Rest {
        let lists = self.lists(bits);
        lists.first().map_or(Rest::Nothing, |(_, f)| f.rest)
    }

    /// Ones where a field has a name.
    pub(crate) fn mask(&self, bits: Bits<'a>) -> u64 {
        let fields = self.fields(bits);
        fields.iter().fold(0, |m, f| m | ones(f.width) << f.lo)
    }

    /// A number that facts give: a count, a size, an alignment.
    pub(crate) fn count(&mut self, io: &mut dyn Outside, id: Id, e: &'a Expr) -> Run<u64> {
        self.within(id, Vec::new(), |m| {
            let n = m.number(io, e)?;
            m.small(n, e.place)
        })
    }

    pub(crate) fn kind(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        ty: &'a Type,
        place: Place,
    ) -> Run<Kind<'a>> {
        let mut kind = match ty.base {
            TypeBase::Bits(n) | TypeBase::Dma(n) => number(n, false),
            TypeBase::Big(n) => number(n, true),
            TypeBase::Bool => number(8, false),
            TypeBase::Named(name) => Kind::Record(self.record(io, id, name, place)?),
        };
        for dim in ty.dims.iter().rev() {
            let n = self.count(io, id, dim)?;
            if n.saturating_mul(kind.size().max(1)) > 1 << 30 {
                return wrong(dim.place, "an array of more than 1 GiB");
            }
            let step = kind.size();
            kind = Kind::Array(Rc::new(kind), n, step);
        }
        Ok(kind)
    }

    pub(crate) fn has_record(&mut self, io: &mut dyn Outside, id: Id, name: Name) -> bool {
        self.record_item(io, id, name).is_some()
    }

    fn record_item(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        name: Name,
    ) -> Option<(Id, &'a ItemKind)> {
        let mut at = Some(id);
        while let Some(i) = at {
            let found = self.find(
                io,
                i,
                |k| matches!(k, ItemKind::Record { name: own, .. } if *own == name),
            );
            if let Some(item) = found {
                return Some((i, &item.kind));
            }
            at = self.instances[i].lower;
        }
        None
    }

    /// The layout of a record that the instance, or what it stands on, declares.
    pub(crate) fn record(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        name: Name,
        place: Place,
    ) -> Run<Rc<Layout<'a>>> {
        let Some((
            owner,
            ItemKind::Record {
                big, size, fields, ..
            },
        )) = self.record_item(io, id, name)
        else {
            return wrong(place, format!("there is no record `{}`", self.text(name)));
        };
        let (mut members, mut at, mut align) = (Vec::new(), 0, 1);
        for field in &fields.list {
            if let Some(byte) = field.at {
                at = u64::from(byte) * 8;
            }
            let kind = self.field_kind(io, owner, field, *big)?;
            let bits = match &kind {
                Kind::Number { bits, .. } => u64::from(*bits),
                other => other.size() * 8,
            };
            if at % 8 == 0 && bits % 8 == 0 {
                align = align.max((bits / 8).clamp(1, 8).next_power_of_two().min(8));
            }
            if let Some(name) = field.name {
                members.push((name, at, kind));
            }
            at += bits;
        }
        Ok(Rc::new(Layout {
            members,
            size: size.map_or(at.div_ceil(8), u64::from),
            align,
        }))
    }

    fn field_kind(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        field: &'a Field,
        big: bool,
    ) -> Run<Kind<'a>> {
        let mut kind = match &field.kind {
            Some(ty) => self.kind(io, id, ty, field.place)?,
            None => number(1, false),
        };
        if let Kind::Number {
            bits,
            big: own,
            fields,
        } = &mut kind
        {
            *own |= big && *bits > 8;
            *fields = field.fields.as_ref().map(|inner| Bits::Fields(id, inner));
        }
        Ok(kind)
    }

    /// Members one behind the other, each at a multiple of its alignment.
    pub(crate) fn members_of(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        fields: &'a [Field],
        bit: Kind<'a>,
    ) -> Run<Rc<Layout<'a>>> {
        let (mut members, mut at, mut largest) = (Vec::new(), 0u64, 8);
        for field in fields {
            let kind = match &field.kind {
                Some(_) => self.field_kind(io, id, field, false)?,
                None => bit.clone(),
            };
            let kind = self.further_apart(io, id, kind, field.step.as_ref())?;
            let align = match &field.align {
                Some(e) => self.count(io, id, e)?.max(1),
                None => kind.align(),
            };
            largest = largest.max(align);
            at = at.next_multiple_of(align);
            let size = kind.size();
            if let Some(name) = field.name {
                members.push((name, at * 8, kind));
            }
            at += size;
        }
        Ok(Rc::new(Layout {
            members,
            size: at,
            align: largest,
        }))
    }

    /// `step N`: the elements of an array begin N bytes one behind the other.
    fn further_apart(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        kind: Kind<'a>,
        step: Option<&'a Expr>,
    ) -> Run<Kind<'a>> {
        let Some(e) = step else { return Ok(kind) };
        let bytes = self.count(io, id, e)?;
        match kind {
            Kind::Array(of, n, size)
                if !matches!(*of, Kind::Array(..))
                    && bytes >= size
                    && bytes % of.align().max(1) == 0
                    && n.saturating_mul(bytes) <= 1 << 30 =>
            {
                Ok(Kind::Array(of, n, bytes))
            }
            _ => wrong(e.place, format!("elements {bytes} bytes apart")),
        }
    }

    // ---- objects

    pub(crate) fn state(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        name: Name,
        ty: &'a Type,
        place: Place,
    ) -> Run<Spot<'a>> {
        if let Some(spot) = self.known_spot(id, name, "") {
            return Ok(spot);
        }
        let kind = self.kind(io, id, ty, place)?;
        Ok(self.put(id, name, "", Space::State, kind, 8))
    }

    pub(crate) fn arena(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        arena: &'a ArenaItem,
        place: Place,
    ) -> Run<Spot<'a>> {
        if let Some(spot) = self.known_spot(id, arena.name, "") {
            return Ok(spot);
        }
        let mut align = match &arena.align {
            Some(e) => self.count(io, id, e)?,
            None => 8,
        };
        let kind = if !arena.fields.is_empty() {
            let bit = number(1, false);
            Kind::Record(self.members_of(io, id, &arena.fields, bit)?)
        } else if let Some(ty) = &arena.kind {
            let kind = self.kind(io, id, ty, place)?;
            self.further_apart(io, id, kind, arena.step.as_ref())?
        } else {
            let mut bytes = 0;
            for e in arena.size.iter().chain(&arena.spill) {
                bytes += self.count(io, id, e)?;
            }
            Kind::Array(Rc::new(number(8, false)), bytes, 1)
        };
        if !align.is_power_of_two() {
            return wrong(place, "an alignment that is no power of two");
        }
        if arena.across.is_some() {
            align = align.max(kind.size().next_power_of_two());
        }
        Ok(self.put(id, arena.name, "", Space::Arena, kind, align))
    }

    pub(crate) fn known_spot(&self, id: Id, name: Name, role: &str) -> Option<Spot<'a>> {
        let mut memory = self.instances[id].memory.iter();
        let known = memory.find(|(n, r, _)| *n == name && *r == role);
        known.map(|(.., spot)| spot.clone())
    }

    /// Room for an object: where it was said to lie, else behind all others.
    pub(crate) fn put(
        &mut self,
        id: Id,
        name: Name,
        role: &'static str,
        space: Space,
        kind: Kind<'a>,
        align: u64,
    ) -> Spot<'a> {
        if let Some(spot) = self.known_spot(id, name, role) {
            return spot;
        }
        let full = format!("{}{}", self.prefix(id), self.text(name));
        let said = match role {
            "" => self.said(space, &kind, &full),
            // The array of slots goes without a name there.
            "slots" if space == Space::Arena => self.said(space, &kind, "?"),
            _ => None,
        };
        let at = said.unwrap_or_else(|| {
            let first = match space {
                Space::State => self.given.state,
                _ => self.given.arena,
            };
            let top = self.tops.entry(space as u8).or_insert(first);
            let at = top.next_multiple_of(align.max(8));
            *top = at + kind.size().max(1);
            at
        });
        let spot = Spot {
            space,
            at,
            shift: 0,
            kind,
        };
        self.instances[id].memory.push((name, role, spot.clone()));
        spot
    }

    /// Where an object was said to lie: by its own name, or by that of a member.
    fn said(&self, space: Space, kind: &Kind, name: &str) -> Option<u64> {
        let places = &self.given.places;
        let mut named = places.iter().filter(|(s, _, n)| *s == space && n == name);
        match kind {
            Kind::Record(layout) => layout.members.iter().find_map(|(member, at, kind)| {
                let name = format!("{name}.{}", self.text(*member));
                let found = self.said(space, kind, &name)?;
                found.checked_sub(at / 8)
            }),
            _ => {
                let (_, at, _) = named.next()?;
                named.next().is_none().then_some(*at)
            }
        }
    }

    pub(crate) fn mask_of(&self, bits: Bits<'a>) -> Value<'a> {
        Value::Num(Num {
            v: self.mask(bits).into(),
            bits: Some(bits),
            open: false,
        })
    }
}
