//! The settings of a terminal, with the numbers of Linux on x86-64 and arm64 (termios(3), `asm-generic/termbits.h`).

/// Input flags, `c_iflag`.
pub mod iflag {
    pub const ISTRIP: u32 = 0o40;
    pub const INLCR: u32 = 0o100;
    pub const IGNCR: u32 = 0o200;
    pub const ICRNL: u32 = 0o400;
    pub const IUCLC: u32 = 0o1000;
    pub const IXON: u32 = 0o2000;
    pub const IXANY: u32 = 0o4000;
    pub const IUTF8: u32 = 0o40000;
}

/// Output flags, `c_oflag`.
pub mod oflag {
    pub const OPOST: u32 = 0o1;
    pub const OLCUC: u32 = 0o2;
    pub const ONLCR: u32 = 0o4;
    pub const OCRNL: u32 = 0o10;
    pub const ONOCR: u32 = 0o20;
    pub const ONLRET: u32 = 0o40;
    /// The mask of what happens to tabs.
    pub const TABDLY: u32 = 0o14000;
    /// Tabs become spaces.
    pub const XTABS: u32 = 0o14000;
}

/// Control flags, `c_cflag`: a pseudo-terminal has 8 bits and no parity whatever is asked.
pub mod cflag {
    pub const B38400: u32 = 0o17;
    pub const CSIZE: u32 = 0o60;
    pub const CS8: u32 = 0o60;
    pub const CREAD: u32 = 0o200;
    pub const PARENB: u32 = 0o400;
}

/// Local flags, `c_lflag`.
pub mod lflag {
    pub const ISIG: u32 = 0o1;
    pub const ICANON: u32 = 0o2;
    pub const ECHO: u32 = 0o10;
    pub const ECHOE: u32 = 0o20;
    pub const ECHOK: u32 = 0o40;
    pub const ECHONL: u32 = 0o100;
    pub const NOFLSH: u32 = 0o200;
    pub const TOSTOP: u32 = 0o400;
    pub const ECHOCTL: u32 = 0o1000;
    pub const ECHOPRT: u32 = 0o2000;
    pub const ECHOKE: u32 = 0o4000;
    pub const IEXTEN: u32 = 0o100000;
}

/// Where each special character stands in `c_cc`.
pub mod cc {
    pub const VINTR: usize = 0;
    pub const VQUIT: usize = 1;
    pub const VERASE: usize = 2;
    pub const VKILL: usize = 3;
    pub const VEOF: usize = 4;
    pub const VTIME: usize = 5;
    pub const VMIN: usize = 6;
    pub const VSTART: usize = 8;
    pub const VSTOP: usize = 9;
    pub const VSUSP: usize = 10;
    pub const VEOL: usize = 11;
    pub const VREPRINT: usize = 12;
    pub const VWERASE: usize = 14;
    pub const VLNEXT: usize = 15;
    pub const VEOL2: usize = 16;
}

/// The kernel's `struct termios`, as TCGETS and TCSETS carry it: 36 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Termios {
    pub iflag: u32,
    pub oflag: u32,
    pub cflag: u32,
    pub lflag: u32,
    pub line: u8,
    pub cc: [u8; 19],
}

impl Termios {
    /// Bytes of the structure.
    pub const SIZE: usize = 36;

    /// What a fresh slave of a pseudo-terminal has.
    #[must_use]
    pub const fn new() -> Termios {
        use {iflag as i, lflag as l, oflag as o};
        Termios {
            iflag: i::ICRNL | i::IXON,
            oflag: o::OPOST | o::ONLCR,
            cflag: cflag::B38400 | cflag::CS8 | cflag::CREAD,
            lflag: l::ISIG
                | l::ICANON
                | l::ECHO
                | l::ECHOE
                | l::ECHOK
                | l::ECHOCTL
                | l::ECHOKE
                | l::IEXTEN,
            line: 0,
            cc: [
                3, 0x1c, 0x7f, 0x15, 4, 0, 1, 0, 0x11, 0x13, 0x1a, 0, 0x12, 0x0f, 0x17, 0x16, 0, 0,
                0,
            ],
        }
    }

    /// Reads it as a program hands it over. Every 36 bytes are some termios.
    #[must_use]
    pub fn from_bytes(from: &[u8; Termios::SIZE]) -> Termios {
        let word =
            |at: usize| u32::from_le_bytes([from[at], from[at + 1], from[at + 2], from[at + 3]]);
        let mut cc = [0; 19];
        cc.copy_from_slice(&from[17..]);
        Termios {
            iflag: word(0),
            oflag: word(4),
            cflag: word(8),
            lflag: word(12),
            line: from[16],
            cc,
        }
    }

    /// Writes it as a program expects it.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Termios::SIZE] {
        let mut to = [0; Termios::SIZE];
        for (at, word) in [self.iflag, self.oflag, self.cflag, self.lflag]
            .iter()
            .enumerate()
        {
            to[at * 4..at * 4 + 4].copy_from_slice(&word.to_le_bytes());
        }
        to[16] = self.line;
        to[17..].copy_from_slice(&self.cc);
        to
    }

    pub(crate) fn i(&self, flag: u32) -> bool {
        self.iflag & flag != 0
    }

    pub(crate) fn o(&self, flag: u32) -> bool {
        self.oflag & flag != 0
    }

    pub(crate) fn l(&self, flag: u32) -> bool {
        self.lflag & flag != 0
    }

    /// No byte of input means anything: all are passed on as they are.
    pub(crate) fn transparent(&self) -> bool {
        use {iflag as i, lflag as l};
        !self.i(i::ISTRIP | i::IUCLC | i::IGNCR | i::ICRNL | i::INLCR | i::IXON)
            && !self.l(l::ICANON | l::ISIG | l::ECHO)
    }

    /// Whether this byte may be more than itself. Zero never is: it stands for "disabled" in `c_cc`.
    pub(crate) fn special(&self, byte: u8) -> bool {
        use {cc as c, iflag as i, lflag as l};
        let one = |of: &[usize]| of.iter().any(|&at| self.cc[at] == byte);
        if byte == 0 {
            return false;
        }
        byte == b'\r' && self.i(i::IGNCR | i::ICRNL)
            || byte == b'\n' && (self.i(i::INLCR) || self.l(l::ICANON))
            || self.l(l::ICANON) && one(&[c::VERASE, c::VKILL, c::VEOF, c::VEOL])
            || self.l(l::ICANON) && self.l(l::IEXTEN) && one(&[c::VWERASE, c::VLNEXT, c::VEOL2])
            || self.l(l::ICANON) && self.l(l::IEXTEN) && self.l(l::ECHO) && one(&[c::VREPRINT])
            || self.i(i::IXON) && one(&[c::VSTART, c::VSTOP])
            || self.l(l::ISIG) && one(&[c::VINTR, c::VQUIT, c::VSUSP])
    }

    /// A byte within a character of UTF-8 that takes no column of its own.
    pub(crate) fn continues(&self, byte: u8) -> bool {
        self.i(iflag::IUTF8) && byte & 0xc0 == 0x80
    }
}

impl Default for Termios {
    fn default() -> Termios {
        Termios::new()
    }
}

/// A control character as the terminal understands it: what ECHOCTL shows as `^X`.
pub(crate) fn control(byte: u8) -> bool {
    byte < 32 || byte == 127
}

/// A letter or digit of Latin-1, which is what word erase goes by.
pub(crate) fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0xc0 && byte != 0xd7 && byte != 0xf7
}
