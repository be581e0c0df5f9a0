//! Where the journal of probes is kept: a page of RAM that a warm reset leaves as it is.

use crate::{arch, memory};
use alloc::boxed::Box;
use discovery::journal::{Keep, SIZE};
use discovery::Journal;

/// A cache line is at least this long.
const LINE: usize = 16;

struct Page(*mut u8);

impl Keep for Page {
    fn load(&mut self) -> Box<[u8; SIZE]> {
        let mut bytes = Box::new([0; SIZE]);
        for (n, byte) in bytes.iter_mut().enumerate() {
            // SAFETY: the page is RAM that `memory` set apart for the journal, and longer than `SIZE`.
            *byte = unsafe { self.0.add(n).read_volatile() };
        }
        bytes
    }

    fn store(&mut self, bytes: &[u8]) {
        let bytes = bytes.get(..SIZE).unwrap_or(bytes);
        let (words, _) = bytes.as_chunks::<8>();
        for (n, word) in words.iter().enumerate() {
            let at = self.0.wrapping_add(8 * n).cast::<u64>();
            // SAFETY: as above; `bytes` is no longer than `SIZE`, and pages are aligned.
            unsafe { at.write_volatile(u64::from_le_bytes(*word)) };
        }
        for n in (0..bytes.len()).step_by(LINE) {
            // SAFETY: a line of the page that was just written.
            unsafe { arch::past_caches(self.0 as u64 + n as u64) };
        }
    }
}

/// What the last boot left, if it was a warm reset.
pub fn open() -> Journal {
    match memory::journal_page() {
        Some(page) => Journal::open(Box::new(Page(page as *mut u8))),
        None => Journal::forgetful(),
    }
}
