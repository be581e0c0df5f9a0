//! What `rules/classes.rule` says of the device classes, as tables: the build script reads that text and writes them.
//!
//! Nothing else in the project lists classes or operations. A new class needs its text in `rules/classes.rule`; if it is
//! not direct, an arm where the compiler then asks for one in the pump and in the self-tests (`crates/classes`).
#![no_std]
#![forbid(unsafe_code)]

include!(concat!(env!("OUT_DIR"), "/tables.rs"));

/// What the text says of one class.
#[derive(Debug)]
pub struct Contract {
    pub name: &'static str,
    /// Its operations are bound into the nucleus, and there is no pump.
    pub direct: bool,
    /// In the order of the text.
    pub operations: &'static [Operation],
}

#[derive(Debug)]
pub struct Operation {
    pub name: &'static str,
    /// What the pump knows it by; `None` where it is bound into the nucleus instead.
    pub kind: Option<Kind>,
    /// A device may do without.
    pub optional: bool,
    /// It is over when an upcall names its ticket; without one it is over when it returns.
    pub ticket: bool,
    /// It comes with bytes of the pool.
    pub bytes: bool,
}

impl Class {
    /// By the name rules use; `None` for direct and unknown classes.
    pub fn of_name(name: &str) -> Option<Class> {
        Class::ALL.into_iter().find(|class| class.name() == name)
    }

    pub fn name(self) -> &'static str {
        self.contract().name
    }

    /// The operations that its pump serves. The first is request 1, and so on.
    pub fn operations(self) -> impl Iterator<Item = (Kind, &'static Operation)> {
        let all = self.contract().operations.iter();
        all.filter_map(|operation| Some((operation.kind?, operation)))
    }

    /// What a request asks for, if it is one of this class.
    pub fn request(self, number: u16) -> Option<(Kind, &'static Operation)> {
        let at = usize::from(number).checked_sub(1)?;
        self.operations().nth(at)
    }
}
