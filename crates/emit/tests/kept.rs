//! Nothing that a device can see is merged, dropped or moved: the patterns that compilers like to shorten, counted in
//! the machine code of both targets.

use emit::{emit, Target};
use graph::{Builder, Conduit, Fence, Id, Op, Residual, Space, Width, Window, WindowKind};

const BOTH: [Target; 2] = [Target::X86_64, Target::Aarch64];

/// A place that accesses go to, far from anything that the context itself has, so that its offset marks it.
const MARK: u64 = 0x7a8;

fn residual(kind: WindowKind, make: impl FnOnce(&mut Builder)) -> Residual {
    let mut b = Builder::new();
    b.open();
    make(&mut b);
    b.close();
    b.finish_entry("one", 2, 4);
    let (graph, entries) = b.into_parts();
    Residual {
        graph,
        entries,
        windows: vec![Window {
            name: "registers".into(),
            kind,
            base: 0,
            size: 0x1_0000,
        }],
        state_size: 0x1000,
        arena_size: 0x1000,
        arena_align: 64,
        upcalls: vec!["up".into()],
        failures: Vec::new(),
    }
}

/// One access to the marked place.
#[derive(Clone, Copy, Debug)]
enum Act {
    Load,
    Store(u64),
}

/// Emits the accesses, the loaded values unused or summed up, and gives the lines of code that touch the place.
fn lines(
    acts: &[Act],
    space: Option<Space>,
    width: Width,
    used: bool,
    target: Target,
) -> Vec<String> {
    let made = residual(WindowKind::Memory, |b| {
        let at = b.constant(MARK);
        let mut sum = b.constant(0);
        for act in acts {
            let op = match (*act, space) {
                (Act::Load, Some(space)) => Op::Load { space, at, width },
                (Act::Load, None) => Op::Read {
                    window: 0,
                    at,
                    width,
                },
                (Act::Store(value), space) => store(b, space, at, width, value),
            };
            let load = op.gives_value();
            let id = b.step(op);
            if load && used {
                sum = b.bin(graph::BinOp::Add, sum, id);
            }
        }
        b.step(Op::Return(sum));
    });
    marked(&text(&made, target))
}

fn store(b: &mut Builder, space: Option<Space>, at: Id, width: Width, value: u64) -> Op {
    let value = b.constant(value);
    match space {
        Some(space) => Op::Store {
            space,
            at,
            width,
            value,
        },
        None => Op::Write {
            window: 0,
            at,
            width,
            value,
        },
    }
}

fn text(residual: &Residual, target: Target) -> String {
    let code = emit(residual, target).unwrap();
    disassembly::entries(&code, &residual.entries, target, 0)
}

fn marked(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| line.contains("0x7a8]"));
    lines.map(str::to_string).collect()
}

/// Whether the line loads, on either target.
fn loads(line: &str, target: Target) -> bool {
    match target {
        Target::X86_64 => !line.contains("+ 0x7a8],"),
        Target::Aarch64 => line.contains(" ld"),
    }
}

#[test]
fn every_access_is_kept_in_order() {
    use Act::*;
    let patterns: [&[Act]; 10] = [
        &[Load],
        &[Load, Load],
        &[Load, Load, Load, Load],
        &[Store(1), Store(1)],
        &[Store(1), Store(2)],
        &[Store(7), Store(7), Store(7)],
        &[Load, Store(1), Load],
        &[Store(1), Load],
        &[Store(1), Load, Store(1)],
        &[Store(0), Load, Load, Store(0), Store(0), Load],
    ];
    for target in BOTH {
        for width in [Width::B8, Width::B16, Width::B32, Width::B64] {
            for space in [None, Some(Space::Arena), Some(Space::Pool)] {
                for used in [false, true] {
                    for acts in patterns {
                        let lines = lines(acts, space, width, used, target);
                        let found: Vec<bool> = lines.iter().map(|l| loads(l, target)).collect();
                        let wanted: Vec<bool> =
                            acts.iter().map(|act| matches!(act, Load)).collect();
                        assert_eq!(
                            found, wanted,
                            "{target:?} {width:?} {space:?} {acts:?} {lines:#?}"
                        );
                    }
                }
            }
        }
    }
}

/// Private state is no device's: there the compiler may do what it is good at. This is also the proof that the test
/// above can fail.
#[test]
fn private_state_is_plain_memory() {
    use Act::*;
    for target in BOTH {
        let lines = lines(&[Load, Load], Some(Space::State), Width::B32, true, target);
        assert_eq!(lines.len(), 1, "{lines:?}");
    }
}

/// A device access is one instruction that does nothing else, of the width that the rule says.
#[test]
fn an_access_is_one_plain_move() {
    for (width, x86, arm) in [
        (Width::B8, "byte", "ldrb"),
        (Width::B16, "word", "ldrh"),
        (Width::B32, "dword", "ldr w"),
        (Width::B64, "qword", "ldr x"),
    ] {
        for (target, form) in [(Target::X86_64, x86), (Target::Aarch64, arm)] {
            for acts in [&[Act::Load, Act::Store(3)][..], &[Act::Load, Act::Load]] {
                let lines = lines(acts, None, width, true, target);
                assert!(lines[0].contains(form), "{lines:?}");
                for line in &lines {
                    let plain = match target {
                        Target::X86_64 => line.contains(" mov"),
                        Target::Aarch64 => line.contains(" ld") || line.contains(" st"),
                    };
                    assert!(plain, "{line}");
                }
            }
        }
    }
}

/// The same in loops, in both arms of a condition, and around calls.
#[test]
fn control_keeps_accesses_where_they_are() {
    for target in BOTH {
        let made = residual(WindowKind::Memory, |b| {
            let (at, one, turns, arg) = (b.constant(MARK), b.constant(1), b.constant(5), b.arg(0));
            let ring = Op::Write {
                window: 0,
                at,
                width: Width::B32,
                value: one,
            };
            b.open();
            b.step(ring.clone());
            let body = b.close();
            b.step(Op::Loop { most: turns, body });
            let mut arms = [0; 2];
            for arm in &mut arms {
                b.open();
                b.step(ring.clone());
                *arm = b.close();
            }
            b.step(Op::If {
                cond: arg,
                yes: arms[0],
                no: arms[1],
            });
            b.step(ring.clone());
            b.step(Op::Up {
                which: 0,
                args: Vec::new(),
            });
            b.step(ring);
        });
        let text = text(&made, target);
        assert_eq!(marked(&text).len(), 5, "{target:?}\n{text}");
    }
}

/// What is stored to memory stays on its side of `publish`, and loads on theirs of `acquire`.
#[test]
fn barriers_stand_between() {
    let made = residual(WindowKind::Memory, |b| {
        let (at, value, zero) = (b.constant(MARK), b.arg(0), b.constant(0));
        b.step(Op::Store {
            space: Space::Arena,
            at,
            width: Width::B32,
            value,
        });
        b.step(Op::Fence(Fence::Publish));
        b.step(Op::Write {
            window: 0,
            at,
            width: Width::B32,
            value: zero,
        });
        b.step(Op::Fence(Fence::Full));
        let read = b.step(Op::Read {
            window: 0,
            at,
            width: Width::B32,
        });
        b.step(Op::Fence(Fence::Acquire));
        let loaded = b.step(Op::Load {
            space: Space::Arena,
            at,
            width: Width::B32,
        });
        let sum = b.bin(graph::BinOp::Add, read, loaded);
        b.step(Op::Return(sum));
    });
    let x86 = text(&made, Target::X86_64);
    assert_eq!(marked(&x86).len(), 4);
    assert_eq!(x86.matches("mfence").count(), 1, "{x86}");
    let (before, after) = x86.split_once("mfence").unwrap();
    assert_eq!((marked(before).len(), marked(after).len()), (2, 2));
    let arm = text(&made, Target::Aarch64);
    for (barrier, word) in [
        ("oshst", "bf 32 03 d5"),
        ("oshld", "bf 31 03 d5"),
        ("osh", "bf 33 03 d5"),
    ] {
        assert_eq!(arm.matches(word).count(), 1, "{barrier}\n{arm}");
    }
    let places: Vec<&str> = arm
        .lines()
        .filter(|l| l.contains("0x7a8]") || l.contains(" bl "))
        .map(|l| if l.contains(" bl ") { "call" } else { "access" })
        .collect();
    let wanted = [
        "access", "call", "access", "call", "access", "call", "access",
    ];
    assert_eq!(places, wanted, "{arm}");
}

/// Driver tasks and the nucleus do not save floating-point registers.
#[test]
fn only_general_registers_are_used() {
    for seed in 0..60 {
        let residual = graph::sample::residual(seed);
        for target in BOTH {
            let code = emit(&residual, target).unwrap();
            let text = disassembly::entries(&code, &residual.entries, target, 0);
            for line in text.lines() {
                let code = line.get(36..).unwrap_or_default();
                let vector = match target {
                    Target::X86_64 => code.contains("mm"),
                    Target::Aarch64 => code.split([' ', ',', '.', '{']).any(|word| {
                        let mut letters = word.chars();
                        matches!(letters.next(), Some('v' | 'q' | 'd' | 's' | 'h' | 'b'))
                            && letters.next().is_some_and(|c| c.is_ascii_digit())
                    }),
                };
                assert!(!vector, "seed {seed}: {line}");
            }
        }
    }
}

fn ports(width: Width) -> Residual {
    residual(WindowKind::Port, |b| {
        let (at, far) = (b.constant(4), b.arg(0));
        for at in [at, far] {
            let value = b.step(Op::Read {
                window: 0,
                at,
                width,
            });
            b.step(Op::Write {
                window: 0,
                at,
                width,
                value,
            });
        }
    })
}

#[test]
fn ports_are_called_and_the_stubs_shared() {
    for (width, read, write) in [
        (Width::B8, "in al, dx", "out dx, al"),
        (Width::B16, "in ax, dx", "out dx, ax"),
        (Width::B32, "in eax, dx", "out dx, eax"),
    ] {
        let text = text(&ports(width), Target::X86_64);
        assert_eq!(text.matches(read).count(), 1, "{text}");
        assert_eq!(text.matches(write).count(), 1, "{text}");
        assert_eq!(text.matches(" call ").count(), 4, "{text}");
    }
    let error = emit(&ports(Width::B8), Target::Aarch64).unwrap_err();
    assert_eq!(error.to_string(), "no code for this: PortIn(B8) on Aarch64");
}

fn registers(kind: WindowKind, number: u64) -> Residual {
    residual(kind, |b| {
        let (at, value) = (b.constant(number), b.arg(0));
        let width = Width::B64;
        let old = b.step(Op::Read {
            window: 0,
            at,
            width,
        });
        b.step(Op::Write {
            window: 0,
            at,
            width,
            value,
        });
        b.step(Op::Return(old));
    })
}

#[test]
fn registers_have_their_instructions() {
    let model = text(&registers(WindowKind::Model, 0x1b), Target::X86_64);
    assert_eq!(model.matches("rdmsr").count(), 1, "{model}");
    assert_eq!(model.matches("wrmsr").count(), 1, "{model}");
    // CNTV_CTL_EL0: op0 3, op1 3, CRn 14, CRm 3, op2 1 (Arm ARM D19.12).
    let number = 3 << 14 | 3 << 11 | 14 << 7 | 3 << 3 | 1;
    let system = text(&registers(WindowKind::System, number), Target::Aarch64);
    assert!(
        system.contains("20 e3 3b d5") && system.contains("20 e3 1b d5"),
        "{system}"
    );
    let low = emit(&registers(WindowKind::System, 1 << 14), Target::Aarch64).unwrap_err();
    assert_eq!(
        low.to_string(),
        "no code for this: 0x4000 encodes no system register"
    );
}

#[test]
fn firmware_is_called() {
    for (conduit, word) in [(Conduit::Hvc, "02 00 00 d4"), (Conduit::Smc, "03 00 00 d4")] {
        let made = residual(WindowKind::Memory, |b| {
            let args = [b.constant(0x8400_0008), b.arg(0), b.arg(1), b.constant(0)];
            let value = b.step(Op::Firmware { conduit, args });
            b.step(Op::Return(value));
        });
        assert!(text(&made, Target::Aarch64).contains(word));
        assert!(emit(&made, Target::X86_64).is_err());
    }
}
