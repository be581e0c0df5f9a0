//! Names: bound here, of the instance, of what it stands on, of the bus.

use super::*;

impl<'a> Specialiser<'a, '_> {
    pub(super) fn name(&mut self, n: Name, place: Place) -> Result<Value<'a>> {
        let from = self.entry.frames.last().map_or(0, |f| f.scope);
        if let Some((_, binding)) = self.entry.scopes[from..]
            .iter()
            .rev()
            .find(|(name, _)| *name == n)
        {
            return Ok(match binding.clone() {
                Binding::Value(Value::Num(n)) => Value::Num(Num {
                    most: self.node(n.id, n.most).most,
                    ..n
                }),
                Binding::Value(v) => v,
                Binding::Local { slot, most } => {
                    let id = self.out.b.step(Op::Local(slot));
                    Value::Num(self.node(id, most))
                }
            });
        }
        self.resolve(self.here(), n, place)
    }

    /// A name as the instance sees it: its own, its class's, what it stands on, the bus.
    pub fn resolve(&mut self, id: InstanceId, n: Name, place: Place) -> Result<Value<'a>> {
        let mut at = Some(id);
        while let Some(i) = at {
            if let Some(v) = self.own(i, n, place)? {
                return Ok(v);
            }
            at = self.rules.instances[i].lower;
        }
        if let Some(v) = self.bus_name(n, place)? {
            return Ok(v);
        }
        if self.is_builtin(n) {
            return Ok(Value::Builtin);
        }
        Err(Error::new(
            place,
            format!("`{}` is not known here", self.text(n)),
            "if it is learned, learn it before this line; else check the spelling",
        ))
    }

    pub fn own(&mut self, i: InstanceId, n: Name, place: Place) -> Result<Option<Value<'a>>> {
        let instance = &self.rules.instances[i];
        if let Some((_, v)) = instance.parameters.iter().find(|(name, _)| *name == n) {
            return Ok(Some(v.clone()));
        }
        if instance.eaches.iter().any(|(name, _)| *name == n) {
            return Ok(Some(Value::Each(i, n)));
        }
        if let Some((_, v)) = instance.facts.iter().rev().find(|(name, _)| *name == n) {
            return Ok(Some(v.clone()));
        }
        if let Some(v) = self.recorded(i, n) {
            return Ok(Some(Value::Num(v)));
        }
        let instance = &self.rules.instances[i];
        if let Some((_, part)) = instance.parts.iter().find(|(name, _)| *name == n) {
            return Ok(Some(Value::Instance(*part)));
        }
        // A rule that names a fact of its class without a value learns it: the class's default does not hold.
        let learned = self.rules.instances[i].rule.items.iter().any(
            |item| matches!(&item.kind, ItemKind::Fact { name, value: None, .. } if *name == n),
        );
        let item = self.find_item(i, |k| match k {
            ItemKind::Reg(r) => r.name == n && r.at.is_some(),
            ItemKind::Space(s) => s.name == n && s.value.is_some(),
            ItemKind::Fact { name, value, .. } => *name == n && value.is_some() && !learned,
            ItemKind::Bits { name, .. }
            | ItemKind::State { name, .. }
            | ItemKind::Ring { name, .. }
            | ItemKind::Slots { name, .. } => *name == n,
            ItemKind::Arena(a) => a.name == n,
            ItemKind::Routine(r) => r.name == n && r.body.is_some(),
            _ => false,
        });
        let Some(item) = item else {
            let indexed = self.rules.instances[i]
                .indexed
                .iter()
                .any(|(name, _, _)| *name == n);
            if indexed {
                return Ok(Some(Value::Callable(i, n)));
            }
            return self.own_of_lane(i, n, place);
        };
        Ok(Some(match &item.kind {
            ItemKind::Reg(r) => Value::Register(self.register(i, r, place)),
            ItemKind::Space(s) => Value::Space(i, s.name, None),
            ItemKind::Fact {
                parameters,
                value: Some(value),
                ..
            } => {
                if !parameters.is_empty() {
                    Value::Callable(i, n)
                } else {
                    self.enter(i, Vec::new());
                    let v = self.value(value).and_then(|v| self.settle(v, place));
                    self.leave();
                    let v = self.typed_fact(i, n, v?);
                    // A fact that rests on no device access is the same every time.
                    if self.as_fact(&v).is_some() && self.mode.keeps() {
                        self.rules.instances[i].facts.push((n, v.clone()));
                    }
                    v
                }
            }
            ItemKind::Bits { .. } => Value::BitSet(Bits::Named(i, n)),
            ItemKind::State { kind, .. } => Value::Spot(self.memory(i, n, |s| {
                let kind = s.kind(i, kind, item.place)?;
                Ok(s.state_spot(kind))
            })?),
            ItemKind::Arena(a) => Value::Spot(self.arena(i, item, a)?),
            ItemKind::Ring { .. } => Value::Ring(i, n),
            ItemKind::Slots { .. } => Value::Slots(i, n),
            _ => Value::Callable(i, n),
        }))
    }
}
