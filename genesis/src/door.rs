//! The handover: what every door (boot protocol) passes on to `main`, in one form.

use crate::memory::{self, Ranges};
use abi::boot::Range;
use abi::layout::PAGE;
use abi::options;
use alloc::{string::String, vec::Vec};
use machine::{Fact, MemoryRange, Source, Value};

extern "C" {
    static mut stack_low: [u64; 8];
}

/// Written to the lowest words of the stack, which nothing should ever reach.
const UNTOUCHED: [u64; 8] = [0x756e_746f_7563_6864; 8];

fn mark_stack() {
    // SAFETY: the lowest words of the stack, far below what is in use when the door runs.
    unsafe { (&raw mut stack_low).write_volatile(UNTOUCHED) };
}

/// Stops the machine if the stack was ever full: what lies below it may be damaged.
pub fn check_stack() {
    // SAFETY: as in `mark_stack`.
    if unsafe { (&raw const stack_low).read_volatile() } != UNTOUCHED {
        crate::stop!("the stack of genesis was full: a rule or table nests too deep");
    }
}

/// Where the description of the machine is. Each door knows one of them.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code)]
pub enum Firmware {
    None,
    /// Physical address of the root pointer, or 0.
    Acpi {
        rsdp: u64,
    },
    /// Physical address and bytes of the blob.
    Devicetree {
        at: u64,
        size: u64,
    },
}

pub struct Handover {
    /// Counter at the first instruction.
    pub ticks: u64,
    pub firmware: Firmware,
    /// The program given beside the image, if any.
    pub module: Option<Range>,
    /// The memory map as the firmware gave it.
    pub map: Vec<MemoryRange>,
    /// What is to be said of this boot: the door, and what it knows that is no property of the machine.
    pub boot: Vec<Fact>,
    /// The words of the command line, known or not (`abi::options`).
    pub options: Vec<String>,
    ram: Ranges,
    taken: Ranges,
    line: ([u8; options::LONGEST], usize),
    name: &'static str,
}

impl Handover {
    /// A door of this name, entered when the counter stood at `ticks`.
    pub fn new(name: &'static str, ticks: u64) -> Handover {
        Handover {
            name,
            ticks,
            boot: Vec::new(),
            firmware: Firmware::None,
            module: None,
            map: Vec::new(),
            options: Vec::new(),
            line: ([0; options::LONGEST], 0),
            ram: Ranges::EMPTY,
            taken: Ranges::EMPTY,
        }
    }

    /// Adds RAM: whole pages of it.
    pub fn ram(&mut self, base: u64, size: u64) {
        let from = base.checked_next_multiple_of(PAGE).unwrap_or(0);
        let to = base.saturating_add(size) / PAGE * PAGE;
        if from < to && !self.ram.add(from, to - from) {
            crate::log!("memory at {base:#x} is left out: too many ranges");
        }
    }

    /// Adds memory that must stay as it is for now: every page it touches.
    pub fn take(&mut self, base: u64, size: u64) {
        let from = base / PAGE * PAGE;
        let to = base.saturating_add(size).checked_next_multiple_of(PAGE);
        if !self
            .taken
            .add(from, to.unwrap_or(from).saturating_sub(from))
        {
            crate::stop!("more reserved memory ranges than {}", abi::boot::RANGES);
        }
    }

    /// Copies the command line, which may lie in memory that the heap is about to get. It ends at a zero byte.
    pub fn command_line(&mut self, bytes: impl Iterator<Item = u8>) {
        let (line, length) = &mut self.line;
        for (to, from) in line.iter_mut().zip(bytes.take_while(|byte| *byte != 0)) {
            *to = from;
            *length += 1;
        }
    }

    /// The heap works from here on.
    pub fn start_memory(&mut self) {
        mark_stack();
        self.ram.join();
        self.taken.join();
        let (line, length) = &self.line;
        let line = line.get(..*length).unwrap_or_default();
        if options::words(line).any(|word| word == options::BLIND) {
            // The firmware's word for it does not count: only what holds what is stored, above this very code.
            self.ram = memory::stood_on(&self.taken);
        }
        memory::start(self.ram, self.taken);
        self.boot.push(Fact {
            name: "door".into(),
            value: Value::Text(self.name.into()),
            source: Source::Inferred,
        });
        self.options = options::words(line).map(String::from).collect();
        for word in &self.options {
            if !options::known(word) {
                crate::log!("the command line's word {word:?} means nothing here");
            }
            let asks = |option: &&str| word.starts_with(*option);
            if !cfg!(feature = "faults") && [options::FAULT, options::HANG].iter().any(asks) {
                crate::log!(
                    "{word}: this image was built without what makes things fail (the feature `faults`): nothing does"
                );
            }
        }
    }
}
