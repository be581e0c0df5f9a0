use super::*;
use crate::Space;
use alloc::vec;

fn read(b: &mut Builder, width: Width) -> Id {
    let at = b.constant(0);
    b.step(Op::Load {
        space: Space::Arena,
        at,
        width,
    })
}

#[test]
fn constants_fold() {
    let mut b = Builder::new();
    let (six, seven) = (b.constant(6), b.constant(7));
    let product = b.bin(BinOp::Mul, six, seven);
    assert_eq!(b.known(product), Some(42));
    let zero = b.constant(0);
    let nothing = b.bin(BinOp::Div, six, zero);
    assert_eq!(b.known(nothing), Some(0));
    let far = b.constant(64);
    let shifted = b.bin(BinOp::Shl, six, far);
    assert_eq!(b.known(shifted), Some(0));
    let v = b.constant(0x1234_5678);
    let s = b.swap(Width::B32, v);
    assert_eq!(b.known(s), Some(0x7856_3412));
}

#[test]
fn equal_nodes_are_one() {
    let mut b = Builder::new();
    let (x, y) = (b.arg(0), b.arg(1));
    assert_eq!(b.bin(BinOp::Add, x, y), b.bin(BinOp::Add, y, x));
    assert_ne!(b.bin(BinOp::Sub, x, y), b.bin(BinOp::Sub, y, x));
    assert_eq!(b.late(Late::PoolDma), b.late(Late::PoolDma));
}

#[test]
fn effects_are_never_shared() {
    let mut b = Builder::new();
    b.open();
    let first = read(&mut b, Width::B8);
    let second = read(&mut b, Width::B8);
    assert_ne!(first, second);
}

#[test]
fn masks_that_mask_nothing_vanish() {
    let mut b = Builder::new();
    b.open();
    let v = read(&mut b, Width::B8);
    let ff = b.constant(0xff);
    assert_eq!(b.bin(BinOp::And, v, ff), v);
    assert_eq!(b.extract(v, 0, 8), v);
    let top = b.extract(v, 8, 8);
    assert_eq!(b.known(top), Some(0));
    let large = b.constant(256);
    let less = b.bin(BinOp::Lt, v, large);
    assert_eq!(b.known(less), Some(1));
    assert_eq!(b.bin(BinOp::Rem, v, large), v);
    let shift = b.constant(4);
    let moved = b.bin(BinOp::Shl, v, shift);
    assert_eq!((b.most(moved), b.possible(moved)), (0xff0, 0xff0));
    let low = b.extract(moved, 0, 4);
    assert_eq!(b.known(low), Some(0));
}

#[test]
fn fields_written_and_read_back() {
    let mut b = Builder::new();
    let (x, y, z) = (b.arg(0), b.arg(1), b.arg(2));
    let w = b.insert(x, y, 8, 4);
    let back = b.extract(w, 8, 4);
    assert_eq!(back, b.extract(y, 0, 4));
    assert_eq!(b.extract(w, 16, 8), b.extract(x, 16, 8));
    let twice = b.insert(w, z, 8, 4);
    assert_eq!(twice, b.insert(x, z, 8, 4));
    let f = b.extract(x, 8, 4);
    assert_eq!(b.insert(x, f, 8, 4), x);
    let inner = b.extract(x, 8, 16);
    assert_eq!(b.extract(inner, 4, 4), b.extract(x, 12, 4));
}

#[test]
fn sums_keep_one_constant() {
    let mut b = Builder::new();
    let x = b.arg(0);
    let (three, five) = (b.constant(3), b.constant(5));
    let up = b.bin(BinOp::Add, x, five);
    let down = b.bin(BinOp::Sub, up, three);
    let two = b.constant(2);
    assert_eq!(down, b.bin(BinOp::Add, x, two));
    assert_eq!(b.bin(BinOp::Sub, up, five), x);
}

#[test]
fn conditions_turn_round() {
    let mut b = Builder::new();
    let (x, y, zero) = (b.arg(0), b.arg(1), b.constant(0));
    let less = b.bin(BinOp::Lt, x, y);
    let not = b.bin(BinOp::Eq, less, zero);
    assert_eq!(not, b.bin(BinOp::Le, y, x));
    let one = b.constant(1);
    assert_eq!(b.select(less, one, zero), less);
    assert_eq!(b.select(less, zero, one), not);
    let once = b.swap(Width::B16, x);
    let twice = b.swap(Width::B16, once);
    assert_eq!(twice, b.extract(x, 0, 16));
}

#[test]
fn entries_and_their_locals() {
    let mut b = Builder::new();
    for name in ["first", "second"] {
        b.open();
        let l = b.new_local();
        assert_eq!(l, 0);
        let one = b.constant(1);
        b.step(Op::SetLocal(l, one));
        b.open();
        let yes = b.close();
        b.open();
        let no = b.close();
        b.step(Op::If { cond: one, yes, no });
        b.close();
        b.finish_entry(name, 0, 0);
    }
    let (graph, entries) = b.into_parts();
    assert_eq!(graph.regions.len(), 6);
    assert_eq!(entries[1].locals, 1);
    assert_eq!(entries[1].body, 5);
}

/// Expressions built with folding give what the plain arithmetic gives.
#[test]
fn folding_changes_no_value() {
    let mut folded = 0;
    for seed in 0..3000 {
        let mut dice = crate::sample::Dice::new(seed);
        let args: Vec<[u64; 3]> = (0..4)
            .map(|_| [dice.number(), dice.number(), dice.number()])
            .collect();
        let mut b = Builder::new();
        // Each node with the values that it must have for each set of arguments.
        let mut all: Vec<(Id, Vec<u64>)> = Vec::new();
        for n in 0..3 {
            let id = b.arg(n as u8);
            all.push((id, args.iter().map(|a| a[n]).collect()));
        }
        for _ in 0..12 {
            let next = random(&mut b, &mut dice, &all);
            folded += b.known(next.0).is_some() as u32;
            for (k, value) in next.1.iter().enumerate() {
                assert!(
                    *value <= b.most(next.0),
                    "seed {seed}, node {}, {k}",
                    next.0
                );
                assert_eq!(
                    value & !b.possible(next.0),
                    0,
                    "seed {seed}, node {}",
                    next.0
                );
                assert_eq!(!value & b.sure(next.0), 0, "seed {seed}, node {}", next.0);
            }
            all.push(next);
        }
        let (last, values) = all.last().cloned().unwrap();
        b.open();
        b.step(Op::Return(last));
        b.close();
        b.finish_entry("one", 3, 0);
        let (graph, entries) = b.into_parts();
        let residual = crate::Residual {
            graph,
            entries,
            ..Default::default()
        };
        for (args, value) in args.iter().zip(values) {
            let outcome = crate::interpret::run(&residual, 0, args, &mut Nobody);
            assert_eq!(
                (outcome.fault, outcome.status),
                (None, value),
                "seed {seed}"
            );
        }
    }
    assert!(folded > 1000, "{folded}");
}

fn random(
    b: &mut Builder,
    dice: &mut crate::sample::Dice,
    all: &[(Id, Vec<u64>)],
) -> (Id, Vec<u64>) {
    let pick = |b: &mut Builder, dice: &mut crate::sample::Dice| match dice.below(3) {
        0 => {
            let value = dice.number();
            (b.constant(value), vec![value; 4])
        }
        _ => all[dice.below(all.len() as u64) as usize].clone(),
    };
    let (x, y, z) = (pick(b, dice), pick(b, dice), pick(b, dice));
    let lo = dice.below(64) as u8;
    let bits = 1 + dice.below(64 - lo as u64) as u8;
    let mask = bounds::ones(bits as u32);
    let op = crate::sample::OPS[dice.below(16) as usize];
    let width = [Width::B8, Width::B16, Width::B32, Width::B64][dice.below(4) as usize];
    let map = |f: &dyn Fn(usize) -> u64| (0..4).map(f).collect::<Vec<u64>>();
    match dice.below(10) {
        0 => {
            let v = map(&|k| if x.1[k] != 0 { y.1[k] } else { z.1[k] });
            (b.select(x.0, y.0, z.0), v)
        }
        1 | 2 => (b.extract(x.0, lo, bits), map(&|k| (x.1[k] >> lo) & mask)),
        3 | 4 => {
            let v = map(&|k| (x.1[k] & !(mask << lo)) | ((y.1[k] & mask) << lo));
            (b.insert(x.0, y.0, lo, bits), v)
        }
        5 => (b.swap(width, x.0), map(&|k| fold::swapped(width, x.1[k]))),
        6 => (b.ones(x.0), map(&|k| x.1[k].count_ones() as u64)),
        _ => (
            b.bin(op, x.0, y.0),
            map(&|k| fold::compute(op, x.1[k], y.1[k])),
        ),
    }
}

/// Pure expressions touch nothing.
struct Nobody;

impl crate::Access for Nobody {
    fn read(&mut self, _: u8, _: u64, _: Width) -> u64 {
        unreachable!()
    }
    fn write(&mut self, _: u8, _: u64, _: Width, _: u64) {
        unreachable!()
    }
    fn load(&mut self, _: Space, _: u64, _: Width) -> u64 {
        unreachable!()
    }
    fn store(&mut self, _: Space, _: u64, _: Width, _: u64) {
        unreachable!()
    }
    fn fence(&mut self, _: crate::Fence) {
        unreachable!()
    }
    fn late(&mut self, _: Late) -> u64 {
        unreachable!()
    }
    fn clock(&mut self) -> u64 {
        unreachable!()
    }
    fn pause(&mut self, _: u64) {
        unreachable!()
    }
    fn up(&mut self, _: u8, _: &[u64]) -> u64 {
        unreachable!()
    }
    fn firmware(&mut self, _: crate::Conduit, _: [u64; 4]) -> u64 {
        unreachable!()
    }
}
