//! The driver's own memory while it is handed out: private state, and the arena that it shares with its device.

use crate::layout::LARGEST;

pub struct Room {
    state: u64,
    arena: u64,
    arena_align: u64,
    /// What is reserved next is reserved so many times.
    copies: u64,
    /// How far apart the copies of what was reserved last are.
    stride: u64,
}

impl Default for Room {
    fn default() -> Room {
        Room {
            state: 0,
            arena: 0,
            arena_align: 64,
            copies: 1,
            stride: 0,
        }
    }
}

impl Room {
    /// So many bytes of private state; gives where they are.
    pub fn reserve_state(&mut self, size: u64) -> u64 {
        let align = size.clamp(1, 8).next_power_of_two();
        let at = self.state.saturating_add(align - 1) & !(align - 1);
        self.state = at.saturating_add(self.several(size, align));
        at
    }

    /// So many bytes of the arena, at a multiple of a power of two; gives where they are.
    pub fn reserve_arena(&mut self, size: u64, align: u64) -> u64 {
        let align = align.max(8);
        let at = self.arena.saturating_add(align - 1) & !(align - 1);
        self.arena_align = self.arena_align.max(align);
        self.arena = at.saturating_add(self.several(size, align));
        at
    }

    /// Bytes of as many copies as are asked for, and how far apart they are.
    fn several(&mut self, size: u64, align: u64) -> u64 {
        self.stride = size.saturating_add(align - 1) / align * align;
        self.stride
            .saturating_mul(self.copies.saturating_sub(1))
            .saturating_add(size)
    }

    /// What is reserved from here on is reserved once for each of so many instances.
    pub fn copy(&mut self, times: u64) {
        self.copies = times;
    }

    /// What is reserved from here on is there once; gives how far apart the last copies are.
    pub fn copied(&mut self) -> u64 {
        self.copies = 1;
        self.stride
    }

    pub fn is_too_large(&self) -> bool {
        self.state.max(self.arena) > LARGEST
    }

    /// Bytes of state, of arena, and what the arena's start is a multiple of.
    pub fn sizes(&self) -> (u32, u32, u32) {
        (
            self.state.next_multiple_of(64) as u32,
            self.arena.next_multiple_of(4096) as u32,
            self.arena_align.max(4096) as u32,
        )
    }
}
