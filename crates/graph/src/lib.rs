//! The code graph: what every rule becomes once the facts are folded in.
//!
//! Values are unsigned 64-bit and wrap; widths belong to loads and stores. Pure nodes float and are shared
//! (hash-consed); nodes with effects stand in the `steps` of exactly one region, in program order. Control is
//! structured: `If`, `Block`, `Loop`, `Leave`. There are no names inside; [`Residual`] carries the overlay.
#![no_std]
extern crate alloc;

pub mod access;
pub mod build;
pub mod check;
pub mod code;
pub mod hash;
pub mod interpret;
mod needs;
mod prune;
pub mod same;
#[cfg(any(test, feature = "sample"))]
pub mod sample;
pub mod through;
pub mod traverse;
pub mod view;
pub mod worst;
pub use access::Access;
pub use build::Builder;
pub use needs::Needs;

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// Index of a node in [`Graph::nodes`]. A node's operands always have smaller indices.
pub type Id = u32;
/// Index of a region in [`Graph::regions`].
pub type RegionId = u32;

/// Access width in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Width {
    B8,
    B16,
    B32,
    B64,
}

impl Width {
    pub const fn bits(self) -> u32 {
        match self {
            Width::B8 => 8,
            Width::B16 => 16,
            Width::B32 => 32,
            Width::B64 => 64,
        }
    }
    pub const fn bytes(self) -> u32 {
        self.bits() / 8
    }
    pub const fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits())
    }
    pub const fn of_bits(bits: u32) -> Option<Width> {
        match bits {
            8 => Some(Width::B8),
            16 => Some(Width::B16),
            32 => Some(Width::B32),
            64 => Some(Width::B64),
            _ => None,
        }
    }
}

/// Two-operand arithmetic on 64-bit unsigned values. Comparisons give 0 or 1.
/// A shift by 64 or more gives 0. `Div` and `Rem` by 0 give 0 (the specialiser proves it cannot happen).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BinOp {
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
    Min,
    Max,
}

/// Memory that is not a device. Addresses are byte offsets from the start of the space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Space {
    /// The driver's private variables. No device sees them: plain accesses.
    State,
    /// Memory shared with the device, the driver's alone among programs.
    Arena,
    /// The client's buffers, shared with the device.
    Pool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Fence {
    /// What was stored to arena and pool is visible to the device before any later store or device write.
    Publish,
    /// What the device stored before the last load is visible to later loads.
    Acquire,
    /// Everything before, before everything after (a store before a load too).
    Full,
}

/// Late facts: known when the driver is attached, constant for a whole activation. Loads from the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Late {
    /// Device address of the start of the arena.
    ArenaDma,
    /// Device address of the start of the pool.
    PoolDma,
    /// Which of the driver's lanes runs it, from 0: one for each CPU.
    Lane,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Op {
    // ---- pure: float, shared, may be computed any number of times
    Const(u64),
    /// The entry's argument, counted from 0.
    Arg(u8),
    Bin(BinOp, Id, Id),
    /// `if cond != 0 { yes } else { no }`; both sides are computed.
    Select(Id, Id, Id),
    /// `(value >> lo) & ones(bits)`
    Extract {
        value: Id,
        lo: u8,
        bits: u8,
    },
    /// `into` with its bits `lo .. lo + bits` replaced by the low bits of `value`.
    Insert {
        into: Id,
        value: Id,
        lo: u8,
        bits: u8,
    },
    /// The low `width` bytes in opposite order, upper bytes zero.
    Swap(Width, Id),
    /// Number of zero bits below the lowest one bit; 64 for zero.
    LowestBit(Id),
    /// Number of one bits.
    Ones(Id),
    Late(Late),

    // ---- effects that give a value
    /// Local variable, counted from 0 within the entry.
    Local(u16),
    Load {
        space: Space,
        at: Id,
        width: Width,
    },
    /// A read of the device: `window` indexes [`Residual::windows`], `at` is a byte offset (or port offset,
    /// or, for `System` and `Model` windows, a constant register number).
    Read {
        window: u8,
        at: Id,
        width: Width,
    },
    /// Calls the class: `which` indexes [`Residual::upcalls`]; at most 4 arguments. Gives the callee's result.
    Up {
        which: u8,
        args: Vec<Id>,
    },
    /// Nanoseconds of a clock that never goes back.
    Clock,
    /// Runs the steps of `cond`, then tests the node `value`; repeats until it is not 0 or `ns` have passed
    /// (tested once more after that). Gives 1 when it became true, 0 when time ran out.
    Await {
        cond: RegionId,
        value: Id,
        ns: Id,
    },
    /// Runs `body` at most `most` times. Gives 1 when the bound ended it, 0 when a `Leave` did.
    Loop {
        most: Id,
        body: RegionId,
    },
    /// Call into firmware (arm64 SMC calling convention): function and three arguments, gives x0.
    Firmware {
        conduit: Conduit,
        args: [Id; 4],
    },

    // ---- effects without a value
    SetLocal(u16, Id),
    Store {
        space: Space,
        at: Id,
        width: Width,
        value: Id,
    },
    Write {
        window: u8,
        at: Id,
        width: Width,
        value: Id,
    },
    Fence(Fence),
    /// Does nothing for at least `ns` nanoseconds.
    Pause(Id),
    If {
        cond: Id,
        yes: RegionId,
        no: RegionId,
    },
    /// Runs `body` once; a `Leave` inside ends it.
    Block(RegionId),
    /// Ends the `n`-th enclosing `Block` or `Loop`, 0 being the innermost. (`If` and `Await` do not count.)
    Leave(u8),
    /// Result word `n` (0..4) of the entry.
    Result(u8, Id),
    /// Ends the entry with this status (see `abi::status`). Falling off the end is status 0.
    Return(Id),
}

impl Op {
    /// A pure node floats; any other stands in the steps of one region.
    pub const fn is_pure(&self) -> bool {
        matches!(
            self,
            Op::Const(_)
                | Op::Arg(_)
                | Op::Bin(..)
                | Op::Select(..)
                | Op::Extract { .. }
                | Op::Insert { .. }
                | Op::Swap(..)
                | Op::LowestBit(_)
                | Op::Ones(_)
                | Op::Late(_)
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Conduit {
    Hvc,
    Smc,
}

/// Effect nodes in program order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Region {
    pub steps: Vec<Id>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    pub nodes: Vec<Op>,
    pub regions: Vec<Region>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WindowKind {
    /// Memory-mapped registers.
    Memory,
    /// x86 I/O ports.
    Port,
    /// arm64 system registers: `at` is op0<<14 | op1<<11 | CRn<<7 | CRm<<3 | op2, access width 64.
    System,
    /// x86 model-specific registers: `at` is the MSR's number, access width 64.
    Model,
}

/// One window of the device, as the rule's `space` names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub name: String,
    pub kind: WindowKind,
    /// Physical base (or first port) that the facts gave, for whoever maps it. Not part of the code.
    pub base: u64,
    /// Bytes or ports that the residual may touch, counted from `base`.
    pub size: u64,
}

/// One entry point: `init`, an operation, a batch tail (`transmit.then`), an event (`irq`), a recovery (`recover.dead`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub name: String,
    pub arguments: u8,
    pub locals: u16,
    /// Runs seldom: code for it is written quickly rather than well.
    pub seldom: bool,
    pub body: RegionId,
}

/// What remains of a rule once the facts are folded in: the driver of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Residual {
    pub graph: Graph,
    pub entries: Vec<Entry>,
    pub windows: Vec<Window>,
    /// Bytes of private state, zero before `init`.
    pub state_size: u32,
    /// Bytes of device-shared memory, zero before `init`; base aligned to `arena_align` (a power of two).
    pub arena_size: u32,
    pub arena_align: u32,
    /// Names of the upcalls by index, as the class spells them.
    pub upcalls: Vec<String>,
    /// Names of the failures by number: status `abi::status::FAIL + n`.
    pub failures: Vec<String>,
}
