//! Hashes: what changes them and what does not.

use graph::{hash, sample, BinOp, Builder, Op, Residual, Space, Width};

fn hash_of(residual: &Residual) -> [u8; 32] {
    hash::of(residual).unwrap().residual
}

#[test]
fn names_do_not_matter() {
    for seed in 0..30 {
        let mut residual = sample::residual(seed);
        let before = hash_of(&residual);
        assert_eq!(before, hash_of(&residual));
        for entry in &mut residual.entries {
            entry.name.push_str(" renamed");
        }
        residual.windows[0].name = "other".into();
        residual.windows[1].base = 0xfee0_0000;
        residual.upcalls[0] = "another".into();
        residual.failures[0] = "other".into();
        assert_eq!(before, hash_of(&residual), "seed {seed}");
    }
}

/// Numbers are no part of a shape; everything else is.
#[test]
fn a_shape_is_all_but_the_numbers() {
    let (mut numbers, mut others) = (0, 0);
    for seed in 0..30 {
        let mut residual = sample::residual(seed);
        residual.prune();
        let (before, whole) = (hash::shape(&residual).unwrap(), hash_of(&residual));
        assert_ne!(before, whole);
        for id in 0..residual.graph.nodes.len() {
            let op = residual.graph.nodes[id].clone();
            let Some(other) = varied(&op) else { continue };
            let number = matches!(op, Op::Const(_));
            residual.graph.nodes[id] = other;
            if residual.validate().is_ok() {
                let same = hash::shape(&residual).unwrap() == before;
                assert_eq!(same, number, "seed {seed}: {op:?}");
                *(if number { &mut numbers } else { &mut others }) += 1;
            }
            residual.graph.nodes[id] = op;
        }
        residual.windows[0].size += 1;
        residual.arena_size += 4096;
        assert_eq!(hash::shape(&residual).unwrap(), before);
    }
    assert!(numbers > 100 && others > 250, "{numbers}, {others}");
}

#[test]
fn pruning_and_numbers_do_not_matter() {
    let mut smaller = 0;
    for seed in 0..30 {
        let mut residual = sample::residual(seed);
        residual.prune();
        residual.validate().unwrap();
        let before = hash_of(&residual);
        let count = residual.graph.nodes.len();
        // A node that nobody uses, in front of all others.
        residual.graph.nodes.insert(0, Op::Const(seed));
        for op in &mut residual.graph.nodes {
            op.operands_mut(|id| *id += 1);
        }
        for region in &mut residual.graph.regions {
            region.steps.iter_mut().for_each(|id| *id += 1);
        }
        residual.validate().unwrap();
        assert_eq!(before, hash_of(&residual), "seed {seed}");
        residual.prune();
        assert_eq!(residual.graph.nodes.len(), count);
        smaller += (count < sample::residual(seed).graph.nodes.len()) as u32;
    }
    assert!(
        smaller > 15,
        "pruning found something to drop in {smaller} of 30"
    );
}

/// Every immediate of every reached node, changed by itself, changes the hash.
#[test]
fn every_immediate_matters() {
    let mut changed = 0;
    for seed in 0..8 {
        let mut residual = sample::residual(seed);
        residual.prune();
        let before = hash_of(&residual);
        for id in 0..residual.graph.nodes.len() {
            let op = residual.graph.nodes[id].clone();
            let Some(other) = varied(&op) else { continue };
            residual.graph.nodes[id] = other;
            if residual.validate().is_ok() {
                changed += 1;
                assert_ne!(before, hash_of(&residual), "seed {seed}: {op:?}");
            }
            residual.graph.nodes[id] = op;
        }
        residual.state_size += 1;
        assert_ne!(before, hash_of(&residual));
    }
    assert!(changed > 250, "{changed}");
}

fn varied(op: &Op) -> Option<Op> {
    let wider = |w: Width| {
        if w == Width::B8 {
            Width::B16
        } else {
            Width::B8
        }
    };
    Some(match *op {
        Op::Const(value) => Op::Const(value ^ 1),
        Op::Arg(n) => Op::Arg(n ^ 1),
        Op::Bin(BinOp::Add, a, b) => Op::Bin(BinOp::Sub, a, b),
        Op::Bin(op, a, b) if op != BinOp::Xor => Op::Bin(BinOp::Xor, a, b),
        Op::Extract { value, lo, bits } if bits > 1 => Op::Extract {
            value,
            lo,
            bits: bits - 1,
        },
        Op::Local(n) => Op::Local(n ^ 1),
        Op::SetLocal(n, v) => Op::SetLocal(n ^ 1, v),
        Op::Load { space, at, width } => Op::Load {
            space: if space == Space::State {
                Space::Pool
            } else {
                Space::State
            },
            at,
            width,
        },
        Op::Read { window, at, width } => Op::Read {
            window: window ^ 1,
            at,
            width,
        },
        Op::Write {
            window,
            at,
            width,
            value,
        } => Op::Write {
            window,
            at,
            width: wider(width),
            value,
        },
        Op::Up { which, ref args } => Op::Up {
            which: which ^ 1,
            args: args.clone(),
        },
        Op::Result(n, v) => Op::Result(n ^ 1, v),
        Op::Leave(n) => Op::Leave(n ^ 1),
        _ => return None,
    })
}

/// Two entries that read one register outside and one inside a block, and use the one or the other.
#[test]
fn it_matters_which_of_two_equal_reads_is_used() {
    let make = |inside: bool| {
        let mut residual = sample::residual(0);
        let mut b = Builder::new();
        b.open();
        let at = b.constant(0);
        let read = Op::Read {
            window: 0,
            at,
            width: Width::B32,
        };
        let outer = b.step(read.clone());
        b.open();
        let inner = b.step(read);
        b.step(Op::Result(0, if inside { inner } else { outer }));
        let body = b.close();
        b.step(Op::Block(body));
        b.close();
        b.finish_entry("one", 0, 0);
        (residual.graph, residual.entries) = b.into_parts();
        hash_of(&residual)
    };
    assert_ne!(make(false), make(true));
}

/// Independent effects may be interleaved as one likes; those of one order may not.
#[test]
fn only_the_order_within_a_domain_matters() {
    let make = |first: [(Space, u64); 2]| {
        let mut residual = sample::residual(0);
        let mut b = Builder::new();
        b.open();
        for (space, at) in first {
            let (at, value) = (b.constant(at), b.constant(7));
            b.step(Op::Store {
                space,
                at,
                width: Width::B8,
                value,
            });
        }
        b.close();
        b.finish_entry("one", 0, 0);
        (residual.graph, residual.entries) = b.into_parts();
        hash_of(&residual)
    };
    let (state, arena, pool) = ((Space::State, 1), (Space::Arena, 1), (Space::Pool, 2));
    assert_eq!(make([state, arena]), make([arena, state]));
    assert_ne!(make([pool, arena]), make([arena, pool]));
}
