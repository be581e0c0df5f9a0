//! Assignment: to registers, places in memory, variables.

use super::*;
use crate::value::{Buffer, Register};

/// What an assignment changes. It is worked out once, also where its old value is read first.
enum Goal<'a> {
    /// A name bound by `let`: where it stands among those in scope.
    Bound(usize),
    Register(Register<'a>),
    /// Some of its bits, by the names that lead to them.
    Field(Register<'a>, Vec<Name>),
    Ring(InstanceId, Name, Name),
    /// Bits of a number in memory.
    Bits {
        spot: Spot<'a>,
        bits: u32,
        names: Bits<'a>,
        path: Vec<Name>,
    },
    Spot {
        spot: Spot<'a>,
        wraps: bool,
    },
    Buffer(Buffer<'a>),
    Bytes(Buffer<'a>),
}

impl<'a> Specialiser<'a, '_> {
    pub(super) fn assign(
        &mut self,
        target: &'a Expr,
        operator: Option<BinaryOp>,
        value: &'a Expr,
    ) -> Result<()> {
        let Some(op) = operator else {
            let v = self.value(value)?;
            let new = match v {
                Value::Literal(..) => v,
                v => self.settle(v, value.place)?,
            };
            return self.assign_to(target, new, value.place);
        };
        let at = self.goal(target, value.place)?;
        let old = self.old(&at, target.place)?;
        let by = self.number_as(value, old.bits)?;
        let new = Value::Num(self.arithmetic(op, old, by, value.place)?);
        self.set(at, new, target.place, value.place)
    }

    pub fn assign_to(&mut self, target: &'a Expr, value: Value<'a>, place: Place) -> Result<()> {
        let at = self.goal(target, place)?;
        self.set(at, value, target.place, place)
    }

    /// Where an assignment goes, not yet read.
    fn goal(&mut self, target: &'a Expr, place: Place) -> Result<Goal<'a>> {
        let value = match &target.kind {
            ExprKind::Name(name) => {
                let from = self.entry.frames.last().map_or(0, |f| f.scope);
                let bound = self.entry.scopes[from..]
                    .iter()
                    .rposition(|(n, _)| n == name);
                if let Some(at) = bound {
                    return Ok(Goal::Bound(from + at));
                }
                let wraps = self.wraps(*name);
                match self.value(target)? {
                    Value::Spot(spot) => return Ok(Goal::Spot { spot, wraps }),
                    value @ Value::Register(_) => value,
                    _ => {
                        return Err(Error::new(
                            target.place,
                            format!("`{}` cannot be assigned to", self.text(*name)),
                            "assign to a register, a state or a place in the arena",
                        ))
                    }
                }
            }
            ExprKind::Dot(..) => {
                let (root, path) = led_to(target);
                let mut value = self.value(root)?;
                for (k, field) in path.iter().enumerate() {
                    let rest = || path.iter().skip(k).copied().collect();
                    value = match value {
                        // What leads to some bits of a number is not read on the way.
                        Value::Register(r) => return Ok(Goal::Field(r, rest())),
                        Value::Ring(i, ring) if k + 1 == path.len() => {
                            return Ok(Goal::Ring(i, ring, *field))
                        }
                        Value::OneSlot(i, slots, index) => {
                            let spot = self.slot_spot(i, slots, index, place)?;
                            Value::Spot(self.member(&spot, *field, place)?)
                        }
                        Value::Spot(spot) => match spot.kind {
                            Kind::Number {
                                bits,
                                fields: Some(names),
                                ..
                            } => {
                                return Ok(Goal::Bits {
                                    spot,
                                    bits,
                                    names,
                                    path: rest(),
                                })
                            }
                            _ => Value::Spot(self.member(&spot, *field, place)?),
                        },
                        base => self.dot_value(base, *field, target.place)?,
                    };
                }
                value
            }
            _ => self.value(target)?,
        };
        Ok(match value {
            Value::Register(r) => Goal::Register(r),
            Value::Spot(spot) => Goal::Spot { spot, wraps: false },
            Value::Buffer(b) => Goal::Buffer(b),
            Value::Bytes(b) => Goal::Bytes(b),
            _ => {
                return Err(Error::new(
                    target.place,
                    "this cannot be assigned to",
                    "assign to a register, a state or a place in the arena",
                ))
            }
        })
    }

    /// What a target holds.
    fn old(&mut self, target: &Goal<'a>, place: Place) -> Result<Num<'a>> {
        let value = match target {
            Goal::Bound(at) => match self.entry.scopes[*at].1.clone() {
                Binding::Value(value) => value,
                Binding::Local { slot, most } => {
                    let id = self.out.b.step(Op::Local(slot));
                    Value::Num(self.node(id, most))
                }
            },
            Goal::Register(r) => Value::Register(r.clone()),
            Goal::Field(r, path) => {
                let n = self.read_one(r)?;
                self.inner_field(n, path, place)?
            }
            Goal::Ring(i, ring, member) => self.ring_member(*i, *ring, *member, place)?,
            Goal::Bits { spot, path, .. } => {
                let n = self.load_number(spot, place)?;
                self.inner_field(n, path, place)?
            }
            Goal::Spot { spot, .. } => Value::Spot(spot.clone()),
            Goal::Buffer(b) => Value::Buffer(b.clone()),
            Goal::Bytes(b) => Value::Bytes(b.clone()),
        };
        self.number_for(value, None, place)
    }

    /// A field of a field of a number.
    fn inner_field(&mut self, n: Num<'a>, path: &[Name], place: Place) -> Result<Value<'a>> {
        let mut value = Value::Num(n);
        for name in path {
            let n = self.number_for(value, None, place)?;
            value = self.field_of(n, *name, place)?;
        }
        Ok(value)
    }

    fn set(&mut self, target: Goal<'a>, value: Value<'a>, at: Place, place: Place) -> Result<()> {
        match target {
            Goal::Bound(index) => match self.entry.scopes[index].1 {
                Binding::Local { slot, .. } => {
                    let n = self.number_for(value, None, place)?;
                    self.set_variable(slot, n.id);
                    Ok(())
                }
                Binding::Value(Value::Num(_)) if self.is_live() => {
                    let n = self.number_for(value, None, place)?;
                    self.entry.scopes[index].1 =
                        Binding::Value(Value::Num(Num { cut: false, ..n }));
                    Ok(())
                }
                _ => Err(Error::new(
                    at,
                    "only a number can be assigned to after its `let`",
                    "give the other value a name of its own",
                )),
            },
            Goal::Register(r) => self.write(&r, value, place),
            Goal::Field(r, path) => self.write_field(&r, &path, value, place),
            Goal::Ring(i, ring, member) => self.set_ring_member(i, ring, member, value, place),
            Goal::Bits {
                spot,
                bits,
                names,
                path,
            } => self.set_number_field(&spot, bits, (names, &path), value, place),
            Goal::Spot { spot, wraps } => {
                let value = match value {
                    Value::Num(n) => Value::Num(Num {
                        open: n.open || wraps,
                        ..n
                    }),
                    v => v,
                };
                self.store(&spot, value, place)
            }
            Goal::Buffer(b) => {
                let width = self.word_of(&b, place)?;
                let n = self.number_for(value, None, place)?;
                let n = self.fit(n, width.bits(), place)?;
                self.raw_store(b.space, b.at, width, n);
                Ok(())
            }
            Goal::Bytes(bytes) => {
                let size = self.out.b.known(bytes.len.id).ok_or_else(|| {
                    Error::new(
                        place,
                        "how many bytes is not known",
                        "use a number known beforehand",
                    )
                })?;
                let n = self.number_for(value, None, place)?;
                self.fill(bytes.space, bytes.at, size, n, place)
            }
        }
    }

    fn set_number_field(
        &mut self,
        spot: &Spot<'a>,
        bits: u32,
        (names, path): (Bits<'a>, &[Name]),
        value: Value<'a>,
        place: Place,
    ) -> Result<()> {
        let Some(f) = self.nested(names, path) else {
            let path: Vec<&str> = path.iter().map(|name| self.text(*name)).collect();
            return Err(Error::new(
                place,
                format!("no field `{}` here", path.join(".")),
                "see the declaration",
            ));
        };
        let old = self.load_number(spot, place)?;
        let n = self.number_for(value, f.bits, place)?;
        let n = self.fit(n, f.width, place)?;
        let id = self.out.b.insert(old.id, n.id, f.lo as u8, f.width as u8);
        let whole = self.node(id, crate::layout::ones(bits));
        self.store(spot, Value::Num(whole), place)
    }

    /// Whether a name is a state that wraps, of this instance or of what it stands in or on.
    fn wraps(&mut self, name: Name) -> bool {
        let mut at = Some(self.here());
        while let Some(i) = at {
            let state = self.find_item(
                i,
                |k| matches!(k, ItemKind::State { name: n, .. } if *n == name),
            );
            if let Some(item) = state {
                return matches!(item.kind, ItemKind::State { wraps: true, .. });
            }
            at = self.rules.instances[i].lower;
        }
        false
    }
}

/// `a[i].b.c` as a[i], and b, c.
fn led_to(target: &Expr) -> (&Expr, Vec<Name>) {
    match &target.kind {
        ExprKind::Dot(base, name) => {
            let (root, mut path) = led_to(base);
            path.push(*name);
            (root, path)
        }
        _ => (target, Vec::new()),
    }
}
