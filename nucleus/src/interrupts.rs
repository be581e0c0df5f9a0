//! Interrupts: the timer, and lines and messages that are bound to notifications.

use crate::{clock, platform, STATE};
use abi::boot::{BootInfo, Lines, CONTROLLERS, NO_VECTOR};
use core::cell::Cell;
use nucleus_core::{
    interrupt::{Line, MESSAGE},
    kernel::Kernel,
};

/// Vector or ID of the timer.
// SAFETY: private to this module, whose functions run in the nucleus alone.
static TIMER: Kernel<Cell<u64>> = unsafe { Kernel::new(Cell::new(u64::MAX)) };

/// Vectors or IDs of messages: the first, and how many.
// SAFETY: as above.
static MESSAGES: Kernel<Cell<(u64, u64)>> = unsafe { Kernel::new(Cell::new((0, 0))) };

/// The lines of the controllers that genesis bound.
// SAFETY: as above.
static LINES: Kernel<Cell<[Lines; CONTROLLERS]>> = unsafe {
    Kernel::new(Cell::new(
        [Lines {
            first: 0,
            count: 0,
            fixed: 0,
            reserved: 0,
        }; CONTROLLERS],
    ))
};

/// The number by which a controller says that there was no interrupt.
// SAFETY: as above.
static SPURIOUS: Kernel<Cell<u64>> = unsafe { Kernel::new(Cell::new(NO_VECTOR)) };

pub fn start(boot: &BootInfo) {
    LINES.set(boot.lines);
    SPURIOUS.set(boot.spurious);
    let fixed = boot.lines.iter().map(|lines| lines.fixed).max();
    STATE.interrupts.fix(fixed.unwrap_or(0));
    TIMER.set(boot.timer_line);
    MESSAGES.set((boot.message_first, boot.message_count));
    crate::arch::enable_timer_line(boot.timer_line);
}

pub fn is_timer(vector: u64) -> bool {
    vector == TIMER.get()
}

/// Whether this is the number by which a controller says that there was no interrupt.
pub fn is_none(vector: u64) -> bool {
    vector == NO_VECTOR || vector == SPURIOUS.get()
}

/// Whether a controller has such a line.
pub fn is_line(line: u32) -> bool {
    let all = LINES.get();
    all.iter().any(|lines| lines.has(line))
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

/// The message that comes in by this vector or ID, as bindings know it.
pub fn message_of(vector: u64) -> Option<u32> {
    let (first, count) = MESSAGES.get();
    let number = vector.checked_sub(first).filter(|n| *n < count)?;
    Some(number as u32 | MESSAGE)
}

/// Vector or ID of a message, if there is such a message.
pub fn vector_of(message: u32) -> Option<u64> {
    let (first, count) = MESSAGES.get();
    let number = u64::from(message & !MESSAGE);
    (number < count).then(|| first + number)
}

/// A message came: nothing holds it, so there is nothing to mask.
pub fn message(message: u32, vector: u64) {
    platform::vectors_end(vector);
    if !STATE.fire(message) {
        spurious();
    }
}

/// An interrupt came that is neither a line nor anything else that the nucleus knows: it is ended, and that is all.
pub fn unknown(vector: u64) {
    platform::vectors_end(vector);
    spurious();
}

/// Nobody asked for this one.
pub fn spurious() {
    STATE
        .interrupts
        .spurious
        .set(STATE.interrupts.spurious.get() + 1);
}

/// What became of a line or message when a binding went.
pub fn settle(line: u32, state: Line) {
    let line = match line & MESSAGE {
        0 => line,
        _ => match vector_of(line).and_then(crate::arch::line_of_message) {
            Some(line) => line,
            None => return,
        },
    };
    match state {
        Line::Leave => {}
        Line::Mask => platform::lines_mask(line),
        Line::Unmask => platform::lines_unmask(line),
    }
}
