//! watchdog: started, kicked and stopped, with a time that does not run out. One that cannot be stopped is not started.

use super::{Bench, Outcome, Reason};
use crate::residual::EntryId;
use abi::ring::todo;

pub(super) fn run(bench: &mut Bench) -> Result<Outcome, Reason> {
    if !bench.pump.has(EntryId::Stop) {
        return Ok(Outcome::Unverified("once started it could not be stopped"));
    }
    let longest = bench.pump.facts().longest;
    carried_out(
        bench,
        todo::WATCHDOG_START,
        longest,
        "it could not be started",
    )?;
    carried_out(bench, todo::WATCHDOG_KICK, 0, "it could not be kicked")?;
    // The error case: a time that it cannot wait, while it runs.
    if let Some(beyond) = longest.checked_add(1) {
        let ticket = bench.ask(todo::WATCHDOG_START, 0, 0, beyond)?;
        if bench.finished(ticket, "a time that is too long")? {
            return Err(Reason::Wrong("it took a time longer than its longest"));
        }
    }
    carried_out(
        bench,
        todo::WATCHDOG_KICK,
        0,
        "it could not be kicked after a bad request",
    )?;
    carried_out(bench, todo::WATCHDOG_STOP, 0, "it could not be stopped")?;
    Ok(Outcome::Verified)
}

fn carried_out(
    bench: &mut Bench,
    kind: u16,
    value: u64,
    wrong: &'static str,
) -> Result<(), Reason> {
    let ticket = bench.ask(kind, 0, 0, value)?;
    match bench.finished(ticket, wrong)? {
        true => Ok(()),
        false => Err(Reason::Wrong(wrong)),
    }
}
