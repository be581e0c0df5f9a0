//! `spread BUFFERS over CELLS each N across N at most N as b { … }`: buffers cut to what a device takes in one piece.

use crate::value::{Buffer, Kind, Register, Value};
use crate::{wrong, Meaning, Outside, Run};
use rulebook::tree::{Expr, ExprKind};

impl<'a> Meaning<'a> {
    /// Stores a cell for each piece, in order, and gives their number. What does not fit into the cells cannot be had.
    pub(crate) fn spread(&mut self, io: &mut dyn Outside, e: &'a Expr) -> Run<Value<'a>> {
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
            return wrong(e.place, "no `spread`");
        };
        let value = self.value(io, data)?;
        let list = self.buffers(value, data.place)?;
        let target = self.value(io, cells)?;
        let room = match &target {
            Value::Spot(spot) => match spot.kind {
                Kind::Array(_, n, _) => Some(n),
                _ => None,
            },
            Value::Register(r) => r.item.count.map(u64::from),
            _ => None,
        };
        let Some(mut room) = room else {
            return wrong(cells.place, "pieces are stored in an array");
        };
        let here = self.here();
        if let Some(most) = most {
            room = room.min(self.count(io, here, most)?);
        }
        let mut limits = [u64::MAX; 2];
        for (limit, e) in limits.iter_mut().zip([each, across]) {
            if let Some(e) = e {
                *limit = self.count(io, here, e)?;
            }
        }
        let [each, boundary] = limits;
        let ends = across.is_none() || boundary.is_power_of_two();
        if each == 0 || !ends || (each, boundary) == (u64::MAX, u64::MAX) {
            return wrong(e.place, "how long a piece may be");
        }
        let mut number = 0;
        for (k, buffer) in list.iter().enumerate() {
            let mut done = 0;
            while done < buffer.len {
                self.tick()?;
                self.unless(io, number < room)?;
                let at = buffer.at + done;
                let mut len = (buffer.len - done).min(each);
                if across.is_some() {
                    let address = self.device_address(io, buffer.space, at, e.place)?;
                    len = len.min(boundary - address % boundary);
                }
                done += len;
                let piece = Buffer {
                    at,
                    len,
                    last: k + 1 == list.len() && done == buffer.len,
                    ..buffer.clone()
                };
                self.scoped(|m| {
                    m.bind(*name, Value::Piece(piece));
                    let value = m.value(io, cell)?;
                    let value = m.settle(io, value, cell.place)?;
                    match &target {
                        Value::Spot(spot) => {
                            let spot = m.element(spot, number.into(), cell.place)?;
                            m.store(io, &spot, value, cell.place)
                        }
                        Value::Register(r) => {
                            let r = Register {
                                index: Some(number.into()),
                                ..r.clone()
                            };
                            m.write(io, &r, value, cell.place)
                        }
                        _ => Ok(()),
                    }
                })?;
                number += 1;
            }
        }
        Ok(Value::number(number))
    }
}
