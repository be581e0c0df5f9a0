//! Time for residuals that genesis runs: the processor's counter until a clock rule has been specialised, then that.

use crate::{arch, idle, single::Single};
use abi::context::Context;

/// Nanoseconds; never goes back.
pub type Now = fn() -> u64;

static NOW: Single<Now> = Single::new(arch::nanoseconds);

/// From now on time comes from here.
pub fn set(now: Now) {
    NOW.with(|old| *old = now);
}

pub fn now() -> u64 {
    // Called outside of `with`, since a generated clock may itself be long.
    let now = NOW.with(|now| *now);
    now()
}

/// Returns after at least so many nanoseconds; the processor rests meanwhile, once there is something that wakes it.
pub fn pause(ns: u64) {
    let end = now().saturating_add(ns);
    loop {
        let left = end.saturating_sub(now());
        if left == 0 {
            return;
        }
        if !idle::rest(left) {
            core::hint::spin_loop();
        }
    }
}

/// [`now`], as a context wants it.
pub extern "C" fn context_now(_: *mut Context) -> u64 {
    now()
}

/// [`pause`], as a context wants it.
pub extern "C" fn context_pause(_: *mut Context, ns: u64) {
    pause(ns);
}
