//! Pure nodes as Forth: operands first.
//!
//! Every text leaves one cell. A comparison leaves a flag, 0 or all ones; where its value is wanted, `1 and` follows.

use super::expression::{Text, Texts};
use crate::{BinOp, Id, Late, Op};
use alloc::{format, string::String};

impl Texts<'_> {
    pub(super) fn postfix(&mut self, op: &Op) -> Text {
        match *op {
            Op::Const(value) => Text::atom(number(value)),
            Op::Arg(n) => Text::atom(format!("a{n}")),
            Op::Late(Late::ArenaDma) => Text::atom("arena-dma".into()),
            Op::Late(Late::PoolDma) => Text::atom("pool-dma".into()),
            Op::Late(Late::Lane) => Text::atom("lane".into()),
            Op::Bin(op, a, b) => self.postfix_bin(op, a, b),
            Op::Select(c, a, b) => {
                let (c, a, b) = (self.condition(c), self.whole(a), self.whole(b));
                Text::word(format!("{c} if {a} else {b} then"))
            }
            Op::Extract { value, lo, bits } => {
                let (value, mask) = (self.whole(value), number(u64::MAX >> (64 - bits as u32)));
                Text::word(match lo {
                    0 => format!("{value} {mask} and"),
                    lo => format!("{value} {} rshift {mask} and", number(lo.into())),
                })
            }
            Op::Insert {
                into,
                value,
                lo,
                bits,
            } => {
                let (into, value) = (self.whole(into), self.whole(value));
                let (lo, bits) = (number(lo.into()), number(bits.into()));
                Text::word(format!("{into} {value} {lo} {bits} put-bits"))
            }
            Op::Swap(crate::Width::B8, a) => Text::word(format!("{} $ff and", self.whole(a))),
            Op::Swap(width, a) => Text::word(format!("{} swap{}", self.whole(a), width.bits())),
            Op::LowestBit(a) => Text::word(format!("{} lowest-bit", self.whole(a))),
            Op::Ones(a) => Text::word(format!("{} ones", self.whole(a))),
            _ => Text::atom(String::new()),
        }
    }

    fn postfix_bin(&mut self, op: BinOp, a: Id, b: Id) -> Text {
        if self.graph.nodes[b as usize] == Op::Const(0) {
            match op {
                BinOp::Eq => return Text::truth(format!("{} 0=", self.condition(a))),
                BinOp::Ne => return Text::truth(format!("{} 0<>", self.condition(a))),
                _ => {}
            }
        }
        let far = self.most[b as usize] > 63;
        let word = match op {
            BinOp::Add => "+",
            BinOp::Sub => "-",
            BinOp::Mul => "*",
            BinOp::Div => "u/",
            BinOp::Rem => "umod",
            BinOp::And => "and",
            BinOp::Or => "or",
            BinOp::Xor => "xor",
            BinOp::Shl if far => "shl",
            BinOp::Shl => "lshift",
            BinOp::Shr if far => "shr",
            BinOp::Shr => "rshift",
            BinOp::Eq => "=",
            BinOp::Ne => "<>",
            BinOp::Lt => "u<",
            BinOp::Le => "u<=",
            BinOp::Min => "umin",
            BinOp::Max => "umax",
        };
        let text = format!("{} {} {word}", self.whole(a), self.whole(b));
        match op {
            BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le => Text::truth(text),
            _ => Text::word(text),
        }
    }
}

/// Small numbers in tens, the others in sixteens, all ones as -1.
pub(super) fn number(value: u64) -> String {
    match value {
        0..=9 => format!("{value}"),
        u64::MAX => "-1".into(),
        _ => format!("${value:x}"),
    }
}
