//! clock and timer, direct classes: time goes forward; arming and disarming do not fail. That a timer fires is tried
//! where interrupts are taken.

use super::{Outcome, Reason};
use crate::direct::Direct;
use abi::status;

/// Looks at the clock.
const LOOKS: u32 = 10_000;
/// Looks in which it has to move.
const MOVES: u32 = 16;

/// `far`: an argument for `arm` that lies in the future for long enough.
pub fn run(timer: &mut Direct, far: u64) -> Outcome {
    match try_it(timer, far) {
        Ok(()) => Outcome::Verified,
        Err(reason) => Outcome::Rejected(reason),
    }
}

fn try_it(timer: &mut Direct, far: u64) -> Result<(), Reason> {
    if timer.start() != status::OK {
        return Err(Reason::Wrong("init failed"));
    }
    if timer.has("now") {
        goes_forward(timer)?;
    }
    for (name, argument, wrong) in [("arm", far, "arm failed"), ("disarm", 0, "disarm failed")] {
        match timer.call(name, [argument, 0, 0, 0]) {
            None | Some(status::OK) => {}
            Some(_) => return Err(Reason::Wrong(wrong)),
        }
    }
    Ok(())
}

/// Never back, and forward now and then.
fn goes_forward(timer: &mut Direct) -> Result<(), Reason> {
    let mut last = timer.call("now", [0; 4]).unwrap_or(0);
    let mut moved = 0;
    for _ in 0..LOOKS {
        let now = timer.call("now", [0; 4]).unwrap_or(0);
        if now < last {
            return Err(Reason::Wrong("the clock went back"));
        }
        moved += u32::from(now > last);
        last = now;
        if moved == MOVES {
            return Ok(());
        }
    }
    Err(Reason::Wrong("the clock stands still"))
}
