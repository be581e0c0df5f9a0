//! The way out: what a program writes and what is echoed becomes bytes for the master, and columns are counted.

use crate::echo::Step;
use crate::termios::{control, iflag, lflag, oflag, Termios};
use crate::{Error, Tty};
use alloc::vec::Vec;

/// Bytes that wait for a master that does not read.
const WAITING: usize = 65536;
/// Bytes that the master's own buffer holds.
const SHOWN: usize = 4095;

impl Tty {
    /// The program writes (`O_NONBLOCK`); how many bytes were taken.
    ///
    /// # Errors
    /// `WouldBlock` if output is stopped or the master does not read, `Failed` after a hang-up.
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        if self.hung_up {
            return Err(Error::Failed);
        }
        self.process_echoes();
        let mut count = 0;
        if self.termios.o(oflag::OPOST) {
            count = bytes.iter().take_while(|&&byte| self.put(byte)).count();
        } else {
            let room = self.room().min(bytes.len());
            for &byte in &bytes[..room] {
                self.show(byte);
                count += 1;
            }
        }
        self.move_up();
        if count == 0 && !bytes.is_empty() {
            return Err(Error::WouldBlock);
        }
        Ok(count)
    }

    /// The master reads what is shown; how many bytes.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing, `Failed` if there is nothing and nobody has the slave open.
    pub fn read_shown(&mut self, to: &mut [u8]) -> Result<usize, Error> {
        if to.is_empty() {
            return Ok(0);
        }
        if self.shown.is_empty() {
            return Err(if self.slave_closed {
                Error::Failed
            } else {
                Error::WouldBlock
            });
        }
        let mut count = 0;
        while count < to.len() {
            let Some(byte) = self.shown.pop_front() else {
                break;
            };
            to[count] = byte;
            count += 1;
        }
        // What waited moves up only now, as in Linux: a read never sees it.
        self.move_up();
        Ok(count)
    }

    /// FIONREAD of the master.
    #[must_use]
    pub fn shown(&self) -> usize {
        self.shown.len()
    }

    /// Whether a write would take at least a byte.
    #[must_use]
    pub fn writable(&self) -> bool {
        self.hung_up || self.room() > 0
    }

    pub(crate) fn discard_waiting(&mut self) {
        self.waiting.clear();
    }

    fn room(&self) -> usize {
        if self.stopped {
            0
        } else {
            WAITING - self.waiting.len()
        }
    }

    fn show(&mut self, byte: u8) {
        self.waiting.push_back(byte);
    }

    /// The end of a call: what was shown in it reaches the master. Until then a signal's flush still catches it.
    pub(crate) fn move_up(&mut self) {
        while self.shown.len() < SHOWN {
            let Some(byte) = self.waiting.pop_front() else {
                break;
            };
            self.shown.push_back(byte);
        }
    }

    fn show_all(&mut self, bytes: &[u8]) -> bool {
        let fits = self.room() >= bytes.len();
        if fits {
            bytes.iter().for_each(|&byte| self.show(byte));
        }
        fits
    }

    /// One byte with OPOST; whether there was room. A byte may become none or several.
    fn put(&mut self, byte: u8) -> bool {
        let settings: Termios = self.termios;
        let mut byte = byte;
        if self.room() == 0 {
            return false;
        }
        match byte {
            b'\n' => {
                if settings.o(oflag::ONLRET) {
                    self.column = 0;
                }
                if settings.o(oflag::ONLCR) {
                    let fits = self.show_all(b"\r\n");
                    if fits {
                        (self.column, self.begin) = (0, 0);
                    }
                    return fits;
                }
                self.begin = self.column;
            }
            b'\r' if settings.o(oflag::ONOCR) && self.column == 0 => return true,
            b'\r' => {
                let newline = settings.o(oflag::OCRNL);
                if newline {
                    byte = b'\n';
                }
                if !newline || settings.o(oflag::ONLRET) {
                    (self.column, self.begin) = (0, 0);
                }
            }
            b'\t' => {
                let spaces = 8 - self.column % 8;
                if settings.oflag & oflag::TABDLY == oflag::XTABS {
                    let fits = self.show_all(&b"        "[..spaces as usize]);
                    self.column = self.column.wrapping_add(if fits { spaces } else { 0 });
                    return fits;
                }
                self.column = self.column.wrapping_add(spaces);
            }
            8 => self.column = self.column.saturating_sub(1),
            _ if control(byte) => {}
            _ => {
                if settings.o(oflag::OLCUC) {
                    byte = upper(byte);
                }
                if !settings.continues(byte) {
                    self.column = self.column.wrapping_add(1);
                }
            }
        }
        self.show(byte);
        true
    }

    /// Shows the steps that may be shown, as far as there is room.
    pub(crate) fn show_echoes(&mut self) {
        while let Some(step) = self.echo.first() {
            if !self.step(step) {
                break;
            }
            self.echo.pass();
        }
        self.echo.forget();
    }

    fn step(&mut self, step: Step) -> bool {
        match step {
            Step::Tab(columns, after_tab) => {
                let from = if after_tab { 0 } else { self.begin };
                let back = 8 - u32::from(columns).wrapping_add(from) % 8;
                let bytes: Vec<u8> = (0..back).map(|_| 8).collect();
                let fits = self.show_all(&bytes);
                self.column = self.column.saturating_sub(if fits { back } else { 0 });
                fits
            }
            Step::Begin => {
                self.begin = self.column;
                true
            }
            Step::Back => {
                self.column = self.column.saturating_sub(1);
                true
            }
            Step::Control(byte) => {
                let fits = self.show_all(&[b'^', byte ^ 0o100]);
                self.column = self.column.wrapping_add(if fits { 2 } else { 0 });
                fits
            }
            Step::Byte(0xff) => {
                let fits = self.show_all(&[0xff]);
                self.column = self.column.wrapping_add(u32::from(fits));
                fits
            }
            Step::Byte(byte) if self.termios.o(oflag::OPOST) => self.put(byte),
            Step::Byte(byte) => self.show_all(&[byte]),
        }
    }

    /// Shows whole characters that were held back.
    pub(crate) fn process_echoes(&mut self) {
        self.echo.commit_marked();
        self.show_echoes();
    }

    /// The end of a burst of typed bytes.
    pub(crate) fn flush_echoes(&mut self) {
        if self.termios.l(lflag::ECHO | lflag::ECHONL) && self.echo.commit_all() {
            self.show_echoes();
        }
    }

    /// A character has been echoed.
    pub(crate) fn mark_echoes(&mut self) {
        if self.echo.mark() {
            self.show_echoes();
        }
    }

    pub(crate) fn start(&mut self) {
        self.stopped = false;
    }

    /// With IXANY every character starts output.
    pub(crate) fn start_on_any(&mut self) {
        if self.stopped && self.termios.i(iflag::IXON) && self.termios.i(iflag::IXANY) {
            self.start();
            self.process_echoes();
        }
    }
}

/// Upper case in Latin-1, as OLCUC has it: Linux takes 32 even off ß and ÿ, which have no capital there.
fn upper(byte: u8) -> u8 {
    let latin = (0xdf..=0xff).contains(&byte) && byte != 0xf7;
    if latin {
        byte - 32
    } else {
        byte.to_ascii_uppercase()
    }
}
