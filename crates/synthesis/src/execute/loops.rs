//! Loops: over ranges, bits, buffers and cells that came back; unrolled when facts decide them.

use super::*;

impl<'a> Specialiser<'a, '_> {
    pub fn in_loop<T>(
        &mut self,
        exit: Exit,
        run: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let before = self
            .entry
            .frames
            .last_mut()
            .and_then(|f| f.loop_exit.replace(exit));
        let outcome = run(self);
        if let Some(f) = self.entry.frames.last_mut() {
            f.loop_exit = before;
        }
        outcome
    }

    /// A run-time loop: `body` runs at most `most` times. Gives the node that says whether the bound was met.
    pub fn looped(
        &mut self,
        most: Num<'a>,
        body: impl FnOnce(&mut Self, Exit) -> Result<Flow>,
    ) -> Result<Num<'a>> {
        let scope = self.entry.scopes.len();
        let turn = self.entry.taken.turn();
        let (region, flow) = self.leavable(None, |s, exit| {
            s.in_loop(exit, |s| s.arm(|s| body(s, exit)))
        })?;
        self.entry.taken.turned(turn);
        self.entry.scopes.truncate(scope);
        if flow == Flow::Return {
            return Err(Error::new(
                Place::default(),
                "a loop that always returns",
                "take the loop away",
            ));
        }
        let id = self.out.b.step(Op::Loop {
            most: most.id,
            body: region,
        });
        Ok(self.node(id, 1))
    }

    /// Ends a loop unless the condition holds.
    pub fn go_on_if(&mut self, c: Num<'a>, exit: Exit, place: Place) -> Result<Flow> {
        self.branch(c, |_| Ok(Flow::Next), |s| s.jump(exit, place))
    }

    pub(super) fn while_loop(
        &mut self,
        test: &'a Expr,
        most: &'a Expr,
        body: &'a [Stmt],
    ) -> Result<Flow> {
        let bound = self.exact_number(most)?;
        if self.is_live() {
            let Some(times) = self.known_now(bound.id) else {
                self.told_unknown()?;
                return Ok(Flow::Next);
            };
            return self.unrolled(test.place, |s, _| {
                for _ in 0..times {
                    let c = s.condition(test)?;
                    if s.out.b.known(c.id) == Some(0) {
                        break;
                    }
                    let flow = s.block(body)?;
                    if flow != Flow::Next {
                        return Ok(flow);
                    }
                }
                Ok(Flow::Next)
            });
        }
        let bounded = self.looped(bound, |s, exit| {
            let c = s.condition(test)?;
            if s.go_on_if(c, exit, test.place)? == Flow::Ended {
                return Ok(Flow::Ended);
            }
            s.block(body)
        })?;
        if let Some(slot) = self.mode.again() {
            let before = self.out.b.step(Op::Local(slot));
            let now = self.out.b.bin(BinOp::Or, before, bounded.id);
            self.out.b.step(Op::SetLocal(slot, now));
        }
        Ok(Flow::Next)
    }

    /// Runs `each` with 0, 1, … up to but not including `count`.
    pub fn counted(
        &mut self,
        count: Num<'a>,
        place: Place,
        mut each: impl FnMut(&mut Self, Num<'a>) -> Result<()>,
    ) -> Result<()> {
        if let Some(n) = self.out.b.known(count.id) {
            if self.is_live() || n <= 4 {
                for k in 0..n {
                    self.tick(place)?;
                    let turn = self.entry.taken.turn();
                    let k = self.constant(k);
                    each(self, k)?;
                    self.entry.taken.turned(turn);
                }
                return Ok(());
            }
        }
        let slot = self.out.b.new_local();
        let zero = self.out.b.constant(0);
        self.out.b.step(Op::SetLocal(slot, zero));
        self.looped(count, |s, _| {
            let id = s.out.b.step(Op::Local(slot));
            let k = s.node(id, count.most.saturating_sub(1));
            let next = s.plus(k, 1);
            s.out.b.step(Op::SetLocal(slot, next.id));
            each(s, k)?;
            Ok(Flow::Next)
        })?;
        Ok(())
    }

    pub(super) fn for_loop(
        &mut self,
        names: &'a [Name],
        set: &'a Expr,
        most: Option<&'a Expr>,
        body: &'a [Stmt],
        place: Place,
    ) -> Result<Flow> {
        let values: Vec<Value<'a>> = match self.value(set)? {
            Value::Range(lo, hi) => {
                let mut count = self.length(lo, hi);
                if let Some(most) = most {
                    let bound = self.exact_number(most)?;
                    let id = self.out.b.bin(BinOp::Min, count.id, bound.id);
                    count = self.node(id, count.most.min(bound.most));
                }
                match self.out.b.known(count.id) {
                    Some(n) if self.is_live() || n <= 4 => {
                        (0..n).map(|k| Value::Num(self.plus(lo, k))).collect()
                    }
                    None if most.is_none() => {
                        return Err(Error::new(
                            place,
                            "the loop's end is not known: it needs a bound",
                            "add `at most N`",
                        ));
                    }
                    _ => return self.for_range(names, lo, count, body),
                }
            }
            Value::Buffers(mut list) => {
                let end = list.len();
                for (k, buffer) in list.iter_mut().enumerate() {
                    buffer.last = k + 1 == end;
                }
                if let Some(most) = most {
                    let most = self.fact_number(self.here(), most)?;
                    if list.len() as u64 > most {
                        return Err(Error::new(
                            place,
                            format!("{} buffers, and the rule takes at most {most}", list.len()),
                            "raise the bound of the loop and of its slots",
                        ));
                    }
                }
                list.into_iter().map(Value::Piece).collect()
            }
            Value::List(list) => list,
            Value::Each(i, each) => return self.for_each(names, i, each, body, place),
            Value::SetBits(mask) => return self.for_bits(names, mask, body, place),
            Value::Back(i, ring) => return self.for_back(names, i, ring, body, place),
            _ => {
                return Err(Error::new(
                    set.place,
                    "a loop runs over a range, bits, a list, buffers or `back RING`",
                    "write `for k in 0..n at most N`",
                ))
            }
        };
        self.unrolled(place, |s, _| {
            for (k, v) in values.into_iter().enumerate() {
                let (scope, turn) = (s.entry.scopes.len(), s.entry.taken.turn());
                s.bind(names[0], v);
                if let Some(second) = names.get(1) {
                    let k = s.constant(k as u64);
                    s.entry
                        .scopes
                        .push((*second, Binding::Value(Value::Num(k))));
                }
                let flow = s.block(body)?;
                s.entry.scopes.truncate(scope);
                s.entry.taken.turned(turn);
                if flow != Flow::Next {
                    return Ok(flow);
                }
            }
            Ok(Flow::Next)
        })
    }

    /// How many numbers `lo..hi` has: none, where it ends before it begins.
    fn length(&mut self, lo: Num<'a>, hi: Num<'a>) -> Num<'a> {
        let id = self.out.b.bin(BinOp::Sub, hi.id, lo.id);
        if self.not_above(lo, hi) {
            return self.node(id, hi.most);
        }
        let ends = self.out.b.bin(BinOp::Lt, hi.id, lo.id);
        let none = self.out.b.constant(0);
        let id = self.out.b.select(ends, none, id);
        self.node(id, hi.most)
    }

    fn for_range(
        &mut self,
        names: &'a [Name],
        lo: Num<'a>,
        count: Num<'a>,
        body: &'a [Stmt],
    ) -> Result<Flow> {
        let slot = self.out.b.new_local();
        let zero = self.out.b.constant(0);
        self.out.b.step(Op::SetLocal(slot, zero));
        self.looped(count, |s, _| {
            let id = s.out.b.step(Op::Local(slot));
            let k = s.node(id, count.most.saturating_sub(1));
            s.entry.proved.at_most(id, k.most);
            let next = s.plus(k, 1);
            s.out.b.step(Op::SetLocal(slot, next.id));
            let value = s.sum(lo, k);
            s.bind(names[0], Value::Num(value));
            s.block(body)
        })?;
        Ok(Flow::Next)
    }

    /// The set bits of a mask, from the lowest.
    pub(super) fn for_bits(
        &mut self,
        names: &'a [Name],
        mask: Num<'a>,
        body: &'a [Stmt],
        place: Place,
    ) -> Result<Flow> {
        if let Some(mut m) = self.out.b.known(mask.id) {
            return self.unrolled(place, |s, _| {
                while m != 0 {
                    let k = s.constant(m.trailing_zeros() as u64);
                    m &= m - 1;
                    let (scope, turn) = (s.entry.scopes.len(), s.entry.taken.turn());
                    s.bind(names[0], Value::Num(k));
                    let flow = s.block(body)?;
                    s.entry.scopes.truncate(scope);
                    s.entry.taken.turned(turn);
                    if flow != Flow::Next {
                        return Ok(flow);
                    }
                }
                Ok(Flow::Next)
            });
        }
        let slot = self.out.b.new_local();
        self.out.b.step(Op::SetLocal(slot, mask.id));
        let bound = self.constant(64);
        self.looped(bound, |s, exit| {
            let left = s.out.b.step(Op::Local(slot));
            let left = s.node(left, mask.most);
            let some = s.truth(left);
            s.go_on_if(some, exit, place)?;
            let one = s.out.b.constant(1);
            let less = s.out.b.bin(BinOp::Sub, left.id, one);
            let rest = s.out.b.bin(BinOp::And, left.id, less);
            s.out.b.step(Op::SetLocal(slot, rest));
            let k = s.out.b.lowest_bit(left.id);
            let k = s.node(k, 63 - mask.most.leading_zeros().min(63) as u64);
            s.bind(names[0], Value::Num(k));
            s.block(body)
        })?;
        Ok(Flow::Next)
    }

    pub(super) fn for_back(
        &mut self,
        names: &'a [Name],
        i: InstanceId,
        ring: Name,
        body: &'a [Stmt],
        place: Place,
    ) -> Result<Flow> {
        let n = self.ring_count(i, ring, place)?;
        let bound = self.constant(n);
        let in_memory = self.ring_cells(i, ring, place).is_ok();
        let round = |s: &mut Self, exit: Exit| {
            let cell = s.ring_cell(i, ring, place)?;
            let c = s.is_back_with(i, ring, cell.clone(), place)?;
            match s.is_live() {
                true if s.out.b.known(c.id) == Some(0) => return Ok(Flow::Break),
                true => {}
                false => {
                    s.go_on_if(c, exit, place)?;
                }
            }
            // What else is in the cell, or where it leads, was stored before the mark that says it is back.
            if in_memory {
                s.fence(graph::Fence::Acquire);
            }
            let (index, kept) = s.ring_advance(i, ring, place)?;
            s.entry
                .scopes
                .push((names[0], Binding::Value(Value::Num(index))));
            if let Some(second) = names.get(1) {
                s.entry
                    .scopes
                    .push((*second, Binding::Value(Value::Num(kept))));
            }
            if let Some(third) = names.get(2) {
                s.entry.scopes.push((*third, Binding::Value(cell)));
            }
            s.block(body)
        };
        if !self.is_live() {
            self.looped(bound, round)?;
            return Ok(Flow::Next);
        }
        self.unrolled(place, |s, exit| {
            for _ in 0..n {
                let scope = s.entry.scopes.len();
                let flow = round(s, exit)?;
                s.entry.scopes.truncate(scope);
                if flow != Flow::Next {
                    return Ok(flow);
                }
            }
            Ok(Flow::Next)
        })
    }
}
