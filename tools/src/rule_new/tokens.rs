//! Words, numbers, texts and signs of SystemRDL, with their places.

use super::preprocess::Macros;
use anyhow::{bail, Result};

/// Bytes of a file that are read.
const MOST: usize = 4 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    Word(String),
    /// With its width in bits: 64, if it does not say.
    Number(u64, u32),
    Text(String),
    Sign(&'static str),
    End,
}

/// The tokens of a file, and which comes next.
pub struct Tokens {
    list: Vec<(Token, (u32, u32))>,
    at: usize,
}

const SIGNS: [&str; 45] = [
    "+=", "%=", "->", "::", "'{", "**", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "~&", "~|",
    "~^", "^~", "{", "}", "[", "]", "(", ")", ";", ":", ",", "=", "@", "#", ".", "'", "-", "+",
    "*", "/", "%", "<", ">", "&", "|", "^", "~", "!", "?",
];

impl Tokens {
    /// # Errors
    /// At the first thing that is no token.
    pub fn read(text: &str) -> Result<Tokens> {
        if text.len() > MOST {
            bail!("1:1: the file is larger than {} MiB", MOST >> 20);
        }
        let mut list = Vec::new();
        let mut macros = Macros::default();
        macros.read(text, None, &mut list)?;
        let end = super::preprocess::end(text);
        list.push((Token::End, end));
        Ok(Tokens { list, at: 0 })
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
    /// When no word comes next.
    pub fn word(&mut self, what: &str) -> Result<String> {
        let Token::Word(word) = self.look().clone() else {
            return self.wrong(what.into());
        };
        self.step();
        Ok(word)
    }

    /// Goes over a word or this sign.
    ///
    /// # Errors
    /// When something else comes next.
    pub fn word_or(&mut self, sign: &str) -> Result<()> {
        match self.take(sign) {
            true => Ok(()),
            false => self.word("a name is expected").map(drop),
        }
    }

    /// An error at the next token.
    pub fn wrong<T>(&self, why: String) -> Result<T> {
        let (line, column) = self.place();
        let found = match self.look() {
            Token::Word(word) => format!("`{word}`"),
            Token::Number(number, _) => number.to_string(),
            Token::Text(_) => "a text".into(),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::End => "the end of the file".into(),
        };
        bail!("{line}:{column}: {why}; here stands {found}")
    }
}

pub struct Reader<'a> {
    pub rest: &'a str,
    pub line: u32,
    pub column: u32,
}

impl<'a> Reader<'a> {
    pub fn take(&mut self, bytes: usize) -> &'a str {
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

    pub fn wrong<T>(&self, why: &str) -> Result<T> {
        bail!("{}:{}: {why}", self.line, self.column)
    }

    /// Goes over space and comments.
    pub fn skip(&mut self) -> Result<()> {
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

    pub fn token(&mut self) -> Result<Token> {
        let Some(first) = self.rest.chars().next() else {
            return Ok(Token::End);
        };
        if first == '"' {
            return self.text();
        }
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if first.is_ascii_digit() {
            let mut end = self
                .rest
                .find(|c: char| !word(c))
                .unwrap_or(self.rest.len());
            // `8'hff` is one number, `8'(x)` is not.
            let behind = &self.rest[end..];
            if behind.starts_with('\'') && behind[1..].starts_with(|c: char| "hdobHDOB".contains(c))
            {
                let value = &behind[2..];
                end += 2 + value.find(|c: char| !word(c)).unwrap_or(value.len());
            }
            let place = (self.line, self.column);
            let digits = self.take(end);
            return match number(digits) {
                Some((number, width)) => Ok(Token::Number(number, width)),
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

/// `12`, `0x1f`, `1_000`, `8'hff`; with the width in bits.
fn number(digits: &str) -> Option<(u64, u32)> {
    let plain = digits.replace('_', "").to_ascii_lowercase();
    if let Some((width, value)) = plain.split_once('\'') {
        let base = match value.chars().next()? {
            'h' => 16,
            'd' => 10,
            'o' => 8,
            'b' => 2,
            _ => return None,
        };
        let width: u32 = width.parse().ok().filter(|width| *width > 0)?;
        let value = u64::from_str_radix(&value[1..], base).ok()?;
        let fits = width >= 64 || value >> width == 0;
        return fits.then_some((value, width.min(64)));
    }
    let value = match plain.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => plain.parse().ok(),
    };
    Some((value?, 64))
}
