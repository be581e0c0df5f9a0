//! What has been typed and not yet been read: a ring of 4,096 bytes in which ends of lines are marked, as a line may hold
//! every byte. Indices only grow; a place in the ring is an index modulo its size.

use alloc::vec;
use alloc::vec::Vec;

/// Bytes of the ring; a line has at most one less, with its end.
pub(crate) const SIZE: usize = 4096;

pub(crate) struct Input {
    bytes: Vec<u8>,
    ends: Vec<bool>,
    /// Where the next byte goes.
    pub head: u64,
    /// Where the reader is.
    pub tail: u64,
    /// The end of the last whole line.
    pub canon: u64,
    /// The end of what a reader without lines sees.
    pub commit: u64,
}

impl Input {
    pub fn new() -> Input {
        Input {
            bytes: vec![0; SIZE],
            ends: vec![false; SIZE],
            head: 0,
            tail: 0,
            canon: 0,
            commit: 0,
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.ends.fill(false);
        (self.head, self.tail, self.canon, self.commit) = (0, 0, 0, 0);
    }

    fn place(at: u64) -> usize {
        (at % SIZE as u64) as usize
    }

    pub fn at(&self, at: u64) -> u8 {
        self.bytes[Input::place(at)]
    }

    pub fn held(&self) -> usize {
        (self.head - self.tail) as usize
    }

    pub fn put(&mut self, byte: u8) {
        self.bytes[Input::place(self.head)] = byte;
        self.head += 1;
    }

    /// Ends the line with this byte; 0 is the end of file, which is marked and never read.
    pub fn end_line(&mut self, byte: u8) {
        self.ends[Input::place(self.head)] = true;
        self.put(byte);
        self.canon = self.head;
    }

    /// Lines begin or end to matter: what is there already counts as one line.
    pub fn change(&mut self, lines: bool) {
        self.ends.fill(false);
        if !lines || self.head == self.tail {
            self.canon = self.tail;
        } else {
            self.ends[Input::place(self.head - 1)] = true;
            self.canon = self.head;
        }
        self.commit = self.head;
    }

    fn end_of_file(&self, at: u64) -> bool {
        self.ends[Input::place(at)] && self.at(at) == 0
    }

    /// Reads within one line; how many bytes. An end of file that directly follows a full `to` goes with it, as it
    /// would else be read as a second end of file.
    pub fn read_line(&mut self, to: &mut [u8]) -> usize {
        let mut count = 0;
        while self.tail != self.canon && count < to.len() {
            let at = self.tail;
            self.tail += 1;
            let end = core::mem::take(&mut self.ends[Input::place(at)]);
            if end && self.at(at) == 0 {
                return count;
            }
            to[count] = self.at(at);
            count += 1;
            if end {
                return count;
            }
        }
        if count > 0 && self.tail != self.canon && self.end_of_file(self.tail) {
            self.ends[Input::place(self.tail)] = false;
            self.tail += 1;
        }
        count
    }

    /// Reads whatever is there; how many bytes.
    pub fn read(&mut self, to: &mut [u8]) -> usize {
        let count = to.len().min((self.commit - self.tail) as usize);
        for byte in &mut to[..count] {
            *byte = self.at(self.tail);
            self.tail += 1;
        }
        count
    }

    /// What FIONREAD says of lines: ends of file are not counted, but in a ring that is full to the last byte.
    pub fn in_lines(&self) -> usize {
        let all = (self.canon - self.tail) as usize;
        if all == SIZE {
            return all;
        }
        all - (self.tail..self.canon)
            .filter(|&at| self.end_of_file(at))
            .count()
    }
}
