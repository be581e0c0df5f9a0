//! Running emitted code on this machine: windows, arena and pool are plain memory, and the interpreter's `Access`
//! does the same to the same memory.

use abi::context::{Context, WINDOWS};
use graph::{sample, Access, Conduit, Fence, Late, Residual, Space, Width};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

pub const ARENA_DMA: u64 = 0x1234_5000;
pub const POOL_DMA: u64 = 0x8_7654_0000;
pub const LANE: u64 = 3;

/// Memory that a residual touches, and what it said to the outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    pub windows: Vec<Vec<u8>>,
    pub state: Vec<u8>,
    pub arena: Vec<u8>,
    pub pool: Vec<u8>,
    pub time: u64,
    pub calls: Vec<Call>,
}

/// A call out of the residual, with what the memory looked like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    what: &'static str,
    words: Vec<u64>,
    memory: u64,
}

impl World {
    pub fn new(seed: u64) -> World {
        let mut dice = sample::Dice::new(seed);
        let mut bytes = |n: u64| (0..n).map(|_| dice.word() as u8).collect::<Vec<u8>>();
        World {
            windows: vec![bytes(sample::WINDOW), bytes(sample::WINDOW)],
            state: bytes(sample::SPACE),
            arena: bytes(sample::SPACE),
            pool: bytes(sample::SPACE),
            time: 1000,
            calls: Vec::new(),
        }
    }

    fn note(&mut self, what: &'static str, words: &[u64]) {
        let mut hasher = DefaultHasher::new();
        (&self.windows, &self.state, &self.arena, &self.pool).hash(&mut hasher);
        self.calls.push(Call {
            what,
            words: words.to_vec(),
            memory: hasher.finish(),
        });
    }

    fn answer(&mut self, which: u64, words: [u64; 4]) -> u64 {
        self.note(["up 0", "up 1", "up 2"][which as usize], &words);
        // An upcall may change the client's memory.
        let at = (words[0] % sample::SPACE) as usize;
        self.pool[at] = self.pool[at].wrapping_add(1);
        words[0].rotate_left(7) ^ which
    }

    fn tick(&mut self) -> u64 {
        self.time += 100;
        self.note("clock", &[]);
        self.time
    }

    fn sleep(&mut self, ns: u64) {
        self.note("pause", &[ns]);
        self.time = self.time.wrapping_add(ns);
    }

    fn space(&mut self, space: Space) -> &mut Vec<u8> {
        match space {
            Space::State => &mut self.state,
            Space::Arena => &mut self.arena,
            Space::Pool => &mut self.pool,
        }
    }
}

fn get(bytes: &[u8], at: u64, width: Width) -> u64 {
    let mut word = [0; 8];
    let len = width.bytes() as usize;
    word[..len].copy_from_slice(&bytes[at as usize..at as usize + len]);
    u64::from_le_bytes(word)
}

fn put(bytes: &mut [u8], at: u64, width: Width, value: u64) {
    let len = width.bytes() as usize;
    bytes[at as usize..at as usize + len].copy_from_slice(&value.to_le_bytes()[..len]);
}

impl Access for World {
    fn read(&mut self, window: u8, at: u64, width: Width) -> u64 {
        get(&self.windows[window as usize], at, width)
    }
    fn write(&mut self, window: u8, at: u64, width: Width, value: u64) {
        put(&mut self.windows[window as usize], at, width, value)
    }
    fn load(&mut self, space: Space, at: u64, width: Width) -> u64 {
        get(self.space(space), at, width)
    }
    fn store(&mut self, space: Space, at: u64, width: Width, value: u64) {
        put(self.space(space), at, width, value)
    }
    fn fence(&mut self, _: Fence) {}
    fn late(&mut self, late: Late) -> u64 {
        match late {
            Late::ArenaDma => ARENA_DMA,
            Late::PoolDma => POOL_DMA,
            Late::Lane => LANE,
        }
    }
    fn clock(&mut self) -> u64 {
        self.tick()
    }
    fn pause(&mut self, ns: u64) {
        self.sleep(ns)
    }
    fn up(&mut self, which: u8, args: &[u64]) -> u64 {
        let mut words = [0; 4];
        words[..args.len()].copy_from_slice(args);
        self.answer(which as u64, words)
    }
    fn firmware(&mut self, _: Conduit, _: [u64; 4]) -> u64 {
        0
    }
}

/// Code at some address of this process, readable and executable.
#[allow(dead_code)]
pub struct Pages {
    start: *mut u8,
    size: usize,
}

#[allow(dead_code)]
impl Pages {
    pub fn new(code: &[u8]) -> Pages {
        let size = code.len().next_multiple_of(4096).max(4096);
        // SAFETY: a fresh private mapping of `size` bytes, which is written before it is made executable; both calls
        // are checked.
        unsafe {
            let start = libc::mmap(
                std::ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(start, libc::MAP_FAILED);
            let start = start.cast::<u8>();
            start.copy_from_nonoverlapping(code.as_ptr(), code.len());
            let rx = libc::PROT_READ | libc::PROT_EXEC;
            assert_eq!(libc::mprotect(start.cast(), size, rx), 0);
            Pages { start, size }
        }
    }

    pub fn address(&self) -> usize {
        self.start as usize
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody runs code in it: `run` borrows `self`.
        unsafe { libc::munmap(self.start.cast(), self.size) };
    }
}

/// The context stands first, so that an upcall finds the world behind it.
#[repr(C)]
struct Frame {
    context: Context,
    world: *mut World,
}

/// # Safety
/// The pointer is that of the `Frame` in `run`, alive during the call, and nobody else uses its world then.
unsafe fn world<'a>(context: *mut Context) -> &'a mut World {
    // SAFETY: the caller's promise; the context stands first in its `Frame`.
    unsafe { &mut *(*context.cast::<Frame>()).world }
}

extern "C" fn clock(context: *mut Context) -> u64 {
    // SAFETY: called by emitted code with the context that it was given.
    unsafe { world(context) }.tick()
}

extern "C" fn pause(context: *mut Context, ns: u64) {
    // SAFETY: as in `clock`.
    unsafe { world(context) }.sleep(ns)
}

extern "C" fn up<const N: u64>(context: *mut Context, a: u64, b: u64, c: u64, d: u64) -> u64 {
    // SAFETY: as in `clock`.
    unsafe { world(context) }.answer(N, [a, b, c, d])
}

/// Runs one entry: status and result words.
#[allow(dead_code)]
pub fn run(
    pages: &Pages,
    residual: &Residual,
    code: &emit::Code,
    entry: usize,
    args: [u64; 3],
    world: &mut World,
) -> (u64, [u64; 4]) {
    assert_eq!(residual.entries[entry].arguments, 3);
    let address = pages.address() + code.entries[entry].0 as usize;
    // SAFETY: the address is the start of a function of this shape, which `emit` wrote; a sample touches nothing but
    // the memory that the context names, within its bounds.
    unsafe { call(address, args, world) }
}

/// Calls the function at `address` with a context of this world.
///
/// # Safety
/// It must be a function of a context and three words, that touches nothing but what the context names.
pub unsafe fn call(address: usize, args: [u64; 3], world: &mut World) -> (u64, [u64; 4]) {
    let upcalls: [abi::context::Upcall; 3] = [up::<0>, up::<1>, up::<2>];
    let mut windows = [0; WINDOWS];
    for (address, window) in windows.iter_mut().zip(&mut world.windows) {
        *address = window.as_mut_ptr() as u64;
    }
    let mut frame = Frame {
        context: Context {
            state: world.state.as_mut_ptr(),
            arena: world.arena.as_mut_ptr(),
            arena_dma: ARENA_DMA,
            pool: world.pool.as_mut_ptr(),
            pool_dma: POOL_DMA,
            pool_size: sample::SPACE,
            clock,
            pause,
            upcalls: upcalls.as_ptr(),
            results: [0; 4],
            windows,
            lane: LANE,
        },
        world,
    };
    // SAFETY: the caller's promise.
    let status = unsafe {
        let function: extern "C" fn(*mut Context, u64, u64, u64) -> u64 =
            std::mem::transmute(address);
        function((&raw mut frame).cast(), args[0], args[1], args[2])
    };
    (status, frame.context.results)
}
