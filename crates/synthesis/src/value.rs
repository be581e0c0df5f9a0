//! What an expression of a rule can be while the rule is being specialised.

use crate::instance::InstanceId;
use alloc::{rc::Rc, string::String, vec::Vec};
use graph::{Id, Space};
use rulebook::tree::{Extent, Fields, Member, Name, Place, RegItem};

/// A number: a graph node with an upper bound on what it can be, and the names of its bits if it has any.
#[derive(Clone, Copy, Debug)]
pub struct Num<'a> {
    pub id: Id,
    pub most: u64,
    pub bits: Option<Bits<'a>>,
    /// Came from `~`: its width is that of the place it is stored to.
    pub open: bool,
    /// What the rule means may be below 0 or need more than 64 bits: the node has its lowest 64. Only what takes these
    /// alone may use it: see [`crate::instance::Specialiser::exact`].
    pub cut: bool,
}

/// Names for the bits of a number.
#[derive(Clone, Copy, Debug)]
pub enum Bits<'a> {
    /// Fields in place; the instance resolves named types inside.
    Fields(InstanceId, &'a Fields),
    /// All `bits` items of this name that the instance can see (a function adds to its transport's).
    Named(InstanceId, Name),
}

/// The type of a place in memory.
#[derive(Clone, Debug)]
pub enum Kind<'a> {
    Number {
        bits: u32,
        big: bool,
        /// It takes device addresses.
        dma: Option<crate::lent::Reach<'a>>,
        fields: Option<Bits<'a>>,
    },
    Record(Rc<Layout<'a>>),
    /// So many of a kind, each so many bytes behind the one before.
    Array(Rc<Kind<'a>>, u64, u64),
}

impl<'a> Kind<'a> {
    /// A number of so many bits, the lowest byte first.
    pub fn number(bits: u32) -> Self {
        Kind::Number {
            bits,
            big: false,
            dma: None,
            fields: None,
        }
    }

    /// So many of a kind, one right behind the other.
    pub fn row(of: Kind<'a>, count: u64) -> Self {
        let size = crate::layout::size_of(&of);
        Kind::Array(Rc::new(of), count, size)
    }

    /// The device reaches so far from an address that is stored here, if that is said.
    pub fn reaches(&mut self, extent: Option<&'a Extent>) {
        match self {
            Kind::Number {
                dma: Some(reach), ..
            } => reach.extent = extent,
            Kind::Array(of, ..) => Rc::make_mut(of).reaches(extent),
            _ => {}
        }
    }
}

/// Where the members of a record or of an arena lie.
#[derive(Debug)]
pub struct Layout<'a> {
    pub members: Vec<(Name, Slot<'a>)>,
    /// Bytes.
    pub size: u64,
    pub align: u64,
}

#[derive(Clone, Debug)]
pub struct Slot<'a> {
    /// Bits from the start of the record.
    pub at: u64,
    pub kind: Kind<'a>,
}

/// A place in state, arena or pool.
#[derive(Clone, Debug)]
pub struct Spot<'a> {
    pub space: Space,
    /// Byte offset in the space.
    pub at: Num<'a>,
    /// Bits from there: fields of a record that do not start at a byte.
    pub shift: u32,
    pub kind: Kind<'a>,
}

/// A register, maybe one of several.
#[derive(Clone, Debug)]
pub struct Register<'a> {
    pub instance: InstanceId,
    pub item: &'a RegItem,
    pub place: Place,
    /// Which one (`TSD[i]`).
    pub index: Option<Num<'a>>,
    /// The index of the space it lies in (`f[a].WAKER`).
    pub space_index: Option<Num<'a>>,
    /// The name of its space.
    pub space: Option<Name>,
}

/// A piece of memory that the device reads or writes.
#[derive(Clone, Debug)]
pub struct Buffer<'a> {
    pub space: Space,
    pub at: Num<'a>,
    pub len: Num<'a>,
    /// The device writes it.
    pub inward: bool,
    /// The last of its list.
    pub last: bool,
    /// The same where only the run tells: a piece that was cut off a buffer.
    pub ends: Option<Num<'a>>,
    /// The number that its bytes were when it got a name.
    pub word: Option<Num<'a>>,
}

/// Where a window lies, before it is given a number.
#[derive(Clone, Debug)]
pub struct Region<'a> {
    pub kind: graph::WindowKind,
    pub base: u64,
    pub size: u64,
    /// Run-time part of the address, if any.
    pub offset: Option<Num<'a>>,
    /// How far apart its registers are, and whether their highest byte is first, where a space says so that it is part of.
    pub step: Option<u64>,
    pub big: bool,
}

#[derive(Clone, Debug)]
pub enum Value<'a> {
    Num(Num<'a>),
    Text(String),
    List(Vec<Value<'a>>),
    Texts(Vec<String>),
    Range(Num<'a>, Num<'a>),
    /// `bits(mask)`: the numbers of the set bits.
    SetBits(Num<'a>),
    Spot(Spot<'a>),
    /// A record copied out of memory, in 64-bit pieces.
    Copy(Rc<Layout<'a>>, Vec<Num<'a>>),
    Register(Register<'a>),
    Buffer(Buffer<'a>),
    Buffers(Vec<Buffer<'a>>),
    /// One of a list of buffers, inside a loop: `in` tells its direction.
    Piece(Buffer<'a>),
    /// Bytes to be cleared or set at once: `f.before(n)`.
    Bytes(Buffer<'a>),
    Region(Region<'a>),
    /// `{ … }` until it meets a type, in the frame where it was written.
    Literal(&'a [Member], Place),
    Ring(InstanceId, Name),
    Slots(InstanceId, Name),
    OneSlot(InstanceId, Name, Num<'a>),
    Space(InstanceId, Name, Option<Num<'a>>),
    Instance(InstanceId),
    /// All instances of an `each`.
    Each(InstanceId, Name),
    /// A `bits` item as such.
    BitSet(Bits<'a>),
    Back(InstanceId, Name),
    /// `irq`
    Irq,
    None,
    Random,
    /// A fact with parameters, or a routine: only good for calling.
    Callable(InstanceId, Name),
    /// A function of the language.
    Builtin,
}
