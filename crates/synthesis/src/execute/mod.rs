//! Statements.

mod assign;
mod bounds;
mod children;
mod control;
mod learn;
mod loops;
mod routine;

use crate::exits::Exit;
use crate::instance::{Binding, InstanceId, Specialiser};
use crate::value::{Bits, Kind, Num, Spot, Value};
use crate::{Error, Result};
use abi::status;
use alloc::{format, vec::Vec};
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
        self.mode.is_live()
    }

    pub fn block(&mut self, body: &'a [Stmt]) -> Result<Flow> {
        let scope = self.entry.scopes.len();
        let mut flow = Flow::Next;
        for stmt in body {
            flow = self.statement(stmt)?;
            self.told_unknown()?;
            if let (Flow::Next, Some(cut)) = (flow, self.entry.cut.take()) {
                flow = cut;
            }
            if self.mode.has_ended() {
                flow = Flow::Ended;
            }
            if flow != Flow::Next {
                break;
            }
        }
        self.entry.scopes.truncate(scope);
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
                    // Everything that the device could change is copied here, once.
                    let value = match value {
                        Value::Literal(..) => return Err(untyped(e.place)),
                        value => self.settle(value, e.place)?,
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
                        s.believe(c);
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
                let ns = self.exact_number(time)?;
                if !self.is_live() {
                    self.out.b.step(Op::Pause(ns.id));
                } else if let Some(ns) = self.known_now(ns.id) {
                    if let Some(device) = self.mode.device() {
                        device.pause(ns);
                    }
                }
                Ok(Flow::Next)
            }
            StmtKind::Check { test, otherwise } => {
                let c = self.condition(test)?;
                let (flow, goes_on) = self.unless(c, |s| s.statement(otherwise))?;
                // Whoever comes here has passed the test, unless the `else` goes on.
                if !goes_on {
                    self.believe(c);
                }
                Ok(flow)
            }
            StmtKind::Fail(name) => {
                let n = self.failure_number(*name);
                self.remember_failed()?;
                self.finish(status::FAIL + n)
            }
            StmtKind::Return(value) => self.return_value(value.as_ref(), s.place),
            StmtKind::Stop => self.stop(s.place),
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
            StmtKind::Tell { bytes, of } => {
                self.tell_bytes(bytes, of)?;
                Ok(Flow::Next)
            }
            StmtKind::Fence => {
                self.fence(graph::Fence::Full);
                Ok(Flow::Next)
            }
            StmtKind::Claim(test) => {
                let c = self.condition(test)?;
                match self.mode.claims() {
                    Some((slot, exit)) if !self.is_live() => self.claim_one(c, slot, exit, s.place),
                    _ => self.branch(c, |_| Ok(Flow::Next), |s| s.finish(status::NOT_MINE)),
                }
            }
            StmtKind::Gone(test) => {
                let c = self.condition(test)?;
                self.branch(c, |s| s.finish(status::GONE), |_| Ok(Flow::Next))
            }
            StmtKind::Then(body) => {
                let here = self.here();
                match self.mode.tails() {
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
            StmtKind::Attach { child, facts } => {
                self.attach(child, facts, s.place)?;
                Ok(Flow::Next)
            }
            StmtKind::Detach(child) => {
                self.detach(child, s.place)?;
                Ok(Flow::Next)
            }
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
        let before = core::mem::replace(&mut self.entry.otherwise, otherwise);
        let outcome = run(self);
        self.entry.otherwise = before;
        outcome
    }

    /// `if cannot { otherwise }`: busy when nothing else was said.
    pub fn unless_had(&mut self, had: Num<'a>) -> Result<()> {
        let otherwise = self.entry.otherwise.take();
        let (flow, goes_on) = self.unless(had, |s| match otherwise {
            Some(stmt) => s.statement(stmt),
            None => s.finish(status::BUSY),
        })?;
        self.entry.otherwise = otherwise;
        if let (true, Some(stmt)) = (goes_on, otherwise) {
            return Err(Error::new(
                stmt.place,
                "this `else` goes on to what relies on what could not be had",
                "end it: `busy`, `stop`, `return …` or `fail …`; or write an `if` around what relies on it",
            ));
        }
        if flow != Flow::Next {
            self.entry.cut = Some(flow);
        }
        Ok(())
    }

    /// `if !c { otherwise }`: where control is, and whether it may come there by `otherwise`.
    fn unless(
        &mut self,
        c: Num<'a>,
        otherwise: impl FnOnce(&mut Self) -> Result<Flow>,
    ) -> Result<(Flow, bool)> {
        let mut goes_on = false;
        let flow = self.branch(
            c,
            |_| Ok(Flow::Next),
            |s| {
                let flow = s.arm(otherwise)?;
                goes_on = flow == Flow::Next;
                Ok(flow)
            },
        )?;
        Ok((flow, goes_on))
    }

    fn bind(&mut self, name: Name, value: Value<'a>) {
        let assigned = self
            .entry
            .frames
            .last()
            .is_some_and(|f| f.assigned.contains(&name));
        let binding = match value {
            // What is assigned to again has 64 bits, and takes the lowest of any.
            Value::Num(n) if assigned && self.is_live() => {
                Binding::Value(Value::Num(Num { cut: false, ..n }))
            }
            Value::Num(n) if assigned => {
                let slot = self.out.b.new_local();
                self.set_variable(slot, n.id);
                Binding::Local {
                    slot,
                    most: u64::MAX,
                }
            }
            value => Binding::Value(value),
        };
        self.entry.scopes.push((name, binding));
    }
}

/// Braces take their meaning from what they are stored to: without that, nobody knows what they name.
fn untyped(place: Place) -> Error {
    Error::new(
        place,
        "`{ … }` has no type here",
        "write it where it is stored, or give the parameter a type",
    )
}
