//! Going through instances: all of an `each`, all of their like, or the one that a number chooses.

use super::*;
use crate::execute::Flow;
use crate::exits::Exit;
use crate::instance::Binding;
use graph::BinOp;
use rulebook::tree::Stmt;

/// What is done with an instance.
pub type Work<'w, 'a, 'l> = dyn FnMut(&mut Specialiser<'a, 'l>, InstanceId) -> Result<Flow> + 'w;

impl<'a, 'l> Specialiser<'a, 'l> {
    /// Runs `each` for every member of an `each`, in the order of its set: in a loop for those that share their code and
    /// follow one another, once for a member alone.
    pub fn for_views(
        &mut self,
        i: InstanceId,
        name: Name,
        place: Place,
        each: &mut Work<'_, 'a, 'l>,
    ) -> Result<Flow> {
        let banks = self.banks_of(i, name, place)?;
        if let ([bank], false) = (&banks[..], self.is_live()) {
            if self.rules.banks[*bank].members.len() > 1 {
                self.for_bank(i, *bank, None, each)?;
                return Ok(Flow::Next);
            }
        }
        // `stop` ends all of it, whichever bank it stands in.
        let all = self.in_order(&banks);
        // One bank after the other.
        let apart = all.is_sorted_by_key(|(bank, _)| *bank);
        self.unrolled(place, |s, exit| {
            for (bank, k) in all {
                let several = s.rules.banks[bank].members.len() > 1;
                if several && apart && !s.is_live() {
                    if k == 0 {
                        s.for_bank(i, bank, Some(exit), each)?;
                    }
                    continue;
                }
                if !s.is_member(bank, k as u64) {
                    continue;
                }
                let member = s.constant(k as u64);
                let view = s.view(i, bank, member)?;
                let turn = s.entry.taken.turn();
                let flow = each(s, view)?;
                s.entry.taken.turned(turn);
                if flow != Flow::Next {
                    return Ok(flow);
                }
            }
            Ok(Flow::Next)
        })
    }

    /// The same for the members of one bank, which are several. `stop` inside goes to `exit`, or else ends this loop.
    fn for_bank(
        &mut self,
        i: InstanceId,
        bank: usize,
        exit: Option<Exit>,
        each: &mut Work<'_, 'a, 'l>,
    ) -> Result<()> {
        let count = self.rules.banks[bank].members.len() as u64;
        let slot = self.out.b.new_local();
        let zero = self.out.b.constant(0);
        self.out.b.step(Op::SetLocal(slot, zero));
        let count = self.constant(count);
        self.looped(count, |s, _| {
            let id = s.out.b.step(Op::Local(slot));
            s.entry.proved.at_most(id, count.most - 1);
            let member = s.node(id, count.most - 1);
            let next = s.plus(member, 1);
            s.out.b.step(Op::SetLocal(slot, next.id));
            let view = s.view(i, bank, member)?;
            match exit {
                Some(exit) => s.in_loop(exit, |s| each(s, view)),
                None => each(s, view),
            }
        })?;
        Ok(())
    }

    /// Runs `work` for every instance like this one: the same part of the same `each`, for all members around it that
    /// are not known.
    pub fn for_alike(&mut self, i: InstanceId, work: &mut Work<'_, 'a, 'l>) -> Result<Flow> {
        let bank = match self.rules.instances[i].bank {
            Some((bank, position)) if self.out.b.known(position.id).is_none() => bank,
            _ => return work(self, i),
        };
        let path = self.path_in_view(i).to_string();
        let view = self.view_of(i);
        let Some(around) = self.rules.instances[view].lower else {
            return work(self, i);
        };
        let known = match self.rules.instances[view].parameters.first() {
            Some((_, Value::Num(number))) => self.out.b.known(number.id),
            _ => None,
        };
        let members = &self.rules.banks[bank].members;
        let member = known.and_then(|number| members.iter().position(|m| *m == number));
        self.for_alike(around, &mut |s, around| {
            let mut run = |s: &mut Self, view: InstanceId| {
                let at = s.inside(view, &path);
                work(s, at)
            };
            let Some(member) = member else {
                s.for_bank(around, bank, None, &mut run)?;
                return Ok(Flow::Next);
            };
            let member = s.constant(member as u64);
            let view = s.view(around, bank, member)?;
            run(s, view)
        })
    }

    /// In the first run: whether the filter kept it.
    pub(super) fn is_member(&self, bank: usize, member: u64) -> bool {
        !self.mode.dropped(bank, member)
    }

    /// `for x in p`
    pub fn for_each(
        &mut self,
        names: &'a [Name],
        i: InstanceId,
        name: Name,
        body: &'a [Stmt],
        place: Place,
    ) -> Result<Flow> {
        self.for_views(i, name, place, &mut |s, view| {
            let scope = s.entry.scopes.len();
            let binding = Binding::Value(Value::Instance(view));
            s.entry.scopes.push((names[0], binding));
            let flow = s.block(body);
            s.entry.scopes.truncate(scope);
            flow
        })
    }

    /// All instances of an instance and of its parts, and those inside them, whose `each` has such an item.
    pub fn for_all_inside(
        &mut self,
        i: InstanceId,
        wanted: &dyn Fn(&ItemKind) -> bool,
        work: &mut Work<'_, 'a, 'l>,
    ) -> Result<Flow> {
        for (owner, name, item) in self.eaches_of(i) {
            if !self.has_inside(owner, item, wanted) {
                continue;
            }
            let inner = self.has_inside(owner, item, &|k| matches!(k, ItemKind::Each { .. }));
            let mut run = |s: &mut Self, view: InstanceId| match work(s, view)? {
                Flow::Next if inner => s.for_all_inside(view, wanted, work),
                flow => Ok(flow),
            };
            // What belongs to another CPU is that one's business.
            if self.per_cpu(item) {
                let view = self.at_work(owner, name, item.place)?;
                run(self, view)?;
            } else {
                self.for_views(owner, name, item.place, &mut run)?;
            }
        }
        Ok(Flow::Next)
    }

    /// Runs `work` for the instance that a number among all in these banks names; the number is below their count.
    pub fn for_unit(
        &mut self,
        banks: &[usize],
        unit: Num<'a>,
        work: &mut Work<'_, 'a, 'l>,
    ) -> Result<Flow> {
        self.among(banks, 0, unit, work)
    }

    fn among(
        &mut self,
        banks: &[usize],
        first: u64,
        unit: Num<'a>,
        work: &mut Work<'_, 'a, 'l>,
    ) -> Result<Flow> {
        let Some((bank, rest)) = banks.split_first() else {
            return Ok(Flow::Next);
        };
        let count = self.rules.banks[*bank].count();
        if count == 0 {
            return self.among(rest, first, unit, work);
        }
        if rest.is_empty() {
            return self.unit_of(*bank, first, unit, work);
        }
        let end = self.out.b.constant(first + count);
        let id = self.out.b.bin(BinOp::Lt, unit.id, end);
        let mine = self.node(id, 1);
        let scope = self.entry.scopes.len();
        if let Some(known) = self.out.b.known(mine.id) {
            return match known {
                0 => self.among(rest, first + count, unit, work),
                _ => self.unit_of(*bank, first, unit, work),
            };
        }
        let before = self.entry.taken.maybe();
        self.region_open();
        let a = self.unit_of(*bank, first, unit, work)?;
        self.entry.scopes.truncate(scope);
        let yes = self.region_close();
        let left = self.entry.taken.other_side(before);
        self.region_open();
        let b = self.among(rest, first + count, unit, work)?;
        self.entry.scopes.truncate(scope);
        let no = self.region_close();
        self.entry.taken.join(left);
        self.out.b.step(Op::If {
            cond: mine.id,
            yes,
            no,
        });
        Ok(if a != Flow::Next && b != Flow::Next {
            Flow::Ended
        } else {
            Flow::Next
        })
    }

    fn unit_of(
        &mut self,
        bank: usize,
        first: u64,
        unit: Num<'a>,
        work: &mut Work<'_, 'a, 'l>,
    ) -> Result<Flow> {
        let count = self.rules.banks[bank].count();
        let position = if count == 1 {
            self.constant(0)
        } else {
            // The caller gives a number below the count; that it cannot be more is plain in the code, too.
            let from = self.out.b.constant(first);
            let at = self.out.b.bin(BinOp::Sub, unit.id, from);
            let top = self.out.b.constant(count - 1);
            let id = self.out.b.bin(BinOp::Min, at, top);
            self.node(id, count - 1)
        };
        let view = self.view_at(bank, position)?;
        let flow = work(self, view)?;
        if self.entry.cut.take().is_some() {
            return Ok(Flow::Ended);
        }
        Ok(flow)
    }
}
