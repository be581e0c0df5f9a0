//! Where what comes next was before.

use crate::{distance_bytes, FARTHEST, LEAST};
use alloc::{vec, vec::Vec};

/// What is longer is not looked for anew in the places after it: it goes on with the same distance.
const LONG: usize = 256;
/// Longest length that is told.
const MOST: usize = 4096;
const BITS: u32 = 18;
/// Bytes that chains of places have in common.
const COMMON: usize = 4;
const NONE: u32 = u32::MAX;

/// The longest that begins at one place, for distances that take 1, 2 or 3 bytes: length and distance.
pub type Found = [(u32, u32); 3];

pub struct Finder<'a> {
    bytes: &'a [u8],
    /// Last place of each hash of [`COMMON`] bytes, and of each place the one before with the same hash.
    heads: Vec<u32>,
    before: Vec<u32>,
    /// Last place of each hash of [`LEAST`] bytes.
    near: Vec<u32>,
    /// How many places are looked at.
    depth: usize,
    last: Found,
}

impl<'a> Finder<'a> {
    pub fn new(bytes: &'a [u8], depth: usize) -> Finder<'a> {
        Finder {
            bytes,
            heads: vec![NONE; 1 << BITS],
            before: vec![NONE; bytes.len()],
            near: vec![NONE; 1 << BITS],
            depth,
            last: [(0, 0); 3],
        }
    }

    fn hash(&self, at: usize, count: usize) -> Option<usize> {
        let bytes = self.bytes.get(at..at + count)?;
        let word = bytes.iter().fold(0u32, |n, b| n << 8 | u32::from(*b));
        Some((word.wrapping_mul(0x9e37_79b1) >> (32 - BITS)) as usize)
    }

    /// How long the bytes at two places are equal; [`MOST`] if longer.
    pub fn equal(&self, earlier: usize, at: usize) -> usize {
        let (a, b) = (&self.bytes[earlier..], &self.bytes[at..]);
        let ((a, _), (b, rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
        let words = a.iter().zip(b).take(MOST / 8);
        let mut length = 0;
        for (a, b) in words {
            let differ = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
            if differ != 0 {
                return length + differ.trailing_zeros() as usize / 8;
            }
            length += 8;
        }
        if length < MOST && length == 8 * b.len() {
            let rest = rest.iter().zip(&self.bytes[earlier + length..]);
            length += rest.take_while(|(a, b)| a == b).count();
        }
        length
    }

    /// What is found at the next place; asked for each place in turn, from the first.
    pub fn at(&mut self, at: usize) -> Found {
        let (Some(hash), Some(short)) = (self.hash(at, COMMON), self.hash(at, LEAST)) else {
            self.last = [(0, 0); 3];
            return self.last;
        };
        let mut place = core::mem::replace(&mut self.heads[hash], at as u32);
        let near = core::mem::replace(&mut self.near[short], at as u32);
        self.before[at] = place;
        // Inside something long it goes on as it was.
        if self.last.iter().any(|(length, _)| *length as usize > LONG) {
            for (length, _) in &mut self.last {
                *length = length.saturating_sub(1);
            }
            return self.last;
        }
        let mut found: Found = [(0, 0); 3];
        let mut longest = LEAST - 1;
        if near != NONE && at - near as usize <= FARTHEST {
            let distance = at - near as usize;
            let length = self.equal(near as usize, at);
            if length >= LEAST {
                found[distance_bytes(distance) - 1] = (length as u32, distance as u32);
                longest = length;
            }
        }
        for _ in 0..self.depth {
            if place == NONE {
                break;
            }
            let earlier = place as usize;
            let distance = at - earlier;
            if distance > FARTHEST {
                break;
            }
            // Nearer places come first: only what is longer can be better.
            let end = self.bytes.get(at + longest);
            if end.is_some() && self.bytes.get(earlier + longest) == end {
                let length = self.equal(earlier, at);
                if length > longest {
                    longest = length;
                    found[distance_bytes(distance) - 1] = (length as u32, distance as u32);
                    if length > LONG {
                        break;
                    }
                }
            }
            place = self.before[earlier];
        }
        self.last = found;
        found
    }
}
