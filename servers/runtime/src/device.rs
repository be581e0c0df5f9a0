//! What a driver's and a client's task make of the places `abi::layout` gives them: the pump's parts, and the client's
//! side of a session. Whoever made the task mapped these places for exactly this use, and maps them for nothing else.

use abi::context::{Context, WINDOWS};
use abi::inventory::Installed;
use abi::program::Startup;
use abi::{layout, ring};
use classes::memory::Places;
use classes::residual::Unfit;
use classes::{Area, Class, Client, Memory, Pump, Residual, Units};
use core::sync::atomic::{AtomicU32, Ordering};

/// Where window `n` of a device is in its driver's task: an address, or the first port.
pub fn window_at(n: usize, kind: u8, base: u64) -> u64 {
    match kind {
        0 => layout::WINDOWS + n as u64 * layout::WINDOW_STRIDE + base % layout::PAGE,
        1 => base,
        _ => 0,
    }
}

/// The code of a device is mapped by whole pages: it begins at its place within its first page.
pub fn code_at(installed: &Installed) -> u64 {
    layout::CODE + u64::from(installed.code.0) % layout::PAGE
}

extern "C" fn clock(_: *mut Context) -> u64 {
    crate::time::now()
}

extern "C" fn pause(_: *mut Context, nanoseconds: u64) {
    /// What is shorter than a system call or two is waited for on the spot.
    const SHORT: u64 = 50_000;
    let until = crate::time::now().saturating_add(nanoseconds);
    if nanoseconds > SHORT {
        return crate::time::sleep_until(until);
    }
    while crate::time::now() < until {
        core::hint::spin_loop();
    }
}

/// One of each in a task: the places are given out once.
fn once(taken: &AtomicU32, bit: u32) {
    let before = taken.fetch_or(1 << bit, Ordering::AcqRel);
    assert!(before & 1 << bit == 0, "these places are in use");
}

/// The pump of the device that this task was made for. At most one in a task.
pub fn pump(class: Class, installed: &Installed, startup: &Startup) -> Result<Pump, Unfit> {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    once(&TAKEN, 0);
    let mut windows = [0; WINDOWS];
    for (n, (at, window)) in windows.iter_mut().zip(&installed.windows).enumerate() {
        *at = window_at(n, window.kind, window.base);
    }
    let places = Places {
        state: layout::STATE as *mut u8,
        state_size: installed.state_size as usize,
        arena: layout::ARENA as *mut u8,
        arena_size: installed.arena_size as usize,
        arena_dma: startup.arena_dma,
        pool: layout::POOL as *mut u8,
        pool_size: startup.pool_size as usize,
        pool_dma: startup.pool_dma,
        windows,
        clock,
        pause,
    };
    let length = installed.code.1 as usize;
    let entries = installed.entries.iter().map(|(n, at, _)| (n.as_str(), *at));
    let failures = installed.failures.iter().map(|name| name.as_str());
    // SAFETY: who made this task mapped the device's proved code there, to read and execute, and keeps it; the offsets
    // are those that genesis recorded with it.
    let residual =
        unsafe { Residual::new(code_at(installed) as *const u8, length, entries, failures) }?;
    // SAFETY: the maker mapped each place writable for the sizes that the inventory and the startup page say, apart
    // from one another and from the program; `check` keeps `Shared` and `region` users out by their own contracts, and
    // `once` keeps out a second pump. Windows are where the maker put them.
    let memory = unsafe { Memory::new(places) };
    // SAFETY: `ring::BYTES` bytes, page aligned, are mapped there as long as the task lives.
    let rings = unsafe { Area::new(layout::RINGS as *mut u8) };
    let facts = Units::from_pairs(installed.facts.iter().map(|(n, v)| (n.as_str(), *v)));
    let upcalls = installed.upcalls.iter().map(|name| name.as_str());
    Pump::new(
        class,
        facts,
        residual,
        upcalls,
        memory,
        rings.driver_to_be(),
    )
}

/// How many rings a task may be the client of: places for sessions.
pub const PLACES: usize = 32;

/// The client's side of the rings that are mapped at place `n`, below [`PLACES`]. Once for each.
pub fn rings(n: usize) -> Client {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    assert!(n < PLACES, "there are not so many places");
    once(&TAKEN, n as u32);
    const _: () = assert!(ring::BYTES as u64 <= layout::SESSION_STRIDE);
    let at = layout::SESSION_RINGS + n as u64 * layout::SESSION_STRIDE;
    // SAFETY: whoever made this task, or this task itself, mapped `ring::BYTES` bytes there, page aligned, as long as it
    // lives; a place where nothing is mapped is a fault of this task alone.
    unsafe { Area::new(at as *mut u8) }.client()
}

/// The client's side of session `n`, and its pool. Once for each session; `None` if there is no such session.
pub fn session(n: usize, startup: &Startup) -> Option<(Client, crate::memory::Shared)> {
    let session = startup.session.get(n)?;
    if n >= startup.sessions as usize {
        return None;
    }
    let client = rings(n);
    let place = n as u64 * layout::SESSION_STRIDE;
    let pool = crate::memory::Shared::new(layout::SESSION_POOL + place, session.pool_size as usize);
    Some((client, pool))
}
