//! The emitted code of a script's driver, where this processor runs it and its windows are memory.

use crate::world::{World, ARENA_DMA, POOL_DMA, POOL_SIZE};
use abi::context::{Context, Upcall, WINDOWS};
use graph::{Op, Residual, WindowKind};

pub struct Code {
    pages: Pages,
    entries: Vec<u32>,
}

impl Code {
    /// `None` where it cannot run: another processor, ports, processor registers, calls into firmware.
    pub fn new(residual: &Residual) -> Result<Option<Code>, String> {
        let memory = residual
            .windows
            .iter()
            .all(|w| w.kind == WindowKind::Memory);
        let firmware = residual
            .graph
            .nodes
            .iter()
            .any(|op| matches!(op, Op::Firmware { .. }));
        let system = residual
            .windows
            .iter()
            .any(|w| w.kind == WindowKind::System);
        let target = match system {
            true => emit::Target::Aarch64,
            false => emit::Target::X86_64,
        };
        let written = emit::emit(residual, target).map_err(|e| e.to_string())?;
        if !memory || firmware || !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
            return Ok(None);
        }
        Ok(Some(Code {
            pages: Pages::new(&written.bytes),
            entries: written.entries.iter().map(|(at, _)| *at).collect(),
        }))
    }

    /// Status and result words.
    pub fn run(&self, entry: usize, words: &[u64], world: &mut World) -> (u64, [u64; 4]) {
        let upcalls: [Upcall; 8] = [
            up::<0>, up::<1>, up::<2>, up::<3>, up::<4>, up::<5>, up::<6>, up::<7>,
        ];
        let mut windows = [0; WINDOWS];
        for (address, window) in windows.iter_mut().zip(&mut world.device) {
            *address = window.as_mut_ptr() as u64;
        }
        let mut args = [0; 5];
        args[..words.len()].copy_from_slice(words);
        let mut frame = Frame {
            context: Context {
                state: world.state.as_mut_ptr(),
                arena: world.arena.as_mut_ptr(),
                arena_dma: ARENA_DMA,
                pool: world.pool.as_mut_ptr(),
                pool_dma: POOL_DMA,
                pool_size: POOL_SIZE as u64,
                clock,
                pause,
                upcalls: upcalls.as_ptr(),
                results: [0; 4],
                windows,
                lane: world.lane,
            },
            world,
        };
        let address = self.pages.start as usize + self.entries[entry] as usize;
        // SAFETY: the address is the start of a function of this shape that `emit` wrote, which reads no more words than it
        // has; the specialiser keeps its accesses inside the memory that the context names.
        let status = unsafe {
            let function: extern "C" fn(*mut Context, u64, u64, u64, u64, u64) -> u64 =
                std::mem::transmute(address);
            let context = (&raw mut frame).cast();
            function(context, args[0], args[1], args[2], args[3], args[4])
        };
        (status, frame.context.results)
    }
}

/// The context stands first, so that an upcall finds the world behind it.
#[repr(C)]
struct Frame {
    context: Context,
    world: *mut World,
}

/// # Safety
/// The pointer is that of the context in a [`Frame`] that is alive as long as what is returned, and nobody else uses its
/// world meanwhile.
unsafe fn world<'a>(context: *mut Context) -> &'a mut World {
    // SAFETY: the context is the first field of a `Frame` of C layout, which is alive (contract of this function); so is the
    // world that it points to, since `run` keeps it borrowed during the call.
    unsafe { &mut *(*context.cast::<Frame>()).world }
}

extern "C" fn clock(context: *mut Context) -> u64 {
    // SAFETY: called by emitted code with the context that it was given.
    let world = unsafe { world(context) };
    world.time += 100;
    world.time
}

extern "C" fn pause(context: *mut Context, ns: u64) {
    // SAFETY: as in `clock`.
    let world = unsafe { world(context) };
    world.time = world.time.saturating_add(ns);
}

extern "C" fn up<const N: u64>(context: *mut Context, a: u64, b: u64, c: u64, d: u64) -> u64 {
    // SAFETY: as in `clock`.
    unsafe { world(context) }.answer(N, [a, b, c, d]);
    0
}

/// Code at some address of this process, readable and executable.
struct Pages {
    start: *mut u8,
    size: usize,
}

impl Pages {
    fn new(code: &[u8]) -> Pages {
        let size = code.len().next_multiple_of(4096).max(4096);
        // SAFETY: a fresh private mapping of `size` bytes, which is written before it is made executable; both calls
        // are checked.
        unsafe {
            let (access, kind) = (
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            );
            let start = libc::mmap(std::ptr::null_mut(), size, access, kind, -1, 0);
            assert_ne!(start, libc::MAP_FAILED);
            let start = start.cast::<u8>();
            start.copy_from_nonoverlapping(code.as_ptr(), code.len());
            let rx = libc::PROT_READ | libc::PROT_EXEC;
            assert_eq!(libc::mprotect(start.cast(), size, rx), 0);
            Pages { start, size }
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody runs code in it: `run` borrows `self`.
        unsafe { libc::munmap(self.start.cast(), self.size) };
    }
}
