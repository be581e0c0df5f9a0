//! Folding: every constructor here gives a node equal to the one asked for, and the simplest it knows.

use super::{bounds::ones, Builder};
use crate::{BinOp, Id, Op, Width};

/// The arithmetic of [`BinOp`] itself.
pub(crate) fn compute(op: BinOp, a: u64, b: u64) -> u64 {
    match op {
        BinOp::Add => a.wrapping_add(b),
        BinOp::Sub => a.wrapping_sub(b),
        BinOp::Mul => a.wrapping_mul(b),
        BinOp::Div => a.checked_div(b).unwrap_or(0),
        BinOp::Rem => a.checked_rem(b).unwrap_or(0),
        BinOp::And => a & b,
        BinOp::Or => a | b,
        BinOp::Xor => a ^ b,
        BinOp::Shl if b < 64 => a << b,
        BinOp::Shr if b < 64 => a >> b,
        BinOp::Shl | BinOp::Shr => 0,
        BinOp::Eq => (a == b) as u64,
        BinOp::Ne => (a != b) as u64,
        BinOp::Lt => (a < b) as u64,
        BinOp::Le => (a <= b) as u64,
        BinOp::Min => a.min(b),
        BinOp::Max => a.max(b),
    }
}

fn commutes(op: BinOp) -> bool {
    use BinOp::*;
    matches!(op, Add | Mul | And | Or | Xor | Eq | Ne | Min | Max)
}

pub(super) fn bin(b: &mut Builder, op: BinOp, x: Id, y: Id) -> Id {
    if let (Some(cx), Some(cy)) = (b.known(x), b.known(y)) {
        return b.constant(compute(op, cx, cy));
    }
    // One order for both: a constant stands on the right, else the older node on the left.
    let turn = commutes(op) && (b.known(x).is_some() || (b.known(y).is_none() && x > y));
    let (x, y) = if turn { (y, x) } else { (x, y) };
    let simpler = match (b.known(x), b.known(y)) {
        (None, Some(c)) => with_constant(b, op, x, y, c),
        (Some(c), None) => constant_with(b, op, c, x, y),
        _ => of_two(b, op, x, y),
    };
    simpler.unwrap_or_else(|| b.pure(Op::Bin(op, x, y)))
}

/// Neither side is constant.
fn of_two(b: &mut Builder, op: BinOp, x: Id, y: Id) -> Option<Id> {
    use BinOp::*;
    if x == y {
        return match op {
            Sub | Xor | Ne | Lt => Some(b.constant(0)),
            Eq | Le => Some(b.constant(1)),
            And | Or | Min | Max => Some(x),
            _ => None,
        };
    }
    let disjoint = b.possible(x) & b.possible(y) == 0;
    match op {
        And if disjoint => Some(b.constant(0)),
        _ => None,
    }
}

/// The left side is the constant `c`; only for operations that do not commute.
fn constant_with(b: &mut Builder, op: BinOp, c: u64, x: Id, y: Id) -> Option<Id> {
    use BinOp::*;
    let most = b.most(y);
    let sure = b.sure(y);
    match op {
        Lt if sure > c => Some(b.constant(1)),
        Le if sure >= c => Some(b.constant(1)),
        Div | Rem | Shl | Shr if c == 0 => Some(x),
        Lt if c >= most => Some(b.constant(0)),
        Lt if c == 0 => {
            let zero = b.constant(0);
            Some(bin(b, Ne, y, zero))
        }
        Le if c == 0 => Some(b.constant(1)),
        Le if c > most => Some(b.constant(0)),
        Le if c == 1 => {
            let zero = b.constant(0);
            Some(bin(b, Ne, y, zero))
        }
        _ => None,
    }
}

/// The right side `y` is the constant `c`.
fn with_constant(b: &mut Builder, op: BinOp, x: Id, y: Id, c: u64) -> Option<Id> {
    use BinOp::*;
    let most = b.most(x);
    match op {
        Add | Sub | Or | Xor | Shl | Shr if c == 0 => Some(x),
        Add | Sub => offset(b, op, x, c),
        Mul | And | Min if c == 0 => Some(y),
        Mul | Div if c == 1 => Some(x),
        Div | Rem if c == 0 => Some(y),
        Rem if c == 1 => Some(b.constant(0)),
        Rem if most < c => Some(x),
        Div if most < c => Some(b.constant(0)),
        Shl | Shr if c >= 64 => Some(b.constant(0)),
        Shl if b.possible(x) << c == 0 => Some(b.constant(0)),
        Shr if b.possible(x) >> c == 0 => Some(b.constant(0)),
        Mul | And | Or | Shl | Shr => again(b, op, x, c),
        Xor => None,
        Eq | Ne | Lt | Le => compare(b, op, x, c),
        Min if most <= c => Some(x),
        Max if most <= c => Some(y),
        Max if c == 0 => Some(x),
        Min if c == u64::MAX => Some(x),
        Max if c == u64::MAX => Some(y),
        Div | Rem | Min | Max => None,
    }
}

/// `x + c` or `x - c` where `x` may itself be such a sum: one constant remains.
fn offset(b: &mut Builder, op: BinOp, x: Id, c: u64) -> Option<Id> {
    let Op::Bin(inner @ (BinOp::Add | BinOp::Sub), base, step) = *b.op(x) else {
        return None;
    };
    let step = b.known(step)?;
    if inner == op {
        let sum = b.constant(step.wrapping_add(c));
        return Some(bin(b, op, base, sum));
    }
    let (op, rest) = match step >= c {
        true => (inner, step - c),
        false => (op, c - step),
    };
    let rest = b.constant(rest);
    Some(bin(b, op, base, rest))
}

/// `(x op c1) op c` with the same operation twice, and masks that mask nothing.
fn again(b: &mut Builder, op: BinOp, x: Id, c: u64) -> Option<Id> {
    let possible = b.possible(x);
    match op {
        BinOp::And if possible & !c == 0 => return Some(x),
        BinOp::And if possible & c == 0 => return Some(b.constant(0)),
        BinOp::Or if c == u64::MAX => return Some(b.constant(c)),
        _ => {}
    }
    let Op::Bin(inner, base, first) = *b.op(x) else {
        return None;
    };
    let first = b.known(first)?;
    if inner == BinOp::Shr && op == BinOp::And && first < 64 && c & c.wrapping_add(1) == 0 {
        return Some(extract(b, base, first as u8, c.count_ones() as u8));
    }
    if inner != op {
        return None;
    }
    let both = match op {
        BinOp::Shl | BinOp::Shr => first.checked_add(c)?,
        _ => compute(op, first, c),
    };
    let both = b.constant(both);
    Some(bin(b, op, base, both))
}

/// A comparison of `x` with the constant `c` on the right.
fn compare(b: &mut Builder, op: BinOp, x: Id, c: u64) -> Option<Id> {
    use BinOp::*;
    let most = b.most(x);
    let sure = b.sure(x);
    let never = c > most || c & !b.possible(x) != 0 || sure & !c != 0;
    match op {
        Eq if never => Some(b.constant(0)),
        Ne if never => Some(b.constant(1)),
        Lt if c == 0 => Some(b.constant(0)),
        Lt if most < c => Some(b.constant(1)),
        Le if most <= c => Some(b.constant(1)),
        Lt if sure >= c => Some(b.constant(0)),
        Le if sure > c => Some(b.constant(0)),
        Lt if c == 1 => {
            let zero = b.constant(0);
            Some(bin(b, Eq, x, zero))
        }
        Le if c == 0 => {
            let zero = b.constant(0);
            Some(bin(b, Eq, x, zero))
        }
        Ne if c == 0 && most == 1 => Some(x),
        Eq if c == 1 && most == 1 => Some(x),
        Ne if c == 1 && most == 1 => Some(not(b, x)),
        Eq if c == 0 => opposite(b, x),
        _ => None,
    }
}

/// `x == 0` for an `x` that is 0 or 1.
fn not(b: &mut Builder, x: Id) -> Id {
    let zero = b.constant(0);
    bin(b, BinOp::Eq, x, zero)
}

/// The comparison that holds when the comparison `x` does not.
fn opposite(b: &mut Builder, x: Id) -> Option<Id> {
    use BinOp::*;
    let Op::Bin(op, p, q) = *b.op(x) else {
        return None;
    };
    match op {
        Eq => Some(bin(b, Ne, p, q)),
        Ne => Some(bin(b, Eq, p, q)),
        Lt => Some(bin(b, Le, q, p)),
        Le => Some(bin(b, Lt, q, p)),
        _ => None,
    }
}

pub(super) fn select(b: &mut Builder, c: Id, yes: Id, no: Id) -> Id {
    if yes == no {
        return yes;
    }
    if b.sure(c) != 0 {
        return yes;
    }
    if b.most(c) == 0 {
        return no;
    }
    if let Op::Bin(op @ (BinOp::Eq | BinOp::Ne), x, zero) = *b.op(c) {
        if b.known(zero) == Some(0) {
            return match op {
                BinOp::Ne => select(b, x, yes, no),
                _ => select(b, x, no, yes),
            };
        }
    }
    match (b.known(yes), b.known(no)) {
        (Some(1), Some(0)) => {
            let zero = b.constant(0);
            bin(b, BinOp::Ne, c, zero)
        }
        (Some(0), Some(1)) => not(b, c),
        _ => b.pure(Op::Select(c, yes, no)),
    }
}

pub(super) fn extract(b: &mut Builder, v: Id, lo: u8, bits: u8) -> Id {
    if lo >= 64 || bits == 0 {
        return b.constant(0);
    }
    let bits = bits.min(64 - lo);
    let mask = ones(bits as u32);
    if let Some(c) = b.known(v) {
        return b.constant((c >> lo) & mask);
    }
    let possible = b.possible(v) >> lo;
    if possible & mask == 0 {
        return b.constant(0);
    }
    if possible & !mask == 0 {
        let lo = b.constant(lo as u64);
        return bin(b, BinOp::Shr, v, lo);
    }
    if let Some(simpler) = extract_of(b, v, lo, bits) {
        return simpler;
    }
    if lo == 0 {
        let mask = b.constant(mask);
        return b.pure(Op::Bin(BinOp::And, v, mask));
    }
    b.pure(Op::Extract { value: v, lo, bits })
}

/// Looks through what `v` is made of.
fn extract_of(b: &mut Builder, v: Id, lo: u8, bits: u8) -> Option<Id> {
    match *b.op(v) {
        Op::Extract {
            value,
            lo: from,
            bits: had,
        } => Some(extract(
            b,
            value,
            from + lo,
            bits.min(had.saturating_sub(lo)),
        )),
        Op::Insert {
            into,
            value,
            lo: at,
            bits: put,
        } => {
            if lo + bits <= at || lo >= at + put {
                return Some(extract(b, into, lo, bits));
            }
            let inside = lo >= at && lo + bits <= at + put;
            inside.then(|| extract(b, value, lo - at, bits))
        }
        Op::Bin(BinOp::Shr, x, by) => {
            let by = b.known(by)?;
            Some(extract(b, x, lo.checked_add(by.min(64) as u8)?, bits))
        }
        Op::Bin(BinOp::And, x, mask) => {
            let mask = b.known(mask)? >> lo & ones(bits as u32);
            (mask == ones(bits as u32)).then(|| extract(b, x, lo, bits))
        }
        _ => None,
    }
}

pub(super) fn insert(b: &mut Builder, into: Id, v: Id, lo: u8, bits: u8) -> Id {
    if lo >= 64 || bits == 0 {
        return into;
    }
    let bits = bits.min(64 - lo);
    let mask = ones(bits as u32);
    if bits == 64 {
        return v;
    }
    let v = low_part(b, v, mask);
    if let Some(c) = b.known(v) {
        return insert_constant(b, into, mask << lo, (c & mask) << lo);
    }
    match *b.op(into) {
        Op::Const(0) => {
            let mask = b.constant(mask);
            let part = bin(b, BinOp::And, v, mask);
            let lo = b.constant(lo as u64);
            bin(b, BinOp::Shl, part, lo)
        }
        Op::Insert {
            into: under,
            lo: at,
            bits: put,
            ..
        } if at == lo && put == bits => insert(b, under, v, lo, bits),
        _ if *b.op(v)
            == (Op::Extract {
                value: into,
                lo,
                bits,
            }) =>
        {
            into
        }
        _ => b.pure(Op::Insert {
            into,
            value: v,
            lo,
            bits,
        }),
    }
}

fn insert_constant(b: &mut Builder, into: Id, field: u64, value: u64) -> Id {
    let keep = b.constant(!field);
    let kept = match value == field {
        true => into,
        false => bin(b, BinOp::And, into, keep),
    };
    let value = b.constant(value);
    bin(b, BinOp::Or, kept, value)
}

/// `v` without a mask that keeps all of `mask`: only those bits of it matter.
fn low_part(b: &Builder, v: Id, mask: u64) -> Id {
    match *b.op(v) {
        Op::Bin(BinOp::And, x, c) if b.known(c).is_some_and(|c| c & mask == mask) => x,
        _ => v,
    }
}

pub(super) fn swap(b: &mut Builder, width: Width, v: Id) -> Id {
    if width == Width::B8 {
        return extract(b, v, 0, 8);
    }
    let v = low_part(b, v, width.mask());
    if let Some(c) = b.known(v) {
        return b.constant(swapped(width, c));
    }
    match *b.op(v) {
        Op::Swap(inner, x) if inner == width => extract(b, x, 0, width.bits() as u8),
        _ => b.pure(Op::Swap(width, v)),
    }
}

/// The low `width` bytes of `value` in opposite order.
pub(crate) fn swapped(width: Width, value: u64) -> u64 {
    value.swap_bytes() >> (64 - width.bits())
}
