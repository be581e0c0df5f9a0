//! Match and specialise: rule × facts → code graph.
//!
//! The specialiser is a partial evaluator of the rule tree. Whatever facts decide is computed here and is gone;
//! whatever needs the device, the client or time becomes graph nodes. In *live* mode the same evaluator carries
//! every device access out at once, so that nothing remains: this is how the first run of a rule's `init`
//! finds the facts that `learn` names.
#![no_std]
extern crate alloc;

mod bindable;
mod bus;
mod each;
mod entries;
mod evaluate;
mod execute;
mod exits;
mod folding;
mod glance;
mod guard;
mod instance;
mod layout;
mod lent;
mod matching;
mod messages;
mod mode;
mod overlay;
mod place;
mod plan;
mod proved;
mod register;
mod ring;
mod room;
mod slots;
mod spread;
mod taken;
mod told;
mod value;
mod watch;

use alloc::{format, string::String, vec::Vec};
use graph::Access;
use machine::{Device, Fact, Machine};
use rulebook::tree::{Book, Place};

pub use bindable::bindable;
pub use each::LANES;
pub use entries::{serves_nothing, Written};
pub use matching::{candidates, match_device, Choice, Clue, Verdict};
pub use messages::{hears_messages, MESSAGES, MOST_MESSAGES};
pub use plan::{plan, subject, Job, Plan, Unmatched, COST, GIVEN};

/// Why a rule could not be specialised for a device. The rule's author reads this.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    pub place: Place,
    pub reason: String,
    pub suggestion: String,
}

impl Error {
    pub(crate) fn new(
        place: Place,
        reason: impl Into<String>,
        suggestion: impl Into<String>,
    ) -> Error {
        Error {
            place,
            reason: reason.into(),
            suggestion: suggestion.into(),
        }
    }
    /// `nic/x.rule:12:5: reason (suggestion)`
    pub fn show(&self, book: &Book) -> String {
        let file = book
            .files
            .get(self.place.file as usize)
            .map_or("?", |f| f.as_str());
        format!(
            "{}:{}:{}: {} ({})",
            file, self.place.line, self.place.column, self.reason, self.suggestion
        )
    }
}

pub type Result<T> = core::result::Result<T, Error>;

/// What a rule is specialised for.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub book: &'a Book,
    pub machine: &'a Machine,
    pub device: &'a Device,
    /// Facts that the one who asks supplies (`timer_vector`), by name.
    pub given: &'a [(&'a str, u64)],
}

/// Runs the `init` of the chosen rule on the device itself and returns the facts it learned.
///
/// `windows` of the chosen rule are opened one by one through `open` before the first access to each.
pub fn learn(subject: Subject, choice: &Choice, access: &mut dyn LiveAccess) -> Result<Vec<Fact>> {
    entries::learn(subject, choice, access)
}

/// The same for a CPU that starts after the first, which carries out only what belongs to each: the facts it learned are
/// those of its own. `given` says by `lane` which CPU it is, and `device.learned` holds what the first run returned.
pub fn learn_joining(
    subject: Subject,
    choice: &Choice,
    access: &mut dyn LiveAccess,
) -> Result<Vec<Fact>> {
    entries::learn_joining(subject, choice, access)
}

/// Runs the `quiet` of the chosen rule on the device itself, which then leaves memory alone.
pub fn quiet(subject: Subject, choice: &Choice, access: &mut dyn LiveAccess) -> Result<()> {
    entries::quiet(subject, choice, access)
}

/// Specialises every entry of the chosen rule. `subject.device.learned` holds what [`learn`] returned.
pub fn specialise(subject: Subject, choice: &Choice) -> Result<Written> {
    entries::specialise(subject, choice)
}

/// The same, and what the rule calls the places that the code touches.
pub fn specialise_named(
    subject: Subject,
    choice: &Choice,
) -> Result<(Written, graph::view::Names)> {
    entries::specialise_named(subject, choice)
}

/// The hardware, for the first run: windows are told to it as the rule comes to name them.
pub trait LiveAccess: Access {
    /// Window number `index` is this one. False when it cannot be reached.
    fn open(&mut self, index: u8, window: &graph::Window) -> bool;
}
