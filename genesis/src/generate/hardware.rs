//! The machine itself as [`graph::Access`]: the first run of a rule's `init`, and the clues that look at registers.

use super::clock;
use crate::{arch, memory, paging, probe};
use alloc::{format, string::String, vec, vec::Vec};
use graph::{Access, Conduit, Fence, Late, Space, Width, WindowKind};
use synthesis::LiveAccess;

/// Bytes of arena and pool for a first run.
const ARENA: u64 = 64 * 1024;
const POOL: u64 = 4096;
const STATE: usize = 16 * 1024;

pub struct Hardware {
    windows: Vec<graph::Window>,
    state: Vec<u8>,
    arena: u64,
    arena_size: u64,
    pool: u64,
    pool_size: u64,
    /// The first thing that went wrong.
    fault: Option<String>,
}

impl Hardware {
    pub fn new() -> Hardware {
        Hardware {
            windows: Vec::new(),
            state: vec![0; STATE],
            arena: memory::scratch(ARENA, 4096),
            arena_size: ARENA,
            pool: memory::scratch(POOL, 4096),
            pool_size: POOL,
            fault: None,
        }
    }

    /// For clues: they touch registers only.
    pub fn for_probing() -> Hardware {
        Hardware { windows: Vec::new(), state: Vec::new(), arena: 0, arena_size: 0, pool: 0, pool_size: 0, fault: None }
    }

    pub fn fault(&mut self) -> Option<String> {
        self.fault.take()
    }

    fn note(&mut self, what: String) {
        self.fault.get_or_insert(what);
    }

    /// Where bytes of arena or pool are.
    fn place(&mut self, space: Space, at: u64, width: Width) -> Option<u64> {
        let (base, size) = match space {
            Space::Arena => (self.arena, self.arena_size),
            Space::Pool => (self.pool, self.pool_size),
            Space::State => return None,
        };
        let end = at.checked_add(u64::from(width.bytes()))?;
        if end > size {
            self.note(format!("init needs more than {size} bytes of {space:?}"));
            return None;
        }
        Some(base + at)
    }
}

impl LiveAccess for Hardware {
    fn open(&mut self, index: u8, window: &graph::Window) -> bool {
        if usize::from(index) != self.windows.len() {
            return false;
        }
        if window.kind == WindowKind::Memory {
            paging::device(window.base, window.size);
        }
        self.windows.push(window.clone());
        true
    }
}

impl Access for Hardware {
    fn read(&mut self, window: u8, at: u64, width: Width) -> u64 {
        let Some(place) = self.windows.get(usize::from(window)) else { return u64::MAX };
        let (kind, base) = (place.kind, place.base);
        let value = match kind {
            WindowKind::Port => Ok(arch::port_read((base + at) as u16, width.bits())),
            WindowKind::Memory => probe::read(base.wrapping_add(at), width.bits()).map_err(|f| f.address),
            WindowKind::System | WindowKind::Model => arch::special_register((base + at) as u32, None).ok_or(at),
        };
        match value {
            Ok(value) => value,
            Err(address) => {
                self.note(format!("nothing answers a read at {address:#x}"));
                u64::MAX
            }
        }
    }

    fn write(&mut self, window: u8, at: u64, width: Width, value: u64) {
        let Some(place) = self.windows.get(usize::from(window)) else { return };
        let (kind, base) = (place.kind, place.base);
        let done = match kind {
            WindowKind::Port => {
                arch::port_write((base + at) as u16, width.bits(), value as u32);
                true
            }
            // SAFETY: the window is device memory that a table or BAR claims; no Rust value lives there.
            WindowKind::Memory => unsafe { probe::write(base.wrapping_add(at), width.bits(), value) }.is_ok(),
            WindowKind::System | WindowKind::Model => arch::special_register((base + at) as u32, Some(value)).is_some(),
        };
        if !done {
            self.note(format!("nothing takes a write at {:#x}", base.wrapping_add(at)));
        }
    }

    fn load(&mut self, space: Space, at: u64, width: Width) -> u64 {
        let count = width.bytes() as usize;
        if space == Space::State {
            let mut bytes = [0; 8];
            match self.state.get(at as usize..at as usize + count) {
                Some(from) => bytes[..count].copy_from_slice(from),
                None => self.note(format!("init needs more than {STATE} bytes of state")),
            }
            return u64::from_le_bytes(bytes);
        }
        self.place(space, at, width).and_then(|address| probe::read(address, width.bits()).ok()).unwrap_or(0)
    }

    fn store(&mut self, space: Space, at: u64, width: Width, value: u64) {
        let count = width.bytes() as usize;
        if space == Space::State {
            match self.state.get_mut(at as usize..at as usize + count) {
                Some(to) => to.copy_from_slice(&value.to_le_bytes()[..count]),
                None => self.note(format!("init needs more than {STATE} bytes of state")),
            }
            return;
        }
        if let Some(address) = self.place(space, at, width) {
            // SAFETY: scratch memory of this value alone; no Rust value lives there.
            let _ = unsafe { probe::write(address, width.bits(), value) };
        }
    }

    fn fence(&mut self, _: Fence) {
        arch::barrier();
    }

    fn late(&mut self, late: Late) -> u64 {
        match late {
            Late::ArenaDma => self.arena,
            Late::PoolDma => self.pool,
        }
    }

    fn clock(&mut self) -> u64 {
        clock::nanoseconds()
    }

    fn pause(&mut self, ns: u64) {
        clock::pause(ns);
    }

    fn up(&mut self, _: u8, _: &[u64]) -> u64 {
        0
    }

    fn firmware(&mut self, _: Conduit, _: [u64; 4]) -> u64 {
        self.note("a firmware call in `init`".into());
        u64::MAX
    }
}
