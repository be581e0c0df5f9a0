//! What the validator refuses, and that nothing it lets through makes the interpreter panic.

use graph::{interpret, sample, Access, Conduit, Fence, Late, Op, Residual, Space, Width};

struct Nothing;

impl Access for Nothing {
    fn read(&mut self, _: u8, at: u64, _: Width) -> u64 {
        at
    }
    fn write(&mut self, _: u8, _: u64, _: Width, _: u64) {}
    fn load(&mut self, _: Space, at: u64, _: Width) -> u64 {
        at
    }
    fn store(&mut self, _: Space, _: u64, _: Width, _: u64) {}
    fn fence(&mut self, _: Fence) {}
    fn late(&mut self, _: Late) -> u64 {
        4096
    }
    fn clock(&mut self) -> u64 {
        0
    }
    fn pause(&mut self, _: u64) {}
    fn up(&mut self, _: u8, args: &[u64]) -> u64 {
        args.len() as u64
    }
    fn firmware(&mut self, _: Conduit, _: [u64; 4]) -> u64 {
        0
    }
}

fn refused(change: impl FnOnce(&mut Residual)) -> String {
    let mut residual = sample::residual(4);
    change(&mut residual);
    residual.validate().unwrap_err()
}

fn find(residual: &Residual, wanted: impl Fn(&Op) -> bool) -> usize {
    residual.graph.nodes.iter().position(wanted).unwrap()
}

#[test]
fn mistakes_have_messages() {
    let late = |r: &mut Residual| r.graph.nodes[0] = Op::Ones(1);
    assert_eq!(
        refused(late),
        "node 0: operand 1 is not an earlier node with a value"
    );
    let far = |r: &mut Residual| {
        let id = find(r, |op| matches!(op, Op::Read { .. }));
        if let Op::Read { window, .. } = &mut r.graph.nodes[id] {
            *window = 2;
        }
    };
    assert!(refused(far).ends_with("window 2 of 2"));
    let twice = |r: &mut Residual| r.entries[1].body = r.entries[0].body;
    assert!(refused(twice).ends_with("is used twice"));
    let again = |r: &mut Residual| {
        let body = r.entries[0].body as usize;
        let step = r.graph.regions[body].steps[0];
        r.graph.regions[body].steps.push(step);
    };
    assert!(refused(again).ends_with("stands twice"));
    let leave = |r: &mut Residual| {
        let id = r.graph.nodes.len() as u32;
        r.graph.nodes.push(Op::Leave(0));
        let body = r.entries[0].body as usize;
        r.graph.regions[body].steps.push(id);
    };
    assert!(refused(leave).ends_with("leaves 0 of 0 blocks"));
    let fewer = |r: &mut Residual| r.entries.iter_mut().for_each(|e| e.arguments = 0);
    assert!(refused(fewer).contains("argument "));
    let inside = |r: &mut Residual| r.windows.iter_mut().for_each(|w| w.size = 1);
    assert!(refused(inside).contains("beyond the 1 bytes of window"));
}

/// A value of one arm of a condition is not known behind it.
#[test]
fn values_are_known_only_where_they_were_made() {
    let mut b = graph::Builder::new();
    b.open();
    let (cond, at) = (b.arg(0), b.constant(0));
    b.open();
    let value = b.step(Op::Read {
        window: 0,
        at,
        width: Width::B8,
    });
    let yes = b.close();
    b.open();
    let no = b.close();
    b.step(Op::If { cond, yes, no });
    b.step(Op::Return(value));
    b.close();
    b.finish_entry("one", 1, 0);
    let mut residual = sample::residual(0);
    (residual.graph, residual.entries) = b.into_parts();
    let why = residual.validate().unwrap_err();
    assert_eq!(
        why,
        format!("entry `one`: the value of step {value} is used where it is not known")
    );
}

/// Residuals with broken bytes are refused or run to an end within the budget; nothing panics.
#[test]
fn broken_bytes_do_no_harm() {
    let mut dice = sample::Dice::new(99);
    let (mut valid, mut refused) = (0, 0);
    for seed in 0..200 {
        let bytes = postcard::to_allocvec(&sample::residual(seed % 30)).unwrap();
        for _ in 0..20 {
            let mut bytes = bytes.clone();
            for _ in 0..1 + dice.below(3) {
                let at = dice.below(bytes.len() as u64) as usize;
                bytes[at] = dice.word() as u8;
            }
            let Ok(residual) = postcard::from_bytes::<Residual>(&bytes) else {
                continue;
            };
            if residual.validate().is_err() {
                refused += 1;
                continue;
            }
            valid += 1;
            for (n, entry) in residual.entries.iter().enumerate() {
                let args = vec![3; entry.arguments as usize];
                interpret::run_within(&residual, n, &args, &mut Nothing, 20_000);
            }
            graph::hash::of(&residual).unwrap();
            residual.clone().prune();
            for n in 0..residual.entries.len() {
                graph::view::c(&residual, n);
                graph::view::semantic(&residual, n);
            }
        }
    }
    assert!(
        valid > 200 && refused > 200,
        "{valid} valid, {refused} refused"
    );
}
