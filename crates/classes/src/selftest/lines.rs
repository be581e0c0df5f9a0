//! lines, a direct class: a line is routed, let through and masked again without complaint. That it interrupts is tried
//! where interrupts are taken.

use super::{Outcome, Reason};
use crate::direct::Direct;
use abi::status;

/// The line that is tried; every controller has one of that number.
const LINE: u64 = 5;
const VECTOR: u64 = 0x40;

pub(super) fn run(lines: &mut Direct) -> Outcome {
    let calls: [(&str, [u64; 5], &str); 4] = [
        ("mask", [LINE, 0, 0, 0, 0], "a line could not be masked"),
        (
            "route",
            [LINE, 0, VECTOR, 0, 0],
            "a line could not be routed",
        ),
        (
            "unmask",
            [LINE, 0, 0, 0, 0],
            "a line could not be let through",
        ),
        (
            "mask",
            [LINE, 0, 0, 0, 0],
            "a line could not be masked again",
        ),
    ];
    for (name, words, wrong) in calls {
        if lines.call_with(name, words) != Some(status::OK) {
            return Outcome::Rejected(Reason::Wrong(wrong));
        }
    }
    Outcome::Verified
}
