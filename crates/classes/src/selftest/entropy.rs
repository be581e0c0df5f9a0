//! entropy: two fills that differ from each other, and are not all the same byte.

use super::{Bench, Outcome, Reason};
use abi::ring::{done, todo};

/// Bytes of each: that two of them are equal by chance will not happen.
const LENGTH: usize = 32;

pub(super) fn run(bench: &mut Bench) -> Result<Outcome, Reason> {
    let first = fill(bench, 0)?;
    let second = fill(bench, 4096)?;
    if first == second || first.iter().all(|byte| *byte == first[0]) {
        return Err(Reason::Wrong("what it gives repeats itself"));
    }
    // The error case: bytes outside the pool are refused, and the device works afterwards.
    let outside = bench.ask(todo::ENTROPY_FILL, u32::MAX, 1, 0)?;
    if bench.finished(outside, "a bad request")? {
        return Err(Reason::Wrong("bytes outside the pool were filled"));
    }
    match fill(bench, 0)? == first {
        true => Err(Reason::Wrong("what it gives repeats itself")),
        false => Ok(Outcome::Verified),
    }
}

/// As many requests as it takes: each may give less than was asked for.
fn fill(bench: &mut Bench, at: u32) -> Result<[u8; LENGTH], Reason> {
    let pool = bench.pump.pool();
    let mut bytes = [0; LENGTH];
    pool.write(u64::from(at), &bytes);
    let mut had = 0;
    while had < LENGTH as u32 {
        let ticket = bench.ask(todo::ENTROPY_FILL, at + had, LENGTH as u32 - had, 0)?;
        let mine =
            |entry: &abi::ring::Entry| entry.kind == done::FINISHED && entry.ticket == ticket;
        match bench.answer(bench.patience, mine)? {
            Some(entry) if entry.ok == 1 && entry.length > 0 => had += entry.length,
            Some(_) => return Err(Reason::Wrong("random bytes could not be had")),
            None => return Err(Reason::Silent("random bytes")),
        }
    }
    pool.read(u64::from(at), &mut bytes);
    Ok(bytes)
}
