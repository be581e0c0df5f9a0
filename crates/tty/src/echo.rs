//! What is to be shown of typed bytes. It is kept as steps and not as bytes, because how far back a tab is erased is only
//! known when the step is shown, and because a stopped terminal shows nothing until it goes on.

use alloc::collections::VecDeque;

/// One step of echo.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// This byte, as output.
    Byte(u8),
    /// This control character as `^X`.
    Control(u8),
    /// The cursor did not move for the byte before.
    Back,
    /// Here the line begins.
    Begin,
    /// Back over a tab: columns modulo 8 before it, and whether they count from another tab.
    Tab(u8, bool),
}

impl Step {
    /// Bytes that Linux keeps for it; they say when it is shown without waiting for the end of a burst.
    fn size(self) -> usize {
        match self {
            Step::Byte(0xff) | Step::Control(_) | Step::Back | Step::Begin => 2,
            Step::Byte(_) => 1,
            Step::Tab(..) => 3,
        }
    }
}

/// Bytes of steps that are shown at once.
const BLOCK: usize = 256;
/// Bytes of steps from which the oldest are forgotten: 4,096 less a block and a little.
const FULL: usize = 4096 - (BLOCK + 32);

/// Bytes of steps that are never held back. Linux has room for no more; without this many reprints of a long line in
/// one burst would have no bound.
const MOST: usize = 4096;

#[derive(Default)]
pub(crate) struct Echo {
    steps: VecDeque<Step>,
    size: usize,
    /// Steps, and their bytes, that may be shown.
    commit: (usize, usize),
    /// Steps, and their bytes, that belong to whole characters.
    mark: (usize, usize),
}

impl Echo {
    pub fn clear(&mut self) {
        *self = Echo::default();
    }

    pub fn add(&mut self, step: Step) {
        self.steps.push_back(step);
        self.size += step.size();
    }

    /// A character is complete. Whether a block has come together that is to be shown now.
    pub fn mark(&mut self) -> bool {
        self.mark = (self.steps.len(), self.size);
        let no_block = self.size % BLOCK > self.commit.1 % BLOCK;
        if self.size < BLOCK || no_block && self.size < MOST {
            return false;
        }
        self.commit = self.mark;
        true
    }

    /// Everything may be shown; whether that is news.
    pub fn commit_all(&mut self) -> bool {
        let news = self.commit.0 != self.steps.len();
        self.commit = (self.steps.len(), self.size);
        news
    }

    /// Whole characters may be shown.
    pub fn commit_marked(&mut self) {
        if self.mark.0 > 0 {
            self.commit = self.mark;
        }
    }

    /// The next step that may be shown.
    pub fn first(&self) -> Option<Step> {
        self.steps.front().copied().filter(|_| self.commit.0 > 0)
    }

    /// It has been shown.
    pub fn pass(&mut self) {
        let Some(step) = self.steps.pop_front() else {
            return;
        };
        let size = step.size();
        self.size -= size;
        for part in [&mut self.commit, &mut self.mark] {
            if part.0 > 0 {
                *part = (part.0 - 1, part.1 - size);
            }
        }
    }

    /// Forgets the oldest of too much that can't be shown.
    pub fn forget(&mut self) {
        while self.commit.1 >= FULL {
            self.pass();
        }
    }
}
