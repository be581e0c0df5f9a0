//! Pure nodes. Only integer instructions of general registers: whoever runs the code need not save others.

use crate::{function::Body, Error};
use abi::context::offset;
use alloc::format;
use cranelift_codegen::ir::{
    condcodes::IntCC,
    types::{I16, I32, I64},
    InstBuilder, MemFlagsData, Value,
};
use graph::{traverse::Pure, BinOp, Id, Late, Op, Width};

impl Pure for Body<'_> {
    type Error = Error;

    fn done(&self, id: Id) -> bool {
        self.values.get(id as usize).is_some_and(Option::is_some)
    }

    fn visit(&mut self, id: Id, op: &Op) -> Result<(), Error> {
        let value = match *op {
            Op::Const(value) => self.constant(value),
            Op::Arg(n) => self.arguments[n as usize],
            Op::Bin(op, a, b) => self.bin(op, a, b)?,
            Op::Select(c, a, b) => {
                let (c, a, b) = (self.condition(c)?, self.value(a)?, self.value(b)?);
                self.builder.ins().select(c, a, b)
            }
            Op::Extract { value, lo, bits } => {
                let value = self.value(value)?;
                self.field(value, lo, bits)
            }
            Op::Insert {
                into,
                value,
                lo,
                bits,
            } => self.insert(into, value, lo, bits)?,
            Op::Swap(width, a) => {
                let a = self.value(a)?;
                self.swap(width, a)
            }
            Op::LowestBit(a) => {
                let a = self.value(a)?;
                self.builder.ins().ctz(a)
            }
            Op::Ones(a) => {
                let a = self.value(a)?;
                self.ones(a)
            }
            Op::Late(Late::ArenaDma) => self.fixed(offset::ARENA_DMA),
            Op::Late(Late::PoolDma) => self.fixed(offset::POOL_DMA),
            Op::Late(Late::Lane) => self.fixed(offset::LANE),
            _ => return Err(Error::Invalid(format!("step {id} is not known here"))),
        };
        self.set(id, value);
        Ok(())
    }
}

fn condition_code(op: BinOp) -> Option<IntCC> {
    match op {
        BinOp::Eq => Some(IntCC::Equal),
        BinOp::Ne => Some(IntCC::NotEqual),
        BinOp::Lt => Some(IntCC::UnsignedLessThan),
        BinOp::Le => Some(IntCC::UnsignedLessThanOrEqual),
        _ => None,
    }
}

impl Body<'_> {
    /// A word of the context that stays the same for a whole activation: the compiler may load it once.
    pub(crate) fn fixed(&mut self, at: i32) -> Value {
        let flags = MemFlagsData::trusted().with_readonly().with_can_move();
        self.builder.ins().load(I64, flags, self.context, at)
    }

    /// A value that is only tested for zero; a comparison need not become 0 or 1 first.
    pub(crate) fn condition(&mut self, id: Id) -> Result<Value, Error> {
        if let Op::Bin(op, a, b) = self.graph().nodes[id as usize] {
            if let Some(code) = condition_code(op) {
                let (a, b) = (self.value(a)?, self.value(b)?);
                return Ok(self.builder.ins().icmp(code, a, b));
            }
        }
        self.value(id)
    }

    fn bin(&mut self, op: BinOp, x: Id, y: Id) -> Result<Value, Error> {
        let (a, b) = (self.value(x)?, self.value(y)?);
        if let Some(code) = condition_code(op) {
            let holds = self.builder.ins().icmp(code, a, b);
            return Ok(self.builder.ins().uextend(I64, holds));
        }
        let ins = self.builder.ins();
        Ok(match op {
            BinOp::Add => ins.iadd(a, b),
            BinOp::Sub => ins.isub(a, b),
            BinOp::Mul => ins.imul(a, b),
            BinOp::And => ins.band(a, b),
            BinOp::Or => ins.bor(a, b),
            BinOp::Xor => ins.bxor(a, b),
            BinOp::Div | BinOp::Rem => self.divide(op, y, a, b),
            BinOp::Shl | BinOp::Shr => self.shift(op, y, a, b),
            BinOp::Min | BinOp::Max => {
                let less = ins.icmp(IntCC::UnsignedLessThan, a, b);
                let (low, high) = if op == BinOp::Min { (a, b) } else { (b, a) };
                self.builder.ins().select(less, low, high)
            }
            BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le => a,
        })
    }

    /// By zero the result is zero, on every target.
    fn divide(&mut self, op: BinOp, divisor: Id, a: Value, b: Value) -> Value {
        let known = self.known(divisor);
        let zero = self.constant(0);
        if known == Some(0) {
            return zero;
        }
        let one = self.constant(1);
        let by = match known {
            Some(_) => b,
            None => self.builder.ins().select(b, b, one),
        };
        let result = match op {
            BinOp::Div => self.builder.ins().udiv(a, by),
            _ => self.builder.ins().urem(a, by),
        };
        match known {
            Some(_) => result,
            None => self.builder.ins().select(b, result, zero),
        }
    }

    /// By 64 and more the result is zero; the instructions themselves take the amount modulo 64.
    fn shift(&mut self, op: BinOp, amount: Id, a: Value, b: Value) -> Value {
        let shifted = match op {
            BinOp::Shl => self.builder.ins().ishl(a, b),
            _ => self.builder.ins().ushr(a, b),
        };
        if self.most[amount as usize] < 64 {
            return shifted;
        }
        let zero = self.constant(0);
        let inside = self
            .builder
            .ins()
            .icmp_imm_u(IntCC::UnsignedLessThan, b, 64);
        self.builder.ins().select(inside, shifted, zero)
    }

    fn field(&mut self, value: Value, lo: u8, bits: u8) -> Value {
        let shifted = match lo {
            0 => value,
            _ => self.builder.ins().ushr_imm_u(value, lo as i64),
        };
        match lo + bits {
            64.. => shifted,
            _ => {
                let mask = self.constant(mask(bits));
                self.builder.ins().band(shifted, mask)
            }
        }
    }

    fn insert(&mut self, into: Id, value: Id, lo: u8, bits: u8) -> Result<Value, Error> {
        let (under, over) = (self.value(into)?, self.value(value)?);
        let over = match self.most[value as usize] <= mask(bits) {
            true => over,
            false => self.field(over, 0, bits),
        };
        let over = match lo {
            0 => over,
            _ => self.builder.ins().ishl_imm_u(over, lo as i64),
        };
        let keep = self.constant(!(mask(bits) << lo));
        let kept = self.builder.ins().band(under, keep);
        Ok(self.builder.ins().bor(kept, over))
    }

    fn swap(&mut self, width: Width, value: Value) -> Value {
        let narrow = match width {
            Width::B8 => return self.field(value, 0, 8),
            Width::B64 => return self.builder.ins().bswap(value),
            Width::B16 => I16,
            Width::B32 => I32,
        };
        let value = self.builder.ins().ireduce(narrow, value);
        let value = self.builder.ins().bswap(value);
        self.builder.ins().uextend(I64, value)
    }

    /// Counted by halves (Hacker's Delight 5-1): the instruction for it is no base level on one target and wants
    /// vector registers on the other.
    fn ones(&mut self, value: Value) -> Value {
        let pairs = 0x5555_5555_5555_5555;
        let fours = 0x3333_3333_3333_3333;
        let odd = self.masked(value, 1, pairs);
        let by_two = self.builder.ins().isub(value, odd);
        let low = self.masked(by_two, 0, fours);
        let high = self.masked(by_two, 2, fours);
        let by_four = self.builder.ins().iadd(low, high);
        let moved = self.builder.ins().ushr_imm_u(by_four, 4);
        let sum = self.builder.ins().iadd(by_four, moved);
        let by_eight = self.masked(sum, 0, 0x0f0f_0f0f_0f0f_0f0f);
        let each = self.constant(0x0101_0101_0101_0101);
        let total = self.builder.ins().imul(by_eight, each);
        self.builder.ins().ushr_imm_u(total, 56)
    }

    fn masked(&mut self, value: Value, lo: u8, mask: u64) -> Value {
        let shifted = match lo {
            0 => value,
            _ => self.builder.ins().ushr_imm_u(value, lo as i64),
        };
        let mask = self.constant(mask);
        self.builder.ins().band(shifted, mask)
    }
}

fn mask(bits: u8) -> u64 {
    u64::MAX >> (64 - bits as u32)
}
