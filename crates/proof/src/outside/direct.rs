//! Direct classes, seen from outside: the emulator's monitor tells of wires, the host has a clock.

use super::wants;
use crate::stand::{Stand, Written};
use crate::{failed, Result};
use qtest::run::Platform;
use qtest::Machine;
use std::time::{Duration, Instant, SystemTime};

/// What the self-test of a direct class cannot see.
///
/// # Errors
/// What is not as it should be, in words.
pub fn direct(driver: &mut Platform, stand: &Stand, written: &Written, class: &str) -> Result<()> {
    match class {
        "lines" if stand.masks.is_empty() => lines(driver, &stand.machine),
        "lines" => masks(driver, stand),
        "clock" => clock(driver, written),
        "calendar" => calendar(driver),
        _ => Ok(()),
    }
}

/// Of a controller of which the monitor tells masks alone, eight lines in each.
fn masks(driver: &mut Platform, stand: &Stand) -> Result<()> {
    let masked = |line: u64| -> Result<bool> {
        let text = stand.machine.told("info pic")?;
        let name = &stand.masks[line as usize / 8];
        let said = text.lines().find(|l| l.trim().starts_with(name.as_str()));
        let mask = said.and_then(|l| l.split_once("imr=")).map(|(_, m)| m);
        let mask = mask.and_then(|m| u64::from_str_radix(m.get(..2)?, 16).ok());
        match mask {
            Some(mask) => Ok(mask >> (line % 8) & 1 == 1),
            None => failed(format!("the emulator tells no mask of {name}:\n{text}")),
        }
    };
    let count = 8 * stand.masks.len() as u64;
    let wanted = |line, holds: bool, when: &str| {
        wants(masked(line)? == holds, || {
            let is = if holds { "let through" } else { "masked" };
            format!("line {line} is {is} {when}")
        })
    };
    driver.start()?;
    for line in 0..count {
        wanted(line, true, "after `init`")?;
    }
    // What brings the second chip's lines to the first is no line of its own.
    for line in (0..count).filter(|line| *line != 2) {
        driver.call("unmask", &[line])?;
        wanted(line, false, "after `unmask`")?;
        let other = (line + 1) % count;
        if other != 2 {
            wanted(other, true, "although another was unmasked")?;
        }
        driver.call("mask", &[line])?;
        wanted(line, true, "after `mask`")?;
    }
    Ok(())
}

/// The date is the host's.
fn calendar(driver: &mut Platform) -> Result<()> {
    let told = driver.call("now", &[])?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |passed| passed.as_secs());
    wants(told.abs_diff(now) <= 2, || {
        format!("it is {now} seconds since 1970 began, and it says {told}")
    })
}

/// What the emulator's monitor says of a wire.
fn wire(machine: &Machine, line: u64) -> Result<String> {
    let text = machine.told("info pic")?;
    let wanted = format!("pin {line} ");
    let found = text
        .lines()
        .map(|l| l.trim().to_owned() + " ")
        .find(|l| l.starts_with(&wanted));
    found.map_or_else(
        || {
            failed(format!(
                "the emulator tells nothing of wire {line}:\n{text}"
            ))
        },
        Ok,
    )
}

fn lines(driver: &mut Platform, machine: &Machine) -> Result<()> {
    // Wire, processor, vector, by level, active low.
    let routes: [[u64; 5]; 3] = [[5, 0, 0x40, 0, 0], [20, 3, 0x57, 1, 1], [23, 1, 0xfe, 1, 0]];
    for [line, cpu, vector, level, low] in routes {
        driver.call("route", &[line, cpu, vector, level, low])?;
        let as_told = |masked: bool| -> Result<()> {
            let text = wire(machine, line)?;
            let has = |word: &str| text.split_whitespace().any(|w| w == word);
            let right = has(&format!("vec={vector}"))
                && has(&format!("dest={cpu}"))
                && has(if level == 1 { "level" } else { "edge" })
                && has(if low == 1 { "active-lo" } else { "active-hi" })
                && has("masked") == masked;
            wants(right, || {
                format!("wire {line} is not as it was routed: {text}")
            })
        };
        as_told(true)?;
        driver.call("unmask", &[line])?;
        as_told(false)?;
        driver.call("mask", &[line])?;
        as_told(true)?;
    }
    // Whatever was let through, `init` masks all.
    for line in 0..24 {
        driver.call("unmask", &[line])?;
    }
    driver.start()?;
    for line in 0..24 {
        let text = wire(machine, line)?;
        let masked = text.split_whitespace().any(|w| w == "masked");
        wants(masked, || {
            format!("after `init` wire {line} is let through: {text}")
        })?;
    }
    Ok(())
}

/// Its rate beside the host's clock, of which the machine's follows.
fn clock(driver: &mut Platform, written: &Written) -> Result<()> {
    let fact = |name: &str| {
        written
            .facts
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| *v)
    };
    let (Some(hz), width) = (fact("hz"), fact("width").unwrap_or(64)) else {
        return Ok(());
    };
    let mask = u64::MAX >> (64 - width.clamp(1, 64));
    // Not more than half of the way around.
    let half = Duration::from_nanos((mask / 2).saturating_mul(1_000_000_000 / hz.max(1)));
    let (start, first) = (Instant::now(), driver.call("now", &[])?);
    std::thread::sleep(half.min(Duration::from_millis(200)));
    let (second, passed) = (driver.call("now", &[])?, start.elapsed());
    let ticks = second.wrapping_sub(first) & mask;
    let wanted = passed.as_secs_f64() * hz as f64;
    wants((ticks as f64 - wanted).abs() < wanted / 5.0, || {
        format!("{ticks} ticks passed in {passed:?}, at {hz} a second")
    })
}
