//! framebuffer: a small mode, pixels into its first and last line, a mode that cannot be, and pixels again.

use super::{Bench, Outcome, Reason};
use abi::ring::{done, todo, Entry};

/// A mode that every display of the last thirty years has.
const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;
/// Bytes of a pixel.
const PIXEL: u32 = 4;

pub(super) fn run(bench: &mut Bench) -> Result<Outcome, Reason> {
    let stride = mode(bench)?;
    let last = u64::from(HEIGHT - 1) * stride;
    line(bench, 0)?;
    line(bench, last)?;
    // The error cases: no such mode, and no such pixels; the device works afterwards.
    for (kind, value, length) in [
        (todo::FRAMEBUFFER_MODE, 0, 0),
        (todo::FRAMEBUFFER_MODE, u64::MAX, 0),
        (todo::FRAMEBUFFER_DRAW, u64::MAX, PIXEL),
    ] {
        let ticket = bench.ask(kind, 0, length, value)?;
        if bench.finished(ticket, "a bad request")? {
            return Err(Reason::Wrong("it took a mode or pixels that cannot be"));
        }
    }
    if mode(bench)? != stride {
        return Err(Reason::Wrong("the same mode has another stride"));
    }
    line(bench, last)?;
    Ok(Outcome::Verified)
}

/// Sets the mode; bytes from line to line.
fn mode(bench: &mut Bench) -> Result<u64, Reason> {
    let value = u64::from(WIDTH) | u64::from(HEIGHT) << 32;
    let ticket = bench.ask(todo::FRAMEBUFFER_MODE, 0, 0, value)?;
    let mut news: Option<Entry> = None;
    let answer = bench.answer(bench.patience, |entry| {
        if entry.kind == done::CHANGED {
            news = Some(*entry);
        }
        entry.kind == done::FINISHED && entry.ticket == ticket
    })?;
    match (answer, news) {
        (None, _) => Err(Reason::Silent("a mode")),
        (Some(answer), _) if answer.ok != 1 => Err(Reason::Wrong("it refuses 640 by 480")),
        (_, Some(news))
            if (news.offset, news.length) == (WIDTH, HEIGHT)
                && news.value >= u64::from(WIDTH * PIXEL) =>
        {
            Ok(news.value)
        }
        _ => Err(Reason::Wrong("it does not say which mode was set")),
    }
}

/// One line of black pixels: no one sees the test.
fn line(bench: &mut Bench, at: u64) -> Result<(), Reason> {
    let pool = bench.pump.pool();
    for offset in 0..u64::from(WIDTH * PIXEL) {
        pool.write(offset, &[0]);
    }
    let ticket = bench.ask(todo::FRAMEBUFFER_DRAW, 0, WIDTH * PIXEL, at)?;
    match bench.finished(ticket, "a line of pixels")? {
        true => Ok(()),
        false => Err(Reason::Wrong("a line of pixels could not be drawn")),
    }
}
