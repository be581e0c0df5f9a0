//! Devices that break: what a driver sees of its device is spoilt between the two, at graph level, from some access on.
//!
//! Whatever a device does, a driver must stay inside its memory and windows, come back from every entry, and keep its
//! class's contract: each request is answered once, or the driver fails by a name.

use crate::models::Model;
use crate::stand::{Outside, Stand};
use crate::ways;
use crate::{Error, Result};
use classes::selftest::{Effort, Outcome, Reason};
use classes::Failure;
use graph::{Space, Width};
use qtest::run::{Device, Disturb};
use rulebook::tree::Book;

/// What is wrong with the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is gone: every read gives all ones, writes reach nobody.
    Ones,
    /// Every register keeps giving what it gave first.
    Stuck,
    /// Every read gives zero.
    Zeros,
    /// One bit of every read is wrong, another each time.
    Noise,
    /// Memory that it shares gives numbers that are too large: wild indices, lengths, tags.
    Wild,
    /// Memory that it shares gives zero: completions that say nothing, or less than was asked for.
    Short,
    /// Memory that it shares is as it was first seen: completions that never come.
    Silent,
}

impl Kind {
    pub const ALL: [Kind; 7] = [
        Kind::Ones,
        Kind::Stuck,
        Kind::Zeros,
        Kind::Noise,
        Kind::Wild,
        Kind::Short,
        Kind::Silent,
    ];
}

/// What it came to. Anything else is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The self-test did not notice.
    Well,
    /// The driver failed by a name, and said so.
    Failed(String),
    /// Requests were answered, and the self-test saw that the answers were wrong.
    Noticed(&'static str),
    /// A request was not answered within a second of the driver's time; nothing else happened.
    Waiting(&'static str),
}

/// Nothing is to be expected of a broken device: time goes faster for whoever waits for it.
const HURRY: u64 = 100;

/// Runs the self-test of a model's class while the device breaks after `after` accesses.
///
/// # Errors
/// When the model does not run, or the driver leaves its memory, its windows or its contract, or does not come back.
pub fn run(book: &Book, model: &Model, kind: Kind, after: u64) -> Result<End> {
    let outside = Outside::new(model)?;
    let mut stand = Stand::start(model, &outside)?;
    let written = stand.write(book, &model.class)?;
    let spoil = Spoil {
        kind,
        left: after,
        seen: Vec::new(),
        state: after.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
    };
    stand.machine.hurry(HURRY);
    let mut device = Device::disturbed(&stand.machine, &written.residual, Some(Box::new(spoil)))?;
    let broke = |why: String| Error(format!("{kind:?} after {after} accesses: {why}"));
    let (outcome, _) = ways::selftest(&mut device, &written, &model.class, Effort::Quick)
        .map_err(|error| broke(error.to_string()))?;
    match outcome {
        Outcome::Verified | Outcome::Unverified(_) => Ok(End::Well),
        Outcome::Rejected(Reason::Wrong(what)) => Ok(End::Noticed(what)),
        Outcome::Rejected(Reason::Silent(what)) => Ok(End::Waiting(what)),
        Outcome::Rejected(Reason::Driver(failure)) => match failure {
            Failure::Contract(violation) => Err(broke(format!("contract: {violation:?}"))),
            failure => Ok(End::Failed(failure.to_string())),
        },
    }
}

struct Spoil {
    kind: Kind,
    /// Accesses until the device breaks.
    left: u64,
    /// What places gave first, since then.
    seen: Vec<((u8, u64), u64)>,
    state: u64,
}

/// Space of the arena and the pool beside the numbers of windows.
const ARENA: u8 = 254;
const POOL: u8 = 255;

impl Spoil {
    fn broken(&mut self) -> bool {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                false
            }
            None => true,
        }
    }

    fn dice(&mut self) -> u64 {
        // Marsaglia 2003, xorshift64.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    /// The first value that this place gave.
    fn first(&mut self, place: (u8, u64), value: u64) -> u64 {
        if let Some((_, value)) = self.seen.iter().find(|(known, _)| *known == place) {
            return *value;
        }
        self.seen.push((place, value));
        value
    }
}

impl Disturb for Spoil {
    fn read(&mut self, window: u8, at: u64, width: Width, value: u64) -> u64 {
        if !self.broken() {
            return value;
        }
        match self.kind {
            Kind::Ones => width.mask(),
            Kind::Zeros => 0,
            Kind::Stuck => self.first((window, at), value),
            Kind::Noise => value ^ 1 << (self.dice() % u64::from(width.bits())),
            Kind::Wild | Kind::Short | Kind::Silent => value,
        }
    }

    fn write(&mut self, _: u8, _: u64, _: Width, value: u64) -> Option<u64> {
        let gone = self.kind == Kind::Ones && self.left == 0;
        (!gone).then_some(value)
    }

    fn load(&mut self, space: Space, at: u64, _: Width, value: u64) -> u64 {
        if self.left > 0 {
            return value;
        }
        let place = match space {
            Space::Arena => (ARENA, at),
            _ => (POOL, at),
        };
        match self.kind {
            Kind::Wild => value ^ self.dice(),
            Kind::Short => 0,
            Kind::Silent => self.first(place, value),
            _ => value,
        }
    }
}
