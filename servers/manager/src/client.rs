//! The task that is client of all drivers: the console, or a program that was given at boot.

use crate::driver::Driver;
use crate::memory::Memory;
use crate::modules::{Image, Module};
use crate::task::{blank, fitting, Task};
use crate::trouble::{Context, Trouble};
use abi::layout;
use abi::program::{Session, SESSIONS};
use abi::system::{map, may, root, Handle};
use manager::regions::Region;
use runtime::sys;

const STACK: u64 = 0x8000;
const DONATION: u64 = 0x3_0000;
const PRIORITY: u64 = 8;
/// A program that makes tasks of its own may have some of them run before drivers: it measures, or tests.
const CEILING: u64 = 20;
/// Heap of the console; of a program that makes tasks of its own.
const HEAP: u64 = 0x8_0000;

pub struct Client {
    pub image: Image,
    pub notification: Handle,
    pub portal: Handle,
    pub inventory: Option<Module>,
    pub codes: Option<Module>,
    pub graphs: Option<Module>,
    /// Memory for tasks of its own.
    pub grant: Option<(Handle, Region)>,
}

impl Client {
    pub fn start(
        &self,
        memory: &mut Memory,
        drivers: &[&Driver],
        faults: (Handle, u64),
    ) -> Result<Task, Trouble> {
        let ceiling = match self.grant {
            Some(_) => CEILING,
            None => PRIORITY,
        };
        let (task, ()) = fitting(memory, DONATION, ceiling, |memory, task| {
            task.load(memory, &self.image, STACK)?;
            task.own(memory, HEAP, layout::PAGE, layout::HEAP, map::WRITE)?;
            sys::fault_bind(task.handle, faults.0, faults.1).because("binding faults")?;
            let mut startup = blank();
            startup.heap_size = HEAP;
            startup.notification = task.give(self.notification, may::WAIT)?;
            startup.manager = task.give(self.portal, 0)?;
            startup.platform = task.give(root::PLATFORM, may::LOG | may::TELL)?;
            self.show(task, &mut startup)?;
            for (n, driver) in drivers.iter().take(SESSIONS).enumerate() {
                startup.session[n] = session(task, n as u64, driver)?;
                startup.sessions += 1;
            }
            if let Some((right, region)) = self.grant {
                startup.own_task = root::SELF;
                startup.memory = task.give(right, may::ALL)?;
                startup.memory_size = region.size;
            }
            task.start(memory, &startup, self.image.program.entry, PRIORITY)
        })?;
        Ok(task)
    }

    /// Inventory, codes and graphs, read-only.
    fn show(&self, task: &Task, startup: &mut abi::program::Startup) -> Result<(), Trouble> {
        let shown = [
            (self.inventory, layout::INVENTORY),
            (self.codes, layout::CODES),
            (self.graphs, layout::GRAPHS),
        ];
        for (module, at) in shown {
            if let Some(module) = module {
                task.map(module.right, 0, module.pages(), at, 0)?;
            }
        }
        startup.inventory_size = self.inventory.map_or(0, |module| module.size);
        startup.codes_size = self.codes.map_or(0, |module| module.size);
        startup.graphs_size = self.graphs.map_or(0, |module| module.size);
        Ok(())
    }
}

/// Rings and pool of a driver in its client's task, and the doorbell.
fn session(task: &Task, n: u64, driver: &Driver) -> Result<Session, Trouble> {
    let place = n * layout::SESSION_STRIDE;
    let (rings, pool) = (driver.rings, driver.pool);
    let at = layout::SESSION_RINGS + place;
    task.map(root::MEMORY, rings.offset, rings.size, at, map::WRITE)?;
    let at = layout::SESSION_POOL + place;
    task.map(root::MEMORY, pool.offset, pool.size, at, map::WRITE)?;
    Ok(Session {
        device: driver.device as u32,
        bell: task.give(driver.notification, may::RING)?,
        pool_size: pool.size,
    })
}
