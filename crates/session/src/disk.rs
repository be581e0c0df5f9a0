//! Sectors over a disk driver's session, one request at a time.

use crate::{Ground, Link};
use abi::ring::{done, todo, Entry};
use alloc::vec::Vec;
use classes::ring::State;
use classes::Facts;

pub struct Disk<G> {
    link: Link<G>,
    /// Number of the last request.
    ticket: u32,
    /// Which of the driver's disks it was for.
    unit: u64,
    /// What became of it.
    finished: Option<bool>,
}

impl<G: Ground> Disk<G> {
    pub fn new(link: Link<G>) -> Disk<G> {
        Disk {
            link,
            ticket: 0,
            unit: 0,
            finished: None,
        }
    }

    pub fn came(&self) -> (u32, u32) {
        self.link.came()
    }

    pub fn device(&self) -> usize {
        self.link.device()
    }

    /// How many disks the driver serves.
    pub fn units(&self) -> usize {
        self.link.units.count()
    }

    pub fn facts(&self, unit: u64) -> Facts {
        self.link.units.get(unit).unwrap_or(self.link.facts)
    }

    pub fn state(&self) -> State {
        self.link.state()
    }

    pub fn arm(&mut self) -> bool {
        self.link.arm()
    }

    pub fn tend(&mut self) {
        while let Some(entry) = self.link.take() {
            if entry.kind == done::FINISHED && entry.ticket == self.ticket {
                self.finished = Some(entry.ok != 0);
            }
        }
        if self.link.news().1 {
            self.finished.get_or_insert(false);
        }
        self.link.ring();
    }

    /// Asks for a sector. `false`: the ring is full, or the sector larger than the pool.
    pub fn ask(&mut self, unit: u64, sector: u64) -> bool {
        let size = self.facts(unit).size;
        if size > self.link.pool.size() as u64 {
            return false;
        }
        self.ticket = self.ticket.wrapping_add(1);
        self.finished = None;
        self.unit = unit;
        let put = self.link.put(Entry {
            kind: todo::BLOCK_READ,
            ticket: self.ticket,
            offset: 0,
            length: size as u32,
            value: sector,
            unit,
            ..Entry::default()
        });
        self.link.ring();
        put
    }

    /// `None` while it is under way.
    pub fn finished(&self) -> Option<bool> {
        self.finished
    }

    /// The sector that was asked for, once it is there.
    pub fn sector(&self) -> Vec<u8> {
        let size = (self.facts(self.unit).size as usize).min(self.link.pool.size());
        let mut bytes = alloc::vec![0; size];
        self.link.pool.read(0, &mut bytes);
        bytes
    }
}
