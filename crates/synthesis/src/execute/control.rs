//! Branches, returns, stops, waits and fences.

use super::*;

impl<'a> Specialiser<'a, '_> {
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
        if status == status::BUSY {
            // What was not accepted keeps nothing.
            for (i, slots, index) in self.taken.clone() {
                self.free(i, slots, index, Place::default())?;
            }
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

    pub fn failure_number(&mut self, name: Name) -> u64 {
        let text = self.text(name);
        match self.failures.iter().position(|f| f == text) {
            Some(n) => n as u64,
            None => {
                self.failures.push(text.to_string());
                self.failures.len() as u64 - 1
            }
        }
    }

    pub(super) fn return_value(&mut self, value: Option<&'a Expr>) -> Result<Flow> {
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

    pub(super) fn stop(&mut self) -> Result<Flow> {
        let exit = self.frames.last().and_then(|f| f.loop_exit);
        match exit {
            Some(_) if self.is_live() => Ok(Flow::Break),
            // A loop that is unrolled has no block unless something inside needs it.
            Some(exit) if exit.depth == 0 => Ok(Flow::Break),
            Some(exit) => {
                self.b.step(Op::Leave((self.depth - exit.depth) as u8));
                Ok(Flow::Ended)
            }
            None => match self.claims {
                Some((_, exit)) if !self.is_live() => {
                    self.b.step(Op::Leave((self.depth - exit.depth) as u8));
                    Ok(Flow::Ended)
                }
                _ => self.finish(status::OK),
            },
        }
    }

    pub(super) fn wait(
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
}
