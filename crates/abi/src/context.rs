//! The residual calling contract: `extern "C" fn(context: *mut Context, arguments…) -> u64`.
//!
//! Arguments and result are 64-bit words in the C calling convention of the architecture (System V x86-64, AAPCS64).
//! The result is a [`crate::status`], or the value itself for an operation that the class declares with `->`.

/// Most windows one residual may have.
pub const WINDOWS: usize = 12;

/// `up` functions get the context and four words; unused words are 0.
pub type Upcall = extern "C" fn(*mut Context, u64, u64, u64, u64) -> u64;

/// All that a residual knows of where it runs. Offsets are part of the emitted code: see the constants below.
#[repr(C)]
pub struct Context {
    /// Private variables, zero before `init`.
    pub state: *mut u8,
    /// Memory shared with the device, as this address space sees it …
    pub arena: *mut u8,
    /// … and as the device does.
    pub arena_dma: u64,
    pub pool: *mut u8,
    pub pool_dma: u64,
    /// Bytes of pool; entries are called with ranges already checked against it.
    pub pool_size: u64,
    /// Nanoseconds; never goes back.
    pub clock: extern "C" fn(*mut Context) -> u64,
    /// Returns after at least so many nanoseconds.
    pub pause: extern "C" fn(*mut Context, u64),
    /// Indexed as `Residual::upcalls`.
    pub upcalls: *const Upcall,
    /// `Op::Result(n, _)`.
    pub results: [u64; 4],
    /// Virtual address of each memory window, first port of each port window; 0 for `System` and `Model`.
    pub windows: [u64; WINDOWS],
    /// Which of the driver's lanes this context is: each has one of its own, and shares the memory with the others.
    pub lane: u64,
}

pub mod offset {
    //! Byte offsets of the fields of [`super::Context`].
    pub const STATE: i32 = 0;
    pub const ARENA: i32 = 8;
    pub const ARENA_DMA: i32 = 16;
    pub const POOL: i32 = 24;
    pub const POOL_DMA: i32 = 32;
    pub const POOL_SIZE: i32 = 40;
    pub const CLOCK: i32 = 48;
    pub const PAUSE: i32 = 56;
    pub const UPCALLS: i32 = 64;
    pub const RESULTS: i32 = 72;
    pub const WINDOWS: i32 = 104;
    pub const LANE: i32 = WINDOWS + 8 * super::WINDOWS as i32;
}

const _: () = {
    assert!(core::mem::offset_of!(Context, windows) == offset::WINDOWS as usize);
    assert!(core::mem::offset_of!(Context, lane) == offset::LANE as usize);
    assert!(core::mem::offset_of!(Context, upcalls) == offset::UPCALLS as usize);
    assert!(core::mem::offset_of!(Context, results) == offset::RESULTS as usize);
};
