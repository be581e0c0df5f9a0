//! The expressions of SystemRDL 2.0 (11.2): read by precedence climbing, and bounded so that trees stay shallow.

use super::parse::path;
use super::tree::Expr;
use crate::rule_new::tokens::{Token, Tokens};
use anyhow::Result;

/// Most operators and operands of one expression. It bounds the depth of its tree too.
const LARGEST: usize = 300;
/// How deep parentheses may nest, counted in pieces of `LARGEST`.
pub const NEST: usize = 10;

/// Operators of two sides, with how strongly they bind.
const BINARY: [(&str, u8); 22] = [
    ("**", 12),
    ("*", 11),
    ("/", 11),
    ("%", 11),
    ("+", 10),
    ("-", 10),
    ("<<", 9),
    (">>", 9),
    ("<", 8),
    ("<=", 8),
    (">", 8),
    (">=", 8),
    ("==", 7),
    ("!=", 7),
    ("&", 6),
    ("^", 5),
    ("~^", 5),
    ("^~", 5),
    ("|", 4),
    ("&&", 3),
    ("||", 2),
    ("?", 1),
];
const UNARY: [&str; 11] = ["+", "-", "~", "!", "&", "~&", "|", "~|", "^", "~^", "^~"];

/// # Errors
/// With line and column.
pub fn expression(tokens: &mut Tokens) -> Result<Expr> {
    inner(tokens, 0, &mut 0)
}

/// An expression of operators that bind more than `above`; `size` counts what it has.
///
/// # Errors
/// With line and column.
pub fn inner(tokens: &mut Tokens, above: u8, size: &mut usize) -> Result<Expr> {
    let mut left = primary(tokens, size)?;
    loop {
        let Token::Sign(sign) = *tokens.look() else {
            return Ok(left);
        };
        let Some((operator, level)) = BINARY.iter().find(|(s, _)| *s == sign) else {
            return Ok(left);
        };
        if *level <= above {
            return Ok(left);
        }
        tokens.step();
        grow(tokens, size, 1)?;
        if *operator == "?" {
            let yes = inner(tokens, 0, size)?;
            tokens.want(":")?;
            let no = inner(tokens, 0, size)?;
            left = Expr::Choice(Box::new([left, yes, no]));
        } else {
            let right = inner(tokens, *level, size)?;
            left = Expr::Binary(operator, Box::new(left), Box::new(right));
        }
    }
}

fn grow(tokens: &Tokens, size: &mut usize, by: usize) -> Result<()> {
    *size += by;
    match *size > LARGEST {
        true => tokens.wrong("this expression is too large".into()),
        false => Ok(()),
    }
}

/// Elements up to `end`, each bounded by itself within what is left.
fn elements(tokens: &mut Tokens, end: &str, size: &mut usize) -> Result<Vec<Expr>> {
    let mut all = Vec::new();
    if tokens.take(end) {
        return Ok(all);
    }
    loop {
        let mut own = *size;
        all.push(inner(tokens, 0, &mut own)?);
        if !tokens.take(",") {
            tokens.want(end)?;
            return Ok(all);
        }
    }
}

fn primary(tokens: &mut Tokens, size: &mut usize) -> Result<Expr> {
    grow(tokens, size, 1)?;
    let token = tokens.look().clone();
    let value = match token {
        Token::Number(number, width) => {
            tokens.step();
            Expr::Number(number, width)
        }
        Token::Text(text) => {
            tokens.step();
            return Ok(Expr::Text(text.into()));
        }
        Token::Word(word) => {
            tokens.step();
            return word_first(tokens, word, size);
        }
        Token::Sign("(") => {
            tokens.step();
            grow(tokens, size, NEST)?;
            let value = inner(tokens, 0, size)?;
            tokens.want(")")?;
            value
        }
        Token::Sign("{") => {
            tokens.step();
            grow(tokens, size, NEST)?;
            return braces(tokens, size);
        }
        Token::Sign("'{") => {
            tokens.step();
            grow(tokens, size, NEST)?;
            return Ok(Expr::Array(elements(tokens, "}", size)?));
        }
        Token::Sign(sign) => {
            let Some(operator) = UNARY.iter().find(|s| **s == sign) else {
                return tokens.wrong("a value is expected".into());
            };
            tokens.step();
            grow(tokens, size, NEST)?;
            return Ok(Expr::Unary(operator, Box::new(primary(tokens, size)?)));
        }
        Token::End => return tokens.wrong("a value is expected".into()),
    };
    match tokens.sign("'") {
        true => Ok(Expr::Cast(Box::new(value), Box::new(cast(tokens, size)?))),
        false => Ok(value),
    }
}

fn cast(tokens: &mut Tokens, size: &mut usize) -> Result<Expr> {
    tokens.want("'")?;
    tokens.want("(")?;
    grow(tokens, size, NEST)?;
    let value = inner(tokens, 0, size)?;
    tokens.want(")")?;
    Ok(value)
}

/// `{a, b}` or `{n{a, b}}`.
fn braces(tokens: &mut Tokens, size: &mut usize) -> Result<Expr> {
    let first = inner(tokens, 0, size)?;
    if tokens.take("{") {
        let all = elements(tokens, "}", size)?;
        tokens.want("}")?;
        return Ok(Expr::Repeat(Box::new(first), all));
    }
    let mut all = vec![first];
    if tokens.take(",") {
        all.extend(elements(tokens, "}", size)?);
    } else {
        tokens.want("}")?;
    }
    Ok(Expr::Concat(all))
}

fn word_first(tokens: &mut Tokens, word: String, size: &mut usize) -> Result<Expr> {
    match word.as_str() {
        "true" => return Ok(Expr::Flag(true)),
        "false" => return Ok(Expr::Flag(false)),
        "boolean" | "bit" | "longint" if tokens.sign("'") => {
            let value = Box::new(cast(tokens, size)?);
            return Ok(match word.as_str() {
                "boolean" => Expr::Truth(value),
                _ => Expr::Cast(Box::new(Expr::Number(64, 64)), value),
            });
        }
        _ => {}
    }
    if tokens.take("::") {
        return Ok(Expr::Member(
            word,
            tokens.word("a value's name is expected")?,
        ));
    }
    if tokens.take("'{") {
        grow(tokens, size, NEST)?;
        let mut members = Vec::new();
        while !tokens.take("}") {
            let name = tokens.word("a member's name is expected")?;
            tokens.want(":")?;
            members.push((name, inner(tokens, 0, size)?));
            if !tokens.sign("}") {
                tokens.want(",")?;
            }
        }
        return Ok(Expr::Struct(members));
    }
    let parts = path(tokens, word, size)?;
    let property = match tokens.take("->") {
        true => Some(tokens.word("a property is expected")?),
        false => None,
    };
    Ok(Expr::Name(parts, property))
}
