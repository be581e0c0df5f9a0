//! The two sides of [`abi::ring`]. Each keeps its own indices privately and believes the other side's only within
//! bounds; entries are copied out before they are looked at.

use abi::ring::{Entry, Header, BYTES, DONE_AT, DONE_COUNT, TODO_AT, TODO_COUNT};
use core::sync::atomic::{fence, AtomicU32, Ordering};

/// The memory of one session's rings: [`BYTES`] bytes, zero when the session begins.
#[derive(Clone, Copy)]
pub struct Area {
    base: *mut u8,
}

// SAFETY: the memory may be changed by anyone at any time, by the contract of `new`, so it is no thread's in particular;
// each side's own indices move with it.
unsafe impl Send for Area {}

impl Area {
    /// # Safety
    /// `base` is aligned to 64, readable and writable for [`BYTES`] bytes, and stays so as long as this value, its
    /// copies and the sides made of it. The other side may change it at any time.
    pub unsafe fn new(base: *mut u8) -> Area {
        Area { base }
    }

    fn header(&self) -> &Header {
        // SAFETY: inside the area; the header is made of atomics only, which may be shared with anyone.
        unsafe { &*self.base.cast::<Header>() }
    }

    fn slot(&self, ring_at: usize, count: u32, index: u32) -> *mut Entry {
        self.base
            .wrapping_add(ring_at + (index % count) as usize * core::mem::size_of::<Entry>())
            .cast()
    }

    fn load(&self, ring_at: usize, count: u32, index: u32) -> Entry {
        // SAFETY: inside the area (index modulo count) and aligned; any bits are an `Entry`. One copy, volatile,
        // since the other side may write at the same time: what it tears is its own request.
        unsafe { self.slot(ring_at, count, index).read_volatile() }
    }

    fn store(&self, ring_at: usize, count: u32, index: u32, entry: Entry) {
        // SAFETY: as in `load`.
        unsafe { self.slot(ring_at, count, index).write_volatile(entry) }
    }

    /// The driver's side, started anew: see [`Driver::begin`].
    pub fn driver(self) -> Driver {
        let mut driver = self.driver_to_be();
        driver.begin();
        driver
    }

    /// The driver's side before it begins: the client learns that there is nobody, and still counts on who was there before.
    pub fn driver_to_be(self) -> Driver {
        let header = self.header();
        header.driver_state.store(0, Ordering::Release);
        header.driver_sleeps.store(0, Ordering::Release);
        let done_put = header.done_put.load(Ordering::Acquire);
        Driver {
            area: self,
            begun: false,
            todo_got: header.todo_put.load(Ordering::Acquire),
            done_put,
            published: done_put,
        }
    }

    /// The client's side.
    pub fn client(self) -> Client {
        let header = self.header();
        Client {
            area: self,
            todo_put: header.todo_put.load(Ordering::Acquire),
            done_got: header.done_got.load(Ordering::Acquire),
            published: header.todo_put.load(Ordering::Acquire),
            generation: header.generation.load(Ordering::Acquire),
            crowded: false,
        }
    }
}

/// What the driver's `driver_state` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    NotYet = 0,
    Ready = 1,
    Failed = 2,
    /// Its device was taken away.
    Gone = 3,
}

impl State {
    /// Nobody will answer any more.
    pub fn over(self) -> bool {
        matches!(self, State::Failed | State::Gone)
    }
}

/// Takes from `todo`, puts into `done`.
pub struct Driver {
    area: Area,
    begun: bool,
    todo_got: u32,
    done_put: u32,
    published: u32,
}

impl Driver {
    /// Once: what the client has put so far is lost, its buffers are its own again, and the generation goes up by one.
    pub fn begin(&mut self) {
        if core::mem::replace(&mut self.begun, true) {
            return;
        }
        let header = self.area.header();
        self.todo_got = header.todo_put.load(Ordering::Acquire);
        header.todo_got.store(self.todo_got, Ordering::Release);
        header.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Copies the next request and lets the client have its slot again.
    pub fn take(&mut self) -> Option<Entry> {
        if self.waiting() == 0 {
            return None;
        }
        let entry = self.area.load(TODO_AT, TODO_COUNT, self.todo_got);
        self.todo_got = self.todo_got.wrapping_add(1);
        let header = self.area.header();
        header.todo_got.store(self.todo_got, Ordering::Release);
        Some(entry)
    }

    /// Requests not yet taken. A client that claims more than the ring holds has as many as it holds.
    pub fn waiting(&self) -> u32 {
        let put = self.area.header().todo_put.load(Ordering::Acquire);
        put.wrapping_sub(self.todo_got).min(TODO_COUNT)
    }

    /// Free slots of `done`; none if the client claims to have taken what was never put.
    pub fn room(&self) -> u32 {
        let got = self.area.header().done_got.load(Ordering::Acquire);
        DONE_COUNT.saturating_sub(self.done_put.wrapping_sub(got))
    }

    /// Appends an answer, seen by the client after [`Driver::publish`]. `false`, and nothing done, if there is no room.
    pub fn put(&mut self, entry: Entry) -> bool {
        if self.room() == 0 {
            return false;
        }
        self.area.store(DONE_AT, DONE_COUNT, self.done_put, entry);
        self.done_put = self.done_put.wrapping_add(1);
        true
    }

    /// Shows the client what was put. `true`: it sleeps and must be notified.
    pub fn publish(&mut self) -> bool {
        if self.published == self.done_put {
            return false;
        }
        self.published = self.done_put;
        let header = self.area.header();
        header.done_put.store(self.done_put, Ordering::Release);
        wanted(&header.client_sleeps)
    }

    /// Says that the driver is about to sleep. `false`: something came since it last looked, look again.
    /// `seen` is what [`Driver::waiting`] was then (not 0 when requests wait for the device).
    pub fn arm(&mut self, seen: u32) -> bool {
        let header = self.area.header();
        header.driver_sleeps.store(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if self.waiting() == seen {
            return true;
        }
        header.driver_sleeps.store(0, Ordering::SeqCst);
        false
    }

    /// Goes up by one with each entry that is put.
    pub fn put_so_far(&self) -> u32 {
        self.done_put
    }

    /// For who wants to know how the driver learns of news: an interrupt came, or it looked without one.
    pub fn came(&mut self, interrupt: bool, looked: bool) {
        let header = self.area.header();
        for (count, more) in [(&header.heard, interrupt), (&header.looked, looked)] {
            if more {
                // Only this side writes it.
                count.store(
                    count.load(Ordering::Relaxed).wrapping_add(1),
                    Ordering::Relaxed,
                );
            }
        }
    }

    pub fn set_state(&mut self, state: State) {
        let header = self.area.header();
        header.driver_state.store(state as u32, Ordering::Release);
    }
}

/// Puts into `todo`, takes from `done`.
pub struct Client {
    area: Area,
    todo_put: u32,
    done_got: u32,
    published: u32,
    generation: u32,
    /// Answers had piled up: the driver may be waiting for room.
    crowded: bool,
}

/// Unread answers from which on a driver may be out of room (see [`crate::tickets::SLOTS`]).
const CROWD: u32 = 12;

impl Client {
    /// Interrupts that the driver heard, and its looks without one, since the session began.
    pub fn came(&self) -> (u32, u32) {
        let header = self.area.header();
        let (heard, looked) = (&header.heard, &header.looked);
        (
            heard.load(Ordering::Relaxed),
            looked.load(Ordering::Relaxed),
        )
    }

    /// Free slots of `todo`.
    pub fn room(&self) -> u32 {
        let got = self.area.header().todo_got.load(Ordering::Acquire);
        TODO_COUNT.saturating_sub(self.todo_put.wrapping_sub(got))
    }

    /// Appends a request, seen by the driver after [`Client::publish`]. `false`, and nothing done, if there is no room.
    pub fn put(&mut self, entry: Entry) -> bool {
        if self.room() == 0 {
            return false;
        }
        self.area.store(TODO_AT, TODO_COUNT, self.todo_put, entry);
        self.todo_put = self.todo_put.wrapping_add(1);
        true
    }

    /// Shows the driver what was put and taken: call it after both. `true`: it sleeps and must be notified.
    pub fn publish(&mut self) -> bool {
        let crowded = core::mem::take(&mut self.crowded);
        if self.published == self.todo_put && !crowded {
            return false;
        }
        self.published = self.todo_put;
        let header = self.area.header();
        header.todo_put.store(self.todo_put, Ordering::Release);
        wanted(&header.driver_sleeps)
    }

    /// The next answer.
    pub fn take(&mut self) -> Option<Entry> {
        let header = self.area.header();
        let put = header.done_put.load(Ordering::Acquire);
        if put == self.done_got {
            return None;
        }
        self.crowded |= put.wrapping_sub(self.done_got) >= CROWD;
        let entry = self.area.load(DONE_AT, DONE_COUNT, self.done_got);
        self.done_got = self.done_got.wrapping_add(1);
        let header = self.area.header();
        header.done_got.store(self.done_got, Ordering::Release);
        Some(entry)
    }

    /// Says that the client is about to sleep. `false`: something came in the meantime, look again.
    pub fn arm(&mut self) -> bool {
        let header = self.area.header();
        header.client_sleeps.store(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if header.done_put.load(Ordering::Acquire) == self.done_got {
            return true;
        }
        header.client_sleeps.store(0, Ordering::SeqCst);
        false
    }

    /// `true` once after each new start of the driver: all that was outstanding is lost.
    pub fn restarted(&mut self) -> bool {
        let now = self.area.header().generation.load(Ordering::Acquire);
        core::mem::replace(&mut self.generation, now) != now
    }

    pub fn state(&self) -> State {
        match self.area.header().driver_state.load(Ordering::Acquire) {
            1 => State::Ready,
            2 => State::Failed,
            3 => State::Gone,
            _ => State::NotYet,
        }
    }
}

/// Whether the other side sleeps; it is told once.
fn wanted(sleeps: &AtomicU32) -> bool {
    fence(Ordering::SeqCst);
    sleeps.load(Ordering::SeqCst) != 0 && sleeps.swap(0, Ordering::SeqCst) != 0
}

const _: () = {
    assert!(TODO_AT + TODO_COUNT as usize * core::mem::size_of::<Entry>() <= DONE_AT);
    assert!(DONE_AT + DONE_COUNT as usize * core::mem::size_of::<Entry>() <= BYTES);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C, align(64))]
    struct Bytes([u8; BYTES]);

    fn with_area(test: impl FnOnce(Area)) {
        let mut bytes = Bytes([0; BYTES]);
        // SAFETY: aligned, large enough, and outlives the test.
        test(unsafe { Area::new(bytes.0.as_mut_ptr()) });
    }

    fn entry(ticket: u32) -> Entry {
        Entry {
            ticket,
            ..Entry::default()
        }
    }

    #[test]
    fn requests_go_over_in_order_many_times_round() {
        with_area(|area| {
            let (mut driver, mut client) = (area.driver(), area.client());
            for ticket in 0..1000 {
                assert!(client.put(entry(ticket)));
                assert_eq!(driver.take(), None, "not published yet");
                client.publish();
                assert_eq!(driver.take(), Some(entry(ticket)));
            }
        });
    }

    #[test]
    fn a_full_ring_refuses() {
        with_area(|area| {
            let (mut driver, mut client) = (area.driver(), area.client());
            for ticket in 0..TODO_COUNT {
                assert!(client.put(entry(ticket)));
            }
            assert!(!client.put(entry(0)));
            for ticket in 0..DONE_COUNT {
                assert!(driver.put(entry(ticket)));
            }
            assert!(!driver.put(entry(0)));
        });
    }

    #[test]
    fn a_lying_client_gets_no_more_than_the_ring_holds() {
        with_area(|area| {
            let mut driver = area.driver();
            area.header()
                .todo_put
                .store(u32::MAX / 2, Ordering::Release);
            assert_eq!(driver.waiting(), TODO_COUNT);
            area.header().done_got.store(7, Ordering::Release);
            assert_eq!(driver.room(), 0);
            assert!(!driver.put(entry(0)));
        });
    }

    #[test]
    fn a_sleeper_is_told_once() {
        with_area(|area| {
            let (mut driver, mut client) = (area.driver(), area.client());
            assert!(driver.arm(0));
            assert!(client.put(entry(1)) && client.publish());
            assert!(client.put(entry(2)) && !client.publish());
            assert!(!driver.arm(0), "there is something to do");
            assert!(client.arm());
            assert!(driver.put(entry(1)) && driver.publish());
            assert!(driver.put(entry(2)) && !driver.publish());
        });
    }

    #[test]
    fn a_restart_loses_what_was_put_and_says_so() {
        with_area(|area| {
            let mut first = area.driver();
            let mut client = area.client();
            assert!(!client.restarted());
            first.put(entry(1));
            first.publish();
            client.put(entry(2));
            client.publish();
            let mut second = area.driver();
            assert!(client.restarted() && !client.restarted());
            assert_eq!(second.take(), None);
            client.put(entry(3));
            client.publish();
            assert_eq!(second.take(), Some(entry(3)));
            assert_eq!(client.take(), Some(entry(1)));
            assert_eq!(client.take(), None);
        });
    }
}
