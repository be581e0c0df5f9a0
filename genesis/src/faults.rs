//! `fault=…` on the command line, where genesis is built with the feature `faults`: a device that works is made to seem broken
//! while its driver's self-test runs once more, so that one sees what the driver does about it. The same code is written again with an upcall behind every read of the
//! device and of memory shared with it, and the upcall lies. Interrupts are lost later, on their way to the driver's task.

use crate::{clock, discover::Probing, run, single::Single};
use abi::context::Context;
use abi::inventory::Proof;
use abi::options::{FAULT, HEARD, LOST};
use alloc::{
    format,
    string::{String, ToString},
};
use classes::fault::{Asked, Kind, Spoil};
use classes::memory::Places;
use classes::selftest::{self, Effort, Outcome, Reason};
use classes::stand::Served;
use classes::{Class, Failure};
use generator::{Driver, Ground};
use graph::through::MEMORY;
use machine::Machine;
use synthesis::Written;

static SPOIL: Single<Option<Spoil>> = Single::new(None);

/// Carries out the faults that the command line asks for. A driver that does not serve in the end is rejected; another is
/// installed, unverified, and its device works again.
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
        let came = match asked.kind {
            // Here nothing waits for interrupts: its task does.
            Kind::Lost if Class::of_name(&driver.choice.class).is_some() => {
                for (name, value) in [(HEARD, asked.after), (LOST, asked.count)] {
                    driver.written.facts.push((name.to_string(), value));
                }
                Ok((true, "its task does not hear them".into()))
            }
            _ => broken(driver, &asked, probing),
        };
        match came {
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
fn broken(driver: &Driver, asked: &Asked, probing: &Probing) -> Result<(bool, String), String> {
    let Some(class) = Class::of_name(&driver.choice.class) else {
        return Err("only drivers with requests can be made to fail".into());
    };
    let residual = driver.written.residual.through("seen");
    let code = emit::emit(&residual, probing.target()).map_err(|e| e.to_string())?;
    let upcall = residual.upcalls.len() - 1;
    let facts = driver.written.facts.clone();
    let written = Written { residual, facts };
    let places = Places {
        clock: hurried,
        pause: hurried_pause,
        ..run::places(&written.residual)
    };
    let stand = run::stand_in(places, &written, &code)?;
    let mut made = generator::served(stand, class, &written)?;
    made.pump.intercept(upcall, seen);
    SPOIL.with(|spoil| *spoil = Some(Spoil::new(asked.kind, asked.after, asked.count)));
    let (outcome, again) = tried(&mut made);
    let begun = SPOIL.with(Option::take).is_some_and(|spoil| spoil.begun());
    // Its device has none of the memory afterwards: that may be needed before the driver's task starts.
    let _ = made.pump.quiet();
    let name = |number: u64| {
        let known = usize::try_from(number).ok();
        let name = known.and_then(|n| written.residual.failures.get(n));
        name.map_or_else(|| format!("failure {number}"), |name| format!("`{name}`"))
    };
    if !begun {
        return Ok((true, "its test did not last until then".into()));
    }
    let mut said = match outcome {
        Outcome::Rejected(Reason::Driver(Failure::Unrecovered(number))) => {
            format!("the driver failed: {}", name(number))
        }
        Outcome::Rejected(Reason::Driver(failure)) => format!("the driver failed: {failure}"),
        Outcome::Rejected(Reason::Wrong(what)) => format!("answers were wrong: {what}"),
        Outcome::Rejected(why) => why.to_string(),
        Outcome::Verified | Outcome::Unverified(_) => "all requests were carried out".into(),
    };
    if let Some(number) = made.pump.served() {
        let resets = made.pump.counters().resets;
        said += &format!("; {} was served, with {resets} resets", name(number));
    }
    let installed = match again {
        None => !matches!(outcome, Outcome::Rejected(_)),
        Some(Outcome::Rejected(why)) => {
            said += &format!("; afterwards: {why}");
            false
        }
        Some(_) => {
            said += "; it serves again";
            true
        }
    };
    Ok((installed, said))
}

/// The self-test on the device while it is broken, and once more if it is well again, with nothing started anew in between.
fn tried(made: &mut Served) -> (Outcome, Option<Outcome>) {
    if let Err(failure) = made.pump.start() {
        return (Outcome::Rejected(Reason::Driver(failure)), None);
    }
    let outcome = selftest::serves(&mut made.pump, made.area.client(), Effort::Patient);
    let passed = SPOIL.with(|spoil| spoil.as_ref().is_some_and(Spoil::passed));
    let again = (passed && made.pump.failure().is_none())
        .then(|| selftest::serves(&mut made.pump, made.area.client(), Effort::Patient));
    (outcome, again)
}

/// Nanoseconds that the clock is ahead. Nothing is to be expected of a broken device: for whoever waits for it time goes
/// faster.
static AHEAD: Single<u64> = Single::new(0);
/// What one look at the clock adds.
const LOOK: u64 = 20_000;
/// Longest pause that is one.
const PAUSE: u64 = 20_000_000;

extern "C" fn hurried(_: *mut Context) -> u64 {
    AHEAD.with(|ahead| {
        *ahead += LOOK;
        clock::now() + *ahead
    })
}

extern "C" fn hurried_pause(_: *mut Context, ns: u64) {
    clock::pause(ns.min(PAUSE));
    AHEAD.with(|ahead| *ahead += ns.saturating_sub(PAUSE));
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
