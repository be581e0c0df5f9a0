use super::*;
use crate::Space;

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
