//! Frames over a network driver's session.

use crate::{Ground, Link};
use abi::ring::{done, todo, Entry};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use classes::ring::State;
use classes::Facts;

/// Receive buffers, of this many bytes at least.
const BUFFERS: usize = 8;
const BUFFER: u64 = 2048;
/// Frames that wait to be looked at.
const WAITING: usize = 16;
/// Tickets of receive buffers are their numbers; that of the frame being transmitted is this.
const TRANSMIT: u32 = 0x1000;

pub struct Nic<G> {
    link: Link<G>,
    supplied: bool,
    /// Buffers to be supplied again.
    returned: Vec<u32>,
    received: VecDeque<Vec<u8>>,
    /// What became of the frame that was transmitted last.
    sent: Option<bool>,
    pub up: Option<bool>,
}

impl<G: Ground> Nic<G> {
    pub fn new(link: Link<G>) -> Nic<G> {
        Nic {
            link,
            supplied: false,
            returned: Vec::new(),
            received: VecDeque::new(),
            sent: None,
            up: None,
        }
    }

    pub fn came(&self) -> (u32, u32) {
        self.link.came()
    }

    pub fn device(&self) -> usize {
        self.link.device()
    }

    pub fn facts(&self) -> &Facts {
        &self.link.facts
    }

    pub fn state(&self) -> State {
        self.link.state()
    }

    pub fn arm(&mut self) -> bool {
        self.link.arm()
    }

    /// Where buffer `n` begins, bytes before it included.
    fn place(&self, n: u64) -> u64 {
        n * (self.headroom() + self.size())
    }

    fn headroom(&self) -> u64 {
        self.facts().headroom.min(BUFFER).next_multiple_of(64)
    }

    fn size(&self) -> u64 {
        self.facts().buffer.clamp(BUFFER, 2 * BUFFER)
    }

    /// Takes what came, supplies what is free.
    pub fn tend(&mut self) {
        while let Some(entry) = self.link.take() {
            self.took(&entry);
        }
        let (state, anew) = self.link.news();
        if anew {
            self.supplied = false;
            self.returned.clear();
            self.sent.get_or_insert(false);
        }
        if state == State::Ready {
            if !self.supplied {
                self.supplied = true;
                self.returned = (0..BUFFERS as u32).collect();
            }
            while let Some(buffer) = self.returned.pop() {
                if !self.supply(buffer) {
                    self.returned.push(buffer);
                    break;
                }
            }
        }
        self.link.ring();
    }

    fn supply(&mut self, buffer: u32) -> bool {
        let offset = self.place(buffer.into()) + self.headroom();
        let room = self.link.pool.size() as u64;
        if offset + self.size() > room {
            // The pool is smaller than thought: fewer buffers.
            return true;
        }
        let length = self.size() as u32;
        self.link.put(Entry {
            kind: todo::NIC_SUPPLY,
            ticket: buffer,
            offset: offset as u32,
            length,
            ..Entry::default()
        })
    }

    fn took(&mut self, entry: &Entry) {
        match entry.kind {
            done::FINISHED if entry.ticket == TRANSMIT => self.sent = Some(entry.ok != 0),
            done::LINK => self.up = Some(entry.value != 0),
            done::RECEIVED if (entry.ticket as usize) < BUFFERS => {
                let offset = self.place(entry.ticket.into()) + self.headroom();
                let length = u64::from(entry.length).min(self.size());
                if offset + length <= self.link.pool.size() as u64 && self.received.len() < WAITING
                {
                    let mut frame = alloc::vec![0; length as usize];
                    self.link.pool.read(offset as usize, &mut frame);
                    self.received.push_back(frame);
                }
                self.returned.push(entry.ticket);
            }
            // A buffer that came back without a frame: the device was reset.
            done::FINISHED if (entry.ticket as usize) < BUFFERS && self.supplied => {
                self.returned.push(entry.ticket);
            }
            _ => {}
        }
    }

    /// The next frame that came.
    pub fn receive(&mut self) -> Option<Vec<u8>> {
        self.received.pop_front()
    }

    pub fn forget(&mut self) {
        self.received.clear();
    }

    /// One frame at a time. `false`: it does not fit, or the ring is full.
    pub fn transmit(&mut self, frame: &[u8]) -> bool {
        let least = self.facts().min.clamp(60, 128) as usize;
        let mut padded = frame.to_vec();
        if padded.len() < least {
            padded.resize(least, 0);
        }
        let offset = self.place(BUFFERS as u64) + self.headroom();
        if padded.len() as u64 > self.size() || offset + self.size() > self.link.pool.size() as u64
        {
            return false;
        }
        self.link.pool.write(offset as usize, &padded);
        self.sent = None;
        let put = self.link.put(Entry {
            kind: todo::NIC_TRANSMIT,
            ticket: TRANSMIT,
            offset: offset as u32,
            length: padded.len() as u32,
            ..Entry::default()
        });
        self.link.ring();
        put
    }

    /// `None` while it is under way.
    pub fn sent(&self) -> Option<bool> {
        self.sent
    }
}
