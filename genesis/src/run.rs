//! Residuals on the real hardware, before there is a nucleus: their memory, their windows, their code.

use crate::single::Single;
use crate::{arch, clock, memory, paging};
use abi::context::WINDOWS;
use abi::layout::PAGE;
use abi::ring;
use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    vec::Vec,
};
use classes::direct::Direct;
use classes::guard::Guard;
use classes::memory::Places;
use classes::selftest::POOL;
use classes::stand::Stand;
use generator::Driver;
use graph::{Residual, WindowKind};
use synthesis::Written;

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

/// Around what devices were lent, where that is watched, with what it belongs to.
static GUARDS: Single<Vec<(&'static str, Guard)>> = Single::new(Vec::new());

/// Memory for a device, with a guard before and behind it if `around`.
fn lent(what: &'static str, size: u64, align: u64, around: bool) -> u64 {
    if !around {
        return memory::scratch(size, align);
    }
    let before = align.max(PAGE);
    let all = memory::scratch(before + size + PAGE, align);
    let base = all + before;
    let end = (base + size + PAGE).next_multiple_of(PAGE);
    for (from, to) in [(all, base), (base + size, end)] {
        // SAFETY: `scratch` gave whole pages from `all` to `end`, which are identity-mapped and this function's alone; only
        // what lies between the guards is handed out.
        let guard = unsafe { Guard::new(from as *mut u8, (to - from) as usize) };
        GUARDS.with(|guards| guards.push((what, guard)));
    }
    base
}

/// Whether nothing was stored around what devices were lent.
///
/// # Errors
/// Around what, in words. It is said once.
pub fn unharmed() -> Result<(), String> {
    GUARDS.with(|guards| {
        let found = guards
            .iter()
            .position(|(_, guard)| guard.harmed().next().is_some());
        match found {
            Some(at) => {
                let (what, _) = guards.swap_remove(at);
                Err(format!("memory beside its {what} was written to"))
            }
            None => Ok(()),
        }
    })
}

/// State, arena, a pool for a self-test, and reachable windows for a residual; all of it is genesis's, and is overwritten
/// when genesis vanishes. A device sees memory at its physical address, which is also genesis's.
pub fn places(residual: &Residual) -> Places {
    places_in(residual, false)
}

/// The same; if `around`, with guards on both sides of what the device sees, which [`unharmed`] looks at.
pub fn places_in(residual: &Residual, around: bool) -> Places {
    let mut windows = [0; WINDOWS];
    for (to, from) in windows.iter_mut().zip(&residual.windows) {
        *to = window(from.kind, from.base, from.size);
    }
    let state = memory::scratch(u64::from(residual.state_size).max(8), 16);
    let arena = lent(
        "arena",
        u64::from(residual.arena_size).max(8),
        u64::from(residual.arena_align).max(16),
        around,
    );
    let buffers = lent("pool", POOL as u64, PAGE, around);
    Places {
        state: state as *mut u8,
        state_size: residual.state_size as usize,
        arena: arena as *mut u8,
        arena_size: residual.arena_size as usize,
        arena_dma: arena,
        pool: buffers as *mut u8,
        pool_size: POOL,
        pool_dma: buffers,
        windows,
        clock: clock::context_now,
        pause: clock::context_pause,
    }
}

/// Copies generated code to where it can run. It stays until genesis vanishes.
fn code(bytes: &[u8]) -> *const u8 {
    let at = memory::scratch(bytes.len() as u64, 4096);
    // SAFETY: `scratch` gave so many bytes to this code alone; genesis's RAM is mapped writable and executable.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), at as *mut u8, bytes.len()) };
    arch::code_written(at, bytes.len() as u64);
    at as *const u8
}

/// Code that was generated, in memory that is its own.
///
/// # Errors
/// Why the code does not fit its residual, in words.
pub fn stand<'a>(written: &'a Written, code: &'a emit::Code) -> Result<Stand<'a>, String> {
    stand_in(places(&written.residual), written, code)
}

/// The same in these [`places`], which must be this code's alone.
///
/// # Errors
/// As [`stand`].
pub fn stand_in<'a>(
    places: Places,
    written: &'a Written,
    code: &'a emit::Code,
) -> Result<Stand<'a>, String> {
    let entries = written.residual.entries.iter().zip(&code.entries);
    let entries = entries.map(|(entry, (at, _))| (entry.name.as_str(), *at));
    let text = self::code(&code.bytes);
    let rings = memory::scratch(ring::BYTES as u64, 4096) as *mut u8;
    // SAFETY: the code was generated and validated, lies in executable memory that stays until genesis vanishes, and the
    // offsets are the emitter's. The places and the rings are fresh ranges of scratch memory that nothing else uses,
    // identity-mapped, and the windows are as the facts say.
    let made = unsafe { Stand::new(text, code.bytes.len(), entries, places, rings) };
    made.map_err(|unfit| unfit.to_string())
}

/// A driver of a direct class as its proof left it, ready to be called as long as genesis lives.
pub fn lasting(driver: &Driver) -> Option<Direct<'static>> {
    let entries = driver.written.residual.entries.iter();
    let names = entries.map(|e| &*Box::leak(e.name.clone().into_boxed_str()));
    let entries = names.zip(driver.code.entries.iter().map(|(at, _)| *at));
    let places = places(&driver.written.residual);
    let text = code(&driver.code.bytes);
    let rings = memory::scratch(ring::BYTES as u64, 4096) as *mut u8;
    // SAFETY: as in `stand_in`.
    let stand = unsafe { Stand::new(text, driver.code.bytes.len(), entries, places, rings) };
    generator::direct(stand.ok()?, &driver.state)
}
