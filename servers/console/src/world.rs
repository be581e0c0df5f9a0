//! All sessions together, and waiting for any of them.

use abi::inventory::{Installed, View};
use abi::layout;
use abi::program::{bit, Startup};
use abi::system::Handle;
use alloc::vec::Vec;
use classes::ring::State;
use classes::Class;
use core::fmt;
use runtime::{memory, memory::Shared, println, sys};
use session::{Disk, Ground, Link, Nic, Terminal};

/// A driver that is not ready after this time (ns) is not waited for any longer.
pub const PATIENCE: u64 = 2_000_000_000;

/// Bytes printed before the terminal is given them, unless something is waited for.
const PIECE: usize = 448;

/// What the console's sessions stand on: a pool that the manager mapped, and the driver's notification.
pub struct Mapped {
    pool: Shared,
    bell: Handle,
}

impl Ground for Mapped {
    fn size(&self) -> usize {
        self.pool.len()
    }

    fn read(&self, offset: usize, to: &mut [u8]) {
        self.pool.read(offset, to);
    }

    fn write(&self, offset: usize, from: &[u8]) {
        self.pool.write(offset, from);
    }

    fn ring(&self) {
        let _ = sys::notify(self.bell, bit::RING);
    }
}

/// Session `n` of the startup page, if its device is one that this program can talk to.
fn open(startup: &Startup, n: usize, devices: &[Installed]) -> Option<Link<Mapped>> {
    let session = startup.session.get(n)?;
    let device = session.device as usize;
    let installed = devices.get(device)?;
    let class = Class::of_name(&installed.class)?;
    let (client, pool) = runtime::device::session(n, startup)?;
    let bell = session.bell;
    let facts = installed.facts.iter();
    let facts = facts.map(|(name, value)| (name.as_str(), *value));
    Some(Link::new(
        client,
        Mapped { pool, bell },
        device,
        class,
        facts,
    ))
}

pub struct World {
    pub startup: &'static Startup,
    pub view: View<'static>,
    pub terminal: Option<Terminal<Mapped>>,
    pub nics: Vec<Nic<Mapped>>,
    pub disks: Vec<Disk<Mapped>>,
    /// Printed, and not yet given to the terminal.
    pending: Vec<u8>,
}

impl World {
    pub fn open(startup: &'static Startup) -> World {
        let bytes = match startup.inventory_size {
            0 => &[],
            size => memory::region(layout::INVENTORY, size as usize),
        };
        let view = View::read(bytes).unwrap_or_else(|| {
            println!("console: the inventory is not readable, so nothing is known of the machine");
            View::default()
        });
        let mut world = World {
            startup,
            view,
            terminal: None,
            nics: Vec::new(),
            disks: Vec::new(),
            pending: Vec::new(),
        };
        for n in 0..startup.sessions as usize {
            let Some(link) = open(startup, n, &world.view.devices) else {
                continue;
            };
            match link.class() {
                Class::Serial if world.terminal.is_none() => {
                    world.terminal = Some(Terminal::new(link));
                }
                Class::Serial => {}
                Class::Nic => world.nics.push(Nic::new(link)),
                Class::Block => world.disks.push(Disk::new(link)),
                // Nothing here uses them yet.
                Class::Entropy | Class::Watchdog | Class::Framebuffer | Class::Input => {}
                // The manager's.
                Class::Bus => {}
            }
        }
        world
    }

    /// How the driver of this device of the inventory learns of news, if there is a session with it.
    pub fn came(&self, name: &str) -> Option<(u32, u32)> {
        let at = self.view.devices.iter().position(|d| d.name == name)?;
        let terminal = self.terminal.iter().map(|t| (t.device(), t.came()));
        let nics = self.nics.iter().map(|n| (n.device(), n.came()));
        let disks = self.disks.iter().map(|d| (d.device(), d.came()));
        let mut all = terminal.chain(nics).chain(disks);
        all.find(|(device, _)| *device == at).map(|(_, came)| came)
    }

    /// Takes what came on all sessions.
    pub fn tend(&mut self) {
        self.terminal.iter_mut().for_each(Terminal::tend);
        self.nics.iter_mut().for_each(Nic::tend);
        self.disks.iter_mut().for_each(Disk::tend);
    }

    /// Sleeps until something comes or the deadline (a time of `sys::now`) passes, and takes what came. Nothing is
    /// taken before it sleeps: what the caller has not looked at would be slept on.
    fn wait(&mut self, deadline: u64) {
        let quiet = self.terminal.iter_mut().all(Terminal::arm)
            & self.nics.iter_mut().all(Nic::arm)
            & self.disks.iter_mut().all(Disk::arm);
        if quiet {
            let _ = sys::wait(self.startup.notification, deadline);
        }
        self.tend();
    }

    /// Waits until `done`, at most to the deadline. Whether it was done.
    pub fn until(&mut self, deadline: u64, mut done: impl FnMut(&mut World) -> bool) -> bool {
        self.emit();
        self.tend();
        loop {
            if done(self) {
                return true;
            }
            if sys::now() >= deadline {
                self.tend();
                return done(self);
            }
            self.wait(deadline);
        }
    }

    /// What the driver of this device says of itself; `None` without a session.
    pub fn state(&self, device: usize) -> Option<State> {
        let terminal = self.terminal.iter().map(|t| (t.device(), t.state()));
        let nics = self.nics.iter().map(|nic| (nic.device(), nic.state()));
        let disks = self.disks.iter().map(|disk| (disk.device(), disk.state()));
        let mut all = terminal.chain(nics).chain(disks);
        all.find(|(of, _)| *of == device).map(|(_, state)| state)
    }

    /// Waits until everything printed was sent, as long as something moves.
    pub fn flush(&mut self) {
        let deadline = sys::now().saturating_add(PATIENCE);
        self.until(deadline, |world| {
            let sent = |t: &Terminal<Mapped>| t.idle() || t.state().over();
            world.terminal.as_ref().is_none_or(sent)
        });
    }

    /// Gives the terminal what was printed.
    pub fn emit(&mut self) {
        let pending = core::mem::take(&mut self.pending);
        self.print_bytes(&pending);
    }

    /// Text as it is: to the terminal, or to the log if there is none that works.
    pub fn print_bytes(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let deadline = sys::now().saturating_add(PATIENCE);
            let mut written = 0;
            self.until(deadline, |world| match &mut world.terminal {
                Some(terminal) if !terminal.state().over() => {
                    written = terminal.write(bytes);
                    written > 0
                }
                _ => true,
            });
            if written == 0 {
                // No terminal, or it has been silent for too long.
                return sys::log(bytes);
            }
            bytes = bytes.get(written..).unwrap_or(&[]);
        }
    }
}

/// Lines end as terminals want them.
impl fmt::Write for World {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte == b'\n' {
                self.pending.push(b'\r');
            }
            self.pending.push(byte);
        }
        if self.pending.len() >= PIECE {
            self.emit();
        }
        Ok(())
    }
}
