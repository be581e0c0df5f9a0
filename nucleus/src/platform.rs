//! The operations that genesis generated. Each is called directly: genesis patches the calls in `call!`, and until it
//! does they reach stubs that return 0. An operation that is not bound is not called.

use abi::boot::{operation, BootInfo, OPERATIONS};
use core::cell::Cell;
use nucleus_core::kernel::Kernel;

/// A bit for each operation that is bound.
// SAFETY: private to this module, whose functions run in the nucleus alone.
static BOUND: Kernel<Cell<u64>> = unsafe { Kernel::new(Cell::new(0)) };

extern "C" {
    /// Filled by genesis: the context of each operation.
    #[link_name = "platform_contexts"]
    static CONTEXTS: [u64; OPERATIONS];
}

/// The symbols of all operations: until genesis fills the room behind them, they do nothing and give 0.
macro_rules! stubs {
    ($($name:literal)*) => {
        core::arch::global_asm!(
            ".pushsection .platform, \"ax\"",
            $(concat!(".global platform_", $name),
              concat!("platform_", $name, ":"),
              crate::arch::nothing!(),)*
            ".popsection",
        );
    };
}
contract::platform_operations!(stubs);

pub fn start(boot: &BootInfo) {
    BOUND.set(boot.bound);
}

pub fn bound(operation: usize) -> bool {
    BOUND.get() >> operation & 1 != 0
}

fn context(operation: usize) -> u64 {
    // SAFETY: words that genesis filled before the nucleus started; nobody writes them.
    unsafe { CONTEXTS[operation % OPERATIONS] }
}

/// Operation `$number` with its context and up to five words.
macro_rules! call {
    ($symbol:ident, $number:expr $(, $argument:expr)*) => {{
        extern "C" {
            fn $symbol();
        }
        // SAFETY: a generated operation follows the C calling convention, touches its own device and state, and
        // returns. It was checked before it was bound.
        unsafe { crate::arch::call!($symbol, context($number) $(, $argument)*) }
    }};
}

pub fn console_put(byte: u8) {
    if bound(operation::SERIAL_PUT) {
        call!(platform_serial_put, operation::SERIAL_PUT, u64::from(byte));
    }
}

pub fn clock_now() -> u64 {
    call!(platform_clock_now, operation::CLOCK_NOW)
}

pub fn timer_arm(ticks: u64) {
    call!(platform_timer_arm, operation::TIMER_ARM, ticks);
}

pub fn timer_disarm() {
    call!(platform_timer_disarm, operation::TIMER_DISARM);
}

/// The interrupt's ID, where the hardware does not tell it by vector.
#[cfg(target_arch = "aarch64")]
pub fn vectors_take() -> u64 {
    call!(platform_vectors_take, operation::VECTORS_TAKE)
}

pub fn vectors_end(vector: u64) {
    if bound(operation::VECTORS_END) {
        call!(platform_vectors_end, operation::VECTORS_END, vector);
    }
}

/// Routes a line to a vector of the first CPU. 0, or why not.
pub fn lines_route(line: u32, vector: u64, level: bool, low: bool) -> u64 {
    call!(
        platform_lines_route,
        operation::LINES_ROUTE,
        u64::from(line),
        0u64,
        vector,
        u64::from(level),
        u64::from(low)
    )
}

pub fn lines_mask(line: u32) {
    if bound(operation::LINES_MASK) {
        call!(platform_lines_mask, operation::LINES_MASK, u64::from(line));
    }
}

pub fn lines_unmask(line: u32) {
    if bound(operation::LINES_UNMASK) {
        call!(
            platform_lines_unmask,
            operation::LINES_UNMASK,
            u64::from(line)
        );
    }
}

/// Seconds since 1970 began; 0 if nobody knows.
pub fn calendar_now() -> u64 {
    if !bound(operation::CALENDAR_NOW) {
        return 0;
    }
    call!(platform_calendar_now, operation::CALENDAR_NOW)
}

/// A machine may take this many looks at the clock to go down after it was told to.
const GOING_DOWN: u32 = 10_000_000;

/// Returns only if that failed.
pub fn power_off() {
    if bound(operation::POWER_OFF) {
        call!(platform_power_off, operation::POWER_OFF);
        go_down();
    }
}

/// Returns only if that failed.
pub fn power_reset() {
    if bound(operation::POWER_RESET) {
        call!(platform_power_reset, operation::POWER_RESET);
        go_down();
    }
}

/// Power and reset take effect a while after the write that asks for them.
fn go_down() {
    for _ in 0..GOING_DOWN {
        core::hint::spin_loop();
    }
}
