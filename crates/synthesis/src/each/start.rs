//! Instances come up: what their states begin as, which of them there are, their own `init`.

use super::*;
use crate::execute::Flow;
use abi::status;

impl<'a> Specialiser<'a, '_> {
    /// The instances of an instance and of its parts come up: the filter, then their own `init`, then those inside them.
    /// In the first run the filter decides; later it must say the same of those that are there.
    pub fn start_eaches(&mut self, i: InstanceId) -> Result<Flow> {
        for (owner, name, item) in self.eaches_of(i) {
            if !self.comes_up(owner, item) {
                continue;
            }
            let flow = if self.per_cpu(item) {
                let view = self.at_work(owner, name, item.place)?;
                self.start_view(view, item)?
            } else {
                let start = &mut |s: &mut Self, view| s.start_view(view, item);
                self.for_views(owner, name, item.place, start)?
            };
            let filtered = matches!(
                item.kind,
                ItemKind::Each {
                    filter: Some(_),
                    ..
                }
            );
            if self.is_live() && !self.mode.has_ended() && filtered {
                self.learn_members(owner, name, item.place)?;
            }
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    /// Whether instances of an `each` have anything to do when they come up.
    pub(super) fn comes_up(&self, owner: InstanceId, item: &'a Item) -> bool {
        let more = |k: &ItemKind| begins(k) || matches!(k, ItemKind::Each { .. });
        let filtered = matches!(
            item.kind,
            ItemKind::Each {
                filter: Some(_),
                ..
            }
        );
        filtered || self.own_init(item).is_some() || self.has_inside(owner, item, &more)
    }

    fn own_init(&self, item: &Item) -> Option<Name> {
        let ItemKind::Each { items, .. } = &item.kind else {
            return None;
        };
        items.iter().find_map(|inner| match &inner.kind {
            ItemKind::Routine(r) if self.text(r.name) == "init" => Some(r.name),
            _ => None,
        })
    }

    pub(super) fn start_view(&mut self, view: InstanceId, item: &'a Item) -> Result<Flow> {
        self.begin_states(view)?;
        if let ItemKind::Each {
            filter: Some(filter),
            ..
        } = &item.kind
        {
            if self.filter_says(view, *filter, item.place)? == Flow::Ended {
                return Ok(Flow::Ended);
            }
            if self.was_dropped(view) {
                return Ok(Flow::Next);
            }
        }
        if let Some(init) = self.own_init(item) {
            self.call_routine(view, init, Vec::new(), item.place)?;
        }
        if self.entry.cut.take().is_some() || self.mode.has_ended() {
            return Ok(Flow::Ended);
        }
        self.start_eaches(view)
    }

    /// Whether a state of the instance, or of its parts, begins as something else than 0.
    pub fn has_beginnings(&self, id: InstanceId) -> bool {
        let parts = &self.rules.instances[id].parts;
        self.all_items(id).any(|item| begins(&item.kind))
            || parts.iter().any(|(_, part)| self.has_beginnings(*part))
    }

    /// Sets the states of the instance and of its parts to what they begin as.
    pub fn begin_states(&mut self, id: InstanceId) -> Result<()> {
        for item in self.items(id) {
            let ItemKind::State {
                name,
                value: Some(value),
                ..
            } = &item.kind
            else {
                continue;
            };
            let spot = self.resolve(id, *name, item.place)?;
            let value = self.value_in(id, value);
            if let Value::Spot(spot) = spot {
                self.store(&spot, value?, item.place)?;
            }
        }
        for (_, part) in self.rules.instances[id].parts.clone() {
            self.begin_states(part)?;
        }
        Ok(())
    }

    fn filter_says(&mut self, view: InstanceId, filter: Name, place: Place) -> Result<Flow> {
        let value = self.call_routine(view, filter, Vec::new(), place)?;
        if self.entry.cut.take().is_some() || self.mode.has_ended() {
            return Ok(Flow::Ended);
        }
        let says = self.number_for(value, None, place)?;
        let says = self.exact(says, place)?;
        let says = self.truth(says);
        if self.is_live() {
            if let (Some(0), Some((bank, position))) =
                (self.out.b.known(says.id), self.rules.instances[view].bank)
            {
                if let Some(at) = self.known_now(position.id) {
                    self.mode.drop_member(bank, at);
                }
            }
            return Ok(Flow::Next);
        }
        self.branch(says, |_| Ok(Flow::Next), |s| s.finish(status::CHANGED))
    }

    /// In the first run: whether the filter left this one out.
    fn was_dropped(&self, view: InstanceId) -> bool {
        let Some((bank, position)) = self.rules.instances[view].bank else {
            return false;
        };
        let position = self.out.b.known(position.id);
        self.is_live() && position.is_some_and(|at| !self.is_member(bank, at))
    }

    fn learn_members(&mut self, i: InstanceId, name: Name, place: Place) -> Result<()> {
        let mut list = Vec::new();
        for bank in self.banks_of(i, name, place)? {
            for (k, member) in self.rules.banks[bank].members.iter().enumerate() {
                if self.is_member(bank, k as u64) {
                    list.push(*member);
                }
            }
        }
        let name = format!("{}{}", self.prefix(i), self.text(name));
        self.mode.learn(machine::Fact {
            name,
            value: machine::Value::Numbers(list),
            source: machine::Source::Learned,
        });
        Ok(())
    }
}

/// A state that says what it begins as.
fn begins(item: &ItemKind) -> bool {
    matches!(item, ItemKind::State { value: Some(_), .. })
}
