//! Ranges of physical memory.

use abi::boot::Range;

/// The largest range of RAM that none of `taken(0..count)` touches, and the bytes of all such ranges. RAM ranges do not overlap.
pub fn free(ram: &[Range], taken: impl Fn(usize) -> Range, count: usize) -> (Range, u64) {
    let mut best = Range::default();
    let mut all = 0;
    for range in ram {
        let end = range.base.saturating_add(range.size);
        let mut at = range.base;
        while at < end {
            // The taken range that is met next; if it covers `at`, behind it is where to go on.
            let next = (0..count)
                .map(&taken)
                .filter(|other| other.size > 0 && other.base.saturating_add(other.size) > at)
                .min_by_key(|other| other.base);
            let stop = next.map_or(end, |other| other.base.clamp(at, end));
            all += stop - at;
            if stop - at > best.size {
                best = Range {
                    base: at,
                    size: stop - at,
                };
            }
            at = next.map_or(end, |other| other.base.saturating_add(other.size));
        }
    }
    (best, all)
}
