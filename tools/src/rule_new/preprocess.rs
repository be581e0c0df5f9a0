//! The Verilog-style preprocessor of SystemRDL (16): macros and conditions. Other files and Perl are refused.

use super::tokens::{Reader, Token};
use anyhow::{bail, Result};
use std::collections::HashMap;

/// How deep macros may stand in macros.
const DEPTH: usize = 16;
/// Tokens of a file whose macros are expanded.
const TOKENS: usize = 2_000_000;
/// Bytes that one use of a macro may become.
const EXPANSION: usize = 64 << 10;
/// Uses of macros in a file.
const USES: usize = 20_000;

type Place = (u32, u32);

#[derive(Clone)]
struct Macro {
    parameters: Option<Vec<String>>,
    body: String,
}

/// What is defined, and which conditions are open.
#[derive(Default)]
pub struct Macros {
    defined: HashMap<String, Macro>,
    /// Of each `ifdef`: whether its part is read now, and whether one was.
    conditions: Vec<(bool, bool)>,
    depth: usize,
    uses: usize,
}

/// Where a text ends.
#[must_use]
pub fn end(text: &str) -> Place {
    let mut reader = Reader {
        rest: text,
        line: 1,
        column: 1,
    };
    reader.take(text.len());
    (reader.line, reader.column)
}

fn letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

impl Macros {
    /// The tokens of a text; all stand at `place`, if it is the body of a macro.
    ///
    /// # Errors
    /// With line and column.
    pub fn read(
        &mut self,
        text: &str,
        place: Option<Place>,
        out: &mut Vec<(Token, Place)>,
    ) -> Result<()> {
        let mut reader = Reader {
            rest: text,
            line: 1,
            column: 1,
        };
        if let Some((line, column)) = place {
            (reader.line, reader.column) = (line, column);
        }
        loop {
            reader.skip()?;
            let here = place.unwrap_or((reader.line, reader.column));
            if reader.rest.starts_with("<%") {
                return reader.wrong("Perl (`<% … %>`) is not run: expand it first");
            }
            if reader.rest.starts_with('`') {
                self.directive(&mut reader, here, out)?;
                continue;
            }
            if self.conditions.iter().any(|(read, _)| !read) {
                // What is not read need not be made of good tokens.
                let next = reader.rest[1.min(reader.rest.len())..].find(['`', '/', '\n']);
                let next = next.map_or(reader.rest.len(), |at| at + 1);
                if next == 0 {
                    return reader.wrong("an `ifdef has no `endif");
                }
                reader.take(next);
                continue;
            }
            let token = reader.token()?;
            if token == Token::End {
                if place.is_none() && !self.conditions.is_empty() {
                    return reader.wrong("an `ifdef has no `endif");
                }
                return Ok(());
            }
            if out.len() >= TOKENS {
                return reader.wrong("the file is too large");
            }
            out.push((token, here));
        }
    }

    fn directive(
        &mut self,
        reader: &mut Reader,
        here: Place,
        out: &mut Vec<(Token, Place)>,
    ) -> Result<()> {
        reader.take(1);
        let word = word(reader);
        let reading = self.conditions.iter().all(|(read, _)| *read);
        match word.as_str() {
            "ifdef" | "ifndef" => {
                let is = self.asked(reader) == (word == "ifdef");
                self.conditions.push((is, is));
                if self.conditions.len() > 256 {
                    bail!("{}:{}: conditions nest too deep", here.0, here.1);
                }
            }
            "elsif" | "else" => {
                let is = word == "else" || self.asked(reader);
                let Some((read, was)) = self.conditions.last_mut() else {
                    bail!("{}:{}: there is no `ifdef before this", here.0, here.1);
                };
                *read = is && !*was;
                *was |= is;
            }
            "endif" => {
                if self.conditions.pop().is_none() {
                    bail!("{}:{}: there is no `ifdef before this", here.0, here.1);
                }
            }
            _ if !reading => {}
            "define" => self.define(reader)?,
            "undef" => {
                reader.skip()?;
                let name = self::word(reader);
                self.defined.remove(&name);
            }
            "include" => bail!(
                "{}:{}: other files are not read: put what `include names into this one",
                here.0,
                here.1
            ),
            "line" | "timescale" | "resetall" => drop(line(reader)),
            name => return self.expand(name, reader, here, out),
        }
        Ok(())
    }

    fn asked(&self, reader: &mut Reader) -> bool {
        let space = reader.rest.len() - reader.rest.trim_start().len();
        reader.take(space);
        let name = word(reader);
        self.defined.contains_key(&name)
    }

    fn define(&mut self, reader: &mut Reader) -> Result<()> {
        reader.skip()?;
        let name = word(reader);
        if name.is_empty() {
            return reader.wrong("`define wants a name");
        }
        let parameters = match reader.rest.starts_with('(') {
            true => {
                let all = arguments(reader)?;
                Some(all.iter().map(|p| p.trim().to_owned()).collect())
            }
            false => None,
        };
        let body = line(reader);
        self.defined.insert(name, Macro { parameters, body });
        Ok(())
    }

    fn expand(
        &mut self,
        name: &str,
        reader: &mut Reader,
        here: Place,
        out: &mut Vec<(Token, Place)>,
    ) -> Result<()> {
        let (row, column) = here;
        let Some(found) = self.defined.get(name).cloned() else {
            bail!("{row}:{column}: there is no macro `{name}");
        };
        let mut body = found.body;
        if let Some(parameters) = found.parameters {
            reader.skip()?;
            if !reader.rest.starts_with('(') {
                return reader.wrong("`(` is expected behind a macro that has parameters");
            }
            let given = arguments(reader)?;
            if given.len() != parameters.len() {
                bail!(
                    "{row}:{column}: `{name} has {} parameters",
                    parameters.len()
                );
            }
            body = filled(&body, &parameters, &given);
        }
        self.uses += 1;
        if self.depth >= DEPTH || self.uses > USES || body.len() > EXPANSION {
            bail!("{row}:{column}: `{name} becomes too large, or holds itself");
        }
        self.depth += 1;
        let read = self.read(&body, Some(here), out);
        self.depth -= 1;
        read
    }
}

fn word(reader: &mut Reader) -> String {
    let end = reader.rest.find(|c| !letter(c));
    reader.take(end.unwrap_or(reader.rest.len())).to_owned()
}

/// Up to the end of the line; a line that ends in `\` goes on. Without the comment behind it.
fn line(reader: &mut Reader) -> String {
    let mut all = String::new();
    loop {
        let end = reader.rest.find('\n').unwrap_or(reader.rest.len());
        let piece = reader.take(end).trim_end_matches('\r');
        match piece.strip_suffix('\\') {
            Some(piece) if !reader.rest.is_empty() => {
                all += piece;
                all.push(' ');
                reader.take(1);
            }
            _ => {
                all += piece.split("//").next().unwrap_or_default();
                return all;
            }
        }
    }
}

/// `(a, b)`, of which commas in brackets or texts are none.
fn arguments(reader: &mut Reader) -> Result<Vec<String>> {
    reader.take(1);
    let mut all = vec![String::new()];
    let (mut open, mut text) = (0u32, false);
    loop {
        let Some(c) = reader.rest.chars().next() else {
            return reader.wrong("`)` is missing");
        };
        reader.take(c.len_utf8());
        match c {
            '"' => text = !text,
            ')' if open == 0 && !text => return Ok(all),
            '(' | '[' | '{' if !text => open += 1,
            ')' | ']' | '}' if !text => open = open.saturating_sub(1),
            ',' if open == 0 && !text => {
                all.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = all.last_mut() {
            last.push(c);
        }
    }
}

/// A macro's body with what was given; no longer than a little more than `EXPANSION`.
fn filled(body: &str, parameters: &[String], given: &[String]) -> String {
    let mut out = String::new();
    let mut rest = body;
    while !rest.is_empty() && out.len() <= EXPANSION {
        let end = rest.find(|c| !letter(c)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        match parameters.iter().position(|p| p == word) {
            Some(at) => out += given.get(at).map_or("", |text| text.trim()),
            None => out += word,
        }
        let mut signs = behind.chars();
        if let Some(sign) = signs.next() {
            out.push(sign);
        }
        rest = signs.as_str();
    }
    out
}
