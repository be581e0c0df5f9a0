//! The C view compiles without a warning, and what gcc makes of it does what the interpreter does.
#![cfg(target_arch = "x86_64")]

mod native;

use graph::{interpret, sample, view};
use native::{call, World};
use std::ffi::CString;
use std::path::PathBuf;
use std::process::Command;

const SEEDS: u64 = 40;

fn compiled(seed: u64, text: &str) -> CString {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (source, library) = (
        folder.join(format!("view{seed}.c")),
        folder.join(format!("view{seed}.so")),
    );
    std::fs::write(&source, text).unwrap();
    let output = Command::new("gcc")
        .args([
            "-std=gnu11",
            "-O1",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-shared",
            "-fPIC",
            "-o",
        ])
        .args([&library, &source])
        .output()
        .expect("gcc is needed for this test");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "seed {seed}:\n{said}\n{text}");
    CString::new(library.to_str().unwrap()).unwrap()
}

#[test]
fn the_c_view_does_what_the_interpreter_does() {
    for seed in 0..SEEDS {
        let residual = sample::residual(seed);
        let library = compiled(seed, &view::c_file(&residual));
        for entry in 0..residual.entries.len() {
            let name = CString::new(view::c_function(&residual, entry)).unwrap();
            // SAFETY: the library was just built, has no constructors, and stays loaded; both results are checked.
            let function = unsafe {
                let handle = libc::dlopen(library.as_ptr(), libc::RTLD_NOW);
                assert!(!handle.is_null(), "{library:?}");
                libc::dlsym(handle, name.as_ptr())
            };
            assert!(!function.is_null(), "{name:?}");
            let mut dice = sample::Dice::new(seed + 7);
            let args = [dice.number(), dice.number(), dice.number()];
            let mut expected = World::new(seed);
            let outcome = interpret::run(&residual, entry, &args, &mut expected);
            let mut found = World::new(seed);
            // SAFETY: the view gives the entry the shape that `call` wants.
            let (status, results) = unsafe { call(function as usize, args, &mut found) };
            assert_eq!(status, outcome.status, "status: seed {seed}, entry {entry}");
            assert_eq!(
                results, outcome.results,
                "results: seed {seed}, entry {entry}"
            );
            assert_eq!(
                found, expected,
                "memory and calls: seed {seed}, entry {entry}"
            );
        }
    }
}

#[test]
fn ports_and_registers_compile_too() {
    let mut residual = sample::residual(0);
    let mut b = graph::Builder::new();
    b.open();
    let (at, port) = (b.constant(0x10), b.arg(0));
    for (window, at, width) in [(0, port, graph::Width::B16), (1, at, graph::Width::B64)] {
        let value = b.step(graph::Op::Read { window, at, width });
        b.step(graph::Op::Write {
            window,
            at,
            width,
            value,
        });
    }
    b.close();
    b.finish_entry("one", 1, 0);
    (residual.graph, residual.entries) = b.into_parts();
    residual.windows[0].kind = graph::WindowKind::Port;
    residual.windows[1].kind = graph::WindowKind::Model;
    let text = view::c_file(&residual);
    assert!(
        text.contains("port_write16(ctx, WINDOW_REGISTERS, a0, v"),
        "{text}"
    );
    compiled(SEEDS, &text);
}

/// Word for word, so that a change of the views is seen.
#[test]
fn a_small_driver_reads_well() {
    let mut b = graph::Builder::new();
    b.open();
    let status = b.constant(4);
    let (bit, none) = (b.constant(1), b.constant(0));
    b.open();
    let value = b.step(graph::Op::Read {
        window: 0,
        at: status,
        width: graph::Width::B32,
    });
    let ready = b.bin(graph::BinOp::And, value, bit);
    let cond = b.close();
    let ns = b.constant(1_000_000);
    let came = b.step(graph::Op::Await {
        cond,
        value: ready,
        ns,
    });
    let late = b.bin(graph::BinOp::Eq, came, none);
    b.open();
    let broken = b.constant(abi::status::FAIL);
    b.step(graph::Op::Return(broken));
    let yes = b.close();
    b.open();
    let no = b.close();
    b.step(graph::Op::If {
        cond: late,
        yes,
        no,
    });
    let argument = b.arg(0);
    b.step(graph::Op::Write {
        window: 1,
        at: none,
        width: graph::Width::B8,
        value: argument,
    });
    b.close();
    b.finish_entry("send", 1, 0);
    let mut residual = sample::residual(0);
    (residual.graph, residual.entries) = b.into_parts();
    assert_eq!(view::semantic(&residual, 0), SEMANTIC);
    assert_eq!(view::c(&residual, 0), C);
}

const SEMANTIC: &str = "\
send(a0)
  v6 = wait at most 0xf4240 ns
    v3 = read 32 bits of registers[4]
    enough if v3 & 1
  if v6 == 0
    fail broken
  write 8 bits to queue notify[0]: a0
";

const C: &str = "\
uint64_t entry_send(struct context *ctx, uint64_t a0)
{
    uint64_t v6 = 0;
    for (struct wait w6 = { 0, 0 };;) {
        const uint64_t v3 = read32(ctx, WINDOW_REGISTERS, 4);
        v6 = (v3 & 1) ? 1 : 0;
        if (v6 || wait_over(ctx, &w6, 0xf4240))
            break;
    }
    if (v6 == 0) {
        return 0x100; /* broken */
    }
    write8(ctx, WINDOW_QUEUE_NOTIFY, 0, a0);
    return 0;
}
";
