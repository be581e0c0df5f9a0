//! What residuals call. Every argument comes from generated code that read it from a device: nothing is trusted.

use super::{Failure, Pump, Violation, RESERVE, UPCALLS};
use crate::facts::{Class, Kind};
use crate::residual::Unfit;
use crate::tickets::Pending;
use abi::context::{Context, Upcall};
use abi::ring::{done, Entry};

/// The class's functions in the order of the residual's names for them.
pub(super) fn table<'a>(
    class: Class,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<[Upcall; UPCALLS], Unfit> {
    let mut table: [Upcall; UPCALLS] = [foreign; UPCALLS];
    for (at, name) in names.into_iter().enumerate() {
        *table.get_mut(at).ok_or(Unfit::TooMany)? = match (class, name) {
            (Class::Nic, "sent") => sent,
            (Class::Nic, "received") => received,
            (Class::Nic, "arrived") => arrived,
            (Class::Nic, "link") => link,
            (Class::Block, "finished") => finished,
            (Class::Block, "resized") => resized,
            (Class::Entropy, "filled") => filled,
            (Class::Framebuffer, "changed") => changed,
            (Class::Input, "key") => key,
            (Class::Input, "moved") => moved,
            (Class::Bus, "attach") => attach,
            (Class::Bus, "detach") => detach,
            (Class::Bus, "leaving") => leaving,
            (Class::Serial, "received") => received_byte,
            (Class::Serial, "room") => room,
            _ => foreign,
        };
    }
    Ok(table)
}

/// Runs `work` on the pump that `context` is the first field of.
fn with(context: *mut Context, work: impl FnOnce(&mut Pump)) -> u64 {
    // SAFETY: upcalls are reached only from `Pump::enter`, which passes the address of a whole `Pump` (`repr(C)`, the
    // context first) that nothing else uses until the residual returns; no upcall calls the residual again.
    work(unsafe { &mut *context.cast::<Pump>() });
    0
}

extern "C" fn foreign(context: *mut Context, _: u64, _: u64, _: u64, _: u64) -> u64 {
    with(context, |pump| pump.violate(Violation::NoSuchUpcall))
}

/// `sent(ticket, ok)`
extern "C" fn sent(context: *mut Context, ticket: u64, ok: u64, _: u64, _: u64) -> u64 {
    with(context, |pump| {
        if let Some(pending) = pump.back(ticket, &[Kind::Transmit]) {
            pump.finish(&pending, ok != 0, pending.length);
        }
    })
}

/// `finished(ticket, ok)`
extern "C" fn finished(context: *mut Context, ticket: u64, ok: u64, _: u64, _: u64) -> u64 {
    with(context, |pump| {
        if let Some(pending) = pump.back(ticket, &[Kind::Read, Kind::Write, Kind::Flush]) {
            pump.finish(&pending, ok != 0, pending.length);
        }
    })
}

/// `received(ticket, length)`
extern "C" fn received(context: *mut Context, ticket: u64, length: u64, _: u64, _: u64) -> u64 {
    with(context, |pump| {
        let Some(pending) = pump.back(ticket, &[Kind::Supply]) else {
            return;
        };
        if length > u64::from(pending.length) {
            pump.answer(&pending, false, pending.length);
            return pump.violate(Violation::Overlong(length));
        }
        pump.finish(&pending, true, length as u32);
    })
}

/// `arrived(place, length, more, rest)`: a frame in the arena, in one piece or, where it runs over the end of a ring, two
/// (`rest` bytes from `more` on; 0 when there is one). Without a supplied buffer that holds it, it is lost.
extern "C" fn arrived(context: *mut Context, at: u64, length: u64, more: u64, rest: u64) -> u64 {
    with(context, |pump| {
        let Some(whole) = length.checked_add(rest) else {
            return pump.violate(Violation::Overlong(length));
        };
        let fits = |p: &Pending| p.kind == Kind::Supply && whole <= u64::from(p.length);
        let Some(pending) = pump.tickets.take_first(fits) else {
            pump.counters.dropped += 1;
            return;
        };
        let to = u64::from(pending.offset);
        // The second place is inside the buffer, as the first is: `whole` was compared with it.
        let copied = pump.memory.copy_out(at, to, length)
            && (rest == 0 || pump.memory.copy_out(more, to + length, rest));
        if !copied {
            pump.answer(&pending, false, pending.length);
            return pump.violate(Violation::Overlong(whole));
        }
        pump.finish(&pending, true, whole as u32);
    })
}

/// `link(up)`
extern "C" fn link(context: *mut Context, up: u64, _: u64, _: u64, _: u64) -> u64 {
    with(context, |pump| {
        // A driver that only looks from time to time says it each time.
        if pump.carrier != Some(up != 0) {
            pump.link = Some(up != 0);
            pump.carrier = pump.link;
        }
    })
}

/// `resized(sectors)`
extern "C" fn resized(context: *mut Context, sectors: u64, _: u64, _: u64, _: u64) -> u64 {
    with(context, |pump| pump.units.first_mut().sectors = sectors)
}

/// `received(byte)`
extern "C" fn received_byte(context: *mut Context, byte: u64, _: u64, _: u64, _: u64) -> u64 {
    with(context, |pump| {
        pump.news(Entry {
            kind: done::RECEIVED,
            ok: 1,
            length: 1,
            value: byte & 0xff,
            ..Entry::default()
        });
    })
}

/// `filled(ticket, length)`
extern "C" fn filled(context: *mut Context, ticket: u64, length: u64, _: u64, _: u64) -> u64 {
    with(context, |pump| {
        let Some(pending) = pump.back(ticket, &[Kind::Fill]) else {
            return;
        };
        if length > u64::from(pending.length) {
            pump.answer(&pending, false, pending.length);
            return pump.violate(Violation::Overlong(length));
        }
        pump.finish(&pending, length > 0, length as u32);
    })
}

/// `changed(width, height, stride)`
extern "C" fn changed(context: *mut Context, width: u64, height: u64, stride: u64, _: u64) -> u64 {
    with(context, |pump| {
        pump.news(Entry {
            kind: done::CHANGED,
            ok: 1,
            offset: width as u32,
            length: height as u32,
            value: stride,
            ..Entry::default()
        });
    })
}

/// `key(code, down)`
extern "C" fn key(context: *mut Context, code: u64, down: u64, _: u64, _: u64) -> u64 {
    with(context, |pump| {
        pump.news(Entry {
            kind: done::KEY,
            ok: u16::from(down != 0),
            value: code,
            ..Entry::default()
        });
    })
}

/// `moved(right, up)`, two's complement of 32 bits
extern "C" fn moved(context: *mut Context, right: u64, up: u64, _: u64, _: u64) -> u64 {
    with(context, |pump| {
        pump.news(Entry {
            kind: done::MOVED,
            ok: 1,
            offset: right as u32,
            length: up as u32,
            ..Entry::default()
        });
    })
}

/// `attach(place, id, kind, variant)`
extern "C" fn attach(context: *mut Context, place: u64, id: u64, kind: u64, variant: u64) -> u64 {
    with(context, |pump| {
        let facts = Entry {
            value: id,
            offset: kind as u32,
            length: variant as u32,
            ..Entry::default()
        };
        pump.child(done::ATTACHED, place, facts);
    })
}

/// `detach(place)`
extern "C" fn detach(context: *mut Context, place: u64, _: u64, _: u64, _: u64) -> u64 {
    with(context, |pump| {
        pump.child(done::DETACHED, place, Entry::default())
    })
}

/// `leaving(place)`
extern "C" fn leaving(context: *mut Context, place: u64, _: u64, _: u64, _: u64) -> u64 {
    with(context, |pump| {
        pump.child(done::LEAVING, place, Entry::default())
    })
}

/// `room()`: what waits at the head of `todo` is tried again after every event, so there is nothing to remember.
extern "C" fn room(context: *mut Context, _: u64, _: u64, _: u64, _: u64) -> u64 {
    with(context, |pump| pump.resets = 0)
}

impl Pump {
    /// The first violation counts.
    fn violate(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }

    /// What `ticket` stands for, if it is outstanding and of one of these kinds.
    fn back(&mut self, ticket: u64, kinds: &[Kind]) -> Option<Pending> {
        let Some(pending) = self.tickets.get(ticket).copied() else {
            self.violate(Violation::Ticket(ticket));
            return None;
        };
        if !kinds.contains(&pending.kind) {
            self.violate(Violation::WrongUpcall(pending.kind));
            return None;
        }
        self.tickets.give_back(ticket)
    }

    /// News of a child. A place that the bus does not have is a mistake of its driver.
    fn child(&mut self, kind: u16, place: u64, facts: Entry) {
        if place >= self.units.first().places {
            return self.violate(Violation::NoSuchPlace(place));
        }
        self.news(Entry {
            kind,
            ok: 1,
            ticket: place as u32,
            ..facts
        });
    }

    /// What no request paid for: lost when there is no room.
    fn news(&mut self, entry: Entry) {
        self.resets = 0;
        if self.spare() <= RESERVE || !self.rings.put(entry) {
            self.counters.dropped += 1;
        }
    }

    /// The device's answer.
    pub(super) fn finish(&mut self, pending: &Pending, ok: bool, length: u32) {
        if ok {
            self.resets = 0;
        }
        self.answer(pending, ok, length);
    }

    /// Tells the client. There is room: each accepted operation was promised a slot.
    pub(super) fn answer(&mut self, pending: &Pending, ok: bool, length: u32) {
        let kind = match (pending.kind, ok) {
            (Kind::Supply, true) => done::RECEIVED,
            _ => done::FINISHED,
        };
        self.counters.finished += 1;
        let told = self.rings.put(Entry {
            kind,
            ok: u16::from(ok),
            ticket: pending.ticket,
            offset: pending.offset,
            length,
            ..Entry::default()
        });
        if !told && self.failure.is_none() {
            // Only a client that writes to the driver's words gets here; it hurts no one else.
            self.failure = Some(Failure::Gone);
        }
    }
}
