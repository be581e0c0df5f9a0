//! The rules language: syntax, types and static checks. Host and genesis share the tree; only the host parses text
//! (feature `text`).
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod binary;
#[cfg(feature = "text")]
pub mod check;
#[cfg(feature = "text")]
mod diagnostic;
mod limit;
#[cfg(feature = "text")]
pub mod syntax;
pub mod tree;
#[cfg(feature = "text")]
pub mod worst;

pub use binary::{pack, unpack, Error};
#[cfg(feature = "text")]
pub use diagnostic::Diagnostic;
pub use tree::{Book, Name};

/// Parses and checks rule files, each a path relative to `rules/` and its text. Every file of a rulebook must be
/// given at once: classes and parts are looked up among them.
#[cfg(feature = "text")]
pub fn read(files: &[(&str, &str)]) -> Result<tree::Book, alloc::vec::Vec<Diagnostic>> {
    let book = syntax::parse(files)?;
    let problems = check::check(&book);
    if problems.is_empty() {
        Ok(book)
    } else {
        Err(problems)
    }
}

impl Book {
    /// The text of an interned name; empty for a name of another book.
    pub fn name(&self, name: Name) -> &str {
        self.names
            .get(usize::from(name.0))
            .map_or("", |text| text.as_str())
    }
    /// The interned name of a text, when the book has it.
    pub fn find(&self, text: &str) -> Option<Name> {
        let at = self.names.iter().position(|name| name == text)?;
        u16::try_from(at).ok().map(Name)
    }
}
