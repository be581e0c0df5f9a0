//! A code graph written by hand, emitted, and driven by the pump on a real device model; and the interpreter beside it.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use abi::ring::{done, todo};
use abi::status;
use classes::selftest::{Effort, Outcome};
use classes::{Class, Facts};
use emit::{emit, Target};
use graph::{BinOp, Builder, Id, Op, Residual, Space, Width, Window, WindowKind};
use qtest::run::{Blob, Device};
use qtest::{peer, Config, Live, Machine, Touch};
use std::time::Duration;

const DEPTH: u64 = 16;

fn read(b: &mut Builder, at: u64) -> Id {
    let at = b.constant(at);
    b.step(Op::Read {
        window: 0,
        at,
        width: Width::B8,
    })
}

fn write(b: &mut Builder, at: u64, value: Id) {
    let at = b.constant(at);
    b.step(Op::Write {
        window: 0,
        at,
        width: Width::B8,
        value,
    });
}

fn write_constant(b: &mut Builder, at: u64, value: u64) {
    let value = b.constant(value);
    write(b, at, value);
}

fn end(b: &mut Builder, status: u64) {
    let status = b.constant(status);
    b.step(Op::Return(status));
}

/// `if cond { yes }`
fn when(b: &mut Builder, cond: Id, yes: impl FnOnce(&mut Builder)) {
    b.open();
    yes(b);
    let yes = b.close();
    b.open();
    let no = b.close();
    b.step(Op::If { cond, yes, no });
}

/// A serial port (National PC16550D, section 8), as a rule's residual would be.
fn serial() -> Residual {
    let mut b = Builder::new();
    b.open();
    // Interrupts off, queues on and empty, OUT2, an interrupt for each byte received.
    for (at, value) in [(1, 0), (2, 7), (4, 8), (1, 1)] {
        write_constant(&mut b, at, value);
    }
    b.close();
    b.finish_entry("init", 0, 0);

    b.open();
    let line = read(&mut b, 5);
    let empty = b.extract(line, 5, 1);
    let zero = b.constant(0);
    let full = b.bin(BinOp::Eq, empty, zero);
    when(&mut b, full, |b| {
        write_constant(b, 1, 3);
        end(b, status::BUSY);
    });
    let k = b.new_local();
    b.step(Op::SetLocal(k, zero));
    b.open();
    let at = b.step(Op::Local(k));
    let offset = b.arg(0);
    let place = b.bin(BinOp::Add, offset, at);
    let byte = b.step(Op::Load {
        space: Space::Pool,
        at: place,
        width: Width::B8,
    });
    write(&mut b, 0, byte);
    let one = b.constant(1);
    let next = b.bin(BinOp::Add, at, one);
    b.step(Op::SetLocal(k, next));
    let body = b.close();
    let most = b.arg(1);
    b.step(Op::Loop { most, body });
    b.close();
    b.finish_entry("send", 2, 0);

    b.open();
    let cause = read(&mut b, 2);
    let none = b.extract(cause, 0, 1);
    when(&mut b, none, |b| end(b, status::NOT_MINE));
    b.open();
    let line = read(&mut b, 5);
    let ready = b.extract(line, 0, 1);
    let zero = b.constant(0);
    let over = b.bin(BinOp::Eq, ready, zero);
    when(&mut b, over, |b| {
        b.step(Op::Leave(0));
    });
    let byte = read(&mut b, 0);
    b.step(Op::Up {
        which: 0,
        args: vec![byte],
    });
    let body = b.close();
    let most = b.constant(64);
    b.step(Op::Loop { most, body });
    let what = b.extract(cause, 1, 2);
    let one = b.constant(1);
    let sent = b.bin(BinOp::Eq, what, one);
    when(&mut b, sent, |b| {
        write_constant(b, 1, 1);
        b.step(Op::Up {
            which: 1,
            args: Vec::new(),
        });
    });
    b.close();
    b.finish_entry("irq", 0, 0);

    let (graph, entries) = b.into_parts();
    Residual {
        graph,
        entries,
        windows: vec![Window {
            name: "r".into(),
            kind: WindowKind::Port,
            base: 0x3f8,
            size: 8,
        }],
        upcalls: vec!["received".into(), "room".into()],
        arena_align: 1,
        ..Residual::default()
    }
}

fn machine(line: &peer::Line) -> Machine {
    let config = Config::q35()
        .args(line.chardev("c0"))
        .args(["-device", "isa-serial,chardev=c0"]);
    Machine::start(config).unwrap()
}

fn attached(machine: &Machine, residual: &Residual) -> Device {
    let code = emit(residual, Target::X86_64).unwrap();
    Device::attach(machine, Blob::new(residual, &code.bytes, &code.entries)).unwrap()
}

fn facts() -> Facts {
    Facts {
        depth: DEPTH,
        ..Facts::default()
    }
}

#[test]
fn a_line_is_sent_and_an_answer_received() {
    let line = peer::Line::new().unwrap();
    let machine = machine(&line);
    let mut device = attached(&machine, &serial());
    let mut driver = device.pump(Class::Serial, facts()).unwrap();
    driver.start().unwrap();

    let text: Vec<u8> = (0..1000).map(|n| b' ' + (n % 90) as u8).collect();
    driver.pool().write(4096, &text);
    let answer = driver.ask(todo::SERIAL_SEND, 4096, 1000, 0).unwrap();
    assert_eq!((answer.ok, answer.length), (1, 1000));
    assert_eq!(line.receive(1000, Duration::from_secs(5)).unwrap(), text);

    line.send(b"hello").unwrap();
    let got: Vec<u8> = (0..5)
        .map(|_| driver.wait(|e| e.kind == done::RECEIVED).unwrap().value as u8)
        .collect();
    assert_eq!(got, b"hello");
}

#[test]
fn the_self_test_passes() {
    let line = peer::Line::new().unwrap();
    let machine = machine(&line);
    let mut device = attached(&machine, &serial());
    let mut driver = device.pump(Class::Serial, facts()).unwrap();
    assert_eq!(
        driver.selftest(Effort::Thorough).unwrap(),
        Outcome::Verified
    );
    let seen = line.receive(35, Duration::from_secs(5)).unwrap();
    assert_eq!(seen, [b'\r'; 35], "carriage returns, which no one sees");
    driver.pool().write(0, b"x");
    assert_eq!(driver.ask(todo::SERIAL_SEND, 0, 1, 0).unwrap().ok, 1);
}

#[test]
fn at_an_empty_slot_nothing_is_claimed() {
    // Nothing answers at these ports: all ones, which says that no interrupt is pending.
    let machine = Machine::start(Config::q35()).unwrap();
    let mut residual = serial();
    residual.windows[0].base = 0x2e8;
    let mut device = attached(&machine, &residual);
    let mut driver = device.pump(Class::Serial, facts()).unwrap();
    driver.start().unwrap();
    assert!(!driver.turn(true).unwrap().mine);
    assert_eq!(driver.news(), []);
}

#[test]
fn interpreter_and_code_touch_the_device_alike() {
    let residual = serial();
    let run = |live: &mut Live, name: &str, args: &[u64]| {
        let entry = residual
            .entries
            .iter()
            .position(|e| e.name == name)
            .unwrap();
        graph::interpret::run(&residual, entry, args, live);
    };
    let interpreted: Vec<Touch> = {
        let line = peer::Line::new().unwrap();
        let machine = machine(&line);
        let mut live = Live::new(&machine, &residual).unwrap();
        live.pool().write(0, b"0123456789");
        run(&mut live, "init", &[]);
        run(&mut live, "send", &[0, 10]);
        run(&mut live, "irq", &[]);
        live.check().unwrap();
        live.trace()
    };
    let line = peer::Line::new().unwrap();
    let machine = machine(&line);
    let mut device = attached(&machine, &residual);
    device.client_pool().write(0, b"0123456789");
    let mut code = device.direct().unwrap();
    code.start().unwrap();
    code.call("send", &[0, 10]).unwrap();
    code.call("irq", &[]).unwrap();
    assert_eq!(code.trace(), interpreted);
    assert!(interpreted.len() > 15);
}

#[test]
fn code_that_leaves_its_window_is_stopped() {
    let line = peer::Line::new().unwrap();
    let machine = machine(&line);
    let mut residual = serial();
    // The same code, granted four ports only: the line status is not one of them.
    residual.windows[0].size = 4;
    let code = emit(&residual, Target::X86_64);
    // Whoever proves the code may refuse it already.
    let Ok(code) = code else { return };
    let blob = Blob::new(&residual, &code.bytes, &code.entries);
    let mut device = Device::attach(&machine, blob).unwrap();
    let mut driver = device.pump(Class::Serial, facts()).unwrap();
    let told = driver.start().unwrap_err().to_string();
    assert!(told.contains("port 0x3fc, which is no window"), "{told}");
}
