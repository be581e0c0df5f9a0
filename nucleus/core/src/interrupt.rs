//! Which notification hears of which interrupt line, or of which message.
//!
//! A line is masked when it fires, until everyone is done with it. A message is one event: nothing is masked, and nobody
//! need be done with it.

use crate::{notification::Notification, same, State};
use abi::system::Error;
use core::cell::Cell;

/// Bindings, and lines.
pub const MOST: usize = 64;
/// Set in the number of a message, to tell it from a line.
pub const MESSAGE: u32 = 1 << 31;

#[derive(Clone, Copy)]
struct Binding {
    line: u32,
    notification: &'static Notification,
    bits: u64,
    /// Told, and not yet done.
    pending: bool,
}

pub struct Bindings {
    bound: [Cell<Option<Binding>>; MOST],
    /// Line of each vector; from `fixed` on in the order in which they were first bound.
    lines: [Cell<Option<u32>>; MOST],
    /// So many lines have their own number for that of their vector: their controller knows no other.
    fixed: Cell<usize>,
    /// Interrupts that nobody wanted.
    pub spurious: Cell<u64>,
}

/// What is to be done with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    Leave,
    Mask,
    Unmask,
}

impl Bindings {
    pub const fn new() -> Bindings {
        Bindings {
            bound: [const { Cell::new(None) }; MOST],
            lines: [const { Cell::new(None) }; MOST],
            fixed: Cell::new(0),
            spurious: Cell::new(0),
        }
    }

    /// Lines below `fixed` keep their own number. Only before any is bound, and for [`MOST`] lines at most.
    pub fn fix(&self, fixed: u32) {
        self.fixed.set((fixed as usize).min(MOST));
    }

    /// Its number among all lines that were ever bound, for its vector; its own if it is a fixed one.
    pub fn number(&self, line: u32) -> Result<usize, Error> {
        if let Some(known) = self
            .lines
            .iter()
            .position(|known| known.get() == Some(line))
        {
            return Ok(known);
        }
        let fixed = self.fixed.get();
        let own = Some(line as usize).filter(|line| *line < fixed);
        let free = own
            .or_else(|| (fixed..MOST).find(|n| self.lines[*n].get().is_none()))
            .ok_or(Error::NoRoom)?;
        self.lines[free].set(Some(line));
        Ok(free)
    }

    pub fn line(&self, number: usize) -> Option<u32> {
        self.lines.get(number)?.get()
    }

    fn of(&self, line: u32) -> impl Iterator<Item = (&Cell<Option<Binding>>, Binding)> {
        let all = self
            .bound
            .iter()
            .filter_map(|cell| cell.get().map(|binding| (cell, binding)));
        all.filter(move |(_, binding)| binding.line == line)
    }

    pub fn bind(
        &self,
        line: u32,
        notification: &'static Notification,
        bits: u64,
    ) -> Result<(), Error> {
        if self
            .of(line)
            .any(|(_, binding)| same(binding.notification, notification))
        {
            return Err(Error::Exists);
        }
        let free = self
            .bound
            .iter()
            .find(|cell| cell.get().is_none())
            .ok_or(Error::NoRoom)?;
        free.set(Some(Binding {
            line,
            notification,
            bits,
            pending: false,
        }));
        Ok(())
    }

    /// Whether the line, which was masked when it fired, may fire again.
    pub fn done(&self, line: u32, notification: &Notification) -> Result<Line, Error> {
        let found = self
            .of(line)
            .find(|(_, binding)| same(binding.notification, notification));
        let (cell, binding) = found.ok_or(Error::BadArgument)?;
        if !binding.pending {
            return Ok(Line::Leave);
        }
        cell.set(Some(Binding {
            pending: false,
            ..binding
        }));
        Ok(self.state(line))
    }

    /// What a line should be: masked while anyone it told is not done, or nobody wants it.
    pub fn state(&self, line: u32) -> Line {
        if self.of(line).next().is_none() {
            Line::Mask
        } else if self.of(line).any(|(_, binding)| binding.pending) {
            Line::Leave
        } else {
            Line::Unmask
        }
    }

    /// Takes one binding back; what becomes of its line.
    pub fn unbind(&self, line: u32, notification: &Notification) -> Line {
        let found = self
            .of(line)
            .find(|(_, binding)| same(binding.notification, notification));
        if let Some((cell, _)) = found {
            cell.set(None);
        }
        self.state(line)
    }

    /// Drops all bindings to notifications that `dead` holds for, and says what becomes of their lines.
    pub fn sweep(&self, dead: impl Fn(&Notification) -> bool, mut then: impl FnMut(u32, Line)) {
        for cell in &self.bound {
            if let Some(binding) = cell.get().filter(|binding| dead(binding.notification)) {
                cell.set(None);
                let state = self.state(binding.line);
                if binding.pending || state == Line::Mask {
                    then(binding.line, state)
                }
            }
        }
    }
}

impl Default for Bindings {
    fn default() -> Self {
        Bindings::new()
    }
}

impl State {
    /// The line fired and was masked, or the message came: tells all that are bound to it. False if nobody is.
    pub fn fire(&'static self, line: u32) -> bool {
        let mut any = false;
        for (cell, binding) in self.interrupts.of(line) {
            cell.set(Some(Binding {
                pending: line & MESSAGE == 0,
                ..binding
            }));
            self.notify(binding.notification, binding.bits);
            any = true;
        }
        any
    }
}
