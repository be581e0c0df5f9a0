//! The line being typed: echo, erase, history.

use alloc::string::String;
use alloc::vec::Vec;

/// Longest line, bytes.
pub const LONGEST: usize = 256;
/// Lines remembered.
const REMEMBERED: usize = 16;

const ETX: u8 = 0x03;
const BACKSPACE: u8 = 0x08;
const NAK: u8 = 0x15;
const ESCAPE: u8 = 0x1b;
const DELETE: u8 = 0x7f;

/// What a byte made of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// It goes on.
    More,
    Line(String),
    /// Control-C: the line is gone.
    Cancelled,
}

/// How far an escape sequence is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sequence {
    #[default]
    None,
    Escape,
    Bracket,
}

#[derive(Debug, Default)]
pub struct Editor {
    line: String,
    history: Vec<String>,
    /// Line of the history that is shown, counted from the newest, and what was typed before.
    shown: Option<(usize, String)>,
    sequence: Sequence,
    /// The last byte was a carriage return: a line feed after it belongs to it.
    returned: bool,
}

impl Editor {
    /// One byte from the terminal. What it is to show is appended to `echo`.
    pub fn feed(&mut self, byte: u8, echo: &mut Vec<u8>) -> Typed {
        let returned = core::mem::take(&mut self.returned);
        if self.sequence != Sequence::None {
            self.escaped(byte, echo);
            return Typed::More;
        }
        match byte {
            b'\n' if returned => {}
            b'\r' | b'\n' => {
                self.returned = byte == b'\r';
                echo.extend(b"\r\n");
                return Typed::Line(self.finish());
            }
            ETX => {
                echo.extend(b"^C\r\n");
                self.line.clear();
                self.shown = None;
                return Typed::Cancelled;
            }
            NAK => self.replace(String::new(), echo),
            BACKSPACE | DELETE => {
                if self.line.pop().is_some() {
                    echo.extend(b"\x08 \x08");
                }
            }
            ESCAPE => self.sequence = Sequence::Escape,
            b' '..=b'~' if self.line.len() < LONGEST => {
                self.line.push(char::from(byte));
                echo.push(byte);
            }
            _ => {}
        }
        Typed::More
    }

    /// What is typed so far.
    pub fn line(&self) -> &str {
        &self.line
    }

    fn escaped(&mut self, byte: u8, echo: &mut Vec<u8>) {
        self.sequence = match (self.sequence, byte) {
            (Sequence::Escape, b'[' | b'O') => Sequence::Bracket,
            // Numbers and separators of a longer sequence.
            (Sequence::Bracket, b'0'..=b'?') => Sequence::Bracket,
            (Sequence::Bracket, b'A') => self.older(echo),
            (Sequence::Bracket, b'B') => self.newer(echo),
            _ => Sequence::None,
        };
    }

    fn older(&mut self, echo: &mut Vec<u8>) -> Sequence {
        let next = self.shown.as_ref().map_or(0, |(at, _)| at + 1);
        if let Some(line) = self.history.iter().rev().nth(next).cloned() {
            let typed = match self.shown.take() {
                Some((_, typed)) => typed,
                None => self.line.clone(),
            };
            self.replace(line, echo);
            self.shown = Some((next, typed));
        }
        Sequence::None
    }

    fn newer(&mut self, echo: &mut Vec<u8>) -> Sequence {
        if let Some((at, typed)) = self.shown.take() {
            let newer = at.checked_sub(1);
            let line = newer.and_then(|at| self.history.iter().rev().nth(at).cloned());
            self.replace(line.unwrap_or_else(|| typed.clone()), echo);
            self.shown = newer.map(|at| (at, typed));
        }
        Sequence::None
    }

    fn replace(&mut self, line: String, echo: &mut Vec<u8>) {
        for _ in 0..self.line.len() {
            echo.extend(b"\x08 \x08");
        }
        echo.extend(line.as_bytes());
        self.line = line;
        self.shown = None;
    }

    fn finish(&mut self) -> String {
        self.shown = None;
        let line = core::mem::take(&mut self.line);
        let new = self.history.last() != Some(&line);
        if new && !line.trim().is_empty() {
            if self.history.len() == REMEMBERED {
                self.history.remove(0);
            }
            self.history.push(line.clone());
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines typed, and everything echoed.
    fn lines(bytes: &[u8]) -> (Vec<String>, Vec<u8>) {
        let (mut editor, mut echo, mut lines) = (Editor::default(), Vec::new(), Vec::new());
        for byte in bytes {
            if let Typed::Line(line) = editor.feed(*byte, &mut echo) {
                lines.push(line);
            }
        }
        (lines, echo)
    }

    #[test]
    fn a_line_ends_with_either_end_or_both() {
        assert_eq!(lines(b"a\rb\nc\r\nd\r").0, ["a", "b", "c", "d"]);
        assert_eq!(lines(b"a\n\nb\n").0, ["a", "", "b"]);
        assert_eq!(lines(b"hi\r").1, b"hi\r\n");
    }

    #[test]
    fn what_is_erased_is_gone_from_line_and_screen() {
        assert_eq!(lines(b"ab\x7fc\x08d\r").0, ["ad"]);
        assert_eq!(lines(b"\x7f\x7fx\r").1, b"x\r\n");
        assert_eq!(lines(b"abc\x15d\r").0, ["d"]);
        assert_eq!(lines(b"ab\x15").1, b"ab\x08 \x08\x08 \x08");
    }

    #[test]
    fn control_c_clears_the_line() {
        let (mut editor, mut echo) = (Editor::default(), Vec::new());
        editor.feed(b'a', &mut echo);
        assert_eq!(editor.feed(3, &mut echo), Typed::Cancelled);
        assert_eq!(editor.line(), "");
        assert_eq!(echo, b"a^C\r\n");
    }

    #[test]
    fn arrows_walk_through_what_was_typed() {
        assert_eq!(lines(b"one\rtwo\r\x1b[A\r").0, ["one", "two", "two"]);
        assert_eq!(lines(b"one\rtwo\r\x1b[A\x1b[A\x1b[A\r").0[2], "one");
        assert_eq!(
            lines(b"one\rtwo\rdraft\x1b[A\x1b[A\x1b[B\x1b[B\r").0[2],
            "draft"
        );
        assert_eq!(lines(b"one\rdr\x1b[Aq\r").0[1], "oneq");
        assert_eq!(lines(b"\x1b[A\x1b[B\x1b[1;5Cx\x1bOD\r").0, ["x"]);
    }

    #[test]
    fn any_bytes_are_endured() {
        let mut dice = 7u32;
        let bytes: Vec<u8> = (0..50_000)
            .map(|_| {
                dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (dice >> 24) as u8
            })
            .collect();
        for line in lines(&bytes).0 {
            assert!(line.len() <= LONGEST && line.bytes().all(|b| (b' '..=b'~').contains(&b)));
        }
        let (long, _) = lines(&[&[b'x'; 1000][..], b"\r"].concat());
        assert_eq!(long[0].len(), LONGEST);
    }
}
