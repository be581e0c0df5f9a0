//! Memory for a driver with a known pattern before and behind it: what the device stores beyond what it was lent shows.

use crate::memory::Ram;
use crate::{Machine, Result};
use classes::guard::{pattern, Guard};

/// Bytes of each of the two zones: more than the longest frame that the emulator's network carries (69,632 bytes).
const ZONE: usize = 128 << 10;

/// A piece of the machine's RAM between two zones that nobody may write to.
pub(crate) struct Guarded {
    pub(crate) inside: Ram,
    before: Guard,
    behind: Guard,
}

impl Guarded {
    /// # Errors
    /// When the machine has no such piece of RAM left.
    pub(crate) fn new(machine: &Machine, size: usize, align: u64) -> Result<Guarded> {
        let align = align.max(4096);
        let front = ZONE.next_multiple_of(align as usize);
        let whole = machine.ram(front + size + ZONE, align)?;
        let zone = |at: usize| {
            // SAFETY: a zone is part of a piece of RAM that was given to this value alone; it stays mapped as long as the machine.
            unsafe { Guard::new(whole.base.wrapping_add(at), ZONE) }
        };
        Ok(Guarded {
            inside: Ram {
                base: whole.base.wrapping_add(front),
                size,
                dma: whole.dma + front as u64,
            },
            before: zone(front - ZONE),
            behind: zone(front + size),
        })
    }

    /// The memory inside gets the pattern, too.
    pub(crate) fn overwrite(&self) {
        for at in 0..self.inside.size {
            // SAFETY: part of a piece of RAM that was given to this value alone, and stays mapped as long as the machine;
            // whoever else writes to it at the same time writes bytes.
            unsafe { self.inside.base.add(at).write_volatile(pattern(at)) };
        }
    }

    /// What the memory inside holds.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        // SAFETY: part of a piece of RAM that was given to this value alone, and stays mapped as long as the machine.
        let read = |at: usize| unsafe { self.inside.base.add(at).read_volatile() };
        (0..self.inside.size).map(read).collect()
    }

    /// How far from the memory inside the nearest byte lies that was changed: negative before it, from 0 on behind it.
    pub(crate) fn broken(&self) -> Option<i64> {
        let behind = self.behind.harmed().next();
        let before = self.before.harmed().next_back();
        behind
            .map(|at| at as i64)
            .or(before.map(|at| at as i64 - ZONE as i64))
    }
}
