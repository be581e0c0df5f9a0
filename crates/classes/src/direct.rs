//! Direct classes (timer, vectors, lines, power, …): entries that are called one by one, with no pump around them.
//!
//! Genesis tries them here before it binds them into the nucleus; host tests call them on a device model.

use crate::memory::Memory;
use crate::residual::{Code, Unfit};
use abi::context::{Context, Upcall};
use abi::status;

/// Entries that one direct residual may have.
pub const ENTRIES: usize = 24;
const UPCALLS: usize = 8;

/// A direct residual and its surroundings. The context is the first field: upcalls find the rest from it.
#[repr(C)]
pub struct Direct<'a> {
    context: Context,
    /// How often each upcall was called.
    heard: [u64; UPCALLS],
    table: [Upcall; UPCALLS],
    entries: [Option<(&'a str, Code)>; ENTRIES],
    memory: Memory,
}

impl<'a> Direct<'a> {
    /// `entries` gives name and byte offset in the code.
    ///
    /// # Safety
    /// As for [`crate::Residual::new`]: generated, proved, executable code that stays, and offsets of its entries.
    pub unsafe fn new(
        code: *const u8,
        length: usize,
        entries: impl IntoIterator<Item = (&'a str, u32)>,
        memory: Memory,
    ) -> Result<Direct<'a>, Unfit> {
        let mut made = Direct::empty(memory);
        for (at, (name, offset)) in entries.into_iter().enumerate() {
            if offset as usize >= length {
                return Err(Unfit::Outside);
            }
            let slot = made.entries.get_mut(at).ok_or(Unfit::TooMany)?;
            *slot = Some((name, Code::at(code.wrapping_add(offset as usize))));
        }
        Ok(made)
    }

    /// From functions, each at its own address.
    ///
    /// # Safety
    /// As for [`crate::Residual::from_functions`].
    pub unsafe fn from_functions(
        functions: impl IntoIterator<Item = (&'a str, *const u8)>,
        memory: Memory,
    ) -> Result<Direct<'a>, Unfit> {
        let mut made = Direct::empty(memory);
        for (at, (name, address)) in functions.into_iter().enumerate() {
            let slot = made.entries.get_mut(at).ok_or(Unfit::TooMany)?;
            *slot = Some((name, Code::at(address)));
        }
        Ok(made)
    }

    fn empty(memory: Memory) -> Direct<'a> {
        Direct {
            context: memory.context(),
            heard: [0; UPCALLS],
            table: [
                hear::<0>, hear::<1>, hear::<2>, hear::<3>, hear::<4>, hear::<5>, hear::<6>,
                hear::<7>,
            ],
            entries: [None; ENTRIES],
            memory,
        }
    }

    /// Zeroes state and arena and calls `init`, if there is one.
    pub fn start(&mut self) -> u64 {
        self.memory.zero();
        self.call("init", [0; 4]).unwrap_or(status::OK)
    }

    /// What the entry returns; `None` if there is no such entry.
    pub fn call(&mut self, name: &str, args: [u64; 4]) -> Option<u64> {
        let [a, b, c, d] = args;
        self.call_with(name, [a, b, c, d, 0])
    }

    /// The same with as many words as any operation takes.
    pub fn call_with(&mut self, name: &str, args: [u64; 5]) -> Option<u64> {
        let (_, code) = self
            .entries
            .iter()
            .flatten()
            .copied()
            .find(|(known, _)| *known == name)?;
        let direct: *mut Direct = self;
        // SAFETY: `direct` is valid and this call's alone; the upcalls run inside it. The context's memory is valid by
        // the contract of `Memory::new`.
        let value = unsafe {
            (*direct).context.upcalls = (&raw const (*direct).table).cast();
            code.call(direct.cast::<Context>(), args)
        };
        Some(value)
    }

    pub fn has(&self, name: &str) -> bool {
        self.entries
            .iter()
            .flatten()
            .any(|(known, _)| *known == name)
    }

    /// Result word `n` of the last call.
    pub fn result(&self, n: usize) -> u64 {
        self.context.results.get(n).copied().unwrap_or(0)
    }

    /// How often upcall number `which` was called.
    pub fn heard(&self, which: usize) -> u64 {
        self.heard.get(which).copied().unwrap_or(0)
    }

    /// Private state as the calls so far left it.
    pub fn state(&self) -> &[u8] {
        self.memory.state()
    }

    /// Goes on with the private state of another that ran on the same device.
    pub fn resume(&mut self, state: &[u8]) {
        self.memory.set_state(state);
    }

    pub fn clock(&mut self) -> u64 {
        (self.context.clock)(&mut self.context)
    }

    pub fn pause(&mut self, ns: u64) {
        (self.context.pause)(&mut self.context, ns)
    }
}

extern "C" fn hear<const N: usize>(context: *mut Context, _: u64, _: u64, _: u64, _: u64) -> u64 {
    // SAFETY: reached only from `Direct::call`, which passes the address of a whole `Direct` (`repr(C)`, the context
    // first) that nothing else uses until the entry returns. The lifetime of names does not matter here.
    let direct = unsafe { &mut *context.cast::<Direct<'static>>() };
    direct.heard[N] += 1;
    0
}
