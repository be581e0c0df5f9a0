//! block: reads only.

use super::{Bench, Outcome, Reason};
use crate::residual::EntryId;
use abi::ring::todo;

/// Blocks of one longer request.
const SEVERAL: u64 = 8;
/// Two places in the pool.
const HERE: u32 = 0;
const THERE: u32 = 32 * 1024;

/// Blocks at either end that are tried: one that cannot be read may be the disk's fault, and not the driver's.
const TRIES: u64 = 8;
/// Where so large a part of the disk ends in blocks that cannot be read, it is the driver that is wrong.
const PART: u64 = 16;

pub(super) fn run(bench: &mut Bench) -> Result<Outcome, Reason> {
    let mut found = None;
    for unit in 0..bench.pump.units().count() {
        bench.unit = unit as u64;
        let outcome = one(bench)?;
        // One that is not verified counts for all.
        if found.is_none() || outcome.is_some_and(|outcome| outcome != Outcome::Verified) {
            found = outcome;
        }
    }
    Ok(found.unwrap_or(Outcome::Unverified("there is no medium")))
}

/// One disk; nothing, if it has no medium.
fn one(bench: &mut Bench) -> Result<Option<Outcome>, Reason> {
    let facts = bench.pump.units().get(bench.unit);
    let (sectors, size) = facts.map_or((0, 512), |f| (f.sectors, f.size));
    if sectors == 0 {
        return Ok(None);
    }
    let several = SEVERAL.min(sectors).min(u64::from(THERE) / size);
    if several == 0 {
        return Err(Reason::Wrong("a block is larger than any that is known"));
    }
    let ends = TRIES.min(sectors);
    let Some(first) = readable(bench, 0..ends, size)? else {
        return match readable(bench, sectors / 2..sectors / 2 + 1, size)? {
            Some(_) => Ok(Some(Outcome::Unverified("its first blocks cannot be read"))),
            None => Err(Reason::Wrong("a read inside the device failed")),
        };
    };
    twice(bench, first, size, "two reads of the first block differ")?;
    let last = readable(bench, (sectors - ends..sectors).rev(), size)?;
    match last {
        Some(last) => twice(bench, last, size, "two reads of the last block differ")?,
        None => {
            let before = sectors - sectors / PART - 1;
            if readable(bench, before..before + 1, size)?.is_none() {
                return Err(Reason::Wrong("a read inside the device failed"));
            }
        }
    }
    let run = several.min(sectors - first);
    let together = read(bench, first, THERE, run * size, 0x5a)?;
    if together {
        wanted(bench, first, HERE, size, 0xa5)?;
        same(
            bench,
            size,
            "the first of several blocks differs from the same block read alone",
        )?;
        wanted(bench, first + run - 1, HERE, size, 0xa5)?;
        let at = THERE + ((run - 1) * size) as u32;
        same_at(
            bench,
            at,
            size,
            "the last of several blocks differs from the same block read alone",
        )?;
    }
    past_the_end(bench, first, sectors, size)?;
    if bench.pump.has(EntryId::Flush) {
        let ticket = bench.ask(todo::BLOCK_FLUSH, 0, 0, 0)?;
        if !bench.finished(ticket, "flush")? {
            return Err(Reason::Wrong("flush failed"));
        }
    }
    // Whether it has as many blocks as it says shows at its ends only.
    Ok(Some(if first != 0 {
        Outcome::Unverified("its first block cannot be read")
    } else if last != Some(sectors - 1) {
        Outcome::Unverified("its last block cannot be read")
    } else if !together {
        Outcome::Unverified("several of its first blocks cannot be read at once")
    } else {
        Outcome::Verified
    }))
}

/// The first of these blocks that can be read.
fn readable(
    bench: &mut Bench,
    blocks: impl Iterator<Item = u64>,
    size: u64,
) -> Result<Option<u64>, Reason> {
    for lba in blocks {
        if read(bench, lba, HERE, size, 0xa5)? {
            return Ok(Some(lba));
        }
    }
    Ok(None)
}

/// Reads a block to two places that held different bytes, so that what is equal came from the device.
fn twice(bench: &mut Bench, lba: u64, size: u64, what: &'static str) -> Result<(), Reason> {
    wanted(bench, lba, HERE, size, 0xa5)?;
    wanted(bench, lba, THERE, size, 0x5a)?;
    same(bench, size, what)
}

/// The error case: it comes back failed, and the device works afterwards.
fn past_the_end(bench: &mut Bench, first: u64, sectors: u64, size: u64) -> Result<(), Reason> {
    let ticket = bench.ask(todo::BLOCK_READ, HERE, size as u32, sectors)?;
    if bench.finished(ticket, "a read past the end")? {
        return Err(Reason::Wrong("a read past the end succeeded"));
    }
    twice(
        bench,
        first,
        size,
        "after a failed request, two reads of the first block differ",
    )
}

/// A read of what was read before.
fn wanted(bench: &mut Bench, lba: u64, at: u32, length: u64, fill: u8) -> Result<(), Reason> {
    match read(bench, lba, at, length, fill)? {
        true => Ok(()),
        false => Err(Reason::Wrong("a read inside the device failed")),
    }
}

/// Whether blocks could be read into a place that held other bytes.
fn read(bench: &mut Bench, lba: u64, at: u32, length: u64, fill: u8) -> Result<bool, Reason> {
    let pool = bench.pump.pool();
    for offset in (0..length).step_by(64) {
        let chunk = [fill; 64];
        let part = (length - offset).min(64) as usize;
        pool.write(u64::from(at) + offset, &chunk[..part]);
    }
    let ticket = bench.ask(todo::BLOCK_READ, at, length as u32, lba)?;
    bench.finished(ticket, "a read")
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
