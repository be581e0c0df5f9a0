//! Accesses to the device: where a register lies, and what reading and writing it is.

use crate::memory::swapped;
use crate::value::{ones, Bits, Id, Num, Region, Register, Value};
use crate::{wrong, Meaning, Outside, Run};
use graph::{Width, Window, WindowKind};
use rulebook::tree::{Effects, ExprKind, ItemKind, Member, Name, Place, RegItem, Rest, SpaceItem};

struct Target {
    window: u8,
    at: u64,
    big: bool,
    /// Registers of the processor are accessed with 64 bits.
    whole: bool,
}

impl<'a> Meaning<'a> {
    fn bits_of(&self, r: &Register<'a>) -> Option<Bits<'a>> {
        match (&r.item.fields, r.item.fields_of) {
            (Some(fields), _) => Some(Bits::Fields(r.instance, fields)),
            (None, Some(name)) => Some(Bits::Named(r.instance, name)),
            _ => None,
        }
    }

    /// The space that a register lies in: its own, or that of the register before it.
    pub(crate) fn space_of(&self, id: Id, reg: &RegItem) -> Option<Name> {
        let mut last = None;
        for item in self.all_items(id) {
            match &item.kind {
                ItemKind::Space(space) if last.is_none() => last = Some(space.name),
                ItemKind::Reg(r) => {
                    last = r.space.or(last);
                    if std::ptr::eq(r, reg) {
                        return last;
                    }
                }
                _ => {}
            }
        }
        last
    }

    fn space_item(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        name: Name,
    ) -> Option<(Id, &'a SpaceItem)> {
        let mut at = Some(id);
        while let Some(i) = at {
            let found = self.find(
                io,
                i,
                |k| matches!(k, ItemKind::Space(s) if s.name == name && s.value.is_some()),
            );
            if let Some(ItemKind::Space(space)) = found.map(|item| &item.kind) {
                return Some((i, space));
            }
            at = self.instances[i].lower;
        }
        None
    }

    /// Where a space lies; none where the device has no such window.
    fn region(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        space: &'a SpaceItem,
        index: Option<i128>,
        place: Place,
    ) -> Run<Option<Region>> {
        let Some(e) = &space.value else {
            return wrong(place, "a space that stands for nothing");
        };
        let mut locals = Vec::new();
        if let (Some(name), Some(v)) = (space.index, index) {
            locals.push((name, num(v)));
        }
        let value = self.within(id, locals, |m| match m.value(io, e)? {
            Value::Space(i, name, index) => m.begins_in(io, i, name, index, e.place),
            value => Ok(value),
        })?;
        match value {
            Value::None => Ok(None),
            Value::Region(region) => Ok(Some(Region {
                step: match &space.step {
                    Some(e) => self.count(io, id, e)?,
                    None => region.step,
                },
                big: space.big.unwrap_or(region.big),
                ..region
            })),
            _ => wrong(e.place, "this is no window"),
        }
    }

    /// A space, as the start of another.
    pub(crate) fn begins_in(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        name: Name,
        index: Option<i128>,
        place: Place,
    ) -> Run<Value<'a>> {
        let Some((owner, space)) = self.space_item(io, id, name) else {
            return Ok(Value::None);
        };
        let chosen = space.via.is_some() || space.bank.is_some();
        if chosen || space.index.is_some() != index.is_some() {
            return wrong(place, format!("no space begins in `{}`", self.text(name)));
        }
        let region = self.region(io, owner, space, index, place)?;
        Ok(region.map_or(Value::None, Value::Region))
    }

    fn window(
        &mut self,
        io: &mut dyn Outside,
        region: &Region,
        name: Name,
        place: Place,
    ) -> Run<u8> {
        let same = |w: &Window| (w.kind, w.base, w.size) == (region.kind, region.base, region.size);
        if let Some(n) = self.given.windows.iter().position(same) {
            return Ok(n as u8);
        }
        let index = self.given.windows.len() as u8;
        let window = Window {
            name: self.text(name).to_owned(),
            kind: region.kind,
            base: region.base,
            size: region.size,
        };
        if !io.open(index, &window) {
            return wrong(
                place,
                format!("the window `{}` cannot be reached", window.name),
            );
        }
        self.given.windows.push(window);
        Ok(index)
    }

    /// The register's number: its offset, and how far its index is from there.
    fn register_number(&mut self, io: &mut dyn Outside, r: &Register<'a>, unit: u64) -> Run<i128> {
        let Some(at) = &r.item.at else {
            return wrong(r.place, "the register has no place");
        };
        let base = match &at.kind {
            ExprKind::Text(text) => match system_register(self.text(*text)) {
                Some(code) => code.into(),
                None => return wrong(at.place, "no system register"),
            },
            _ => self.within(r.instance, Vec::new(), |m| m.number(io, at))?.v,
        };
        let Some(index) = r.index else {
            return Ok(base);
        };
        let count = r.item.count.map_or(i128::MAX, i128::from);
        if !(0..count).contains(&index) {
            return wrong(
                r.place,
                format!(
                    "`{}[{index}]`, and there are {count}",
                    self.text(r.item.name)
                ),
            );
        }
        let step = match &r.item.step {
            Some(step) => self.count(io, r.instance, step)?,
            None if r.item.via.is_empty() => unit,
            None => 0,
        };
        Ok(base + index * i128::from(step))
    }

    /// Does what must be done before the access, and says where it is.
    fn target(&mut self, io: &mut dyn Outside, r: &Register<'a>, piece: u64) -> Run<Target> {
        for via in &r.item.via {
            let mut locals = Vec::new();
            if let (Some(name), Some(index)) = (r.item.index, r.index) {
                locals.push((name, num(index)));
            }
            self.within(r.instance, locals, |m| {
                let value = m.value(io, &via.value)?;
                m.assign_to(io, &via.target, value, via.value.place)
            })?;
        }
        let space = match r.space {
            Some(name) => self.space_item(io, r.instance, name),
            None => None,
        };
        let Some((owner, space)) = space else {
            return wrong(r.place, "the register lies in no space");
        };
        let Some(region) = self.region(io, owner, space, r.space_index, r.place)? else {
            return wrong(
                r.place,
                format!("the device has no window for `{}`", self.text(space.name)),
            );
        };
        let window = self.window(io, &region, space.name, r.place)?;
        let stride = region.step;
        let bytes = i128::from(r.item.accesses().bits / 8);
        if let Some(bank) = &space.bank {
            let mut locals = Vec::new();
            if let (Some(name), Some(v)) = (space.index, r.space_index) {
                locals.push((name, num(v)));
            }
            self.within(owner, locals, |m| {
                let value = m.value(io, &bank.value)?;
                m.assign_to(io, &bank.target, value, bank.value.place)
            })?;
        }
        let at = if let Some(via) = &space.via {
            let number = self.register_number(io, r, 1)? + i128::from(piece);
            let at = self.named("at").map(|name| (name, open(number)));
            self.within(owner, at.into_iter().collect(), |m| {
                let value = m.value(io, &via.value)?;
                m.assign_to(io, &via.target, value, via.value.place)
            })?;
            0
        } else {
            // Where a space has a step, registers are counted, not bytes.
            let unit = match stride {
                1 => u64::from(r.item.bits) / 8,
                _ => 1,
            };
            // Pieces stand one behind the other: by their bytes, or by registers where these are counted.
            let apart = match stride {
                1 => bytes,
                stride => i128::from(stride),
            };
            let first = self.register_number(io, r, unit)? * i128::from(stride);
            first + i128::from(piece) * apart
        } + region.offset;
        let memory = matches!(region.kind, WindowKind::Memory | WindowKind::Port);
        if at < 0 || memory && at + bytes > i128::from(region.size) {
            return wrong(
                r.place,
                format!(
                    "`{}` at {at:#x} lies outside its window",
                    self.text(r.item.name)
                ),
            );
        }
        Ok(Target {
            window,
            at: at as u64,
            big: region.big,
            whole: !memory,
        })
    }

    /// `dma REG`: where a register stands in memory.
    pub(crate) fn address_of(&mut self, io: &mut dyn Outside, r: &Register<'a>) -> Run<u64> {
        let target = self.target(io, r, 0)?;
        match self.given.windows.get(usize::from(target.window)) {
            Some(w) if w.kind == WindowKind::Memory => Ok(w.base + target.at),
            _ => wrong(r.place, "the register has no address of its own"),
        }
    }

    /// One access of those that a register is made of: what came, and how far it is moved up in the whole.
    fn one_read(&mut self, io: &mut dyn Outside, r: &Register<'a>, piece: u64) -> Run<(u64, u64)> {
        let width = self.width(r.item.accesses().bits, r)?;
        let t = self.target(io, r, piece)?;
        let access = if t.whole { Width::B64 } else { width };
        let word = io.read(t.window, t.at, access) & width.mask();
        let word = match t.big {
            true => swapped(word, width.bits()),
            false => word,
        };
        Ok((word, moved(r, piece, t.big)))
    }

    fn one_write(
        &mut self,
        io: &mut dyn Outside,
        r: &Register<'a>,
        piece: u64,
        whole: u64,
    ) -> Run<()> {
        let width = self.width(r.item.accesses().bits, r)?;
        let t = self.target(io, r, piece)?;
        let access = if t.whole { Width::B64 } else { width };
        let value = whole >> moved(r, piece, t.big) & width.mask();
        let value = match t.big {
            true => swapped(value, width.bits()),
            false => value,
        };
        io.write(t.window, t.at, access, value);
        Ok(())
    }

    fn width(&self, bits: u32, r: &Register<'a>) -> Run<Width> {
        match Width::of_bits(bits) {
            Some(width) => Ok(width),
            None => wrong(r.place, "a register of 8, 16, 32 or 64 bits"),
        }
    }

    /// Reads a register; one with a count and no index is the list of all.
    pub(crate) fn read(&mut self, io: &mut dyn Outside, r: &Register<'a>) -> Run<Value<'a>> {
        let (Some(count), None) = (r.item.count, r.index) else {
            return Ok(Value::Num(self.read_one(io, r)?));
        };
        let mut list = Vec::new();
        for k in 0..count {
            let one = Register {
                index: Some(k.into()),
                ..r.clone()
            };
            list.push(Value::Num(self.read_one(io, &one)?));
        }
        Ok(Value::List(list))
    }

    pub(crate) fn read_one(&mut self, io: &mut dyn Outside, r: &Register<'a>) -> Run<Num<'a>> {
        self.width(r.item.bits, r)?;
        let mut v = 0;
        for piece in 0..r.item.accesses().count {
            let (word, up) = self.one_read(io, r, piece.into())?;
            v |= word << up;
        }
        Ok(Num {
            v: v.into(),
            bits: self.bits_of(r),
            open: false,
        })
    }

    pub(crate) fn write(
        &mut self,
        io: &mut dyn Outside,
        r: &Register<'a>,
        value: Value<'a>,
        place: Place,
    ) -> Run<()> {
        let bits = self.bits_of(r);
        let literal = matches!(value, Value::Literal(..));
        let mut n = self.number_of(io, value, bits, place)?;
        if let (true, Some(bits)) = (literal, bits) {
            // Bits that have no name are written as they were read.
            if self.rest(bits) == Rest::Keep && !r.item.effects.has(Effects::WO) {
                let old = self.read_one(io, r)?.v as u64;
                let kept = old & ones(r.item.bits) & !self.mask(bits);
                n.v |= i128::from(kept);
            }
        }
        self.write_number(io, r, n, place)
    }

    fn write_number(
        &mut self,
        io: &mut dyn Outside,
        r: &Register<'a>,
        n: Num<'a>,
        place: Place,
    ) -> Run<()> {
        if r.index.is_none() && (r.item.count.is_some() || r.item.index.is_some()) {
            return wrong(place, "a write to several registers at once");
        }
        let width = self.width(r.item.bits, r)?;
        let value = self.fit(n, width.bits(), place)?;
        for piece in 0..r.item.accesses().count {
            self.one_write(io, r, piece.into(), value)?;
        }
        Ok(())
    }

    /// `REG.field = value`: keeps the other fields as they are read, unless writing them does something.
    pub(crate) fn write_field(
        &mut self,
        io: &mut dyn Outside,
        r: &Register<'a>,
        path: &[Name],
        value: Value<'a>,
        place: Place,
    ) -> Run<()> {
        let bits = self.bits_of(r);
        let field = bits.and_then(|bits| Some((bits, self.deep_field(bits, path)?)));
        let Some((bits, field)) = field else {
            return wrong(place, "no such field");
        };
        let acts = Effects::W1C
            | Effects::W1S
            | Effects::RO
            | Effects::WO
            | Effects::SC
            | Effects::DOORBELL;
        let own = ones(field.width) << field.lo;
        let mut keep = 0;
        for other in self.fields(bits) {
            if other.effects.0 & acts == 0 {
                keep |= ones(other.width) << other.lo;
            }
            keep &= !self.acting(&other, acts, 0);
        }
        if self.rest(bits) == Rest::Keep {
            keep |= ones(r.item.bits) & !self.mask(bits);
        }
        if r.item.effects.0 & (Effects::W1C | Effects::W1S | Effects::WO) != 0 {
            keep = 0;
        }
        keep &= !own;
        let old = match keep {
            0 => 0,
            keep => self.read_one(io, r)?.v as u64 & keep,
        };
        let n = self.number_of(io, value, field.bits, place)?;
        let n = self.fit(n, field.width, place)?;
        let whole = i128::from(old | n << field.lo);
        let whole = Num {
            v: whole,
            bits: None,
            open: false,
        };
        self.write_number(io, r, whole, place)
    }

    /// One member of a literal, for a field or member with these bits and so many: its bits, where they lie, how many.
    pub(crate) fn member_bits(
        &mut self,
        io: &mut dyn Outside,
        member: &'a Member,
        bits: Option<Bits<'a>>,
        width: u32,
    ) -> Run<(u64, u32, u32)> {
        let (mut lo, mut width, mut inner) = (0, width, bits);
        for name in &member.path[1..] {
            let Some(field) = inner.and_then(|bits| self.field(bits, *name)) else {
                return wrong(member.place, format!("no field `{}`", self.text(*name)));
            };
            (lo, width, inner) = (lo + field.lo, field.width, field.bits);
        }
        let n = match &member.value {
            Some(e) => self.number_as(io, e, inner)?,
            None => Num {
                v: 1,
                bits: None,
                open: false,
            },
        };
        Ok((self.fit(n, width, member.place)?, lo, width))
    }
}

/// How far a piece is moved up in the whole: the first has the lowest bits, or, where the highest byte is first, the highest.
fn moved(r: &Register, piece: u64, big: bool) -> u64 {
    let pieces = r.item.accesses();
    let below = match big {
        true => u64::from(pieces.count) - 1 - piece,
        false => piece,
    };
    below * u64::from(pieces.bits)
}

pub fn num<'a>(v: i128) -> Value<'a> {
    Value::Num(Num {
        v,
        bits: None,
        open: false,
    })
}

fn open<'a>(v: i128) -> Value<'a> {
    Value::Num(Num {
        v,
        bits: None,
        open: true,
    })
}

/// `"op0.op1.CRn.CRm.op2"` as the instructions that access it encode it (Arm ARM, C6.2, `MRS`).
fn system_register(text: &str) -> Option<u64> {
    let parts: Option<Vec<u64>> = text.split('.').map(|part| part.parse().ok()).collect();
    match parts?[..] {
        [op0, op1, crn, crm, op2] => Some(op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2),
        _ => None,
    }
}
