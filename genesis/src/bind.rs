//! Platform operations go into the nucleus.

use crate::install::{Kernel, Platform};
use abi::boot::{operation, vector, Lines, CONTROLLERS};
use alloc::{vec, vec::Vec};
use generator::{range, suppliers, Driver};
use machine::Arch;

/// The class whose devices each have a range of numbers.
const RANGED: &str = "lines";

/// Binds each platform operation to the cheapest usable driver that has it; the first of equal ones. Where several have
/// it, each for other numbers, all are bound. Gives, of each driver, the physical address of the nucleus's copy of its code,
/// if it has one.
pub fn bind(kernel: &mut Kernel, drivers: &[Driver], arch: Arch) -> Vec<Option<u64>> {
    let mut copies = vec![None; drivers.len()];
    let mut bound = [false; operation::COUNT];
    let ranged = suppliers(drivers, RANGED);
    let mut usable: Vec<usize> = (0..drivers.len())
        .filter(|at| drivers[*at].usable())
        .collect();
    usable.sort_by_key(|at| drivers[*at].fact(synthesis::COST).unwrap_or(0));
    for at in usable {
        let several = ranged.len() > 1 && ranged.contains(&at);
        let driver = &drivers[at];
        let mut operations: Vec<(usize, u32)> = Vec::new();
        for (n, (class, name)) in operation::NAMES.iter().enumerate() {
            if bound[n] && !several || *class != driver.choice.class {
                continue;
            }
            let Some(offset) = driver.entry(name) else {
                continue;
            };
            if let Err(why) = bindable(driver, name, arch) {
                crate::log!("  {}: `{name}` is not bound: {why}", driver.name);
                continue;
            }
            operations.push((n, offset));
        }
        if operations.is_empty() {
            continue;
        }
        let lines = match lines(driver, kernel.info.lines_count as usize) {
            Ok(lines) => lines,
            Err(why) => {
                crate::log!("  {}: not bound: {why}", driver.name);
                continue;
            }
        };
        let mut state = driver.state.clone();
        state.resize((driver.written.residual.state_size as usize).max(64), 0);
        let platform = Platform {
            code: &driver.code.bytes,
            operations: &operations,
            windows: &driver.written.residual.windows,
            state: &state,
            first: range(driver).filter(|_| several).map(|range| range.start),
        };
        match kernel.platform(&platform) {
            Ok(copy) => copies[at] = Some(copy),
            Err(why) => {
                crate::log!("  {}: not bound: {why}", driver.name);
                continue;
            }
        }
        for (n, _) in &operations {
            bound[*n] = true;
        }
        if operations.iter().any(|(n, _)| *n == operation::VECTORS_END) {
            kernel.info.spurious = driver.spurious();
        }
        if let Some(lines) = lines {
            kernel.info.lines[kernel.info.lines_count as usize] = lines;
            kernel.info.lines_count += 1;
        }
        if operations.iter().any(|(n, _)| *n == operation::CLOCK_NOW) {
            kernel.info.clock_hz = driver.fact("hz").unwrap_or(0);
            kernel.info.clock_bits = driver.fact("width").unwrap_or(64);
        }
        if operations.iter().any(|(n, _)| *n == operation::TIMER_ARM) {
            kernel.info.timer_hz = driver.fact("hz").unwrap_or(0);
            kernel.info.timer_most = driver.fact("most").unwrap_or(u64::from(u32::MAX));
            kernel.info.timer_line = match arch {
                Arch::X86_64 => vector::TIMER,
                Arch::Aarch64 => driver.fact("line").unwrap_or(0),
            };
        }
    }
    for (n, (class, name)) in operation::NAMES.iter().enumerate() {
        if !bound[n] && !operation::OPTIONAL[n] {
            crate::log!("  no {class}.{name} on this machine");
        }
    }
    copies
}

/// What the nucleus must know of a controller's lines, if the driver is one; `before`: so many controllers are bound.
fn lines(driver: &Driver, before: usize) -> Result<Option<Lines>, &'static str> {
    if driver.choice.class != RANGED {
        return Ok(None);
    }
    let range = range(driver).ok_or("it does not say which lines it has")?;
    let fixed = driver.fact("fixed").unwrap_or(0).min(range.end.into()) as u32;
    if u64::from(fixed) > vector::MESSAGES - vector::LINES {
        return Err("more of its lines have fixed vectors than there are vectors for lines");
    }
    if before >= CONTROLLERS {
        return Err("there are too many controllers");
    }
    Ok(Some(Lines {
        first: range.start,
        count: range.end - range.start,
        fixed,
        reserved: 0,
    }))
}

/// What an operation keeps goes with it into the nucleus, if all that uses it goes there; nothing there is shared with a
/// device.
fn bindable(driver: &Driver, operation: &str, arch: Arch) -> Result<(), &'static str> {
    if arch == Arch::X86_64 && vector::in_use(driver.spurious()) {
        return Err("the vector by which it says that there was none is one that the nucleus uses");
    }
    let (residual, direct) = (&driver.written.residual, driver.choice.direct);
    synthesis::bindable(residual, direct, operation)
}
