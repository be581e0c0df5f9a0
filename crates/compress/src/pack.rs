//! Which steps make the shortest stream.

use crate::matches::Finder;
use crate::{distance_bytes, further, FIELD, LEAST};
use alloc::{vec, vec::Vec};

/// Places that are looked at for each byte.
const DEPTH: usize = 24;
/// Up to this length, every shorter one is tried as well.
const EVERY: usize = 96;
/// Costs are counted in so many parts of a byte of the stream.
const BYTE: u32 = 4;
/// What a step costs beside its bytes, in the same parts, since each takes time to unpack: from what gives the fewest steps
/// to what gives the shortest stream.
const STEPS: [u32; 8] = [48, 32, 24, 16, 12, 8, 4, 0];

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

/// Packs: into a stream that is unpacked as fast as one of at most so many bytes can be, or else the shortest there is.
pub fn pack(bytes: &[u8], within: usize) -> Vec<u8> {
    // A dearer step gives fewer of them and a longer stream.
    let fits = STEPS.partition_point(|step| write(bytes, &ways(bytes, *step)).len() > within);
    let step = STEPS.get(fits).or(STEPS.last()).copied().unwrap_or(0);
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
    let more = further(way.own as usize + 1) - further(way.own as usize);
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
    let shortest = if length > EVERY { length } else { LEAST };
    for length in (shortest..=length).rev() {
        let next = Way {
            cost: way.cost + cost + BYTE * further(length - LEAST) as u32,
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
        token(&mut stream, &bytes[done..at], field << 2 | count);
        stream.extend(&(distance - 1).to_le_bytes()[..count]);
        more(&mut stream, copied - LEAST);
        (done, last) = (at + copied, distance);
    }
    token(&mut stream, &bytes[done..], 0);
    stream
}

fn token(stream: &mut Vec<u8>, own: &[u8], rest: usize) {
    stream.push((own.len().min(FIELD) << 5 | rest) as u8);
    more(stream, own.len());
    stream.extend_from_slice(own);
}

fn more(stream: &mut Vec<u8>, value: usize) {
    let Some(mut rest) = value.checked_sub(FIELD) else {
        return;
    };
    while rest >= 255 {
        stream.push(255);
        rest -= 255;
    }
    stream.push(rest as u8);
}
