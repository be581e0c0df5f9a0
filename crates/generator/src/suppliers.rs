//! Which drivers serve one class, where several could.

use crate::Driver;
use alloc::vec::Vec;
use core::ops::Range;

/// The class whose devices each have a range of numbers: where several do not overlap, all of them serve.
const RANGED: &str = "lines";

/// The drivers that serve one class, cheapest first, the first of equal ones: one, or those that have numbers which no one
/// before has.
pub fn suppliers(drivers: &[Driver], class: &str) -> Vec<usize> {
    let cost = |at: &usize| drivers[*at].fact(synthesis::COST).unwrap_or(0);
    let mut usable: Vec<usize> = (0..drivers.len())
        .filter(|at| drivers[*at].choice.class == class && drivers[*at].usable())
        .collect();
    usable.sort_by_key(cost);
    let mut chosen: Vec<usize> = Vec::new();
    for at in usable {
        let apart = |other: &usize| match (range(&drivers[*other]), range(&drivers[at])) {
            (Some(a), Some(b)) => a.end <= b.start || b.end <= a.start,
            _ => false,
        };
        if chosen.iter().all(apart) {
            chosen.push(at);
        }
    }
    chosen
}

/// The numbers that a driver of such a class has.
pub fn range(driver: &Driver) -> Option<Range<u32>> {
    if driver.choice.class != RANGED {
        return None;
    }
    let first = u32::try_from(driver.fact("first")?).ok()?;
    let count = u32::try_from(driver.fact("count")?).ok()?;
    Some(first..first.checked_add(count)?)
}
