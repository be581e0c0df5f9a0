//! What lies beside the buffers of a test: it has a pattern before the test, and has to have it afterwards.

use crate::guard::pattern;
use crate::memory::Pool;

/// Ranges of the pool that requests named; what is in none of them is nobody's.
pub(super) struct Beside {
    ranges: [(u64, u64); RANGES],
    count: usize,
}

/// Ranges told apart. Where a test uses more, the last is widened, and what lies between is not looked at.
const RANGES: usize = 24;
/// Bytes that are read at once.
const STEP: usize = 64;

impl Beside {
    /// Fills the pool, of which nothing is used yet.
    pub fn begin(pool: &Pool) -> Beside {
        for at in 0..pool.size() {
            pool.write(at as u64, &[pattern(at)]);
        }
        Beside {
            ranges: [(0, 0); RANGES],
            count: 0,
        }
    }

    /// A request names the bytes from `begin` to before `end`.
    pub fn is_used(&mut self, begin: u64, end: u64) {
        let known = &self.ranges[..self.count];
        if known.iter().any(|(from, to)| *from <= begin && end <= *to) {
            return;
        }
        match self.ranges.get_mut(self.count) {
            Some(range) => {
                *range = (begin, end);
                self.count += 1;
            }
            None => {
                let last = &mut self.ranges[RANGES - 1];
                *last = (last.0.min(begin), last.1.max(end));
            }
        }
    }

    /// Whether a byte that no request named has changed.
    pub fn harmed(&self, pool: &Pool) -> bool {
        let ranges = &self.ranges[..self.count];
        let used = |at: u64| ranges.iter().any(|(from, to)| (*from..*to).contains(&at));
        let mut bytes = [0; STEP];
        (0..pool.size() as u64 / STEP as u64).any(|step| {
            let from = step * STEP as u64;
            pool.read(from, &mut bytes);
            let places = (from..).zip(&bytes);
            places
                .filter(|(at, _)| !used(*at))
                .any(|(at, byte)| *byte != pattern(at as usize))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_request_named_is_looked_at() {
        let mut memory = [0u8; 4096];
        // SAFETY: the array outlives the pool and is used through it alone.
        let pool = unsafe { Pool::new(memory.as_mut_ptr(), memory.len()) };
        let mut beside = Beside::begin(&pool);
        beside.is_used(100, 164);
        beside.is_used(110, 120);
        assert!(!beside.harmed(&pool));
        pool.write(100, &[0; 64]);
        assert!(!beside.harmed(&pool));
        for at in [0, 99, 164, 4095] {
            let mut old = [0];
            pool.read(at, &mut old);
            pool.write(at, &[!old[0]]);
            assert!(beside.harmed(&pool), "{at}");
            pool.write(at, &old);
        }
        // More ranges than are told apart: what lies between the last ones is left out, the rest is not.
        for n in 0..40 {
            beside.is_used(1000 + 10 * n, 1001 + 10 * n);
        }
        pool.write(1390, &[0]);
        assert!(!beside.harmed(&pool));
        pool.write(1391, &[!pattern(1391)]);
        assert!(beside.harmed(&pool));
    }
}
