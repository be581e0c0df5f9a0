//! The heap, on what is mapped at `layout::HEAP`.

use crate::sync::Mutex;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;
use linked_list_allocator::Heap;

pub(crate) struct LockedHeap(Mutex<Heap>);

#[cfg_attr(target_os = "none", global_allocator)]
pub(crate) static HEAP: LockedHeap = LockedHeap(Mutex::new(Heap::empty()));

impl LockedHeap {
    /// # Safety
    /// The range is mapped writable, nothing else uses it, and this is called once.
    #[cfg_attr(not(target_os = "none"), allow(dead_code))]
    pub(crate) unsafe fn start(&self, address: u64, length: u64) {
        // SAFETY: the caller's promise.
        unsafe { self.0.lock().init(address as *mut u8, length as usize) }
    }
}

// SAFETY: `Heap` gives out disjoint ranges of what it was started with; the lock makes its bookkeeping one at a time.
unsafe impl GlobalAlloc for LockedHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0
            .lock()
            .allocate_first_fit(layout)
            .map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if let Some(pointer) = NonNull::new(pointer) {
            // SAFETY: by the contract of `dealloc` it came from `alloc` with this layout.
            unsafe { self.0.lock().deallocate(pointer, layout) }
        }
    }
}

/// Bytes of heap not in use.
pub(crate) fn free() -> usize {
    HEAP.0.lock().free()
}
