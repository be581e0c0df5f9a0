//! AML (ACPI 6.5, chapters 19 and 20): what the tables name, and what their methods answer.
//!
//! A table is run once when it is taken in, as one list of terms; methods are run when they are asked for. Both have budgets of
//! steps and depth. A term outside of methods that cannot be run is left out, with a note, and the next one is taken. What is
//! written to a device is kept in a shadow, and not written, but for the few registers of the policy. Broken bytes give an
//! [`Error`].

mod evaluate;
mod load;
mod namespace;
mod operate;
mod reader;
mod regions;
pub mod resources;
mod shape;
mod text;
mod value;

pub use namespace::{NodeId, ROOT};
pub use regions::World;
pub use value::Value;

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use namespace::{Ground, Kind, Node, Span};

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
    /// A store to what holds nothing.
    Write,
    /// A declaration of a name that there is already.
    Twice([u8; 4]),
    /// A region where nothing answers, or beyond its end.
    Region,
    /// A region in a space for which there is no driver (5.5.2.4).
    Space(u8),
    /// A register that a write selects, which the policy does not allow.
    Selected,
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
            Error::Write => String::from("it stores to what holds nothing"),
            Error::Twice(name) => format!("there is a {} already", String::from_utf8_lossy(&name)),
            Error::Space(3) => String::from("it asks the embedded controller, which has no driver"),
            Error::Space(space) => format!("it asks address space {space}, which has no driver"),
            Error::Selected => {
                String::from("it asks a register that a write selects, and that is not made")
            }
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
    /// Values of names that were evaluated or stored to; buffers of their fields.
    values: BTreeMap<NodeId, Value>,
    /// Offset and length of regions that were asked for.
    places: BTreeMap<NodeId, (u64, u64)>,
    grounds: Vec<Ground>,
    /// Bytes that were written to devices: by space and address.
    shadow: BTreeMap<(u8, u64), u8>,
    /// The last write was kept back.
    unmade: bool,
    /// Bits of an integer: 32 where the DSDT is of the first revision (19.3.5).
    width: u32,
    steps: u32,
    /// Steps that are left for all evaluations.
    left: u32,
    depth: u32,
    /// What could not be understood while loading.
    pub notes: Vec<String>,
}

impl Default for Aml<'_> {
    fn default() -> Self {
        let mut aml = Aml {
            tables: Vec::new(),
            nodes: Vec::from([Node::root()]),
            values: BTreeMap::new(),
            places: BTreeMap::new(),
            grounds: Vec::new(),
            shadow: BTreeMap::new(),
            unmade: false,
            width: 64,
            steps: 0,
            left: STEPS_IN_ALL,
            depth: 0,
            notes: Vec::new(),
        };
        // 5.3.1 and 5.7: what there is before any table.
        for name in [b"_GPE", b"_PR_", b"_SB_", b"_SI_", b"_TZ_"] {
            let _ = aml.add((ROOT, *name), Kind::Scope);
        }
        let _ = aml.add((ROOT, *b"_GL_"), Kind::Other);
        let _ = aml.add((ROOT, namespace::OSI), Kind::Other);
        let known = [
            (*b"_REV", Value::Integer(2)),
            (*b"_OS_", Value::text(Vec::from(b"Microsoft Windows NT"))),
        ];
        for (name, value) in known {
            let nothing = Span {
                table: 0,
                at: 0,
                end: 0,
            };
            if let Ok(node) = aml.add((ROOT, name), Kind::Name(nothing)) {
                aml.values.insert(node, value);
            }
        }
        aml
    }
}
