//! The task of one device. What a restart keeps is made once: arena, rings, pool, rights, interrupt bindings.

use crate::memory::Memory;
use crate::modules::{Image, Module};
use crate::task::{blank, fitting, Task};
use crate::trouble::{Context, Trouble};
use abi::inventory::Installed;
use abi::program::{bit, INTERRUPTS};
use abi::system::{map, may, root, Handle};
use abi::{layout, ring};
use alloc::vec::Vec;
use classes::ring::State;
use core::sync::atomic::Ordering;
use manager::plan::{self, Pages};
use manager::regions::Region;
use runtime::{println, sys};

const STACK: u64 = 0x4000;
const HEAP: u64 = 0x6000;
/// What a driver's task needs of donated memory, more or less.
const DONATION: u64 = 0x1_8000;
const PRIORITY: u64 = 12;

pub struct Driver {
    /// Index in the inventory.
    pub device: usize,
    /// What the driver waits on; its client holds a copy as the doorbell.
    pub notification: Handle,
    pub rings: Region,
    pub pool: Region,
    /// What the inventory says of this device, and its length.
    record: (Region, u64),
    /// Shared with the device, which may go on writing to it until the next `init` resets it: never given to another.
    arena: Option<Region>,
    /// Number of the window, its pages, the right to them.
    windows: Vec<(usize, Pages, Handle)>,
    /// Interrupt lines that are bound.
    lines: Vec<u32>,
    /// Messages that are bound, instead: all or none.
    messages: u64,
}

/// What all drivers' tasks are made of.
pub struct Parts {
    pub image: Image,
    pub codes: Module,
    /// Notification of the client of all drivers, and of the manager, which is the client of buses.
    pub client: Handle,
    pub manager: Handle,
    /// Pools for a program that measures.
    pub generous: bool,
}

impl Parts {
    /// Whom a driver tells that there is something in its rings.
    pub fn client_of(&self, installed: &Installed) -> Handle {
        match plan::is_bus(installed) {
            true => self.manager,
            false => self.client,
        }
    }
}

impl Driver {
    /// Everything but the task.
    pub fn prepare(
        memory: &mut Memory,
        parts: &Parts,
        devices: &[Installed],
        device: usize,
    ) -> Result<Driver, Trouble> {
        let installed = devices.get(device).ok_or(Trouble::new("no such device"))?;
        let notification = sys::notification_create().because("making a notification")?;
        let arena = match installed.arena_size {
            0 => None,
            size => Some(memory.zeroed(size.into(), installed.arena_align.into())?),
        };
        let bytes = installed
            .to_bytes()
            .ok_or(Trouble::new("its record cannot be written"))?;
        let record = memory.zeroed(bytes.len() as u64, layout::PAGE)?;
        memory.with(record, |page| page.write(0, &bytes))?;
        let mut driver = Driver {
            device,
            record: (record, bytes.len() as u64),
            arena,
            notification,
            rings: memory.zeroed(ring::BYTES as u64, layout::PAGE)?,
            pool: memory.zeroed(plan::pool_size(installed, parts.generous), layout::PAGE)?,
            windows: Vec::new(),
            lines: Vec::new(),
            messages: 0,
        };
        driver.claim(devices, installed)?;
        driver.bind(installed);
        Ok(driver)
    }

    /// Rights to the device's registers.
    fn claim(&mut self, devices: &[Installed], installed: &Installed) -> Result<(), Trouble> {
        for (n, window) in installed.windows.iter().enumerate() {
            if window.kind != 0 {
                continue;
            }
            let pages = plan::pages_of(window)
                .ok_or(Trouble::new("a window is larger than the room for it"))?;
            if let Some(other) = plan::neighbour(devices, self.device, n) {
                let (name, other) = (&installed.name, &other.name);
                println!("{name}: window {} shares a page with {other}", window.name);
            }
            let right = sys::memory_device(root::PLATFORM, pages.base, pages.size)
                .because("making a right to device registers")?;
            self.windows.push((n, pages, right));
        }
        Ok(())
    }

    /// Messages to the notification, each with the bit of its number. One that cannot be bound leaves the driver polling.
    fn bind_messages(&mut self, installed: &Installed) {
        for (n, number) in installed.messages.iter().take(INTERRUPTS).enumerate() {
            let bits = bit::LINE << n;
            if let Err(error) = sys::message_bind(root::PLATFORM, *number, self.notification, bits)
            {
                return println!("{}: message {n} not bound ({error:?})", installed.name);
            }
        }
        self.messages = installed.messages.len() as u64;
    }

    /// Interrupt lines to the notification. A line that cannot be bound leaves the driver polling.
    fn bind(&mut self, installed: &Installed) {
        if !installed.messages.is_empty() {
            return self.bind_messages(installed);
        }
        for (line, level, low) in installed.wires.iter().take(INTERRUPTS) {
            let bits = bit::LINE << self.lines.len();
            let bound =
                sys::interrupt_bind(root::PLATFORM, *line, *level, *low, self.notification, bits);
            match bound {
                Ok(()) => self.lines.push(*line),
                Err(error) => println!("{}: line {line} not bound ({error:?})", installed.name),
            }
        }
    }

    /// A new task for the device. `quiet`: all that it does is to make the device leave memory alone.
    pub fn start(
        &self,
        memory: &mut Memory,
        parts: &Parts,
        installed: &Installed,
        faults: (Handle, u64),
        quiet: bool,
    ) -> Result<Task, Trouble> {
        // A line that the last task left unanswered.
        for line in &self.lines {
            let _ = sys::interrupt_done(self.notification, *line);
        }
        let (task, ()) = fitting(memory, DONATION, PRIORITY, |memory, task| {
            task.load(memory, &parts.image, STACK)?;
            self.furnish(memory, parts, installed, task)?;
            sys::fault_bind(task.handle, faults.0, faults.1).because("binding faults")?;
            self.run(memory, parts, installed, task, quiet)
        })?;
        Ok(task)
    }

    /// Code, state, arena, heap, rings, pool, windows and ports.
    fn furnish(
        &self,
        memory: &mut Memory,
        parts: &Parts,
        installed: &Installed,
        task: &mut Task,
    ) -> Result<(), Trouble> {
        let page = layout::PAGE;
        let first = u64::from(installed.code.0) & !(page - 1);
        let end = u64::from(installed.code.0) + u64::from(installed.code.1);
        let length = end.next_multiple_of(page) - first;
        if first + length > parts.codes.pages() {
            return Err(Trouble::new("its code is not in the module of codes"));
        }
        task.map(parts.codes.right, first, length, layout::CODE, map::EXECUTE)?;
        let state = u64::from(installed.state_size).max(1);
        task.own(memory, state, page, layout::STATE, map::WRITE)?;
        task.own(memory, HEAP, page, layout::HEAP, map::WRITE)?;
        for (region, at) in [(self.rings, layout::RINGS), (self.pool, layout::POOL)] {
            task.map(root::MEMORY, region.offset, region.size, at, map::WRITE)?;
        }
        for (n, pages, right) in &self.windows {
            let at = layout::WINDOWS + *n as u64 * layout::WINDOW_STRIDE;
            let flags = map::WRITE | map::DEVICE;
            for (from, size) in plan::shown(pages, &installed.withheld) {
                task.map(*right, from, size, at + from, flags)?;
            }
        }
        for window in installed.windows.iter().filter(|window| window.kind == 1) {
            sys::ports_grant(root::PLATFORM, task.handle, window.base, window.size)
                .because("granting ports")?;
        }
        let (record, _) = self.record;
        task.map(
            root::MEMORY,
            record.offset,
            record.size,
            layout::INVENTORY,
            0,
        )
    }

    /// The arena, whose place in memory the driver must know, and the first thread.
    fn run(
        &self,
        memory: &mut Memory,
        parts: &Parts,
        installed: &Installed,
        task: &mut Task,
        quiet: bool,
    ) -> Result<(), Trouble> {
        let mut startup = blank();
        startup.quiet = quiet.into();
        startup.device = self.device as u64;
        startup.notification = task.give(self.notification, may::WAIT)?;
        startup.client = task.give(parts.client_of(installed), may::RING)?;
        startup.platform = task.give(root::PLATFORM, may::LOG)?;
        if let Some(arena) = self.arena {
            task.map(
                root::MEMORY,
                arena.offset,
                arena.size,
                layout::ARENA,
                map::WRITE,
            )?;
            startup.arena_dma = memory.physical(arena);
            startup.arena_size = arena.size;
        }
        startup.pool_dma = memory.physical(self.pool);
        startup.pool_size = self.pool.size;
        for (to, line) in startup.lines.iter_mut().zip(&self.lines) {
            *to = *line;
        }
        startup.line_count = self.lines.len() as u64;
        startup.message_count = self.messages;
        startup.inventory_size = self.record.1;
        startup.heap_size = HEAP;
        task.start(memory, &startup, parts.image.program.entry, PRIORITY)
    }

    /// Bytes of rings, pool and record.
    pub fn shared(&self) -> u64 {
        self.rings.size + self.pool.size + self.record.0.size
    }

    /// Bytes shared with the device.
    pub fn arena(&self) -> u64 {
        self.arena.map_or(0, |arena| arena.size)
    }

    /// Whether the device uses memory of its own accord, so that it has to be made quiet when its driver ends.
    pub fn reaches_memory(installed: &Installed) -> bool {
        installed.entries.iter().any(|(name, ..)| name == "quiet")
    }

    /// Whether the driver itself has said that its device was taken away.
    pub fn knows(&self, memory: &Memory) -> bool {
        let state = memory.with(self.rings, |rings| {
            rings.ring_header().driver_state.load(Ordering::Acquire)
        });
        state.is_ok_and(|state| state == State::Gone as u32)
    }

    /// Says in the rings that nobody will answer any more, and why, and tells the client.
    pub fn give_up(&self, memory: &Memory, client: Handle, state: State) {
        let said = memory.with(self.rings, |rings| {
            let header = rings.ring_header();
            header.driver_state.store(state as u32, Ordering::Release);
            header.generation.fetch_add(1, Ordering::AcqRel);
        });
        if said.is_ok() {
            let _ = sys::notify(client, bit::RING | bit::RESTARTED);
        }
    }
}
