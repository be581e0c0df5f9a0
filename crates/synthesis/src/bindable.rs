//! What the nucleus can call: an operation that needs nothing but its device's windows and private state. Its context has
//! no clock, no pause, no upcalls and no memory that a device sees: code that used one of these would call or touch
//! address 0 in the nucleus.

use graph::Residual;

/// Whether an operation can be bound into the nucleus. `direct` says that all of its rule is: private state then goes
/// along.
///
/// # Errors
/// What the operation needs that the nucleus does not have.
pub fn bindable(residual: &Residual, direct: bool, operation: &str) -> Result<(), &'static str> {
    let needs = residual.needs(operation);
    if needs.upcalls {
        return Err("it calls up, and in the nucleus there is nobody above it");
    }
    if needs.clock {
        return Err(
            "it reads the clock or waits for a limited time, and the nucleus has no clock for it",
        );
    }
    if needs.pause {
        return Err("it pauses, and the nucleus does not wait");
    }
    if needs.shared {
        return Err("it uses memory that the device sees, and the nucleus has none for it");
    }
    if needs.state && !direct {
        return Err("it uses private state, which the driver's task has");
    }
    Ok(())
}
