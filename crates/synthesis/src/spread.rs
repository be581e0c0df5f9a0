//! `spread BUFFERS over CELLS each N across N as b { … }`: buffers cut to what a device takes in one piece.

use crate::execute::Flow;
use crate::instance::{Binding, Specialiser};
use crate::value::{Buffer, Kind, Num, Register, Value};
use crate::{Error, Result};
use alloc::format;
use graph::{BinOp, Late, Op, Space};
use rulebook::tree::{Expr, ExprKind, Name, Place};

/// What limits a piece, and what is stored for each.
struct Cut<'a> {
    /// Longest piece, bytes.
    each: u64,
    /// No piece goes over a multiple of this device address: a power of two.
    across: Option<u64>,
    cells: Value<'a>,
    /// How many cells there are.
    count: u64,
    name: Name,
    cell: &'a Expr,
}

impl<'a> Specialiser<'a, '_> {
    /// Stores a cell for each piece, in order, and gives their number. What does not fit into the cells cannot be had.
    pub(crate) fn spread(&mut self, e: &'a Expr) -> Result<Value<'a>> {
        let ExprKind::Spread {
            data,
            cells,
            each,
            across,
            most,
            name,
            cell,
        } = &e.kind
        else {
            return Ok(Value::None);
        };
        let here = self.here();
        let list = self.buffers(data)?;
        let mut cut = Cut {
            each: u64::MAX,
            across: None,
            cells: self.value(cells)?,
            count: 0,
            name: *name,
            cell,
        };
        cut.count = self.cell_count(&cut.cells, cells.place)?;
        if let Some(most) = most {
            cut.count = cut.count.min(self.fact_number(here, most)?);
        }
        if let Some(each) = each {
            cut.each = self.positive(each)?;
        }
        if let Some(across) = across {
            let n = self.positive(across)?;
            if !n.is_power_of_two() {
                return Err(Error::new(
                    across.place,
                    format!("{n} is no power of two"),
                    "a boundary that pieces do not go over is one: 4096, 64 KiB",
                ));
            }
            cut.across = Some(n);
        }
        if each.is_none() && across.is_none() {
            return Err(Error::new(
                e.place,
                "nothing says how long a piece may be",
                "add `each N` (bytes), or `across N` (a boundary)",
            ));
        }
        let count = if self.is_live() {
            self.spread_now(&cut, &list, e.place)?
        } else {
            self.spread_later(&cut, &list, e.place)?
        };
        Ok(Value::Num(count))
    }

    fn positive(&mut self, e: &'a Expr) -> Result<u64> {
        match self.fact_number(self.here(), e)? {
            0 => Err(Error::new(
                e.place,
                "a piece of 0 bytes",
                "use a number greater than 0",
            )),
            n => Ok(n),
        }
    }

    fn cell_count(&self, cells: &Value<'a>, place: Place) -> Result<u64> {
        match cells {
            Value::Spot(spot) => {
                if let Kind::Array(_, n, _) = spot.kind {
                    return Ok(n);
                }
            }
            Value::Register(Register { item, .. }) => {
                if let Some(n) = item.count {
                    return Ok(n as u64);
                }
            }
            _ => {}
        }
        Err(Error::new(
            place,
            "pieces are stored in an array",
            "name an arena, a member of slots, or a register with a count",
        ))
    }

    /// In the first run everything is known.
    fn spread_now(&mut self, cut: &Cut<'a>, list: &[Buffer<'a>], place: Place) -> Result<Num<'a>> {
        let mut count = 0;
        let mut fits = true;
        for (j, buffer) in list.iter().enumerate() {
            let Some(len) = self.known_now(buffer.len.id) else {
                break;
            };
            let mut done = 0;
            while done < len && fits {
                self.tick(place)?;
                if count == cut.count {
                    fits = false;
                    break;
                }
                let (from, k) = (self.constant(done), self.constant(count));
                let left = self.constant(len - done);
                let piece = self.piece(cut, buffer, from, left, k, j + 1 == list.len(), place)?;
                // No piece is empty: the loop comes to an end.
                done += self.known_now(piece.id).unwrap_or(u64::MAX - done).max(1);
                count += 1;
            }
        }
        let fits = self.constant(fits as u64);
        self.unless_had(fits)?;
        Ok(self.constant(count))
    }

    fn spread_later(
        &mut self,
        cut: &Cut<'a>,
        list: &[Buffer<'a>],
        place: Place,
    ) -> Result<Num<'a>> {
        let zero = self.out.b.constant(0);
        let number = self.out.b.new_local();
        self.out.b.step(Op::SetLocal(number, zero));
        let mut fits = self.constant(1);
        for (j, buffer) in list.iter().enumerate() {
            let done = self.out.b.new_local();
            self.out.b.step(Op::SetLocal(done, zero));
            let bound = self.constant(cut.count);
            self.looped(bound, |s, exit| {
                let from = s.out.b.step(Op::Local(done));
                let left = s.out.b.bin(BinOp::Sub, buffer.len.id, from);
                s.entry.proved.at_most(from, buffer.len.most);
                s.entry.proved.at_most(left, buffer.len.most);
                let (from, left) = (s.node(from, u64::MAX), s.node(left, u64::MAX));
                let some = s.truth(left);
                let k = s.out.b.step(Op::Local(number));
                s.entry.proved.at_most(k, cut.count);
                let k = s.node(k, cut.count);
                let end = s.out.b.constant(cut.count);
                let room = s.out.b.bin(BinOp::Lt, k.id, end);
                let go = s.out.b.bin(BinOp::And, some.id, room);
                let go = s.node(go, 1);
                if s.go_on_if(go, exit, place)? == Flow::Ended {
                    return Ok(Flow::Ended);
                }
                s.entry.proved.at_most(k.id, cut.count - 1);
                let k = s.node(k.id, cut.count - 1);
                let last = j + 1 == list.len();
                let piece = s.piece(cut, buffer, from, left, k, last, place)?;
                let after = s.out.b.bin(BinOp::Add, from.id, piece.id);
                s.out.b.step(Op::SetLocal(done, after));
                let next = s.plus(k, 1);
                s.out.b.step(Op::SetLocal(number, next.id));
                Ok(Flow::Next)
            })?;
            let done = self.out.b.step(Op::Local(done));
            let whole = self.out.b.bin(BinOp::Eq, done, buffer.len.id);
            let id = self.out.b.bin(BinOp::And, fits.id, whole);
            fits = self.node(id, 1);
        }
        self.unless_had(fits)?;
        let id = self.out.b.step(Op::Local(number));
        self.entry.proved.at_most(id, cut.count);
        Ok(self.node(id, cut.count))
    }

    /// Stores the cell of the piece that begins `from` bytes into the buffer; gives its length.
    #[allow(clippy::too_many_arguments)]
    fn piece(
        &mut self,
        cut: &Cut<'a>,
        buffer: &Buffer<'a>,
        from: Num<'a>,
        left: Num<'a>,
        k: Num<'a>,
        last: bool,
        place: Place,
    ) -> Result<Num<'a>> {
        let at = self.sum(buffer.at, from);
        let mut len = left;
        if cut.each != u64::MAX {
            let each = self.out.b.constant(cut.each);
            let id = self.out.b.bin(BinOp::Min, len.id, each);
            len = self.node(id, len.most.min(cut.each));
        }
        if let Some(across) = cut.across {
            let address = self.device_address(buffer.space, at, place)?;
            let (mask, size) = (self.out.b.constant(across - 1), self.out.b.constant(across));
            let inside = self.out.b.bin(BinOp::And, address.id, mask);
            let room = self.out.b.bin(BinOp::Sub, size, inside);
            let id = self.out.b.bin(BinOp::Min, len.id, room);
            len = self.node(id, len.most.min(across));
            self.entry.proved.at_most(id, len.most);
        }
        // There is something left, so no piece is empty.
        self.entry.proved.at_most(len.id, len.most);
        self.entry.proved.at_least(len.id, 1);
        let same = self.out.b.bin(BinOp::Eq, len.id, left.id);
        let ends = self.constant(last as u64);
        let id = self.out.b.bin(BinOp::And, ends.id, same);
        let ends = self.node(id, 1);
        let piece = Buffer {
            at,
            len,
            last,
            ends: Some(ends),
            ..buffer.clone()
        };
        self.entry
            .scopes
            .push((cut.name, Binding::Value(Value::Piece(piece))));
        let whole = self.device_address(buffer.space, buffer.at, place)?;
        self.entry.reach.spread = Some(whole.id);
        let value = self.value(cut.cell);
        let stored = value.and_then(|value| {
            let value = match value {
                Value::Literal(..) => value,
                other => self.settle(other, place)?,
            };
            match &cut.cells {
                Value::Spot(spot) => {
                    let cell = self.element(spot, k, place)?;
                    self.store(&cell, value, place)
                }
                Value::Register(r) => {
                    let r = Register {
                        index: Some(k),
                        ..r.clone()
                    };
                    self.write(&r, value, place)
                }
                _ => Ok(()),
            }
        });
        self.entry.scopes.pop();
        self.entry.reach.spread = None;
        stored?;
        Ok(len)
    }

    /// Where the device sees a place.
    pub(crate) fn device_address(
        &mut self,
        space: Space,
        at: Num<'a>,
        place: Place,
    ) -> Result<Num<'a>> {
        let late = match space {
            Space::Arena => Late::ArenaDma,
            Space::Pool => Late::PoolDma,
            Space::State => {
                return Err(Error::new(
                    place,
                    "the device cannot see private state",
                    "put it into an `arena`",
                ))
            }
        };
        let base = match self.mode.device() {
            Some(device) => {
                let v = device.late(late);
                self.out.b.constant(v)
            }
            None => self.out.b.late(late),
        };
        let id = self.out.b.bin(BinOp::Add, base, at.id);
        let most = self.reach();
        Ok(self.node(id, most))
    }
}
