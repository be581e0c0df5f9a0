//! Discovery's way to an emulated machine from outside.

use super::processor::Processor;
use anyhow::Result;
use discovery::Hardware;
use graph::Width;

/// One access that discovery made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    pub port: bool,
    pub at: u64,
    /// Bytes.
    pub size: u64,
    pub write: bool,
}

/// A machine that is reached through the emulator. Every access is counted.
pub struct Outside {
    emulator: qtest::Machine,
    processor: Processor,
    errors: Vec<String>,
    pub accesses: Vec<Access>,
}

/// The emulator's back door for guest tools takes its answer from the registers of the processor that reads the port; there is
/// none, and it would crash.
const BACK_DOOR: std::ops::Range<u16> = 0x5658..0x565c;
/// Most errors that are kept.
const MOST: usize = 16;

impl Outside {
    pub fn new(emulator: &qtest::Machine) -> Result<Outside> {
        Ok(Outside {
            emulator: emulator.clone(),
            processor: Processor::asked(emulator)?,
            errors: Vec::new(),
            accesses: Vec::new(),
        })
    }

    /// Accesses that the emulator refused, in sentences.
    pub fn complaints(&self) -> Vec<String> {
        let told = |error: &String| format!("from outside: {error}");
        self.errors.iter().map(told).collect()
    }

    fn count(&mut self, port: bool, at: u64, size: u64, write: bool) {
        self.accesses.push(Access {
            port,
            at,
            size,
            write,
        });
    }

    fn note<T>(&mut self, result: qtest::Result<T>) -> Option<T> {
        result
            .map_err(|error| {
                if self.errors.len() < MOST {
                    self.errors.push(error.to_string());
                }
            })
            .ok()
    }
}

fn width(bits: u32) -> Width {
    match bits {
        8 => Width::B8,
        16 => Width::B16,
        32 => Width::B32,
        _ => Width::B64,
    }
}

impl Hardware for Outside {
    fn read(&mut self, physical: u64, bits: u32) -> Option<u64> {
        self.count(false, physical, u64::from(bits / 8), false);
        let value = self.emulator.read(physical, width(bits));
        self.note(value)
    }

    fn write(&mut self, physical: u64, bits: u32, value: u64) {
        self.count(false, physical, u64::from(bits / 8), true);
        let done = self.emulator.post_write(physical, width(bits), value);
        self.note(done);
    }

    fn copy(&mut self, physical: u64, to: &mut [u8]) -> bool {
        self.count(false, physical, to.len() as u64, false);
        let done = self.emulator.copy(physical, to);
        self.note(done).is_some()
    }

    fn port_read(&mut self, port: u16, bits: u32) -> u64 {
        self.count(true, port.into(), u64::from(bits / 8), false);
        if self.emulator.arch() != qtest::Arch::X86_64 || BACK_DOOR.contains(&port) {
            return width(bits).mask();
        }
        let value = self.emulator.port_in(port, width(bits));
        self.note(value).unwrap_or(width(bits).mask())
    }

    fn port_write(&mut self, port: u16, bits: u32, value: u64) {
        self.count(true, port.into(), u64::from(bits / 8), true);
        if self.emulator.arch() == qtest::Arch::X86_64 && !BACK_DOOR.contains(&port) {
            let done = self.emulator.post_port_out(port, width(bits), value);
            self.note(done);
        }
    }

    fn cpuid(&mut self, leaf: u32, sub: u32) -> [u32; 4] {
        self.processor.cpuid(leaf, sub)
    }

    fn register(&mut self, number: u32) -> Option<u64> {
        self.processor.register(number)
    }

    fn ram_write(&mut self, physical: u64, bits: u32, value: u64) -> bool {
        let done = self.emulator.post_write(physical, width(bits), value);
        self.note(done).is_some()
    }

    fn ram_read(&mut self, physical: u64, bits: u32) -> Option<u64> {
        let value = self.emulator.read(physical, width(bits));
        self.note(value)
    }
}
