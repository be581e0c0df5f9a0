//! Devices that break: from some access on, the values that a driver reads from its device are falsified, for a number of
//! accesses or for good.

use core::fmt;

/// What is wrong with the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is gone: every read gives all ones.
    Ones,
    /// Every register keeps giving what it gave first: what is busy stays busy.
    Stuck,
    /// Every read gives zero.
    Zeros,
    /// One bit of every read is wrong, another each time.
    Noise,
    /// Memory that it shares gives numbers that are too large: wild indices, lengths, tags.
    Wild,
    /// Memory that it shares gives zero: completions that say nothing, or less than was asked for.
    Short,
    /// Memory that it shares is as it was first seen: completions that never come.
    Silent,
    /// Its interrupts are lost. (Nothing of what is read is spoilt.)
    Lost,
}

impl Kind {
    pub const ALL: [Kind; 8] = [
        Kind::Ones,
        Kind::Stuck,
        Kind::Zeros,
        Kind::Noise,
        Kind::Wild,
        Kind::Short,
        Kind::Silent,
        Kind::Lost,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Ones => "ones",
            Kind::Stuck => "stuck",
            Kind::Zeros => "zeros",
            Kind::Noise => "noise",
            Kind::Wild => "wild",
            Kind::Short => "short",
            Kind::Silent => "silent",
            Kind::Lost => "lost",
        }
    }

    /// By its name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    fn of_memory(self) -> bool {
        matches!(self, Kind::Wild | Kind::Short | Kind::Silent)
    }
}

/// A fault as the command line asks for it: `DEVICE:KIND:AFTER`, or `DEVICE:KIND:AFTER:COUNT` if it passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The driver's name.
    pub driver: &'a str,
    pub kind: Kind,
    /// Reads that are as they should be: of registers, or of memory if that is what is spoilt. Interrupts, if they are lost.
    pub after: u64,
    /// Those that are not.
    pub count: u64,
}

impl<'a> Asked<'a> {
    /// `None` if it is no such text.
    #[must_use]
    pub fn of(text: &'a str) -> Option<Asked<'a>> {
        let mut parts = text.split(':');
        let driver = parts.next().filter(|name| !name.is_empty())?;
        let kind = Kind::of_name(parts.next()?)?;
        let after = parts.next()?.parse().ok()?;
        let count = match parts.next() {
            Some(count) => count.parse().ok()?,
            None => u64::MAX,
        };
        parts.next().is_none().then_some(Asked {
            driver,
            kind,
            after,
            count,
        })
    }
}

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let of = match self.kind {
            Kind::Lost => "interrupts",
            kind if kind.of_memory() => "reads of memory",
            _ => "reads",
        };
        write!(f, "{} after {} {of}", self.kind.name(), self.after)?;
        match self.count {
            u64::MAX => Ok(()),
            count => write!(f, ", for {count}"),
        }
    }
}

/// Places whose first value is remembered; more are as they should be.
const PLACES: usize = 128;

/// What stands between a driver and its device.
pub struct Spoil {
    kind: Kind,
    /// Reads until the device breaks.
    left: u64,
    /// Reads until it is well again.
    count: u64,
    /// What places gave first, since it broke.
    seen: [Option<((u64, u64), u64)>; PLACES],
    state: u64,
}

impl Spoil {
    #[must_use]
    pub fn new(kind: Kind, after: u64, count: u64) -> Spoil {
        Spoil {
            kind,
            left: after,
            count,
            seen: [None; PLACES],
            state: after.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        }
    }

    /// Whether the device is broken now.
    #[must_use]
    pub fn broken(&self) -> bool {
        self.left == 0 && self.count > 0
    }

    /// Whether there was a fault so far.
    #[must_use]
    pub fn begun(&self) -> bool {
        self.left == 0
    }

    /// Whether there was one, and it is over.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.count == 0
    }

    /// Whether this read, of memory or of a register, is spoilt.
    fn spoils(&mut self, memory: bool) -> bool {
        if memory != self.kind.of_memory() {
            return false;
        }
        match (self.left, self.count) {
            (0, 0) => false,
            (0, count) => {
                self.count -= u64::from(count != u64::MAX);
                true
            }
            _ => {
                self.left -= 1;
                false
            }
        }
    }

    fn dice(&mut self) -> u64 {
        // Marsaglia 2003, xorshift64.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    /// The first value that this place gave.
    fn first(&mut self, place: (u64, u64), value: u64) -> u64 {
        for slot in &mut self.seen {
            match slot {
                Some((known, first)) if *known == place => return *first,
                Some(_) => {}
                None => {
                    *slot = Some((place, value));
                    break;
                }
            }
        }
        value
    }

    /// What the driver sees where a register gave `value`; `ones` is the width as a mask.
    pub fn read(&mut self, place: (u64, u64), ones: u64, value: u64) -> u64 {
        if !self.spoils(false) {
            return value;
        }
        let bits = u64::from(ones.count_ones()).max(1);
        match self.kind {
            Kind::Ones => ones,
            Kind::Zeros => 0,
            Kind::Stuck => self.first(place, value),
            Kind::Noise => value ^ 1 << (self.dice() % bits),
            Kind::Wild | Kind::Short | Kind::Silent | Kind::Lost => value,
        }
    }

    /// What it sees where memory that it shares with the device gave `value`.
    pub fn load(&mut self, place: (u64, u64), ones: u64, value: u64) -> u64 {
        if !self.spoils(true) {
            return value;
        }
        ones & match self.kind {
            Kind::Wild => value ^ self.dice(),
            Kind::Short => 0,
            Kind::Silent => self.first(place, value),
            _ => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_as_it_is_shown() {
        let asked = Asked::of("nic:stuck:60").unwrap();
        assert_eq!(
            (asked.driver, asked.kind, asked.after, asked.count),
            ("nic", Kind::Stuck, 60, u64::MAX)
        );
        let passing = Asked::of("disk-2:ones:7:3").unwrap();
        assert_eq!((passing.after, passing.count), (7, 3));
        for wrong in [
            "",
            "nic",
            "nic:odd:1",
            ":ones:1",
            "nic:ones:x",
            "nic:ones:1:2:3",
            "nic:ones",
        ] {
            assert_eq!(Asked::of(wrong), None, "{wrong}");
        }
        for kind in Kind::ALL {
            assert_eq!(Kind::of_name(kind.name()), Some(kind));
        }
    }

    #[test]
    fn it_breaks_in_time_and_may_pass() {
        let mut spoil = Spoil::new(Kind::Ones, 2, 1);
        let seen: [u64; 4] = core::array::from_fn(|_| spoil.read((0, 0), 0xff, 5));
        assert_eq!(seen, [5, 5, 0xff, 5]);
        let mut stuck = Spoil::new(Kind::Stuck, 0, u64::MAX);
        let seen: [u64; 3] = core::array::from_fn(|n| stuck.read((0, 4), 0xff, n as u64));
        assert_eq!(seen, [0, 0, 0]);
        assert_eq!(stuck.load((1, 4), 0xff, 9), 9);
    }
}
