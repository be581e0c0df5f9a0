//! Texts and buffers: conversions (19.6.12, 19.6.85, 19.6.138 to 19.6.142), and bits in bytes.

use super::{value::digits, Aml, Error, Value};
use alloc::{format, string::String, vec::Vec};

/// The ways in which a value becomes a text.
#[derive(Clone, Copy, PartialEq)]
pub enum Style {
    /// Without being asked for: hexadecimal, bytes with a space in between.
    Implicit,
    /// `ToHexString`
    Hexadecimal,
    /// `ToDecimalString`
    Decimal,
}

impl Aml<'_> {
    /// A value as the bytes of a text.
    pub(super) fn as_text(&mut self, value: &Value, style: Style) -> Result<Vec<u8>, Error> {
        let width = self.width as usize / 4;
        let text = match (value, style) {
            (Value::Text(_), _) => return value.bytes(),
            (Value::Buffer(_), _) => {
                let bytes = value.bytes()?;
                self.charge(bytes.len() / 4)?;
                let (between, each): (_, fn(&u8) -> String) = match style {
                    Style::Implicit => (" ", |b| format!("{b:02X}")),
                    Style::Hexadecimal => (",", |b| format!("0x{b:02X}")),
                    Style::Decimal => (",", |b| format!("{b}")),
                };
                bytes.iter().map(each).collect::<Vec<_>>().join(between)
            }
            (_, Style::Implicit) => format!("{:0width$X}", value.integer()?),
            (_, Style::Hexadecimal) => format!("0x{:0width$X}", value.integer()?),
            (_, Style::Decimal) => format!("{}", value.integer()?),
        };
        Ok(text.into_bytes())
    }

    /// A value as the bytes of a buffer.
    pub(super) fn as_bytes(&self, value: &Value) -> Result<Vec<u8>, Error> {
        match value {
            Value::Buffer(_) | Value::Text(_) => value.bytes(),
            _ => {
                let mut bytes = Vec::from(value.integer()?.to_le_bytes());
                bytes.truncate(self.width as usize / 8);
                Ok(bytes)
            }
        }
    }

    /// `ToInteger`, of a text by its own base.
    pub(super) fn as_integer(&self, value: &Value) -> Result<u64, Error> {
        let number = match value {
            Value::Text(_) => match value.bytes()?.as_slice() {
                hexadecimal @ [b'0', b'x' | b'X', ..] => digits(hexadecimal, 16),
                decimal => digits(decimal, 10),
            },
            other => other.integer()?,
        };
        Ok(self.cut(number))
    }

    /// `Concatenate`: the first decides what comes out.
    pub(super) fn join(&mut self, a: &Value, b: &Value) -> Result<Value, Error> {
        let is_text = matches!(a, Value::Text(_));
        let mut whole = self.as_bytes(a)?;
        whole.extend(match is_text {
            true => self.as_text(b, Style::Implicit)?,
            false => self.as_bytes(b)?,
        });
        if whole.len() > super::OBJECT {
            return Err(Error::Budget);
        }
        self.charge(whole.len() / 16)?;
        Ok(match is_text {
            true => Value::text(whole),
            false => Value::buffer(whole),
        })
    }

    /// `ConcatenateResTemplate`: both without their end tags, and one behind them (6.4.2.9).
    pub(super) fn join_templates(&mut self, a: &Value, b: &Value) -> Result<Value, Error> {
        let mut whole = Vec::new();
        for template in [a, b] {
            let bytes = template.bytes()?;
            let end = super::resources::end(&bytes).unwrap_or(bytes.len());
            whole.extend(bytes.get(..end).unwrap_or_default());
        }
        whole.extend([0x79, 0]);
        if whole.len() > super::OBJECT {
            return Err(Error::Budget);
        }
        self.charge(whole.len() / 16)?;
        Ok(Value::buffer(whole))
    }

    /// `Mid`, and `ToString`, which ends at a zero, too.
    pub(super) fn part(&mut self, of: &Value, from: u64, count: u64) -> Result<Value, Error> {
        let bytes = self.as_bytes(of)?;
        self.charge(bytes.len() / 16)?;
        let from = (from.min(bytes.len() as u64)) as usize;
        let rest = &bytes[from..];
        let part = Vec::from(&rest[..(count.min(rest.len() as u64)) as usize]);
        Ok(match of {
            Value::Text(_) => Value::text(part),
            _ => Value::buffer(part),
        })
    }

    /// Bits of some bytes: a number if it holds them, else a buffer.
    pub(super) fn cut_out(&self, bytes: &[u8], bit: usize, bits: usize) -> Result<Value, Error> {
        let mut list = Vec::with_capacity(bits.div_ceil(8));
        let mut at = bit;
        while at < bit + bits {
            let count = (bit + bits - at).min(8);
            let low = *bytes.get(at / 8).ok_or(Error::Kind)? as u16;
            let high = match at % 8 + count > 8 {
                true => *bytes.get(at / 8 + 1).ok_or(Error::Kind)? as u16,
                false => 0,
            };
            list.push(((high << 8 | low) >> (at % 8)) as u8 & 0xff >> (8 - count));
            at += count;
        }
        let value = Value::buffer(list);
        match bits > self.width as usize {
            true => Ok(value),
            false => value.integer().map(Value::Integer),
        }
    }
}

/// Puts bits from the beginning of some bytes, and zeros behind them, in between others.
pub fn put_bits(to: &mut [u8], bit: usize, bits: usize, from: &[u8]) -> Result<(), Error> {
    for n in 0..bits {
        let set = from.get(n / 8).is_some_and(|byte| byte >> (n % 8) & 1 == 1);
        let byte = to.get_mut((bit + n) / 8).ok_or(Error::Kind)?;
        let mask = 1 << ((bit + n) % 8);
        *byte = if set { *byte | mask } else { *byte & !mask };
    }
    Ok(())
}
