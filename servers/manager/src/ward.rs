//! All tasks that the manager made and looks after.

use crate::bus::{Bus, Change, Child, News};
use crate::client::Client;
use crate::driver::{Driver, Parts};
use crate::memory::Memory;
use crate::modules::{Image, Module};
use crate::portal::{Portal, STACK};
use crate::task::Task;
use crate::trouble::{Context, Trouble};
use abi::boot::{BootInfo, ModuleKind};
use abi::inventory::{Installed, View};
use abi::layout;
use abi::program::{bit, manager::child};
use abi::system::{info, root, Error, Handle};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use classes::ring::State;
use manager::plan;
use manager::restarts::Restarts;
use runtime::sync::Mutex;
use runtime::{println, sys};

static WARD: Mutex<Option<Ward>> = Mutex::new(None);

/// Works on the one ward; `None` before it is there.
pub fn with<T>(work: impl FnOnce(&mut Ward) -> T) -> Option<T> {
    WARD.lock().as_mut().map(work)
}

pub struct Ward {
    memory: Memory,
    devices: Vec<Installed>,
    parts: Option<Parts>,
    charges: Vec<Charge>,
    client: Option<Client>,
    buses: Vec<Bus>,
    /// The manager's own, for faults and for what buses tell.
    notification: Handle,
}

/// One task and how it fares.
struct Charge {
    name: String,
    what: What,
    /// `None`: it does not run.
    task: Option<Task>,
    restarts: Restarts,
    stopped: bool,
    /// Its device was taken away.
    gone: bool,
}

enum What {
    Driver(Driver),
    Client,
}

/// What the portal tells of a task.
pub struct Description<'a> {
    pub name: &'a str,
    /// As `abi::program::manager::TASK` says it.
    pub state: u64,
    pub restarts: u64,
    /// Index in the inventory, or `u64::MAX`.
    pub device: u64,
    pub info: info::Task,
}

/// Bits of the notification that faults set, beside those of buses: one for each charge, the last for all further ones.
fn fault_bit(charge: usize) -> u64 {
    const _: () = assert!(bit::RING | bit::RESTARTED == 3);
    1 << (charge + 2).min(63)
}

/// Makes everything. Afterwards the caller waits for faults on the notification.
pub fn start() -> Result<Handle, Trouble> {
    let boot = runtime::boot_info().ok_or(Trouble::new("no boot information"))?;
    let told = sys::info_memory().because("asking for the machine's memory")?;
    let notification = sys::notification_create().because("making a notification")?;
    let mut ward = Ward {
        memory: Memory::new(told.free_at_start)?,
        devices: Vec::new(),
        parts: None,
        charges: Vec::new(),
        client: None,
        buses: Vec::new(),
        notification,
    };
    ward.bring_up(boot)?;
    *WARD.lock() = Some(ward);
    Ok(notification)
}

/// Waits for faults and for what buses tell, for ever.
pub fn watch(notification: Handle) {
    while with(Ward::tend).is_some() {
        let Ok(bits) = sys::wait(notification, sys::FOREVER) else {
            return;
        };
        with(|ward| ward.faults(bits));
    }
}

impl Ward {
    fn bring_up(&mut self, boot: &BootInfo) -> Result<(), Trouble> {
        let client_notification = sys::notification_create().because("making a notification")?;
        let other = Module::find(boot, ModuleKind::Other);
        let inventory = Module::find(boot, ModuleKind::Inventory);
        if let Some(inventory) = inventory {
            self.read(inventory)?;
            let notifications = (client_notification, self.notification);
            self.parts = parts(boot, notifications, other.is_some())?;
        }
        self.start_drivers();
        let console = other.or_else(|| Module::find(boot, ModuleKind::Console));
        let console = console.ok_or(Trouble::new("no console among the boot modules"))?;
        self.client = Some(Client {
            image: Image::of(console)?,
            notification: client_notification,
            portal: runtime::portal::open::<Portal>(0, STACK).because("making the portal")?,
            inventory,
            codes: Module::find(boot, ModuleKind::Codes),
            graphs: Module::find(boot, ModuleKind::Graphs),
            grant: match other {
                Some(_) => Some(self.grant()?),
                None => None,
            },
        });
        self.charges.push(Charge {
            name: match other {
                Some(_) => "program".into(),
                None => "console".into(),
            },
            what: What::Client,
            task: None,
            restarts: Restarts::default(),
            stopped: false,
            gone: false,
        });
        self.run(self.charges.len() - 1)
    }

    /// Half of what is free, but no more than 16 MiB, for a program that makes tasks.
    fn grant(&mut self) -> Result<(Handle, manager::regions::Region), Trouble> {
        let size = (self.memory.free() / 2).min(0x100_0000) & !(layout::PAGE - 1);
        let region = self.memory.raw(size)?;
        let right = sys::memory_part(root::MEMORY, region.offset, region.size)
            .because("making a right to memory")?;
        Ok((right, region))
    }

    fn read(&mut self, inventory: Module) -> Result<(), Trouble> {
        let bytes = inventory.read_at(layout::INVENTORY)?;
        match View::read(bytes) {
            Some(view) => self.devices = view.devices,
            None => println!("manager: the inventory is not readable, so no driver is started"),
        }
        Ok(())
    }

    fn start_drivers(&mut self) {
        let wanted: Vec<usize> = (0..self.devices.len())
            .filter(|at| plan::wants_task(&self.devices[*at]))
            .collect();
        for device in wanted {
            let name = self.devices[device].name.clone();
            if let Err(trouble) = self.add_driver(device) {
                println!("{name} not started: {trouble}");
            }
        }
    }

    fn add_driver(&mut self, device: usize) -> Result<(), Trouble> {
        let parts = self.parts.as_ref().ok_or(Trouble::new(
            "no driver program or no code among the boot modules",
        ))?;
        let driver = Driver::prepare(&mut self.memory, parts, &self.devices, device)?;
        if plan::is_bus(&self.devices[device]) {
            let place = self.buses.len();
            self.buses.push(Bus::open(place, &driver)?);
        }
        self.charges.push(Charge {
            name: self.devices[device].name.clone(),
            what: What::Driver(driver),
            task: None,
            restarts: Restarts::default(),
            stopped: false,
            gone: false,
        });
        self.run(self.charges.len() - 1)
    }

    /// Makes the task of a charge that has none.
    fn run(&mut self, at: usize) -> Result<(), Trouble> {
        let faults = (self.notification, fault_bit(at));
        let charge = self.charges.get(at).ok_or(Trouble::new("no such task"))?;
        let task = match &charge.what {
            What::Driver(driver) => {
                let parts = self
                    .parts
                    .as_ref()
                    .ok_or(Trouble::new("no driver program"))?;
                let installed = &self.devices[driver.device];
                driver.start(&mut self.memory, parts, installed, faults, false)?
            }
            What::Client => {
                let client = self.client.as_ref().ok_or(Trouble::new("no client"))?;
                let drivers: Vec<&Driver> = self
                    .charges
                    .iter()
                    .filter_map(|charge| match &charge.what {
                        What::Driver(driver) => Some(driver),
                        What::Client => None,
                    })
                    .filter(|driver| !plan::is_bus(&self.devices[driver.device]))
                    .collect();
                if drivers.len() > abi::program::SESSIONS {
                    println!("console: only {} drivers are used", abi::program::SESSIONS);
                }
                client.start(&mut self.memory, &drivers, faults)?
            }
        };
        self.charges[at].task = Some(task);
        self.charges[at].stopped = false;
        Ok(())
    }

    fn stop(&mut self, at: usize) {
        if let Some(task) = self
            .charges
            .get_mut(at)
            .and_then(|charge| charge.task.take())
        {
            task.destroy(&mut self.memory);
        }
    }

    /// Makes the device of a driver that is over leave memory alone. The driver's own code does that, in a task that does
    /// nothing else: the one that had the device before may be in the middle of anything.
    fn quiet(&mut self, at: usize) {
        /// Longer than a device takes that works.
        const PATIENCE: u64 = 2_000_000_000;
        const STEP: u64 = 500_000;
        let charge = &self.charges[at];
        let (What::Driver(driver), Some(parts)) = (&charge.what, &self.parts) else {
            return;
        };
        let installed = &self.devices[driver.device];
        if charge.gone || !Driver::reaches_memory(installed) {
            return;
        }
        // A fault of this task is seen below.
        let faults = (self.notification, fault_bit(at));
        let started = driver.start(&mut self.memory, parts, installed, faults, true);
        let task = match started {
            Ok(task) => task,
            Err(trouble) => {
                return println!(
                    "{}: its device may still use memory: {trouble}",
                    charge.name
                )
            }
        };
        let until = sys::now().saturating_add(PATIENCE);
        let ended = loop {
            match sys::info_task(task.handle) {
                Ok(info) if info.threads == 0 => break true,
                Ok(info) if info.state == 2 => break false,
                _ if sys::now() >= until => break false,
                _ => runtime::time::sleep(STEP),
            }
        };
        if !ended {
            println!(
                "{}: its device may still use memory: what makes it quiet did not come to its end",
                charge.name
            );
        }
        task.destroy(&mut self.memory);
    }

    /// Someone asked: task `index` as the portal counts, 0 being the manager.
    pub fn restart(&mut self, index: u64) -> Result<(), Error> {
        let at = usize::try_from(index)
            .ok()
            .and_then(|index| index.checked_sub(1));
        let at = at.ok_or(Error::Denied)?;
        let charge = self.charges.get_mut(at).ok_or(Error::BadArgument)?;
        if matches!(charge.what, What::Client) {
            // The caller would be running on the thread that is destroyed.
            return Err(Error::Denied);
        }
        if charge.gone {
            return Err(Error::Denied);
        }
        charge.restarts.asked();
        self.stop(at);
        self.run(at).map_err(|trouble| {
            println!("{} not started: {trouble}", self.charges[at].name);
            self.quiet(at);
            self.abandon(at);
            trouble.error.unwrap_or(Error::NoRoom)
        })
    }

    /// Tasks that were stopped by a fault start anew, or are left.
    fn faults(&mut self, bits: u64) {
        for at in 0..self.charges.len() {
            if bits & fault_bit(at) == 0 || self.charges[at].stopped {
                continue;
            }
            let Some(handle) = self.charges[at].task.as_ref().map(|task| task.handle) else {
                continue;
            };
            if sys::info_task(handle).is_ok_and(|info| info.state == 2) {
                self.fault(at, handle);
            }
        }
    }

    fn fault(&mut self, at: usize, handle: Handle) {
        let fault = sys::info_fault(handle).unwrap_or_default();
        let charge = &mut self.charges[at];
        let program = matches!(charge.what, What::Client) && charge.name != "console";
        let again = !program && charge.restarts.allow(sys::now());
        let what = match fault.kind {
            1 => "read of",
            2 => "write to",
            3 => "execution at",
            4 => "illegal instruction, address",
            5 => "I/O port",
            7 => "division, address",
            8 => "debug trap, address",
            9 | 10 => "system call that nobody handles, address",
            13 => "handler that ended, address",
            _ => "fault, address",
        };
        let next = match again {
            true => "starting it anew",
            false if program => "it stays stopped",
            false => "too often, so it stays stopped",
        };
        let (name, address, pc) = (&charge.name, fault.address, fault.at);
        println!("{name} stopped: {what} {address:#x}, instruction at {pc:#x}; {next}");
        if !again {
            // Its memory is kept, for whoever wants to look at it.
            charge.stopped = true;
            self.quiet(at);
            return self.abandon(at);
        }
        self.stop(at);
        if let Err(trouble) = self.run(at) {
            println!("{} not started: {trouble}", self.charges[at].name);
            self.quiet(at);
            self.abandon(at);
        }
    }

    /// Nobody serves this charge's rings any more.
    fn abandon(&mut self, at: usize) {
        let state = match self.charges[at].gone {
            true => State::Gone,
            false => State::Failed,
        };
        if let (What::Driver(driver), Some(parts)) = (&self.charges[at].what, &self.parts) {
            let client = parts.client_of(&self.devices[driver.device]);
            driver.give_up(&self.memory, client, state);
        }
    }

    /// What buses tell, until they have no more to tell.
    fn tend(&mut self) {
        // A bus that never stops telling waits for the next round.
        for _ in 0..16 {
            for n in 0..self.buses.len() {
                for news in self.buses[n].news() {
                    self.heard(n, news);
                }
            }
            if self.buses.iter_mut().all(Bus::arm) {
                return;
            }
        }
    }

    fn heard(&mut self, n: usize, news: News) {
        let name = self.devices[self.buses[n].device].name.clone();
        let change = match news {
            News::Came(place, facts) => {
                let replaced = self.buses[n].children.iter().any(|child| {
                    child.place == place
                        && child.state == child::THERE
                        && child.facts != Some(facts)
                });
                if replaced {
                    self.heard(n, News::Went(place));
                }
                self.buses[n].came(place, facts)
            }
            News::Went(place) => self.buses[n].went(place),
            News::Leaving(place) => {
                let drivers = self.behind(n);
                let ended = self.named(&drivers);
                println!("{name}: somebody wants back what stands behind it{ended}; it is let go");
                self.end(&drivers, bit::LEAVING);
                return self.buses[n].release(place);
            }
        };
        match change {
            Change::Nothing => {}
            Change::Gone(facts) => {
                let drivers = self.behind(n);
                let ended = self.named(&drivers);
                match facts {
                    Some(facts) => println!("{name}: {facts} is gone{ended}"),
                    None if ended.is_empty() => {}
                    None => println!("{name}: nothing stands behind it{ended}"),
                }
                self.end(&drivers, bit::GONE);
            }
            Change::New(facts) => println!(
                "{name}: {facts} came, and has no driver: drivers are written when the machine starts, so restart it"
            ),
            Change::Back(facts) => println!(
                "{name}: {facts} is back, and has lost what its driver had set up: restart the machine to use it"
            ),
        }
    }

    /// The drivers of all devices behind bus `n` that have not ended.
    fn behind(&self, n: usize) -> Vec<usize> {
        let path = &self.devices[self.buses[n].device].path;
        let stands = |charge: &Charge| match &charge.what {
            What::Driver(driver) if !charge.gone => {
                plan::is_behind(&self.devices, driver.device, path)
            }
            _ => false,
        };
        (0..self.charges.len())
            .filter(|at| stands(&self.charges[*at]))
            .collect()
    }

    fn named(&self, charges: &[usize]) -> String {
        let mut text = String::new();
        for (n, at) in charges.iter().enumerate() {
            let comma = if n == 0 { "; ended: " } else { ", " };
            text += &format!("{comma}{}", self.charges[*at].name);
        }
        text
    }

    /// Ends drivers whose devices are not there any more (`GONE`), or will not be (`LEAVING`): what their clients asked for comes
    /// back failed.
    fn end(&mut self, charges: &[usize], why: u64) {
        for at in charges {
            self.end_one(*at, why);
        }
    }

    /// Tells a driver, so that it gives everything back, and takes its task apart. A device that is still there is quiet then.
    fn end_one(&mut self, at: usize, why: u64) {
        /// A driver needs no device for this, and no more time; one that hears nothing is stuck.
        const PATIENCE: u64 = 20_000_000;
        const STEP: u64 = 500_000;
        let mut knows = false;
        if let What::Driver(driver) = &self.charges[at].what {
            let until = sys::now().saturating_add(PATIENCE);
            if self.charges[at].task.is_some() {
                let _ = sys::notify(driver.notification, why);
            }
            while self.charges[at].task.is_some() && sys::now() < until && !knows {
                runtime::time::sleep(STEP);
                knows = driver.knows(&self.memory);
            }
        }
        self.stop(at);
        if !knows && why == bit::LEAVING {
            self.quiet(at);
        }
        self.charges[at].gone = true;
        if !knows {
            self.abandon(at);
        }
    }

    /// Place `index` of all buses, in their order: its bus's number in the inventory, and how it fares.
    pub fn child(&self, index: u64) -> Option<(usize, Child)> {
        let mut all = (self.buses.iter())
            .flat_map(|bus| bus.children.iter().map(|child| (bus.device, *child)));
        all.nth(usize::try_from(index).ok()?)
    }

    /// What the manager's memory is used for, as `abi::program::manager::MEMORY` tells it. Each sum is made of what holds the
    /// memory, so all of it adds up only if nothing is lost.
    pub fn memory(&self) -> [u64; 8] {
        let tasks = || {
            self.charges
                .iter()
                .filter_map(|charge| charge.task.as_ref())
        };
        let drivers = || {
            self.charges.iter().filter_map(|charge| match &charge.what {
                What::Driver(driver) => Some(driver),
                What::Client => None,
            })
        };
        let grant = self.client.as_ref().and_then(|client| client.grant);
        [
            self.memory.free(),
            self.memory.total(),
            tasks().map(Task::donated).sum(),
            tasks().map(Task::private).sum(),
            drivers().map(Driver::shared).sum(),
            drivers().map(Driver::arena).sum(),
            grant.map_or(0, |(_, region)| region.size),
            0,
        ]
    }

    /// Task `index`: 0 is the manager.
    pub fn describe(&self, index: u64) -> Option<Description<'_>> {
        let Some(at) = usize::try_from(index).ok()?.checked_sub(1) else {
            return Some(Description {
                name: "manager",
                state: 1,
                restarts: 0,
                device: u64::MAX,
                info: sys::info_task(root::SELF).unwrap_or_default(),
            });
        };
        let charge = self.charges.get(at)?;
        let info = charge.task.as_ref().map(|task| sys::info_task(task.handle));
        Some(Description {
            name: &charge.name,
            state: match &charge.task {
                Some(_) if !charge.stopped => 1,
                Some(_) => 2,
                None if charge.gone => 4,
                None => 3,
            },
            restarts: charge.restarts.count,
            device: match &charge.what {
                What::Driver(driver) => driver.device as u64,
                What::Client => u64::MAX,
            },
            info: info.and_then(Result::ok).unwrap_or_default(),
        })
    }
}

/// What drivers are made of, if all of it is there.
fn parts(
    boot: &BootInfo,
    (client, manager): (Handle, Handle),
    generous: bool,
) -> Result<Option<Parts>, Trouble> {
    let program = Module::find(boot, ModuleKind::Driver);
    let codes = Module::find(boot, ModuleKind::Codes);
    let (Some(program), Some(codes)) = (program, codes) else {
        return Ok(None);
    };
    Ok(Some(Parts {
        image: Image::of(program)?,
        codes,
        client,
        manager,
        generous,
    }))
}
