//! A device of an emulated machine with memory around it: for the first run of its rule's `init`, from outside.

use super::clues::Clues;
use graph::{Access, Conduit, Fence, Late, Space, Width, Window};
use machine::{Machine, MemoryKind};
use synthesis::LiveAccess;

/// Bytes of the driver's state, of its arena, and of the client's buffers.
const STATE: usize = 1 << 16;
const ARENA: u64 = 1 << 20;
const POOL: u64 = 1 << 18;
/// Devices with 32-bit addresses reach no further.
const REACH: u64 = 1 << 32;

/// Windows and wires are the device's own; arena and pool are a piece of the machine's RAM, in which nothing runs.
pub struct Alive {
    device: Clues,
    emulator: qtest::Machine,
    state: Vec<u8>,
    arena: u64,
    pub errors: Vec<String>,
}

impl Alive {
    /// None where the model names no RAM that is large enough.
    pub fn new(emulator: &qtest::Machine, model: &Machine) -> Option<Alive> {
        let size = ARENA + POOL;
        let room = |base: u64, bytes: u64| {
            let end = base.saturating_add(bytes).min(REACH) & !0xfff;
            end.checked_sub(size).filter(|at| *at >= base)
        };
        let ram = model.memory.iter().filter(|m| m.kind == MemoryKind::Ram);
        let arena = ram.filter_map(|m| room(m.base, m.size)).max()?;
        emulator.clear(arena, size).ok()?;
        Some(Alive {
            device: Clues::new(emulator),
            emulator: emulator.clone(),
            state: vec![0; STATE],
            arena,
            errors: Vec::new(),
        })
    }

    fn place(&mut self, space: Space, at: u64, width: Width) -> Option<u64> {
        let (base, size) = match space {
            Space::Arena => (self.arena, ARENA),
            _ => (self.arena + ARENA, POOL),
        };
        let inside = at
            .checked_add(width.bytes().into())
            .is_some_and(|end| end <= size);
        if !inside {
            self.errors.push(format!("{at:#x} is outside of {space:?}"));
        }
        inside.then_some(base + at)
    }

    fn own(&mut self, at: u64, width: Width) -> Option<&mut [u8]> {
        let at = usize::try_from(at).ok()?;
        self.state.get_mut(at..)?.get_mut(..width.bytes() as usize)
    }
}

impl LiveAccess for Alive {
    fn open(&mut self, index: u8, window: &Window) -> bool {
        self.device.open(index, window)
    }
}

impl Access for Alive {
    fn read(&mut self, window: u8, at: u64, width: Width) -> u64 {
        self.device.read(window, at, width)
    }

    fn write(&mut self, window: u8, at: u64, width: Width, value: u64) {
        self.device.write(window, at, width, value);
    }

    fn load(&mut self, space: Space, at: u64, width: Width) -> u64 {
        if space == Space::State {
            let mut bytes = [0; 8];
            if let Some(own) = self.own(at, width) {
                bytes[..own.len()].copy_from_slice(own);
            }
            return u64::from_le_bytes(bytes);
        }
        let place = self.place(space, at, width);
        place.map_or(0, |at| self.emulator.read(at, width).unwrap_or(0))
    }

    fn store(&mut self, space: Space, at: u64, width: Width, value: u64) {
        if space == Space::State {
            if let Some(own) = self.own(at, width) {
                let count = own.len();
                own.copy_from_slice(&value.to_le_bytes()[..count]);
            }
            return;
        }
        if let Some(at) = self.place(space, at, width) {
            if let Err(error) = self.emulator.write(at, width, value) {
                self.errors.push(error.to_string());
            }
        }
    }

    fn fence(&mut self, _: Fence) {}

    fn late(&mut self, late: Late) -> u64 {
        match late {
            Late::ArenaDma => self.arena,
            Late::PoolDma => self.arena + ARENA,
            Late::Lane => 0,
        }
    }

    fn clock(&mut self) -> u64 {
        self.emulator.clock()
    }

    fn pause(&mut self, ns: u64) {
        self.emulator.pause(ns);
    }

    fn up(&mut self, _: u8, _: &[u64]) -> u64 {
        0
    }

    fn firmware(&mut self, _: Conduit, _: [u64; 4]) -> u64 {
        self.errors
            .push("firmware is out of reach from outside".into());
        u64::MAX
    }
}
