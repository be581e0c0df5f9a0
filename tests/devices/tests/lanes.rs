//! What belongs to a CPU, of rules for interrupt controllers: written for a board of four, whose registers answer by the CPU
//! that asks. Each sets up its own, and nothing of what one keeps is seen by another. (The emulator's own models of these
//! cannot be reached from the host; disks with several lanes are tried by `rule test`.)

use device_tests::*;
use graph::{interpret, Access, Conduit, Fence, Late, Space, Width, WindowKind};
use machine::{Arch, Device, Machine, Source, Value, Window};
use rulebook::tree::Book;
use std::collections::BTreeMap;
use synthesis::{LiveAccess, Subject, Written};

const CPUS: u64 = 4;
const SPURIOUS: u64 = 0xff;

/// `op0.op1.CRn.CRm.op2` as accesses number it.
const fn system(op0: u64, op1: u64, crn: u64, crm: u64, op2: u64) -> u64 {
    op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2
}

const DISTRIBUTOR: u64 = 0x0800_0000;
const BANK: u64 = 0x080a_0000;
/// Two frames of 64 KiB each.
const REDISTRIBUTOR: u64 = 0x2_0000;
const MPIDR: u64 = system(3, 0, 0, 0, 5);
const PMR: u64 = system(3, 0, 4, 6, 0);

/// Registers that remember: those of a bank, and the processor's own, for each CPU by itself.
#[derive(Default)]
struct Board {
    lane: u64,
    windows: Vec<graph::Window>,
    /// `(CPU, place)`; what all share is CPU 0's.
    held: BTreeMap<(u64, u64), u64>,
    state: Vec<u8>,
    /// `(CPU, place, value)` of each write, in order.
    written: Vec<(u64, u64, u64)>,
}

impl Board {
    fn place(&self, window: u8, at: u64) -> u64 {
        self.windows[usize::from(window)].base + at
    }

    fn whose(&self, window: u8, place: u64) -> u64 {
        match self.windows[usize::from(window)].kind {
            WindowKind::Memory if !(BANK..BANK + 0x1_0000).contains(&place) => 0,
            _ => self.lane,
        }
    }
}

impl LiveAccess for Board {
    fn open(&mut self, index: u8, window: &graph::Window) -> bool {
        assert_eq!(usize::from(index), self.windows.len());
        self.windows.push(window.clone());
        true
    }
}

impl Access for Board {
    fn read(&mut self, window: u8, at: u64, _: Width) -> u64 {
        let place = self.place(window, at);
        let memory = self.windows[usize::from(window)].kind == WindowKind::Memory;
        if !memory && at == MPIDR {
            return 0x8000_0000 | self.lane;
        }
        let held = self.held.get(&(self.whose(window, place), place)).copied();
        held.unwrap_or(0)
    }
    fn write(&mut self, window: u8, at: u64, _: Width, value: u64) {
        let place = self.place(window, at);
        self.held.insert((self.whose(window, place), place), value);
        self.written.push((self.lane, place, value));
    }
    fn load(&mut self, space: Space, at: u64, width: Width) -> u64 {
        assert_eq!(space, Space::State);
        let mut word = [0; 8];
        let bytes = width.bytes() as usize;
        word[..bytes].copy_from_slice(&self.state[at as usize..at as usize + bytes]);
        u64::from_le_bytes(word)
    }
    fn store(&mut self, space: Space, at: u64, width: Width, value: u64) {
        assert_eq!(space, Space::State);
        let bytes = width.bytes() as usize;
        self.state[at as usize..at as usize + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
    }
    fn fence(&mut self, _: Fence) {}
    fn late(&mut self, late: Late) -> u64 {
        assert_eq!(late, Late::Lane);
        self.lane
    }
    fn clock(&mut self) -> u64 {
        0
    }
    fn pause(&mut self, _: u64) {}
    fn up(&mut self, _: u8, _: &[u64]) -> u64 {
        0
    }
    fn firmware(&mut self, _: Conduit, _: [u64; 4]) -> u64 {
        0
    }
}

fn window(index: u8, base: u64, size: u64) -> Window {
    Window {
        index,
        kind: machine::WindowKind::Memory,
        base,
        size,
        source: Source::Probe,
    }
}

/// A driver for all CPUs of the board: learned by the first, then by each of the others for itself.
fn driver(arch: Arch, device: &Device, class: &str, board: &mut Board) -> Written {
    let book = rulebook();
    let mut device = device.clone();
    let mut machine = machine_of(arch, &device);
    machine.facts.push(fact("cpus", Value::Number(CPUS)));
    fn subject<'a>(
        book: &'a Book,
        machine: &'a Machine,
        device: &'a Device,
        given: &'a [(&'a str, u64)],
    ) -> Subject<'a> {
        Subject {
            book,
            machine,
            device,
            given,
        }
    }
    let verdict =
        synthesis::match_device(subject(&book, &machine, &device, &synthesis::GIVEN), None);
    let mut chosen = verdict.chosen.into_iter();
    let choice = chosen.find(|choice| choice.class == class);
    let choice = choice.expect("a rule fits");
    board.state = vec![0; 4096];
    for lane in 0..CPUS {
        let mut given = synthesis::GIVEN.to_vec();
        given.push(("lane", lane));
        board.lane = lane;
        board.windows.clear();
        let subject = subject(&book, &machine, &device, &given);
        let learned = match lane {
            0 => synthesis::learn(subject, &choice, board),
            _ => synthesis::learn_joining(subject, &choice, board),
        };
        let learned = learned.unwrap_or_else(|e| panic!("CPU {lane}: {}", e.show(&book)));
        device.learned.extend(learned);
    }
    let written = synthesis::specialise(
        subject(&book, &machine, &device, &synthesis::GIVEN),
        &choice,
    );
    let written = written.unwrap_or_else(|e| panic!("{}", e.show(&book)));
    written.residual.validate().expect("a well-formed graph");
    let target = match arch {
        Arch::X86_64 => emit::Target::X86_64,
        Arch::Aarch64 => emit::Target::Aarch64,
    };
    emit::emit(&written.residual, target).expect("code");
    board.windows = written.residual.windows.clone();
    board.state = vec![0; written.residual.state_size as usize];
    board.written.clear();
    written
}

/// Status or value of an entry, called on a CPU.
fn call(board: &mut Board, written: &Written, lane: u64, entry: &str, words: &[u64]) -> u64 {
    board.lane = lane;
    let at = written
        .residual
        .entries
        .iter()
        .position(|e| e.name == entry);
    let at = at.unwrap_or_else(|| panic!("no entry {entry}"));
    let end = interpret::run(&written.residual, at, words, board);
    assert_eq!(end.fault, None, "{entry} on CPU {lane}");
    end.status
}

/// All CPUs come up; where each wrote.
fn come_up(board: &mut Board, written: &Written) -> Vec<Vec<u64>> {
    for lane in 0..CPUS {
        let entry = if lane == 0 { "init" } else { "join" };
        assert_eq!(call(board, written, lane, entry, &[]), abi::status::OK);
    }
    let of = |lane: u64| {
        let own = board.written.iter().filter(|(cpu, ..)| *cpu == lane);
        own.map(|(_, place, _)| *place).collect()
    };
    (0..CPUS).map(of).collect()
}

#[test]
fn each_cpu_keeps_the_sender_of_what_it_serves() {
    let mut device = Device::new("board/intc".into(), "platform");
    device.facts = vec![fact("compatible", Value::Texts(vec!["arm,gic-400".into()]))];
    device.windows = vec![window(0, DISTRIBUTOR, 0x1_0000), window(1, BANK, 0x1_0000)];
    let mut board = Board::default();
    let written = driver(Arch::Aarch64, &device, "vectors", &mut board);
    let places = come_up(&mut board, &written);
    assert!(places
        .iter()
        .all(|own| *own == places[0] && own.contains(&BANK)));
    // IAR (0x0c) names the sender in bits 10 to 12, and EOIR (0x10) wants it back.
    for lane in 0..CPUS {
        board
            .held
            .insert((lane, BANK + 0x0c), (7 - lane) << 10 | lane);
        assert_eq!(call(&mut board, &written, lane, "take", &[]), lane);
    }
    board.written.clear();
    for lane in [2, 0, 3, 1] {
        call(&mut board, &written, lane, "end", &[lane]);
    }
    let ended = [2u64, 0, 3, 1].map(|lane| (lane, BANK + 0x10, (7 - lane) << 10 | lane));
    assert_eq!(board.written, ended);
}

#[test]
fn each_cpu_finds_and_wakes_its_own_redistributor() {
    let mut device = Device::new("board/intc".into(), "platform");
    device.facts = vec![fact("compatible", Value::Texts(vec!["arm,gic-v3".into()]))];
    device.windows = vec![
        window(0, DISTRIBUTOR, 0x1_0000),
        window(1, 0x0900_0000, 0xf6_0000),
    ];
    let mut board = Board::default();
    for lane in 0..CPUS {
        // GICR_TYPER: the affinity of its CPU, and whether it is the last.
        let last = u64::from(lane == CPUS - 1) << 4;
        let place = 0x0900_0000 + lane * REDISTRIBUTOR + 8;
        board.held.insert((0, place), lane << 32 | last);
    }
    let written = driver(Arch::Aarch64, &device, "vectors", &mut board);
    let places = come_up(&mut board, &written);
    for (lane, own) in (0..).zip(&places) {
        let frame = 0x0900_0000 + lane * REDISTRIBUTOR;
        let memory = own.iter().filter(|place| **place >= 0x0900_0000);
        assert!(memory.clone().count() > 8);
        for place in memory {
            assert!(
                (frame..frame + REDISTRIBUTOR).contains(place),
                "CPU {lane} wrote {place:#x}"
            );
        }
        assert_eq!(board.held.get(&(lane, PMR)), Some(&0xff), "CPU {lane}");
    }
    // A CPU that is not where it was found is noticed: its frame is another's now.
    let swapped = board.held.insert((0, 0x0900_0000 + 8), 3 << 32);
    assert!(swapped.is_some());
    board
        .held
        .insert((0, 0x0900_0000 + 3 * REDISTRIBUTOR + 8), 1 << 4);
    assert_eq!(
        call(&mut board, &written, 3, "join", &[]),
        abi::status::CHANGED
    );
    assert_eq!(call(&mut board, &written, 2, "join", &[]), abi::status::OK);
}

#[test]
fn each_cpu_turns_its_local_controller_on() {
    let mut device = Device::new("cpu/0".into(), "cpu");
    device.facts = vec![fact("apic", Value::Flag(true))];
    device.windows = vec![window(0, BANK, 0x1000)];
    let mut board = Board::default();
    let written = driver(Arch::X86_64, &device, "vectors", &mut board);
    let places = come_up(&mut board, &written);
    assert!(places.iter().all(|own| *own == places[0] && own.len() == 5));
    for lane in 0..CPUS {
        let held = board.held.get(&(lane, BANK + 0xf0));
        assert_eq!(held, Some(&(1 << 8 | SPURIOUS)), "CPU {lane}");
    }
}
