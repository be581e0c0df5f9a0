//! Memory around what a device was lent, that nobody stores to.

/// A range with a pattern in it, which shows that something was stored there.
pub struct Guard {
    base: *mut u8,
    size: usize,
}

/// What stands in a guard at an offset: no two neighbours are equal, and zero is rare.
pub fn pattern(at: usize) -> u8 {
    (at * 31 + at / 256 * 7 + 0x5a) as u8
}

impl Guard {
    /// Lays the pattern.
    ///
    /// # Safety
    /// `size` bytes from `base` are readable and writable and nobody else's as long as this value lives. A device that goes
    /// too far may store to them all the same.
    pub unsafe fn new(base: *mut u8, size: usize) -> Guard {
        for at in 0..size {
            // SAFETY: `at` is below `size`; so many bytes are writable (contract of this function).
            unsafe { base.add(at).write_volatile(pattern(at)) };
        }
        Guard { base, size }
    }

    /// The bytes, counted from the range's beginning, that are not as they were laid.
    pub fn harmed(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        // SAFETY: `at` is below the size, and so many bytes are readable (contract of `new`). Volatile: a device may store to
        // them at any time, and whatever is read then is only a byte.
        (0..self.size).filter(|at| unsafe { self.base.add(*at).read_volatile() } != pattern(*at))
    }
}

#[cfg(test)]
mod tests {
    use super::Guard;

    #[test]
    fn every_byte_is_guarded() {
        let mut memory = [0u8; 300];
        let base = memory.as_mut_ptr();
        for at in [0, 1, 128, 255, 299] {
            // SAFETY: the array is used through this pointer only, as long as the guard is.
            let guard = unsafe { Guard::new(base, 300) };
            assert_eq!(guard.harmed().next(), None);
            // SAFETY: inside of the array.
            unsafe { *base.add(at) = !*base.add(at) };
            assert_eq!(guard.harmed().next(), Some(at));
            assert_eq!(guard.harmed().next_back(), Some(at));
        }
        // SAFETY: as above; zeroes and ones are no pattern.
        let guard = unsafe { Guard::new(base, 300) };
        for byte in [0, 0xff] {
            // SAFETY: inside of the array.
            unsafe { base.write_bytes(byte, 2) };
            assert!(guard.harmed().next().is_some());
        }
    }
}
