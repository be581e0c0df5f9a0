//! Tasks: an address space, a table of rights, and the memory all of it is kept in.

use crate::{
    extent::{Extent, Mapped},
    handler::Handlers,
    notification::Notification,
    paging::Words,
    rights::Rights,
    thread::Thread,
};
use abi::{layout::PAGE, system::Error};
use core::cell::Cell;

/// Ranges of I/O ports one task may have.
pub const PORT_RANGES: usize = 8;

/// Memory that a task donated: whole pages for page tables, and objects carved from pages.
#[derive(Debug)]
pub struct Pool {
    /// Physical.
    pub base: u64,
    pub size: u64,
    next_page: Cell<u64>,
    object: Cell<u64>,
    object_end: Cell<u64>,
    /// The first page that came back, which says in its first word which is the next, and how many there are.
    spare: Cell<u64>,
    spares: Cell<u64>,
}

impl Pool {
    /// The first `used` bytes hold something already.
    pub const fn new(base: u64, size: u64, used: u64) -> Pool {
        Pool {
            base,
            size,
            next_page: Cell::new(used.next_multiple_of(PAGE)),
            object: Cell::new(0),
            object_end: Cell::new(0),
            spare: Cell::new(0),
            spares: Cell::new(0),
        }
    }

    /// Physical address of a page that nothing else uses.
    pub fn page(&self, words: &impl Words) -> Result<u64, Error> {
        let spare = self.spare.get();
        if spare != 0 {
            self.spare.set(words.load(spare));
            self.spares.set(self.spares.get() - 1);
            return Ok(spare);
        }
        let at = self.next_page.get();
        if at + PAGE > self.size {
            return Err(Error::NoRoom);
        }
        self.next_page.set(at + PAGE);
        Ok(self.base + at)
    }

    /// A page that [`Pool::page`] gave, and nothing uses any more.
    pub fn give_page(&self, words: &impl Words, page: u64) {
        words.store(page, self.spare.replace(page));
        self.spares.set(self.spares.get() + 1);
    }

    /// Physical address of `size` bytes (at most a page), 64-byte aligned, that nothing else uses.
    pub fn carve(&self, words: &impl Words, size: u64) -> Result<u64, Error> {
        let size = size.next_multiple_of(64);
        if self.object.get() + size > self.object_end.get() {
            let page = self.page(words)?;
            self.object.set(page);
            self.object_end.set(page + PAGE);
        }
        let at = self.object.get();
        self.object.set(at + size);
        Ok(at)
    }

    pub fn used(&self) -> u64 {
        self.next_page.get() - self.spares.get() * PAGE
    }

    pub fn holds(&self, physical: u64) -> bool {
        physical.wrapping_sub(self.base) < self.size
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    Running,
    Stopped,
}

/// Offsets are used by the entry code.
#[repr(C)]
pub struct Task {
    /// What the address space register is loaded with.
    pub space: Cell<u64>,
    /// Not 0: portal calls into and out of this task take the long way (it has I/O ports, or was stopped).
    pub special: Cell<u64>,
    pub rights: Rights,
    /// Physical address of the page table root.
    pub root: u64,
    pub number: u32,
    pub pool: Pool,
    /// The highest priority that its threads may have.
    pub ceiling: u64,
    pub state: Cell<TaskState>,
    pub threads: Cell<Option<&'static Thread>>,
    pub next: Cell<Option<&'static Task>>,
    /// Port ranges (first, count).
    pub ports: [Cell<(u16, u16)>; PORT_RANGES],
    /// Its system calls are events, for good.
    pub foreign: Cell<bool>,
    pub handlers: Handlers,
    /// How many of its threads have ended and are named by no right.
    pub(crate) reusable: Cell<u32>,
    /// Its threads may use floating point.
    pub floats: Cell<bool>,
    /// To be stopped: the handler of one of its threads ended ([`State::settle`](crate::State::settle)).
    pub orphaned: Cell<bool>,
    pub fault_bound: Cell<Option<(&'static Notification, u64)>>,
    pub fault: Cell<abi::system::info::Fault>,
    /// Bytes mapped.
    pub mapped: Cell<u64>,
    /// Nanoseconds of CPU time.
    pub time: Cell<u64>,
    /// With which rights something is mapped here.
    pub(crate) mapped_with: Cell<Option<&'static Mapped>>,
    /// The right to the memory that this is made in, and the next task that is made in it.
    pub(crate) donor: Cell<Option<&'static Extent>>,
    pub(crate) next_donated: Cell<Option<&'static Task>>,
    /// Objects in the pool that are no longer used, for the next of their kind.
    pub(crate) spare_extents: Cell<Option<&'static Extent>>,
    pub(crate) spare_mapped: Cell<Option<&'static Mapped>>,
}

impl Task {
    pub fn new(pool: Pool, root: u64, space: u64, number: u32, ceiling: u64) -> Task {
        Task {
            space: Cell::new(space),
            special: Cell::new(0),
            rights: Rights::new(),
            root,
            number,
            pool,
            ceiling,
            state: Cell::new(TaskState::Running),
            threads: Cell::new(None),
            next: Cell::new(None),
            ports: [const { Cell::new((0, 0)) }; PORT_RANGES],
            foreign: Cell::new(false),
            handlers: Handlers::new(),
            reusable: Cell::new(0),
            floats: Cell::new(false),
            orphaned: Cell::new(false),
            fault_bound: Cell::new(None),
            fault: Cell::new(abi::system::info::Fault {
                kind: 0,
                address: 0,
                at: 0,
            }),
            mapped: Cell::new(0),
            time: Cell::new(0),
            mapped_with: Cell::new(None),
            donor: Cell::new(None),
            next_donated: Cell::new(None),
            spare_extents: Cell::new(None),
            spare_mapped: Cell::new(None),
        }
    }

    /// Adds a range of I/O ports.
    pub fn grant_ports(&self, first: u64, count: u64) -> Result<(), Error> {
        let end = first.checked_add(count).ok_or(Error::BadArgument)?;
        if count == 0 || end > 0x1_0000 {
            return Err(Error::BadArgument);
        }
        let free = self
            .ports
            .iter()
            .find(|range| range.get().1 == 0)
            .ok_or(Error::NoRoom)?;
        // A count of 0x10000 does not fit; nobody needs all ports in one range.
        free.set((
            first as u16,
            u16::try_from(count).map_err(|_| Error::BadArgument)?,
        ));
        self.special.set(1);
        Ok(())
    }

    pub fn threads(&self) -> impl Iterator<Item = &'static Thread> {
        core::iter::successors(self.threads.get(), |thread| thread.sibling.get())
    }

    pub fn add_thread(&self, thread: &'static Thread) {
        thread.sibling.set(self.threads.replace(Some(thread)));
    }
}

/// All tasks.
#[derive(Default)]
pub struct Tasks(Cell<Option<&'static Task>>);

impl Tasks {
    pub const fn new() -> Tasks {
        Tasks(Cell::new(None))
    }

    pub fn add(&self, task: &'static Task) {
        task.next.set(self.0.replace(Some(task)));
    }

    pub fn remove(&self, task: &Task) {
        let mut link = &self.0;
        while let Some(other) = link.get() {
            if core::ptr::eq(other, task) {
                link.set(other.next.get());
                return;
            }
            link = &other.next;
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &'static Task> {
        core::iter::successors(self.0.get(), |task| task.next.get())
    }
}
