//! The memory a residual works in, and safe access to the client's pool.

use abi::context::{Context, WINDOWS};

/// Everything a residual is given of its surroundings. All of it stays valid as long as the pump that has it.
pub struct Memory {
    pub(crate) state: *mut u8,
    pub(crate) state_size: usize,
    pub(crate) arena: *mut u8,
    pub(crate) arena_size: usize,
    pub(crate) arena_dma: u64,
    pub(crate) pool: Pool,
    pub(crate) pool_dma: u64,
    pub(crate) windows: [u64; WINDOWS],
    pub(crate) clock: extern "C" fn(*mut Context) -> u64,
    pub(crate) pause: extern "C" fn(*mut Context, u64),
    pub(crate) lane: u64,
}

/// Where the parts of a [`Memory`] are. State and arena are zeroed when the driver starts.
#[derive(Clone, Copy)]
pub struct Places {
    /// Private to the residual: address and bytes.
    pub state: *mut u8,
    pub state_size: usize,
    /// Shared with the device: address, bytes, and where the device sees it.
    pub arena: *mut u8,
    pub arena_size: usize,
    pub arena_dma: u64,
    /// The client's buffers, the same way.
    pub pool: *mut u8,
    pub pool_size: usize,
    pub pool_dma: u64,
    /// Virtual address of each memory window, first port of each port window, 0 for the others.
    pub windows: [u64; WINDOWS],
    /// Nanoseconds; never goes back.
    pub clock: extern "C" fn(*mut Context) -> u64,
    /// Returns after at least so many nanoseconds.
    pub pause: extern "C" fn(*mut Context, u64),
}

impl Memory {
    /// # Safety
    /// State, arena and pool are readable and writable for the sizes given, do not overlap, and stay so until the
    /// pump is gone; nothing but the residual uses state and arena meanwhile (a device may use the arena). The pool
    /// may change at any time: it is only touched by copies. `windows` are what the residual was generated for.
    pub unsafe fn new(places: Places) -> Memory {
        Memory {
            state: places.state,
            state_size: places.state_size,
            arena: places.arena,
            arena_size: places.arena_size,
            arena_dma: places.arena_dma,
            pool: Pool {
                base: places.pool,
                size: places.pool_size,
            },
            pool_dma: places.pool_dma,
            windows: places.windows,
            clock: places.clock,
            pause: places.pause,
            lane: 0,
        }
    }

    /// The same for another lane of the driver: the lanes share state, arena and windows, and run one at a time.
    pub fn on_lane(self, lane: u64) -> Memory {
        Memory { lane, ..self }
    }

    /// A context without upcalls.
    pub(crate) fn context(&self) -> Context {
        Context {
            state: self.state,
            arena: self.arena,
            arena_dma: self.arena_dma,
            pool: self.pool.base(),
            pool_dma: self.pool_dma,
            pool_size: self.pool.size() as u64,
            clock: self.clock,
            pause: self.pause,
            upcalls: core::ptr::null(),
            results: [0; 4],
            windows: self.windows,
            lane: self.lane,
        }
    }

    /// Copies from the arena into the pool; `false` (and nothing copied) if either range is not inside.
    pub(crate) fn copy_out(&self, from: u64, to: u64, length: u64) -> bool {
        let inside = from
            .checked_add(length)
            .is_some_and(|end| end <= self.arena_size as u64);
        if !inside || !self.pool.holds(to, length) {
            return false;
        }
        let (from, to, length) = (from as usize, to as usize, length as usize);
        // SAFETY: both ranges are inside by the checks above, and arena and pool do not overlap (contract of `new`).
        // A device may still write the source, another task the target: whatever bytes result, they are only bytes.
        unsafe {
            core::ptr::copy_nonoverlapping(self.arena.add(from), self.pool.base.add(to), length);
        }
        true
    }

    /// Whether the device reaches arena and pool with addresses of so many bits.
    pub(crate) fn within(&self, reach: u64) -> bool {
        let end = |base: u64, size: usize| base.checked_add(size as u64);
        let top = u32::try_from(reach)
            .ok()
            .and_then(|bits| 1u64.checked_shl(bits));
        let Some(top) = top else { return true };
        [
            end(self.arena_dma, self.arena_size),
            end(self.pool_dma, self.pool.size),
        ]
        .iter()
        .all(|end| end.is_some_and(|end| end <= top))
    }

    pub(crate) fn state(&self) -> &[u8] {
        match self.state_size {
            0 => &[],
            // SAFETY: readable for its size as long as this value (contract of `new`); the residual, which writes to it,
            // runs only while its pump or `Direct` is borrowed as mutable.
            size => unsafe { core::slice::from_raw_parts(self.state, size) },
        }
    }

    /// Copies in what fits.
    pub(crate) fn set_state(&mut self, from: &[u8]) {
        let size = from.len().min(self.state_size);
        // SAFETY: `size` bytes are writable there and no one else's (contract of `new`); `from` is borrowed from safe
        // code, so that it is not this memory.
        unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), self.state, size) };
    }

    /// State and arena as `init` wants them.
    pub(crate) fn zero(&mut self) {
        // SAFETY: both are writable for their sizes and no one else's (contract of `new`).
        unsafe {
            core::ptr::write_bytes(self.state, 0, self.state_size);
            core::ptr::write_bytes(self.arena, 0, self.arena_size);
        }
    }
}

/// The client's buffers. Another task or a device may change them at any time, so they are only ever copied.
#[derive(Clone, Copy)]
pub struct Pool {
    base: *mut u8,
    size: usize,
}

impl Pool {
    /// # Safety
    /// `size` bytes from `base` are readable and writable as long as any copy of this is used.
    pub unsafe fn new(base: *mut u8, size: usize) -> Pool {
        Pool { base, size }
    }

    pub fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn base(&self) -> *mut u8 {
        self.base
    }

    /// Whether the range lies inside.
    pub fn holds(&self, offset: u64, length: u64) -> bool {
        offset
            .checked_add(length)
            .is_some_and(|end| end <= self.size as u64)
    }

    /// Copies out; `false` (and nothing copied) if the range is not inside.
    pub fn read(&self, offset: u64, into: &mut [u8]) -> bool {
        if !self.holds(offset, into.len() as u64) {
            return false;
        }
        for (at, byte) in into.iter_mut().enumerate() {
            // SAFETY: `offset + at` is inside, by the check above. Volatile, since a device may write it meanwhile.
            *byte = unsafe { self.base.add(offset as usize + at).read_volatile() };
        }
        true
    }

    /// Copies in; `false` (and nothing copied) if the range is not inside.
    pub fn write(&self, offset: u64, from: &[u8]) -> bool {
        if !self.holds(offset, from.len() as u64) {
            return false;
        }
        for (at, byte) in from.iter().enumerate() {
            // SAFETY: as in `read`.
            unsafe { self.base.add(offset as usize + at).write_volatile(*byte) };
        }
        true
    }
}
