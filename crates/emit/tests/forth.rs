//! The Forth view runs, and does what the interpreter does: same results, same calls, same memory.
#![cfg(target_arch = "x86_64")]

mod evaluator;
mod native;

use evaluator::Forth;
use graph::view::{self, Names};
use graph::{interpret, sample, BinOp, Builder, Op, Space, Width};
use native::World;

const SEEDS: u64 = 400;

fn names() -> Names {
    Names {
        registers: vec![
            (0, 4, "STATUS".into()),
            (1, 0, "BELL".into()),
            // The same as the other, but for its case, and the name of a word.
            (0, 8, "status".into()),
            (1, 8, "if".into()),
        ],
        memory: vec![(Space::State, 0, "first".into())],
    }
}

#[test]
fn the_forth_view_does_what_the_interpreter_does() {
    let mut ended = 0;
    for seed in 0..SEEDS {
        let residual = sample::residual(seed);
        let names = if seed % 2 == 0 {
            names()
        } else {
            Names::default()
        };
        let text = view::forth_file(&residual, &names);
        let forth = Forth::read(&text);
        for entry in 0..residual.entries.len() {
            let mut dice = sample::Dice::new(seed + 3);
            let args = [dice.number(), dice.number(), dice.number()];
            let mut expected = World::new(seed);
            let outcome = interpret::run(&residual, entry, &args, &mut expected);
            assert_eq!(outcome.fault, None, "seed {seed}");
            let mut found = World::new(seed);
            let word = view::forth_word(&residual, entry);
            let run = forth.run(&word, &args, &mut found);
            let (stack, results) = (run.stack, run.results);
            assert_eq!(stack, [outcome.status], "status: seed {seed}\n{text}");
            assert_eq!(results, outcome.results, "results: seed {seed}\n{text}");
            assert_eq!(found, expected, "memory and calls: seed {seed}\n{text}");
            ended += 1;
        }
    }
    assert_eq!(ended, SEEDS * 2);
}

/// One entry by itself says all that it stands on.
#[test]
fn one_entry_alone_runs_behind_the_prelude() {
    for seed in 0..40 {
        let residual = sample::residual(seed);
        let text = view::forth_prelude().to_owned() + &view::forth(&residual, 1, &names());
        let forth = Forth::read(&text);
        let (mut expected, mut found) = (World::new(seed), World::new(seed));
        let outcome = interpret::run(&residual, 1, &[1, 2, 3], &mut expected);
        let run = forth.run(&view::forth_word(&residual, 1), &[1, 2, 3], &mut found);
        assert_eq!(run.stack, [outcome.status], "seed {seed}\n{text}");
        assert_eq!(found, expected, "seed {seed}\n{text}");
    }
}

/// Word for word, so that a change of the view is seen.
#[test]
fn a_small_driver_reads_well() {
    let mut b = Builder::new();
    b.open();
    let (status, bit, none) = (b.constant(4), b.constant(1), b.constant(0));
    b.open();
    let value = b.step(Op::Read {
        window: 0,
        at: status,
        width: Width::B32,
    });
    let ready = b.bin(BinOp::And, value, bit);
    let cond = b.close();
    let ns = b.constant(1_000_000);
    let came = b.step(Op::Await {
        cond,
        value: ready,
        ns,
    });
    let late = b.bin(BinOp::Eq, came, none);
    b.open();
    let broken = b.constant(abi::status::FAIL);
    b.step(Op::Return(broken));
    let yes = b.close();
    b.open();
    let no = b.close();
    b.step(Op::If {
        cond: late,
        yes,
        no,
    });
    let argument = b.arg(0);
    b.step(Op::Write {
        window: 1,
        at: none,
        width: Width::B8,
        value: argument,
    });
    b.close();
    b.finish_entry("send", 1, 0);
    let mut residual = sample::residual(0);
    (residual.graph, residual.entries) = b.into_parts();
    assert_eq!(view::forth(&residual, 0, &names()), NAMED);
    assert_eq!(view::forth(&residual, 0, &Names::default()), NUMBERED);
}

const NAMED: &str = r"0 memory-window registers ( offset -- place )
1 memory-window queue-notify ( offset -- place )
: registers.STATUS ( -- place ) 4 registers ;
: queue-notify.BELL ( -- place ) 0 queue-notify ;

: send {: a0 | v6 -- status :}
  $f4240 await
    registers.STATUS w32@ 1 and
  came? to v6
  v6 0= if
    $100 exit  \ broken
  then
  a0 queue-notify.BELL w8!
  0
;
";

const NUMBERED: &str = r"0 memory-window registers ( offset -- place )
1 memory-window queue-notify ( offset -- place )

: send {: a0 | v6 -- status :}
  $f4240 await
    4 registers w32@ 1 and
  came? to v6
  v6 0= if
    $100 exit  \ broken
  then
  a0 0 queue-notify w8!
  0
;
";
