//! Devices that break: what a driver sees of its device is spoilt between the two, at graph level, from some access on.
//!
//! Whatever a device does, a driver must stay inside its memory and windows, come back from every entry, and keep its
//! class's contract: each request is answered once and within the time that its rule says, or the driver has no room for it,
//! or fails by a name.

use crate::bounds;
use crate::models::Model;
use crate::stand::{Outside, Stand};
use crate::ways;
use crate::{Error, Result};
use classes::fault::Spoil;
use classes::selftest::{Effort, Outcome, Reason};
use classes::Failure;
use graph::{Space, Width};
use qtest::run::{Device, Disturb};
use rulebook::tree::Book;

pub use classes::fault::Kind;

/// What it came to. Anything else is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The self-test did not notice.
    Well,
    /// The driver failed by a name, and said so.
    Failed(String),
    /// Requests were answered, and the self-test saw that the answers were wrong.
    Noticed(&'static str),
    /// It had no room for a request, all the time.
    Busy(&'static str),
}

/// Nothing is to be expected of a broken device: time goes faster for whoever waits for it.
const HURRY: u64 = 100;

/// Runs the self-test of a model's class while the device breaks after `after` reads.
///
/// # Errors
/// When the model does not run, or the driver leaves its memory, its windows, its contract or its bound, does not come back,
/// or leaves a request without an answer.
pub fn run(book: &Book, model: &Model, kind: Kind, after: u64) -> Result<End> {
    let outside = Outside::new(model)?;
    let mut stand = Stand::start(model, &outside)?;
    let mut written = stand.write(book, &model.class)?;
    if kind == Kind::Lost {
        written.residual = written.residual.deaf();
    }
    let spoil = Broken(Spoil::new(kind, after, u64::MAX), kind);
    stand.machine.hurry(HURRY);
    let mut device = Device::disturbed(&stand.machine, &written.residual, Some(Box::new(spoil)))?;
    let broke = |why: String| Error(format!("{kind:?} after {after} reads: {why}"));
    let (outcome, events) = ways::selftest(&mut device, &written, &model.class, Effort::Patient)
        .map_err(|error| broke(error.to_string()))?;
    bounds::kept(&written.residual, &events).map_err(broke)?;
    match outcome {
        Outcome::Verified | Outcome::Unverified(_) => Ok(End::Well),
        Outcome::Rejected(Reason::Wrong(what)) => Ok(End::Noticed(what)),
        Outcome::Rejected(Reason::Busy(what)) => Ok(End::Busy(what)),
        Outcome::Rejected(silent @ Reason::Silent(_)) => Err(broke(silent.to_string())),
        Outcome::Rejected(Reason::Driver(failure)) => match failure {
            Failure::Contract(violation) => Err(broke(format!("contract: {violation:?}"))),
            failure => Ok(End::Failed(failure.to_string())),
        },
    }
}

/// The fault, and its kind.
struct Broken(Spoil, Kind);

/// Memory beside the numbers of windows.
const MEMORY: u64 = 1 << 16;

impl Disturb for Broken {
    fn read(&mut self, window: u8, at: u64, width: Width, value: u64) -> u64 {
        self.0.read((window.into(), at), width.mask(), value)
    }

    fn write(&mut self, _: u8, _: u64, _: Width, value: u64) -> Option<u64> {
        let gone = self.1 == Kind::Ones && self.0.broken();
        (!gone).then_some(value)
    }

    fn load(&mut self, space: Space, at: u64, width: Width, value: u64) -> u64 {
        let place = (MEMORY | u64::from(space == Space::Pool), at);
        self.0.load(place, width.mask(), value)
    }
}
