//! The first task: made of the manager's module, with rights to everything.

use crate::{memory, memory::Ram, objects, space, STATE};
use abi::{
    boot::{BootInfo, ModuleKind, Range, MAGIC},
    layout::{self, PAGE},
    program::{Header, Segment},
    system::{map, may, root, Error},
};
use nucleus_core::{
    allegation::Allegation,
    paging::Access,
    rights::{Memory, Object, Right},
    task::Task,
    thread::{Thread, PRIORITIES},
};
use zerocopy::IntoBytes;

/// Bytes for the first task's nucleus objects and page tables.
const POOL: u64 = 0x4_0000;
/// Most bytes of writable segments of the first program.
const DATA: u64 = 0x4_0000;
/// Bytes the nucleus takes from the largest free range for the first task.
pub const REGION: u64 = POOL + DATA + PAGE + root::STACK_SIZE + root::HEAP_SIZE;
const PRIORITY: u64 = 16;

/// The boot information at a physical address.
///
/// # Safety
/// Genesis laid one out there, in memory that is kept and that nobody writes any more.
pub unsafe fn boot_info(physical: u64) -> &'static BootInfo {
    // SAFETY: the caller's promise; the direct map shows all RAM.
    let boot = unsafe { &*(memory::direct(physical) as *const BootInfo) };
    assert!(
        boot.magic == MAGIC && boot.size == size_of::<BootInfo>() as u64,
        "genesis and nucleus do not match"
    );
    boot
}

/// Pages from the region, in order.
struct Region {
    at: u64,
    end: u64,
}

impl Region {
    fn take(&mut self, size: u64) -> Memory {
        let base = self.at;
        assert!(
            base + size <= self.end,
            "the first program needs more than {REGION:#x} bytes"
        );
        self.at += size;
        // SAFETY: the region is RAM that `memory::start` took for what the nucleus makes the first task of, each part of it
        // is taken once, and nothing lies in it yet.
        unsafe { memory::zero(Range { base, size }) };
        Memory {
            base,
            size,
            device: false,
        }
    }
}

/// Makes and starts it.
pub fn task(boot: &BootInfo, ram: Ram) {
    let mut region = Region {
        at: ram.region.base,
        end: ram.region.base + ram.region.size,
    };
    let pool = region.take(POOL);
    let kept = STATE.frames.keep(pool.base, pool.size);
    let task = kept
        .and_then(|()| objects::task(pool, 0, PRIORITIES - 1))
        .unwrap_or_else(|error| panic!("the first task: {error:?}"));
    rights(task, boot, ram);
    let modules = &boot.modules[..boot.module_count as usize];
    let manager = modules
        .iter()
        .find(|module| module.kind == ModuleKind::Manager as u32);
    let manager = manager.expect("no first program among the modules");
    // SAFETY: the boot information names it as a module.
    let bytes = unsafe { memory::module(manager.base, manager.size) };
    let made = program(task, &mut region, manager.base, bytes);
    let made = made.and_then(|entry| {
        let stack = region.take(root::STACK_SIZE);
        show(task, stack, layout::STACK_TOP - stack.size, map::WRITE)?;
        let heap = region.take(root::HEAP_SIZE);
        show(task, heap, layout::HEAP, map::WRITE)?;
        show_boot_info(task, &mut region, boot)?;
        start(task, entry)
    });
    made.unwrap_or_else(|error| panic!("the first program: {error:?}"));
}

fn rights(task: &'static Task, boot: &BootInfo, ram: Ram) {
    let free = Memory {
        base: ram.free.base,
        size: ram.free.size,
        device: false,
    };
    let set = |handle, object, may| task.rights.set(handle, Right { object, may });
    set(root::SELF, Object::Task(task), root::SELF_MAY);
    let memory = |handle, memory, may| {
        let extent = objects::extent(task, memory).expect("room for the first task's rights");
        task.rights.set_memory(task, handle, extent, may)
    };
    memory(root::MEMORY, free, may::ALL);
    set(root::PLATFORM, Object::Platform, may::ALL);
    for (n, module) in boot
        .modules
        .iter()
        .take(boot.module_count as usize)
        .enumerate()
    {
        let size = module.size.next_multiple_of(PAGE);
        let read_only = may::COPY | may::READ | may::EXECUTE;
        let whole = Memory {
            base: module.base,
            size,
            device: false,
        };
        memory(root::MODULE_0 + n as u32, whole, read_only);
    }
}

fn show(task: &Task, memory: Memory, address: u64, flags: u64) -> Result<(), Error> {
    let access = Access {
        write: flags & map::WRITE != 0,
        execute: flags & map::EXECUTE != 0,
        device: false,
    };
    space::map(
        task,
        memory,
        Allegation::new(address, memory.size).check_pages(u64::MAX)?,
        access,
    )
}

fn show_boot_info(task: &Task, region: &mut Region, boot: &BootInfo) -> Result<(), Error> {
    const { assert!(size_of::<BootInfo>() <= PAGE as usize) };
    let page = region.take(PAGE);
    // SAFETY: the page was taken for this just now, and the boot information is not longer.
    unsafe { memory::fill(page.base, boot.as_bytes()) };
    show(task, page, layout::STARTUP, 0)
}

fn start(task: &'static Task, entry: u64) -> Result<(), Error> {
    let thread = objects::place(task, Thread::new(task, PRIORITY))?;
    thread.registers.enter(entry, layout::STACK_TOP);
    task.add_thread(thread);
    STATE.make_ready(thread);
    Ok(())
}

/// Maps a packed program; what it does not write, straight from its module. Its entry.
fn program(task: &Task, region: &mut Region, base: u64, bytes: &[u8]) -> Result<u64, Error> {
    let header = Header::of(bytes).ok_or(Error::BadArgument)?;
    for n in 0..header.segments.min(16) {
        let segment = Segment::of(bytes, n).ok_or(Error::BadArgument)?;
        let content = segment.contents(bytes).ok_or(Error::BadArgument)?;
        let (size, flags) = (segment.size, segment.flags);
        let whole = segment.file_size.next_multiple_of(PAGE) == size
            && segment.file_offset.is_multiple_of(PAGE);
        let memory = if flags & map::WRITE == 0 && whole {
            Memory {
                base: base + segment.file_offset,
                size,
                device: false,
            }
        } else {
            let memory = region.take(size);
            // SAFETY: `size` bytes were taken for this just now, and the content is cut to them; it lies in its module.
            unsafe { memory::fill(memory.base, content.get(..size as usize).unwrap_or(content)) };
            memory
        };
        show(task, memory, segment.address, flags)?;
    }
    Ok(header.entry)
}
