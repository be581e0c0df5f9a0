//! How far a device reaches: what it is told to use of memory is never more than what it was lent.
//!
//! An address comes from `dma`, which says how many bytes were lent from there. It may be stored only where the rule says
//! how many the device uses (`for BYTES`, or `for told` with a `tell`). Registers in such a number stand for what the rule
//! writes to them: in the same entry whatever that is, in others only what is known.

use crate::instance::{Binding, InstanceId, Specialiser};
use crate::layout::{ones, size_of};
use crate::value::{Buffer, Kind, Num, Register, Spot, Value};
use crate::{Error, Result};
use alloc::{format, vec, vec::Vec};
use graph::{BinOp, Id, Late, Op, Space};
use rulebook::tree::{Expr, ExprKind, Extent, Name, Place, RegItem};

/// The low bits of an address tell where in a block of so many bytes it lies, and no more than that.
const BLOCK: u64 = 16 << 20;

/// Where the number is said that a device address is for.
#[derive(Clone, Copy, Debug)]
pub struct Reach<'a> {
    /// None: it is no place for an address.
    pub extent: Option<&'a Extent>,
    /// Whose names stand in it.
    pub instance: InstanceId,
}

/// Memory that was lent from an address on.
#[derive(Clone, Copy)]
struct Lent<'a> {
    address: Id,
    bytes: Num<'a>,
    /// The address of the buffer that it is a piece of, or its own.
    whole: Id,
}

/// A register, or one of several.
#[derive(Clone, Copy, PartialEq)]
struct Which {
    instance: InstanceId,
    item: *const RegItem,
    index: Option<Id>,
}

impl Which {
    fn of(r: &Register) -> Self {
        Which {
            instance: r.instance,
            item: r.item,
            index: r.index.map(|n| n.id),
        }
    }

    fn is_of(&self, other: &Which) -> bool {
        self.instance == other.instance && core::ptr::eq(self.item, other.item)
    }
}

#[derive(Clone, Copy)]
struct Write<'a> {
    which: Which,
    value: Num<'a>,
    entry: u32,
}

/// An address that a device was given.
#[derive(Clone)]
struct Given<'a> {
    lent: Lent<'a>,
    /// The least that was lent.
    least: u64,
    bytes: &'a Expr,
    instance: InstanceId,
    /// What the other fields of the cell say.
    fields: Vec<(Name, Num<'a>)>,
    /// The register that it was stored to, for those that stand beside it.
    beside: Option<Which>,
    /// The name of its index.
    index: Option<(Name, Num<'a>)>,
    entry: u32,
    place: Place,
}

/// Of the entry that is worked on.
#[derive(Default)]
pub struct InEntry<'a> {
    lent: Vec<Lent<'a>>,
    /// Addresses whose bytes a `tell` counts.
    told: Vec<Id>,
    /// Addresses that need one.
    untold: Vec<(Id, Place)>,
    /// The address of the buffer that `spread` cuts.
    pub(crate) spread: Option<Id>,
    /// Numbers that the run chooses between two.
    chosen: Vec<(Id, Id, Id)>,
    /// Variables that an address was ever put into.
    variables: Vec<u16>,
    /// Numbers loaded from where an address is kept.
    taken_back: Vec<Id>,
    /// Registers stand for what was written to them, while a number is worked out.
    standing: Option<Standing<'a>>,
}

/// Of all entries.
#[derive(Default)]
pub struct InAll<'a> {
    written: Vec<Write<'a>>,
    given: Vec<Given<'a>>,
    entry: u32,
}

#[derive(Default)]
struct Standing<'a> {
    /// Whose registers are meant where no index is said.
    beside: Option<Which>,
    /// Each register that was asked for: what may stand in it, and which of these does.
    asked: Vec<(Which, Vec<Num<'a>>, usize)>,
    entry: u32,
    /// What other entries write, too.
    all: bool,
    /// Something was not found, or is not known.
    missing: bool,
    /// What the entry itself writes was shown when it was over.
    shown: bool,
    /// There is nothing to look at.
    none: bool,
}

impl Standing<'_> {
    /// Goes on to the next of all combinations of what may stand in the registers; false: there is none.
    fn next(&mut self) -> bool {
        for (_, values, pick) in &mut self.asked {
            *pick += 1;
            if *pick < values.len() {
                return true;
            }
            *pick = 0;
        }
        false
    }
}

impl<'a> Specialiser<'a, '_> {
    // ---- what is lent

    /// `dma X` lends so many bytes.
    pub(crate) fn lend_bytes(&mut self, address: Id, bytes: Num<'a>, whole: Option<Id>) {
        let whole = whole.unwrap_or(address);
        let lent = &mut self.entry.reach.lent;
        if lent
            .iter()
            .any(|l| l.address == address && l.bytes.id == bytes.id)
        {
            return;
        }
        lent.push(Lent {
            address,
            bytes,
            whole,
        });
    }

    /// What `of` names, and how many bytes there are from it to the end of the memory that it is part of.
    pub(crate) fn located(&mut self, of: &'a Expr) -> Result<(Value<'a>, Num<'a>)> {
        let mut rest = None;
        let value = match &of.kind {
            ExprKind::Dot(base, member) => {
                let base = match self.value(base)? {
                    Value::OneSlot(i, slots, index) => {
                        Value::Spot(self.slot_spot(i, slots, index, of.place)?)
                    }
                    base => base,
                };
                if let Value::Spot(Spot {
                    kind: Kind::Record(layout),
                    ..
                }) = &base
                {
                    let slot = layout.members.iter().find(|(name, _)| name == member);
                    rest = slot.map(|(_, slot)| layout.size.saturating_sub(slot.at / 8));
                }
                self.dot_value(base, *member, of.place)?
            }
            ExprKind::Index(base, index) => {
                let array = self.value(base)?;
                let k = self.exact_number(index)?;
                if let Value::Spot(Spot {
                    kind: Kind::Array(_, count, step),
                    ..
                }) = &array
                {
                    // From one that the run chooses on there may be no further one. Behind the last there is as much room as
                    // behind the others.
                    let elements = match self.out.b.known(k.id) {
                        Some(k) => count.saturating_sub(k),
                        None => 1,
                    };
                    rest = Some(step.saturating_mul(elements));
                }
                self.index_value(array, k, of.place)?
            }
            _ => self.value(of)?,
        };
        // Slots and rings are places, too.
        let value = match value {
            Value::OneSlot(i, slots, index) => {
                Value::Spot(self.slot_spot(i, slots, index, of.place)?)
            }
            Value::Ring(i, ring) => Value::Spot(self.ring_cells(i, ring, of.place)?),
            value => value,
        };
        let bytes = match (&value, rest) {
            (_, Some(rest)) => self.constant(rest),
            (Value::Spot(spot), _) => self.constant(size_of(&spot.kind)),
            (Value::Buffer(b) | Value::Bytes(b) | Value::Piece(b), _) => b.len,
            (Value::Buffers(list), _) if !list.is_empty() => list[0].len,
            _ => self.constant(0),
        };
        Ok((value, bytes))
    }

    /// The run chooses a number between two.
    pub(crate) fn chosen(&mut self, id: Id, a: Id, b: Id) {
        self.entry.reach.chosen.push((id, a, b));
    }

    fn choice(&self, id: Id) -> Option<(Id, Id)> {
        if !matches!(self.out.b.op(id), Op::Local(_)) {
            return None;
        }
        let all = &self.entry.reach.chosen;
        let found = all.iter().find(|(one, ..)| *one == id);
        found.map(|(_, a, b)| (*a, *b))
    }

    /// `tell BYTES of MEMORY`
    pub(crate) fn tell_bytes(&mut self, bytes: &'a Expr, of: &'a Expr) -> Result<()> {
        let told = self.exact_number(bytes)?;
        let mut lent: Vec<Lent> = Vec::new();
        let (value, rest) = self.located(of)?;
        let list = match value {
            Value::None => Vec::new(),
            Value::Buffers(list) => list,
            Value::Num(n) => {
                lent = self.addresses(n.id);
                if lent.is_empty() {
                    return Err(Error::new(
                        of.place,
                        "this is no memory that was lent",
                        "name what `dma` was said of",
                    ));
                }
                Vec::new()
            }
            value => {
                let (space, at) = self.place_of(value, of.place)?;
                let b = Buffer {
                    space,
                    at,
                    len: rest,
                    inward: false,
                    last: true,
                    ends: None,
                    word: None,
                };
                vec![b]
            }
        };
        for b in list {
            let address = self.device_address(b.space, b.at, of.place)?;
            lent.push(Lent {
                address: address.id,
                bytes: b.len,
                whole: address.id,
            });
        }
        let mut all = self.constant(0);
        for one in &lent {
            all = self.sum(all, one.bytes);
        }
        if lent.is_empty() {
            return Ok(());
        }
        if !self.reaches_no_further(told, all) {
            return Err(self.too_far(told, self.least(all), bytes.place));
        }
        let whole = lent.iter().map(|one| one.whole);
        self.entry.reach.told.extend(whole);
        Ok(())
    }

    // ---- what a device is given

    /// A number is stored where the device sees it.
    pub(crate) fn given(
        &mut self,
        n: Num<'a>,
        reach: Option<Reach<'a>>,
        fields: &[(Name, Num<'a>)],
        register: Option<&Register<'a>>,
        place: Place,
    ) -> Result<()> {
        if !self.mode.gives() {
            return Ok(());
        }
        let Some((extent, instance)) = reach.and_then(|r| Some((r.extent?, r.instance))) else {
            // In a first run an address is a number as any other.
            if self.is_live() || !self.carries_address(n.id) {
                return Ok(());
            }
            return Err(Error::new(
                place,
                "a device address is stored here, and nothing says how far the device reaches from it",
                "say `for BYTES` where the place is declared, or `for told`",
            ));
        };
        let lent = self.addresses(n.id);
        let none = self.out.b.known(n.id) == Some(0);
        let kept = matches!(extent, Extent::Told) && self.is_none_or_kept(n.id);
        if lent.is_empty() && !(none || kept || self.is_live()) {
            return Err(Error::new(
                place,
                "this is no address that `dma` gave",
                "say `dma` of a place in the arena, or of a buffer",
            ));
        }
        for lent in lent {
            let bytes = match extent {
                Extent::Told => {
                    self.entry.reach.untold.push((lent.whole, place));
                    continue;
                }
                Extent::Bytes(bytes) => bytes,
            };
            let index = register.and_then(|r| Some((r.item.index?, r.index?)));
            let given = Given {
                least: self.least(lent.bytes),
                lent,
                bytes,
                instance,
                fields: fields.to_vec(),
                beside: register.map(Which::of),
                index,
                entry: self.out.reach.entry,
                place,
            };
            // Where no register is named, what is known here counts, and it is over.
            let standing = self.stand_in(&given, false)?;
            if !standing.asked.is_empty() {
                self.out.reach.given.push(given);
            }
        }
        Ok(())
    }

    /// What was written to a register, for the numbers that name it.
    pub(crate) fn wrote(&mut self, r: &Register<'a>, value: Num<'a>) {
        if self.mode.gives() {
            let entry = self.out.reach.entry;
            self.out.reach.written.push(Write {
                which: Which::of(r),
                value,
                entry,
            });
        }
    }

    /// Whether registers stand for what was written to them.
    pub(crate) fn is_standing(&self) -> bool {
        self.entry.reach.standing.is_some()
    }

    /// What stands in a register, where a number is worked out that names it.
    pub(crate) fn stands(&mut self, r: &Register<'a>) -> Option<Num<'a>> {
        let standing = self.entry.reach.standing.as_mut()?;
        let mut which = Which::of(r);
        let several = r.item.count.is_some() || r.item.index.is_some();
        if which.index.is_none() && several {
            which.index = standing.beside.and_then(|beside| beside.index);
        }
        let found = standing.asked.iter().find(|(asked, ..)| *asked == which);
        let value = match found {
            Some((_, values, pick)) => values.get(*pick).copied(),
            None => {
                let mut values: Vec<Num> = Vec::new();
                let b = &self.out.b;
                let number = |index: Option<Id>| index.and_then(|id| b.known(id));
                for write in &self.out.reach.written {
                    let others = (number(which.index), number(write.which.index));
                    if !which.is_of(&write.which) || matches!(others, (Some(a), Some(b)) if a != b)
                    {
                        continue;
                    }
                    let own = write.entry == standing.entry;
                    match (own, b.known(write.value.id).is_some()) {
                        (true, false) if standing.all => standing.shown = true,
                        (true, _) => values.push(write.value),
                        (false, true) if standing.all => values.push(write.value),
                        (false, false) if standing.all => standing.missing = true,
                        (false, _) => {}
                    }
                }
                values.sort_by_key(|v| v.id);
                values.dedup_by_key(|v| v.id);
                let first = values.first().copied();
                standing.asked.push((which, values, 0));
                first
            }
        };
        let mut value = match value {
            Some(value) => value,
            None => {
                standing.missing |= !standing.shown;
                standing.none = true;
                self.constant(0)
            }
        };
        value.bits = self.bits_of(r);
        Some(value)
    }

    /// Works the number out for whatever may stand in the registers that it names, and shows each to be right.
    fn stand_in(&mut self, given: &Given<'a>, all: bool) -> Result<Standing<'a>> {
        self.entry.reach.standing = Some(Standing {
            beside: given.beside,
            entry: given.entry,
            all,
            ..Standing::default()
        });
        let outcome = self.each_combination(given, all);
        let standing = self.entry.reach.standing.take().unwrap_or_default();
        outcome.map(|()| standing)
    }

    fn each_combination(&mut self, given: &Given<'a>, all: bool) -> Result<()> {
        loop {
            self.enter(given.instance, Vec::new());
            for (name, n) in given.fields.iter().chain(&given.index) {
                let binding = Binding::Value(Value::Num(*n));
                self.entry.scopes.push((*name, binding));
            }
            let told = self.exact_number(given.bytes);
            self.leave();
            let told = told?;
            // What was not written yet is looked at when the entry is over, or all are.
            let later = self.entry.reach.standing.as_ref().is_none_or(|s| s.none);
            if later {
                return Ok(());
            }
            let right =
                all && told.most <= given.least || self.reaches_no_further(told, given.lent.bytes);
            if !right {
                return Err(self.too_far(told, given.least, given.place));
            }
            let more = self
                .entry
                .reach
                .standing
                .as_mut()
                .is_some_and(Standing::next);
            if !more {
                return Ok(());
            }
        }
    }

    /// At the end of an entry: what its own writes say.
    pub(crate) fn entry_reaches(&mut self) -> Result<()> {
        let entry = self.out.reach.entry;
        let of_entry = self.out.reach.given.iter().filter(|g| g.entry == entry);
        for given in of_entry.cloned().collect::<Vec<_>>() {
            self.stand_in(&given, false)?;
        }
        for (whole, place) in core::mem::take(&mut self.entry.reach.untold) {
            if !self.entry.reach.told.contains(&whole) {
                return Err(Error::new(
                    place,
                    "nothing tells how far the device reaches from this address",
                    "say `tell BYTES of MEMORY` in the same entry",
                ));
            }
        }
        self.out.reach.entry += 1;
        Ok(())
    }

    /// When all entries are written: what any of them says.
    pub(crate) fn all_reach(&mut self) -> Result<()> {
        // What was proved in an entry says nothing about another.
        self.entry = crate::instance::Entry::default();
        for given in core::mem::take(&mut self.out.reach.given) {
            let standing = self.stand_in(&given, true)?;
            if standing.missing {
                return Err(Error::new(
                    given.place,
                    "how far the device reaches from this address rests on a register that is never written, or not with \
                     a known number",
                    "write it in the same entry, or a number that facts give in each",
                ));
            }
        }
        Ok(())
    }

    fn too_far(&self, told: Num<'a>, lent: u64, place: Place) -> Error {
        Error::new(
            place,
            format!(
                "the device may use {} bytes from this address, and {lent} are surely lent",
                crate::place::bound_text(told.most)
            ),
            "tell it less, check the length first, or lend more",
        )
    }

    // ---- numbers

    /// The lent addresses that a number is made of; none: it is no address.
    fn addresses(&mut self, id: Id) -> Vec<Lent<'a>> {
        let zero = self.constant(0);
        let mut found = Vec::new();
        let mut open = vec![id];
        let mut seen: Vec<Id> = Vec::new();
        while let Some(id) = open.pop() {
            if seen.contains(&id) {
                continue;
            }
            seen.push(id);
            let lent = self.entry.reach.lent.iter().filter(|l| l.address == id);
            // The same place under several names: the most of it that was lent.
            if let Some(most) = lent.copied().max_by_key(|l| self.least(l.bytes)) {
                found.push(most);
                continue;
            }
            if let Some((a, b)) = self.choice(id) {
                open.extend([a, b]);
                continue;
            }
            match self.out.b.op(id) {
                Op::Select(_, a, b) => open.extend([*a, *b]),
                Op::Extract { value, .. } => open.push(*value),
                Op::Insert { into, value, .. } => open.extend([*into, *value]),
                Op::Swap(_, a) => open.push(*a),
                Op::Bin(BinOp::Shr | BinOp::Div | BinOp::And, a, _) => open.push(*a),
                Op::Bin(BinOp::Or | BinOp::Add, a, b) => open.extend([*a, *b]),
                // An address that was counted on: nothing is lent there.
                Op::Late(Late::ArenaDma | Late::PoolDma) => {
                    found.push(Lent {
                        address: id,
                        bytes: zero,
                        whole: id,
                    });
                }
                _ => {}
            }
        }
        found
    }

    /// Whether a lent address goes into a number, in whatever way it is worked out. What only compares one does not carry it.
    pub(crate) fn carries_address(&self, id: Id) -> bool {
        let mut open = vec![id];
        let mut seen: Vec<Id> = Vec::new();
        while let Some(id) = open.pop() {
            if matches!(self.out.b.op(id), Op::Const(_)) || seen.contains(&id) {
                continue;
            }
            seen.push(id);
            let reach = &self.entry.reach;
            if reach.taken_back.contains(&id) || reach.lent.iter().any(|l| l.address == id) {
                return true;
            }
            if let Some((a, b)) = self.choice(id) {
                open.extend([a, b]);
                continue;
            }
            match self.out.b.op(id) {
                Op::Late(Late::ArenaDma | Late::PoolDma) => return true,
                Op::Local(slot) if self.entry.reach.variables.contains(slot) => return true,
                Op::Bin(BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le, ..) => {}
                // Where in a block of memory it is, to cut what crosses the block's end: a length, not an address.
                Op::Bin(BinOp::And, _, mask)
                    if self.out.b.known(*mask).is_some_and(|mask| mask < BLOCK) => {}
                Op::Select(_, a, b) => open.extend([*a, *b]),
                op if op.is_pure() => op.operands(|operand| open.push(operand)),
                _ => {}
            }
        }
        false
    }

    /// A number was loaded from a place that keeps device addresses.
    pub(crate) fn took_back(&mut self, id: Id) {
        self.entry.reach.taken_back.push(id);
    }

    /// A variable is given a value.
    pub(crate) fn set_variable(&mut self, slot: u16, value: Id) {
        if self.mode.gives() && !self.is_live() && self.carries_address(value) {
            self.entry.reach.variables.push(slot);
        }
        self.out.b.step(Op::SetLocal(slot, value));
    }

    /// Where no device looks an address may be kept under its type only: from there it could go anywhere.
    pub(crate) fn keeps(&self, n: Num<'a>, place: Place) -> Result<()> {
        if !self.mode.gives() || self.is_live() || !self.carries_address(n.id) {
            return Ok(());
        }
        Err(Error::new(
            place,
            "a device address is kept here as if it were any number",
            "work it out again with `dma` where the device is told of it",
        ))
    }

    /// Whether a number is 0, which stands for no address, or loaded from the arena, where addresses are kept.
    fn is_none_or_kept(&self, id: Id) -> bool {
        if let Some((a, b)) = self.choice(id) {
            return self.is_none_or_kept(a) && self.is_none_or_kept(b);
        }
        match self.out.b.op(id) {
            Op::Const(n) => *n == 0,
            Op::Load { space, .. } => *space == Space::Arena,
            Op::Select(_, a, b) => self.is_none_or_kept(*a) && self.is_none_or_kept(*b),
            Op::Extract { value, .. } => self.is_none_or_kept(*value),
            Op::Swap(_, a) => self.is_none_or_kept(*a),
            _ => false,
        }
    }

    /// Whether what is told is at most what is lent, by what is known of both.
    fn reaches_no_further(&self, told: Num<'a>, lent: Num<'a>) -> bool {
        told.id == lent.id
            || told.most.min(self.out.b.most(told.id)) <= self.least(lent)
            || self.entry.proved.is_not_above(told.id, lent.id)
            || self.part_of(told.id, lent.id, u64::MAX)
    }

    /// Whether these bits of a number are cut off another, by how it is made.
    fn part_of(&self, told: Id, of: Id, mask: u64) -> bool {
        if told == of {
            return true;
        }
        let b = &self.out.b;
        let all = u64::MAX;
        match b.op(told) {
            Op::Bin(BinOp::Rem | BinOp::Shr | BinOp::Div, a, _) => self.part_of(*a, of, all),
            Op::Bin(BinOp::Min, x, y) => self.part_of(*x, of, all) || self.part_of(*y, of, all),
            Op::Bin(BinOp::And, x, c) => self.part_of(*x, of, mask & b.known(*c).unwrap_or(all)),
            Op::Bin(BinOp::Or, x, y) if b.possible(*y) & mask == 0 => self.part_of(*x, of, mask),
            Op::Bin(BinOp::Or, x, y) if b.possible(*x) & mask == 0 => self.part_of(*y, of, mask),
            Op::Extract {
                value, lo: 0, bits, ..
            } => self.part_of(*value, of, mask & ones((*bits).into())),
            Op::Insert {
                into,
                value,
                lo,
                bits,
            } => {
                let field = ones((*bits).into()) << lo;
                match (*lo, mask & field, mask & !field) {
                    (_, 0, _) => self.part_of(*into, of, mask),
                    (0, _, 0) => self.part_of(*value, of, mask),
                    _ => false,
                }
            }
            // `(a - c) + c`, `(a / c) * c`, `(a >> c) << c`
            Op::Bin(BinOp::Add, a, c) => self.undone(*a, BinOp::Sub, *c, of),
            // `c - (c - a)`
            Op::Bin(BinOp::Sub, c, m) => {
                matches!(b.op(*m), Op::Bin(BinOp::Sub, d, a) if c == d && self.part_of(*a, of, all))
            }
            Op::Bin(BinOp::Mul, a, c) => self.undone(*a, BinOp::Div, *c, of),
            Op::Bin(BinOp::Shl, a, c) => self.undone(*a, BinOp::Shr, *c, of),
            _ => false,
        }
    }

    /// Whether a number is cut off another and then made less by `c`.
    fn undone(&self, made: Id, by: BinOp, c: Id, of: Id) -> bool {
        let Op::Bin(op, a, d) = self.out.b.op(made) else {
            return false;
        };
        *op == by && *d == c && self.part_of(*a, of, u64::MAX)
    }
}
