//! timer, a direct class: arming and disarming do not fail. That it fires is tried where interrupts are taken.

use super::{Outcome, Reason};
use crate::direct::Direct;
use abi::status;

/// What is said of a timer that passed: nothing took an interrupt meanwhile.
pub const NOT_FIRED: &str = "it is armed and taken back; its interrupt was not tried";

/// Tries a timer that was started. `far`: an argument for `arm` that lies in the future for long enough.
pub fn run(timer: &mut Direct, far: u64) -> Outcome {
    for (name, argument, wrong) in [("arm", far, "arm failed"), ("disarm", 0, "disarm failed")] {
        if timer.call(name, [argument, 0, 0, 0]) != Some(status::OK) {
            return Outcome::Rejected(Reason::Wrong(wrong));
        }
    }
    Outcome::Unverified(NOT_FIRED)
}

/// Ticks that lie a while ahead: half of the longest time `most`, at most a second at `hz` ticks a second.
#[must_use]
pub fn far(most: Option<u64>, hz: Option<u64>) -> u64 {
    let half = most.unwrap_or(u64::MAX) / 2;
    half.min(hz.unwrap_or(1 << 20)).max(1)
}
