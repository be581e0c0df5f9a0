//! From `todo` to the residual's operations.

use super::{Pump, Violation, BATCH, RESERVE};
use crate::facts::{Class, Kind, Units};
use crate::memory::Pool;
use crate::residual::{EntryId, Residual, Unfit};
use crate::tickets::Pending;
use abi::ring::{done, Entry};
use abi::status;
use contract::{ENTRIES, TAILS};

/// A request that was copied and checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pending: Pending,
    /// Block address.
    lba: u64,
    /// Which instance is meant.
    unit: u64,
    /// It is over when it returns, and `busy` means that it was refused.
    at_once: bool,
}

/// Whether the residual has what its class needs.
pub(super) fn fits(class: Class, residual: &Residual) -> Result<(), Unfit> {
    let operations = class.operations();
    let needed = operations.filter(|(_, operation)| !operation.optional);
    let needed = needed.map(|(kind, operation)| (kind.entry(), operation.name));
    for (id, name) in [(EntryId::Init, "init")].into_iter().chain(needed) {
        if !residual.has(id) {
            return Err(Unfit::Missing(name));
        }
    }
    Ok(())
}

// An operation that was accepted is a bit of a word until its tail was called.
const _: () = assert!(ENTRIES.len() <= 64);

/// What became of the request at the head.
enum Served {
    /// Answered or outstanding: the next one, please.
    Done,
    /// No room: it stays at the head.
    Blocked,
}

impl Pump {
    /// Takes a batch and its tails. `true`: there are more requests than one batch.
    pub(super) fn requests(&mut self) -> bool {
        if !self.ready && self.failure.is_none() {
            return false;
        }
        let mut used = 0u64;
        let mut more = false;
        for taken in 0..=BATCH {
            if self.head.is_none() && !self.take() {
                break;
            }
            let Some(request) = self.head else { continue };
            if taken == BATCH {
                more = true;
                break;
            }
            match self.serve(request, &mut used) {
                Served::Done => {}
                Served::Blocked => break,
            }
        }
        self.tails(used);
        let held = self.head.is_some() || self.spare() <= RESERVE;
        self.seen = if held && !more {
            self.rings.waiting()
        } else {
            0
        };
        more
    }

    /// Copies the next request to the head, or answers it if it is a bad one. `false`: there is none, or no room to answer.
    fn take(&mut self) -> bool {
        if self.spare() <= RESERVE {
            return false;
        }
        let Some(entry) = self.rings.take() else {
            return false;
        };
        self.sent = 0;
        match check(
            self.class,
            &self.units,
            &self.memory.pool,
            &self.residual,
            &entry,
        ) {
            Some(request) if self.failure.is_none() => self.head = Some(request),
            _ => self.refuse(&entry),
        }
        true
    }

    fn refuse(&mut self, entry: &Entry) {
        self.counters.refused += 1;
        self.rings.put(Entry {
            kind: done::FINISHED,
            ticket: entry.ticket,
            offset: entry.offset,
            length: entry.length,
            ..Entry::default()
        });
    }

    fn serve(&mut self, request: Request, used: &mut u64) -> Served {
        if self.failure.is_some() {
            self.head = None;
            self.answer(&request.pending, false, request.pending.length);
            return Served::Done;
        }
        match request.pending.kind {
            Kind::Send => self.send(request.pending, used),
            _ if request.at_once => self.at_once(request),
            _ => self.operate(request, used),
        }
    }

    /// serial: pieces of at most `depth` bytes, until the device has no more room.
    fn send(&mut self, pending: Pending, used: &mut u64) -> Served {
        let Some(code) = self.residual.entry(EntryId::Send) else {
            return Served::Blocked;
        };
        while self.sent < pending.length {
            let left = u64::from(pending.length - self.sent);
            let piece = left.min(self.facts().depth);
            let offset = u64::from(pending.offset) + u64::from(self.sent);
            match self.enter(code, [offset, piece, 0, 0, 0]) {
                status::OK => {
                    *used |= 1 << EntryId::Send as u32;
                    self.sent += piece as u32;
                    self.resets = 0;
                }
                status::BUSY => return Served::Blocked,
                other => {
                    self.head = None;
                    self.answer(&pending, false, self.sent);
                    self.failed(EntryId::Send, other);
                    return Served::Done;
                }
            }
        }
        self.head = None;
        self.counters.accepted += 1;
        self.answer(&pending, true, pending.length);
        Served::Done
    }

    /// An operation without a ticket: over when it returns.
    fn at_once(&mut self, request: Request) -> Served {
        let pending = request.pending;
        let id = pending.kind.entry();
        let value = request.lba;
        let bytes = [u64::from(pending.offset), u64::from(pending.length)];
        let args = match pending.kind {
            Kind::Mode => [value & 0xffff_ffff, value >> 32, 0, 0, 0],
            Kind::Draw => [value, bytes[0], bytes[1], 0, 0],
            _ => [value, 0, 0, 0, 0],
        };
        self.head = None;
        let Some(code) = self.residual.entry(id) else {
            self.answer(&pending, false, pending.length);
            return Served::Done;
        };
        match self.enter(code, args) {
            status::OK => {
                self.counters.accepted += 1;
                self.finish(&pending, true, pending.length);
            }
            status::BUSY => self.answer(&pending, false, pending.length),
            other => {
                self.answer(&pending, false, pending.length);
                self.failed(id, other);
            }
        }
        Served::Done
    }

    /// nic, block, entropy: the operation is outstanding from before the call, since its answer may come inside.
    fn operate(&mut self, request: Request, used: &mut u64) -> Served {
        let Request {
            pending, lba, unit, ..
        } = request;
        let id = pending.kind.entry();
        let Some(code) = self.residual.entry(id) else {
            return self.lay_by(request);
        };
        let idle = self.tickets.busy() == 0;
        let Some(ticket) = self.tickets.take(pending) else {
            return Served::Blocked;
        };
        self.head = None;
        let (offset, length) = (u64::from(pending.offset), u64::from(pending.length));
        let args = match pending.kind {
            Kind::Read | Kind::Write => [lba, offset, length, ticket, unit],
            Kind::Flush => [ticket, unit, 0, 0, 0],
            _ => [offset, length, ticket, unit, 0],
        };
        match self.enter(code, args) {
            status::OK => {
                *used |= 1 << id as u32;
                self.counters.accepted += 1;
                Served::Done
            }
            status::BUSY => self.busy(request, ticket, idle),
            other => {
                // Not accepted: it is answered here, unless the residual did or a reset does.
                if let Some(pending) = self.tickets.give_back(ticket) {
                    self.answer(&pending, false, pending.length);
                }
                self.failed(id, other);
                Served::Done
            }
        }
    }

    /// A buffer for a driver that receives into memory of its own: it waits here for a frame that is copied.
    fn lay_by(&mut self, request: Request) -> Served {
        if self.tickets.take(request.pending).is_none() {
            return Served::Blocked;
        }
        self.head = None;
        self.counters.accepted += 1;
        Served::Done
    }

    /// No room: back to the head. With nothing outstanding there never will be any, so that is an answer.
    fn busy(&mut self, request: Request, ticket: u64, idle: bool) -> Served {
        match self.tickets.give_back(ticket) {
            None => {
                self.violation = Some(Violation::BusyAfterAnswer(request.pending.kind));
                self.settle(status::VIOLATION);
                Served::Done
            }
            Some(pending) if idle => {
                self.answer(&pending, false, pending.length);
                Served::Done
            }
            Some(_) => {
                self.head = Some(request);
                Served::Blocked
            }
        }
    }

    /// An operation returned neither OK nor BUSY, or a tail not OK.
    fn failed(&mut self, id: EntryId, status: u64) {
        match status {
            status::BUSY | status::AGAIN | status::NOT_MINE => {
                self.violation = Some(Violation::Status(id, status));
                self.settle(status::VIOLATION);
            }
            other => self.settle(other),
        }
    }

    /// One tail for each kind of operation that was accepted in this batch.
    fn tails(&mut self, used: u64) {
        for (of, tail) in TAILS {
            if used & 1 << of as u32 == 0 || self.failure.is_some() {
                continue;
            }
            let Some(code) = self.residual.entry(tail) else {
                continue;
            };
            match self.enter(code, [0; 5]) {
                status::OK => {}
                other => self.failed(tail, other),
            }
        }
    }
}

/// Everything about a request that can be wrong, once.
fn check(
    class: Class,
    units: &Units,
    pool: &Pool,
    residual: &Residual,
    entry: &Entry,
) -> Option<Request> {
    let (kind, operation) = class.request(entry.kind)?;
    let facts = units.get(entry.unit)?;
    let (offset, length) = (u64::from(entry.offset), u64::from(entry.length));
    let longest = facts.mtu.saturating_add(14);
    let right = match kind {
        Kind::Send => length > 0,
        Kind::Transmit => length >= facts.min && length <= longest && offset >= facts.headroom,
        Kind::Supply => length >= facts.buffer && offset >= facts.headroom,
        Kind::Read => length > 0 && length % facts.size == 0 && length <= facts.most,
        Kind::Write => {
            length > 0 && length % facts.size == 0 && length <= facts.most && facts.writable
        }
        Kind::Fill | Kind::Draw => length > 0,
        Kind::Start => entry.value > 0 && entry.value <= facts.longest,
        Kind::Release => entry.value < facts.places,
        Kind::Flush | Kind::Kick | Kind::Stop | Kind::Mode | Kind::Pan | Kind::Leds => true,
    };
    let range = !operation.bytes || pool.holds(offset, length);
    if !right || !range || !(residual.has(kind.entry()) || kind == Kind::Supply) {
        return None;
    }
    // Whatever the client supplies, a device is lent what the class promises of it, and stores no more.
    let length = match kind {
        Kind::Supply if residual.has(kind.entry()) => facts.buffer as u32,
        _ => entry.length,
    };
    Some(Request {
        pending: Pending {
            kind,
            ticket: entry.ticket,
            offset: entry.offset,
            length,
        },
        lba: entry.value,
        unit: entry.unit,
        at_once: !operation.ticket,
    })
}
