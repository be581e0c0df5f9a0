//! `a.b`, `a[i]`, `a[lo..hi]`.

use super::*;

impl<'a> Specialiser<'a, '_> {
    pub(super) fn dot(&mut self, base: &'a Expr, name: Name, place: Place) -> Result<Value<'a>> {
        // `cpu.apic`, `fadt.pm1a`: a fact of the device by its whole name, or by its last word.
        if let ExprKind::Name(first) = &base.kind {
            if let Some(v) = self.dotted_fact(*first, name) {
                return Ok(v);
            }
        }
        let value = self.value(base)?;
        self.dot_value(value, name, place)
    }

    pub fn dot_value(&mut self, value: Value<'a>, name: Name, place: Place) -> Result<Value<'a>> {
        let word = self.text(name);
        match value {
            Value::Instance(i) => match self.own(i, name, place)? {
                Some(v) => Ok(v),
                None => Err(Error::new(
                    place,
                    format!("the part has no `{word}`"),
                    "see its rule",
                )),
            },
            Value::Register(r) => {
                let n = self.read_one(&r)?;
                self.field_of(n, name, place)
            }
            Value::Num(n) => self.field_of(n, name, place),
            Value::Copy(layout, pieces) => self.member_of_copy(&layout, &pieces, name, place),
            Value::Spot(spot) => match (word, &spot.kind) {
                ("in" | "out", _) => Ok(Value::Buffers(vec![self.buffer_of(&spot, word == "in")])),
                (_, Kind::Record(_)) => Ok(Value::Spot(self.member(&spot, name, place)?)),
                _ => {
                    let n = self.number_for(Value::Spot(spot), None, place)?;
                    self.field_of(n, name, place)
                }
            },
            Value::Buffer(b) => match word {
                // A `check` may have said more of it since.
                "len" => Ok(Value::Num(self.node(b.len.id, b.len.most))),
                "at" => Ok(Value::Num(b.at)),
                "last" => Ok(Value::Num(self.constant(b.last as u64))),
                "in" | "out" => Ok(Value::Buffers(vec![Buffer {
                    inward: word == "in",
                    ..b
                }])),
                _ => Err(Error::new(
                    place,
                    format!("a buffer has no `{word}`"),
                    "use len, in, out, before(n) or with(n)",
                )),
            },
            Value::Piece(b) => match word {
                "len" => Ok(Value::Num(b.len)),
                "last" if b.ends.is_some() => Ok(b.ends.map_or(Value::None, Value::Num)),
                "last" => Ok(Value::Num(self.constant(b.last as u64))),
                "in" | "out" => Ok(Value::Num(
                    self.constant((b.inward == (word == "in")) as u64),
                )),
                _ => Err(Error::new(
                    place,
                    format!("a buffer of a list has no `{word}`"),
                    "use len, last, in or out",
                )),
            },
            Value::Bytes(b) if matches!(word, "in" | "out") => Ok(Value::Buffers(vec![Buffer {
                inward: word == "in",
                ..b
            }])),
            Value::Buffers(list) => match word {
                "count" => Ok(Value::Num(self.constant(list.len() as u64))),
                "in" | "out" => Ok(Value::Buffers(
                    list.into_iter()
                        .map(|b| Buffer {
                            inward: word == "in",
                            ..b
                        })
                        .collect(),
                )),
                "len" => {
                    let mut sum = self.constant(0);
                    for b in list {
                        sum = self.sum(sum, b.len);
                    }
                    Ok(Value::Num(sum))
                }
                _ => Err(Error::new(
                    place,
                    format!("buffers have no `{word}`"),
                    "use count, len, in or out",
                )),
            },
            Value::Each(i, each) if word == "count" => {
                let n = self.members(i, each, place)?.len();
                Ok(Value::Num(self.constant(n as u64)))
            }
            Value::List(list) if word == "count" => {
                Ok(Value::Num(self.constant(list.len() as u64)))
            }
            Value::Ring(i, ring) => self.ring_member(i, ring, name, place),
            Value::Slots(i, slots) if word == "busy" => {
                Ok(Value::Num(self.busy_set(i, slots, place)?))
            }
            Value::OneSlot(i, slots, index) => self.slot_member(i, slots, index, name, place),
            Value::Space(i, space, index) => {
                let item = self.find_item(
                    i,
                    |k| matches!(k, ItemKind::Reg(r) if r.name == name && r.at.is_some()),
                );
                let Some(item) = item else {
                    return Err(Error::new(
                        place,
                        format!("there is no register `{word}`"),
                        "see the rule's registers",
                    ));
                };
                let ItemKind::Reg(reg) = &item.kind else {
                    return Err(Error::new(place, "no register", "name one"));
                };
                let mut r = self.register(i, reg, place);
                r.space = Some(space);
                r.space_index = index;
                Ok(Value::Register(r))
            }
            Value::Irq => {
                let holds = match word {
                    "level" => !self.rules.subject.device.wires.is_empty(),
                    _ => false,
                };
                Ok(Value::Num(self.constant(holds as u64)))
            }
            Value::Region(region) if word == "here" => {
                Ok(Value::Num(self.constant((region.size != 0) as u64)))
            }
            Value::Region(region) if word == "size" => Ok(Value::Num(self.constant(region.size))),
            Value::None if word == "here" => Ok(Value::Num(self.constant(0))),
            _ => Err(Error::new(
                place,
                format!("nothing here has a `{word}`"),
                "check what stands before the dot",
            )),
        }
    }

    pub fn field_of(&mut self, n: Num<'a>, name: Name, place: Place) -> Result<Value<'a>> {
        let Some(field) = n.bits.and_then(|b| self.field(b, name)) else {
            return Err(Error::new(
                place,
                format!("no field `{}` here", self.text(name)),
                "see the declaration of the value",
            ));
        };
        let id = self.out.b.extract(n.id, field.lo as u8, field.width as u8);
        let mut n = self.node(id, ones(field.width));
        n.bits = field.bits;
        Ok(Value::Num(n))
    }

    pub(super) fn buffer_of(&mut self, spot: &crate::value::Spot<'a>, inward: bool) -> Buffer<'a> {
        let len = self.constant(crate::layout::size_of(&spot.kind));
        Buffer {
            space: spot.space,
            at: spot.at,
            len,
            inward,
            last: false,
            ends: None,
            word: None,
        }
    }

    pub(super) fn index(
        &mut self,
        base: &'a Expr,
        index: &'a Expr,
        place: Place,
    ) -> Result<Value<'a>> {
        let value = self.value(base)?;
        let k = self.exact_number(index)?;
        self.index_value(value, k, place)
    }

    pub(crate) fn index_value(
        &mut self,
        value: Value<'a>,
        k: Num<'a>,
        place: Place,
    ) -> Result<Value<'a>> {
        match value {
            Value::Register(r) => Ok(Value::Register(Register {
                index: Some(k),
                ..r
            })),
            Value::Spot(spot) => Ok(Value::Spot(self.element(&spot, k, place)?)),
            Value::Space(i, name, None) => Ok(Value::Space(i, name, Some(k))),
            Value::Each(i, each) => Ok(Value::Instance(self.member_of_each(i, each, k, place)?)),
            Value::Slots(i, name) => Ok(Value::OneSlot(i, name, k)),
            // One byte of a client's buffer.
            Value::Buffer(b) => {
                let at = self.sum(b.at, k);
                Ok(Value::Num(self.raw_load(b.space, at, graph::Width::B8)))
            }
            Value::List(list) => {
                let at = self.out.b.known(k.id).ok_or_else(|| {
                    Error::new(
                        place,
                        "a list is indexed by facts only",
                        "keep it in an arena or a state to index it at run time",
                    )
                })?;
                list.get(at as usize).cloned().ok_or_else(|| {
                    Error::new(
                        place,
                        format!("the list has {} elements", list.len()),
                        "check the index",
                    )
                })
            }
            Value::Callable(i, name) => {
                let at = self.out.b.known(k.id).ok_or_else(|| {
                    Error::new(
                        place,
                        "a learned fact is indexed by facts only",
                        "use a number known beforehand",
                    )
                })?;
                let found = self.rules.instances[i]
                    .indexed
                    .iter()
                    .find(|(n, at2, _)| *n == name && *at2 == at)
                    .map(|(_, _, v)| *v);
                found.map(Value::Num).ok_or_else(|| {
                    Error::new(
                        place,
                        format!("`{}[{at}]` has not been learned", self.text(name)),
                        "learn it first",
                    )
                })
            }
            _ => Err(Error::new(
                place,
                "this cannot be indexed",
                "use a register, an array, a list or slots",
            )),
        }
    }

    pub(super) fn bit_range(
        &mut self,
        base: &'a Expr,
        lo: &'a Expr,
        hi: &'a Expr,
    ) -> Result<Value<'a>> {
        let n = self.number(base)?;
        let (lo_n, hi_n) = (self.exact_number(lo)?, self.exact_number(hi)?);
        match (self.out.b.known(lo_n.id), self.out.b.known(hi_n.id)) {
            (Some(l), Some(h)) if l < h && h <= 64 => {
                let id = self.out.b.extract(n.id, l as u8, (h - l) as u8);
                Ok(Value::Num(self.node(id, ones((h - l) as u32))))
            }
            _ => Err(Error::new(
                lo.place,
                "a range of bits needs two known numbers, the lower first, at most 64",
                "write `value[lo..hi]`",
            )),
        }
    }
}
