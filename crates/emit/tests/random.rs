//! Interpreter and emitted code do the same: same results, same calls in the same order, same memory at each call and
//! at the end.
#![cfg(target_arch = "x86_64")]

mod native;

use emit::{emit, Target};
use graph::{interpret, sample};
use native::{run, Pages, World};

const SEEDS: u64 = 250;

#[test]
fn emitted_code_does_what_the_interpreter_does() {
    let mut ended = 0;
    for seed in 0..SEEDS {
        let residual = sample::residual(seed);
        let code = emit(&residual, Target::X86_64).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let pages = Pages::new(&code.bytes);
        for entry in 0..residual.entries.len() {
            let mut dice = sample::Dice::new(seed + 1);
            let args = [dice.number(), dice.number(), dice.number()];
            let mut expected = World::new(seed);
            let outcome = interpret::run(&residual, entry, &args, &mut expected);
            assert_eq!(outcome.fault, None, "seed {seed}");
            let mut found = World::new(seed);
            let (status, results) = run(&pages, &residual, &code, entry, args, &mut found);
            assert_eq!(status, outcome.status, "status: seed {seed}, entry {entry}");
            assert_eq!(
                results, outcome.results,
                "results: seed {seed}, entry {entry}"
            );
            assert_eq!(
                found, expected,
                "memory and calls: seed {seed}, entry {entry}"
            );
            ended += 1;
        }
    }
    assert_eq!(ended, SEEDS * 2);
}

#[test]
fn code_runs_at_any_address() {
    for seed in 0..40 {
        let residual = sample::residual(seed);
        let code = emit(&residual, Target::X86_64).unwrap();
        let (one, other) = (Pages::new(&code.bytes), Pages::new(&code.bytes));
        assert_ne!(one.address(), other.address());
        let mut worlds = [World::new(seed), World::new(seed)];
        let first = run(&one, &residual, &code, 0, [1, 2, 3], &mut worlds[0]);
        let second = run(&other, &residual, &code, 0, [1, 2, 3], &mut worlds[1]);
        assert_eq!(first, second);
        assert_eq!(worlds[0], worlds[1]);
    }
}

#[test]
fn the_same_graph_gives_the_same_bytes() {
    for seed in 0..40 {
        for target in [Target::X86_64, Target::Aarch64] {
            let code = emit(&sample::residual(seed), target).unwrap();
            assert_eq!(code, emit(&sample::residual(seed), target).unwrap());
            let (same, placed) = emit::emit_placed(&sample::residual(seed), target).unwrap();
            assert_eq!(code, same);
            let mut last = 0;
            for place in placed {
                assert!(place.at >= last, "seed {seed}: in the order of the bytes");
                last = place.at + place.size;
                assert!(last as usize <= code.bytes.len());
                let op = &sample::residual(seed).graph.nodes[place.step as usize];
                assert!(!op.is_pure(), "seed {seed}: {op:?} is no step");
            }
            let mut end = 0;
            for (offset, size) in &code.entries {
                assert_eq!(offset % 16, 0);
                assert!(*offset >= end && *size > 0);
                end = offset + size;
            }
            assert!(end as usize <= code.bytes.len());
        }
    }
}
