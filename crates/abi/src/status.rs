//! What an entry of a residual returns.

/// Accepted, or handled.
pub const OK: u64 = 0;
/// No room: the operation was not accepted, and no upcall will come for it.
pub const BUSY: u64 = 1;
/// The interrupt was another device's.
pub const NOT_MINE: u64 = 2;
/// A bounded loop met its bound: call the same event again.
pub const AGAIN: u64 = 3;
/// The device is no longer there.
pub const GONE: u64 = 4;
/// A `recover` asks for `init` again; everything outstanding comes back failed.
pub const RESET: u64 = 5;
/// `learn` found another value than the one that the code was written for.
pub const CHANGED: u64 = 6;
/// Never returned by an entry: the pump's own, when a residual broke its class's contract
/// (an upcall with a ticket that is not outstanding, an unknown status, …).
pub const VIOLATION: u64 = 7;
/// `FAIL + n`: failure number `n` of the residual. If it has an entry `recover.NAME`, that is called.
pub const FAIL: u64 = 0x100;
