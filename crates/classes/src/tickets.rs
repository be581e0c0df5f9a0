//! What is outstanding: accepted by the residual, not yet answered. Exactly one answer comes for each.
//!
//! The residual gets the slot's number as its ticket, never the client's: two requests with one number cannot be
//! confused, and every ticket that comes back is checked by one look-up.

use crate::facts::Kind;

/// Most operations outstanding at once. Together with what waits in `done` it never exceeds that ring.
pub const SLOTS: usize = 240;

/// An accepted operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    pub kind: Kind,
    /// The client's number for it.
    pub ticket: u32,
    pub offset: u32,
    pub length: u32,
}

pub struct Tickets {
    slots: [Option<Pending>; SLOTS],
    /// Free slots, as a stack.
    free: [u8; SLOTS],
    free_count: usize,
}

impl Default for Tickets {
    fn default() -> Tickets {
        let mut free = [0; SLOTS];
        for (at, slot) in free.iter_mut().enumerate() {
            *slot = (SLOTS - 1 - at) as u8;
        }
        Tickets {
            slots: [None; SLOTS],
            free,
            free_count: SLOTS,
        }
    }
}

impl Tickets {
    pub fn busy(&self) -> usize {
        SLOTS - self.free_count
    }

    /// How many are outstanding that `wanted` accepts.
    pub fn count(&self, wanted: impl Fn(&Pending) -> bool) -> usize {
        self.slots.iter().flatten().filter(|p| wanted(p)).count()
    }

    /// The slot's number, or `None` when all are taken.
    pub fn take(&mut self, pending: Pending) -> Option<u64> {
        let top = self.free_count.checked_sub(1)?;
        let slot = *self.free.get(top)?;
        self.free_count = top;
        self.slots[slot as usize] = Some(pending);
        Some(u64::from(slot))
    }

    /// What stood there; `None` if `ticket` is not outstanding. The ticket is not trusted.
    pub fn give_back(&mut self, ticket: u64) -> Option<Pending> {
        let slot = self.slots.get_mut(usize::try_from(ticket).ok()?)?;
        let pending = slot.take()?;
        self.free[self.free_count] = ticket as u8;
        self.free_count += 1;
        Some(pending)
    }

    /// Looks without taking.
    pub fn get(&self, ticket: u64) -> Option<&Pending> {
        self.slots.get(usize::try_from(ticket).ok()?)?.as_ref()
    }

    /// Any one that is outstanding, taken.
    pub fn take_any(&mut self) -> Option<Pending> {
        self.take_first(|_| true)
    }

    /// Any one that `wanted` accepts, taken.
    pub fn take_first(&mut self, wanted: impl Fn(&Pending) -> bool) -> Option<Pending> {
        let fits = |slot: &Option<Pending>| slot.as_ref().is_some_and(&wanted);
        let slot = self.slots.iter().position(fits)?;
        self.give_back(slot as u64)
    }
}

const _: () = assert!(SLOTS <= 256);

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(ticket: u32) -> Pending {
        Pending {
            kind: Kind::Read,
            ticket,
            offset: 0,
            length: 512,
        }
    }

    #[test]
    fn each_ticket_comes_back_once() {
        let mut tickets = Tickets::default();
        let a = tickets.take(pending(7)).unwrap();
        let b = tickets.take(pending(7)).unwrap();
        assert_ne!(a, b);
        assert_eq!(tickets.busy(), 2);
        assert_eq!(tickets.give_back(a), Some(pending(7)));
        assert_eq!(tickets.give_back(a), None);
        assert_eq!(tickets.give_back(u64::MAX), None);
        assert_eq!(tickets.take_any(), Some(pending(7)));
        assert_eq!(tickets.take_any(), None);
        assert_eq!(tickets.busy(), 0);
    }

    #[test]
    fn it_is_bounded() {
        let mut tickets = Tickets::default();
        for n in 0..SLOTS {
            assert!(tickets.take(pending(n as u32)).is_some());
        }
        assert_eq!(tickets.take(pending(0)), None);
    }
}
