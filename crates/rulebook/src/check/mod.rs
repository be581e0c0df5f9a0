//! The static checks on a parsed book.
use crate::{diagnostic::Diagnostic, tree::Book};
use alloc::vec::Vec;

/// Everything that is wrong with the book, in the order of the text.
pub fn check(_book: &Book) -> Vec<Diagnostic> {
    Vec::new()
}
