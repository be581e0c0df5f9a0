//! One session with a driver.

use crate::Ground;
use abi::ring::Entry;
use classes::ring::State;
use classes::{Class, Client, Facts, Units};

pub struct Link<G> {
    client: Client,
    pub(crate) pool: G,
    device: usize,
    class: Class,
    /// Of the only instance, or the first.
    pub(crate) facts: Facts,
    pub(crate) units: Units,
}

impl<G: Ground> Link<G> {
    /// `device`: what its client calls it, for example its number in the inventory. `facts`: what genesis recorded of it.
    pub fn new<'f>(
        client: Client,
        pool: G,
        device: usize,
        class: Class,
        facts: impl Iterator<Item = (&'f str, u64)>,
    ) -> Link<G> {
        let units = Units::from_pairs(facts);
        Link {
            client,
            pool,
            device,
            class,
            facts: *units.first(),
            units,
        }
    }

    pub fn device(&self) -> usize {
        self.device
    }

    pub fn class(&self) -> Class {
        self.class
    }

    /// Whether the driver takes requests, and whether it started anew since this was last asked.
    pub(crate) fn news(&mut self) -> (State, bool) {
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
    pub(crate) fn put(&mut self, entry: Entry) -> bool {
        self.client.put(entry)
    }

    pub(crate) fn take(&mut self) -> Option<Entry> {
        self.client.take()
    }

    /// Shows the driver what was put and taken.
    pub(crate) fn ring(&mut self) {
        if self.client.publish() {
            self.pool.ring();
        }
    }

    /// Before sleeping; `false`: something came.
    pub fn arm(&mut self) -> bool {
        self.client.arm()
    }
}
