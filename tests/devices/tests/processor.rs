//! Rules for registers of the processor that no emulator here has: written for a made-up machine, read as code, and tried on
//! registers that only remember.

use device_tests::*;
use graph::{Access, Conduit, Fence, Late, Space, Width};
use machine::{Arch, Device, Fact, Machine, Source, Value, Window, WindowKind};
use rulebook::tree::Book;
use std::collections::BTreeMap;
use synthesis::{LiveAccess, Subject, Written};

const BASE: u64 = 0x1b;
const SPURIOUS: u64 = 0xff;
const COUNTER: u64 = 0x10;
const NOW: u64 = 0x839;

/// Registers that remember, and a counter that goes with the clock.
#[derive(Default)]
struct Registers {
    kind: Vec<graph::WindowKind>,
    held: BTreeMap<u64, u64>,
    /// `(register, value)` of each write, in order.
    written: Vec<(u64, u64)>,
    time: u64,
}

impl LiveAccess for Registers {
    fn open(&mut self, index: u8, window: &graph::Window) -> bool {
        assert_eq!(usize::from(index), self.kind.len());
        self.kind.push(window.kind);
        true
    }
}

impl Access for Registers {
    fn read(&mut self, window: u8, at: u64, width: Width) -> u64 {
        if self.kind.get(usize::from(window)) == Some(&graph::WindowKind::Model) {
            assert_eq!(width, Width::B64, "register {at:#x}");
        }
        match at {
            COUNTER => self.time * 3,
            // Counts down from all ones, twice a nanosecond.
            NOW => 0xffff_ffff - self.time * 2,
            at => self.held.get(&at).copied().unwrap_or(0),
        }
    }
    fn write(&mut self, window: u8, at: u64, width: Width, value: u64) {
        if self.kind.get(usize::from(window)) == Some(&graph::WindowKind::Model) {
            assert_eq!(width, Width::B64, "register {at:#x}");
            assert!(
                at == BASE || value <= u64::from(u32::MAX),
                "{at:#x} has no upper half"
            );
        }
        self.held.insert(at, value);
        self.written.push((at, value));
        if at == 0x838 {
            self.time = 0;
        }
    }
    fn load(&mut self, _: Space, _: u64, _: Width) -> u64 {
        0
    }
    fn store(&mut self, _: Space, _: u64, _: Width, _: u64) {}
    fn fence(&mut self, _: Fence) {}
    fn late(&mut self, _: Late) -> u64 {
        0
    }
    fn clock(&mut self) -> u64 {
        self.time
    }
    fn pause(&mut self, ns: u64) {
        self.time += ns;
    }
    fn up(&mut self, _: u8, _: &[u64]) -> u64 {
        0
    }
    fn firmware(&mut self, _: Conduit, _: [u64; 4]) -> u64 {
        0
    }
}

fn processor(features: &[&str], rate: Option<u64>) -> (Machine, Device) {
    let mut device = Device::new("cpu/0".into(), "cpu");
    device.facts = features
        .iter()
        .map(|f| fact(f, Value::Flag(true)))
        .collect();
    device.windows.push(Window {
        index: 0,
        kind: WindowKind::Memory,
        base: 0xfee0_0000,
        size: 4096,
        source: Source::Processor,
    });
    let mut machine = machine_of(Arch::X86_64, &device);
    let rate = rate.map(|hz| Fact {
        name: "cpu.tsc_hz".into(),
        value: Value::Number(hz),
        source: Source::Processor,
    });
    machine.facts.extend(rate);
    (machine, device)
}

/// The driver of a class, the rule that it came from, and what its first run wrote.
fn driver(
    book: &Book,
    machine: &Machine,
    device: &Device,
    class: &str,
) -> (String, Written, Registers) {
    let mut device = device.clone();
    fn subject<'a>(book: &'a Book, machine: &'a Machine, device: &'a Device) -> Subject<'a> {
        Subject {
            book,
            machine,
            device,
            given: &synthesis::GIVEN,
        }
    }
    let verdict = synthesis::match_device(subject(book, machine, &device), None);
    let choice = verdict
        .chosen
        .into_iter()
        .find(|c| c.class == class)
        .unwrap();
    let mut registers = Registers::default();
    registers.held.insert(BASE, 0xfee0_0900);
    let learned = synthesis::learn(subject(book, machine, &device), &choice, &mut registers);
    device.learned = learned.unwrap_or_else(|e| panic!("{}", e.show(book)));
    let written = synthesis::specialise(subject(book, machine, &device), &choice);
    let written = written.unwrap_or_else(|e| panic!("{}", e.show(book)));
    written.residual.validate().unwrap();
    emit::emit(&written.residual, emit::Target::X86_64).unwrap();
    (choice.title(book), written, registers)
}

/// An entry as C, without the line that names it.
fn body(written: &Written, entry: &str) -> String {
    let at = written
        .residual
        .entries
        .iter()
        .position(|e| e.name == entry);
    graph::view::c(&written.residual, at.unwrap())
}

fn rate(written: &Written) -> Option<u64> {
    let hz = written.facts.iter().find(|(name, _)| name == "hz");
    hz.map(|(_, hz)| *hz)
}

#[test]
fn a_processor_with_wide_ids_is_driven_by_its_own_registers() {
    let book = rulebook();
    let (machine, device) = processor(&["apic", "x2apic"], None);
    let (rule, written, registers) = driver(&book, &machine, &device, "vectors");
    assert_eq!(rule, "lapic");
    let wanted = [
        (BASE, 0xfee0_0900),
        (BASE, 0xfee0_0d00),
        (0x835, 1 << 16),
        (0x836, 4 << 8),
        (0x808, 0),
        (0x80f, 1 << 8 | SPURIOUS),
    ];
    assert_eq!(registers.written, wanted);
    assert_eq!(
        body(&written, "end"),
        "uint64_t entry_end(struct context *ctx, uint64_t a0)
{
    (void)a0;
    model_write64(ctx, WINDOW_MSR, 0x80b, 0);
    return 0;
}
"
    );
    assert_eq!(
        body(&written, "send"),
        "uint64_t entry_send(struct context *ctx, uint64_t a0, uint64_t a1)
{
    full_fence();
    model_write64(ctx, WINDOW_MSR, 0x830, put_bits((a1 & 0xff) | 0x4000, 32, 32, a0));
    return 0;
}
"
    );
}

#[test]
fn its_timer_is_measured_and_armed_there_too() {
    let book = rulebook();
    let (machine, device) = processor(&["apic", "x2apic"], None);
    let (rule, written, registers) = driver(&book, &machine, &device, "timer");
    assert_eq!(rule, "lapic_timer");
    assert_eq!(rate(&written), Some(2_000_000_000));
    let timer = abi::boot::vector::TIMER;
    let wanted = [
        (0x832, 1 << 16),
        (0x83e, 0xb),
        (0x838, u64::from(u32::MAX)),
        (0x838, 0),
        (0x838, 0),
        (0x832, timer),
    ];
    assert_eq!(registers.written, wanted);
    assert_eq!(
        body(&written, "arm"),
        "uint64_t entry_arm(struct context *ctx, uint64_t a0)
{
    model_write64(ctx, WINDOW_A, 0x838, a0 & 0xffffffff);
    return 0;
}
"
    );
}

#[test]
fn a_deadline_is_told_to_the_counter_at_its_stated_or_measured_rate() {
    let book = rulebook();
    let features = ["apic", "x2apic", "tsc", "tsc_constant", "tsc_deadline"];
    for (stated, found) in [(Some(2_500_000_000), 2_500_000_000), (None, 3_000_000_000)] {
        let (machine, device) = processor(&features, stated);
        let (rule, written, registers) = driver(&book, &machine, &device, "timer");
        assert_eq!(
            (rule.as_str(), rate(&written)),
            ("deadline_timer", Some(found))
        );
        let timer = abi::boot::vector::TIMER;
        assert_eq!(
            registers.written,
            [(0x832, 1 << 16), (0x832, 2 << 17 | timer), (0x6e0, 0)]
        );
        assert_eq!(
            body(&written, "arm"),
            "uint64_t entry_arm(struct context *ctx, uint64_t a0)
{
    const uint64_t v11 = model_read64(ctx, WINDOW_A, 0x10);
    model_write64(ctx, WINDOW_A, 0x6e0, a0 + v11);
    return 0;
}
"
        );
        assert!(body(&written, "disarm").contains("model_write64(ctx, WINDOW_A, 0x6e0, 0);"));
    }
}

#[test]
fn without_wide_ids_the_same_rules_drive_memory() {
    let book = rulebook();
    let (machine, device) = processor(
        &["apic", "tsc", "tsc_constant", "tsc_deadline"],
        Some(1_000_000_000),
    );
    let (_, vectors, _) = driver(&book, &machine, &device, "vectors");
    let (rule, timer, registers) = driver(&book, &machine, &device, "timer");
    assert_eq!(rule, "deadline_timer");
    let timer_vector = abi::boot::vector::TIMER;
    let wanted = [
        (0x320, 1 << 16),
        (0x320, 2 << 17 | timer_vector),
        (0x6e0, 0),
    ];
    assert_eq!(registers.written, wanted);
    assert!(body(&timer, "arm").contains("model_write64(ctx, WINDOW_M, 0x6e0, a0 + v11);"));
    assert_eq!(
        body(&vectors, "send"),
        "uint64_t entry_send(struct context *ctx, uint64_t a0, uint64_t a1)
{
    for (uint64_t n30 = 0x186a0; n30 != 0; n30--) {
        const uint64_t v26 = read32(ctx, WINDOW_A, 0x300);
        if (!((v26 >> 12) & 1)) {
            break;
        }
    }
    write32(ctx, WINDOW_A, 0x310, (a0 & 0xff) << 0x18);
    write32(ctx, WINDOW_A, 0x300, (a1 & 0xff) | 0x4000);
    return 0;
}
"
    );
}
