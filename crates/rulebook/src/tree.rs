//! The rulebook as a tree: what the parser makes, the checker proves, genesis embeds and synthesis folds.
//!
//! Names are interned ([`Name`] indexes [`Book::names`]). Times are nanoseconds, sizes bytes.

use alloc::{boxed::Box, string::String, vec::Vec};
#[cfg(feature = "binary")]
use serde::{Deserialize, Serialize};

/// An interned name or text: index into [`Book::names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct Name(pub u16);

/// Where something stands: file index, line and column, both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct Place {
    pub file: u16,
    pub line: u16,
    pub column: u16,
}

#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct Book {
    pub names: Vec<String>,
    /// Paths of the rule files, relative to `rules/`.
    pub files: Vec<String>,
    pub classes: Vec<Class>,
    pub rules: Vec<Rule>,
    /// `order NAME, NAME`: the classes whose drivers are written first, in this order; the others come after them.
    pub order: Vec<(Name, Place)>,
}

/// `class NAME` with its contract and default flows.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct Class {
    pub name: Name,
    /// `class timer direct`: bound into the nucleus.
    pub direct: bool,
    /// `class watchdog seldom`: nothing of it runs often.
    pub seldom: bool,
    /// `class block missed "disk"`: a person misses it where there is none, and calls it so.
    pub missed: Option<Name>,
    pub items: Vec<Item>,
    pub place: Place,
}

/// `rule NAME(parameters) : CLASS each P on BUS`
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct Rule {
    pub name: Name,
    /// A rule with parameters is a part: used by rules, never matched.
    pub parameters: Vec<Name>,
    pub class: Name,
    pub each: Option<Name>,
    pub on: Option<Name>,
    pub items: Vec<Item>,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct Item {
    pub kind: ItemKind,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub enum ItemKind {
    /// `match EXPR score N`
    Match {
        test: Expr,
        score: u32,
    },
    /// `candidate ports(0x100, 8), ports(0x200, 2) line 5`: where such a device stands when no table names it.
    Candidate {
        window: Expr,
        more: Vec<Expr>,
        line: Option<Expr>,
    },
    /// `fact NAME(parameters): TYPE = VALUE`; without a value in a class contract.
    Fact {
        name: Name,
        parameters: Vec<Name>,
        kind: Option<Type>,
        value: Option<Expr>,
        /// In a class: the devices of this bus are told it under that name, of the device that serves.
        tells: Option<(Name, Name)>,
    },
    /// `space NAME[at] = le EXPR step N via REG = EXPR per cpu`
    Space(SpaceItem),
    Reg(RegItem),
    /// `bits NAME { … }`
    Bits {
        name: Name,
        fields: Fields,
    },
    /// `record NAME le SIZE { … }`
    Record {
        name: Name,
        big: bool,
        size: Option<u32>,
        fields: Fields,
    },
    Arena(ArenaItem),
    /// `ring NAME COUNT of CELLS lent { … } back when … link { … } full`
    Ring {
        name: Name,
        count: Expr,
        cells: Expr,
        lent: Option<Expr>,
        back: Option<Expr>,
        link: Option<Expr>,
        full: bool,
    },
    /// `slots NAME COUNT in arena { … } align N`
    Slots {
        name: Name,
        count: Expr,
        in_arena: bool,
        fields: Fields,
        align: Option<Expr>,
    },
    /// `state NAME: TYPE wraps = VALUE`
    State {
        name: Name,
        kind: Type,
        wraps: bool,
        value: Option<Expr>,
    },
    /// `use NAME = PART(arguments)`
    Use {
        name: Name,
        part: Name,
        arguments: Vec<Expr>,
    },
    /// `part NAME(parameters)` inside a rule
    Part {
        name: Name,
        parameters: Vec<Name>,
        items: Vec<Item>,
    },
    /// `each NAME in SET where FLOW`
    Each {
        name: Name,
        set: Expr,
        filter: Option<Name>,
        items: Vec<Item>,
    },
    /// `way NAME when GUARD`
    Way {
        name: Name,
        guard: Option<Expr>,
        items: Vec<Item>,
    },
    Prefer(Vec<Name>),
    /// Items under `when … else …`, or a single item with a trailing `when`.
    When {
        test: Expr,
        yes: Vec<Item>,
        no: Vec<Item>,
    },
    /// `op`, `flow` and `init` (a flow by that name). Without a body in a class contract.
    Routine(Routine),
    /// `up NAME(parameters)` in a class contract.
    Upcall {
        name: Name,
        parameters: Vec<Parameter>,
    },
    /// `event irq(1) when …`, `event tx.used(t, n)`, `event queues`
    Event(Event),
    /// `recover NAME, NAME { … }`
    Recover {
        names: Vec<Name>,
        body: Vec<Stmt>,
    },
    /// `fail NAME when RING rests TIME`
    Watch {
        failure: Name,
        what: Expr,
        time: Expr,
    },
    /// `gone when EXPR`
    Gone(Expr),
}

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct SpaceItem {
    pub name: Name,
    /// `space f[a] = …`: the space is a function of an index.
    pub index: Option<Name>,
    /// `be`: the highest byte first. Where nothing is said it is as the space that this one begins in, or the lowest first.
    pub big: Option<bool>,
    /// What it stands for; alternatives are `Binary(Or, …)` or `Choose`. None in a class contract.
    pub value: Option<Expr>,
    pub step: Option<Expr>,
    /// `via REG = at`: its registers are reached at its start, after their number was written.
    pub via: Option<Via>,
    /// `via REG = 1`: its registers are there after this was written.
    pub bank: Option<Via>,
    pub per_cpu: bool,
}

/// `via REG = EXPR`: written before the access.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct Via {
    pub target: Expr,
    pub value: Expr,
}

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct RegItem {
    pub name: Name,
    /// `[6]`: how many.
    pub count: Option<u32>,
    /// `[q]`: how many is not said; the name of the index.
    pub index: Option<Name>,
    /// Byte offset; a `Text` for a system register (`"3.0.12.12.5"`); None in a class contract.
    pub at: Option<Expr>,
    /// Width in bits; 0 in a contract that names a `bits` type only.
    pub bits: u32,
    pub effects: Effects,
    /// `as 2x32`: made of several accesses, in the order of their places.
    pub pieces: Option<Pieces>,
    /// The fields, in place or by the name of a `bits` item.
    pub fields: Option<Fields>,
    pub fields_of: Option<Name>,
    pub via: Vec<Via>,
    /// `over NAME`: shares the place of another register.
    pub over: Vec<Name>,
    pub step: Option<Expr>,
    /// The space it lies in; the space of the register before it when not said.
    pub space: Option<Name>,
    /// `for BYTES`: it takes a device address, and the device uses so many bytes from there.
    pub extent: Option<Extent>,
}

/// `2x32`: so many accesses, each of so many bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct Pieces {
    pub count: u32,
    pub bits: u32,
}

impl RegItem {
    /// The accesses that the register is made of: their number, and the bits of each.
    #[must_use]
    pub fn accesses(&self) -> Pieces {
        self.pieces.unwrap_or(Pieces {
            count: 1,
            bits: self.bits,
        })
    }
}

/// How far a device reaches from an address that it is given.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub enum Extent {
    /// `for BYTES`: registers in it stand for what the rule wrote to them, members for what the same cell says.
    Bytes(Expr),
    /// `for told`: what else the device is told says it, and a statement `tell` in the rule gives the number.
    Told,
}

/// What reading or writing does, beside moving the value (the vocabulary of SystemRDL 2.0, 9.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct Effects(pub u16);
impl Effects {
    pub const RO: u16 = 1;
    pub const WO: u16 = 2;
    pub const W1C: u16 = 4;
    pub const W1S: u16 = 8;
    /// Reading clears.
    pub const RC: u16 = 16;
    /// Reading takes the next value.
    pub const POP: u16 = 32;
    /// Clears itself.
    pub const SC: u16 = 64;
    pub const DOORBELL: u16 = 128;
    /// Reading has no effect: may be probed.
    pub const PURE: u16 = 256;
    /// Must be written as it was read.
    pub const KEEP: u16 = 512;
    pub fn has(self, bit: u16) -> bool {
        self.0 & bit != 0
    }
}

/// What the bits that no field names are written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub enum Rest {
    /// Nothing was said: every bit must be covered by a field.
    #[default]
    Nothing,
    /// `else 0`
    Zero,
    /// `else keep`: as they were read.
    Keep,
    /// `else any`: does not matter (read-only registers).
    Any,
}

#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct Fields {
    pub list: Vec<Field>,
    pub rest: Rest,
}

/// `name@lo:width effects { sub }`. In `bits` and `reg`, `lo` counts bits; in `record` and `arena`, bytes.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct Field {
    /// None for `_`.
    pub name: Option<Name>,
    pub at: Option<u32>,
    /// None: one bit.
    pub kind: Option<Type>,
    pub effects: Effects,
    pub fields: Option<Fields>,
    pub align: Option<Expr>,
    /// `list: CELL[4] step 64`: in an arena, how many bytes apart the elements stand.
    pub step: Option<Expr>,
    /// `addr:dma64 for len`: how far the device reaches from the address that is stored here.
    pub extent: Option<Extent>,
    pub place: Place,
}

/// A type with optional array dimensions, outermost first.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct Type {
    pub base: TypeBase,
    pub dims: Vec<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub enum TypeBase {
    /// `16`: an unsigned number of so many bits.
    Bits(u32),
    /// `dma64`, `dma32`: a device address.
    Dma(u32),
    /// `be16`, `be32`, `be64`: a big-endian number.
    Big(u32),
    Bool,
    /// A record or bits item, or a class's word (`ticket`, `bufs`).
    Named(Name),
}

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct ArenaItem {
    pub name: Name,
    /// `arena RX 32 KiB`: plain bytes.
    pub size: Option<Expr>,
    /// `arena id: ID`, `arena got: 8[256]`
    pub kind: Option<Type>,
    /// Named members on the lines below.
    pub fields: Vec<Field>,
    pub align: Option<Expr>,
    /// `step 1536`: how many bytes apart the elements stand.
    pub step: Option<Expr>,
    pub circular: bool,
    pub spill: Option<Expr>,
    pub reach: Option<Expr>,
    pub across: Option<Expr>,
    /// Of device addresses: how far the device reaches from one.
    pub extent: Option<Extent>,
}

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct Parameter {
    pub name: Name,
    pub kind: Option<Type>,
    /// `at least N`: of a buffer, its bytes.
    pub least: Option<Expr>,
    /// `at most N`
    pub most: Option<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub enum RoutineKind {
    /// Never sleeps.
    Op,
    /// May sleep.
    Flow,
}

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct Routine {
    pub kind: RoutineKind,
    pub name: Name,
    pub parameters: Vec<Parameter>,
    /// `-> 32` or `-> {addr, data}`: whether it gives a value.
    pub returns: Option<Type>,
    /// `in chunks of N`
    pub chunk: Option<Expr>,
    /// `op put(b) direct`: this one is bound into the nucleus too, though its class is not direct.
    pub direct: bool,
    /// `optional` (contracts).
    pub optional: bool,
    /// `seldom` (contracts): writing its code quickly is worth more than what it costs to run.
    pub seldom: bool,
    /// `when GUARD`
    pub guard: Option<Expr>,
    pub body: Option<Vec<Stmt>>,
}

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct Event {
    /// `irq`, `message`, `queues`, or `PART.used` as part and name.
    pub part: Option<Name>,
    pub name: Name,
    /// `message(1)`: the number that selects the event …
    pub selector: Option<Expr>,
    /// … or the names that receive its values.
    pub parameters: Vec<Name>,
    pub guard: Option<Expr>,
    pub body: Vec<Stmt>,
}

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct Stmt {
    pub kind: StmtKind,
    pub place: Place,
}

/// What stands after `else` when a thing cannot be had (`else busy`, `else fail dead`, `else return 0`, `else stop`).
pub type Otherwise = Option<Box<Stmt>>;

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub enum StmtKind {
    /// `let a = X, b = Y else busy`
    Let {
        bindings: Vec<(Name, Expr)>,
        otherwise: Otherwise,
    },
    /// `target = value`; with an operator for `+=` and its like.
    Assign {
        target: Expr,
        operator: Option<BinaryOp>,
        value: Expr,
        otherwise: Otherwise,
    },
    /// `learn a = X, b[q] = Y`
    Learn(Vec<(Expr, Expr)>),
    /// Run time.
    If {
        test: Expr,
        yes: Vec<Stmt>,
        no: Vec<Stmt>,
    },
    /// Facts: gone after specialising. A trailing `when` on one statement is this too.
    When {
        test: Expr,
        yes: Vec<Stmt>,
        no: Vec<Stmt>,
    },
    /// `for a, b in SET at most N`
    For {
        names: Vec<Name>,
        set: Expr,
        most: Option<Expr>,
        body: Vec<Stmt>,
    },
    /// `while TEST at most N`
    While {
        test: Expr,
        most: Expr,
        body: Vec<Stmt>,
    },
    /// `await TEST within TIME else …`
    Await {
        test: Expr,
        within: Expr,
        otherwise: Otherwise,
    },
    Pause(Expr),
    /// `check TEST else …`
    Check {
        test: Expr,
        otherwise: Box<Stmt>,
    },
    Fail(Name),
    Return(Option<Expr>),
    /// Ends the event or operation, done.
    Stop,
    /// No room: the operation was not accepted.
    Busy,
    /// In `recover`: init again; what is outstanding comes back failed.
    Reset,
    /// `start FLOW(arguments)`
    Start(Expr),
    /// `up NAME(arguments)`
    Up {
        name: Name,
        arguments: Vec<Expr>,
    },
    Publish(Expr),
    Acquire(Expr),
    /// `tell BYTES of MEMORY`: what is stored elsewhere tells the device to use so many bytes from there.
    Tell {
        bytes: Expr,
        of: Expr,
    },
    Fence,
    /// The event is this device's when the test holds; else it is another's.
    Claim(Expr),
    /// The device has been removed when the test holds.
    Gone(Expr),
    Quirk {
        name: Name,
        test: Expr,
        body: Vec<Stmt>,
    },
    /// Once a batch.
    Then(Vec<Stmt>),
    /// `lend RING = CELL keep T else busy`
    Lend {
        ring: Expr,
        cell: Option<Expr>,
        keep: Option<Expr>,
        otherwise: Otherwise,
    },
    /// `attach k { fact: value }`: a child has come to place k of the bus, and is what these facts say.
    Attach {
        child: Expr,
        facts: Vec<Member>,
    },
    /// `detach k`: the child at place k has gone.
    Detach(Expr),
    /// An expression for its effect: a call.
    Do {
        call: Expr,
        otherwise: Otherwise,
    },
}

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct Expr {
    pub kind: ExprKind,
    pub place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub enum UnaryOp {
    /// `!`: logical.
    Not,
    /// `~`: every bit; the width comes from where the value is stored.
    Invert,
    Negate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    And,
    Or,
    Xor,
    Shl,
    Shr,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    /// `and`, `or`: logical, the right side only if needed.
    Both,
    Either,
    /// `++`: buffers one after another.
    Join,
}

impl BinaryOp {
    /// As it is written in a rule.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Rem => "%",
            Self::And => "&",
            Self::Or => "|",
            Self::Xor => "^",
            Self::Shl => "<<",
            Self::Shr => ">>",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Both => "and",
            Self::Either => "or",
            Self::Join => "++",
        }
    }
}

/// Which stage a choice belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub enum Stage {
    /// `A when c else B`
    Fact,
    /// `A if c else B`
    Run,
}

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct Argument {
    pub name: Option<Name>,
    pub value: Expr,
}

/// One member of `{ … }`: `name`, `name: value`, `a.b: value`, or a bare value.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub struct Member {
    pub path: Vec<Name>,
    pub value: Option<Expr>,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "binary", derive(Serialize, Deserialize))]
pub enum ExprKind {
    /// Units are folded: KiB/MiB/GiB to bytes, s/ms/us/ns to nanoseconds.
    Number(u64),
    Text(Name),
    Name(Name),
    /// `a.b`
    Dot(Box<Expr>, Name),
    /// `a[i]`
    Index(Box<Expr>, Box<Expr>),
    /// `a[lo..hi]`: bits lo up to but not including hi.
    Bits(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `a[from : length]`: bytes.
    Slice(Box<Expr>, Box<Expr>, Box<Expr>),
    Call(Box<Expr>, Vec<Argument>),
    Unary(UnaryOp, Box<Expr>),
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `a..b`, b not included.
    Range(Box<Expr>, Box<Expr>),
    /// `a in SET`
    In(Box<Expr>, Box<Expr>),
    Choose {
        stage: Stage,
        test: Box<Expr>,
        yes: Box<Expr>,
        no: Option<Box<Expr>>,
    },
    Literal(Vec<Member>),
    /// `a with { … }`
    With(Box<Expr>, Vec<Member>),
    /// `a as RECORD`
    As(Box<Expr>, Name),
    /// `dma X`: the device address of a place in arena or pool.
    Dma(Box<Expr>),
    /// `take SLOTS keep X`
    Take {
        slots: Box<Expr>,
        keep: Option<Box<Expr>>,
    },
    /// `lend RING keep X`
    Lend {
        ring: Box<Expr>,
        keep: Option<Box<Expr>>,
    },
    /// `back RING`
    Back(Box<Expr>),
    /// `first RECORD of LIST where TEST`
    First {
        record: Name,
        list: Box<Expr>,
        test: Box<Expr>,
    },
    /// `those NAME in SET where TEST`
    Those {
        name: Name,
        set: Box<Expr>,
        test: Box<Expr>,
    },
    /// `spread DATA over CELLS each N / across N / at most N as b { … }`
    Spread {
        data: Box<Expr>,
        cells: Box<Expr>,
        each: Option<Box<Expr>>,
        across: Option<Box<Expr>>,
        most: Option<Box<Expr>>,
        name: Name,
        cell: Box<Expr>,
    },
    /// `[a, b]`: numbers, or texts.
    List(Vec<Expr>),
}
