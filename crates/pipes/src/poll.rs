//! The conditions that poll(2) and epoll_ctl(2) name, with Linux's numbers.

/// There is something to read.
pub const IN: u32 = 0x001;
/// There is room to write.
pub const OUT: u32 = 0x004;
/// Something is wrong; of a pipe's writing end: nobody reads.
pub const ERR: u32 = 0x008;
/// The other side has gone.
pub const HUP: u32 = 0x010;
/// As [`IN`], of normal data.
pub const READ_NORMAL: u32 = 0x040;
/// As [`OUT`], of normal data.
pub const WRITE_NORMAL: u32 = 0x100;

/// A wake-up that does not say which condition has changed.
pub const ANY: u32 = u32::MAX;

/// EPOLLEXCLUSIVE: of several lists that watch one source, wake one.
pub const EXCLUSIVE: u32 = 1 << 28;
/// EPOLLWAKEUP: keep the machine awake while the event is worked on.
pub const KEEP_AWAKE: u32 = 1 << 29;
/// EPOLLONESHOT: report once, then rest until changed.
pub const ONE_SHOT: u32 = 1 << 30;
/// EPOLLET: report each wake-up once, not as long as the condition holds.
pub const EDGE: u32 = 1 << 31;
