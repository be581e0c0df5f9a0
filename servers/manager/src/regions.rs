//! Free memory as a sorted list of ranges: first fit, joined again when given back.

use alloc::vec::Vec;

/// A range of the root memory object: offset and bytes, both multiples of the page size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region {
    pub offset: u64,
    pub size: u64,
}

impl Region {
    fn end(self) -> u64 {
        self.offset + self.size
    }
}

#[derive(Debug, Default)]
pub struct Regions {
    /// Sorted by offset; no two touch.
    free: Vec<Region>,
    total: u64,
}

impl Regions {
    /// All of it free. Only whole pages count.
    pub fn new(size: u64) -> Regions {
        let size = size & !(abi::layout::PAGE - 1);
        let all = Region { offset: 0, size };
        Regions {
            free: if size > 0 {
                alloc::vec![all]
            } else {
                Vec::new()
            },
            total: size,
        }
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn free(&self) -> u64 {
        self.free.iter().map(|region| region.size).sum()
    }

    /// `size` bytes, rounded up to pages, such that `base + offset` is a multiple of `align` (a power of two).
    pub fn take(&mut self, size: u64, base: u64, align: u64) -> Option<Region> {
        let size = pages(size)?;
        let align = align.max(abi::layout::PAGE);
        if size == 0 || !align.is_power_of_two() {
            return None;
        }
        for at in 0..self.free.len() {
            let from = *self.free.get(at)?;
            let first = base.checked_add(from.offset)?;
            let aligned = first.checked_next_multiple_of(align);
            let Some(offset) = aligned.and_then(|address| address.checked_sub(base)) else {
                continue;
            };
            let taken = Region { offset, size };
            if offset.checked_add(size).is_none_or(|end| end > from.end()) {
                continue;
            }
            self.replace(at, from, taken);
            return Some(taken);
        }
        None
    }

    /// What is left of free range `at` before and after `taken`.
    fn replace(&mut self, at: usize, from: Region, taken: Region) {
        let before = Region {
            offset: from.offset,
            size: taken.offset - from.offset,
        };
        let after = Region {
            offset: taken.end(),
            size: from.end() - taken.end(),
        };
        let left = [before, after].into_iter().filter(|part| part.size > 0);
        self.free.splice(at..=at, left);
    }

    /// Gives a range back. `false`, and nothing done, if any of it is free already or was never here.
    pub fn give(&mut self, region: Region) -> bool {
        let inside = region
            .offset
            .checked_add(region.size)
            .is_some_and(|end| end <= self.total);
        if region.size == 0 || !inside {
            return false;
        }
        let at = self
            .free
            .partition_point(|free| free.offset < region.offset);
        let before = at.checked_sub(1).and_then(|at| self.free.get(at)).copied();
        let after = self.free.get(at).copied();
        if before.is_some_and(|free| free.end() > region.offset)
            || after.is_some_and(|free| free.offset < region.end())
        {
            return false;
        }
        let joins_before = before.filter(|free| free.end() == region.offset);
        let joins_after = after.filter(|free| free.offset == region.end());
        let first = joins_before.map_or(region.offset, |free| free.offset);
        let last = joins_after.map_or(region.end(), Region::end);
        let from = at - usize::from(joins_before.is_some());
        let to = at + usize::from(joins_after.is_some());
        let joined = Region {
            offset: first,
            size: last - first,
        };
        self.free.splice(from..to, [joined]);
        true
    }
}

/// Bytes rounded up to whole pages.
pub fn pages(size: u64) -> Option<u64> {
    size.checked_next_multiple_of(abi::layout::PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = abi::layout::PAGE;

    #[test]
    fn sizes_are_whole_pages_and_places_aligned_as_devices_see_them() {
        let mut regions = Regions::new(64 * PAGE + 5);
        assert_eq!(regions.total(), 64 * PAGE);
        let base = 0x1000_3000;
        let first = regions.take(1, base, 1).expect("fits");
        assert_eq!((first.offset, first.size), (0, PAGE));
        let second = regions.take(3 * PAGE, base, 0x8000).expect("fits");
        assert_eq!((base + second.offset) % 0x8000, 0);
        assert_eq!(regions.free(), 60 * PAGE);
        assert!(regions.take(PAGE, base, 3 * PAGE).is_none());
        assert!(regions.take(0, base, 1).is_none());
        assert!(regions.take(u64::MAX, base, 1).is_none());
        assert!(regions.take(61 * PAGE, base, 1).is_none());
    }

    #[test]
    fn what_is_given_back_joins_its_neighbours() {
        let mut regions = Regions::new(16 * PAGE);
        let all: Vec<_> = (0..16)
            .map(|_| regions.take(PAGE, 0, 1).expect("fits"))
            .collect();
        assert!(regions.take(PAGE, 0, 1).is_none());
        for region in all.iter().step_by(2).chain(all.iter().skip(1).step_by(2)) {
            assert!(regions.give(*region));
        }
        assert_eq!(regions.free.len(), 1);
        assert_eq!(regions.take(16 * PAGE, 0, 1).map(|all| all.offset), Some(0));
    }

    #[test]
    fn nothing_is_given_back_twice_or_from_elsewhere() {
        let mut regions = Regions::new(8 * PAGE);
        let one = regions.take(2 * PAGE, 0, 1).expect("fits");
        assert!(regions.give(one));
        assert!(!regions.give(one));
        assert!(!regions.give(Region {
            offset: 7 * PAGE,
            size: 2 * PAGE
        }));
        assert!(!regions.give(Region::default()));
        assert_eq!(regions.free(), 8 * PAGE);
    }

    /// Many random steps against a map of single pages.
    #[test]
    fn a_long_history_never_overlaps_and_never_leaks() {
        let mut regions = Regions::new(128 * PAGE);
        let (mut held, mut owner) = (Vec::new(), [false; 128]);
        let mut dice = 1u64;
        for _ in 0..20_000 {
            dice = dice.wrapping_mul(6364136223846793005).wrapping_add(99);
            let roll = (dice >> 33) as usize;
            if roll % 2 == 0 {
                let want = (roll / 2 % 9 + 1) as u64 * PAGE;
                if let Some(region) = regions.take(want, 0, PAGE << (roll / 32 % 3)) {
                    for page in region.offset / PAGE..region.end() / PAGE {
                        assert!(!core::mem::replace(&mut owner[page as usize], true));
                    }
                    held.push(region);
                }
            } else if !held.is_empty() {
                let region = held.swap_remove(roll / 2 % held.len());
                for page in region.offset / PAGE..region.end() / PAGE {
                    owner[page as usize] = false;
                }
                assert!(regions.give(region));
            }
            let used = owner.iter().filter(|taken| **taken).count() as u64;
            assert_eq!(regions.free(), (128 - used) * PAGE);
        }
    }
}
