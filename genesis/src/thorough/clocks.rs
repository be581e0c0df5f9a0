//! Clocks, side by side: forward, all as fast, and as fast as instructions go where the emulator counts them.

use super::{text, Driver, Result, Tried};
use crate::{arch, clock, run};
use alloc::{format, vec::Vec};
use classes::direct::Direct;

/// Looks in a row that may never go back.
const LOOKS: u32 = 2000;
/// Nanoseconds over which clocks are compared. The narrowest of them may wrap soon after.
const SPAN: u64 = 10_000_000;
/// One part in so many that two clocks may differ, beside a tick of each.
const TOLERANCE: u64 = 500;
/// How often a comparison is tried that was held up itself.
const TRIES: u32 = 8;
/// Instructions that each clock is shown.
const SHOWN: u64 = 2_000_000;

struct Face<'a> {
    at: usize,
    driver: &'a Driver,
    direct: Direct<'static>,
    hz: u64,
    mask: u64,
}

impl Face<'_> {
    fn ticks(&mut self) -> u64 {
        self.direct.call("now", [0; 4]).unwrap_or(0) & self.mask
    }

    fn since(&mut self, before: u64) -> u64 {
        let ticks = self.ticks().wrapping_sub(before) & self.mask;
        self.nanoseconds(ticks)
    }

    fn nanoseconds(&self, ticks: u64) -> u64 {
        (u128::from(ticks) * 1_000_000_000 / u128::from(self.hz.max(1))) as u64
    }
}

pub fn run(drivers: &[Driver]) -> Vec<(usize, Tried)> {
    let mut all = Vec::new();
    for (at, driver) in drivers.iter().enumerate() {
        if driver.choice.class != "clock" || !driver.usable() {
            continue;
        }
        let width = driver.fact("width").unwrap_or(64).clamp(1, 64);
        let face = run::lasting(driver).map(|direct| Face {
            at,
            driver,
            direct,
            hz: driver.fact("hz").unwrap_or(0),
            mask: u64::MAX >> (64 - width),
        });
        match face {
            Some(mut face) => all.push((face.at, one(&mut face).into())),
            None => all.push((at, Tried::Failed(text("the code does not fit its class")))),
        }
    }
    all
}

fn one(face: &mut Face) -> Result<alloc::string::String> {
    forward(face)?;
    let (span, own) = compared(face)?;
    let before = face.ticks();
    arch::run_instructions(SHOWN);
    let counted = face.since(before);
    Ok(format!(
        "{own} ns where {span} ns passed; {} instructions in {counted} ns; {} ticks a second",
        SHOWN,
        face.driver.fact("hz").unwrap_or(0)
    ))
}

fn forward(face: &mut Face) -> Result<()> {
    let mut last = face.ticks();
    let mut moved = false;
    for _ in 0..LOOKS {
        let next = face.ticks();
        let passed = next.wrapping_sub(last) & face.mask;
        if passed > face.mask / 2 {
            return Err(format!("it went back from {last:#x} to {next:#x}"));
        }
        moved |= passed > 0;
        last = next;
    }
    match moved {
        true => Ok(()),
        false => Err(format!("it did not move in {LOOKS} looks")),
    }
}

/// Nanoseconds by the machine's clock, and by this one.
fn compared(face: &mut Face) -> Result<(u64, u64)> {
    for _ in 0..TRIES {
        let before = clock::now();
        let first = face.ticks();
        let begun = clock::now();
        clock::pause(SPAN);
        let ending = clock::now();
        let own = face.since(first);
        let after = clock::now();
        let (least, most) = (ending - begun, after - before);
        let slack = SPAN / TOLERANCE + 2 * face.nanoseconds(1);
        if most - least > slack {
            continue;
        }
        if own + slack < least || own > most + slack {
            return Err(format!(
                "{own} ns passed by it, and {least} by the machine's clock"
            ));
        }
        return Ok((least, own));
    }
    Err(text("it could not be compared in peace"))
}
