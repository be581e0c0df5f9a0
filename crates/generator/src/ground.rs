//! What the generator stands on.

use crate::Driver;
use alloc::string::String;
use classes::selftest::Effort;
use classes::stand::Stand;
use core::fmt;
use discovery::policy::Place;
use machine::Machine;
use synthesis::{LiveAccess, Written};

/// The registers of one device, for the clues of rules and for the first run of a rule's `init`, which happens before
/// there is code.
pub trait Registers: LiveAccess {
    /// What went wrong: accesses that were outside of the windows, or that nothing answered. They read as all ones or 0.
    fn errors(&self) -> &[String];
}

/// What the generator stands on. Whoever implements this has the privileges; the generator has none.
pub trait Ground {
    type Registers: Registers;

    /// The processor that code is written for.
    fn target(&self) -> emit::Target;

    /// A way to one device. `known` is what the policy of probing knows it as: it limits what may be done to it.
    fn registers(&mut self, known: Place) -> Self::Registers;

    /// Does what could hang the machine, with the device's path in a journal meanwhile; `None`, and nothing is done, if
    /// that hung the machine before.
    fn guarded<R>(&mut self, path: &str, work: impl FnOnce(&mut Self) -> R) -> Option<R>;

    /// Lets a device read and write memory of its own accord, or takes that from it again.
    fn bus_master(&mut self, machine: &Machine, path: &str, on: bool);

    /// Works on a device's table of messages, which is in its registers; `None`, and nothing is done, if that hung the
    /// machine before or is not allowed.
    fn messages(
        &mut self,
        path: &str,
        work: impl FnOnce(&mut dyn discovery::Hardware),
    ) -> Option<()>;

    /// Copies code to where it can run, and finds memory for it: state and arena as large as the residual says, a pool
    /// of `classes::selftest::POOL` bytes, rings, and the registers of its windows.
    ///
    /// # Errors
    /// Why there is no place for it, in words.
    fn stand<'a>(
        &mut self,
        written: &'a Written,
        code: &'a emit::Code,
    ) -> Result<Stand<'a>, String>;

    /// How much the self-tests try.
    fn effort(&self) -> Effort;

    /// Whether memory around what devices were lent is as it was; called after each test.
    ///
    /// # Errors
    /// Where something was stored, in words.
    fn unharmed(&mut self) -> Result<(), String>;

    /// Whether the clock that generated code is given counts real nanoseconds: a new clock can be compared with it.
    fn timed(&self) -> bool;

    /// Ticks of a counter that only has to go forward, for [`crate::Stages`].
    fn ticks(&mut self) -> u64;

    /// A line for whoever watches.
    fn say(&mut self, line: fmt::Arguments);

    /// A driver that can be used was made. The ground may use it itself from now on: as its clock, or its console.
    fn made(&mut self, driver: &Driver);

    /// A driver comes next that answers requests: those before it, of which some may not be usable, are in `drivers`. Its
    /// proof waits for the device, and the ground may rest meanwhile with the help of a timer among them, whose interrupt it
    /// then sees.
    fn asked_next(&mut self, drivers: &mut [Driver]);

    /// All drivers are made. What the ground changed in one that it used goes into [`Driver::state`].
    fn all_made(&mut self, drivers: &mut [Driver]);
}
