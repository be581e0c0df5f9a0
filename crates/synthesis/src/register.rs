//! Registers: where they lie, what an access to them is.

use crate::instance::{InstanceId, Specialiser};
use crate::layout::ones;
use crate::value::{Bits, Num, Region, Register, Value};
use crate::{Error, Result};
use alloc::{format, string::ToString, vec::Vec};
use graph::{BinOp, Op, Width, WindowKind};
use rulebook::tree::{
    BinaryOp, Effects, ExprKind, Item, ItemKind, Member, Name, Place, RegItem, Rest, SpaceItem,
};

/// Frames that are open at once when a register is looked for: what begins in itself, or is chosen by itself, ends here.
const DEEPEST: usize = 60;

/// One access that a register stands for.
struct Target<'a> {
    window: u8,
    at: Num<'a>,
    big: bool,
}

impl Target<'_> {
    /// The lowest bit of one of so many pieces.
    fn lowest(&self, piece: u64, count: u64, width: Width) -> u32 {
        let behind = match self.big {
            true => count - 1 - piece,
            false => piece,
        };
        behind as u32 * width.bits()
    }
}

impl<'a> Specialiser<'a, '_> {
    pub fn bits_of(&self, r: &Register<'a>) -> Option<Bits<'a>> {
        match (&r.item.fields, r.item.fields_of) {
            (Some(fields), _) => Some(Bits::Fields(r.instance, fields)),
            (None, Some(name)) => Some(Bits::Named(r.instance, name)),
            _ => None,
        }
    }

    /// The space that a register lies in: its own, or that of the nearest register before it that names one.
    pub fn space_of(&self, id: InstanceId, reg: &RegItem) -> Option<Name> {
        if reg.space.is_some() {
            return reg.space;
        }
        let mut last = None;
        for item in self.all_items(id) {
            match &item.kind {
                ItemKind::Space(space) if last.is_none() => last = Some(space.name),
                ItemKind::Reg(r) => {
                    if let Some(space) = r.space {
                        last = Some(space);
                    }
                    if core::ptr::eq(r, reg) {
                        return last;
                    }
                }
                _ => {}
            }
        }
        last
    }

    pub fn space_item(
        &mut self,
        id: InstanceId,
        name: Name,
    ) -> Option<(InstanceId, &'a SpaceItem, &'a Item)> {
        let mut at = Some(id);
        while let Some(i) = at {
            let found = self.find_item(
                i,
                |k| matches!(k, ItemKind::Space(s) if s.name == name && s.value.is_some()),
            );
            if let Some(item) = found {
                if let ItemKind::Space(space) = &item.kind {
                    return Some((i, space, item));
                }
            }
            at = self.rules.instances[i].lower;
        }
        None
    }

    /// The region of the machine that a space stands for; none where the device has no such window.
    fn region(
        &mut self,
        id: InstanceId,
        space: &'a SpaceItem,
        index: Option<Num<'a>>,
        place: Place,
    ) -> Result<Value<'a>> {
        let Some(expr) = &space.value else {
            return Err(Error::new(
                place,
                "this space stands for nothing",
                "give it a value in the rule",
            ));
        };
        if self.entry.frames.len() > DEEPEST {
            return Err(Error::new(
                expr.place,
                format!("`{}` begins in itself", self.text(space.name)),
                "let it begin in a window: `bar(n)`, `base`, `ports(p, n)`",
            ));
        }
        self.enter(id, Vec::new());
        if let (Some(name), Some(index)) = (space.index, index) {
            self.entry
                .scopes
                .push((name, crate::instance::Binding::Value(Value::Num(index))));
        }
        let value = match self.value(expr) {
            Ok(Value::Space(i, name, index)) => self.space_region(i, name, index, expr.place),
            value => value,
        };
        self.leave();
        match value? {
            Value::None => Ok(Value::None),
            Value::Region(mut region) => {
                if let Some(step) = &space.step {
                    region.step = Some(self.fact_number(id, step)?);
                }
                region.big = space.big.unwrap_or(region.big);
                Ok(Value::Region(region))
            }
            _ => Err(Error::new(
                expr.place,
                "this is not a window",
                "use bar(n), base, ports(n), window(c), system, model or another space",
            )),
        }
    }

    /// The region of a space that another begins in.
    pub(crate) fn space_region(
        &mut self,
        id: InstanceId,
        name: Name,
        index: Option<Num<'a>>,
        place: Place,
    ) -> Result<Value<'a>> {
        let Some((owner, space, _)) = self.space_item(id, name) else {
            return Ok(Value::None);
        };
        if space.via.is_some() || space.bank.is_some() {
            return Err(Error::new(
                place,
                format!(
                    "`{}` has no place to begin in: another register chooses what is reached through it",
                    self.text(name)
                ),
                "name its window, and say `via` there too",
            ));
        }
        if space.index.is_some() != index.is_some() {
            return Err(Error::new(
                place,
                format!(
                    "`{}` is several spaces, and this does not say which",
                    self.text(name)
                ),
                "give it an index: `space c[i] = d[i] + 0x10`",
            ));
        }
        self.region(owner, space, index, place)
    }

    /// The number of the window that a region is reached through.
    fn window(&mut self, region: &Region, name: Name, place: Place) -> Result<u8> {
        if let Some(n) =
            self.out.windows.iter().position(|w| {
                w.kind == region.kind && w.base == region.base && w.size == region.size
            })
        {
            return Ok(n as u8);
        }
        if self.out.windows.len() >= abi::context::WINDOWS {
            return Err(Error::new(
                place,
                "the rule uses more windows than a driver may have",
                "share one space between registers",
            ));
        }
        let n = self.out.windows.len() as u8;
        let window = graph::Window {
            name: self.text(name).to_string(),
            kind: region.kind,
            base: region.base,
            size: region.size,
        };
        if let Some(device) = self.mode.device() {
            if !device.open(n, &window) {
                return Err(Error::new(
                    place,
                    format!(
                        "the window `{}` at {:#x} cannot be reached",
                        window.name, window.base
                    ),
                    "the firmware's tables may be wrong",
                ));
            }
        }
        self.out.windows.push(window);
        Ok(n)
    }

    fn register_number(&mut self, r: &Register<'a>, step: u64) -> Result<Num<'a>> {
        let at = r.item.at.as_ref().ok_or_else(|| {
            Error::new(
                r.place,
                "the register has no place",
                "the transport's rule must say where it is",
            )
        })?;
        let base = match &at.kind {
            ExprKind::Text(text) => {
                let code = system_register(self.text(*text)).ok_or_else(|| {
                    Error::new(
                        at.place,
                        "a system register is written \"op0.op1.CRn.CRm.op2\"",
                        "see the manual's encoding",
                    )
                })?;
                self.constant(code)
            }
            _ => {
                self.enter(r.instance, Vec::new());
                let n = self.exact_number(at);
                self.leave();
                n?
            }
        };
        match r.index {
            None => Ok(base),
            Some(index) => {
                if let Some(count) = r.item.count {
                    if index.most >= count as u64 {
                        return Err(Error::new(
                            r.place,
                            format!(
                                "the register's index can be {}, and there are {count}",
                                crate::place::bound_text(index.most)
                            ),
                            "check it first, or take it `% count`",
                        ));
                    }
                }
                let step = self.constant(step);
                let offset = self.arithmetic(BinaryOp::Mul, index, step, r.place)?;
                self.arithmetic(BinaryOp::Add, base, offset, r.place)
            }
        }
    }

    fn index_step(&mut self, r: &Register<'a>, unit: u64) -> Result<u64> {
        match &r.item.step {
            Some(step) => self.fact_number(r.instance, step),
            None => Ok(if r.item.via.is_empty() { unit } else { 0 }),
        }
    }

    /// The accesses that a register is made of: their number, and how wide each is.
    fn pieces(&self, r: &Register<'a>) -> Result<(u64, Width)> {
        let pieces = r.item.accesses();
        let whole = pieces.count.checked_mul(pieces.bits) == Some(r.item.bits);
        match Width::of_bits(pieces.bits) {
            Some(width) if whole => Ok((pieces.count.into(), width)),
            _ => Err(Error::new(
                r.place,
                format!(
                    "`{}` of {} bits is not {} pieces of {}",
                    self.text(r.item.name),
                    r.item.bits,
                    pieces.count,
                    pieces.bits
                ),
                "use equal pieces that fill it: `as 2x32`, `as 4x8`",
            )),
        }
    }

    /// Does what must be done before the access to a piece of it, and says where that is.
    fn target(&mut self, r: &Register<'a>, piece: u64) -> Result<Target<'a>> {
        if self.entry.frames.len() > DEEPEST {
            return Err(Error::new(
                r.place,
                format!("`{}` is chosen by itself", self.text(r.item.name)),
                "let what chooses it lie in a space that nothing chooses",
            ));
        }
        for via in &r.item.via {
            self.enter(r.instance, Vec::new());
            if let (Some(name), Some(index)) = (r.item.index, r.index) {
                self.entry
                    .scopes
                    .push((name, crate::instance::Binding::Value(Value::Num(index))));
            }
            let done = self
                .value(&via.value)
                .and_then(|v| self.assign_to(&via.target, v, via.value.place));
            self.leave();
            done?;
        }
        let space_name = r.space.ok_or_else(|| {
            Error::new(r.place, "the register lies in no space", "say `in SPACE`")
        })?;
        let Some((owner, space, _)) = self.space_item(r.instance, space_name) else {
            return Err(Error::new(
                r.place,
                format!("there is no space `{}`", self.text(space_name)),
                "declare it with `space`",
            ));
        };
        let Value::Region(region) = self.region(owner, space, r.space_index, r.place)? else {
            return Err(Error::new(
                r.place,
                format!("the device has no window for `{}`", self.text(space.name)),
                "check with `has` or give an alternative with `or`",
            ));
        };
        let window = self.window(&region, space.name, r.place)?;
        let stride = region.step.unwrap_or(1);
        let bytes = u64::from(self.pieces(r)?.1.bytes());
        if let Some(via) = &space.bank {
            // The last before the access: what else chooses a register may lie in another bank.
            self.enter(owner, Vec::new());
            if let (Some(name), Some(index)) = (space.index, r.space_index) {
                let binding = crate::instance::Binding::Value(Value::Num(index));
                self.entry.scopes.push((name, binding));
            }
            let done = self
                .value(&via.value)
                .and_then(|v| self.assign_to(&via.target, v, via.value.place));
            self.leave();
            done?;
        }
        let mut at = if let Some(via) = &space.via {
            // Chosen by an index: the register's number is written, the access is at the window's start.
            let step = self.index_step(r, 1)?;
            let number = self.register_number(r, step)?;
            let number = Num {
                open: true,
                ..self.plus(number, piece)
            };
            self.enter(owner, Vec::new());
            if let Some(at) = self.rules.subject.book.names.iter().position(|n| n == "at") {
                self.entry.scopes.push((
                    Name(at as u16),
                    crate::instance::Binding::Value(Value::Num(number)),
                ));
            }
            let done = self
                .value(&via.value)
                .and_then(|v| self.assign_to(&via.target, v, via.value.place));
            self.leave();
            done?;
            self.constant(0)
        } else {
            let unit = if stride > 1 {
                1
            } else {
                r.item.bits as u64 / 8
            };
            let step = self.index_step(r, unit)?;
            let number = self.register_number(r, step)?;
            // Where a space has a step its registers are counted, and pieces are registers.
            let apart = if stride > 1 { stride } else { bytes };
            let stride = self.constant(stride);
            let scaled = self.arithmetic(BinaryOp::Mul, number, stride, r.place)?;
            match piece.saturating_mul(apart) {
                0 => scaled,
                behind => {
                    let behind = self.constant(behind);
                    self.arithmetic(BinaryOp::Add, scaled, behind, r.place)?
                }
            }
        };
        if let Some(offset) = region.offset {
            at = self.arithmetic(BinaryOp::Add, at, offset, r.place)?;
        }
        if let (Some(at), true, 0) = (self.out.b.known(at.id), space.via.is_none(), piece) {
            self.note_register(r, window, at);
        }
        let limit = region.size;
        if region.kind == WindowKind::Port && bytes == 8 {
            return Err(Error::new(
                r.place,
                format!(
                    "`{}` has 64 bits, and lies in ports",
                    self.text(r.item.name)
                ),
                "a port takes at most 32: `as 2x32`, or give the rule its memory window",
            ));
        }
        let ends = match at.cut {
            true => None,
            false => at.most.checked_add(bytes),
        };
        if matches!(region.kind, WindowKind::Memory | WindowKind::Port)
            && ends.is_none_or(|end| end > limit)
        {
            let name = self.text(r.item.name);
            return Err(match self.out.b.known(at.id).filter(|_| ends.is_some()) {
                Some(at) => Error::new(
                    r.place,
                    format!("`{name}` at {at:#x} lies outside its window of {limit:#x} bytes"),
                    "check the offset, or the window the device offers",
                ),
                None => Error::new(
                    r.place,
                    format!(
                        "`{name}` can be at {}, outside its window of {limit:#x} bytes",
                        crate::place::bound_text(at.most)
                    ),
                    "check its index first (`check n < 32 else …`), or say how many there are: `REG[32]`",
                ),
            });
        }
        Ok(Target {
            window,
            at,
            big: region.big,
        })
    }

    /// Where a register stands in memory: for other devices to store to.
    pub fn register_address(&mut self, r: &Register<'a>) -> Result<Num<'a>> {
        let space = r.space.and_then(|name| self.space_item(r.instance, name));
        let chosen = !r.item.via.is_empty()
            || space.is_some_and(|(_, s, _)| s.via.is_some() || s.bank.is_some());
        if !chosen {
            let target = self.target(r, 0)?;
            let window = self.out.windows.get(usize::from(target.window));
            let memory = window.filter(|w| w.kind == WindowKind::Memory);
            if let Some(base) = memory.map(|w| w.base) {
                return Ok(self.plus(target.at, base));
            }
        }
        Err(Error::new(
            r.place,
            format!("`{}` has no address of its own", self.text(r.item.name)),
            "only a register in memory has one, that is not chosen by another",
        ))
    }

    /// Model-specific and system registers have 64 bits, whatever a rule makes of them: what is narrower is the lowest
    /// of them, and the others are 0.
    fn at_once(&self, window: u8, width: Width) -> Width {
        match self.out.windows.get(usize::from(window)).map(|w| w.kind) {
            Some(WindowKind::Model | WindowKind::System) => Width::B64,
            _ => width,
        }
    }

    pub fn raw_read(&mut self, window: u8, at: Num<'a>, wanted: Width) -> Num<'a> {
        let width = self.at_once(window, wanted);
        let n = self.whole_read(window, at, width);
        if width == wanted {
            return n;
        }
        let id = self.out.b.extract(n.id, 0, wanted.bits() as u8);
        self.node(id, wanted.mask())
    }

    fn whole_read(&mut self, window: u8, at: Num<'a>, width: Width) -> Num<'a> {
        if self.is_live() {
            // Where the place is not known nothing is read, and the statement ends in an error.
            let known = self.known_now(at.id);
            let value = known.and_then(|at| Some(self.mode.touch()?.read(window, at, width)));
            return self.constant(value.unwrap_or(0) & width.mask());
        }
        let id = self.out.b.step(Op::Read {
            window,
            at: at.id,
            width,
        });
        self.node(id, width.mask())
    }

    pub fn raw_write(&mut self, window: u8, at: Num<'a>, width: Width, value: Num<'a>) {
        let width = self.at_once(window, width);
        if self.is_live() {
            let known = self.all_known_now([at.id, value.id]);
            if let (Some([at, value]), Some(device)) = (known, self.mode.touch()) {
                device.write(window, at, width, value & width.mask());
            }
            return;
        }
        self.out.b.step(Op::Write {
            window,
            at: at.id,
            width,
            value: value.id,
        });
    }

    /// One piece of a register, and the lowest of the bits that it is. In a space with the highest byte first the first
    /// piece has the highest bits.
    fn one_read(&mut self, r: &Register<'a>, piece: u64) -> Result<(Num<'a>, u32)> {
        let (count, width) = self.pieces(r)?;
        let t = self.target(r, piece)?;
        let mut n = self.raw_read(t.window, t.at, width);
        if t.big {
            let id = self.out.b.swap(width, n.id);
            n = self.node(id, width.mask());
        }
        Ok((n, t.lowest(piece, count, width)))
    }

    fn one_write(&mut self, r: &Register<'a>, piece: u64, value: Num<'a>) -> Result<()> {
        let (count, width) = self.pieces(r)?;
        let t = self.target(r, piece)?;
        let mut value = value;
        if count > 1 {
            let lo = t.lowest(piece, count, width);
            let id = (self.out.b).extract(value.id, lo as u8, width.bits() as u8);
            value = self.node(id, width.mask());
        }
        if t.big {
            let id = self.out.b.swap(width, value.id);
            value = self.node(id, width.mask());
        }
        self.raw_write(t.window, t.at, width, value);
        Ok(())
    }

    fn width(&self, r: &Register<'a>) -> Result<Width> {
        Width::of_bits(r.item.bits).ok_or_else(|| {
            Error::new(
                r.place,
                format!("a register cannot be {} bits wide", r.item.bits),
                "use 8, 16, 32 or 64",
            )
        })
    }

    /// Reads a register. `IDR` with a count and no index gives the list of all.
    pub fn read(&mut self, r: &Register<'a>) -> Result<Value<'a>> {
        if let (Some(count), None, false) = (r.item.count, r.index, self.is_standing()) {
            let mut list = Vec::new();
            for k in 0..count.min(256) {
                let index = self.constant(k as u64);
                list.push(Value::Num(self.read_one(&Register {
                    index: Some(index),
                    ..r.clone()
                })?));
            }
            return Ok(Value::List(list));
        }
        Ok(Value::Num(self.read_one(r)?))
    }

    pub fn read_one(&mut self, r: &Register<'a>) -> Result<Num<'a>> {
        if let Some(n) = self.stands(r) {
            return Ok(n);
        }
        if r.item.effects.has(Effects::WO) {
            return Err(Error::new(
                r.place,
                format!("`{}` can only be written", self.text(r.item.name)),
                "keep what was written in a `state`",
            ));
        }
        if !self.mode.may_read(r.item.effects.has(Effects::PURE)) {
            return Err(Error::new(
                r.place,
                format!(
                    "`{}` may not be read to find out what the device is",
                    self.text(r.item.name)
                ),
                "declare it `pure` if reading it has no effect",
            ));
        }
        let width = self.width(r)?;
        let (mut n, lo) = self.one_read(r, 0)?;
        let (count, each) = self.pieces(r)?;
        if count > 1 {
            let zero = self.constant(0);
            let mut id = match lo {
                0 => n.id,
                lo => (self.out.b).insert(zero.id, n.id, lo as u8, each.bits() as u8),
            };
            for piece in 1..count {
                let (part, lo) = self.one_read(r, piece)?;
                id = (self.out.b).insert(id, part.id, lo as u8, each.bits() as u8);
            }
            n = self.node(id, width.mask());
        }
        n.bits = self.bits_of(r);
        Ok(n)
    }

    pub fn write(&mut self, r: &Register<'a>, value: Value<'a>, place: Place) -> Result<()> {
        if !self.mode.may_write() {
            return Err(Error::new(
                place,
                "a clue may not write",
                "let another clue of the rule hold first",
            ));
        }
        if r.item.effects.has(Effects::RO) {
            return Err(Error::new(
                place,
                format!("`{}` can only be read", self.text(r.item.name)),
                "check the register's effects",
            ));
        }
        if r.index.is_none() && (r.item.count.is_some() || r.item.index.is_some()) {
            return Err(Error::new(
                place,
                format!(
                    "`{}` is several registers, and this does not say which",
                    self.text(r.item.name)
                ),
                "give an index; `for k in 0..n { … }` writes to each",
            ));
        }
        let width = self.width(r)?;
        let bits = self.bits_of(r);
        let literal = matches!(value, Value::Literal(..));
        let mut n = self.number_for(value, bits, place)?;
        if let (true, Some(bits)) = (literal, bits) {
            if self.rest(bits) == Rest::Keep && !r.item.effects.has(Effects::WO) {
                let old = self.read_one(r)?;
                let keep = self.constant(width.mask() & !self.named_mask(bits));
                let kept = self.out.b.bin(BinOp::And, old.id, keep.id);
                let id = self.out.b.bin(BinOp::Or, n.id, kept);
                n = self.node(id, width.mask());
            }
        }
        let n = self.fit(n, width.bits(), place)?;
        let reach = crate::lent::Reach {
            extent: r.item.extent.as_ref(),
            instance: r.instance,
        };
        self.given(n, Some(reach), &[], Some(r), place)?;
        self.wrote(r, n);
        for piece in 0..self.pieces(r)?.0 {
            self.one_write(r, piece, n)?;
        }
        Ok(())
    }

    /// `REG.field = value`: reads, changes the field, writes; fields with effects of their own are written as nothing.
    pub fn write_field(
        &mut self,
        r: &Register<'a>,
        path: &[Name],
        value: Value<'a>,
        place: Place,
    ) -> Result<()> {
        let bits = self.bits_of(r).ok_or_else(|| {
            Error::new(
                place,
                format!("`{}` has no fields", self.text(r.item.name)),
                "declare them in braces",
            )
        })?;
        let Some(field) = self.nested(bits, path) else {
            let path: Vec<&str> = path.iter().map(|name| self.text(*name)).collect();
            return Err(Error::new(
                place,
                format!(
                    "`{}` has no field `{}`",
                    self.text(r.item.name),
                    path.join(".")
                ),
                "see its declaration",
            ));
        };
        let special = Effects::W1C
            | Effects::W1S
            | Effects::RO
            | Effects::WO
            | Effects::SC
            | Effects::DOORBELL;
        let mut keep = self.kept_mask(bits, special);
        if self.rest(bits) == Rest::Keep {
            keep |= ones(r.item.bits) & !self.named_mask(bits);
        }
        if r.item.effects.0 & (Effects::W1C | Effects::W1S | Effects::WO) != 0 {
            keep = 0;
        }
        keep &= !(ones(field.width) << field.lo);
        let old = if keep == 0 {
            self.constant(0)
        } else {
            let old = self.read_one(r)?;
            let mask = self.constant(keep);
            let id = self.out.b.bin(BinOp::And, old.id, mask.id);
            self.node(id, keep)
        };
        let n = self.number_for(value, field.bits, place)?;
        let n = self.fit(n, field.width, place)?;
        let id = self
            .out
            .b
            .insert(old.id, n.id, field.lo as u8, field.width as u8);
        let whole = self.node(id, ones(r.item.bits));
        // The value is complete: no literal rules apply to it any more.
        self.write(r, Value::Num(whole), place)
    }

    /// The value of one member of a literal, for a field or record member with these bits and so many: the number, and
    /// which of them it sets, the lowest and how many. `flags.next: 1` sets one of `flags`.
    pub fn member_value(
        &mut self,
        member: &'a Member,
        bits: Option<Bits<'a>>,
        width: u32,
    ) -> Result<(Num<'a>, u32, u32)> {
        let (mut inner, mut lo, mut width) = (bits, 0, width);
        for name in member.path.iter().skip(1) {
            let Some(field) = inner.and_then(|bits| self.field(bits, *name)) else {
                return Err(Error::new(
                    member.place,
                    format!("no field `{}`", self.text(*name)),
                    "see the declaration",
                ));
            };
            (inner, lo, width) = (field.bits, lo + field.lo, field.width);
        }
        let n = match &member.value {
            Some(expr) => self.number_as(expr, inner)?,
            None => self.constant(1),
        };
        Ok((n, lo, width))
    }

    /// `{ a b: 3 }` as a number with these bits.
    pub fn literal(&mut self, members: &'a [Member], bits: Option<Bits<'a>>) -> Result<Num<'a>> {
        let mut id = self.out.b.constant(0);
        let mut most = 0u64;
        for member in members {
            let Some(name) = member.path.first() else {
                let Some(expr) = &member.value else { continue };
                let n = self.number_as(expr, bits)?;
                id = self.out.b.bin(BinOp::Or, id, n.id);
                most |= spread(n.most);
                continue;
            };
            let field = bits.and_then(|b| self.field(b, *name));
            let Some(field) = field else {
                return Err(Error::new(
                    member.place,
                    format!("no field `{}` here", self.text(*name)),
                    "see the declaration of what is assigned to",
                ));
            };
            let (n, lo, width) = self.member_value(member, field.bits, field.width)?;
            let n = self.fit(n, width, member.place)?;
            let lo = field.lo + lo;
            id = self.out.b.insert(id, n.id, lo as u8, width as u8);
            most |= ones(width) << lo;
        }
        let mut n = self.node(id, most);
        n.bits = bits;
        Ok(n)
    }

    /// A register by name, with the space it lies in.
    pub fn register(&mut self, id: InstanceId, item: &'a RegItem, place: Place) -> Register<'a> {
        let space = self.space_of(id, item);
        Register {
            instance: id,
            item,
            place,
            index: None,
            space_index: None,
            space,
        }
    }
}

/// All bits at or below the highest one.
fn spread(most: u64) -> u64 {
    if most == 0 {
        0
    } else {
        u64::MAX >> most.leading_zeros()
    }
}

/// `"3.0.12.12.0"` → op0<<14 | op1<<11 | CRn<<7 | CRm<<3 | op2 (as `MRS` and `MSR` encode it).
fn system_register(text: &str) -> Option<u64> {
    let mut parts = text.split('.').map(|p| p.parse::<u64>().ok());
    let mut next = |limit: u64| parts.next().flatten().filter(|v| *v < limit);
    let (op0, op1, crn, crm, op2) = (next(4)?, next(8)?, next(16)?, next(16)?, next(8)?);
    Some(op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2)
}
