//! Views: the instance for one position of a bank, and its memory.

use super::facts::NUMBER;
use super::*;
use graph::BinOp;

impl<'a> Specialiser<'a, '_> {
    /// The instance of the `each` of `i` for one of a bank's members.
    pub fn view(&mut self, i: InstanceId, bank: usize, member: Num<'a>) -> Result<InstanceId> {
        let position = self.position(i, bank, member);
        let mut seen = self.rules.banks[bank].views.iter();
        if let Some((_, view)) = seen.find(|(id, _)| *id == position.id) {
            return Ok(*view);
        }
        let (name, item) = (self.rules.banks[bank].name, self.rules.banks[bank].item);
        let ItemKind::Each { items, .. } = &item.kind else {
            return Ok(i);
        };
        let number = self.member_number(bank, member)?;
        let (prefix, text) = (self.prefix(i), self.text(name));
        let label = match self.out.b.known(number.id) {
            Some(member) => format!("{prefix}{text}[{member}]"),
            None => {
                let label = format!("{}.{NUMBER}", self.rules.banks[bank].path);
                self.rules.folding.note_load(number.id, label);
                format!("{prefix}{text}[*]")
            }
        };
        let rule = self.rules.instances[i].rule;
        let id = self.instantiate(label, rule, items, Some(i), Some((bank, position)))?;
        self.rules.instances[id]
            .parameters
            .push((name, Value::Num(number)));
        self.rules.instances[id].upper = self.rules.instances[i].upper;
        self.rules.banks[bank].views.push((position.id, id));
        self.use_parts(id)?;
        Ok(id)
    }

    /// The instance at a position, which counts through the instances around the bank.
    pub fn view_at(&mut self, bank: usize, position: Num<'a>) -> Result<InstanceId> {
        let (around, inner) = match &self.rules.banks[bank].owner {
            Owner::One(i) => return self.view(*i, bank, position),
            Owner::In(around, inner) => (*around, inner.clone()),
        };
        let count = self.rules.banks[bank].members.len() as u64;
        let (outer, member) = match (count, self.rules.banks[around].count()) {
            (1, _) => (position, self.constant(0)),
            (_, 1) => (self.constant(0), position),
            (_, outer) => {
                let by = self.out.b.constant(count);
                let place = self.out.b.bin(BinOp::Div, position.id, by);
                let member = self.out.b.bin(BinOp::Rem, position.id, by);
                (self.node(place, outer - 1), self.node(member, count - 1))
            }
        };
        let view = self.view_at(around, outer)?;
        let owner = self.inside(view, &inner);
        self.view(owner, bank, member)
    }

    /// Where a member of the `each` of `i` stands in the bank.
    fn position(&mut self, i: InstanceId, bank: usize, member: Num<'a>) -> Num<'a> {
        let around = match &self.rules.banks[bank].owner {
            Owner::One(_) => None,
            Owner::In(..) => self.rules.instances[i].bank,
        };
        match (around, self.rules.banks[bank].members.len() as u64) {
            (None, _) => member,
            (Some((_, outer)), 1) => outer,
            (Some((_, outer)), count) => {
                let from = self.times(outer, count);
                self.sum(from, member)
            }
        }
    }

    /// The number in the set of a member.
    fn member_number(&mut self, bank: usize, member: Num<'a>) -> Result<Num<'a>> {
        let members = self.rules.banks[bank].members.clone();
        let none = || {
            Error::new(
                self.rules.banks[bank].item.place,
                format!(
                    "there is no such `{}`",
                    self.text(self.rules.banks[bank].name)
                ),
                "ask for instances that there are",
            )
        };
        if let Some(at) = self.out.b.known(member.id) {
            let number = members.get(at as usize).copied().ok_or_else(none)?;
            return Ok(self.constant(number));
        }
        let first = members.first().copied().ok_or_else(none)?;
        let last = members.iter().copied().max().ok_or_else(none)?;
        if is_row(&members) {
            return Ok(self.plus(member, first));
        }
        let mut id = self.out.b.constant(last);
        for (k, number) in members.iter().enumerate().rev() {
            let (at, value) = (self.out.b.constant(k as u64), self.out.b.constant(*number));
            let here = self.out.b.bin(BinOp::Eq, member.id, at);
            id = self.out.b.select(here, value, id);
        }
        Ok(self.node(id, last))
    }

    /// `p[k]`: k is a number in the set.
    pub fn member_of_each(
        &mut self,
        i: InstanceId,
        name: Name,
        k: Num<'a>,
        place: Place,
    ) -> Result<InstanceId> {
        let banks = self.banks_of(i, name, place)?;
        let text = self.text(name);
        if let Some(member) = self.out.b.known(k.id) {
            for b in banks {
                let at = self.rules.banks[b]
                    .members
                    .iter()
                    .position(|m| *m == member);
                if let Some(at) = at {
                    let at = self.constant(at as u64);
                    return self.view(i, b, at);
                }
            }
            return Err(Error::new(
                place,
                format!("there is no `{text}[{member}]`"),
                format!("loop over those there are: `for x in {text}`"),
            ));
        }
        let [bank] = banks[..] else {
            return Err(Error::new(
                place,
                format!("facts tell the instances of `{text}` apart, so that a number cannot choose one at run time"),
                format!("loop over them: `for x in {text}`"),
            ));
        };
        let members = &self.rules.banks[bank].members;
        let Some(first) = members.first().copied() else {
            return Err(Error::new(
                place,
                format!("there is no `{text}` at all"),
                format!("loop over those there are: `for x in {text}`"),
            ));
        };
        let count = members.len() as u64;
        let row = is_row(members);
        let from = self.out.b.constant(first);
        let id = self.out.b.bin(BinOp::Sub, k.id, from);
        let member = if first == 0 {
            k
        } else if self.least(k) >= first {
            self.node(id, k.most.saturating_sub(first))
        } else {
            self.node(id, u64::MAX)
        };
        if !row || member.most >= count {
            return Err(Error::new(
                place,
                format!(
                    "the number can be {}, and `{text}` has {first}..{}",
                    crate::place::bound_text(k.most),
                    first + count
                ),
                format!("check it first, or loop over them: `for x in {text}`"),
            ));
        }
        self.view(i, bank, member)
    }

    /// The label of an instance behind that of the view it belongs to: empty, or `io`.
    pub(super) fn path_in_view(&self, id: InstanceId) -> &str {
        let label = &self.rules.instances[id].label;
        let rest = label.rsplit_once(']').map_or("", |(_, rest)| rest);
        rest.strip_prefix('.').unwrap_or(rest)
    }

    /// The view that an instance is a part of, or itself.
    pub(super) fn view_of(&self, id: InstanceId) -> InstanceId {
        let mut at = id;
        while !self.path_in_view(at).is_empty() {
            match self.rules.instances[at].upper {
                Some((upper, _)) => at = upper,
                None => break,
            }
        }
        at
    }

    /// Memory of a name, for the instance at hand.
    pub fn banked(
        &mut self,
        id: InstanceId,
        name: Name,
        bank: usize,
        position: Num<'a>,
        make: impl FnOnce(&mut Self) -> Result<Spot<'a>>,
    ) -> Result<Spot<'a>> {
        let path = self.path_in_view(id).to_string();
        let known = self.rules.banks[bank]
            .storage
            .iter()
            .position(|s| s.name == name && s.path == path);
        let at = match known {
            Some(at) => at,
            None => {
                self.out.room.copy(self.rules.banks[bank].count());
                let spot = make(self);
                let stride = self.out.room.copied();
                let spot = spot?;
                self.rules.banks[bank].storage.push(Stored {
                    path,
                    name,
                    spot,
                    stride,
                });
                self.rules.banks[bank].storage.len() - 1
            }
        };
        let (spot, stride) = {
            let stored = &self.rules.banks[bank].storage[at];
            (stored.spot.clone(), stored.stride)
        };
        let offset = self.times(position, stride);
        let at = self.sum(spot.at, offset);
        Ok(Spot { at, ..spot })
    }
}

/// Whether numbers follow one another.
fn is_row(members: &[u64]) -> bool {
    let next = members.iter().zip(members.iter().skip(1));
    next.into_iter().all(|(a, b)| a.checked_add(1) == Some(*b))
}
