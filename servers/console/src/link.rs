//! One session with a driver.

use abi::inventory::Installed;
use abi::program::{bit, Startup};
use abi::ring::Entry;
use abi::system::Handle;
use classes::ring::State;
use classes::{Class, Client, Facts, Units};
use runtime::memory::Shared;
use runtime::sys;

pub struct Link {
    client: Client,
    pub pool: Shared,
    bell: Handle,
    /// Index in the inventory.
    pub device: usize,
    pub class: Class,
    /// Of the only instance, or the first.
    pub facts: Facts,
    pub units: Units,
}

impl Link {
    /// Session `n` of the startup page, if its device is one that this program can talk to.
    pub fn open(startup: &Startup, n: usize, devices: &[Installed]) -> Option<Link> {
        let session = startup.session.get(n)?;
        let device = session.device as usize;
        let installed = devices.get(device)?;
        let class = Class::of_name(&installed.class)?;
        let (client, pool) = runtime::device::session(n, startup)?;
        let facts = installed.facts.iter();
        let units = Units::from_pairs(facts.map(|(name, value)| (name.as_str(), *value)));
        Some(Link {
            client,
            pool,
            bell: session.bell,
            device,
            class,
            facts: *units.first(),
            units,
        })
    }

    /// Whether the driver takes requests, and whether it started anew since this was last asked.
    pub fn news(&mut self) -> (State, bool) {
        // In this order: a state from before a new start is never taken for one from after it.
        let state = self.client.state();
        (state, self.client.restarted())
    }

    pub fn state(&self) -> State {
        self.client.state()
    }

    /// Interrupts that the driver heard, and its looks without one.
    pub fn came(&self) -> (u32, u32) {
        self.client.came()
    }

    /// `false`: no room now.
    pub fn put(&mut self, entry: Entry) -> bool {
        self.client.put(entry)
    }

    pub fn take(&mut self) -> Option<Entry> {
        self.client.take()
    }

    /// Shows the driver what was put and taken.
    pub fn ring(&mut self) {
        if self.client.publish() {
            let _ = sys::notify(self.bell, bit::RING);
        }
    }

    /// Before sleeping; `false`: something came.
    pub fn arm(&mut self) -> bool {
        self.client.arm()
    }
}
