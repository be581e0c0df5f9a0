//! Nanoseconds since the nucleus started.

pub use crate::sys::now;

/// Sleeps until that time at least.
pub fn sleep_until(deadline: u64) {
    while now() < deadline {
        match crate::sync::nobody() {
            // No bit of it is ever set: this ends at the deadline.
            Some(notification) => {
                let _ = crate::sys::wait(notification, deadline);
            }
            None => crate::sys::yield_now(),
        }
    }
}

/// Sleeps so many nanoseconds at least.
pub fn sleep(nanoseconds: u64) {
    sleep_until(now().saturating_add(nanoseconds));
}
