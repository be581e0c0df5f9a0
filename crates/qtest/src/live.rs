//! [`graph::Access`] on a device model: what the interpreter and the first run of `init` touch.

use crate::memory::Ram;
use crate::window::{Touch, Windows};
use crate::{Error, Machine, Result};
use classes::Pool;
use graph::{Access, Conduit, Fence, Late, Residual, Space, Width, Window};

/// Bytes of a [`Live`]'s pool.
const POOL: usize = 256 << 10;

/// An upcall that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Index in `Residual::upcalls`.
    pub which: u8,
    pub args: Vec<u64>,
}

/// State, arena, pool and windows of one device. Arena and pool are the machine's RAM.
pub struct Live {
    windows: Windows,
    state: Vec<u8>,
    arena: Pool,
    arena_dma: u64,
    pool: Pool,
    pool_dma: u64,
    heard: Vec<Heard>,
    errors: Vec<String>,
}

impl Live {
    /// For a residual: windows, sizes and alignment are what it says.
    pub fn new(machine: &Machine, residual: &Residual) -> Result<Live> {
        Live::with(
            machine,
            residual.windows.clone(),
            residual.state_size as usize,
            residual.arena_size as usize,
            u64::from(residual.arena_align),
        )
    }

    /// For a rule that is not specialised yet.
    pub fn with(
        machine: &Machine,
        windows: Vec<Window>,
        state: usize,
        arena: usize,
        align: u64,
    ) -> Result<Live> {
        let arena = machine.ram(arena.max(1), align)?;
        let pool = machine.ram(POOL, 4096)?;
        Ok(Live {
            windows: Windows::new(machine, windows),
            state: vec![0; state],
            arena: shared(&arena),
            arena_dma: arena.dma,
            pool: shared(&pool),
            pool_dma: pool.dma,
            heard: Vec::new(),
            errors: Vec::new(),
        })
    }

    /// Window number `index` is this one from now on; a clue numbers its windows anew.
    pub fn open(&mut self, index: u8, window: Window) {
        let list = &mut self.windows.list;
        list.truncate(index.into());
        list.push(window);
    }

    /// The client's buffers.
    pub fn pool(&self) -> Pool {
        self.pool
    }

    /// Every access to the device so far.
    pub fn trace(&self) -> Vec<Touch> {
        self.windows.trace()
    }

    /// Upcalls since the last time this was asked.
    pub fn heard(&mut self) -> Vec<Heard> {
        std::mem::take(&mut self.heard)
    }

    /// Accesses outside windows or memory, and a machine that did not answer: each read as 0 and is told here.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// An error if there was any.
    pub fn check(&self) -> Result<()> {
        match self.errors.first() {
            Some(error) => Err(Error::Other(error.clone())),
            None => Ok(()),
        }
    }

    fn outside(&mut self, space: Space, at: u64, width: Width) {
        let bits = width.bits();
        self.errors
            .push(format!("{bits} bits at {at:#x} are outside {space:?}"));
    }

    /// The bytes of state at this place, if they lie inside.
    fn state(&mut self, at: u64, width: Width) -> Option<&mut [u8]> {
        let at = usize::try_from(at).ok()?;
        self.state.get_mut(at..)?.get_mut(..width.bytes() as usize)
    }
}

/// RAM of a machine, accessed by copies. The machine outlives every `Live` and `Device`, which hold a clone of it.
pub(crate) fn shared(ram: &Ram) -> Pool {
    // SAFETY: the machine's RAM stays mapped as long as a clone of the machine lives; whoever gets this keeps one.
    unsafe { Pool::new(ram.base, ram.size) }
}

impl Access for Live {
    fn read(&mut self, window: u8, at: u64, width: Width) -> u64 {
        self.windows
            .read(window, at, width)
            .unwrap_or_else(|error| {
                self.errors.push(error.to_string());
                0
            })
    }

    fn write(&mut self, window: u8, at: u64, width: Width, value: u64) {
        if let Err(error) = self.windows.write(window, at, width, value) {
            self.errors.push(error.to_string());
        }
    }

    fn load(&mut self, space: Space, at: u64, width: Width) -> u64 {
        let count = width.bytes() as usize;
        let mut bytes = [0; 8];
        let inside = match space {
            Space::State => match self.state(at, width) {
                Some(place) => {
                    bytes[..count].copy_from_slice(place);
                    true
                }
                None => false,
            },
            Space::Arena => self.arena.read(at, &mut bytes[..count]),
            Space::Pool => self.pool.read(at, &mut bytes[..count]),
        };
        if !inside {
            self.outside(space, at, width);
        }
        u64::from_le_bytes(bytes)
    }

    fn store(&mut self, space: Space, at: u64, width: Width, value: u64) {
        let bytes = value.to_le_bytes();
        let bytes = &bytes[..width.bytes() as usize];
        let inside = match space {
            Space::State => match self.state(at, width) {
                Some(place) => {
                    place.copy_from_slice(bytes);
                    true
                }
                None => false,
            },
            Space::Arena => self.arena.write(at, bytes),
            Space::Pool => self.pool.write(at, bytes),
        };
        if !inside {
            self.outside(space, at, width);
        }
    }

    fn fence(&mut self, _: Fence) {
        std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
    }

    fn late(&mut self, late: Late) -> u64 {
        match late {
            Late::ArenaDma => self.arena_dma,
            Late::PoolDma => self.pool_dma,
            Late::Lane => 0,
        }
    }

    fn clock(&mut self) -> u64 {
        self.windows.machine.clock()
    }

    fn pause(&mut self, ns: u64) {
        self.windows.machine.pause(ns);
    }

    fn up(&mut self, which: u8, args: &[u64]) -> u64 {
        self.heard.push(Heard {
            which,
            args: args.to_vec(),
        });
        0
    }

    fn firmware(&mut self, conduit: Conduit, _: [u64; 4]) -> u64 {
        self.errors
            .push(format!("firmware ({conduit:?}) is out of reach here"));
        u64::MAX
    }
}
