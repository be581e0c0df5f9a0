//! Why a driver is given up.

use crate::facts::Kind;
use crate::residual::EntryId;
use abi::status;
use core::fmt;

/// Final: the driver takes no more requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The residual broke its class's contract.
    Contract(Violation),
    /// Failure number so-and-so of the residual, which has no recovery for it.
    Unrecovered(u64),
    /// Reset again and again without a success in between.
    Exhausted,
    /// The device is no longer there.
    Gone,
    /// The device is not the one the code was written for.
    Changed,
}

/// What a residual must not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// An upcall with a ticket that is not outstanding.
    Ticket(u64),
    /// An upcall that does not answer this kind of operation.
    WrongUpcall(Kind),
    /// More bytes received than the buffer has.
    Overlong(u64),
    /// An upcall that the class does not have.
    NoSuchUpcall,
    /// `busy`, though the operation was answered.
    BusyAfterAnswer(Kind),
    /// A status that this entry must not return.
    Status(EntryId, u64),
    /// A child of a place that the bus does not have.
    NoSuchPlace(u64),
    /// A status that no entry returns.
    Unknown(u64),
}

impl Failure {
    /// As `value` of a `FAILED` entry.
    pub fn status(&self) -> u64 {
        match *self {
            Failure::Contract(_) => status::VIOLATION,
            Failure::Unrecovered(number) => status::FAIL.wrapping_add(number),
            Failure::Exhausted => status::RESET,
            Failure::Gone => status::GONE,
            Failure::Changed => status::CHANGED,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Failure::Contract(violation) => write!(f, "the driver broke its contract: {violation}"),
            Failure::Unrecovered(n) => write!(f, "failure number {n}, which no recovery serves"),
            Failure::Exhausted => write!(f, "reset several times in a row without a success"),
            Failure::Gone => write!(f, "the device is no longer there"),
            Failure::Changed => write!(f, "the device is not the one the code was written for"),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Violation::Ticket(t) => {
                write!(f, "it answered ticket {t:#x}, which is not outstanding")
            }
            Violation::WrongUpcall(kind) => {
                write!(f, "it answered a {kind:?} with another's upcall")
            }
            Violation::Overlong(n) => write!(f, "it received {n} bytes into a smaller buffer"),
            Violation::NoSuchUpcall => write!(f, "it called what its class does not have"),
            Violation::BusyAfterAnswer(kind) => {
                write!(
                    f,
                    "it answered a {kind:?} and then said that it had no room for it"
                )
            }
            Violation::Status(entry, status) => write!(f, "{entry:?} returned status {status:#x}"),
            Violation::NoSuchPlace(place) => {
                write!(
                    f,
                    "it spoke of a child in place {place}, which it does not have"
                )
            }
            Violation::Unknown(status) => write!(f, "status {status:#x} means nothing"),
        }
    }
}
