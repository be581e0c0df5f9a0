//! Words, numbers, texts and signs of SystemRDL, with their places.

use anyhow::{bail, Result};

/// Bytes of a file that are read.
const MOST: usize = 4 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    Word(String),
    Number(u64),
    Text(String),
    Sign(&'static str),
    End,
}

/// The tokens of a file, and which comes next.
pub struct Tokens {
    list: Vec<(Token, (u32, u32))>,
    at: usize,
}

const SIGNS: [&str; 20] = [
    "+=", "%=", "->", "::", "{", "}", "[", "]", "(", ")", ";", ":", ",", "=", "@", "#", ".", "'",
    "-", "+",
];

impl Tokens {
    /// # Errors
    /// At the first thing that is no token.
    pub fn read(text: &str) -> Result<Tokens> {
        if text.len() > MOST {
            bail!("1:1: the file is larger than {} MiB", MOST >> 20);
        }
        let mut list = Vec::new();
        let mut reader = Reader {
            rest: text,
            line: 1,
            column: 1,
        };
        loop {
            reader.skip()?;
            let place = (reader.line, reader.column);
            let token = reader.token()?;
            let end = token == Token::End;
            list.push((token, place));
            if end {
                return Ok(Tokens { list, at: 0 });
            }
        }
    }

    pub fn look(&self) -> &Token {
        self.list
            .get(self.at)
            .map_or(&Token::End, |(token, _)| token)
    }

    pub fn step(&mut self) {
        self.at += 1;
    }

    /// Line and column of the next token.
    pub fn place(&self) -> (u32, u32) {
        let token = self.list.get(self.at).or(self.list.last());
        token.map_or((1, 1), |(_, place)| *place)
    }

    pub fn sign(&self, sign: &str) -> bool {
        matches!(self.look(), Token::Sign(s) if *s == sign)
    }

    pub fn take(&mut self, sign: &str) -> bool {
        let found = self.sign(sign);
        self.at += usize::from(found);
        found
    }

    /// # Errors
    /// When another token comes next.
    pub fn want(&mut self, sign: &str) -> Result<()> {
        match self.take(sign) {
            true => Ok(()),
            false => self.wrong(format!("`{sign}` is expected")),
        }
    }

    /// # Errors
    /// When another token comes next.
    pub fn number(&mut self) -> Result<u64> {
        let Token::Number(number) = *self.look() else {
            return self.wrong("a number is expected (expressions are not understood)".into());
        };
        self.step();
        Ok(number)
    }

    /// An error at the next token.
    pub fn wrong<T>(&self, why: String) -> Result<T> {
        let (line, column) = self.place();
        let found = match self.look() {
            Token::Word(word) => format!("`{word}`"),
            Token::Number(number) => number.to_string(),
            Token::Text(_) => "a text".into(),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::End => "the end of the file".into(),
        };
        bail!("{line}:{column}: {why}; here stands {found}")
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: u32,
    column: u32,
}

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes.min(self.rest.len()));
        for c in taken.chars() {
            match c {
                '\n' => (self.line, self.column) = (self.line + 1, 1),
                _ => self.column += 1,
            }
        }
        self.rest = rest;
        taken
    }

    fn wrong<T>(&self, why: &str) -> Result<T> {
        bail!("{}:{}: {why}", self.line, self.column)
    }

    /// Goes over space and comments.
    fn skip(&mut self) -> Result<()> {
        loop {
            let space = self.rest.len() - self.rest.trim_start().len();
            self.take(space);
            if self.rest.starts_with("//") {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.take(end);
            } else if self.rest.starts_with("/*") {
                match self.rest.find("*/") {
                    Some(end) => self.take(end + 2),
                    None => return self.wrong("this comment has no end"),
                };
            } else {
                return Ok(());
            }
        }
    }

    fn token(&mut self) -> Result<Token> {
        let Some(first) = self.rest.chars().next() else {
            return Ok(Token::End);
        };
        if first == '`' || self.rest.starts_with("<%") {
            return self.wrong("preprocessor directives are not understood: expand them first");
        }
        if first == '"' {
            return self.text();
        }
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if first.is_ascii_digit() {
            let end = self
                .rest
                .find(|c: char| !word(c) && c != '\'')
                .unwrap_or(self.rest.len());
            let place = (self.line, self.column);
            let digits = self.take(end);
            return match number(digits) {
                Some(number) => Ok(Token::Number(number)),
                None => bail!(
                    "{}:{}: {digits:?} is no number of 64 bits",
                    place.0,
                    place.1
                ),
            };
        }
        // A backslash makes any word a name.
        let escaped = usize::from(first == '\\');
        let end = self.rest[escaped..]
            .find(|c: char| !word(c))
            .unwrap_or(self.rest.len() - escaped);
        if end > 0 {
            let text = self.take(escaped + end);
            return Ok(Token::Word(text[escaped..].into()));
        }
        for sign in SIGNS {
            if self.rest.starts_with(sign) {
                self.take(sign.len());
                return Ok(Token::Sign(sign));
            }
        }
        self.wrong(&format!("{first:?} means nothing here"))
    }

    fn text(&mut self) -> Result<Token> {
        let mut end = 1;
        let bytes = self.rest.as_bytes();
        loop {
            match bytes.get(end) {
                None => return self.wrong("this text has no end"),
                Some(b'\\') => end += 2,
                Some(b'"') => break,
                Some(_) => end += 1,
            }
        }
        let text = self.take(end + 1);
        let inside = text.get(1..text.len() - 1).unwrap_or_default();
        Ok(Token::Text(inside.replace("\\\"", "\"")))
    }
}

/// `12`, `0x1f`, `1_000`, `8'hff`.
fn number(digits: &str) -> Option<u64> {
    let plain = digits.replace('_', "").to_ascii_lowercase();
    if let Some((_, value)) = plain.split_once('\'') {
        let base = match value.chars().next()? {
            'h' => 16,
            'd' => 10,
            'o' => 8,
            'b' => 2,
            _ => return None,
        };
        return u64::from_str_radix(&value[1..], base).ok();
    }
    match plain.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => plain.parse().ok(),
    }
}
