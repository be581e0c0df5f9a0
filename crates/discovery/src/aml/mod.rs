//! Just enough AML (ACPI 6.5, chapters 19 and 20) to learn how interrupts are wired and how the machine is switched off.
//!
//! Tables are scanned for what they name; method bodies are run only when asked for, with a budget of steps and depth.
//! Nothing outside is ever written: a store to a field of a region is an error. Broken bytes give an [`Error`].

mod evaluate;
mod load;
mod namespace;
mod operate;
mod reader;
mod regions;
pub mod resources;
mod value;

pub use namespace::{NodeId, ROOT};
pub use regions::World;
pub use value::Value;

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use namespace::Node;

/// Why an evaluation gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes end inside of something.
    Truncated,
    /// An operator that is not known here.
    Unknown(u16),
    /// A name that is nowhere.
    NoName([u8; 4]),
    /// A value is of a kind that its operator cannot use.
    Kind,
    /// A store to a device.
    Write,
    /// A region in a space that is not read here, or that nothing answers in.
    Region,
    /// The evaluation took more steps, depth or memory than it may.
    Budget,
}

impl Error {
    /// For a person.
    pub fn told(self) -> String {
        match self {
            Error::Truncated => String::from("its bytes end inside of something"),
            Error::Unknown(code) => format!("operator {code:#x} is not known"),
            Error::NoName(name) => format!("there is no {}", String::from_utf8_lossy(&name)),
            Error::Kind => String::from("a value of the wrong kind"),
            Error::Write => String::from("it writes to a device"),
            Error::Region => String::from("it asks a region that cannot be read"),
            Error::Budget => String::from("it takes too many steps, or nests too deep"),
        }
    }
}

/// Most steps (terms) of one evaluation.
const STEPS: u32 = 100_000;
/// Most steps of all evaluations together.
const STEPS_IN_ALL: u32 = 2_000_000;
/// Deepest nesting of terms and calls.
const DEPTH: u32 = 48;
/// Most nodes of the namespace.
const NODES: usize = 16_384;
/// Most bytes or elements of one object.
const OBJECT: usize = 64 * 1024;

/// The tables that were loaded, and what they name.
pub struct Aml<'a> {
    tables: Vec<&'a [u8]>,
    nodes: Vec<Node>,
    /// Values of names that were evaluated or stored to.
    values: BTreeMap<NodeId, Value>,
    steps: u32,
    /// Steps that are left for all evaluations.
    left: u32,
    depth: u32,
    /// Conditions outside of methods, with their scopes: run once everything is loaded.
    late: Vec<(NodeId, namespace::Span)>,
    /// What could not be understood while loading.
    pub notes: Vec<alloc::string::String>,
}

impl<'a> Aml<'a> {
    pub fn new() -> Aml<'a> {
        Aml {
            tables: Vec::new(),
            nodes: Vec::from([Node::root()]),
            values: BTreeMap::new(),
            steps: 0,
            left: STEPS_IN_ALL,
            depth: 0,
            late: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl Default for Aml<'_> {
    fn default() -> Self {
        Aml::new()
    }
}
