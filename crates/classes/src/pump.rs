//! The pump: one loop per class around a residual.
//!
//! A turn: handle events (upcalls append to `done`); take at most [`BATCH`] requests from `todo`; one tail a kind for
//! the batch; publish `done`. Statuses are served by `abi::status`: `AGAIN` posts the event again, a failure calls its
//! recovery, `RESET` brings everything outstanding back failed and calls `init` again, `CHANGED` and `GONE` are final.
//!
//! A device that has seen memory is made `quiet` before anybody else gets that memory: before a buffer goes back that it was
//! not done with, before the arena is zeroed for `init`, and when the driver ends.

mod failure;
mod requests;
mod upcalls;

pub use failure::{Failure, Violation};

use crate::facts::{Class, Facts, Kind, Units};
use crate::memory::{Memory, Pool};
use crate::residual::{Code, EntryId, Residual, Unfit};
use crate::ring::{Driver, State};
use crate::tickets::{Pending, Tickets};
use abi::context::{Context, Upcall};
use abi::ring::{done, Entry};
use abi::status;

/// Most requests taken in one turn.
pub const BATCH: u32 = 64;
/// Most times an event that returns `AGAIN` is called in one turn.
const EVENTS: u32 = 16;
/// Most resets in a row without a success in between.
const RESETS: u32 = 3;
/// Most statuses served one after another before the driver is given up.
const SETTLE: u32 = 16;
/// Between two looks at what rests, in nanoseconds.
const WATCH: u64 = 100_000_000;
/// Slots of `done` kept for news that no request paid for.
pub(crate) const RESERVE: u32 = 8;

/// Upcalls that a residual may name.
pub const UPCALLS: usize = 8;

/// One driver: a residual, its surroundings, and the driver's side of its rings.
///
/// The context is the first field, and the pump is `repr(C)`: an upcall gets the context's address and finds the pump there.
#[repr(C)]
pub struct Pump {
    context: Context,
    upcalls: [Upcall; UPCALLS],
    residual: Residual,
    memory: Memory,
    class: Class,
    units: Units,
    rings: Driver,
    tickets: Tickets,
    /// The request at the head of `todo`, copied, while there is no room for it.
    head: Option<requests::Request>,
    /// serial: bytes of the head already sent.
    sent: u32,
    /// Requests left in `todo` when there was no room for them.
    seen: u32,
    ready: bool,
    failure: Option<Failure>,
    /// The last failure that a recovery was called for.
    served: Option<u64>,
    violation: Option<Violation>,
    /// Interrupts to be served again: bit n for message n, any bit for the wire.
    posted: u64,
    resets: u32,
    /// When what rests is looked at next.
    look: u64,
    /// A link state that is not told yet.
    link: Option<bool>,
    /// `None` until told.
    carrier: Option<bool>,
    counters: Counters,
}

/// What a driver has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub accepted: u64,
    pub finished: u64,
    pub refused: u64,
    pub interrupts: u64,
    pub resets: u64,
    /// Bytes, frames, keys and other news that found no room.
    pub dropped: u64,
}

/// What the caller does after a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// The client sleeps: notify it.
    pub wake: bool,
    /// There is more to do at once: call `turn` again before sleeping.
    pub again: bool,
    /// The interrupt was this device's.
    pub mine: bool,
}

impl Pump {
    /// A driver that is not started. `upcalls` are the residual's names for them, by index.
    pub fn new<'a>(
        class: Class,
        units: impl Into<Units>,
        residual: Residual,
        upcalls: impl IntoIterator<Item = &'a str>,
        memory: Memory,
        rings: Driver,
    ) -> Result<Pump, Unfit> {
        requests::fits(class, &residual)?;
        let units: Units = units.into();
        let facts = units.first();
        if !memory.within(facts.reach) {
            return Err(Unfit::Reach(facts.reach));
        }
        Ok(Pump {
            context: memory.context(),
            upcalls: upcalls::table(class, upcalls)?,
            residual,
            memory,
            class,
            units,
            rings,
            tickets: Tickets::default(),
            head: None,
            sent: 0,
            seen: 0,
            ready: false,
            failure: None,
            served: None,
            violation: None,
            posted: 0,
            resets: 0,
            look: 0,
            link: None,
            carrier: None,
            counters: Counters::default(),
        })
    }

    /// Has upcall number `which` of the residual served by another function than the class's: for tests that stand between
    /// code and device. It is called with the pump's context, and must not touch the pump.
    pub fn intercept(&mut self, which: usize, upcall: Upcall) {
        if let Some(place) = self.upcalls.get_mut(which) {
            *place = upcall;
        }
    }

    /// Number of the failure that was served last, if any was.
    pub fn served(&self) -> Option<u64> {
        self.served
    }

    /// Makes the device quiet, whoever used it before, zeroes state and arena, calls `init`, and serves what it returns. The
    /// rings then say ready or failed; the caller notifies the client in both cases, since the generation has changed.
    ///
    /// Called again, everything outstanding comes back failed: no buffer is the device's any more.
    pub fn start(&mut self) -> Result<(), Failure> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let status = self.anew();
        self.begin(status)
    }

    /// Ends the driver's work, until it is started again: the device leaves memory alone, and what is outstanding comes back
    /// failed. Nobody is told.
    ///
    /// # Errors
    /// Why the driver failed, now or before: the device may still use memory.
    pub fn quiet(&mut self) -> Result<(), Failure> {
        self.ready = false;
        self.posted = 0;
        match (self.failure, self.rest_at_last()) {
            (Some(failure), _) => return Err(failure),
            (None, status::OK) => {}
            (None, status) => {
                let failure = match status.checked_sub(status::FAIL) {
                    Some(number) => Failure::Unrecovered(number),
                    None => Failure::Contract(self.broken(status)),
                };
                self.fail(failure);
            }
        }
        self.fail_outstanding();
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    /// The device is to be let go while it is still there: it is made quiet, and the driver is over. `true`: the client
    /// sleeps, notify it.
    pub fn release(&mut self) -> bool {
        let _ = self.quiet();
        self.gone()
    }

    /// Starts another lane of a driver that another pump has started, on the same memory: only what belongs to this lane
    /// is set up.
    pub fn join(&mut self) -> Result<(), Failure> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        self.fail_outstanding();
        let status = match self.residual.entry(EntryId::Join) {
            Some(code) => self.set_up(EntryId::Join, code),
            None => status::OK,
        };
        self.begin(status)
    }

    /// Another lane has set the device up anew: what this one had outstanding comes back failed.
    pub fn lose(&mut self) {
        self.fail_outstanding();
        self.posted = 0;
        self.rings.publish();
    }

    fn begin(&mut self, status: u64) -> Result<(), Failure> {
        self.settle(status);
        // Not before the device is quiet: the client takes its buffers back.
        self.rings.begin();
        self.rings.publish();
        match self.failure {
            Some(failure) => Err(failure),
            None => {
                self.ready = true;
                self.rings.set_state(State::Ready);
                Ok(())
            }
        }
    }

    /// One turn. `interrupt`: the device's line fired, or the caller polls.
    pub fn turn(&mut self, interrupt: bool) -> Turn {
        self.turn_for(if interrupt { u64::MAX } else { 0 })
    }

    /// One turn after interrupts: bit n for message n; of a device with a wire, any bit.
    pub fn turn_for(&mut self, interrupts: u64) -> Turn {
        let mut turn = Turn::default();
        if self.failure.is_none() && self.ready {
            turn.mine = self.events(interrupts);
            self.watch();
        }
        turn.again = self.requests();
        self.tell_link();
        turn.again |= self.posted != 0 && self.failure.is_none();
        turn.wake = self.rings.publish();
        turn
    }

    /// Somebody saw that the device was taken away: what is outstanding comes back failed, and the device is not touched
    /// again. `true`: the client sleeps, notify it.
    pub fn gone(&mut self) -> bool {
        self.fail(Failure::Gone);
        self.rings.publish()
    }

    /// Tells the client's side how the caller learned that a turn may be due: by an interrupt, or by looking without one.
    pub fn came(&mut self, interrupt: bool, looked: bool) {
        self.rings.came(interrupt, looked);
    }

    /// When a turn is due although nothing happens: something is outstanding that must not rest for ever.
    pub fn deadline(&self) -> Option<u64> {
        let due = self.residual.has(EntryId::Watch) && self.failure.is_none();
        (due && self.tickets.busy() > 0).then_some(self.look)
    }

    /// Looks, from time to time, whether what is outstanding rests.
    fn watch(&mut self) {
        let Some(code) = self.residual.entry(EntryId::Watch) else {
            return;
        };
        if self.tickets.busy() == 0 || self.failure.is_some() {
            return;
        }
        let now = self.clock();
        if now < self.look {
            return;
        }
        self.look = now.saturating_add(WATCH);
        match self.enter(code, [0; 5]) {
            wrong @ (status::BUSY | status::NOT_MINE | status::AGAIN) => {
                self.violation = Some(Violation::Status(EntryId::Watch, wrong));
                self.settle(status::VIOLATION);
            }
            served => self.settle(served),
        }
    }

    /// Says that the caller is about to wait for an interrupt or the bell. `false`: take another turn first.
    pub fn arm(&mut self) -> bool {
        self.rings.arm(self.seen)
    }

    pub fn failure(&self) -> Option<Failure> {
        self.failure
    }

    /// Operations accepted and not yet answered.
    pub fn outstanding(&self) -> usize {
        self.tickets.busy()
    }

    /// Of those, what is not just a buffer that waits for someone to fill it.
    pub fn resting(&self) -> usize {
        let supply = |pending: &Pending| pending.kind == Kind::Supply;
        self.outstanding() - self.tickets.count(supply)
    }

    /// What the last `link` upcall said.
    pub fn carrier(&self) -> Option<bool> {
        self.carrier
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    pub fn class(&self) -> Class {
        self.class
    }

    /// The facts of the first instance.
    pub fn facts(&self) -> &Facts {
        self.units.first()
    }

    /// The facts of every instance.
    pub fn units(&self) -> &Units {
        &self.units
    }

    pub fn has(&self, id: EntryId) -> bool {
        self.residual.has(id)
    }

    pub fn pool(&self) -> Pool {
        self.memory.pool
    }

    pub fn clock(&mut self) -> u64 {
        (self.context.clock)(&mut self.context)
    }

    pub fn pause(&mut self, ns: u64) {
        (self.context.pause)(&mut self.context, ns)
    }

    /// Calls code of the residual. A contract broken meanwhile outweighs what it returned.
    fn enter(&mut self, code: Code, args: [u64; 5]) -> u64 {
        let pump: *mut Pump = self;
        // SAFETY: `pump` is valid and this function's alone until the call returns; the upcalls, which run inside the
        // call and on this thread, are the only ones that use it meanwhile. The context's memory is valid by the
        // contract of `Memory::new`, and its upcalls are this class's.
        let status = unsafe {
            (*pump).context.upcalls = (&raw const (*pump).upcalls).cast();
            code.call(pump.cast::<Context>(), args)
        };
        if self.violation.is_some() {
            return status::VIOLATION;
        }
        status
    }

    fn init(&mut self) -> u64 {
        match self.residual.entry(EntryId::Init) {
            Some(code) => self.set_up(EntryId::Init, code),
            None => status::VIOLATION,
        }
    }

    /// Everything as before `init`, and `init`. The device comes first: as long as it is not quiet, buffers and arena are its.
    fn anew(&mut self) -> u64 {
        match self.rest() {
            status::OK => {}
            status => return status,
        }
        self.fail_outstanding();
        self.posted = 0;
        self.memory.zero();
        self.init()
    }

    /// Has the device leave memory alone. A device that sees no memory has nothing to be told.
    fn rest(&mut self) -> u64 {
        match self.residual.entry(EntryId::Quiet) {
            Some(code) => self.set_up(EntryId::Quiet, code),
            None => status::OK,
        }
    }

    /// The same at the end of a driver: what the rule does about a failure is tried once.
    fn rest_at_last(&mut self) -> u64 {
        let ended = self.rest();
        let failure = ended.checked_sub(status::FAIL);
        match failure.and_then(|number| self.residual.recovery(number)) {
            Some(code) => {
                self.enter(code, [0; 5]);
                self.rest()
            }
            None => ended,
        }
    }

    fn set_up(&mut self, entry: EntryId, code: Code) -> u64 {
        match self.enter(code, [0; 5]) {
            wrong @ (status::BUSY | status::NOT_MINE | status::AGAIN) => {
                self.violation = Some(Violation::Status(entry, wrong));
                status::VIOLATION
            }
            served => served,
        }
    }

    /// Handles interrupts and whatever was posted again. Whether any of it was this device's.
    fn events(&mut self, interrupts: u64) -> bool {
        let (entry, all) = match self.units.first().messages {
            0 => (EntryId::Irq, 1),
            n => (EntryId::Message, u64::MAX >> (64 - n)),
        };
        let Some(code) = self.residual.entry(entry) else {
            return false;
        };
        let posted = core::mem::take(&mut self.posted);
        // The wire has no number: whatever came, it is that.
        let came = match entry {
            EntryId::Irq => u64::from(interrupts | posted != 0),
            _ => (interrupts | posted) & all,
        };
        let mut mine = posted != 0;
        let before = self.told();
        for number in (0..64).filter(|n| came >> n & 1 != 0) {
            mine |= self.event(code, number);
            if self.failure.is_some() {
                break;
            }
        }
        match entry {
            EntryId::Irq => mine,
            // A message is nobody else's, so a rule need not ask whether it is meant: what came of it tells.
            _ => self.told() != before,
        }
    }

    /// Changes when there is anything new to tell.
    fn told(&self) -> (u32, u64, Option<bool>) {
        (self.rings.put_so_far(), self.counters.dropped, self.link)
    }

    /// One interrupt, again as long as it asks for that.
    fn event(&mut self, code: Code, number: u64) -> bool {
        let mut mine = false;
        for _ in 0..EVENTS {
            self.posted &= !(1 << number);
            self.counters.interrupts += 1;
            let status = self.enter(code, [number, 0, 0, 0, 0]);
            mine |= status != status::NOT_MINE;
            match status {
                status::AGAIN => self.posted |= 1 << number,
                other => self.settle(other),
            }
            if self.posted >> number & 1 == 0 || self.failure.is_some() {
                break;
            }
        }
        mine
    }

    /// Serves a status until the driver works again or has failed.
    fn settle(&mut self, mut status: u64) {
        for _ in 0..SETTLE {
            status = match status {
                status::OK | status::NOT_MINE => return,
                status::AGAIN => {
                    self.posted = u64::MAX;
                    return;
                }
                status::RESET if self.resets < RESETS => {
                    self.resets += 1;
                    self.counters.resets += 1;
                    self.anew()
                }
                status::RESET => return self.fail(Failure::Exhausted),
                status::GONE => return self.fail(Failure::Gone),
                status::CHANGED => return self.fail(Failure::Changed),
                other => match other.checked_sub(status::FAIL) {
                    Some(number) => match self.residual.recovery(number) {
                        Some(code) => {
                            self.served = Some(number);
                            self.enter(code, [0; 5])
                        }
                        None => return self.fail(Failure::Unrecovered(number)),
                    },
                    None => {
                        let violation = self.broken(other);
                        return self.fail(Failure::Contract(violation));
                    }
                },
            };
        }
        self.fail(Failure::Exhausted);
    }

    /// What of its contract the residual broke, after a status that means nothing else.
    fn broken(&mut self, status: u64) -> Violation {
        let violation = self.violation.take();
        violation.unwrap_or(Violation::Unknown(status))
    }

    fn fail(&mut self, failure: Failure) {
        if self.failure.is_some() {
            return;
        }
        self.failure = Some(failure);
        self.posted = 0;
        if failure != Failure::Gone {
            // As well as it still goes: the driver does not come back.
            let _ = self.rest_at_last();
            self.violation = None;
        }
        self.fail_outstanding();
        self.rings.put(Entry {
            kind: done::FAILED,
            value: failure.status(),
            ..Entry::default()
        });
        self.rings.set_state(match failure {
            Failure::Gone => State::Gone,
            _ => State::Failed,
        });
    }

    fn fail_outstanding(&mut self) {
        while let Some(pending) = self.tickets.take_any() {
            self.answer(&pending, false, pending.length);
        }
    }

    /// A link state is told as soon as there is room; a newer one replaces an older one.
    fn tell_link(&mut self) {
        let Some(up) = self.link else { return };
        if self.spare() == 0 {
            return;
        }
        let told = self.rings.put(Entry {
            kind: done::LINK,
            ok: 1,
            value: u64::from(up),
            ..Entry::default()
        });
        if told {
            self.link = None;
        }
    }

    /// Slots of `done` that are not spoken for by what is outstanding.
    fn spare(&self) -> u32 {
        let promised = self.tickets.busy() as u32 + u32::from(self.head.is_some());
        self.rings.room().saturating_sub(promised)
    }
}
