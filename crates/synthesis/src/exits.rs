//! What can be left: the blocks and loops that are being written, by name, and jumps out of them.
//!
//! A loop whose turns are written out one after another needs a block around it only if something inside leaves it where
//! the run decides. That shows when its last turn is written: until then its block is a *tentative* one.

use crate::execute::Flow;
use crate::instance::Specialiser;
use crate::{Error, Result};
use alloc::vec::Vec;
use graph::{Id, Op};
use rulebook::tree::Place;

/// Names one block or loop of the entry that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(u32);

/// Where `return`, `stop` and a `claim` that fails go.
#[derive(Clone, Copy, Debug)]
pub struct Exit {
    label: Label,
    /// Open run-time regions where the block stands: at the same depth a jump is decided here and now.
    nest: u32,
    /// Turns are written out: a jump that is decided ends the writing.
    unrolled: bool,
    /// Where the value of a `return` goes.
    pub result: Option<u16>,
}

struct Open {
    label: Label,
    tentative: bool,
    /// Something jumps to its end.
    left: bool,
    /// Jumps that go through it to the end of one around it.
    passing: Vec<Id>,
}

/// The blocks and loops that are open, the innermost last.
#[derive(Default)]
pub struct Exits {
    open: Vec<Open>,
    made: u32,
    /// How many jumps were written.
    jumps: u32,
}

impl Exits {
    fn enter(&mut self, tentative: bool) -> Label {
        let label = Label(self.made);
        self.made += 1;
        self.open.push(Open {
            label,
            tentative,
            left: false,
            passing: Vec::new(),
        });
        label
    }

    fn is_left(&self) -> bool {
        self.open.last().is_some_and(|open| open.left)
    }

    fn close(&mut self) -> Vec<Id> {
        self.open.pop().map_or(Vec::new(), |open| open.passing)
    }

    pub fn jumps(&self) -> u32 {
        self.jumps
    }
}

impl<'a> Specialiser<'a, '_> {
    /// Writes a jump to the end of a block or loop around.
    pub fn jump(&mut self, to: Exit, place: Place) -> Result<Flow> {
        let open = &mut self.entry.exits.open;
        let Some(at) = open.iter().rposition(|open| open.label == to.label) else {
            return Err(Error::new(
                place,
                "what is left here is not open any more",
                "this is a fault of the specialiser: report it with the rule",
            ));
        };
        let passed = open.len() - 1 - at;
        let step = self.out.b.step(Op::Leave(passed as u8));
        open[at].left = true;
        self.entry.exits.jumps += 1;
        let open = &mut self.entry.exits.open;
        for through in &mut open[at + 1..] {
            if through.tentative {
                through.passing.push(step);
            }
        }
        Ok(Flow::Ended)
    }

    /// Whether a jump there, from here, is decided while the code is written.
    pub fn decides(&self, exit: Exit) -> bool {
        self.entry.nest == exit.nest
    }

    /// `body` with a block around it.
    pub fn in_block<T>(
        &mut self,
        result: Option<u16>,
        body: impl FnOnce(&mut Self, Exit) -> Result<T>,
    ) -> Result<T> {
        let (region, outcome) = self.leavable(result, body)?;
        self.out.b.step(Op::Block(region));
        Ok(outcome)
    }

    /// A region that jumps may leave, to be the body of a block or a loop.
    pub fn leavable<T>(
        &mut self,
        result: Option<u16>,
        body: impl FnOnce(&mut Self, Exit) -> Result<T>,
    ) -> Result<(graph::RegionId, T)> {
        self.region_open();
        let exit = Exit {
            label: self.entry.exits.enter(false),
            nest: self.entry.nest,
            unrolled: false,
            result,
        };
        let outcome = body(self, exit)?;
        self.entry.exits.close();
        Ok((self.region_close(), outcome))
    }

    /// Writes turns out one after another. `stop` inside ends them all: here and now, or by a jump.
    pub fn unrolled(
        &mut self,
        place: Place,
        turns: impl FnOnce(&mut Self, Exit) -> Result<Flow>,
    ) -> Result<Flow> {
        let mark = self.mark();
        let exit = Exit {
            label: self.entry.exits.enter(true),
            nest: self.entry.nest,
            unrolled: true,
            result: None,
        };
        if self.is_live() {
            let flow = self.in_loop(exit, |s| turns(s, exit))?;
            self.entry.exits.close();
            return Ok(over(flow));
        }
        self.out.b.open();
        let flow = self.in_loop(exit, |s| turns(s, exit))?;
        if !self.entry.exits.is_left() {
            // Nothing jumps to its end: there is no block.
            for jump in self.entry.exits.close() {
                self.out.b.nearer(jump);
            }
            self.out.b.splice();
            return Ok(over(flow));
        }
        if flow == Flow::Return {
            // Decided for this way through; another comes to the end of the block.
            match self.entry.frames.last().and_then(|f| f.exit) {
                Some(routine) => self.jump(routine, place)?,
                None => return Err(no_way_out(place)),
            };
        }
        self.entry.exits.close();
        self.back_to(mark);
        let region = self.out.b.close();
        self.out.b.step(Op::Block(region));
        Ok(Flow::Next)
    }

    /// `stop`: the innermost loop of the routine ends, or else the event or operation.
    pub fn stop_loop(&mut self, exit: Exit, place: Place) -> Result<Flow> {
        match self.is_live() || (exit.unrolled && self.decides(exit)) {
            true => Ok(Flow::Break),
            false => self.jump(exit, place),
        }
    }
}

/// What a loop does that was ended: it goes on behind it.
fn over(flow: Flow) -> Flow {
    match flow {
        Flow::Break => Flow::Next,
        flow => flow,
    }
}

/// A `return` stands where the run decides, and nothing was prepared for it.
pub fn no_way_out(place: Place) -> Error {
    Error::new(
        place,
        "a `return` stands here that the routine's end does not know of",
        "this is a fault of the specialiser: report it with the rule",
    )
}
