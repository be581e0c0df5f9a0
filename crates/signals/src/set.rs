//! Signals by number, and sets of them, as signal(7) lists them for x86-64 and AArch64.

/// One signal: 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signal(u8);

impl Signal {
    /// How many there are.
    pub const MOST: u8 = 64;

    /// The signal of this number; none outside 1 to 64.
    #[must_use]
    pub fn new(number: i32) -> Option<Signal> {
        let number = u8::try_from(number).ok()?;
        (1..=Self::MOST).contains(&number).then_some(Signal(number))
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0 as i32
    }

    pub(crate) const fn index(self) -> usize {
        self.0 as usize - 1
    }

    /// It is queued each time that it is sent, not once.
    #[must_use]
    pub const fn is_real_time(self) -> bool {
        self.0 >= 32
    }

    /// Its default action leaves a core file.
    #[must_use]
    pub const fn leaves_core(self) -> bool {
        CORE.has(self)
    }
}

/// A set of signals: bit `n - 1` is signal `n`, as in the calls of both architectures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Set(pub u64);

impl Set {
    /// No signal.
    pub const EMPTY: Set = Set(0);
    /// SIGKILL and SIGSTOP.
    pub const UNBLOCKABLE: Set = numbers(&[9, 19]);

    /// One signal.
    #[must_use]
    pub const fn of(signal: Signal) -> Set {
        Set(1 << signal.index())
    }

    /// Whether the signal is among them.
    #[must_use]
    pub const fn has(self, signal: Signal) -> bool {
        self.0 & (1 << signal.index()) != 0
    }

    /// Those of both.
    #[must_use]
    pub const fn with(self, more: Set) -> Set {
        Set(self.0 | more.0)
    }

    /// Those that are not among the others.
    #[must_use]
    pub const fn without(self, others: Set) -> Set {
        Set(self.0 & !others.0)
    }

    /// All others.
    #[must_use]
    pub const fn complement(self) -> Set {
        Set(!self.0)
    }

    /// The one with the lowest number.
    pub(crate) fn lowest(self) -> Option<Signal> {
        match self.0 {
            0 => None,
            // At most 63 zeros stand below a one.
            bits => Some(Signal(bits.trailing_zeros() as u8 + 1)),
        }
    }
}

const fn numbers(list: &[u8]) -> Set {
    let mut set = 0;
    let mut k = 0;
    while k < list.len() {
        set |= 1 << (list[k] - 1);
        k += 1;
    }
    Set(set)
}

/// By default nothing happens: CHLD, CONT, URG, WINCH. (That CONT lets a stopped process go on is not delivery.)
pub(crate) const IGNORED: Set = numbers(&[17, 18, 23, 28]);
/// By default the process stops: STOP, TSTP, TTIN, TTOU.
pub(crate) const STOPS: Set = numbers(&[19, 20, 21, 22]);
pub(crate) const CONTINUE: Set = numbers(&[18]);
/// What an instruction causes is delivered before what others send: ILL, TRAP, BUS, FPE, SEGV, SYS.
pub(crate) const SYNCHRONOUS: Set = numbers(&[4, 5, 7, 8, 11, 31]);
/// QUIT, ABRT, XCPU and XFSZ beside those.
const CORE: Set = SYNCHRONOUS.with(numbers(&[3, 6, 24, 25]));
