//! The heap: power-of-two sizes on free lists, fresh memory by moving a pointer. Nothing is ever joined; all of it is
//! given back at once when genesis vanishes.

use crate::{memory, single::Single};
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::null_mut;

const SMALLEST: usize = 16;
const CLASSES: usize = 40;
/// Fresh memory is taken in pieces of at least this many bytes.
const CHUNK: u64 = 256 * 1024;

struct Heap {
    /// First free block of size `SMALLEST << class`; each holds the address of the next.
    free: [usize; CLASSES],
    at: usize,
    end: usize,
}

pub struct Genesis(Single<Heap>);

#[global_allocator]
static HEAP: Genesis = Genesis(Single::new(Heap {
    free: [0; CLASSES],
    at: 0,
    end: 0,
}));

fn class(layout: Layout) -> usize {
    let size = layout.size().max(layout.align()).max(SMALLEST);
    (size.next_power_of_two() / SMALLEST).trailing_zeros() as usize
}

impl Heap {
    fn take(&mut self, class: usize) -> *mut u8 {
        let Some(head) = self.free.get_mut(class) else {
            return null_mut();
        };
        if *head != 0 {
            let block = *head;
            // SAFETY: blocks on a free list were given back by `dealloc`, are at least 16 bytes and 16-byte aligned, and
            // hold the address of the next one, written there by `give`.
            *head = unsafe { *(block as *const usize) };
            return block as *mut u8;
        }
        let size = SMALLEST << class;
        // Alignment to the size up to a page is what `Layout` may ask of a power-of-two block.
        let base = self.at.next_multiple_of(size.min(4096));
        if base + size <= self.end {
            self.at = base + size;
            return base as *mut u8;
        }
        let Some(more) = memory::grow((size as u64).max(CHUNK)) else {
            return null_mut();
        };
        let got = (size as u64).max(CHUNK).next_multiple_of(4096) as usize;
        let more = more as usize;
        if more == self.end && self.at != 0 {
            self.end += got;
            return self.take(class);
        }
        self.at = more + size;
        self.end = more + got;
        more as *mut u8
    }

    fn give(&mut self, block: *mut u8, class: usize) {
        // SAFETY: the caller of `dealloc` owns the block, which is at least 16 bytes and aligned for a word.
        unsafe { *block.cast::<usize>() = self.free[class] };
        self.free[class] = block as usize;
    }
}

// SAFETY: `take` gives blocks that are free RAM, aligned to their size (at most a page), of at least the layout's size,
// and in no other hands: fresh memory comes from `memory::grow` once, and a listed block was given back.
unsafe impl GlobalAlloc for Genesis {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > 4096 {
            return null_mut();
        }
        self.0.with(|heap| heap.take(class(layout)))
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.0.with(|heap| heap.give(block, class(layout)));
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller guarantees that `size`, rounded up to the alignment, does not overflow.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        if class(layout) == class(wanted) {
            return block;
        }
        // SAFETY: both blocks are valid for the smaller of the sizes and do not overlap; `block` is the caller's.
        unsafe {
            let new = self.alloc(wanted);
            if !new.is_null() {
                core::ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}
