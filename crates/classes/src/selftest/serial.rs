//! serial: carriage returns, which no one sees, and more of them than the device holds at once.

use super::{Bench, Outcome, Reason};
use abi::ring::todo;

/// Most bytes sent: a few milliseconds at the usual rates.
const MOST: u64 = 64;

pub(super) fn run(bench: &mut Bench) -> Result<Outcome, Reason> {
    let length = (2 * bench.pump.facts().depth + 1).min(MOST) as u32;
    let pool = bench.pump.pool();
    for at in 0..u64::from(length) {
        pool.write(at, b"\r");
    }
    for length in [1, length] {
        let ticket = bench.ask(todo::SERIAL_SEND, 0, length, 0)?;
        if !bench.finished(ticket, "bytes to be sent")? {
            return Err(Reason::Wrong("bytes could not be sent"));
        }
    }
    // The error case: what lies outside the pool is refused, and the device works afterwards.
    let outside = bench.ask(todo::SERIAL_SEND, u32::MAX, 1, 0)?;
    if bench.finished(outside, "a bad request")? {
        return Err(Reason::Wrong("bytes outside the pool were sent"));
    }
    let ticket = bench.ask(todo::SERIAL_SEND, 0, 1, 0)?;
    match bench.finished(ticket, "bytes to be sent after a bad request")? {
        true => Ok(Outcome::Verified),
        false => Err(Reason::Wrong("bytes could not be sent after a bad request")),
    }
}
