//! A second task with a copy of this program: for tests and measurements, which need a task that may die.

use crate::{memory::Shared, sys};
use abi::layout::{self, PAGE};
use abi::system::{map, Error, Handle};

/// What the copy runs. It finds the rights it was given, no heap, and `STACK` bytes of stack.
pub trait Run: 'static {
    fn run(argument: u64);
}

const STACK: u64 = 0x4000;
const DONATED: u64 = 0x2_0000;
/// Where the copy is filled.
const SCRATCH: u64 = layout::MODULES;

/// Memory for children, used up from the start.
pub struct Memory {
    pub right: Handle,
    pub next: u64,
}

impl Memory {
    pub fn take(&mut self, length: u64) -> Result<Handle, Error> {
        let part = sys::memory_part(self.right, self.next, length)?;
        self.next += length;
        Ok(part)
    }
}

extern "C" {
    static program_text_end: u8;
    static program_rodata_end: u8;
    static program_end: u8;
}

extern "C" fn start<R: Run>(argument: u64) -> ! {
    crate::sync::forget();
    // Its parent's handle means something else here, or nothing.
    sys::platform_is(Handle::MAX);
    R::run(argument);
    sys::exit()
}

/// A task that is a copy of this program as it is now, without threads; these will have at most priority `ceiling`.
pub fn create(this: Handle, memory: &mut Memory, ceiling: u64) -> Result<Handle, Error> {
    let donated = memory.take(DONATED)?;
    let task = sys::task_create(donated, ceiling)?;
    sys::right_drop(donated)?;
    let ends = [
        &raw const program_text_end,
        &raw const program_rodata_end,
        &raw const program_end,
    ];
    let [text, rodata, end] = ends.map(|end| end as u64 - layout::PROGRAM);
    let image = memory.take(end)?;
    sys::memory_map(this, image, 0, end, SCRATCH, map::WRITE)?;
    // SAFETY: the linker script puts the program's image there; what changes meanwhile is copied as it happens to be.
    let bytes = unsafe { core::slice::from_raw_parts(layout::PROGRAM as *const u8, end as usize) };
    Shared::new(SCRATCH, end as usize).write(0, bytes);
    sys::memory_unmap(this, SCRATCH, end)?;
    sys::memory_map(task, image, 0, text, layout::PROGRAM, map::EXECUTE)?;
    if rodata > text {
        sys::memory_map(task, image, text, rodata - text, layout::PROGRAM + text, 0)?;
    }
    if end > rodata {
        sys::memory_map(
            task,
            image,
            rodata,
            end - rodata,
            layout::PROGRAM + rodata,
            map::WRITE,
        )?;
    }
    sys::right_drop(image)?;
    let stack = memory.take(STACK)?;
    sys::memory_map(task, stack, 0, STACK, layout::STACK_TOP - STACK, map::WRITE)?;
    sys::right_drop(stack)?;
    Ok(task)
}

/// Starts `R` in the copy.
pub fn run<R: Run>(task: Handle, argument: u64, priority: u64) -> Result<Handle, Error> {
    sys::thread_create(
        task,
        start::<R> as *const () as u64,
        layout::STACK_TOP,
        argument,
        priority,
    )
}

/// Bytes of memory one child takes.
pub fn bytes() -> u64 {
    let end = &raw const program_end as u64 - layout::PROGRAM;
    (end + DONATED + STACK).next_multiple_of(PAGE)
}
