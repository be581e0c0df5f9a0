//! What an expression of a rule can be.

use graph::{Space, WindowKind};
use rulebook::tree::{Fields, Member, Name, Place, RegItem};
use std::rc::Rc;

/// Index of an instance: a rule, what carries it, a part, one member of an `each`.
pub type Id = usize;

/// Names for the bits of a number.
#[derive(Clone, Copy, Debug)]
pub enum Bits<'a> {
    /// Fields in place; the instance is the one that names inside are looked up in.
    Fields(Id, &'a Fields),
    /// Every `bits` item of this name that the instance and its relatives have.
    Named(Id, Name),
}

/// A whole number, as large as it needs to be. Arithmetic is exact: what is below 0 stays below 0.
#[derive(Clone, Copy, Debug)]
pub struct Num<'a> {
    pub v: i128,
    pub bits: Option<Bits<'a>>,
    /// Came from `~` or `-`: it is as wide as where it is stored.
    pub open: bool,
}

/// The type of a place in memory.
#[derive(Clone, Debug)]
pub enum Kind<'a> {
    Number {
        bits: u32,
        big: bool,
        fields: Option<Bits<'a>>,
    },
    Record(Rc<Layout<'a>>),
    /// So many, and how many bytes from one to the next.
    Array(Rc<Kind<'a>>, u64, u64),
}

/// Where members lie: bits from the start.
#[derive(Debug)]
pub struct Layout<'a> {
    pub members: Vec<(Name, u64, Kind<'a>)>,
    /// Bytes.
    pub size: u64,
    pub align: u64,
}

impl Kind<'_> {
    /// Bytes that it takes.
    pub fn size(&self) -> u64 {
        match self {
            Kind::Number { bits, .. } => u64::from(bits.div_ceil(8).next_power_of_two()),
            Kind::Record(layout) => layout.size,
            Kind::Array(_, n, step) => step * n,
        }
    }

    /// Bytes to whose multiple it is put among members.
    pub fn align(&self) -> u64 {
        match self {
            Kind::Number { .. } => self.size().min(8),
            Kind::Record(layout) => layout.align,
            Kind::Array(of, ..) => of.align(),
        }
    }
}

/// A place in state, arena or pool.
#[derive(Clone, Debug)]
pub struct Spot<'a> {
    pub space: Space,
    /// Bytes from the start of the space.
    pub at: u64,
    /// Bits from there.
    pub shift: u64,
    pub kind: Kind<'a>,
}

/// A register, maybe one of several.
#[derive(Clone, Debug)]
pub struct Register<'a> {
    pub instance: Id,
    pub item: &'a RegItem,
    pub place: Place,
    pub index: Option<i128>,
    /// The index of the space that it lies in.
    pub space_index: Option<i128>,
    pub space: Option<Name>,
}

/// Bytes of pool or arena.
#[derive(Clone, Debug)]
pub struct Buffer {
    pub space: Space,
    pub at: u64,
    pub len: u64,
    /// The device writes it.
    pub inward: bool,
    pub last: bool,
    /// The number that its bytes were when it got a name.
    pub word: Option<u64>,
}

/// A part of an address space of the machine.
#[derive(Clone, Debug)]
pub struct Region {
    pub kind: WindowKind,
    pub base: u64,
    pub size: u64,
    pub offset: i128,
    /// As a space says that it is part of: how far apart its registers are, and whether the highest byte is first.
    pub step: u64,
    pub big: bool,
}

/// Names bound by `let`, `for` or as parameters, the latest last.
pub type Locals<'a> = Vec<(Name, Value<'a>)>;

/// `{ … }` until it meets a type: its text, and what its names mean where it was written.
#[derive(Clone, Debug)]
pub struct Written<'a> {
    pub members: &'a [Member],
    pub instance: Id,
    pub locals: Rc<Locals<'a>>,
}

#[derive(Clone, Debug)]
pub enum Value<'a> {
    Num(Num<'a>),
    Text(String),
    Texts(Vec<String>),
    List(Vec<Value<'a>>),
    /// The upper end is not included.
    Range(i128, i128),
    /// The numbers of the set bits.
    Set(u64),
    Spot(Spot<'a>),
    /// A record, copied out of memory.
    Copy(Rc<Layout<'a>>, Vec<u8>),
    Register(Register<'a>),
    Buffer(Buffer),
    /// Bytes that are set all alike: `f.before(n)`.
    Bytes(Buffer),
    /// Buffers joined.
    Buffers(Vec<Buffer>),
    /// One of joined buffers, or a piece that was cut off one.
    Piece(Buffer),
    Region(Region),
    Literal(Written<'a>),
    With(Box<Value<'a>>, Written<'a>),
    Ring(Id, Name),
    Slots(Id, Name),
    Slot(Id, Name, u64),
    Space(Id, Name, Option<i128>),
    Instance(Id),
    /// All members of an `each`.
    Each(Id, Name),
    /// A `bits` item.
    BitSet(Bits<'a>),
    Back(Id, Name),
    /// The device's interrupt, as a word of the language.
    Irq,
    None,
    Random,
    /// A routine, or a fact with parameters or an index.
    Callable(Id, Name),
    Builtin,
}

impl Value<'_> {
    pub fn number(v: u64) -> Self {
        Value::Num(Num {
            v: v.into(),
            bits: None,
            open: false,
        })
    }
    pub fn truth(v: bool) -> Self {
        Self::number(v.into())
    }
}

/// Ones in the lowest so many bits.
pub fn ones(bits: u32) -> u64 {
    match bits {
        0 => 0,
        n => u64::MAX >> (64 - n.min(64)),
    }
}
