//! bus: started, it says which children are there, each once, and never one that is nothing. No child is let go: it may be in
//! use.

use super::{Bench, Outcome, Reason};
use abi::ring::{done, todo};

pub(super) fn run(bench: &mut Bench) -> Result<Outcome, Reason> {
    bench.pump.start().map_err(Reason::Driver)?;
    bench.poll()?;
    let mut there = 0u64;
    while let Some(entry) = bench.client.take() {
        let place = 1u64 << (entry.ticket % 64);
        match entry.kind {
            done::ATTACHED if there & place != 0 => {
                return Err(Reason::Wrong("a child came where one is already"));
            }
            done::ATTACHED if entry.value == 0 || entry.value as u16 == u16::MAX => {
                return Err(Reason::Wrong("a child came that is nothing"));
            }
            done::ATTACHED => there |= place,
            done::DETACHED if there & place == 0 => {
                return Err(Reason::Wrong("a child went that had not come"));
            }
            done::DETACHED => there &= !place,
            _ => {}
        }
    }
    // The error case: a place that it does not have cannot be let go, and the children stay.
    let beyond = bench.pump.facts().places;
    let ticket = bench.ask(todo::BUS_RELEASE, 0, 0, beyond)?;
    if bench.finished(ticket, "a place that is not there")? {
        return Err(Reason::Wrong("it let go what is not there"));
    }
    bench.poll()?;
    while let Some(entry) = bench.client.take() {
        if entry.kind == done::DETACHED {
            return Err(Reason::Wrong("a child went after a bad request"));
        }
    }
    match there {
        0 => Ok(Outcome::Unverified("nothing stands in it")),
        _ => Ok(Outcome::Verified),
    }
}
