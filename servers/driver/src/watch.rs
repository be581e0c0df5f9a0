//! How long a driver sleeps at most, and whether its interrupt can be relied on.

/// With no interrupt that works.
pub const POLL: u64 = 1_000_000;
/// Until the first interrupt was seen.
pub const DOUBT: u64 = 50_000_000;

/// What is known about the interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Belief {
    /// Some are bound, and nothing has come yet.
    Doubt,
    /// It came: sleep as long as nothing comes.
    Trust,
    /// There is none, or it did not come when the device had something: look every millisecond.
    Poll,
}

#[derive(Clone, Copy, Debug)]
pub struct Watch {
    belief: Belief,
}

impl Watch {
    /// `interrupts`: how many lines or messages are bound.
    pub fn new(interrupts: u64) -> Watch {
        Watch {
            belief: match interrupts {
                0 => Belief::Poll,
                _ => Belief::Doubt,
            },
        }
    }

    pub fn polls(&self) -> bool {
        self.belief == Belief::Poll
    }

    /// Latest time (ns) to look again, `None` for never.
    pub fn deadline(&self, now: u64) -> Option<u64> {
        match self.belief {
            Belief::Doubt => now.checked_add(DOUBT),
            Belief::Trust => None,
            Belief::Poll => now.checked_add(POLL),
        }
    }

    /// An interrupt came.
    pub fn interrupt(&mut self) {
        self.belief = Belief::Trust;
    }

    /// The device had something to tell although no interrupt came. `true`: that is news.
    pub fn missed(&mut self) -> bool {
        let news = self.belief == Belief::Doubt;
        if news {
            self.belief = Belief::Poll;
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_line_it_polls() {
        let watch = Watch::new(0);
        assert!(watch.polls());
        assert_eq!(watch.deadline(5), Some(5 + POLL));
    }

    #[test]
    fn a_line_that_works_is_trusted() {
        let mut watch = Watch::new(1);
        assert_eq!(watch.deadline(5), Some(5 + DOUBT));
        watch.interrupt();
        assert_eq!(watch.deadline(5), None);
        assert!(!watch.missed(), "another device on the line");
        assert_eq!(watch.deadline(5), None);
    }

    #[test]
    fn a_line_that_never_comes_is_given_up_once() {
        let mut watch = Watch::new(1);
        assert!(watch.missed() && !watch.missed());
        assert!(watch.polls());
        watch.interrupt();
        assert!(!watch.polls(), "it came after all");
    }
}
