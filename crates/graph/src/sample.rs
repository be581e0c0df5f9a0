//! Residuals made from a seed, for tests: every kind of node and every kind of control, in a form that always ends.

use crate::{
    BinOp, Builder, Fence, Id, Late, Op, RegionId, Residual, Space, Width, Window, WindowKind,
};
use alloc::{format, string::ToString, vec, vec::Vec};

/// Bytes of each memory window of a sample.
pub const WINDOW: u64 = 256;
/// Bytes of state, arena and pool of a sample.
pub const SPACE: u64 = 128;
/// Arguments of its entries.
pub const ARGUMENTS: u8 = 3;
/// Upcalls that it knows.
pub const UPCALLS: usize = 3;

/// A small, good-enough generator of numbers (Marsaglia, xorshift64*).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        dice.word();
        dice
    }

    pub fn word(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        (self.word() >> 16) % n
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    /// Mostly small, sometimes a power of two or all ones, sometimes anything.
    pub fn number(&mut self) -> u64 {
        match self.below(6) {
            0..=2 => self.below(70),
            3 => 1 << self.below(64),
            4 => u64::MAX >> self.below(64),
            _ => self.word(),
        }
    }
}

pub(crate) const OPS: [BinOp; 16] = [
    BinOp::Add,
    BinOp::Sub,
    BinOp::Mul,
    BinOp::Div,
    BinOp::Rem,
    BinOp::And,
    BinOp::Or,
    BinOp::Xor,
    BinOp::Shl,
    BinOp::Shr,
    BinOp::Eq,
    BinOp::Ne,
    BinOp::Lt,
    BinOp::Le,
    BinOp::Min,
    BinOp::Max,
];
const WIDTHS: [Width; 4] = [Width::B8, Width::B16, Width::B32, Width::B64];

/// The sample of this seed: two entries, two memory windows.
pub fn residual(seed: u64) -> Residual {
    let mut maker = Maker {
        dice: Dice::new(seed),
        b: Builder::new(),
        seen: Vec::new(),
        locals: 0,
        inside: 0,
        room: 0,
    };
    for name in ["first", "second.then"] {
        maker.entry(name);
    }
    let (graph, entries) = maker.b.into_parts();
    let window = |name: &str| Window {
        name: name.to_string(),
        kind: WindowKind::Memory,
        base: 0,
        size: WINDOW,
    };
    Residual {
        graph,
        entries,
        windows: vec![window("registers"), window("queue notify")],
        state_size: SPACE as u32,
        arena_size: SPACE as u32,
        arena_align: 64,
        upcalls: (0..UPCALLS).map(|n| format!("up {n}")).collect(),
        failures: vec!["broken".to_string()],
    }
}

struct Maker {
    dice: Dice,
    b: Builder,
    /// Values that may be used here.
    seen: Vec<Id>,
    locals: u16,
    /// Blocks and loops around.
    inside: u8,
    /// Steps that may still be made.
    room: u32,
}

impl Maker {
    fn entry(&mut self, name: &str) {
        self.seen.clear();
        self.room = 40;
        self.b.open();
        self.locals = 1 + self.dice.below(4) as u16;
        for _ in 0..self.locals {
            self.b.new_local();
        }
        for n in 0..ARGUMENTS {
            let arg = self.b.arg(n);
            self.seen.push(arg);
        }
        self.steps(12, 0);
        let status = self.value();
        self.b.step(Op::Return(status));
        self.b.close();
        self.b.finish_entry(name, ARGUMENTS, self.locals);
    }

    fn region(&mut self, depth: u32, value: bool) -> (RegionId, Id) {
        self.b.open();
        let before = self.seen.len();
        let most = 1 + self.dice.below(4) as u32;
        self.steps(most, depth + 1);
        if self.dice.below(10) == 0 {
            // Nothing falls out of this region.
            let last = self.last();
            self.b.step(last);
        }
        let value = if value { self.value() } else { 0 };
        self.seen.truncate(before);
        (self.b.close(), value)
    }

    fn steps(&mut self, most: u32, depth: u32) {
        for _ in 0..most {
            if self.room == 0 {
                return;
            }
            self.room -= 1;
            self.step(depth);
        }
    }

    fn step(&mut self, depth: u32) {
        let op = match self.dice.below(if depth < 4 { 22 } else { 14 }) {
            0 | 1 => self.load(),
            2 | 3 => self.store(),
            4 | 5 => self.read(),
            6 | 7 => self.write(),
            8 => Op::Local(self.dice.below(self.locals as u64) as u16),
            9 | 10 => {
                let value = self.value();
                Op::SetLocal(self.dice.below(self.locals as u64) as u16, value)
            }
            11 => self.up(),
            12 => Op::Result(self.dice.below(4) as u8, self.value()),
            13 => self.rare(),
            14 | 15 => {
                let cond = self.value();
                let yes = self.region(depth, false).0;
                let no = self.region(depth, false).0;
                Op::If { cond, yes, no }
            }
            16 | 17 => self.leaving(depth),
            18 | 19 => self.looping(depth),
            20 => {
                self.inside += 1;
                let body = self.region(depth, false).0;
                self.inside -= 1;
                Op::Block(body)
            }
            _ => {
                let ns = self.dice.below(600);
                let ns = self.b.constant(ns);
                let (cond, value) = self.region(depth, true);
                Op::Await { cond, value, ns }
            }
        };
        let value = op.gives_value();
        let id = self.b.step(op);
        if value {
            self.seen.push(id);
        }
    }

    fn looping(&mut self, depth: u32) -> Op {
        let most = match self.dice.below(2) {
            0 => {
                let most = self.dice.below(4);
                self.b.constant(most)
            }
            _ => {
                let (value, three) = (self.value(), self.b.constant(3));
                self.b.bin(BinOp::And, value, three)
            }
        };
        self.inside += 1;
        let body = self.region(depth, false).0;
        self.inside -= 1;
        Op::Loop { most, body }
    }

    /// A condition whose one side leaves or returns.
    fn leaving(&mut self, depth: u32) -> Op {
        let cond = self.value();
        self.b.open();
        let before = self.seen.len();
        self.steps(2, depth + 1);
        let last = self.last();
        self.b.step(last);
        self.seen.truncate(before);
        let yes = self.b.close();
        self.b.open();
        let no = self.b.close();
        match self.dice.below(2) {
            0 => Op::If { cond, yes, no },
            _ => Op::If {
                cond,
                yes: no,
                no: yes,
            },
        }
    }

    /// Leaves something, or returns.
    fn last(&mut self) -> Op {
        match self.inside {
            0 => Op::Return(self.value()),
            n => match self.dice.below(4) {
                0 => Op::Return(self.value()),
                _ => Op::Leave(self.dice.below(n as u64) as u8),
            },
        }
    }

    fn up(&mut self) -> Op {
        let count = self.dice.below(5);
        let args = (0..count).map(|_| self.value()).collect();
        Op::Up {
            which: self.dice.below(UPCALLS as u64) as u8,
            args,
        }
    }

    fn rare(&mut self) -> Op {
        match self.dice.below(4) {
            0 => Op::Clock,
            1 => Op::Pause(self.value()),
            _ => Op::Fence(self.dice.of(&[Fence::Publish, Fence::Acquire, Fence::Full])),
        }
    }

    /// An offset so that the access stays below `size`.
    fn at(&mut self, size: u64, width: Width) -> Id {
        let last = size - width.bytes() as u64;
        match self.dice.below(3) {
            0 => {
                let value = self.value();
                let mask = self.b.constant((size - 1) & !7);
                self.b.bin(BinOp::And, value, mask)
            }
            // Few places, so that accesses meet.
            1 => {
                let at = self.dice.below(2) * 8;
                self.b.constant(at)
            }
            _ => {
                let at = self.dice.below(last + 1);
                self.b.constant(at)
            }
        }
    }

    fn space(&mut self) -> Space {
        self.dice.of(&[Space::State, Space::Arena, Space::Pool])
    }

    fn load(&mut self) -> Op {
        let (space, width) = (self.space(), self.dice.of(&WIDTHS));
        let at = self.at(SPACE, width);
        Op::Load { space, at, width }
    }

    fn store(&mut self) -> Op {
        let (space, width) = (self.space(), self.dice.of(&WIDTHS));
        let (at, value) = (self.at(SPACE, width), self.value());
        Op::Store {
            space,
            at,
            width,
            value,
        }
    }

    fn read(&mut self) -> Op {
        let (window, width) = (self.dice.below(2) as u8, self.dice.of(&WIDTHS));
        let at = self.at(WINDOW, width);
        Op::Read { window, at, width }
    }

    fn write(&mut self) -> Op {
        let (window, width) = (self.dice.below(2) as u8, self.dice.of(&WIDTHS));
        let (at, value) = (self.at(WINDOW, width), self.value());
        Op::Write {
            window,
            at,
            width,
            value,
        }
    }

    /// Something seen, something new, or an expression of both.
    fn value(&mut self) -> Id {
        let mut id = self.leaf();
        for _ in 0..self.dice.below(3) {
            id = self.around(id);
        }
        id
    }

    fn leaf(&mut self) -> Id {
        match self.dice.below(8) {
            0 | 1 => {
                let number = self.dice.number();
                self.b.constant(number)
            }
            2 => {
                let late = self.dice.of(&[Late::ArenaDma, Late::PoolDma, Late::Lane]);
                self.b.late(late)
            }
            _ => self.dice.of(&self.seen.clone()),
        }
    }

    fn around(&mut self, id: Id) -> Id {
        let other = self.leaf();
        match self.dice.below(12) {
            0 => {
                let third = self.leaf();
                self.b.select(id, other, third)
            }
            1 | 2 => {
                let (lo, bits) = self.field();
                self.b.extract(id, lo, bits)
            }
            3 => {
                let (lo, bits) = self.field();
                self.b.insert(id, other, lo, bits)
            }
            4 => {
                let width = self.dice.of(&WIDTHS);
                self.b.swap(width, id)
            }
            5 => self.b.lowest_bit(id),
            6 => self.b.ones(id),
            _ => {
                let op = self.dice.of(&OPS);
                match self.dice.below(2) {
                    0 => self.b.bin(op, id, other),
                    _ => self.b.bin(op, other, id),
                }
            }
        }
    }

    fn field(&mut self) -> (u8, u8) {
        let lo = self.dice.below(64);
        let bits = 1 + self.dice.below(64 - lo);
        (lo as u8, bits as u8)
    }
}
