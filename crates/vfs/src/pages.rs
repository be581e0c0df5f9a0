//! The contents of a file in memory: pages that were written, and holes between them that read as zeros.
use alloc::boxed::Box;
use alloc::collections::BTreeMap;

pub(crate) const PAGE: u64 = 4096;

#[derive(Clone, Default)]
pub(crate) struct Pages {
    pages: BTreeMap<u64, Box<[u8; PAGE as usize]>>,
}

impl Pages {
    pub(crate) fn count(&self) -> u64 {
        self.pages.len() as u64
    }

    /// Fills `into`, all of which lies below the file's size.
    pub(crate) fn read(&self, mut offset: u64, mut into: &mut [u8]) {
        while !into.is_empty() {
            let at = (offset % PAGE) as usize;
            let take = into.len().min(PAGE as usize - at);
            let (now, rest) = into.split_at_mut(take);
            match self.pages.get(&(offset / PAGE)) {
                Some(page) => now.copy_from_slice(&page[at..at + take]),
                None => now.fill(0),
            }
            offset += take as u64;
            into = rest;
        }
    }

    /// Writes until `bytes` ends or a page beyond `room` new ones would be needed; returns how many bytes were written.
    pub(crate) fn write(&mut self, mut offset: u64, mut bytes: &[u8], mut room: u64) -> usize {
        let mut written = 0;
        while !bytes.is_empty() {
            let at = (offset % PAGE) as usize;
            let take = bytes.len().min(PAGE as usize - at);
            if !self.pages.contains_key(&(offset / PAGE)) {
                if room == 0 {
                    break;
                }
                room -= 1;
            }
            let page = self
                .pages
                .entry(offset / PAGE)
                .or_insert_with(|| Box::new([0; PAGE as usize]));
            page[at..at + take].copy_from_slice(&bytes[..take]);
            offset += take as u64;
            bytes = &bytes[take..];
            written += take;
        }
        written
    }

    /// Forgets what lies from `size` on, so that a later growth shows zeros there.
    pub(crate) fn cut(&mut self, size: u64) {
        self.pages.split_off(&size.div_ceil(PAGE));
        if let Some(page) = self.pages.get_mut(&(size / PAGE)) {
            page[(size % PAGE) as usize..].fill(0);
        }
    }

    /// The first offset from `offset` on, in a file of `size` bytes, in a page (or in none); `size` if there is none.
    pub(crate) fn seek(&self, offset: u64, size: u64, data: bool) -> u64 {
        let first = offset / PAGE;
        let mut hole = first;
        for (&page, _) in self.pages.range(first..) {
            if data {
                return offset.max(page * PAGE).min(size);
            }
            if page != hole {
                break;
            }
            hole += 1;
        }
        if data {
            size
        } else {
            offset.max(hole * PAGE).min(size)
        }
    }
}
