//! Byte code written by hand, run against device models: every width, ports, computing instructions, DMA, frames.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use graph::{Residual, Width, Window, WindowKind};
use qtest::run::{Blob, Device, Platform};
use qtest::{pci, peer, Config, Machine};
use std::time::Duration;

/// Entries `(context, offset, value)` on window 0. Each begins with `mov rax, [rdi + 0x68]`, the window's address, or
/// with the port in `rdx`.
const ENTRIES: &[(&str, &[u8])] = &[
    (
        "read8",
        &[0x48, 0x8b, 0x47, 0x68, 0x0f, 0xb6, 0x04, 0x30, 0xc3],
    ),
    (
        "read16",
        &[0x48, 0x8b, 0x47, 0x68, 0x0f, 0xb7, 0x04, 0x30, 0xc3],
    ),
    ("read32", &[0x48, 0x8b, 0x47, 0x68, 0x8b, 0x04, 0x30, 0xc3]),
    (
        "read64",
        &[0x48, 0x8b, 0x47, 0x68, 0x48, 0x8b, 0x04, 0x30, 0xc3],
    ),
    // movbe eax, [rax + rsi]
    (
        "swapped32",
        &[0x48, 0x8b, 0x47, 0x68, 0x0f, 0x38, 0xf0, 0x04, 0x30, 0xc3],
    ),
    (
        "write8",
        &[0x48, 0x8b, 0x47, 0x68, 0x88, 0x14, 0x30, 0x31, 0xc0, 0xc3],
    ),
    (
        "write16",
        &[
            0x48, 0x8b, 0x47, 0x68, 0x66, 0x89, 0x14, 0x30, 0x31, 0xc0, 0xc3,
        ],
    ),
    (
        "write32",
        &[0x48, 0x8b, 0x47, 0x68, 0x89, 0x14, 0x30, 0x31, 0xc0, 0xc3],
    ),
    (
        "write64",
        &[
            0x48, 0x8b, 0x47, 0x68, 0x48, 0x89, 0x14, 0x30, 0x31, 0xc0, 0xc3,
        ],
    ),
    // or [rax + rsi], edx: one read and one write
    (
        "or32",
        &[0x48, 0x8b, 0x47, 0x68, 0x09, 0x14, 0x30, 0x31, 0xc0, 0xc3],
    ),
    // cmp edx, [rax + rsi]; sete al; movzx eax, al
    (
        "equal32",
        &[
            0x48, 0x8b, 0x47, 0x68, 0x3b, 0x14, 0x30, 0x0f, 0x94, 0xc0, 0x0f, 0xb6, 0xc0, 0xc3,
        ],
    ),
    // mov rdx, [rdi + 0x68]; add rdx, rsi; mov rax, -1; in al, dx; ret
    (
        "in8",
        &[
            0x48, 0x8b, 0x57, 0x68, 0x48, 0x01, 0xf2, 0x48, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff,
            0xec, 0xc3,
        ],
    ),
    (
        "in16",
        &[
            0x48, 0x8b, 0x57, 0x68, 0x48, 0x01, 0xf2, 0x48, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff,
            0x66, 0xed, 0xc3,
        ],
    ),
    (
        "in32",
        &[
            0x48, 0x8b, 0x57, 0x68, 0x48, 0x01, 0xf2, 0x48, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff,
            0xed, 0xc3,
        ],
    ),
    // mov rax, rdx; mov rdx, [rdi + 0x68]; add rdx, rsi; out dx, al; xor eax, eax; ret
    (
        "out8",
        &[
            0x48, 0x89, 0xd0, 0x48, 0x8b, 0x57, 0x68, 0x48, 0x01, 0xf2, 0xee, 0x31, 0xc0, 0xc3,
        ],
    ),
    (
        "out16",
        &[
            0x48, 0x89, 0xd0, 0x48, 0x8b, 0x57, 0x68, 0x48, 0x01, 0xf2, 0x66, 0xef, 0x31, 0xc0,
            0xc3,
        ],
    ),
    (
        "out32",
        &[
            0x48, 0x89, 0xd0, 0x48, 0x8b, 0x57, 0x68, 0x48, 0x01, 0xf2, 0xef, 0x31, 0xc0, 0xc3,
        ],
    ),
    // movups xmm0, [rax + rsi]: no device knows such a width
    (
        "read128",
        &[
            0x48, 0x8b, 0x47, 0x68, 0x0f, 0x10, 0x04, 0x30, 0x31, 0xc0, 0xc3,
        ],
    ),
    // mov eax, [rsi]: an address of nothing
    ("wild", &[0x8b, 0x06, 0xc3]),
];

/// The entries on one window.
fn attach(machine: &Machine, window: Window) -> Device {
    let (mut code, mut entries) = (Vec::new(), Vec::new());
    for (name, bytes) in ENTRIES {
        entries.push((*name, code.len() as u32));
        code.extend_from_slice(bytes);
    }
    let residual = Residual {
        windows: vec![window],
        arena_size: 64 << 10,
        arena_align: 4096,
        ..Residual::default()
    };
    let blob = Blob {
        code: &code,
        entries,
        residual: &residual,
    };
    Device::attach(machine, blob).unwrap()
}

/// Reads and writes of one file of registers, whatever carries them.
struct Registers<'d>(Platform<'d>, bool);

impl Registers<'_> {
    fn read(&mut self, at: u64, bits: u32) -> u64 {
        let word = if self.1 { "in" } else { "read" };
        let value = self.0.call(&format!("{word}{bits}"), &[at]).unwrap();
        value & Width::of_bits(bits).unwrap().mask()
    }
    fn write(&mut self, at: u64, bits: u32, value: u64) {
        let word = if self.1 { "out" } else { "write" };
        self.0.call(&format!("{word}{bits}"), &[at, value]).unwrap();
    }
}

/// QEMU's educational device (docs/specs/edu.txt).
fn edu() -> (Machine, pci::Bar) {
    let machine = Machine::start(Config::q35().args(["-device", "edu"])).unwrap();
    let found = pci::scan(&machine).unwrap();
    let edu = found
        .iter()
        .find(|f| (f.vendor, f.device) == (0x1234, 0x11e8))
        .unwrap();
    let bar = edu.bar(0).unwrap();
    (machine, bar)
}

#[test]
fn loads_and_stores_reach_the_model() {
    let (machine, bar) = edu();
    let mut device = attach(&machine, bar.window("r"));
    let mut code = device.direct().unwrap();
    let id = code.call("read32", &[0]).unwrap();
    assert_eq!(id & 0xff, 0xed);
    assert_eq!(
        code.call("swapped32", &[0]).unwrap(),
        u64::from((id as u32).swap_bytes())
    );
    // The liveness register gives back the complement.
    assert_eq!(code.call("write32", &[4, 0x1234_5678]).unwrap(), 0);
    assert_eq!(code.call("read32", &[4]).unwrap(), 0xedcb_a987);
    assert_eq!(code.call("equal32", &[4, 0xedcb_a987]).unwrap(), 1);
    assert_eq!(code.call("equal32", &[4, 0xedcb_a988]).unwrap(), 0);
    // A read and a write in one instruction: complement, or 1, complement.
    code.call("or32", &[4, 0x10]).unwrap();
    assert_eq!(code.call("read32", &[4]).unwrap(), !0xedcb_a997_u32 as u64);
    let trace = code.trace();
    let writes: Vec<u64> = trace.iter().filter(|t| t.write).map(|t| t.value).collect();
    assert_eq!(writes, [0x1234_5678, 0xedcb_a997]);
    assert!(trace.iter().all(|t| t.width == Width::B32 && t.window == 0));
}

#[test]
fn what_leaves_the_windows_is_told() {
    let (machine, bar) = edu();
    let mut device = attach(&machine, bar.part("r", 0, 0x80));
    let mut code = device.direct().unwrap();
    let told = |result: qtest::Result<u64>| result.unwrap_err().to_string();
    assert!(told(code.call("read32", &[0x80])).contains("outside window `r` of 0x80 bytes"));
    assert!(told(code.call("read64", &[0x7c])).contains("outside window `r`"));
    assert!(told(code.call("wild", &[0x10])).contains("touched 0x10, which is no window"));
    assert!(told(code.call("read128", &[0])).contains("no width a device knows"));
    assert!(told(code.call("in8", &[0])).contains("port"));
    assert!(told(code.call("missing", &[])).contains("no entry `missing`"));
    // … and does no harm.
    assert_eq!(code.call("read32", &[0]).unwrap() & 0xff, 0xed);
}

#[test]
fn a_device_reaches_arena_and_pool_by_itself() {
    let (machine, bar) = edu();
    // Its DMA engine has 28 address bits: below 256 MiB.
    let mut device = attach(&machine, bar.window("r"));
    let pool = device.client_pool();
    let ram = machine.ram(4096, 4096).unwrap();
    let mut code = device.direct().unwrap();
    machine
        .write(ram.dma(), Width::B64, 0x0123_4567_89ab_cdef)
        .unwrap();
    machine
        .write(ram.dma() + 8, Width::B64, 0xfedc_ba98_7654_3210)
        .unwrap();
    assert!(!pool.holds(pool.size() as u64, 1));
    let mut dma = |from: u64, to: u64, command: u64| {
        // 64-bit stores: source, destination, count, and the command that starts it.
        for (at, value) in [(0x80, from), (0x88, to), (0x90, 16), (0x98, command)] {
            code.call("write64", &[at, value]).unwrap();
        }
        for _ in 0..1000 {
            if code.call("read64", &[0x98]).unwrap() & 1 == 0 {
                return;
            }
            machine.pause(1_000_000);
        }
        panic!("the copy does not end");
    };
    // Into the device's buffer at 0x40000, and from there to another place.
    dma(ram.dma(), 0x40000, 1);
    dma(0x40000, ram.dma() + 0x100, 3);
    assert_eq!(
        machine.read(ram.dma() + 0x100, Width::B64).unwrap(),
        0x0123_4567_89ab_cdef
    );
    assert_eq!(
        machine.read(ram.dma() + 0x108, Width::B64).unwrap(),
        0xfedc_ba98_7654_3210
    );
}

/// A network card with registers of 8, 16 and 32 bits, by memory and by ports (RTL8139C data sheet 1.1).
fn card(cable: &peer::Cable, by_port: bool) -> (Machine, Window) {
    let config = Config::q35()
        .args(cable.netdev("n0"))
        .args(["-device", "rtl8139,netdev=n0,mac=52:54:00:12:34:56"]);
    let machine = Machine::start(config).unwrap();
    let found = pci::scan(&machine).unwrap();
    let card = found.iter().find(|f| f.vendor == 0x10ec).unwrap();
    let bar = card.bar(if by_port { 0 } else { 1 }).unwrap();
    assert_eq!(bar.kind == WindowKind::Port, by_port);
    (machine, bar.window("r"))
}

fn frames(by_port: bool) {
    let cable = peer::Cable::new().unwrap();
    let (machine, window) = card(&cable, by_port);
    let ram = machine.ram(64 << 10, 4096).unwrap();
    let mut device = attach(&machine, window);
    let mut r = Registers(device.direct().unwrap(), by_port);
    // 8 bits: the station address.
    let mac: Vec<u64> = (0..6).map(|at| r.read(at, 8)).collect();
    assert_eq!(mac, [0x52, 0x54, 0, 0x12, 0x34, 0x56]);
    r.write(0x37, 8, 0x10);
    assert_eq!(r.read(0x37, 8) & 0x10, 0, "reset ends");
    r.write(0x37, 8, 0x0c);
    r.write(0x40, 32, 0x0300_0700);
    r.write(0x30, 32, ram.dma());
    r.write(0x44, 32, 0xe78f);
    // 16 bits: a register that keeps what is written.
    r.write(0x3c, 16, 0x8015);
    assert_eq!(r.read(0x3c, 16), 0x8015);

    // A frame out, fetched by the card from the shared RAM.
    let frame: Vec<u8> = (0..100)
        .map(|n| if n < 6 { 0xff } else { n as u8 })
        .collect();
    for (n, byte) in frame.iter().enumerate() {
        machine
            .write(ram.dma() + 0x8000 + n as u64, Width::B8, u64::from(*byte))
            .unwrap();
    }
    r.write(0x20, 32, ram.dma() + 0x8000);
    r.write(0x10, 32, frame.len() as u64);
    let sent = cable.receive(Duration::from_secs(5)).unwrap();
    assert_eq!(sent.as_deref(), Some(&frame[..]));
    assert_eq!(r.read(0x3e, 16) & 4, 4, "it says that it was sent");

    // A frame in, stored by the card behind a header of four bytes.
    let answer: Vec<u8> = [0x52, 0x54, 0, 0x12, 0x34, 0x56]
        .into_iter()
        .chain(6..90)
        .collect();
    cable.send(&answer).unwrap();
    let mut waited = 0;
    while r.read(0x37, 8) & 1 != 0 {
        waited += 1;
        assert!(waited < 5000, "no frame came in");
        machine.pause(100_000);
    }
    let word = machine.read(ram.dma(), Width::B32).unwrap();
    assert_eq!((word & 1, word >> 16), (1, answer.len() as u64 + 4));
    for (n, byte) in answer.iter().enumerate() {
        let got = machine.read(ram.dma() + 4 + n as u64, Width::B8).unwrap();
        assert_eq!(got, u64::from(*byte), "byte {n}");
    }
}

#[test]
fn frames_go_out_and_come_in_by_memory() {
    frames(false);
}

#[test]
fn frames_go_out_and_come_in_by_ports() {
    frames(true);
}

#[test]
fn narrow_port_reads_keep_the_rest_of_the_register() {
    let cable = peer::Cable::new().unwrap();
    let (machine, window) = card(&cable, true);
    let mut device = attach(&machine, window);
    let mut code = device.direct().unwrap();
    assert_eq!(code.call("in8", &[0]).unwrap(), u64::MAX << 8 | 0x52);
    assert_eq!(code.call("in16", &[0]).unwrap(), u64::MAX << 16 | 0x5452);
    assert_eq!(code.call("in32", &[0]).unwrap(), 0x1200_5452);
}
