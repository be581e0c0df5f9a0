//! Slots that the operation at work took: `busy` gives them back. What a turn of a loop took stays taken when the turn is
//! over: it is that turn's, and came to its end. Where a `busy` cannot know whether a slot was taken, because that was in a
//! branch that is closed by then, the rule is refused.

use crate::instance::InstanceId;
use crate::value::Num;
use alloc::vec::Vec;
use rulebook::tree::{Name, Place};

/// A slot: of which instance's slots, and which.
pub type One<'a> = (InstanceId, Name, Num<'a>);

#[derive(Default)]
pub struct Taken<'a> {
    /// Those that are taken wherever control is now, each with the place of its `take`.
    sure: Vec<(One<'a>, Place)>,
    /// Where one was taken in a branch that is closed by now.
    maybe: Option<Place>,
}

/// What was taken when a turn of a loop began.
#[derive(Clone, Copy)]
pub struct Turn {
    sure: usize,
    maybe: Option<Place>,
}

impl<'a> Taken<'a> {
    pub fn take(&mut self, one: One<'a>, place: Place) {
        self.sure.push((one, place));
    }

    /// What the operation gives back when it ends as `busy`.
    ///
    /// # Errors
    /// Where one was taken that may or may not be.
    pub fn end(&self) -> Result<Vec<One<'a>>, Place> {
        match self.maybe {
            Some(place) => Err(place),
            None => Ok(self.sure.iter().map(|(one, _)| *one).collect()),
        }
    }

    pub fn turn(&self) -> Turn {
        Turn {
            sure: self.sure.len(),
            maybe: self.maybe,
        }
    }

    /// The turn that began there is over.
    pub fn turned(&mut self, turn: Turn) {
        self.sure.truncate(turn.sure);
        self.maybe = turn.maybe;
    }

    pub fn mark(&self) -> usize {
        self.sure.len()
    }

    /// The region that began here is closed.
    pub fn back_to(&mut self, mark: usize) {
        if let Some((_, place)) = self.sure.get(mark) {
            self.maybe = self.maybe.or(Some(*place));
        }
        self.sure.truncate(mark);
    }

    /// What is not sure here.
    pub fn maybe(&self) -> Option<Place> {
        self.maybe
    }

    /// The other side of a choice begins: what was not sure before it is what is not sure here. Gives what the first side
    /// left.
    pub fn other_side(&mut self, before: Option<Place>) -> Option<Place> {
        core::mem::replace(&mut self.maybe, before)
    }

    /// Both sides are over.
    pub fn join(&mut self, first: Option<Place>) {
        self.maybe = self.maybe.or(first);
    }
}
