//! A range of user addresses that somebody claims to have: nothing is believed before it is checked.

use abi::{layout, layout::PAGE, system::Error};

/// Not yet checked.
#[derive(Clone, Copy, Debug)]
pub struct Allegation {
    pub address: u64,
    pub length: u64,
}

/// Below `layout::USER_END`, without wrapping around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserRange {
    address: u64,
    length: u64,
}

impl Allegation {
    #[inline]
    pub fn new(address: u64, length: u64) -> Allegation {
        Allegation { address, length }
    }

    /// At most `most` bytes of user addresses.
    #[inline]
    pub fn check(self, most: u64) -> Result<UserRange, Error> {
        let end = self
            .address
            .checked_add(self.length)
            .ok_or(Error::BadArgument)?;
        if end > layout::USER_END || self.length > most {
            return Err(Error::BadArgument);
        }
        Ok(UserRange {
            address: self.address,
            length: self.length,
        })
    }

    /// Also whole pages, at least one, none of them the page at 0.
    #[inline]
    pub fn check_pages(self, most: u64) -> Result<UserRange, Error> {
        if self.length == 0
            || self.address == 0
            || !(self.address | self.length).is_multiple_of(PAGE)
        {
            return Err(Error::BadArgument);
        }
        self.check(most)
    }
}

impl UserRange {
    #[inline]
    pub fn address(&self) -> u64 {
        self.address
    }

    #[inline]
    pub fn length(&self) -> u64 {
        self.length
    }

    #[inline]
    pub fn pages(&self) -> impl Iterator<Item = u64> {
        (self.address..self.address + self.length).step_by(PAGE as usize)
    }

    /// (address, offset from the start, length) of the part in each page.
    pub fn pieces(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        let (start, end) = (self.address, self.address + self.length);
        let mut at = start;
        core::iter::from_fn(move || {
            let piece = (end - at).min(PAGE - at % PAGE);
            let found = (at, at - start, piece);
            at += piece;
            (piece > 0).then_some(found)
        })
    }
}
