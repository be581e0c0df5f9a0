//! A task being made, running, and taken apart: everything it owns is found here again.

use crate::memory::Memory;
use crate::modules::Image;
use crate::trouble::{Context, Trouble};
use abi::program::{Session, Startup};
use abi::system::{map, root, Handle};
use abi::{layout, system};
use alloc::vec::Vec;
use manager::regions::Region;
use runtime::sys;
use zerocopy::IntoBytes;

pub struct Task {
    pub handle: Handle,
    /// A right to `donated`, in the nucleus's hands until the task is destroyed.
    donation: Handle,
    donated: Region,
    /// Memory that is this task's alone.
    owned: Vec<Region>,
}

impl Task {
    /// An empty task whose nucleus objects live in `donation` bytes, for threads of at most priority `ceiling`.
    pub fn create(memory: &mut Memory, donation: u64, ceiling: u64) -> Result<Task, Trouble> {
        let donated = memory.raw(donation)?;
        let made = sys::memory_part(root::MEMORY, donated.offset, donated.size)
            .because("making a right to donated memory")
            .and_then(|right| match sys::task_create(right, ceiling) {
                Ok(handle) => Ok((right, handle)),
                error => {
                    let _ = sys::right_drop(right);
                    error.map(|handle| (right, handle)).because("making a task")
                }
            });
        match made {
            Ok((donation, handle)) => Ok(Task {
                handle,
                donation,
                donated,
                owned: Vec::new(),
            }),
            Err(trouble) => {
                memory.give(donated);
                Err(trouble)
            }
        }
    }

    /// Stops it and takes everything back.
    pub fn destroy(self, memory: &mut Memory) {
        if sys::task_destroy(self.handle).is_err() {
            // Memory that may still be mapped is lost rather than shared.
            return;
        }
        let _ = sys::right_drop(self.handle);
        let _ = sys::right_drop(self.donation);
        memory.give(self.donated);
        for region in self.owned {
            memory.give(region);
        }
    }

    /// Bytes that the nucleus keeps its objects in.
    pub fn donated(&self) -> u64 {
        self.donated.size
    }

    /// Bytes that are its alone.
    pub fn private(&self) -> u64 {
        self.owned.iter().map(|region| region.size).sum()
    }

    /// Zeroed memory of its own at `address`.
    pub fn own(
        &mut self,
        memory: &mut Memory,
        size: u64,
        align: u64,
        address: u64,
        flags: u64,
    ) -> Result<Region, Trouble> {
        let region = memory.zeroed(size, align)?;
        self.owned.push(region);
        self.map(root::MEMORY, region.offset, region.size, address, flags)?;
        Ok(region)
    }

    /// Shows it memory that is not its own.
    pub fn map(
        &self,
        right: Handle,
        offset: u64,
        size: u64,
        address: u64,
        flags: u64,
    ) -> Result<(), Trouble> {
        sys::memory_map(self.handle, right, offset, size, address, flags)
            .because("mapping memory into a task")
    }

    /// The program: writable segments are copied, the others are shared with the module. And a stack.
    pub fn load(&mut self, memory: &mut Memory, image: &Image, stack: u64) -> Result<(), Trouble> {
        let Image { module, program } = image;
        for segment in program.segments() {
            let (address, flags) = (segment.address, segment.flags);
            if program.shares(&segment, module.size) {
                let offset = segment.file_offset;
                self.map(module.right, offset, segment.size, address, flags)?;
                continue;
            }
            let region = memory.zeroed(segment.size, layout::PAGE)?;
            self.owned.push(region);
            let contents = program.contents(&segment);
            memory.with(region, |bytes| bytes.write(0, contents))?;
            self.map(root::MEMORY, region.offset, region.size, address, flags)?;
        }
        let bottom = layout::STACK_TOP - stack;
        self.own(memory, stack, layout::PAGE, bottom, map::WRITE)?;
        Ok(())
    }

    /// The startup page, and the first thread.
    pub fn start(
        &mut self,
        memory: &mut Memory,
        startup: &Startup,
        entry: u64,
        priority: u64,
    ) -> Result<(), Trouble> {
        let page = memory.zeroed(layout::PAGE, layout::PAGE)?;
        self.owned.push(page);
        memory.with(page, |bytes| bytes.write(0, startup.as_bytes()))?;
        let (offset, size) = (page.offset, page.size);
        self.map(root::MEMORY, offset, size, layout::STARTUP, 0)?;
        let thread = sys::thread_create(
            self.handle,
            entry,
            layout::STACK_TOP,
            layout::STARTUP,
            priority,
        )
        .because("starting a thread")?;
        // The thread goes on without a right to it.
        let _ = sys::right_drop(thread);
        Ok(())
    }

    /// A right of the manager's, in the task's table, with which no more than `may` can be done.
    pub fn give(&self, right: Handle, may: u32) -> Result<Handle, Trouble> {
        sys::right_copy(self.handle, right, may).because("giving a right to a task")
    }
}

/// Makes a task for threads of at most priority `ceiling`, with more donated memory each time the nucleus finds it too little.
pub fn fitting<T>(
    memory: &mut Memory,
    first: u64,
    ceiling: u64,
    mut make: impl FnMut(&mut Memory, &mut Task) -> Result<T, Trouble>,
) -> Result<(Task, T), Trouble> {
    const MOST: u64 = 0x20_0000;
    let mut donation = first;
    loop {
        let mut task = Task::create(memory, donation, ceiling)?;
        match make(memory, &mut task) {
            Ok(made) => return Ok((task, made)),
            Err(trouble) => {
                task.destroy(memory);
                if trouble.error != Some(system::Error::NoRoom) || donation >= MOST {
                    return Err(trouble);
                }
                donation *= 2;
            }
        }
    }
}

/// A startup page that says nothing yet.
pub fn blank() -> Startup {
    Startup {
        device: u64::MAX,
        notification: u32::MAX,
        client: u32::MAX,
        manager: u32::MAX,
        sessions: 0,
        platform: u32::MAX,
        quiet: 0,
        arena_dma: 0,
        arena_size: 0,
        pool_dma: 0,
        pool_size: 0,
        lines: [0; abi::program::INTERRUPTS],
        line_count: 0,
        message_count: 0,
        inventory_size: 0,
        codes_size: 0,
        graphs_size: 0,
        heap_size: 0,
        session: [Session::default(); abi::program::SESSIONS],
        own_task: u32::MAX,
        memory: u32::MAX,
        memory_size: 0,
    }
}
