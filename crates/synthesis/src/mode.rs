//! What the specialiser is at: it asks clues, carries the first run out, or writes code. What only one of these needs
//! belongs to it.

use crate::exits::Exit;
use crate::instance::InstanceId;
use crate::LiveAccess;
use alloc::{boxed::Box, vec::Vec};
use machine::Fact;
use rulebook::tree::Stmt;

pub enum Mode<'a, 'l> {
    /// The first run: everything is carried out on the device at once, and nothing is written.
    Live(Live<'l>),
    /// A clue is asked, of the model, or of the device too.
    Probing(Probing<'l>),
    /// Code is written, of what facts leave.
    Writing(Writing<'a>),
    /// How many lanes there are is asked: what belongs to the CPU at work does not say. The rest is as around it.
    Counting(Box<Mode<'a, 'l>>),
}

pub struct Live<'l> {
    device: &'l mut dyn LiveAccess,
    /// A further CPU comes up: what the first one learned is known.
    joining: bool,
    /// Facts in the order they were learned.
    learned: Vec<Fact>,
    /// Members that their filter left out: bank and position.
    dropped: Vec<(usize, u64)>,
    /// Status that the run ended with, if not by its end.
    ended: Option<u64>,
}

pub struct Probing<'l> {
    device: Option<&'l mut dyn LiveAccess>,
    /// Not only what is declared `pure` may be touched: an earlier clue held, or the rule itself named the place.
    may_touch: bool,
    touched: bool,
}

/// The slots of local variables, and where control goes, in the entry that is being written.
#[derive(Default)]
pub struct Writing<'a> {
    /// Remembers that a bounded loop met its bound, in an event.
    again: Option<u16>,
    /// In the event of one of several instances: whether any claimed it, and where to go if this one does not.
    claims: Option<(u16, Exit)>,
    /// Tails of the operation, kept for its `.then` entry; without it they run at once.
    tails: Option<Vec<(InstanceId, &'a [Stmt])>>,
    /// A value that was measured in the first run, and is not measured again.
    measured: bool,
}

impl<'a, 'l> Mode<'a, 'l> {
    pub fn live(device: &'l mut dyn LiveAccess, joining: bool) -> Self {
        Mode::Live(Live {
            device,
            joining,
            learned: Vec::new(),
            dropped: Vec::new(),
            ended: None,
        })
    }

    pub fn probing(device: Option<&'l mut dyn LiveAccess>, may_touch: bool) -> Self {
        Mode::Probing(Probing {
            device,
            may_touch,
            touched: false,
        })
    }

    pub fn writing() -> Self {
        Mode::Writing(Writing::default())
    }

    fn inner(&self) -> &Self {
        match self {
            Mode::Counting(around) => around.inner(),
            mode => mode,
        }
    }

    fn inner_mut(&mut self) -> &mut Self {
        match self {
            Mode::Counting(around) => around.inner_mut(),
            mode => mode,
        }
    }

    fn first(&self) -> Option<&Live<'l>> {
        match self.inner() {
            Mode::Live(live) => Some(live),
            _ => None,
        }
    }

    fn first_mut(&mut self) -> Option<&mut Live<'l>> {
        match self.inner_mut() {
            Mode::Live(live) => Some(live),
            _ => None,
        }
    }

    fn writes(&self) -> Option<&Writing<'a>> {
        match self.inner() {
            Mode::Writing(writing) => Some(writing),
            _ => None,
        }
    }

    fn writes_mut(&mut self) -> Option<&mut Writing<'a>> {
        match self.inner_mut() {
            Mode::Writing(writing) => Some(writing),
            _ => None,
        }
    }

    /// Asks how many lanes there are; [`Self::counted`] ends it.
    pub fn count(&mut self) {
        let around = core::mem::replace(self, Mode::writing());
        *self = Mode::Counting(Box::new(around));
    }

    pub fn counted(&mut self) {
        if let Mode::Counting(around) = core::mem::replace(self, Mode::writing()) {
            *self = *around;
        }
    }

    pub fn is_counting(&self) -> bool {
        matches!(self, Mode::Counting(_))
    }

    /// Whether there is a device, on which everything is carried out at once.
    pub fn is_live(&self) -> bool {
        match self.inner() {
            Mode::Live(_) => true,
            Mode::Probing(probing) => probing.device.is_some(),
            _ => false,
        }
    }

    /// The device itself, or the world that stands for it.
    pub fn device(&mut self) -> Option<&mut (dyn LiveAccess + 'l)> {
        match self.inner_mut() {
            Mode::Live(live) => Some(&mut *live.device),
            Mode::Probing(probing) => match &mut probing.device {
                Some(device) => Some(&mut **device),
                None => None,
            },
            _ => None,
        }
    }

    /// The device, about to be asked or told something.
    pub fn touch(&mut self) -> Option<&mut (dyn LiveAccess + 'l)> {
        if let Mode::Probing(probing) = self.inner_mut() {
            probing.touched = true;
        }
        self.device()
    }

    /// Whether a clue touched the device.
    pub fn touched(&self) -> bool {
        matches!(self.inner(), Mode::Probing(probing) if probing.touched)
    }

    /// Whether a register may be read: a clue may not, unless reading has no effect, or the device is known already.
    pub fn may_read(&self, pure: bool) -> bool {
        match self.inner() {
            Mode::Probing(probing) => pure || probing.may_touch,
            _ => true,
        }
    }

    pub fn may_write(&self) -> bool {
        self.may_read(false)
    }

    /// Whether the facts of an earlier run are known from the start.
    pub fn remembers(&self) -> bool {
        match self.inner() {
            Mode::Live(live) => live.joining,
            _ => !self.is_live(),
        }
    }

    /// Whether a fact that was worked out may be kept. A clue's may not: what is asked of the device may change.
    pub fn keeps(&self) -> bool {
        !matches!(self.inner(), Mode::Probing(_))
    }

    /// Whether what is stored is given to the device: a clue gives it nothing.
    pub fn gives(&self) -> bool {
        matches!(self, Mode::Live(_) | Mode::Writing(_))
    }

    // ---- the first run

    pub fn learn(&mut self, fact: Fact) {
        if let Some(live) = self.first_mut() {
            live.learned.push(fact);
        }
    }

    /// What a first run found.
    pub fn into_learned(self) -> Vec<Fact> {
        match self {
            Mode::Live(live) => live.learned,
            _ => Vec::new(),
        }
    }

    /// A filter left out this member of a bank.
    pub fn drop_member(&mut self, bank: usize, position: u64) {
        if let Some(live) = self.first_mut() {
            live.dropped.push((bank, position));
        }
    }

    pub fn dropped(&self, bank: usize, position: u64) -> bool {
        self.first()
            .is_some_and(|live| live.dropped.contains(&(bank, position)))
    }

    /// The first run ends with this status, before its end.
    pub fn end(&mut self, status: u64) {
        if let Some(live) = self.first_mut() {
            live.ended = Some(status);
        }
    }

    pub fn has_ended(&self) -> bool {
        self.first().is_some_and(|live| live.ended.is_some())
    }

    pub fn take_end(&mut self) -> Option<u64> {
        self.first_mut()?.ended.take()
    }

    // ---- the code that is written

    pub fn again(&self) -> Option<u16> {
        self.writes()?.again
    }

    pub fn set_again(&mut self, slot: Option<u16>) {
        if let Some(writing) = self.writes_mut() {
            writing.again = slot;
        }
    }

    pub fn claims(&self) -> Option<(u16, Exit)> {
        self.writes()?.claims
    }

    /// Sets where a `claim` that fails goes, and gives what was set before.
    pub fn set_claims(&mut self, claims: Option<(u16, Exit)>) -> Option<(u16, Exit)> {
        let writing = self.writes_mut()?;
        core::mem::replace(&mut writing.claims, claims)
    }

    /// From here on tails are kept for an entry of their own.
    pub fn keep_tails(&mut self) {
        if let Some(writing) = self.writes_mut() {
            writing.tails = Some(Vec::new());
        }
    }

    /// Where tails are kept, if they are.
    pub fn tails(&mut self) -> Option<&mut Vec<(InstanceId, &'a [Stmt])>> {
        self.writes_mut()?.tails.as_mut()
    }

    /// The tails that were kept; from here on they run at once.
    pub fn take_tails(&mut self) -> Vec<(InstanceId, &'a [Stmt])> {
        let kept = self.writes_mut().and_then(|writing| writing.tails.take());
        kept.unwrap_or_default()
    }

    /// The value at hand was measured.
    pub fn measure(&mut self) {
        if let Some(writing) = self.writes_mut() {
            writing.measured = true;
        }
    }

    pub fn take_measured(&mut self) -> bool {
        self.writes_mut()
            .is_some_and(|writing| core::mem::take(&mut writing.measured))
    }
}
