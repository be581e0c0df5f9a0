//! A residual on a device.

use super::beside::{self, Beside};
use super::body::{door, Body, Carrier, Disturb, Event, Library, DOORS};
use super::driver::Driver;
use super::fault::{self, Engine};
use super::lanes::Lanes;
use super::platform::Platform;
use super::text::Text;
use crate::guard::Guarded;
use crate::live::shared;
use crate::memory::Mapping;
use crate::window::{Touch, Windows};
use crate::{Error, Machine, Result};
use abi::context::WINDOWS;
use abi::ring::BYTES;
use classes::memory::Places;
use classes::{Area, Class, Memory, Pool, Pump, Residual, Units};
use graph::WindowKind;
use std::cell::RefCell;
use std::fs::File;
use std::path::Path;

/// Most lanes of one driver.
const LANES: u64 = 16;

/// Bytes of the client's pool.
const POOL: usize = 512 << 10;

/// What was emitted.
pub struct Blob<'a> {
    pub code: &'a [u8],
    /// Name and byte offset of each entry.
    pub entries: Vec<(&'a str, u32)>,
    /// Windows (with their bases on this machine), sizes, names of upcalls and failures. The graph is not looked at.
    pub residual: &'a graph::Residual,
}

impl<'a> Blob<'a> {
    /// `entries` gives offset and size of each of the residual's entries, in its order.
    pub fn new(residual: &'a graph::Residual, code: &'a [u8], entries: &[(u32, u32)]) -> Blob<'a> {
        let offsets = entries.iter().map(|(at, _)| *at);
        Blob {
            code,
            entries: names_of(residual).into_iter().zip(offsets).collect(),
            residual,
        }
    }
}

fn names_of(residual: &graph::Residual) -> Vec<&str> {
    let entries = residual.entries.iter();
    entries.map(|entry| entry.name.as_str()).collect()
}

/// Names and byte offsets of the entries, if every entry has code and the code can be run.
fn fitting<'a>(blob: &Blob<'a>) -> Result<(Vec<&'a str>, Vec<u32>)> {
    let residual = blob.residual;
    if residual.windows.len() > WINDOWS {
        return Err(Error::Other(format!("more than {WINDOWS} windows")));
    }
    if blob
        .entries
        .iter()
        .any(|(_, at)| *at as usize >= blob.code.len())
    {
        return Err(Error::Other("an entry lies outside the code".into()));
    }
    let has_code = |name: &str| blob.entries.iter().any(|(known, _)| *known == name);
    if !residual.entries.iter().all(|entry| has_code(&entry.name)) {
        return Err(Error::Other("an entry has no code".into()));
    }
    Ok(blob.entries.iter().copied().unzip())
}

/// Code, windows and memory of one residual, on one machine.
pub struct Device {
    pub(super) engine: Engine,
    entries: Vec<String>,
    upcalls: Vec<String>,
    failures: Vec<String>,
    /// What `state` maps: another process may, too.
    state_file: File,
    state: Mapping,
    arena: Guarded,
    pool: Guarded,
    rings: Mapping,
}

impl Device {
    /// Code for the processor of this process.
    pub fn attach(machine: &Machine, blob: Blob) -> Result<Device> {
        let (names, offsets) = fitting(&blob)?;
        let body = Body::Code(Text::new(blob.code, &offsets)?);
        Device::with(machine, blob.residual, &names, body)
    }

    /// Code for arm64, in an emulated processor of its own; `program` is what runs it there (package `arm64-side`,
    /// compiled for arm64 without an operating system).
    ///
    /// # Errors
    /// When the emulator or the program cannot be started.
    pub fn beside(machine: &Machine, blob: Blob, program: &Path) -> Result<Device> {
        let (names, offsets) = fitting(&blob)?;
        let nobody = Body::Code(Text::new(&[], &[])?);
        let mut device = Device::with(machine, blob.residual, &names, nobody)?;
        let memory = beside::Memory {
            machine,
            state: (&device.state_file, &device.state),
            arena: device.arena.inside,
            pool: device.pool.inside,
        };
        let windows = &blob.residual.windows;
        device.engine.body = Body::Beside(Beside::start(
            program, blob.code, &offsets, windows, &memory,
        )?);
        Ok(device)
    }
    /// The same driver, carried out by the interpreter.
    pub fn interpret(machine: &Machine, residual: &graph::Residual) -> Result<Device> {
        Device::disturbed(machine, residual, None)
    }

    /// By the interpreter, with something between it and the device.
    pub fn disturbed(
        machine: &Machine,
        residual: &graph::Residual,
        disturb: Option<Box<dyn Disturb>>,
    ) -> Result<Device> {
        let body = Body::Graph {
            residual: Box::new(residual.clone()),
            disturb: RefCell::new(disturb),
        };
        Device::with(machine, residual, &names_of(residual), body)
    }

    /// The same driver, by somebody else. Of the residual only names, windows and sizes count.
    ///
    /// # Errors
    /// When the machine has no memory left.
    pub fn carried(
        machine: &Machine,
        residual: &graph::Residual,
        carrier: Box<dyn Carrier>,
    ) -> Result<Device> {
        let body = Body::Carried {
            residual: Box::new(residual.clone()),
            carrier: RefCell::new(carrier),
        };
        Device::with(machine, residual, &names_of(residual), body)
    }

    /// The same driver, by what a C compiler made of its C view.
    pub fn compiled(
        machine: &Machine,
        residual: &graph::Residual,
        library: Library,
    ) -> Result<Device> {
        let functions: Vec<String> = (0..residual.entries.len())
            .map(|entry| graph::view::c_function(residual, entry))
            .collect();
        let text = Text::of_library(library, &functions)?;
        Device::with(machine, residual, &names_of(residual), Body::Code(text))
    }

    /// `entries` are the names of the body's entries, in its order.
    fn with(
        machine: &Machine,
        residual: &graph::Residual,
        entries: &[&str],
        body: Body,
    ) -> Result<Device> {
        let windows = Windows::new(machine, residual.windows.clone());
        let (read, write) = (libc::PROT_READ, libc::PROT_WRITE);
        let align = u64::from(residual.arena_align.max(1));
        let state_file = tempfile::tempfile()?;
        let state_size = (residual.state_size as usize).max(1).next_multiple_of(4096);
        state_file.set_len(state_size as u64)?;
        Ok(Device {
            engine: Engine::new(body, windows)?,
            entries: entries.iter().map(|name| name.to_string()).collect(),
            upcalls: residual.upcalls.clone(),
            failures: residual.failures.clone(),
            state: Mapping::shared(&state_file, state_size)?,
            state_file,
            arena: Guarded::new(machine, (residual.arena_size as usize).max(1), align)?,
            pool: Guarded::new(machine, POOL, 4096)?,
            rings: Mapping::private(BYTES * LANES as usize, read | write)?,
        })
    }

    /// A driver of a class with requests: a pump around the code. Not started yet.
    pub fn pump(&mut self, class: Class, facts: impl Into<Units>) -> Result<Driver<'_>> {
        self.pump_on(0, class, facts)
    }

    /// The same for one lane of the driver, as if it were the first to start.
    pub fn pump_on(
        &mut self,
        lane: u64,
        class: Class,
        facts: impl Into<Units>,
    ) -> Result<Driver<'_>> {
        let (pump, area) = self.one_pump(lane, class, facts.into())?;
        Ok(Driver::new(self, pump, area))
    }

    /// All lanes of a driver, each with requests and answers of its own.
    pub fn lanes(
        &mut self,
        count: u64,
        class: Class,
        facts: impl Into<Units>,
    ) -> Result<Lanes<'_>> {
        let units: Units = facts.into();
        let lanes = (0..count).map(|lane| self.one_pump(lane, class, units));
        let lanes = lanes.collect::<Result<Vec<_>>>()?;
        Ok(Lanes::new(self, lanes))
    }

    fn one_pump(&self, lane: u64, class: Class, facts: Units) -> Result<(Pump, Area)> {
        if lane >= LANES {
            return Err(Error::Other(format!("more than {LANES} lanes")));
        }
        let place = self.rings.base().wrapping_add(lane as usize * BYTES);
        // SAFETY: pages of a mapping that lives as long as the device, which the driver borrows; no other lane's.
        let area = unsafe { Area::new(place) };
        let failures = self.failures.iter().map(String::as_str);
        // SAFETY: the doors have the shape of entries, and lead to this residual's while the engine runs it; what it
        // does to memory is what this test is about.
        let residual = unsafe { Residual::from_functions(self.doors()?, failures) };
        let upcalls = self.upcalls.iter().map(String::as_str);
        let pump = residual
            .and_then(|code| {
                let memory = self.memory().on_lane(lane);
                Pump::new(class, facts, code, upcalls, memory, area.driver_to_be())
            })
            .map_err(|unfit| Error::Other(unfit.to_string()))?;
        Ok((pump, area))
    }

    /// Each entry by name, and where it is entered.
    pub(super) fn doors(&self) -> Result<Vec<(&str, *const u8)>> {
        let named = self.entries.iter().enumerate();
        named
            .map(|(number, name)| match door(number) {
                Some(door) => Ok((name.as_str(), door)),
                None => Err(Error::Other(format!("more than {DOORS} entries"))),
            })
            .collect()
    }

    /// A driver of a direct class: its entries are called one by one.
    pub fn direct(&mut self) -> Result<Platform<'_>> {
        Platform::new(self)
    }

    /// The client's buffers.
    pub fn client_pool(&self) -> Pool {
        shared(&self.pool.inside)
    }

    /// Arena, pool and state are as somebody else left them: nothing in them is as a driver would have it.
    pub fn overwrite(&self) {
        self.arena.overwrite();
        self.pool.overwrite();
        // SAFETY: the state is mapped for its size as long as the device, and the code that uses it does not run.
        unsafe { core::ptr::write_bytes(self.state.base(), 0xa5, self.state.size()) };
    }

    /// The addresses of the arena, as the device sees them.
    pub fn arena(&self) -> std::ops::Range<u64> {
        let arena = &self.arena.inside;
        arena.dma..arena.dma + arena.size as u64
    }

    /// What arena and pool hold, one behind the other.
    pub fn memory_seen_by_device(&self) -> Vec<u8> {
        let mut bytes = self.arena.bytes();
        bytes.extend(self.pool.bytes());
        bytes
    }

    /// Calls, accesses and returns in order.
    pub fn events(&self) -> Vec<Event> {
        self.engine.events()
    }

    /// Every access to the device so far, in order.
    pub fn trace(&self) -> Vec<Touch> {
        self.engine.windows.trace()
    }

    pub fn clear_trace(&self) {
        self.engine.forget();
    }

    pub fn machine(&self) -> &Machine {
        &self.engine.windows.machine
    }

    pub(super) fn memory(&self) -> Memory {
        let mut windows = [0; WINDOWS];
        let known = self.engine.windows.list.iter().zip(&self.engine.ranges);
        for (place, (window, range)) in windows.iter_mut().zip(known) {
            *place = match (window.kind, range) {
                (WindowKind::Memory, Some(range)) => range.base() as u64,
                (WindowKind::Port, _) => window.base,
                _ => 0,
            };
        }
        // SAFETY: all are mapped as long as the device, do not overlap, and are used by this residual only.
        unsafe {
            Memory::new(Places {
                state: self.state.base(),
                state_size: self.state.size(),
                arena: self.arena.inside.base,
                arena_size: self.arena.inside.size,
                arena_dma: self.arena.inside.dma,
                pool: self.pool.inside.base,
                pool_size: self.pool.inside.size,
                pool_dma: self.pool.inside.dma,
                windows,
                clock: fault::clock,
                pause: fault::pause,
            })
        }
    }
}

impl Device {
    /// Whether the memory around arena and pool is as it was.
    ///
    /// # Errors
    /// When a device, or the driver, wrote beyond what the driver was given.
    pub fn unharmed(&self) -> Result<()> {
        for (what, memory) in [("arena", &self.arena), ("pool", &self.pool)] {
            if let Some(at) = memory.broken() {
                let size = memory.inside.size as i64;
                let place = if at < 0 { at } else { size + at };
                return Err(Error::Other(format!(
                    "memory outside of the {what} was written to, at {place} of its {size} bytes"
                )));
            }
        }
        Ok(())
    }
}

/// Every test of a driver, whatever it is about, ends with a look at the memory around the driver's own.
impl Drop for Device {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            if let Err(error) = self.unharmed() {
                panic!("{error}");
            }
        }
    }
}
