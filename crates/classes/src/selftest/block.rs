//! block: reads only.

use super::{Bench, Outcome, Reason};
use crate::residual::EntryId;
use abi::ring::todo;

/// Blocks of one longer request.
const SEVERAL: u64 = 8;
/// Two places in the pool.
const HERE: u32 = 0;
const THERE: u32 = 32 * 1024;

pub(super) fn run(bench: &mut Bench) -> Result<Outcome, Reason> {
    let mut tested = false;
    for unit in 0..bench.pump.units().count() {
        bench.unit = unit as u64;
        tested |= one(bench)?;
    }
    match tested {
        true => Ok(Outcome::Verified),
        false => Ok(Outcome::Unverified("there is no medium")),
    }
}

/// One disk. Whether it has a medium.
fn one(bench: &mut Bench) -> Result<bool, Reason> {
    let facts = bench.pump.units().get(bench.unit);
    let (sectors, size) = facts.map_or((0, 512), |f| (f.sectors, f.size));
    if sectors == 0 {
        return Ok(false);
    }
    let several = SEVERAL.min(sectors).min(u64::from(THERE) / size);
    if several == 0 {
        return Err(Reason::Wrong("a block is larger than any that is known"));
    }
    twice(bench, 0, size, "two reads of the first block differ")?;
    twice(
        bench,
        sectors - 1,
        size,
        "two reads of the last block differ",
    )?;

    read(bench, 0, THERE, several * size, 0x5a)?;
    read(bench, 0, HERE, size, 0xa5)?;
    same(
        bench,
        size,
        "the first of several blocks differs from the same block read alone",
    )?;
    read(bench, several - 1, HERE, size, 0xa5)?;
    let last = THERE + ((several - 1) * size) as u32;
    same_at(
        bench,
        last,
        size,
        "the last of several blocks differs from the same block read alone",
    )?;

    past_the_end(bench, sectors, size)?;
    if bench.pump.has(EntryId::Flush) {
        let ticket = bench.ask(todo::BLOCK_FLUSH, 0, 0, 0)?;
        if !bench.finished(ticket, "flush")? {
            return Err(Reason::Wrong("flush failed"));
        }
    }
    Ok(true)
}

/// Reads a block to two places that held different bytes, so that what is equal came from the device.
fn twice(bench: &mut Bench, lba: u64, size: u64, what: &'static str) -> Result<(), Reason> {
    read(bench, lba, HERE, size, 0xa5)?;
    read(bench, lba, THERE, size, 0x5a)?;
    same(bench, size, what)
}

/// The error case: it comes back failed, and the device works afterwards.
fn past_the_end(bench: &mut Bench, sectors: u64, size: u64) -> Result<(), Reason> {
    let ticket = bench.ask(todo::BLOCK_READ, HERE, size as u32, sectors)?;
    if bench.finished(ticket, "a read past the end")? {
        return Err(Reason::Wrong("a read past the end succeeded"));
    }
    twice(
        bench,
        0,
        size,
        "after a failed request, two reads of the first block differ",
    )
}

fn read(bench: &mut Bench, lba: u64, at: u32, length: u64, fill: u8) -> Result<(), Reason> {
    let pool = bench.pump.pool();
    for offset in (0..length).step_by(64) {
        let chunk = [fill; 64];
        let part = (length - offset).min(64) as usize;
        pool.write(u64::from(at) + offset, &chunk[..part]);
    }
    let ticket = bench.ask(todo::BLOCK_READ, at, length as u32, lba)?;
    match bench.finished(ticket, "a read")? {
        true => Ok(()),
        false => Err(Reason::Wrong("a read inside the device failed")),
    }
}

fn same(bench: &mut Bench, length: u64, what: &'static str) -> Result<(), Reason> {
    same_at(bench, THERE, length, what)
}

/// Compares the block at `HERE` with the one at `other`.
fn same_at(bench: &mut Bench, other: u32, length: u64, what: &'static str) -> Result<(), Reason> {
    let pool = bench.pump.pool();
    for offset in (0..length).step_by(64) {
        let part = (length - offset).min(64) as usize;
        let (mut a, mut b) = ([0; 64], [0; 64]);
        let read = pool.read(u64::from(HERE) + offset, &mut a[..part])
            && pool.read(u64::from(other) + offset, &mut b[..part]);
        if !read || a != b {
            return Err(Reason::Wrong(what));
        }
    }
    Ok(())
}
