//! The binary form of a book: postcard, read with bounds on nesting and names.

use crate::{
    limit::{Limited, Watch},
    tree::Book,
};
use alloc::vec::Vec;
use core::fmt;
use serde::Deserialize;

/// Levels that the deepest book the parser accepts needs, with room to spare.
const LEVELS: u32 = 256;

/// Why bytes are no rulebook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// They end too early, hold an unknown construct, or nest too deep.
    Damaged,
    /// Something refers to a name that is not in the book.
    UnknownName,
    /// There is something behind the end.
    TooLong,
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(match self {
            Error::Damaged => "the rulebook is damaged: it does not decode",
            Error::UnknownName => "the rulebook is damaged: it uses a name that it does not have",
            Error::TooLong => "the rulebook is damaged: bytes follow its end",
        })
    }
}

impl core::error::Error for Error {}

/// The binary form of a book.
pub fn pack(book: &Book) -> Vec<u8> {
    // Nothing in a tree can fail to be written into a growing buffer.
    postcard::to_allocvec(book).unwrap_or_default()
}

/// The book of a binary form. Whatever the bytes, it neither panics nor overflows the stack, and every
/// [`crate::Name`] in the book that it gives is one of the book's.
pub fn unpack(bytes: &[u8]) -> Result<Book, Error> {
    let watch = Watch::default();
    let mut reader = postcard::Deserializer::from_bytes(bytes);
    let book =
        Book::deserialize(Limited::new(&mut reader, LEVELS, &watch)).map_err(|_| Error::Damaged)?;
    let rest = reader.finalize().map_err(|_| Error::Damaged)?;
    if !rest.is_empty() {
        return Err(Error::TooLong);
    }
    let count = u32::try_from(book.names.len()).unwrap_or(u32::MAX);
    if watch.names.get() > count {
        return Err(Error::UnknownName);
    }
    Ok(book)
}
