//! The rings between a client and a driver: `todo` (client to driver) and `done` (driver to client).
//! Single producer, single consumer. Entries are copied out before they are looked at.
//!
//! Indices count up without wrapping to the ring's size; slot = index % count. A side stores the entry, then
//! the index with release order; the other loads it with acquire order.

use core::sync::atomic::AtomicU32;

/// The whole area, bytes.
pub const BYTES: usize = 0x4000;
pub const TODO_AT: usize = 0x1000;
pub const TODO_COUNT: u32 = 128;
pub const DONE_AT: usize = 0x2000;
pub const DONE_COUNT: u32 = 256;

/// At the start of the area.
#[repr(C)]
pub struct Header {
    /// Entries the client has put, and the driver has taken.
    pub todo_put: AtomicU32,
    pub todo_got: AtomicU32,
    /// Entries the driver has put, and the client has taken.
    pub done_put: AtomicU32,
    pub done_got: AtomicU32,
    /// Goes up by one each time the driver starts anew; what was outstanding before is lost.
    pub generation: AtomicU32,
    /// Not 0: this side sleeps and wants its notification.
    pub client_sleeps: AtomicU32,
    pub driver_sleeps: AtomicU32,
    /// 0 not yet, 1 ready, 2 failed (`value` of the last done entry says the status), 3 its device was taken away.
    pub driver_state: AtomicU32,
    /// Interrupts that came, and looks at the device without one. Nothing depends on these.
    pub heard: AtomicU32,
    pub looked: AtomicU32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// One of [`todo`] or [`done`].
    pub kind: u16,
    /// In `done`: 1 ok, 0 failed.
    pub ok: u16,
    /// The client's number for this request; comes back unchanged.
    pub ticket: u32,
    /// Bytes from the start of the pool.
    pub offset: u32,
    /// Bytes.
    pub length: u32,
    /// Block address (`read`, `write`), byte (`RECEIVED` of serial), link state, or status of a failure.
    pub value: u64,
    /// Requests: which of several instances (disk, port) is meant, from 0.
    pub unit: u64,
}

const _: () = assert!(core::mem::size_of::<Entry>() == 32);

/// Numbers of requests. Beside the ticket, `value` says: `BLOCK_READ`, `BLOCK_WRITE` the block; `WATCHDOG_START` nanoseconds
/// until it resets the machine; `FRAMEBUFFER_MODE` the width, and the height from bit 32; `FRAMEBUFFER_DRAW` bytes from the
/// first pixel; `FRAMEBUFFER_PAN` the line that is shown first; `INPUT_LEDS` one bit a lamp: scroll, number, capitals;
/// `BUS_RELEASE` the place whose child nobody uses any more: it may be taken out.
pub use contract::todo;

pub mod done {
    //! Answers and news.
    /// A request was carried out (or failed): `ticket`, `ok`, and `length` where it has one.
    pub const FINISHED: u16 = 1;
    /// nic: a supplied buffer came back with a frame of `length` bytes at `offset`. serial: `value` is a byte.
    pub const RECEIVED: u16 = 2;
    /// nic: `value` is 1 with a carrier, 0 without.
    pub const LINK: u16 = 3;
    /// The driver failed: `value` is the status; it starts anew if it can.
    pub const FAILED: u16 = 4;
    /// input: `value` is the key, `ok` 1 when it went down and 0 when it came up.
    pub const KEY: u16 = 5;
    /// input: moved by `offset` to the right and `length` up, both signed.
    pub const MOVED: u16 = 6;
    /// framebuffer: a mode was set. `offset` pixels wide, `length` lines high, `value` bytes from line to line.
    pub const CHANGED: u16 = 7;
    /// bus: a child is there. `ticket` is its place, `value` its ID (the maker's number in the lower half), `offset` its kind and
    /// `length` its variant, as its bus says them.
    pub const ATTACHED: u16 = 8;
    /// bus: the child of place `ticket` is gone.
    pub const DETACHED: u16 = 9;
    /// bus: somebody asked for the child of place `ticket` to be let go: `BUS_RELEASE` when nobody uses it.
    pub const LEAVING: u16 = 10;
}
