//! `fault=…` on the command line: a device that works is made to seem broken while its driver's self-test runs once more, so
//! that one sees what the driver does about it. The same code is written again with an upcall behind every read of the
//! device and of memory shared with it, and the upcall lies.

use super::{prove, Driver, TARGET};
use crate::{discover::Probing, single::Single};
use abi::context::Context;
use abi::inventory::Proof;
use abi::options::FAULT;
use alloc::{
    format,
    string::{String, ToString},
};
use classes::fault::{Asked, Kind, Spoil};
use classes::selftest::{self, Effort, Outcome, Reason};
use classes::{Class, Failure};
use graph::through::MEMORY;
use machine::Machine;
use synthesis::Written;

static SPOIL: Single<Option<Spoil>> = Single::new(None);

/// Carries out the faults that the command line asks for. A driver that fails the test is rejected; another is installed,
/// unverified, and its device works again.
pub fn faults(
    drivers: &mut [Driver],
    options: &[String],
    machine: &Machine,
    probing: &mut Probing,
) {
    for text in options.iter().filter_map(|o| o.strip_prefix(FAULT)) {
        let Some(asked) = Asked::of(text) else {
            crate::log!(
                "  fault={text}: DRIVER:KIND:AFTER or DRIVER:KIND:AFTER:COUNT is wanted, with the kind ones, stuck, \
                 zeros, noise, wild, short, silent, or lost"
            );
            continue;
        };
        let found = drivers
            .iter_mut()
            .find(|d| d.name == asked.driver && d.usable());
        let Some(driver) = found else {
            crate::log!(
                "  fault={text}: there is no driver {} that can be used",
                asked.driver
            );
            continue;
        };
        match broken(driver, &asked) {
            Ok((installed, said)) => {
                crate::log!("  {}: made to fail ({asked}): {said}", driver.name);
                let said = format!("made to fail ({asked}): {said}");
                driver.proof = match installed {
                    true => Proof::Unverified(said),
                    false => Proof::Rejected(said),
                };
            }
            Err(why) => crate::log!("  fault={text}: {why}"),
        }
        // What failed may hold addresses of memory that is given back.
        if let Some(device) = machine
            .devices
            .get(driver.device)
            .filter(|_| !driver.usable())
        {
            probing.bus_master(machine, &device.path, false);
        }
    }
}

/// Whether the driver is to be installed all the same, and what it did.
fn broken(driver: &Driver, asked: &Asked) -> Result<(bool, String), String> {
    let Some(class) = Class::of_name(&driver.choice.class) else {
        return Err("only drivers with requests can be made to fail".into());
    };
    let mut residual = driver.written.residual.through("seen");
    if asked.kind == Kind::Lost {
        // Nobody calls entries that no pump knows.
        let entries = residual.entries.iter_mut();
        let heard = entries.filter(|e| e.name == "irq" || e.name == "message");
        heard.for_each(|entry| entry.name.insert(0, '-'));
    }
    let code = emit::emit(&residual, TARGET).map_err(|e| e.to_string())?;
    let upcall = residual.upcalls.len() - 1;
    let facts = driver.written.facts.clone();
    let written = Written { residual, facts };
    let mut made = prove::pump(class, &written, &code)?;
    made.pump.intercept(upcall, seen);
    SPOIL.with(|spoil| *spoil = Some(Spoil::new(asked.kind, asked.after, asked.count)));
    let outcome = selftest::run(&mut made.pump, made.area.client(), Effort::Quick);
    SPOIL.with(|spoil| *spoil = None);
    let name = |number: u64| {
        let known = usize::try_from(number).ok();
        let name = known.and_then(|n| written.residual.failures.get(n));
        name.map_or_else(|| format!("failure {number}"), |name| format!("`{name}`"))
    };
    let recovered = made.pump.served().map(|number| {
        let resets = made.pump.counters().resets;
        format!("{} was served, with {resets} resets", name(number))
    });
    Ok(match outcome {
        Outcome::Rejected(Reason::Driver(Failure::Unrecovered(number))) => {
            (false, format!("the driver failed: {}", name(number)))
        }
        Outcome::Rejected(why) => (
            false,
            match recovered {
                Some(recovered) => format!("{why}; before that {recovered}"),
                None => why.to_string(),
            },
        ),
        Outcome::Verified | Outcome::Unverified(_) => (
            true,
            recovered.unwrap_or_else(|| "the driver did not notice".into()),
        ),
    })
}

/// What the code sees: see [`graph::Residual::through`].
extern "C" fn seen(_: *mut Context, what: u64, at: u64, value: u64, _: u64) -> u64 {
    let ones = u64::MAX >> (64 - (what >> 32).clamp(1, 64));
    let place = (what & 0xffff_ffff, at);
    SPOIL.with(|spoil| match spoil {
        None => value,
        Some(spoil) if what & MEMORY != 0 => spoil.load(place, ones, value),
        Some(spoil) => spoil.read(place, ones, value),
    })
}
