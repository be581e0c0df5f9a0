//! The way in: each typed byte is stored, edits the line, starts or stops output, or asks for a signal.

use crate::echo::Step;
use crate::input::SIZE;
use crate::termios::{cc, control, iflag, lflag, word};
use crate::{Signal, Tty};

/// Typed bytes that wait for a program that does not read.
const PENDING: usize = 65536;

/// What an erasing character erases.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Erase {
    Character,
    Word,
    Line,
}

impl Tty {
    /// Bytes are typed: the master writes (`O_NONBLOCK`). How many were taken; the signals are in [`Tty::take_due`].
    /// As in Linux one byte can echo a whole line (VREPRINT), so a caller that must not be long hands over few at once.
    pub fn type_in(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(PENDING - self.pending.len());
        self.pending.extend(&bytes[..count]);
        self.receive();
        count
    }

    /// Takes waiting bytes as far as there is room. A line that has no end yet never makes the others wait: its last
    /// byte is replaced, so that the end can still be typed.
    pub(crate) fn receive(&mut self) {
        loop {
            let held = self.input.held();
            let mut room = (SIZE - 1).saturating_sub(held);
            if room == 0 && self.termios.l(lflag::ICANON) && self.input.canon == self.input.tail {
                if held == SIZE {
                    self.input.head -= 1;
                }
                room = 1;
            }
            let count = room.min(self.pending.len());
            if count == 0 {
                return self.move_up();
            }
            self.burst(count);
        }
    }

    fn burst(&mut self, count: usize) {
        let transparent = self.termios.transparent();
        for _ in 0..count {
            let Some(byte) = self.pending.pop_front() else {
                break;
            };
            if transparent {
                self.input.put(byte);
            } else {
                self.byte(byte);
            }
        }
        if !transparent {
            self.flush_echoes();
        }
        if !self.termios.l(lflag::ICANON) {
            self.input.commit = self.input.head;
        }
    }

    fn byte(&mut self, byte: u8) {
        let mut byte = byte;
        if self.termios.i(iflag::ISTRIP) {
            byte &= 0x7f;
        }
        if self.termios.i(iflag::IUCLC) && self.termios.l(lflag::IEXTEN) {
            byte = lower(byte);
        }
        let literal = core::mem::take(&mut self.literal);
        if literal || !self.termios.special(byte) {
            self.start_on_any();
            self.store(byte);
        } else if !self.flow(byte) && !self.signal(byte) {
            self.start_on_any();
            self.translate(byte);
        }
    }

    fn is(&self, byte: u8, which: usize) -> bool {
        self.termios.cc[which] == byte
    }

    /// Start and stop.
    fn flow(&mut self, byte: u8) -> bool {
        if !self.termios.i(iflag::IXON) {
            return false;
        }
        if self.is(byte, cc::VSTART) {
            self.start();
            self.process_echoes();
            return true;
        }
        let stop = self.is(byte, cc::VSTOP);
        self.stopped |= stop;
        stop
    }

    fn signal(&mut self, byte: u8) -> bool {
        let signals = [
            (cc::VINTR, Signal::Interrupt),
            (cc::VQUIT, Signal::Quit),
            (cc::VSUSP, Signal::Suspend),
        ];
        let Some(&(_, signal)) = signals.iter().find(|&&(which, _)| self.is(byte, which)) else {
            return false;
        };
        if !self.termios.l(lflag::ISIG) {
            return false;
        }
        self.due.add(signal);
        if !self.termios.l(lflag::NOFLSH) {
            self.echo.clear();
            self.discard_waiting();
            self.forget_input();
        }
        if self.termios.i(iflag::IXON) {
            self.start();
        }
        if self.termios.l(lflag::ECHO) {
            self.echo_character(byte);
            self.mark_echoes();
        } else {
            self.process_echoes();
        }
        true
    }

    fn translate(&mut self, byte: u8) {
        let byte = match byte {
            b'\r' if self.termios.i(iflag::IGNCR) => return,
            b'\r' if self.termios.i(iflag::ICRNL) => b'\n',
            b'\n' if self.termios.i(iflag::INLCR) => b'\r',
            other => other,
        };
        if self.termios.l(lflag::ICANON) && self.edit(byte) {
            return;
        }
        if byte != b'\n' {
            return self.store(byte);
        }
        if self.termios.l(lflag::ECHO) {
            self.finish_erasing();
            self.echo.add(Step::Byte(byte));
            self.mark_echoes();
        }
        self.input.put(byte);
    }

    /// A byte that is only itself.
    fn store(&mut self, byte: u8) {
        if self.termios.l(lflag::ECHO) {
            self.finish_erasing();
            self.echo_begin();
            self.echo_character(byte);
            self.mark_echoes();
        }
        self.input.put(byte);
    }

    /// What canonical mode makes of a special character; false if it is none.
    fn edit(&mut self, byte: u8) -> bool {
        let extended = self.termios.l(lflag::IEXTEN);
        let echo = self.termios.l(lflag::ECHO);
        let (word, line) = (self.is(byte, cc::VWERASE), self.is(byte, cc::VKILL));
        // If one byte is both, Linux erases a word, even without IEXTEN.
        let erase = match self.is(byte, cc::VERASE) {
            true => Some(Erase::Character),
            false if word && (extended || line) => Some(Erase::Word),
            false => line.then_some(Erase::Line),
        };
        if let Some(what) = erase {
            self.erase(what);
            self.mark_echoes();
        } else if extended && self.is(byte, cc::VLNEXT) {
            self.next_is_literal();
        } else if extended && echo && self.is(byte, cc::VREPRINT) {
            self.reprint(byte);
        } else if byte == b'\n' {
            if self.termios.l(lflag::ECHO | lflag::ECHONL) {
                self.echo.add(Step::Byte(byte));
                self.mark_echoes();
            }
            self.input.end_line(byte);
        } else if self.is(byte, cc::VEOF) {
            self.input.end_line(0);
        } else if self.is(byte, cc::VEOL) || extended && self.is(byte, cc::VEOL2) {
            if echo {
                self.echo_begin();
                self.echo_character(byte);
                self.mark_echoes();
            }
            self.input.end_line(byte);
        } else {
            return false;
        }
        true
    }

    fn next_is_literal(&mut self) {
        self.literal = true;
        if self.termios.l(lflag::ECHO) {
            self.finish_erasing();
            if self.termios.l(lflag::ECHOCTL) {
                self.echo.add(Step::Byte(b'^'));
                self.echo.add(Step::Byte(8));
                self.mark_echoes();
            }
        }
    }

    fn reprint(&mut self, byte: u8) {
        self.finish_erasing();
        self.echo_character(byte);
        self.echo.add(Step::Byte(b'\n'));
        for at in self.input.canon..self.input.head {
            self.echo_character(self.input.at(at));
        }
        self.mark_echoes();
    }

    fn echo_character(&mut self, byte: u8) {
        let shown = self.termios.l(lflag::ECHOCTL) && control(byte) && byte != b'\t';
        self.echo.add(if shown {
            Step::Control(byte)
        } else {
            Step::Byte(byte)
        });
    }

    fn echo_begin(&mut self) {
        if self.input.canon == self.input.head {
            self.echo.add(Step::Begin);
        }
    }

    fn finish_erasing(&mut self) {
        if core::mem::take(&mut self.erasing) {
            self.echo.add(Step::Byte(b'/'));
        }
    }

    fn erase(&mut self, what: Erase) {
        let (input, settings) = (&mut self.input, &self.termios);
        if input.head == input.canon {
            return;
        }
        let echo = settings.l(lflag::ECHO);
        let visibly =
            settings.l(lflag::ECHOK) && settings.l(lflag::ECHOKE) && settings.l(lflag::ECHOE);
        if what == Erase::Line && !(echo && visibly) {
            input.head = input.canon;
            if echo {
                self.finish_erasing();
                self.echo_character(self.termios.cc[cc::VKILL]);
                if self.termios.l(lflag::ECHOK) {
                    self.echo.add(Step::Byte(b'\n'));
                }
            }
            return;
        }
        let mut in_word = false;
        while self.input.head != self.input.canon {
            let Some((at, byte)) = self.character_before() else {
                break;
            };
            if what == Erase::Word && !word(byte) && in_word {
                break;
            }
            in_word |= word(byte);
            let end = core::mem::replace(&mut self.input.head, at);
            if echo {
                self.echo_erased(what, byte, at, end);
            }
            if what == Erase::Character {
                break;
            }
        }
        if self.input.head == self.input.canon && echo {
            self.finish_erasing();
        }
    }

    /// Where the last character of the line begins and its first byte; none if only a part of it is there.
    fn character_before(&self) -> Option<(u64, u8)> {
        let mut at = self.input.head;
        while at != self.input.canon {
            at -= 1;
            let byte = self.input.at(at);
            if !self.termios.continues(byte) {
                return Some((at, byte));
            }
        }
        None
    }

    fn echo_erased(&mut self, what: Erase, byte: u8, at: u64, end: u64) {
        if self.termios.l(lflag::ECHOPRT) {
            if !core::mem::replace(&mut self.erasing, true) {
                self.echo.add(Step::Byte(b'\\'));
            }
            self.echo_character(byte);
            for at in at + 1..end {
                self.echo.add(Step::Byte(self.input.at(at)));
                self.echo.add(Step::Back);
            }
        } else if what == Erase::Character && !self.termios.l(lflag::ECHOE) {
            self.echo_character(self.termios.cc[cc::VERASE]);
        } else if byte == b'\t' {
            self.echo_erased_tab();
        } else {
            let pairs = match (control(byte), self.termios.l(lflag::ECHOCTL)) {
                (true, true) => 2,
                (true, false) => 0,
                (false, _) => 1,
            };
            for byte in b"\x08 \x08".repeat(pairs) {
                self.echo.add(Step::Byte(byte));
            }
        }
    }

    /// Counts the columns before an erased tab, back to the tab before it or the line's begin.
    fn echo_erased_tab(&mut self) {
        let (mut columns, mut after_tab) = (0usize, false);
        for at in (self.input.canon..self.input.head).rev() {
            let byte = self.input.at(at);
            if byte == b'\t' {
                after_tab = true;
                break;
            }
            if control(byte) {
                columns += if self.termios.l(lflag::ECHOCTL) { 2 } else { 0 };
            } else if !self.termios.continues(byte) {
                columns += 1;
            }
        }
        self.echo.add(Step::Tab((columns % 8) as u8, after_tab));
    }
}

/// Lower case in Latin-1, as IUCLC has it.
fn lower(byte: u8) -> u8 {
    let latin = (0xc0..=0xde).contains(&byte) && byte != 0xd7;
    if latin {
        byte + 32
    } else {
        byte.to_ascii_lowercase()
    }
}
