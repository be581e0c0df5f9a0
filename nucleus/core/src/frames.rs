//! What each page frame of RAM is used for: mapped how often, and whether to be executed, or holding what only the nucleus
//! may touch.

use abi::{layout::PAGE, system::Error};
use core::cell::Cell;

/// The nucleus's, or donated to it.
const KEPT: u16 = u16::MAX;
/// Set while a page is mapped that was once mapped to be executed.
const EXECUTED: u16 = 1 << 15;
/// Mappings of one page.
const MOST: u16 = EXECUTED - 2;

/// Frames of one range of RAM.
#[derive(Clone, Copy)]
struct Part {
    base: u64,
    counts: &'static [Cell<u16>],
}

pub struct Frames {
    parts: [Cell<Option<Part>>; abi::boot::RANGES],
    /// Pages with [`EXECUTED`].
    executed: Cell<u64>,
}

impl Frames {
    pub const fn new() -> Frames {
        Frames {
            parts: [const { Cell::new(None) }; abi::boot::RANGES],
            executed: Cell::new(0),
        }
    }

    /// Bytes that tasks can execute: each page once, however often it is mapped.
    pub fn executable(&self) -> u64 {
        self.executed.get() * PAGE
    }

    /// Adds a range; all of it is kept by the nucleus at first. One count a page.
    pub fn add(&self, base: u64, counts: &'static [Cell<u16>]) {
        counts.iter().for_each(|count| count.set(KEPT));
        if let Some(free) = self.parts.iter().find(|part| part.get().is_none()) {
            free.set(Some(Part { base, counts }))
        }
    }

    /// The frames of a page-aligned range, if it lies in one range of RAM.
    #[inline]
    fn range(&self, base: u64, size: u64) -> Result<&'static [Cell<u16>], Error> {
        for part in self.parts.iter().map_while(Cell::get) {
            let Some(first) = base.checked_sub(part.base).map(|bytes| bytes / PAGE) else {
                continue;
            };
            let Some(end) = first.checked_add(size / PAGE) else {
                continue;
            };
            if let Some(found) = usize::try_from(first).ok().zip(usize::try_from(end).ok()) {
                if let Some(frames) = part.counts.get(found.0..found.1) {
                    return Ok(frames);
                }
            }
        }
        Err(Error::BadArgument)
    }

    /// Whether any byte of the range is RAM.
    pub fn any(&self, base: u64, size: u64) -> bool {
        self.parts.iter().map_while(Cell::get).any(|part| {
            let end = part.base + part.counts.len() as u64 * PAGE;
            base < end && base.saturating_add(size) > part.base
        })
    }

    /// One more mapping of each page, perhaps to be executed. Nothing changes if one of them is kept.
    #[inline]
    pub fn map(&self, base: u64, size: u64, execute: bool) -> Result<(), Error> {
        let frames = self.range(base, size)?;
        let full = |frame: &Cell<u16>| frame.get() == KEPT || frame.get() & !EXECUTED >= MOST;
        if frames.iter().any(full) {
            return Err(Error::Denied);
        }
        for frame in frames {
            let mut count = frame.get() + 1;
            if execute && count & EXECUTED == 0 {
                count |= EXECUTED;
                self.executed.set(self.executed.get() + 1);
            }
            frame.set(count);
        }
        Ok(())
    }

    /// Mapped pages can be executed now.
    pub fn executed(&self, base: u64, size: u64) {
        let frames = self.range(base, size).unwrap_or(&[]);
        for frame in frames.iter().filter(|frame| frame.get() & EXECUTED == 0) {
            frame.set(frame.get() | EXECUTED);
            self.executed.set(self.executed.get() + 1);
        }
    }

    /// One mapping less of a page; nothing for what is not RAM.
    #[inline]
    pub fn unmap(&self, base: u64) {
        if let Ok([frame]) = self.range(base, PAGE) {
            match frame.get() {
                KEPT | 0 => {}
                // The last mapping of a page that could be executed.
                last if last == EXECUTED | 1 => {
                    frame.set(0);
                    self.executed.set(self.executed.get() - 1);
                }
                count => frame.set(count - 1),
            }
        }
    }

    /// Takes pages that nobody has mapped for the nucleus.
    pub fn keep(&self, base: u64, size: u64) -> Result<(), Error> {
        let frames = self.range(base, size)?;
        if frames.iter().any(|frame| frame.get() != 0) {
            return Err(Error::Denied);
        }
        frames.iter().for_each(|frame| frame.set(KEPT));
        Ok(())
    }

    /// Gives kept pages up.
    pub fn release(&self, base: u64, size: u64) {
        if let Ok(frames) = self.range(base, size) {
            frames.iter().for_each(|frame| frame.set(0))
        }
    }
}

impl Default for Frames {
    fn default() -> Self {
        Frames::new()
    }
}
