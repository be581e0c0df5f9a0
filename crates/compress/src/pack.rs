//! Which steps make the shortest stream.

use crate::matches::Finder;
use crate::{distance_bytes, further_copied, further_own, FIELD, LEAST, NEAREST};
use alloc::{vec, vec::Vec};

/// Places that are looked at for each byte.
const DEPTH: usize = 48;
/// Up to this length, every shorter one is tried as well.
const EVERY: usize = 96;
/// Costs are counted in so many parts of a byte of the stream.
const BYTE: u32 = 4;

/// The cheapest way found to a place.
#[derive(Clone, Copy)]
struct Way {
    /// Of the stream so far, in parts of a byte.
    cost: u32,
    /// Bytes of its own since the last copy.
    own: u32,
    /// Distance of the last copy.
    last: u32,
    /// How the way comes here: so many bytes copied, or one of its own if 0.
    copied: u32,
}

const NOWHERE: Way = Way {
    cost: u32::MAX,
    own: 0,
    last: 1,
    copied: 0,
};

/// Packs. Each step takes time to unpack: it counts as `step` quarters of a byte beside its bytes. A dearer step gives fewer
/// of them and a longer stream.
pub fn pack(bytes: &[u8], step: u32) -> Vec<u8> {
    write(bytes, &ways(bytes, step))
}

fn ways(bytes: &[u8], step: u32) -> Vec<Way> {
    let mut finder = Finder::new(bytes, DEPTH);
    let mut ways = vec![NOWHERE; bytes.len() + 1];
    // The last step's token is the stream's first byte, so to say: each copy pays for the token before it.
    ways[0].cost = BYTE;
    for at in 0..bytes.len() {
        let way = ways[at];
        own(&mut ways, at, way);
        let found = finder.at(at);
        let last = way.last as usize;
        if last <= at {
            let length = finder.equal(at - last, at);
            copies(&mut ways, at, way, length, last, step + BYTE);
        }
        for (length, distance) in found {
            let (length, distance) = (length as usize, distance as usize);
            let cost = step + BYTE * (1 + distance_bytes(distance) as u32);
            copies(&mut ways, at, way, length, distance, cost);
        }
    }
    ways
}

fn own(ways: &mut [Way], at: usize, way: Way) {
    let more = further_own(way.own as usize + 1) - further_own(way.own as usize);
    let next = Way {
        cost: way.cost + BYTE * (1 + more as u32),
        own: way.own + 1,
        last: way.last,
        copied: 0,
    };
    if next.cost < ways[at + 1].cost {
        ways[at + 1] = next;
    }
}

/// Copies of this length and shorter; `cost` is that of a step without further bytes.
fn copies(ways: &mut [Way], at: usize, way: Way, length: usize, distance: usize, cost: u32) {
    let least = if distance < NEAREST {
        LEAST + FIELD
    } else {
        LEAST
    };
    let shortest = if length > EVERY { length } else { least };
    for length in (shortest..=length).rev() {
        let next = Way {
            cost: way.cost + cost + BYTE * further_copied(length) as u32,
            own: 0,
            last: distance as u32,
            copied: length as u32,
        };
        let to = &mut ways[at + length];
        if next.cost < to.cost {
            *to = next;
        }
    }
}

/// Writes the steps of the way to the end.
fn write(bytes: &[u8], ways: &[Way]) -> Vec<u8> {
    let mut steps = Vec::new();
    let mut at = bytes.len();
    while at > 0 {
        let way = ways[at];
        let count = way.copied.max(1) as usize;
        at -= count;
        if way.copied > 0 {
            steps.push((at, count, way.last as usize));
        }
    }
    let mut stream = Vec::new();
    let (mut done, mut last) = (0, 1);
    for (at, copied, distance) in steps.into_iter().rev() {
        let count = if distance == last {
            0
        } else {
            distance_bytes(distance)
        };
        let field = (copied - LEAST).min(FIELD);
        let own = &bytes[done..at];
        token(&mut stream, own, own.len() >= FIELD, field << 2 | count);
        stream.extend(&(distance - 1).to_le_bytes()[..count]);
        if let Some(rest) = copied.checked_sub(LEAST + FIELD) {
            more(&mut stream, rest);
        }
        (done, last) = (at + copied, distance);
    }
    token(&mut stream, &bytes[done..], true, 0);
    stream
}

/// A token and its own bytes, whose number is told by further bytes or by the token.
fn token(stream: &mut Vec<u8>, own: &[u8], told: bool, rest: usize) {
    let field = if told { FIELD } else { own.len() };
    stream.push((field << 5 | rest) as u8);
    if told {
        more(stream, own.len());
    }
    stream.extend_from_slice(own);
}

fn more(stream: &mut Vec<u8>, mut rest: usize) {
    while rest >= 255 {
        stream.push(255);
        rest -= 255;
    }
    stream.push(rest as u8);
}
