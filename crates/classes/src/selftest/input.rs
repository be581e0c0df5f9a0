//! input: what has lamps answers when they are set; that someone presses a key cannot be waited for.

use super::{Bench, Outcome, Reason};
use crate::residual::EntryId;
use abi::ring::todo;

pub(super) fn run(bench: &mut Bench) -> Result<Outcome, Reason> {
    if !bench.pump.has(EntryId::Leds) {
        return Ok(Outcome::Unverified("no key was pressed"));
    }
    for lamps in [7, 0] {
        let ticket = bench.ask(todo::INPUT_LEDS, 0, 0, lamps)?;
        if !bench.finished(ticket, "its lamps")? {
            return Err(Reason::Wrong("its lamps could not be set"));
        }
    }
    // The error case: what it has no operation for is refused, and it answers afterwards.
    let ticket = bench.ask(u16::MAX, 0, 0, 0)?;
    if bench.finished(ticket, "a bad request")? {
        return Err(Reason::Wrong("it carried out what no one knows"));
    }
    let ticket = bench.ask(todo::INPUT_LEDS, 0, 0, 0)?;
    match bench.finished(ticket, "its lamps after a bad request")? {
        true => Ok(Outcome::Verified),
        false => Err(Reason::Wrong(
            "its lamps could not be set after a bad request",
        )),
    }
}
