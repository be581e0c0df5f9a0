//! The terminal of a Linux personality: settings, line editing, echo and job control, as a state machine without input or
//! output. A caller hands over what is typed and written, takes what is shown and read, and sends the signals that are due.
//!
//! The model is the slave of a Linux pseudo-terminal (termios(3), pty(7), ioctl_tty(2)); `tests/oracle.rs` runs both.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod echo;
mod input;
pub mod job;
mod line;
mod output;
pub mod termios;

use alloc::collections::VecDeque;
use echo::Echo;
use input::Input;
use termios::{cc, cflag, iflag, lflag, Termios};

/// Why a call has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// EAGAIN; a caller without `O_NONBLOCK` sleeps and asks again.
    WouldBlock,
    /// EIO: the other side is gone.
    Failed,
}

impl Error {
    /// Linux's number (errno(3)).
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Error::WouldBlock => 11,
            Error::Failed => 5,
        }
    }
}

/// A signal that goes to the foreground group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT.
    Interrupt,
    /// SIGQUIT.
    Quit,
    /// SIGTSTP.
    Suspend,
}

/// Signals that are due to the foreground group. The same signal twice is one, as pending signals are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    pub interrupt: bool,
    pub quit: bool,
    pub suspend: bool,
}

impl Due {
    fn add(&mut self, signal: Signal) {
        match signal {
            Signal::Interrupt => self.interrupt = true,
            Signal::Quit => self.quit = true,
            Signal::Suspend => self.suspend = true,
        }
    }
}

/// The size of the window, `struct winsize` (TIOCGWINSZ): characters, then pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    pub rows: u16,
    pub columns: u16,
    pub width: u16,
    pub height: u16,
}

/// When new settings hold (tcsetattr(3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// TCSANOW, TCSETS.
    Now,
    /// TCSADRAIN, TCSETSW. A pseudo-terminal has nothing to wait for: what is written is shown at once.
    Drain,
    /// TCSAFLUSH, TCSETSF: what was typed and not read is forgotten.
    Flush,
}

/// What TCFLSH forgets, with its argument's numbers 0, 1 and 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    Input,
    Output,
    Both,
}

impl Flush {
    /// The argument of TCFLSH; none is EINVAL.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Flush> {
        match number {
            0 => Some(Flush::Input),
            1 => Some(Flush::Output),
            2 => Some(Flush::Both),
            _ => None,
        }
    }
}

/// A pseudo-terminal: the slave's line discipline and the two ways between master and slave. At most about 200 KiB.
pub struct Tty {
    termios: Termios,
    window: Window,
    /// Typed, and without room yet.
    pending: VecDeque<u8>,
    input: Input,
    echo: Echo,
    /// The next byte is typed as itself.
    literal: bool,
    /// ECHOPRT is within `\…/`.
    erasing: bool,
    column: u32,
    /// The column in which the line began.
    begin: u32,
    stopped: bool,
    shown: VecDeque<u8>,
    /// Shown, and without room at the master yet.
    waiting: VecDeque<u8>,
    due: Due,
    hung_up: bool,
    slave_closed: bool,
}

impl Default for Tty {
    fn default() -> Tty {
        Tty::new()
    }
}

impl Tty {
    /// A fresh terminal, both sides open.
    #[must_use]
    pub fn new() -> Tty {
        Tty {
            termios: Termios::new(),
            window: Window::default(),
            pending: VecDeque::new(),
            input: Input::new(),
            echo: Echo::default(),
            literal: false,
            erasing: false,
            column: 0,
            begin: 0,
            stopped: false,
            shown: VecDeque::new(),
            waiting: VecDeque::new(),
            due: Due::default(),
            hung_up: false,
            slave_closed: false,
        }
    }

    /// The settings (TCGETS).
    #[must_use]
    pub const fn termios(&self) -> &Termios {
        &self.termios
    }

    /// New settings (TCSETS, TCSETSW, TCSETSF). They are taken as they are, but for the bits of `c_cflag` that a
    /// pseudo-terminal has no choice about.
    pub fn set_termios(&mut self, new: Termios, when: When) {
        if when == When::Flush {
            self.flush(Flush::Input);
        }
        let old = core::mem::replace(&mut self.termios, new);
        self.termios.cflag =
            new.cflag & !(cflag::CSIZE | cflag::PARENB) | cflag::CS8 | cflag::CREAD;
        if (old.lflag ^ new.lflag) & lflag::ICANON != 0 {
            self.input.change(new.l(lflag::ICANON));
            (self.erasing, self.literal) = (false, false);
        }
        if old.i(iflag::IXON) && !new.i(iflag::IXON) {
            self.start();
            self.process_echoes();
            self.move_up();
        }
    }

    /// The window's size (TIOCGWINSZ).
    #[must_use]
    pub const fn window(&self) -> Window {
        self.window
    }

    /// A new size (TIOCSWINSZ); whether it changed, and SIGWINCH goes to the foreground group.
    pub fn set_window(&mut self, new: Window) -> bool {
        core::mem::replace(&mut self.window, new) != new
    }

    /// Forgets what was typed and not read, or what was written and has not reached the master's own buffer (TCFLSH).
    pub fn flush(&mut self, what: Flush) {
        if what != Flush::Output {
            self.forget_input();
            self.receive();
        }
        if what != Flush::Input {
            self.discard_waiting();
        }
    }

    fn forget_input(&mut self) {
        self.input.clear();
        self.erasing = false;
    }

    /// The program reads (`O_NONBLOCK`); how many bytes, 0 at the end of file, after a hang-up, or with neither VMIN nor
    /// VTIME. A caller that may sleep goes on while [`Tty::wants_more`] says so.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing to read.
    pub fn read(&mut self, to: &mut [u8]) -> Result<usize, Error> {
        if self.hung_up || to.is_empty() {
            return Ok(0);
        }
        if !self.available(1) {
            let now = !self.termios.l(lflag::ICANON)
                && self.termios.cc[cc::VMIN] == 0
                && self.termios.cc[cc::VTIME] == 0;
            return if now { Ok(0) } else { Err(Error::WouldBlock) };
        }
        let count = if self.termios.l(lflag::ICANON) {
            self.input.read_line(to)
        } else {
            // Linux copies by 64 bytes and goes on only if those were VMIN.
            let most = if self.termios.cc[cc::VMIN] > 64 {
                to.len().min(64)
            } else {
                to.len()
            };
            self.input.read(&mut to[..most])
        };
        self.receive();
        Ok(count)
    }

    /// Whether a read that may sleep and has `got` of `wanted` bytes sleeps for more (VMIN).
    #[must_use]
    pub fn wants_more(&self, got: usize, wanted: usize) -> bool {
        let least = usize::from(self.termios.cc[cc::VMIN]).min(wanted).min(64);
        !self.termios.l(lflag::ICANON) && !self.hung_up && got < least
    }

    fn available(&self, least: u64) -> bool {
        if self.termios.l(lflag::ICANON) {
            self.input.canon != self.input.tail
        } else {
            self.input.commit - self.input.tail >= least
        }
    }

    /// Whether poll(2) says that the program can read.
    #[must_use]
    pub fn readable(&self) -> bool {
        let least = if self.termios.cc[cc::VTIME] == 0 {
            self.termios.cc[cc::VMIN].max(1)
        } else {
            1
        };
        self.hung_up || self.available(u64::from(least))
    }

    /// FIONREAD of the slave, in bytes.
    #[must_use]
    pub fn unread(&self) -> usize {
        if self.termios.l(lflag::ICANON) {
            self.input.in_lines()
        } else {
            self.input.held()
        }
    }

    /// The signals that are due to the foreground group; they are asked once, after each call that types or reads.
    pub fn take_due(&mut self) -> Due {
        core::mem::take(&mut self.due)
    }

    /// The master is closed. SIGHUP and then SIGCONT go to the leader of the session that has this terminal; from now on
    /// the program reads the end of file and writes fail.
    pub fn hang_up(&mut self) {
        self.hung_up = true;
    }

    /// The last descriptor of the slave is closed, or one is opened again.
    pub fn set_slave_open(&mut self, open: bool) {
        self.slave_closed = !open;
    }
}
