//! What a SystemRDL file says, as a tree: definitions, instances, properties and expressions, none of them evaluated.

use std::rc::Rc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Field,
    Reg,
    Regfile,
    Addrmap,
    Mem,
    /// Signals, and constraints: read and left out.
    Signal,
}

pub type Place = (u32, u32);

/// `a[2].b`
#[derive(Debug)]
pub struct Part {
    pub name: String,
    pub indices: Vec<Expr>,
}

#[derive(Debug)]
pub enum Expr {
    /// With its width in bits.
    Number(u64, u32),
    Text(Rc<str>),
    Flag(bool),
    /// `a.b`, or `a.b -> property`.
    Name(Vec<Part>, Option<String>),
    /// `enum::member`
    Member(String, String),
    Unary(&'static str, Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    Choice(Box<[Expr; 3]>),
    Concat(Vec<Expr>),
    Repeat(Box<Expr>, Vec<Expr>),
    /// To so many bits.
    Cast(Box<Expr>, Box<Expr>),
    /// `boolean'(…)`
    Truth(Box<Expr>),
    Array(Vec<Expr>),
    Struct(Vec<(String, Expr)>),
}

#[derive(Debug)]
pub struct Definition {
    pub kind: Kind,
    pub name: Option<String>,
    /// Parameters, with what they are if nothing is said.
    pub parameters: Vec<(String, Option<Expr>)>,
    pub items: Vec<(Item, Place)>,
}

#[derive(Debug)]
pub enum Item {
    Define(Rc<Definition>),
    Enumeration(String, Vec<(String, Option<Expr>)>),
    Instance(Box<Instance>),
    Property {
        default: bool,
        name: String,
        value: Option<Expr>,
    },
    /// `a.b -> name = value`
    Assign {
        path: Vec<Part>,
        name: String,
        value: Option<Expr>,
    },
    /// `property NAME { … }`
    Declare(String),
}

#[derive(Debug)]
pub enum Of {
    Named(String),
    Defined(Rc<Definition>),
}

#[derive(Debug)]
pub struct Instance {
    pub of: Of,
    pub arguments: Rc<Vec<(String, Expr)>>,
    pub alias: Option<String>,
    pub name: String,
    pub dimensions: Vec<Expr>,
    /// `[7:0]`, as it is written.
    pub range: Option<(Expr, Expr)>,
    pub reset: Option<Expr>,
    pub at: Option<Expr>,
    pub step: Option<Expr>,
    pub align: Option<Expr>,
}
