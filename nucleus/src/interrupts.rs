//! Interrupts: the timer, and lines that are bound to notifications.

use crate::{clock, platform, STATE};
use abi::boot::BootInfo;
use core::cell::Cell;
use nucleus_core::interrupt::Line;

struct Timer(Cell<u64>);
// SAFETY: one CPU in the nucleus, interrupts off.
unsafe impl Sync for Timer {}
static TIMER: Timer = Timer(Cell::new(u64::MAX));

pub fn start(boot: &BootInfo) {
    TIMER.0.set(boot.timer_line);
    crate::arch::enable_timer_line(boot.timer_line);
}

pub fn is_timer(vector: u64) -> bool {
    vector == TIMER.0.get()
}

/// The timer's vector or ID fired.
pub fn timer(vector: u64) {
    platform::vectors_end(vector);
    clock::tick();
}

/// A line fired: it stays masked until everyone it concerns is done with it.
pub fn line(line: u32, vector: u64) {
    platform::lines_mask(line);
    platform::vectors_end(vector);
    if !STATE.fire(line) {
        spurious();
    }
}

/// Nobody asked for this one.
pub fn spurious() {
    STATE
        .interrupts
        .spurious
        .set(STATE.interrupts.spurious.get() + 1);
}

/// What became of a line when a binding went.
pub fn settle(line: u32, state: Line) {
    match state {
        Line::Leave => {}
        Line::Mask => platform::lines_mask(line),
        Line::Unmask => platform::lines_unmask(line),
    }
}
