//! Text in and out over the serial session. Text waits in slots of the pool until the driver has sent it; what a
//! driver that was started anew has lost is sent again.

use crate::{Ground, Link};
use abi::ring::{done, todo, Entry};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use classes::ring::State;

/// Bytes of one request.
const SLOT: usize = 512;
/// Bytes typed ahead that are kept.
const TYPED: usize = 4096;

pub struct Terminal<G> {
    link: Link<G>,
    /// For each slot of the pool, the bytes that wait to be sent in it; 0: it is free.
    slots: Vec<u32>,
    /// Slots in the order in which they were filled.
    order: VecDeque<usize>,
    /// How many of `order`, from its front, the driver was given.
    given: usize,
    pub input: VecDeque<u8>,
}

impl<G: Ground> Terminal<G> {
    pub fn new(link: Link<G>) -> Terminal<G> {
        let slots = link.pool.size() / SLOT;
        Terminal {
            link,
            slots: alloc::vec![0; slots],
            order: VecDeque::new(),
            given: 0,
            input: VecDeque::new(),
        }
    }

    pub fn came(&self) -> (u32, u32) {
        self.link.came()
    }

    pub fn device(&self) -> usize {
        self.link.device()
    }

    pub fn state(&self) -> State {
        self.link.state()
    }

    /// Everything was sent.
    pub fn idle(&self) -> bool {
        self.order.is_empty()
    }

    /// As much of `bytes` as there is room for; how much.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        // First: after a 0, the next thing that comes makes room, and nothing that came is left unseen.
        self.receive();
        let mut written = 0;
        for piece in bytes.chunks(SLOT) {
            let Some(slot) = self.slots.iter().position(|used| *used == 0) else {
                break;
            };
            self.link.pool.write(slot * SLOT, piece);
            if let Some(used) = self.slots.get_mut(slot) {
                *used = piece.len() as u32;
            }
            self.order.push_back(slot);
            written += piece.len();
        }
        self.send();
        written
    }

    /// Takes what came, gives what waits.
    pub fn tend(&mut self) {
        self.receive();
        self.send();
    }

    fn receive(&mut self) {
        while let Some(entry) = self.link.take() {
            match entry.kind {
                done::RECEIVED if self.input.len() < TYPED => {
                    self.input.push_back(entry.value as u8);
                }
                done::FINISHED => self.finished(entry.ticket as usize),
                _ => {}
            }
        }
    }

    fn send(&mut self) {
        let (state, anew) = self.link.news();
        if anew {
            self.given = 0;
        }
        if state == State::Ready {
            self.give();
        }
        self.link.ring();
    }

    fn give(&mut self) {
        while let Some(slot) = self.order.get(self.given).copied() {
            let length = self.slots.get(slot).copied().unwrap_or(0);
            let put = self.link.put(Entry {
                kind: todo::SERIAL_SEND,
                ticket: slot as u32,
                offset: (slot * SLOT) as u32,
                length,
                ..Entry::default()
            });
            if !put {
                return;
            }
            self.given += 1;
        }
    }

    fn finished(&mut self, slot: usize) {
        let Some(at) = self.order.iter().position(|waiting| *waiting == slot) else {
            return;
        };
        if at >= self.given {
            // An answer of the driver before: it will be sent again.
            return;
        }
        self.order.remove(at);
        self.given -= 1;
        if let Some(used) = self.slots.get_mut(slot) {
            *used = 0;
        }
    }

    pub fn arm(&mut self) -> bool {
        self.link.arm()
    }
}
