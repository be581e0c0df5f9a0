//! A place in AML bytes (ACPI 6.5, 20.2).

use super::Error;
use alloc::vec::Vec;

/// Reads forward and never past the end.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    pub at: usize,
    pub end: usize,
}

/// A name as written: where the search starts, and its segments.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    pub root: bool,
    /// `^` characters.
    pub up: usize,
    pub segments: Vec<[u8; 4]>,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8], at: usize, end: usize) -> Reader<'a> {
        Reader {
            bytes,
            at,
            end: end.min(bytes.len()),
        }
    }

    pub fn done(&self) -> bool {
        self.at >= self.end
    }

    pub fn peek(&self) -> Result<u8, Error> {
        match self.at < self.end {
            true => self.bytes.get(self.at).copied().ok_or(Error::Truncated),
            false => Err(Error::Truncated),
        }
    }

    pub fn byte(&mut self) -> Result<u8, Error> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    /// Little-endian, of `bytes` bytes.
    pub fn number(&mut self, bytes: usize) -> Result<u64, Error> {
        let mut value = 0;
        for n in 0..bytes {
            value |= (self.byte()? as u64) << (8 * n);
        }
        Ok(value)
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let to = self.at.checked_add(count).filter(|to| *to <= self.end);
        let to = to.ok_or(Error::Truncated)?;
        let part = self.bytes.get(self.at..to).ok_or(Error::Truncated)?;
        self.at = to;
        Ok(part)
    }

    /// 20.2.4: gives the end of the package, which lies inside this reader.
    pub fn package(&mut self) -> Result<usize, Error> {
        let start = self.at;
        let length = self.length()?;
        let end = start.checked_add(length).filter(|end| *end <= self.end);
        end.filter(|end| *end >= self.at).ok_or(Error::Truncated)
    }

    /// The number that a package length or field length encodes.
    pub fn length(&mut self) -> Result<usize, Error> {
        let lead = self.byte()? as usize;
        let more = lead >> 6;
        if more == 0 {
            return Ok(lead & 0x3f);
        }
        let mut length = lead & 0x0f;
        for n in 0..more {
            length |= (self.byte()? as usize) << (4 + 8 * n);
        }
        Ok(length)
    }

    /// True when a name starts here.
    pub fn at_name(&self) -> bool {
        matches!(
            self.peek(),
            Ok(b'A'..=b'Z' | b'_' | b'\\' | b'^' | 0x2e | 0x2f)
        )
    }

    /// 20.2.2
    pub fn name(&mut self) -> Result<Name, Error> {
        let mut name = Name {
            root: false,
            up: 0,
            segments: Vec::new(),
        };
        while matches!(self.peek()?, b'\\' | b'^') {
            match self.byte()? {
                b'\\' => name.root = true,
                _ => name.up += 1,
            }
        }
        let count = match self.peek()? {
            0 => {
                self.at += 1;
                0
            }
            0x2e => {
                self.at += 1;
                2
            }
            0x2f => {
                self.at += 1;
                self.byte()? as usize
            }
            _ => 1,
        };
        for _ in 0..count {
            let segment = self.take(4)?;
            name.segments
                .push([segment[0], segment[1], segment[2], segment[3]]);
        }
        Ok(name)
    }

    /// A string up to its zero.
    pub fn text(&mut self) -> Result<&'a [u8], Error> {
        let from = self.at;
        while self.byte()? != 0 {}
        self.bytes.get(from..self.at - 1).ok_or(Error::Truncated)
    }
}
