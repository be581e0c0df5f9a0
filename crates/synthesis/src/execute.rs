//! Statements, and the routines they make up.

use crate::instance::{Binding, Exit, InstanceId, Specialiser};
use crate::value::{Bits, Kind, Num, Spot, Value};
use crate::{Error, Result};
use abi::status;
use alloc::{format, string::ToString, vec::Vec};
use graph::{BinOp, Op};
use rulebook::tree::{
    BinaryOp, Event, Expr, ExprKind, ItemKind, Name, Place, Routine, Stmt, StmtKind, TypeBase,
};

/// Where control is after a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Next,
    /// What follows is never reached: a jump was written, or a live run is over.
    Ended,
    /// The routine returns, decided here and now.
    Return,
    /// The loop ends, decided here and now.
    Break,
}

impl<'a> Specialiser<'a, '_> {
    pub fn is_live(&self) -> bool {
        self.live.is_some()
    }

    pub fn block(&mut self, body: &'a [Stmt]) -> Result<Flow> {
        let scope = self.scopes.len();
        let mut flow = Flow::Next;
        for stmt in body {
            flow = self.statement(stmt)?;
            if core::mem::take(&mut self.unreachable) || self.ended.is_some() {
                flow = Flow::Ended;
            }
            if flow != Flow::Next {
                break;
            }
        }
        self.scopes.truncate(scope);
        Ok(flow)
    }

    fn statement(&mut self, s: &'a Stmt) -> Result<Flow> {
        self.tick(s.place)?;
        match &s.kind {
            StmtKind::Let {
                bindings,
                otherwise,
            } => {
                for (name, e) in bindings {
                    let value = self.with_otherwise(otherwise.as_deref(), |s| s.value(e))?;
                    let value = match (&value, &e.kind) {
                        // `let r = { … }` keeps its text; everything the device could change is copied once.
                        (Value::Literal(..), _) => value,
                        _ => self.settle(value, e.place)?,
                    };
                    self.bind(*name, value);
                }
                Ok(Flow::Next)
            }
            StmtKind::Assign {
                target,
                operator,
                value,
                otherwise,
            } => {
                self.with_otherwise(otherwise.as_deref(), |s| s.assign(target, *operator, value))?;
                Ok(Flow::Next)
            }
            StmtKind::Learn(list) => {
                for (target, value) in list {
                    if self.learn(target, value)? == Flow::Ended {
                        return Ok(Flow::Ended);
                    }
                }
                Ok(Flow::Next)
            }
            StmtKind::If { test, yes, no } => {
                let c = self.condition(test)?;
                self.branch(
                    c,
                    |s| {
                        s.narrow(test);
                        s.block(yes)
                    },
                    |s| s.block(no),
                )
            }
            StmtKind::When { test, yes, no } => {
                let holds = self.fact_test(test)?;
                self.block(if holds { yes } else { no })
            }
            StmtKind::Quirk { test, body, .. } => {
                if self.fact_test(test)? {
                    return self.block(body);
                }
                Ok(Flow::Next)
            }
            StmtKind::For {
                names,
                set,
                most,
                body,
            } => self.for_loop(names, set, most.as_ref(), body, s.place),
            StmtKind::While { test, most, body } => self.while_loop(test, most, body),
            StmtKind::Await {
                test,
                within,
                otherwise,
            } => self.wait(test, within, otherwise.as_deref()),
            StmtKind::Pause(time) => {
                let ns = self.number(time)?;
                match self.live.as_mut() {
                    Some(live) => live.pause(self.b.known(ns.id).unwrap_or(0)),
                    None => {
                        self.b.step(Op::Pause(ns.id));
                    }
                }
                Ok(Flow::Next)
            }
            StmtKind::Check { test, otherwise } => {
                let c = self.condition(test)?;
                let flow = self.branch(c, |_| Ok(Flow::Next), |s| s.statement(otherwise))?;
                self.narrow(test);
                Ok(flow)
            }
            StmtKind::Fail(name) => {
                let n = self.failure(*name);
                self.finish(status::FAIL + n)
            }
            StmtKind::Return(value) => self.return_value(value.as_ref()),
            StmtKind::Stop => self.stop(),
            StmtKind::Busy => self.finish(status::BUSY),
            StmtKind::Reset => self.finish(status::RESET),
            StmtKind::Start(call) => {
                self.value(call)?;
                Ok(Flow::Next)
            }
            StmtKind::Up { name, arguments } => {
                self.up(*name, arguments, s.place)?;
                Ok(Flow::Next)
            }
            StmtKind::Publish(what) => {
                if let Value::Ring(i, ring) = self.value(what)? {
                    self.publish_ring(i, ring, s.place)?;
                }
                self.fence(graph::Fence::Publish);
                Ok(Flow::Next)
            }
            StmtKind::Acquire(_) => {
                self.fence(graph::Fence::Acquire);
                Ok(Flow::Next)
            }
            StmtKind::Fence => {
                self.fence(graph::Fence::Full);
                Ok(Flow::Next)
            }
            StmtKind::Claim(test) => {
                let c = self.condition(test)?;
                self.branch(c, |_| Ok(Flow::Next), |s| s.finish(status::NOT_MINE))
            }
            StmtKind::Gone(test) => {
                let c = self.condition(test)?;
                self.branch(c, |s| s.finish(status::GONE), |_| Ok(Flow::Next))
            }
            StmtKind::Then(body) => {
                let here = self.here();
                match self.tails.as_mut() {
                    Some(tails) => {
                        if !tails
                            .iter()
                            .any(|(i, b)| *i == here && core::ptr::eq(b.as_ptr(), body.as_ptr()))
                        {
                            tails.push((here, body));
                        }
                        Ok(Flow::Next)
                    }
                    None => self.block(body),
                }
            }
            StmtKind::Lend {
                ring,
                cell,
                keep,
                otherwise,
            } => {
                self.with_otherwise(otherwise.as_deref(), |s| {
                    s.lend(ring, cell.as_ref(), keep.as_ref(), ring.place)
                })?;
                Ok(Flow::Next)
            }
            StmtKind::Attach { .. } | StmtKind::Detach(_) => Err(Error::new(
                s.place,
                "children that come and go cannot be specialised yet",
                "write the devices behind this one as rules on it",
            )),
            StmtKind::Do { call, otherwise } => {
                self.with_otherwise(otherwise.as_deref(), |s| s.value(call))?;
                Ok(Flow::Next)
            }
        }
    }

    /// What to do when something inside cannot be had.
    fn with_otherwise<T>(
        &mut self,
        otherwise: Option<&'a Stmt>,
        run: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let before = core::mem::replace(&mut self.otherwise, otherwise);
        let outcome = run(self);
        self.otherwise = before;
        outcome
    }

    /// `if cannot { otherwise }`: busy when nothing else was said.
    pub fn unless_had(&mut self, had: Num<'a>) -> Result<()> {
        let otherwise = self.otherwise.take();
        let flow = self.branch(
            had,
            |_| Ok(Flow::Next),
            |s| match otherwise {
                Some(stmt) => s.statement(stmt),
                None => s.finish(status::BUSY),
            },
        )?;
        if flow != Flow::Next {
            self.unreachable = true;
            if flow == Flow::Break {
                self.broke = true;
            }
        }
        Ok(())
    }

    fn bind(&mut self, name: Name, value: Value<'a>) {
        let assigned = self
            .frames
            .last()
            .is_some_and(|f| f.assigned.contains(&name));
        let binding = match value {
            Value::Num(n) if assigned && !self.is_live() => {
                let slot = self.b.new_local();
                self.b.step(Op::SetLocal(slot, n.id));
                Binding::Local {
                    slot,
                    most: u64::MAX,
                }
            }
            value => Binding::Value(value),
        };
        self.scopes.push((name, binding));
    }

    /// A condition: a number, or `back RING`.
    pub fn condition(&mut self, test: &'a Expr) -> Result<Num<'a>> {
        match self.value(test)? {
            Value::Back(i, ring) => self.is_back(i, ring, test.place),
            v => {
                let n = self.number_for(v, None, test.place)?;
                Ok(self.truth(n))
            }
        }
    }

    /// After `check x < 5 else …` the value of x is known to be less: its bound gets tighter, in this region.
    fn narrow(&mut self, test: &'a Expr) {
        match &test.kind {
            ExprKind::Binary(BinaryOp::Both, a, b) => {
                self.narrow(a);
                self.narrow(b);
            }
            ExprKind::Binary(op @ (BinaryOp::Lt | BinaryOp::Le), a, b) => {
                let Some(limit) = self.limit(b) else { return };
                self.narrow_expr(
                    a,
                    if *op == BinaryOp::Lt {
                        limit.saturating_sub(1)
                    } else {
                        limit
                    },
                );
            }
            ExprKind::In(a, set) => {
                if let ExprKind::Range(_, hi) = &set.kind {
                    if let Some(limit) = self.limit(hi) {
                        self.narrow_expr(a, limit.saturating_sub(1));
                    }
                }
            }
            _ => {}
        }
    }

    fn limit(&mut self, e: &'a Expr) -> Option<u64> {
        match &e.kind {
            ExprKind::Number(_) | ExprKind::Name(_) | ExprKind::Binary(..) => {
                let n = self.number(e).ok()?;
                self.b.known(n.id)
            }
            _ => None,
        }
    }

    /// Only values that were copied can be narrowed: a second read may say something else.
    fn narrow_expr(&mut self, e: &'a Expr, most: u64) {
        let base = match &e.kind {
            ExprKind::Name(n) => *n,
            ExprKind::Dot(of, _) => match &of.kind {
                ExprKind::Name(n) => *n,
                _ => return,
            },
            _ => return,
        };
        let from = self.frames.last().map_or(0, |f| f.scope);
        if !self.scopes[from..].iter().any(|(n, b)| {
            *n == base && matches!(b, Binding::Value(Value::Num(_) | Value::Copy(..)))
        }) {
            return;
        }
        if let Ok(Value::Num(n)) = self.value(e) {
            self.narrowed.push((n.id, most));
        }
    }

    // ---- control

    /// `if c { yes } else { no }`, decided now if it can be.
    pub fn branch(
        &mut self,
        c: Num<'a>,
        yes: impl FnOnce(&mut Self) -> Result<Flow>,
        no: impl FnOnce(&mut Self) -> Result<Flow>,
    ) -> Result<Flow> {
        match self.b.known(c.id) {
            Some(0) => return no(self),
            Some(_) => return yes(self),
            None => {}
        }
        let scope = self.scopes.len();
        self.region_open();
        let first = yes(self)?;
        self.scopes.truncate(scope);
        let yes = self.region_close();
        self.region_open();
        let second = no(self)?;
        self.scopes.truncate(scope);
        let no = self.region_close();
        self.b.step(Op::If {
            cond: c.id,
            yes,
            no,
        });
        Ok(if first != Flow::Next && second != Flow::Next {
            Flow::Ended
        } else {
            Flow::Next
        })
    }

    /// Ends the entry with this status.
    pub fn finish(&mut self, status: u64) -> Result<Flow> {
        if self.is_live() {
            self.ended = Some(status);
            return Ok(Flow::Ended);
        }
        let id = match (status, self.again) {
            (status::OK, Some(slot)) => {
                let again = self.b.step(Op::Local(slot));
                let (a, o) = (self.b.constant(status::AGAIN), self.b.constant(status::OK));
                self.b.select(again, a, o)
            }
            _ => self.b.constant(status),
        };
        self.b.step(Op::Return(id));
        Ok(Flow::Ended)
    }

    fn failure(&mut self, name: Name) -> u64 {
        let text = self.text(name);
        match self.failures.iter().position(|f| f == text) {
            Some(n) => n as u64,
            None => {
                self.failures.push(text.to_string());
                self.failures.len() as u64 - 1
            }
        }
    }

    fn return_value(&mut self, value: Option<&'a Expr>) -> Result<Flow> {
        let value = match value {
            Some(e) => {
                let v = self.value(e)?;
                Some(self.settle(v, e.place)?)
            }
            None => None,
        };
        let exit = self.frames.last().and_then(|f| f.exit);
        if let (Some(exit), false) = (exit, self.is_live()) {
            if let (Some(slot), Some(Value::Num(n))) = (exit.result, value) {
                self.b.step(Op::SetLocal(slot, n.id));
            }
            if self.nest == exit.nest {
                return Ok(Flow::Return);
            }
            self.b.step(Op::Leave((self.depth - exit.depth) as u8));
            return Ok(Flow::Ended);
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.returned = value;
        }
        Ok(Flow::Return)
    }

    fn stop(&mut self) -> Result<Flow> {
        let exit = self.frames.last().and_then(|f| f.loop_exit);
        match exit {
            Some(_) if self.is_live() => Ok(Flow::Break),
            // A loop that is unrolled has no block unless something inside needs it.
            Some(exit) if exit.depth == 0 => Ok(Flow::Break),
            Some(exit) => {
                self.b.step(Op::Leave((self.depth - exit.depth) as u8));
                Ok(Flow::Ended)
            }
            None => self.finish(status::OK),
        }
    }

    fn in_loop<T>(&mut self, exit: Exit, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = self
            .frames
            .last_mut()
            .and_then(|f| f.loop_exit.replace(exit));
        let outcome = run(self);
        if let Some(f) = self.frames.last_mut() {
            f.loop_exit = before;
        }
        outcome
    }

    /// A run-time loop: `body` runs at most `most` times. Gives the node that says whether the bound was met.
    pub fn looped(
        &mut self,
        most: Num<'a>,
        body: impl FnOnce(&mut Self) -> Result<Flow>,
    ) -> Result<Num<'a>> {
        let scope = self.scopes.len();
        self.region_open();
        self.depth += 1;
        let exit = Exit {
            depth: self.depth,
            nest: self.nest,
            result: None,
        };
        let outcome = self.in_loop(exit, body);
        self.depth -= 1;
        let region = self.region_close();
        self.scopes.truncate(scope);
        if outcome? == Flow::Return {
            return Err(Error::new(
                Place::default(),
                "a loop that always returns",
                "take the loop away",
            ));
        }
        let id = self.b.step(Op::Loop {
            most: most.id,
            body: region,
        });
        Ok(self.node(id, 1))
    }

    /// Ends the innermost run-time loop unless the condition holds.
    fn go_on_if(&mut self, c: Num<'a>) -> Result<Flow> {
        self.branch(
            c,
            |_| Ok(Flow::Next),
            |s| {
                s.b.step(Op::Leave(0));
                Ok(Flow::Ended)
            },
        )
    }

    fn while_loop(&mut self, test: &'a Expr, most: &'a Expr, body: &'a [Stmt]) -> Result<Flow> {
        let bound = self.number(most)?;
        if self.is_live() {
            let times = self.b.known(bound.id).unwrap_or(0);
            let exit = Exit {
                depth: 0,
                nest: self.nest,
                result: None,
            };
            for _ in 0..times {
                let c = self.condition(test)?;
                if self.b.known(c.id) == Some(0) {
                    break;
                }
                match self.in_loop(exit, |s| s.block(body))? {
                    Flow::Next => {}
                    Flow::Break => break,
                    flow => return Ok(flow),
                }
            }
            return Ok(Flow::Next);
        }
        let bounded = self.looped(bound, |s| {
            let c = s.condition(test)?;
            if s.go_on_if(c)? == Flow::Ended {
                return Ok(Flow::Ended);
            }
            s.block(body)
        })?;
        if let Some(slot) = self.again {
            let before = self.b.step(Op::Local(slot));
            let now = self.b.bin(BinOp::Or, before, bounded.id);
            self.b.step(Op::SetLocal(slot, now));
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
        if let Some(n) = self.b.known(count.id) {
            if self.is_live() || n <= 4 {
                for k in 0..n {
                    self.tick(place)?;
                    let k = self.constant(k);
                    each(self, k)?;
                }
                return Ok(());
            }
        }
        let slot = self.b.new_local();
        let zero = self.b.constant(0);
        self.b.step(Op::SetLocal(slot, zero));
        self.looped(count, |s| {
            let id = s.b.step(Op::Local(slot));
            let k = s.node(id, count.most.saturating_sub(1));
            let next = s.plus(k, 1);
            s.b.step(Op::SetLocal(slot, next.id));
            each(s, k)?;
            Ok(Flow::Next)
        })?;
        Ok(())
    }

    fn for_loop(
        &mut self,
        names: &'a [Name],
        set: &'a Expr,
        most: Option<&'a Expr>,
        body: &'a [Stmt],
        place: Place,
    ) -> Result<Flow> {
        let values: Vec<Value<'a>> = match self.value(set)? {
            Value::Range(lo, hi) => {
                let count = {
                    let id = self.b.bin(BinOp::Sub, hi.id, lo.id);
                    self.node(id, hi.most)
                };
                match self.b.known(count.id) {
                    Some(n) if self.is_live() || n <= 4 => {
                        (0..n).map(|k| Value::Num(self.plus_known(lo, k))).collect()
                    }
                    _ => return self.for_range(names, lo, count, most, body, place),
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
            Value::SetBits(mask) => return self.for_bits(names, mask, body),
            Value::Back(i, ring) => return self.for_back(names, i, ring, body, place),
            _ => {
                return Err(Error::new(
                    set.place,
                    "a loop runs over a range, bits, a list, buffers or `back RING`",
                    "write `for k in 0..n at most N`",
                ))
            }
        };
        let exit = Exit {
            depth: 0,
            nest: self.nest,
            result: None,
        };
        for (k, v) in values.into_iter().enumerate() {
            let scope = self.scopes.len();
            self.scopes.push((names[0], Binding::Value(v)));
            if let Some(second) = names.get(1) {
                let k = self.constant(k as u64);
                self.scopes.push((*second, Binding::Value(Value::Num(k))));
            }
            let flow = self.in_loop(exit, |s| s.block(body))?;
            self.scopes.truncate(scope);
            if core::mem::take(&mut self.broke) || flow == Flow::Break {
                break;
            }
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn plus_known(&mut self, n: Num<'a>, k: u64) -> Num<'a> {
        self.plus(n, k)
    }

    fn for_range(
        &mut self,
        names: &'a [Name],
        lo: Num<'a>,
        count: Num<'a>,
        most: Option<&'a Expr>,
        body: &'a [Stmt],
        place: Place,
    ) -> Result<Flow> {
        let mut count = count;
        if self.b.known(count.id).is_none() {
            let Some(most) = most else {
                return Err(Error::new(
                    place,
                    "the loop's end is not known: it needs a bound",
                    "add `at most N`",
                ));
            };
            let bound = self.number(most)?;
            let id = self.b.bin(BinOp::Min, count.id, bound.id);
            count = self.node(id, bound.most);
        }
        let slot = self.b.new_local();
        let zero = self.b.constant(0);
        self.b.step(Op::SetLocal(slot, zero));
        self.looped(count, |s| {
            let id = s.b.step(Op::Local(slot));
            let k = s.node(id, count.most.saturating_sub(1));
            let next = s.plus(k, 1);
            s.b.step(Op::SetLocal(slot, next.id));
            let value = s.sum(lo, k);
            s.scopes.push((names[0], Binding::Value(Value::Num(value))));
            s.block(body)
        })?;
        Ok(Flow::Next)
    }

    /// The set bits of a mask, from the lowest.
    fn for_bits(&mut self, names: &'a [Name], mask: Num<'a>, body: &'a [Stmt]) -> Result<Flow> {
        if let Some(mut m) = self.b.known(mask.id) {
            let exit = Exit {
                depth: 0,
                nest: self.nest,
                result: None,
            };
            while m != 0 {
                let k = self.constant(m.trailing_zeros() as u64);
                m &= m - 1;
                let scope = self.scopes.len();
                self.scopes.push((names[0], Binding::Value(Value::Num(k))));
                let flow = self.in_loop(exit, |s| s.block(body))?;
                self.scopes.truncate(scope);
                match flow {
                    Flow::Next => {}
                    Flow::Break => break,
                    flow => return Ok(flow),
                }
            }
            return Ok(Flow::Next);
        }
        let slot = self.b.new_local();
        self.b.step(Op::SetLocal(slot, mask.id));
        let bound = self.constant(64);
        self.looped(bound, |s| {
            let left = s.b.step(Op::Local(slot));
            let left = s.node(left, mask.most);
            let some = s.truth(left);
            s.go_on_if(some)?;
            let one = s.b.constant(1);
            let less = s.b.bin(BinOp::Sub, left.id, one);
            let rest = s.b.bin(BinOp::And, left.id, less);
            s.b.step(Op::SetLocal(slot, rest));
            let k = s.b.lowest_bit(left.id);
            let k = s.node(k, 63 - mask.most.leading_zeros().min(63) as u64);
            s.scopes.push((names[0], Binding::Value(Value::Num(k))));
            s.block(body)
        })?;
        Ok(Flow::Next)
    }

    fn for_back(
        &mut self,
        names: &'a [Name],
        i: InstanceId,
        ring: Name,
        body: &'a [Stmt],
        place: Place,
    ) -> Result<Flow> {
        let n = self.ring_count(i, ring, place)?;
        let bound = self.constant(n);
        if self.is_live() {
            return Err(Error::new(place, "`back` in init", "drain rings in events"));
        }
        self.looped(bound, |s| {
            let cell = s.ring_cell(i, ring, place)?;
            let c = s.is_back_with(i, ring, cell.clone(), place)?;
            s.go_on_if(c)?;
            let (index, kept) = s.ring_advance(i, ring, place)?;
            s.scopes.push((names[0], Binding::Value(Value::Num(index))));
            if let Some(second) = names.get(1) {
                s.scopes.push((*second, Binding::Value(Value::Num(kept))));
            }
            if let Some(third) = names.get(2) {
                s.scopes.push((*third, Binding::Value(cell)));
            }
            s.block(body)
        })?;
        Ok(Flow::Next)
    }

    fn wait(
        &mut self,
        test: &'a Expr,
        within: &'a Expr,
        otherwise: Option<&'a Stmt>,
    ) -> Result<Flow> {
        let ns = self.number(within)?;
        let done = if self.is_live() {
            let limit = self.b.known(ns.id).unwrap_or(0);
            let start = self.live.as_mut().map_or(0, |l| l.clock());
            loop {
                let now = self.live.as_mut().map_or(u64::MAX, |l| l.clock());
                let c = self.condition(test)?;
                if self.b.known(c.id) != Some(0) {
                    break self.constant(1);
                }
                if now.saturating_sub(start) > limit {
                    break self.constant(0);
                }
                self.budget += 50;
                self.tick(test.place)?;
                if let Some(live) = self.live.as_mut() {
                    live.pause(1_000.min(limit));
                }
            }
        } else {
            self.region_open();
            let c = self.condition(test)?;
            let cond = self.region_close();
            match self.b.known(c.id) {
                Some(_) => c,
                None => {
                    let id = self.b.step(Op::Await {
                        cond,
                        value: c.id,
                        ns: ns.id,
                    });
                    self.node(id, 1)
                }
            }
        };
        self.branch(
            done,
            |_| Ok(Flow::Next),
            |s| match otherwise {
                Some(stmt) => s.statement(stmt),
                None => Ok(Flow::Next),
            },
        )
    }

    pub fn fence(&mut self, fence: graph::Fence) {
        match self.live.as_mut() {
            Some(live) => live.fence(fence),
            None => {
                self.b.step(Op::Fence(fence));
            }
        }
    }

    // ---- assignment

    fn assign(
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

    fn set_number_field(
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

    fn wraps(&mut self, name: Name) -> bool {
        let here = self.here();
        self.find_item(
            here,
            |k| matches!(k, ItemKind::State { name: n, wraps: true, .. } if *n == name),
        )
        .is_some()
    }

    fn learn(&mut self, target: &'a Expr, value: &'a Expr) -> Result<Flow> {
        let (name, index) = match &target.kind {
            ExprKind::Name(n) => (*n, None),
            ExprKind::Index(base, k) => match &base.kind {
                ExprKind::Name(n) => {
                    let k = self.number(k)?;
                    let k = self.b.known(k.id).ok_or_else(|| {
                        Error::new(
                            target.place,
                            "the index of a learned fact must be known",
                            "use a fact",
                        )
                    })?;
                    (*n, Some(k))
                }
                _ => {
                    return Err(Error::new(
                        target.place,
                        "only facts are learned",
                        "write `learn name = value`",
                    ))
                }
            },
            _ => {
                return Err(Error::new(
                    target.place,
                    "only facts are learned",
                    "write `learn name = value`",
                ))
            }
        };
        let here = self.here();
        let v = self.value(value)?;
        let random = matches!(v, Value::Random);
        let v = self.settle(v, value.place)?;
        let v = match v {
            Value::Num(n) => Value::Num(n),
            Value::List(l) => Value::List(l),
            Value::Text(t) => Value::Text(t),
            Value::Copy(layout, pieces) => Value::Copy(layout, pieces),
            other => Value::Num(self.number_for(other, None, value.place)?),
        };
        if self.is_live() {
            return self.learn_now(here, name, index, v, value.place);
        }
        if random || self.measured_now() {
            return Ok(Flow::Next);
        }
        self.learn_again(here, name, index, v, value.place)
    }

    fn learn_now(
        &mut self,
        here: InstanceId,
        name: Name,
        index: Option<u64>,
        v: Value<'a>,
        place: Place,
    ) -> Result<Flow> {
        let Some(fact) = self.as_fact(&v) else {
            return Err(Error::new(
                place,
                "this cannot be learned",
                "learn numbers or lists of numbers",
            ));
        };
        let mut label = format!("{}{}", self.prefix(here), self.text(name));
        if let Some(k) = index {
            label = format!("{label}.{k}");
        }
        self.learned.push(machine::Fact {
            name: label,
            value: fact,
            source: machine::Source::Learned,
        });
        match (index, v) {
            (Some(k), Value::Num(n)) => self.instances[here].indexed.push((name, k, n)),
            (Some(_), _) => {
                return Err(Error::new(
                    place,
                    "an indexed fact is a number",
                    "learn numbers",
                ))
            }
            (None, v) => {
                let v = self.typed_fact(here, name, v);
                self.instances[here].facts.push((name, v));
            }
        }
        Ok(Flow::Next)
    }

    /// A later run: the value must be what the code was written for.
    fn learn_again(
        &mut self,
        here: InstanceId,
        name: Name,
        index: Option<u64>,
        v: Value<'a>,
        place: Place,
    ) -> Result<Flow> {
        let known = match index {
            Some(k) => self.instances[here]
                .indexed
                .iter()
                .find(|(n, at, _)| *n == name && *at == k)
                .map(|(_, _, n)| Value::Num(*n)),
            None => self.instances[here]
                .facts
                .iter()
                .rev()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| v.clone()),
        };
        let Some(known) = known else {
            return Err(Error::new(
                place,
                format!("`{}` was not learned in the first run", self.text(name)),
                "run `init` on the device first",
            ));
        };
        let pairs: Vec<(Num<'a>, Num<'a>)> = match (known, v) {
            (Value::Num(a), Value::Num(b)) => alloc::vec![(a, b)],
            (Value::List(a), Value::List(b)) if a.len() == b.len() => a
                .into_iter()
                .zip(b)
                .filter_map(|(a, b)| match (a, b) {
                    (Value::Num(a), Value::Num(b)) => Some((a, b)),
                    _ => None,
                })
                .collect(),
            _ => return Ok(Flow::Next),
        };
        let mut differs = self.b.constant(0);
        for (a, b) in pairs {
            let d = self.b.bin(BinOp::Xor, a.id, b.id);
            differs = self.b.bin(BinOp::Or, differs, d);
        }
        let zero = self.b.constant(0);
        let same = self.b.bin(BinOp::Eq, differs, zero);
        let same = self.node(same, 1);
        self.branch(same, |_| Ok(Flow::Next), |s| s.finish(status::CHANGED))
    }

    // ---- routines and upcalls

    pub fn routine(&mut self, i: InstanceId, name: Name, place: Place) -> Result<&'a Routine> {
        let candidates: Vec<&'a Routine> = self
            .items(i)
            .into_iter()
            .filter_map(|item| match &item.kind {
                ItemKind::Routine(r) if r.name == name && r.body.is_some() => Some(r),
                _ => None,
            })
            .collect();
        for r in candidates {
            if self.guard_holds(i, r.guard.as_ref())? {
                return Ok(r);
            }
        }
        Err(Error::new(
            place,
            format!("no `{}` that these facts allow", self.text(name)),
            "see the `when` of each",
        ))
    }

    /// Runs a routine in place with values for its parameters.
    pub fn call_routine(
        &mut self,
        i: InstanceId,
        name: Name,
        values: Vec<Value<'a>>,
        place: Place,
    ) -> Result<Value<'a>> {
        let routine = self.routine(i, name, place)?;
        if self.frames.len() > 24 {
            return Err(Error::new(
                place,
                "routines call each other too deeply",
                "a routine may not call itself",
            ));
        }
        if values.len() != routine.parameters.len() {
            return Err(Error::new(
                place,
                format!(
                    "`{}` takes {} values, not {}",
                    self.text(name),
                    routine.parameters.len(),
                    values.len()
                ),
                "see its declaration",
            ));
        }
        let mut bound = Vec::new();
        for (k, (parameter, value)) in routine.parameters.iter().zip(values).enumerate() {
            let ty = parameter
                .kind
                .as_ref()
                .or_else(|| self.contract_type(i, name, k));
            let value = match (value, ty.map(|t| t.base)) {
                (v @ Value::Literal(..), Some(TypeBase::Named(n))) => {
                    Value::Num(self.number_for(v, Some(Bits::Named(i, n)), place)?)
                }
                (v @ Value::Literal(..), _) => v,
                (v, _) => self.settle(v, place)?,
            };
            bound.push((parameter.name, Binding::Value(value)));
        }
        let body = routine.body.as_deref().unwrap_or(&[]);
        self.run_body(i, bound, body)
    }

    pub fn run_body(
        &mut self,
        i: InstanceId,
        bound: Vec<(Name, Binding<'a>)>,
        body: &'a [Stmt],
    ) -> Result<Value<'a>> {
        let mut assigned = Vec::new();
        assigned_names(body, &mut assigned);
        let wrapped = !self.is_live() && returns_inside(body, false);
        self.enter(i, assigned);
        self.scopes.extend(bound);
        let mut slot = None;
        if wrapped {
            let s = self.b.new_local();
            slot = Some(s);
            self.region_open();
            self.depth += 1;
            let exit = Exit {
                depth: self.depth,
                nest: self.nest,
                result: slot,
            };
            if let Some(f) = self.frames.last_mut() {
                f.exit = Some(exit);
            }
        }
        let flow = self.block(body);
        if wrapped {
            self.depth -= 1;
            let region = self.region_close();
            self.b.step(Op::Block(region));
        }
        let returned = self.leave();
        let flow = flow?;
        if flow == Flow::Ended && !wrapped && !self.is_live() {
            self.unreachable = true;
        }
        if let (Some(slot), true) = (slot, returns_value(body)) {
            let id = self.b.step(Op::Local(slot));
            return Ok(Value::Num(self.node(id, u64::MAX)));
        }
        Ok(returned.unwrap_or(Value::None))
    }

    fn contract_type(
        &self,
        i: InstanceId,
        name: Name,
        k: usize,
    ) -> Option<&'a rulebook::tree::Type> {
        let class = self.instances[i].class?;
        class.items.iter().find_map(|item| match &item.kind {
            ItemKind::Routine(r) if r.name == name && r.body.is_none() => {
                r.parameters.get(k)?.kind.as_ref()
            }
            _ => None,
        })
    }

    /// `up name(arguments)`: to the one above, or to the class.
    pub fn up(&mut self, name: Name, arguments: &'a [Expr], place: Place) -> Result<()> {
        let mut values = Vec::new();
        for e in arguments {
            let v = self.value(e)?;
            values.push(self.settle(v, e.place)?);
        }
        let here = self.here();
        if let Some((upper, used_as)) = self.instances[here].upper {
            let event = self.find_event(upper, used_as, name, None)?;
            if let Some(event) = event {
                let bound = event
                    .parameters
                    .iter()
                    .copied()
                    .zip(values.into_iter().map(Binding::Value))
                    .collect();
                self.run_body(upper, bound, &event.body)?;
            }
            // What nobody above asked for is not heard.
            return Ok(());
        }
        let text = self.text(name);
        let mut words = Vec::new();
        for v in values {
            match v {
                // A frame or text is told as place and length.
                Value::Buffer(b) | Value::Bytes(b) => words.extend([b.at.id, b.len.id]),
                Value::Buffers(list) if list.len() == 1 => {
                    words.extend([list[0].at.id, list[0].len.id])
                }
                v => words.push(self.number_for(v, None, place)?.id),
            }
        }
        if words.len() > 4 {
            return Err(Error::new(
                place,
                "an upcall has at most four words",
                "tell less",
            ));
        }
        let which = match self.upcalls.iter().position(|u| u == text) {
            Some(n) => n as u8,
            None => {
                self.upcalls.push(text.to_string());
                self.upcalls.len() as u8 - 1
            }
        };
        if self.is_live() {
            let words: Vec<u64> = words
                .iter()
                .map(|w| self.b.known(*w).unwrap_or(0))
                .collect();
            if let Some(live) = self.live.as_mut() {
                live.up(which, &words);
            }
            return Ok(());
        }
        self.b.step(Op::Up { which, args: words });
        Ok(())
    }

    /// The event of an instance by the name it is told under, whose guard holds.
    pub fn find_event(
        &mut self,
        i: InstanceId,
        part: Option<Name>,
        name: Name,
        selector: Option<u64>,
    ) -> Result<Option<&'a Event>> {
        let events: Vec<&'a Event> = self
            .items(i)
            .into_iter()
            .filter_map(|item| match &item.kind {
                ItemKind::Event(e) if e.part == part && e.name == name => Some(e),
                _ => None,
            })
            .collect();
        for event in events {
            if let Some(e) = &event.selector {
                if Some(self.fact_number(i, e)?) != selector {
                    continue;
                }
            }
            if self.guard_holds(i, event.guard.as_ref())? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }
}

/// Names that are assigned to as a whole.
fn assigned_names(body: &[Stmt], names: &mut Vec<Name>) {
    for s in body {
        match &s.kind {
            StmtKind::Assign { target, .. } => {
                if let ExprKind::Name(n) = &target.kind {
                    names.push(*n);
                }
            }
            StmtKind::If { yes, no, .. } | StmtKind::When { yes, no, .. } => {
                assigned_names(yes, names);
                assigned_names(no, names);
            }
            StmtKind::For { body, .. }
            | StmtKind::While { body, .. }
            | StmtKind::Quirk { body, .. }
            | StmtKind::Then(body) => assigned_names(body, names),
            _ => {}
        }
    }
}

/// Whether a `return` stands where run time may decide whether it is reached.
fn returns_inside(body: &[Stmt], inside: bool) -> bool {
    body.iter().any(|s| match &s.kind {
        StmtKind::Return(_) => inside,
        StmtKind::If { yes, no, .. } => returns_inside(yes, true) || returns_inside(no, true),
        StmtKind::When { yes, no, .. } => returns_inside(yes, inside) || returns_inside(no, inside),
        StmtKind::Quirk { body, .. } => returns_inside(body, inside),
        StmtKind::For { body, .. } | StmtKind::While { body, .. } => returns_inside(body, true),
        StmtKind::Check { otherwise, .. } => returns_inside(core::slice::from_ref(otherwise), true),
        StmtKind::Await {
            otherwise: Some(o), ..
        }
        | StmtKind::Let {
            otherwise: Some(o), ..
        }
        | StmtKind::Do {
            otherwise: Some(o), ..
        } => returns_inside(core::slice::from_ref(o), true),
        _ => false,
    })
}

fn returns_value(body: &[Stmt]) -> bool {
    body.iter().any(|s| match &s.kind {
        StmtKind::Return(v) => v.is_some(),
        StmtKind::If { yes, no, .. } | StmtKind::When { yes, no, .. } => {
            returns_value(yes) || returns_value(no)
        }
        StmtKind::For { body, .. }
        | StmtKind::While { body, .. }
        | StmtKind::Quirk { body, .. } => returns_value(body),
        StmtKind::Check { otherwise, .. } => returns_value(core::slice::from_ref(otherwise)),
        _ => false,
    })
}
