//! What is known of a node's value without running it: an upper bound and the bits that may be set.

use crate::{BinOp, Id, Op, Width};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    /// No value is greater.
    pub most: u64,
    /// No other bit is ever one.
    pub bits: u64,
    /// These bits always are, so no value is less.
    pub sure: u64,
}

/// `bits` ones from bit 0 up.
pub(crate) fn ones(bits: u32) -> u64 {
    match bits {
        0 => 0,
        1..=63 => (1 << bits) - 1,
        _ => u64::MAX,
    }
}

/// All bits up to the highest one of `value`.
fn below(value: u64) -> u64 {
    ones(64 - value.leading_zeros())
}

impl Bound {
    const ANY: Bound = Bound {
        most: u64::MAX,
        bits: u64::MAX,
        sure: 0,
    };

    fn of_most(most: u64) -> Bound {
        Bound {
            most,
            bits: below(most),
            sure: 0,
        }
    }

    fn of_bits(bits: u64) -> Bound {
        Bound {
            most: bits,
            bits,
            sure: 0,
        }
    }

    fn new(most: u64, bits: u64) -> Bound {
        let bits = bits & below(most);
        Bound {
            most: most.min(bits),
            bits,
            sure: 0,
        }
    }

    fn constant(self) -> Option<u64> {
        (self.most == 0).then_some(0)
    }
}

/// The bound of a node from those of its operands.
pub(crate) fn of_node(
    op: &Op,
    known: impl Fn(Id) -> Option<u64>,
    at: impl Fn(Id) -> Bound,
) -> Bound {
    if let Op::Bin(kind, a, c) = *op {
        if let Some(bound) = known(c).and_then(|c| by_constant(kind, at(a), c)) {
            return Bound {
                sure: sure(op, &at, known(c)),
                ..bound
            };
        }
    }
    Bound {
        sure: sure(op, &at, None),
        ..of(op, &at)
    }
}

/// The bits of the node's value that are one whatever its operands are.
fn sure(node: &Op, at: impl Fn(Id) -> Bound, by: Option<u64>) -> u64 {
    match *node {
        Op::Const(value) => value,
        Op::Bin(BinOp::Or, a, b) => at(a).sure | at(b).sure,
        Op::Bin(BinOp::And, a, b) => at(a).sure & at(b).sure,
        Op::Bin(op @ (BinOp::Shl | BinOp::Shr), a, _) => match (op, by) {
            (BinOp::Shl, Some(c @ ..64)) => at(a).sure << c,
            (BinOp::Shr, Some(c @ ..64)) => at(a).sure >> c,
            _ => 0,
        },
        Op::Select(_, a, b) => at(a).sure & at(b).sure,
        Op::Extract { value, lo, bits } if lo < 64 => (at(value).sure >> lo) & ones(bits as u32),
        Op::Insert {
            into,
            value,
            lo,
            bits,
        } if lo < 64 => {
            let mask = ones(bits as u32) << lo;
            (at(into).sure & !mask) | ((at(value).sure << lo) & mask)
        }
        _ => 0,
    }
}

fn of(op: &Op, at: impl Fn(Id) -> Bound) -> Bound {
    match *op {
        Op::Const(value) => Bound::of_bits(value),
        Op::Bin(op, a, b) => of_bin(op, at(a), at(b)),
        Op::Select(_, a, b) => {
            let (a, b) = (at(a), at(b));
            Bound::new(a.most.max(b.most), a.bits | b.bits)
        }
        Op::Extract { value, lo, bits } => {
            let v = at(value);
            let mask = ones(bits as u32);
            Bound::new((v.most >> lo).min(mask), (v.bits >> lo) & mask)
        }
        Op::Insert {
            into,
            value,
            lo,
            bits,
        } => {
            let mask = ones(bits as u32) << lo;
            Bound::of_bits((at(into).bits & !mask) | ((at(value).bits << lo) & mask))
        }
        Op::Swap(width, _) => Bound::of_bits(width.mask()),
        Op::LowestBit(_) | Op::Ones(_) => Bound::of_most(64),
        Op::Load { width, .. } | Op::Read { width, .. } => of_width(width),
        Op::Await { .. } | Op::Loop { .. } => Bound::of_most(1),
        _ => Bound::ANY,
    }
}

fn of_width(width: Width) -> Bound {
    Bound::of_bits(width.mask())
}

fn of_bin(op: BinOp, a: Bound, b: Bound) -> Bound {
    match op {
        BinOp::Add => match a.most.checked_add(b.most) {
            Some(most) => Bound::new(most, !low_zeros(a.bits | b.bits)),
            None => Bound::of_bits(!low_zeros(a.bits | b.bits)),
        },
        // It may wrap; only what is a multiple of 2^n in both stays one.
        BinOp::Sub => Bound::of_bits(!low_zeros(a.bits | b.bits)),
        BinOp::Mul => match a.most.checked_mul(b.most) {
            Some(most) => Bound::of_most(most),
            None => Bound::ANY,
        },
        // The smallest divisor that counts is 1; a constant divisor is bounded by `divided`.
        BinOp::Div => Bound::of_most(a.most),
        BinOp::Rem => Bound::of_most(a.most.min(b.most.saturating_sub(1))),
        BinOp::And => Bound::new(a.most.min(b.most), a.bits & b.bits),
        BinOp::Or | BinOp::Xor => Bound::of_bits(a.bits | b.bits),
        BinOp::Shl => Bound::ANY,
        BinOp::Shr => Bound::of_most(a.most),
        BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le => Bound::of_most(1),
        BinOp::Min => {
            let most = a.most.min(b.most);
            Bound::new(most, a.bits | b.bits)
        }
        BinOp::Max => Bound::new(a.most.max(b.most), a.bits | b.bits),
    }
    .or_zero(op, a, b)
}

impl Bound {
    /// Products and quotients of nothing are nothing.
    fn or_zero(self, op: BinOp, a: Bound, b: Bound) -> Bound {
        let zero = match op {
            BinOp::Mul | BinOp::And => a.constant().or(b.constant()),
            BinOp::Div | BinOp::Rem | BinOp::Shl | BinOp::Shr => a.constant(),
            _ => None,
        };
        zero.map_or(self, Bound::of_bits)
    }
}

/// The zero bits below the lowest bit that may be one.
fn low_zeros(bits: u64) -> u64 {
    ones(bits.trailing_zeros())
}

/// The bound of a shift or quotient by the constant `c`.
fn by_constant(op: BinOp, a: Bound, c: u64) -> Option<Bound> {
    match op {
        BinOp::Shl if c < 64 => {
            let bits = a.bits << c;
            let most = match a.most.leading_zeros() as u64 >= c {
                true => a.most << c,
                false => bits,
            };
            Some(Bound::new(most, bits))
        }
        BinOp::Shr if c < 64 => Some(Bound::new(a.most >> c, a.bits >> c)),
        BinOp::Div if c > 0 => Some(Bound::of_most(a.most / c)),
        _ => None,
    }
}
