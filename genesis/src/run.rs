//! Residuals on the real hardware, before there is a nucleus: their memory, their windows, their code.

use crate::{arch, clock, memory, paging};
use abi::context::WINDOWS;
use classes::memory::Places;
use graph::{Residual, WindowKind};

/// Makes a window's registers reachable and gives what a context wants to know of it.
pub fn window(kind: WindowKind, base: u64, size: u64) -> u64 {
    match kind {
        WindowKind::Memory => {
            paging::device(base, size);
            base
        }
        WindowKind::Port => base,
        WindowKind::System | WindowKind::Model => 0,
    }
}

/// State, arena, a pool of `pool` bytes, and reachable windows for a residual; all of it is genesis's, and is overwritten
/// when genesis vanishes. A device sees memory at its physical address, which is also genesis's.
pub fn places(residual: &Residual, pool: usize) -> Places {
    let mut windows = [0; WINDOWS];
    for (to, from) in windows.iter_mut().zip(&residual.windows) {
        *to = window(from.kind, from.base, from.size);
    }
    let state = memory::scratch(u64::from(residual.state_size).max(8), 16);
    let arena = memory::scratch(
        u64::from(residual.arena_size).max(8),
        u64::from(residual.arena_align).max(16),
    );
    let buffers = memory::scratch((pool as u64).max(8), 4096);
    Places {
        state: state as *mut u8,
        state_size: residual.state_size as usize,
        arena: arena as *mut u8,
        arena_size: residual.arena_size as usize,
        arena_dma: arena,
        pool: buffers as *mut u8,
        pool_size: pool,
        pool_dma: buffers,
        windows,
        clock: clock::context_now,
        pause: clock::context_pause,
    }
}

/// Copies generated code to where it can run. It stays until genesis vanishes.
pub fn code(bytes: &[u8]) -> *const u8 {
    let at = memory::scratch(bytes.len() as u64, 4096);
    // SAFETY: `scratch` gave so many bytes to this code alone; genesis's RAM is mapped writable and executable.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), at as *mut u8, bytes.len()) };
    arch::code_written(at, bytes.len() as u64);
    at as *const u8
}
