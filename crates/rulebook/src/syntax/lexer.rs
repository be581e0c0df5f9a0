//! Text → tokens. Outside brackets, indentation makes blocks and each line ends a statement; inside braces a line
//! end is a `;`; inside parentheses it is nothing.

use crate::{diagnostic::Diagnostic, tree::Place};
use alloc::{boxed::Box, format, vec, vec::Vec};

pub type Result<T> = core::result::Result<T, Box<Diagnostic>>;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind<'a> {
    Number(u64),
    Text(&'a str),
    Word(&'a str),
    Sign(&'static str),
    /// End of a line.
    Line,
    Indent,
    Dedent,
    End,
}

#[derive(Clone, Copy, Debug)]
pub struct Token<'a> {
    pub kind: Kind<'a>,
    pub place: Place,
}

/// Longest first: the first that fits is taken.
const SIGNS: [&str; 35] = [
    "++", "->", "<<", ">>", "==", "!=", "<=", ">=", "+=", "-=", "|=", "&=", "..", "-", "+", "*",
    "/", "%", "&", "|", "^", "~", "!", "<", ">", "=", "(", ")", "{", "}", "[", "]", ",", ";", ":",
];
const LATE_SIGNS: [&str; 2] = [".", "@"];

struct Lexer<'a> {
    file: u16,
    out: Vec<Token<'a>>,
    /// Columns at which the open blocks stand.
    margins: Vec<usize>,
    /// The open brackets.
    open: Vec<(&'static str, Place)>,
}

pub fn tokens(text: &str, file: u16) -> Result<Vec<Token<'_>>> {
    let mut lexer = Lexer {
        file,
        out: Vec::new(),
        margins: vec![0],
        open: Vec::new(),
    };
    let mut last = Place {
        file,
        line: 1,
        column: 1,
    };
    for (index, raw) in text.split('\n').enumerate() {
        let Ok(line) = u16::try_from(index + 1) else {
            return Err(problem(
                last,
                "the file has more than 65535 lines",
                "split the file",
            ));
        };
        last.line = line;
        lexer.line(raw, line)?;
    }
    if let Some((sign, place)) = lexer.open.last() {
        return Err(problem(
            *place,
            format!("this {sign} is never closed"),
            "close it, or take it away",
        ));
    }
    for _ in 1..lexer.margins.len() {
        lexer.out.push(Token {
            kind: Kind::Dedent,
            place: last,
        });
    }
    lexer.out.push(Token {
        kind: Kind::End,
        place: last,
    });
    Ok(lexer.out)
}

pub fn problem(
    place: Place,
    reason: impl Into<alloc::string::String>,
    suggestion: impl Into<alloc::string::String>,
) -> Box<Diagnostic> {
    Box::new(Diagnostic::new(place, reason, suggestion))
}

/// The line without its comment.
fn code(raw: &str) -> &str {
    let mut quoted = false;
    for (at, sign) in raw.char_indices() {
        match sign {
            '"' => quoted = !quoted,
            '#' if !quoted => return &raw[..at],
            _ => {}
        }
    }
    raw
}

impl<'a> Lexer<'a> {
    fn place(&self, line: u16, at: usize) -> Place {
        Place {
            file: self.file,
            line,
            column: u16::try_from(at + 1).unwrap_or(u16::MAX),
        }
    }

    fn line(&mut self, raw: &'a str, line: u16) -> Result<()> {
        let text = code(raw).trim_end();
        let indent = text.len() - text.trim_start_matches(' ').len();
        if text.trim().is_empty() {
            return Ok(());
        }
        if self.open.is_empty() {
            self.margin(indent, line)?;
        }
        let mut at = indent;
        while at < text.len() {
            at += self.token(text, at, line)?;
        }
        let place = self.place(line, text.len());
        match self.open.last() {
            None => self.out.push(Token {
                kind: Kind::Line,
                place,
            }),
            Some(("{", _)) => self.out.push(Token {
                kind: Kind::Sign(";"),
                place,
            }),
            Some(_) => {}
        }
        Ok(())
    }

    fn margin(&mut self, indent: usize, line: u16) -> Result<()> {
        let place = self.place(line, indent);
        let current = self.margins.last().copied().unwrap_or(0);
        if indent > current {
            self.margins.push(indent);
            self.out.push(Token {
                kind: Kind::Indent,
                place,
            });
            return Ok(());
        }
        while self.margins.last().is_some_and(|margin| indent < *margin) {
            self.margins.pop();
            self.out.push(Token {
                kind: Kind::Dedent,
                place,
            });
        }
        if self.margins.last().copied().unwrap_or(0) != indent {
            return Err(problem(
                place,
                "this line is indented like no line before it",
                "indent it as the block it belongs to",
            ));
        }
        Ok(())
    }

    /// Reads one token (or a blank) at byte `at`; gives its length.
    fn token(&mut self, text: &'a str, at: usize, line: u16) -> Result<usize> {
        let place = self.place(line, at);
        let rest = text.get(at..).unwrap_or("");
        let first = rest.chars().next().unwrap_or(' ');
        if rest.starts_with("//") || rest.starts_with("/*") {
            return Err(problem(
                place,
                format!("`{}` means nothing here", &rest[..2]),
                "a comment begins with `#` and ends with the line",
            ));
        }
        let (kind, length) = match first {
            ' ' => return Ok(1),
            '0'..='9' => number(rest, place)?,
            '"' => {
                let Some(end) = rest[1..].find('"') else {
                    return Err(problem(
                        place,
                        "this text has no end",
                        "close it with \" on the same line",
                    ));
                };
                (Kind::Text(&rest[1..=end]), end + 2)
            }
            'A'..='Z' | 'a'..='z' | '_' => {
                let end = rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(rest.len());
                (Kind::Word(&rest[..end]), end)
            }
            _ => {
                let found = SIGNS
                    .iter()
                    .chain(&LATE_SIGNS)
                    .find(|sign| rest.starts_with(**sign));
                let Some(sign) = found else {
                    return Err(problem(
                        place,
                        format!("`{}` means nothing here", first.escape_default()),
                        "rules are written in ASCII, with blanks and no tabs; text stands between quotes",
                    ));
                };
                self.bracket(sign, place)?;
                (Kind::Sign(sign), sign.len())
            }
        };
        self.out.push(Token { kind, place });
        Ok(length)
    }

    fn bracket(&mut self, sign: &'static str, place: Place) -> Result<()> {
        let opener = match sign {
            "(" | "[" | "{" => {
                self.open.push((sign, place));
                return Ok(());
            }
            ")" => "(",
            "]" => "[",
            "}" => "{",
            _ => return Ok(()),
        };
        match self.open.pop() {
            Some((open, _)) if open == opener => Ok(()),
            Some((open, at)) => Err(problem(
                place,
                format!(
                    "this {sign} does not close the {open} of {}:{}",
                    at.line, at.column
                ),
                format!("close {open} first"),
            )),
            None => Err(problem(
                place,
                format!("this {sign} closes nothing"),
                format!("open it with {opener}, or take it away"),
            )),
        }
    }
}

fn number(rest: &str, place: Place) -> Result<(Kind<'_>, usize)> {
    let (digits, radix, skip) = match rest.strip_prefix("0x") {
        Some(hex) => (hex, 16, 2),
        None => (rest, 10, 0),
    };
    let end = digits
        .find(|c: char| !c.is_digit(radix) && c != '_')
        .unwrap_or(digits.len());
    let word = digits.find(|c: char| !c.is_ascii_alphanumeric());
    let word = &digits[..word.unwrap_or(digits.len())];
    if radix == 10 && word.len() > end && word.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(problem(
            place,
            format!("`{word}` is no number"),
            "a number in sixteens begins with 0x",
        ));
    }
    let mut value = Some(0u64);
    for digit in digits[..end].chars().filter_map(|c| c.to_digit(radix)) {
        value = value
            .and_then(|v| v.checked_mul(u64::from(radix)))
            .and_then(|v| v.checked_add(u64::from(digit)));
    }
    match value {
        Some(value) if end > 0 => Ok((Kind::Number(value), end + skip)),
        Some(_) => Err(problem(
            place,
            "0x without digits",
            "write the digits after 0x",
        )),
        None => Err(problem(
            place,
            "this number does not fit into 64 bits",
            "write a smaller one",
        )),
    }
}
