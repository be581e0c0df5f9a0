//! Branches, returns, stops, waits and fences.

use super::*;
use crate::exits::no_way_out;

impl<'a> Specialiser<'a, '_> {
    /// `if c { yes } else { no }`, decided now if it can be.
    pub fn branch(
        &mut self,
        c: Num<'a>,
        yes: impl FnOnce(&mut Self) -> Result<Flow>,
        no: impl FnOnce(&mut Self) -> Result<Flow>,
    ) -> Result<Flow> {
        match self.out.b.known(c.id) {
            Some(0) => return self.arm(no),
            Some(_) => return self.arm(yes),
            None => {}
        }
        let before = self.entry.taken.maybe();
        let (first, yes) = self.side(before, yes)?;
        let left = self.entry.taken.other_side(before);
        let (second, no) = self.side(before, no)?;
        self.entry.taken.join(left);
        self.out.b.step(Op::If {
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

    /// One side of a choice, and where control is behind it.
    fn side(
        &mut self,
        before: Option<Place>,
        run: impl FnOnce(&mut Self) -> Result<Flow>,
    ) -> Result<(Flow, graph::RegionId)> {
        let (scope, jumps) = (self.entry.scopes.len(), self.entry.exits.jumps());
        self.region_open();
        let flow = self.arm(run)?;
        self.entry.scopes.truncate(scope);
        let region = self.region_close();
        // Whoever ended the entry there does not come back with what was taken.
        if flow == Flow::Ended && self.entry.exits.jumps() == jumps {
            self.entry.taken.other_side(before);
        }
        Ok((flow, region))
    }

    /// What one side of a choice comes to: also where something inside an expression or a call ended it.
    pub fn arm(&mut self, run: impl FnOnce(&mut Self) -> Result<Flow>) -> Result<Flow> {
        let before = self.entry.cut.take();
        let flow = run(self)?;
        let cut = self.entry.cut.take();
        self.entry.cut = before;
        Ok(match flow {
            Flow::Next => cut.unwrap_or(Flow::Next),
            flow => flow,
        })
    }

    /// Ends the entry with this status.
    pub fn finish(&mut self, status: u64) -> Result<Flow> {
        if self.is_live() {
            self.mode.end(status);
            return Ok(Flow::Ended);
        }
        if status == status::BUSY {
            // What was not accepted keeps nothing.
            let at = self.entry.at;
            let taken = self.entry.taken.end().map_err(|place| {
                Error::new(
                    place,
                    format!(
                        "this slot stays taken where the operation ends as `busy` at line {}",
                        at.line
                    ),
                    "take it outside of the `if`, or end the operation inside it",
                )
            })?;
            for (i, slots, index) in taken {
                self.free(i, slots, index, Place::default())?;
            }
        }
        let id = match (status, self.mode.again()) {
            (status::OK, Some(slot)) => {
                let again = self.out.b.step(Op::Local(slot));
                let (a, o) = (
                    self.out.b.constant(status::AGAIN),
                    self.out.b.constant(status::OK),
                );
                self.out.b.select(again, a, o)
            }
            _ => self.out.b.constant(status),
        };
        self.out.b.step(Op::Return(id));
        Ok(Flow::Ended)
    }

    pub fn failure_number(&mut self, name: Name) -> u64 {
        let text = self.text(name);
        self.out.told.failure(text)
    }

    pub(super) fn return_value(&mut self, value: Option<&'a Expr>, place: Place) -> Result<Flow> {
        let value = match value {
            Some(e) => {
                let v = self.value(e)?;
                Some(self.settle(v, e.place)?)
            }
            None => None,
        };
        let exit = self.entry.frames.last().and_then(|f| f.exit);
        if let (Some(exit), false) = (exit, self.is_live()) {
            if let (Some(slot), Some(value)) = (exit.result, value) {
                let n = self.number_for(value, None, place)?;
                self.set_variable(slot, n.id);
                if let Some(frame) = self.entry.frames.last_mut() {
                    frame.most = frame.most.max(n.most);
                    frame.cut |= n.cut;
                }
            }
            return match self.decides(exit) {
                true => Ok(Flow::Return),
                false => self.jump(exit, place),
            };
        }
        let nest = self.entry.nest;
        if let Some(frame) = self.entry.frames.last_mut() {
            if frame.nest != nest {
                return Err(no_way_out(place));
            }
            frame.returned = value;
        }
        Ok(Flow::Return)
    }

    /// `stop`: the innermost loop of the routine ends, or else the event or operation.
    pub(super) fn stop(&mut self, place: Place) -> Result<Flow> {
        if let Some(exit) = self.entry.frames.last().and_then(|f| f.loop_exit) {
            return self.stop_loop(exit, place);
        }
        match self.mode.claims() {
            Some((_, exit)) if !self.is_live() => self.jump(exit, place),
            _ => self.finish(status::OK),
        }
    }

    pub(super) fn wait(
        &mut self,
        test: &'a Expr,
        within: &'a Expr,
        otherwise: Option<&'a Stmt>,
    ) -> Result<Flow> {
        let ns = self.exact_number(within)?;
        let done = if self.is_live() {
            let Some(limit) = self.known_now(ns.id) else {
                self.told_unknown()?;
                return Ok(Flow::Next);
            };
            let start = self.clock_of_device();
            loop {
                let now = self.clock_of_device();
                let c = self.condition(test)?;
                let holds = self.known_now(c.id);
                self.told_unknown()?;
                if holds != Some(0) {
                    break self.constant(1);
                }
                if now.saturating_sub(start) > limit {
                    break self.constant(0);
                }
                self.give_back(50);
                self.tick(test.place)?;
                if let Some(device) = self.mode.device() {
                    device.pause(1_000.min(limit));
                }
            }
        } else {
            self.region_open();
            let c = self.condition(test)?;
            let cond = self.region_close();
            match self.out.b.known(c.id) {
                Some(_) => c,
                None => {
                    let id = self.out.b.step(Op::Await {
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

    /// The time, in a first run. Nothing waits where there is no device.
    pub(crate) fn clock_of_device(&mut self) -> u64 {
        self.mode.device().map_or(u64::MAX, |device| device.clock())
    }

    pub fn fence(&mut self, fence: graph::Fence) {
        match self.mode.device() {
            Some(device) => device.fence(fence),
            None => {
                self.out.b.step(Op::Fence(fence));
            }
        }
    }
}
