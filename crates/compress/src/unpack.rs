//! The way back.

use crate::{FIELD, LEAST, NEAREST};

/// The stream is not one that `pack` made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damaged {
    /// It ends too early.
    Short,
    /// It gives more than there is room for.
    Long,
    /// It copies from before the beginning.
    Before,
    /// It copies few bytes from nearer than such a step may.
    Near,
}

struct Stream<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Stream<'a> {
    fn byte(&mut self) -> Result<usize, Damaged> {
        let byte = self.bytes.get(self.at).ok_or(Damaged::Short)?;
        self.at += 1;
        Ok(usize::from(*byte))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Damaged> {
        let end = self.at.checked_add(count).ok_or(Damaged::Short)?;
        let taken = self.bytes.get(self.at..end).ok_or(Damaged::Short)?;
        self.at = end;
        Ok(taken)
    }

    /// The sum of further bytes.
    fn further(&mut self) -> Result<usize, Damaged> {
        let mut sum = 0;
        loop {
            let byte = self.byte()?;
            sum += byte;
            if byte != 255 {
                return Ok(sum);
            }
        }
    }
}

/// Fills `to`, whose length is that of what was packed.
///
/// # Errors
/// When the stream does not give exactly that many bytes.
pub fn unpack(stream: &[u8], to: &mut [u8]) -> Result<(), Damaged> {
    follow(stream, to, |_, _| {})
}

/// How many bytes behind the last byte of what is unpacked the stream must end, so that it can be unpacked over itself from
/// lower to higher addresses: what is written never reaches what is still to be read.
///
/// # Errors
/// As [`unpack`].
pub fn margin(stream: &[u8], to: &mut [u8]) -> Result<usize, Damaged> {
    let (whole, length) = (to.len(), stream.len());
    let mut least = 0;
    follow(stream, to, |written, read| {
        // The stream begins at `whole + margin - length`, so that the next byte to be read is at that and `read`.
        least = least.max((written + length).saturating_sub(whole + read));
    })?;
    Ok(least)
}

/// Unpacks; `seen` is told after each step what was written and read.
fn follow(stream: &[u8], to: &mut [u8], mut seen: impl FnMut(usize, usize)) -> Result<(), Damaged> {
    let mut from = Stream {
        bytes: stream,
        at: 0,
    };
    let (mut put, mut last) = (0, 1);
    loop {
        let token = from.byte()?;
        let told = token >> 5 == FIELD;
        let own = if told { from.further()? } else { token >> 5 };
        let bytes = from.take(own)?;
        let room = to.get_mut(put..put + own).ok_or(Damaged::Long)?;
        room.copy_from_slice(bytes);
        put += own;
        seen(put, from.at);
        if told && put == to.len() {
            return Ok(());
        }
        let count = token & 3;
        if count > 0 {
            let bytes = from.take(count)?;
            last = bytes.iter().rev().fold(0, |n, b| n << 8 | usize::from(*b)) + 1;
        }
        let mut copied = (token >> 2 & 7) + LEAST;
        if copied == LEAST + FIELD {
            copied += from.further()?;
        } else if last < NEAREST {
            return Err(Damaged::Near);
        }
        let start = put.checked_sub(last).ok_or(Damaged::Before)?;
        if to.len() - put < copied {
            return Err(Damaged::Long);
        }
        // One by one: the two ranges may overlap.
        for n in 0..copied {
            to[put + n] = to[start + n];
        }
        put += copied;
        seen(put, from.at);
    }
}
