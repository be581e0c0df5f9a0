//! Counts how often a task was restarted after a fault, and says when it is given up.

/// In this time …
pub const WITHIN: u64 = 10_000_000_000;
/// … so many times.
pub const MOST: usize = 3;

/// When a task was started anew, newest last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Restarts {
    times: [Option<u64>; MOST],
    /// All of them, those from the prompt included.
    pub count: u64,
}

impl Restarts {
    /// The task faulted at `now` (ns). `true`, and counted, if it may start anew.
    pub fn allow(&mut self, now: u64) -> bool {
        let recent =
            |time: &Option<u64>| time.is_some_and(|time| now.saturating_sub(time) < WITHIN);
        if self.times.iter().all(recent) {
            return false;
        }
        self.times.rotate_left(1);
        self.times[MOST - 1] = Some(now);
        self.count += 1;
        true
    }

    /// It was started anew because somebody asked: that always goes, and the past is forgotten.
    pub fn asked(&mut self) {
        self.times = [None; MOST];
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn three_times_in_ten_seconds_and_no_more() {
        let mut restarts = Restarts::default();
        assert!(restarts.allow(0) && restarts.allow(SECOND) && restarts.allow(2 * SECOND));
        assert!(!restarts.allow(3 * SECOND));
        assert!(restarts.allow(10 * SECOND));
        assert!(!restarts.allow(10 * SECOND + 1));
        assert_eq!(restarts.count, 4);
    }

    #[test]
    fn asking_forgets_the_past() {
        let mut restarts = Restarts::default();
        while restarts.allow(5) {}
        restarts.asked();
        assert!(restarts.allow(6));
        assert_eq!(restarts.count, 5);
    }
}
