//! The rules language: syntax, types and static checks. Host and genesis share the tree; only the host parses text
//! (feature `text`).
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

#[cfg(feature = "binary")]
mod binary;
#[cfg(feature = "text")]
pub mod check;
#[cfg(feature = "text")]
mod diagnostic;
#[cfg(feature = "binary")]
mod limit;
#[cfg(feature = "text")]
pub mod syntax;
pub mod tree;
#[cfg(feature = "text")]
pub mod worst;

#[cfg(feature = "binary")]
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

impl tree::Class {
    /// The facts that it asks for of each child of a device that is a bus, in the order in which they are told: those
    /// with parameters and without a value.
    pub fn of_child(&self) -> impl Iterator<Item = (Name, Option<&tree::Type>)> {
        self.items.iter().filter_map(|item| match &item.kind {
            tree::ItemKind::Fact {
                name,
                parameters,
                kind,
                value: None,
                ..
            } if !parameters.is_empty() => Some((*name, kind.as_ref())),
            _ => None,
        })
    }
}

/// The types that are words of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// `bufs`: memory of the client, as place and length. `bufs[N]`: at most N bytes of it.
    Buffers,
    /// `ticket`: the number of a request.
    Ticket,
}

impl Word {
    const ALL: [(&'static str, Word); 2] = [("bufs", Word::Buffers), ("ticket", Word::Ticket)];

    /// The words as they are written.
    pub fn texts() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|(text, _)| *text)
    }
}

impl tree::Type {
    /// Which word of the language it is; none when it is a number, or something that a rule declares.
    pub fn word(&self, book: &Book) -> Option<Word> {
        let tree::TypeBase::Named(name) = self.base else {
            return None;
        };
        let text = book.name(name);
        let found = Word::ALL.iter().find(|(word, _)| *word == text);
        found.map(|(_, word)| *word)
    }
    /// Bits of one number of this type; none when it is no number.
    pub fn bits(&self) -> Option<u32> {
        use tree::TypeBase::{Big, Bits, Bool, Dma, Named};
        match self.base {
            Bits(bits) | Dma(bits) | Big(bits) => Some(bits),
            Bool => Some(1),
            Named(_) => None,
        }
    }
}
