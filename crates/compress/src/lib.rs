//! How the boot image is compressed.
//!
//! A stream is a row of *steps*. A step copies bytes of its own, and then bytes that were unpacked before:
//!
//! ```text
//! token:    own(3) | copied(3) | distance(2), highest bits first
//! own:      bytes that follow; 7 means that further bytes give their number: they are added, up to and with the first that
//!           is not 255
//! copied:   bytes less 3; 7 means 10 and more: further bytes are added, the same way
//! distance: 0 the same as last time; 1, 2 or 3: in so many bytes, lowest first, less 1. At least 16, where copied is not 7
//! ```
//! In order: token, further bytes of `own`, the bytes, the distance, further bytes of `copied`. The last step has its `own`
//! told by further bytes, and ends with its own bytes. There is no entropy coding: it would be smaller by a fifth, and ten
//! times slower to unpack. So most steps are a copy of 16 bytes and another one, of which only as many count as the token
//! says: each of the 256 tokens can have its own few instructions.
//!
//! [`pack`] chooses the steps by their bytes and by the time that they take; [`unpack`] is what the doors' assembly does, and
//! says what is wrong with a stream that is damaged.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod matches;
mod pack;
mod unpack;

pub use pack::pack;
pub use unpack::{margin, unpack, Damaged};

/// Least number of bytes that a step copies.
const LEAST: usize = 3;
/// Largest number that fits into a token's field.
const FIELD: usize = 7;
/// Longest distance.
const FARTHEST: usize = 1 << 24;

/// Bytes that a distance takes, when it is not that of the step before.
fn distance_bytes(distance: usize) -> usize {
    if distance <= 256 {
        1
    } else if distance <= 1 << 16 {
        2
    } else {
        3
    }
}

/// Least distance of a step that copies fewer bytes than need further ones.
const NEAREST: usize = 16;

/// Further bytes that so many of its own take.
fn further_own(own: usize) -> usize {
    if own < FIELD {
        return 0;
    }
    own / 255 + 1
}

/// Further bytes that so many copied ones take.
fn further_copied(copied: usize) -> usize {
    match copied.checked_sub(LEAST + FIELD) {
        None => 0,
        Some(rest) => rest / 255 + 1,
    }
}
