//! The value of a SystemRDL expression. Numbers have 64 bits at most; how wide an operation is, the operands and what
//! stands around it say together (11.2.2).

use super::elaborate::{Node, Scope};
use super::tree::{Expr, Part};
use std::rc::Rc;

/// Longest text or array that is made.
const LONGEST: usize = 4096;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Number(u64, u32),
    Text(Rc<str>),
    Flag(bool),
    /// A word of the language, or a reference to something.
    Word(Rc<str>),
    Enumeration(Rc<Vec<(String, u64)>>),
    Array(Rc<Vec<Value>>),
    Struct(Rc<Vec<(String, Value)>>),
}

impl Value {
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match self {
            Value::Number(n, _) => Some(*n),
            Value::Flag(flag) => Some(u64::from(*flag)),
            _ => None,
        }
    }

    fn width(&self) -> u32 {
        match self {
            Value::Number(_, width) => *width,
            Value::Flag(_) => 1,
            _ => 64,
        }
    }
}

/// What an expression may name.
pub struct Context<'a> {
    pub scope: &'a Rc<Scope>,
    pub around: &'a [Rc<Node>],
}

/// Or why it has no value.
type Found<T> = Result<T, String>;

fn mask(value: u64, width: u32) -> u64 {
    value & u64::MAX.checked_shr(64 - width.clamp(1, 64)).unwrap_or(0)
}

impl Context<'_> {
    /// # Errors
    /// With what is wrong.
    pub fn value(&self, of: &Expr) -> Found<Value> {
        let width = self.width(of)?;
        self.wide(of, width)
    }

    /// # Errors
    /// With what is wrong.
    pub fn number(&self, of: &Expr) -> Found<u64> {
        let value = self.value(of)?;
        value.number().ok_or("this is no number".into())
    }

    /// Bits that an expression has by itself.
    fn width(&self, of: &Expr) -> Found<u32> {
        self.scope.step()?;
        Ok(match of {
            Expr::Number(_, width) => *width,
            Expr::Flag(_) | Expr::Truth(_) => 1,
            Expr::Unary("+" | "-" | "~", inner) => self.width(inner)?,
            Expr::Unary(..) => 1,
            Expr::Binary("<" | "<=" | ">" | ">=" | "==" | "!=" | "&&" | "||", ..) => 1,
            Expr::Binary("<<" | ">>" | "**", left, _) => self.width(left)?,
            Expr::Binary(_, left, right) => self.width(left)?.max(self.width(right)?),
            Expr::Choice(parts) => self.width(&parts[1])?.max(self.width(&parts[2])?),
            Expr::Cast(width, _) => self.cast(width)?,
            Expr::Name(parts, property) => self.named(parts, property.as_deref())?.width(),
            Expr::Concat(all) => self.widths(all)?,
            Expr::Repeat(times, all) => {
                let times = u32::try_from(self.number(times)?).unwrap_or(u32::MAX);
                self.widths(all)?.saturating_mul(times).min(64)
            }
            _ => 64,
        })
    }

    fn widths(&self, all: &[Expr]) -> Found<u32> {
        let mut sum = 0u32;
        for one in all {
            sum = sum.saturating_add(self.width(one)?);
        }
        Ok(sum.min(64))
    }

    fn cast(&self, width: &Expr) -> Found<u32> {
        match self.number(width)? {
            width @ 1..=64 => Ok(width as u32),
            width => Err(format!("{width} bits: from 1 to 64 are possible")),
        }
    }

    fn wide(&self, of: &Expr, width: u32) -> Found<Value> {
        Ok(match of {
            Expr::Number(n, own) => Value::Number(*n, *own),
            Expr::Text(text) => Value::Text(text.clone()),
            Expr::Flag(flag) => Value::Flag(*flag),
            Expr::Name(parts, property) => self.named(parts, property.as_deref())?,
            Expr::Member(name, member) => {
                let all = self.scope.enumeration(name);
                let all = all.ok_or(format!("there is no enumeration `{name}`"))?;
                let found = all.iter().find(|(name, _)| name == member);
                let (_, n) = found.ok_or(format!("`{name}` has no `{member}`"))?;
                Value::Number(*n, 64)
            }
            Expr::Unary(operator, inner) => self.unary(operator, inner, width)?,
            Expr::Binary(operator, left, right) => self.binary(operator, left, right, width)?,
            Expr::Choice(parts) => match self.number(&parts[0])? {
                0 => self.wide(&parts[2], width)?,
                _ => self.wide(&parts[1], width)?,
            },
            Expr::Cast(bits, inner) => {
                let bits = self.cast(bits)?;
                let inside = self.width(inner)?.max(bits);
                let value = self.wide(inner, inside)?;
                let value = value.number().ok_or("only numbers are cast")?;
                Value::Number(mask(value, bits), bits)
            }
            Expr::Truth(inner) => Value::Flag(self.number(inner)? != 0),
            Expr::Concat(all) => self.joined(all, 1)?,
            Expr::Repeat(times, all) => self.joined(all, self.number(times)?)?,
            Expr::Array(all) => {
                let all: Found<Vec<Value>> = all.iter().map(|e| self.value(e)).collect();
                Value::Array(Rc::new(all?))
            }
            Expr::Struct(all) => {
                let member = |(name, e): &(String, Expr)| Ok((name.clone(), self.value(e)?));
                let all: Found<Vec<(String, Value)>> = all.iter().map(member).collect();
                Value::Struct(Rc::new(all?))
            }
        })
    }

    fn operand(&self, of: &Expr, width: u32) -> Found<u64> {
        let value = self.wide(of, width)?;
        value.number().ok_or("an operand is no number".into())
    }

    fn unary(&self, operator: &str, inner: &Expr, width: u32) -> Found<Value> {
        let own = self.width(inner)?;
        let all = mask(u64::MAX, own);
        Ok(match operator {
            "+" | "-" | "~" => {
                let n = self.operand(inner, width)?;
                let n = match operator {
                    "+" => n,
                    "-" => n.wrapping_neg(),
                    _ => !n,
                };
                Value::Number(mask(n, width), width)
            }
            _ => {
                let n = self.operand(inner, own)?;
                let odd = n.count_ones() % 2 == 1;
                Value::Flag(match operator {
                    "!" => n == 0,
                    "&" => n == all,
                    "~&" => n != all,
                    "|" => n != 0,
                    "~|" => n == 0,
                    "^" => odd,
                    _ => !odd,
                })
            }
        })
    }

    fn binary(&self, operator: &str, left: &Expr, right: &Expr, width: u32) -> Found<Value> {
        if matches!(operator, "&&" | "||") {
            let (a, b) = (self.number(left)? != 0, self.number(right)? != 0);
            return Ok(Value::Flag(if operator == "&&" { a && b } else { a || b }));
        }
        if matches!(operator, "<" | "<=" | ">" | ">=" | "==" | "!=") {
            return self.compared(operator, left, right);
        }
        let a = self.operand(left, width)?;
        let b = match operator {
            "<<" | ">>" | "**" => self.number(right)?,
            _ => self.operand(right, width)?,
        };
        let shift = u32::try_from(b).unwrap_or(u32::MAX);
        let n = match operator {
            "+" => a.wrapping_add(b),
            "-" => a.wrapping_sub(b),
            "*" => a.wrapping_mul(b),
            "/" => a.checked_div(b).ok_or("a division by 0")?,
            "%" => a.checked_rem(b).ok_or("a division by 0")?,
            "<<" => a.checked_shl(shift).unwrap_or(0),
            ">>" => a.checked_shr(shift).unwrap_or(0),
            "**" => power(a, b),
            "&" => a & b,
            "|" => a | b,
            "^" => a ^ b,
            _ => !(a ^ b),
        };
        Ok(Value::Number(mask(n, width), width))
    }

    fn compared(&self, operator: &str, left: &Expr, right: &Expr) -> Found<Value> {
        let width = self.width(left)?.max(self.width(right)?);
        let (a, b) = (self.wide(left, width)?, self.wide(right, width)?);
        let order = match (a.number(), b.number()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ if operator == "==" => return Ok(Value::Flag(a == b)),
            _ if operator == "!=" => return Ok(Value::Flag(a != b)),
            _ => return Err("only numbers are ordered".into()),
        };
        Ok(Value::Flag(match operator {
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            ">=" => order.is_ge(),
            "==" => order.is_eq(),
            _ => order.is_ne(),
        }))
    }

    /// Texts or bits in a row, `times`.
    fn joined(&self, all: &[Expr], times: u64) -> Found<Value> {
        let all: Found<Vec<Value>> = all.iter().map(|e| self.value(e)).collect();
        let all = all?;
        if times > LONGEST as u64 {
            return Err("too much is repeated".into());
        }
        let (mut text, mut bits, mut width) = (String::new(), 0u64, 0u32);
        for _ in 0..times {
            for value in &all {
                if let Value::Text(piece) = value {
                    text += piece;
                } else {
                    let n = value.number().ok_or("only numbers and texts are joined")?;
                    let own = value.width();
                    bits = bits.checked_shl(own).unwrap_or(0) | mask(n, own);
                    width = width.saturating_add(own);
                }
                if width > 64 || text.len() > LONGEST {
                    return Err("more than 64 bits are joined".into());
                }
            }
        }
        match (width, text.is_empty()) {
            (0, _) => Ok(Value::Text(text.into())),
            (_, true) => Ok(Value::Number(bits, width)),
            _ => Err("texts and numbers are joined".into()),
        }
    }

    /// A parameter or a part of it, an enumeration, a property of something around; else a word.
    fn named(&self, parts: &[Part], property: Option<&str>) -> Found<Value> {
        let Some((first, rest)) = parts.split_first() else {
            return Err("a name is expected".into());
        };
        let text = || {
            let names: Vec<&str> = parts.iter().map(|p| p.name.as_str()).collect();
            Value::Word(names.join(".").into())
        };
        if let Some(property) = property {
            let node = super::elaborate::find(self.around, parts);
            let value = node.and_then(|node| node.properties.get(property).cloned());
            return Ok(value.unwrap_or_else(text));
        }
        let Some(mut value) = self.scope.parameter(&first.name) else {
            let enumeration = (rest.is_empty()).then(|| self.scope.enumeration(&first.name));
            return Ok(enumeration.flatten().map_or_else(text, Value::Enumeration));
        };
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                let Value::Struct(members) = &value else {
                    return Err(format!("`{}` stands in nothing", part.name));
                };
                let member = members.iter().find(|(name, _)| *name == part.name);
                let (_, inner) = member.ok_or(format!("there is no `{}`", part.name))?;
                value = inner.clone();
            }
            for index in &part.indices {
                let at = usize::try_from(self.number(index)?).unwrap_or(usize::MAX);
                let Value::Array(elements) = &value else {
                    return Err(format!("`{}` is no array", part.name));
                };
                let element = elements.get(at).cloned();
                value = element.ok_or(format!("`{}` has no element {at}", part.name))?;
            }
        }
        Ok(value)
    }
}

fn power(base: u64, mut exponent: u64) -> u64 {
    let (mut base, mut all) = (base, 1u64);
    while exponent > 0 {
        if exponent % 2 == 1 {
            all = all.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        exponent /= 2;
    }
    all
}
