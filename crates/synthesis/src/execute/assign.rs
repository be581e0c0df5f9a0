//! Assignment: to registers, places in memory, variables.

use super::*;

impl<'a> Specialiser<'a, '_> {
    pub(super) fn assign(
        &mut self,
        target: &'a Expr,
        operator: Option<BinaryOp>,
        value: &'a Expr,
    ) -> Result<()> {
        let new = match operator {
            None => {
                let v = self.value(value)?;
                if matches!(v, Value::Literal(..)) {
                    v
                } else {
                    self.settle(v, value.place)?
                }
            }
            Some(op) => {
                let old = self.number(target)?;
                let by = self.number_as(value, old.bits)?;
                Value::Num(self.arithmetic(op, old, by, value.place)?)
            }
        };
        self.assign_to(target, new, value.place)
    }

    pub fn assign_to(&mut self, target: &'a Expr, value: Value<'a>, place: Place) -> Result<()> {
        if let ExprKind::Name(name) = &target.kind {
            let from = self.frames.last().map_or(0, |f| f.scope);
            let at = self.scopes[from..]
                .iter()
                .rposition(|(n, _)| n == name)
                .map(|k| from + k);
            if let Some(at) = at {
                if let Binding::Local { slot, .. } = self.scopes[at].1 {
                    let n = self.number_for(value, None, place)?;
                    self.b.step(Op::SetLocal(slot, n.id));
                } else {
                    self.scopes[at].1 = Binding::Value(value);
                }
                return Ok(());
            }
            let wraps = self.wraps(*name);
            return match self.value(target)? {
                Value::Register(r) => self.write(&r, value, place),
                Value::Spot(spot) => {
                    let value = match value {
                        Value::Num(n) => Value::Num(Num {
                            open: n.open || wraps,
                            ..n
                        }),
                        v => v,
                    };
                    self.store(&spot, value, place)
                }
                _ => Err(Error::new(
                    target.place,
                    format!("`{}` cannot be assigned to", self.text(*name)),
                    "assign to a register, a state or a place in the arena",
                )),
            };
        }
        if let ExprKind::Dot(base, field) = &target.kind {
            match self.value(base)? {
                Value::Register(r) => return self.write_field(&r, *field, value, place),
                Value::Ring(i, ring) => return self.set_ring_member(i, ring, *field, value, place),
                Value::OneSlot(i, slots, index) => {
                    return self.set_slot_member(i, slots, index, *field, value, place)
                }
                Value::Spot(spot) => {
                    if let Kind::Number {
                        bits,
                        fields: Some(names),
                        ..
                    } = spot.kind.clone()
                    {
                        return self.set_number_field(&spot, bits, names, *field, value, place);
                    }
                    let member = self.member(&spot, *field, place)?;
                    return self.store(&member, value, place);
                }
                _ => {}
            }
        }
        match self.value(target)? {
            Value::Register(r) => self.write(&r, value, place),
            Value::Spot(spot) => self.store(&spot, value, place),
            Value::Buffer(b) => {
                let width = self.word_of(&b, place)?;
                let n = self.number_for(value, None, place)?;
                let n = self.fit(n, width.bits(), place)?;
                self.raw_store(b.space, b.at, width, n);
                Ok(())
            }
            Value::Bytes(bytes) => {
                let size = self.b.known(bytes.len.id).ok_or_else(|| {
                    Error::new(
                        place,
                        "how many bytes is not known",
                        "use a number known beforehand",
                    )
                })?;
                let n = self.number_for(value, None, place)?;
                self.fill(bytes.space, bytes.at, size, n, place)
            }
            _ => Err(Error::new(
                target.place,
                "this cannot be assigned to",
                "assign to a register, a state or a place in the arena",
            )),
        }
    }

    pub(super) fn set_number_field(
        &mut self,
        spot: &Spot<'a>,
        bits: u32,
        names: Bits<'a>,
        field: Name,
        value: Value<'a>,
        place: Place,
    ) -> Result<()> {
        let Some(f) = self.field(names, field) else {
            return Err(Error::new(
                place,
                format!("no field `{}` here", self.text(field)),
                "see the declaration",
            ));
        };
        let old = self.load_number(spot);
        let n = self.number_for(value, f.bits, place)?;
        let n = self.fit(n, f.width, place)?;
        let id = self.b.insert(old.id, n.id, f.lo as u8, f.width as u8);
        let whole = self.node(id, crate::layout::ones(bits));
        self.store(spot, Value::Num(whole), place)
    }

    /// Whether a name is a state that wraps, of this instance or of what it stands in or on.
    pub(super) fn wraps(&mut self, name: Name) -> bool {
        let mut at = Some(self.here());
        while let Some(i) = at {
            let state = self.find_item(
                i,
                |k| matches!(k, ItemKind::State { name: n, .. } if *n == name),
            );
            if let Some(item) = state {
                return matches!(item.kind, ItemKind::State { wraps: true, .. });
            }
            at = self.instances[i].lower;
        }
        false
    }
}
