//! Step 5: the code is run on its own device, by the self-test of its class.

use crate::{memory, run};
use abi::inventory::Proof;
use abi::ring::BYTES;
use abi::status;
use alloc::{boxed::Box, format, string::ToString, vec::Vec};
use classes::direct::Direct;
use classes::memory::Places;
use classes::selftest::{self, clock::Rate, Effort, Outcome};
use classes::{Area, Class, Memory, Pump, Residual, Units};
use synthesis::Written;

/// Runs the self-test of the class and gives the verdict; of a direct class also the private state that it left, with
/// which its operations go on in the nucleus.
pub fn prove(class: &str, direct: bool, written: &Written, code: &emit::Code) -> (Vec<u8>, Proof) {
    match direct {
        // Facts only: what they say shows when something relies on them.
        true if written.residual.entries.is_empty() => (
            Vec::new(),
            Proof::Unverified("there is no code in it".into()),
        ),
        true => platform(class, written, code),
        false => (Vec::new(), pumped(class, written, code)),
    }
}

fn pumped(class: &str, written: &Written, code: &emit::Code) -> Proof {
    let Some(class) = Class::of_name(class) else {
        return Proof::Rejected(format!("there is no pump for class `{class}`"));
    };
    match pump(class, written, code, places(written)) {
        Ok(mut made) => {
            // It ends with the device holding none of our buffers: their memory goes away with genesis.
            verdict(selftest::run(
                &mut made.pump,
                made.area.client(),
                Effort::Quick,
            ))
        }
        Err(why) => Proof::Rejected(why),
    }
}

fn verdict(outcome: Outcome) -> Proof {
    match outcome {
        Outcome::Verified => Proof::Verified,
        Outcome::Unverified(why) => Proof::Unverified(why.to_string()),
        Outcome::Rejected(why) => Proof::Rejected(why.to_string()),
    }
}

/// A driver in its class's pump, and the memory of its rings.
pub struct Made {
    pub pump: Pump,
    pub area: Area,
}

/// The driver of a class with requests, in these [`places`]. It is not started yet.
pub fn pump(
    class: Class,
    written: &Written,
    code: &emit::Code,
    places: Places,
) -> Result<Made, alloc::string::String> {
    let text = run::code(&code.bytes);
    let residual = &written.residual;
    let entries = names(written, code);
    // SAFETY: the code was generated and validated, lies in executable memory that is never given back while genesis
    // runs, and the offsets are the emitter's.
    let made = unsafe {
        Residual::new(
            text,
            code.bytes.len(),
            entries.iter().copied(),
            residual.failures.iter().map(|f| f.as_str()),
        )
    };
    let facts = Units::from_pairs(written.facts.iter().map(|(n, v)| (n.as_str(), *v)));
    let rings = memory::scratch(BYTES as u64, 4096) as *mut u8;
    // SAFETY: fresh zeroed memory of this pump alone, large enough and aligned.
    let area = unsafe { Area::new(rings) };
    let upcalls = residual.upcalls.iter().map(|u| u.as_str());
    made.and_then(|m| {
        Pump::new(
            class,
            facts,
            m,
            upcalls,
            surroundings(places),
            area.driver(),
        )
    })
    .map(|pump| Made { pump, area })
    .map_err(|unfit| unfit.to_string())
}

/// State, arena, pool and windows for a residual, in genesis's own memory.
pub fn places(written: &Written) -> Places {
    run::places(&written.residual, selftest::POOL)
}

fn surroundings(places: Places) -> Memory {
    // SAFETY: fresh ranges of scratch memory that nothing else uses, identity-mapped; windows as the facts say.
    unsafe { Memory::new(places) }
}

fn names<'a>(written: &'a Written, code: &emit::Code) -> Vec<(&'a str, u32)> {
    written
        .residual
        .entries
        .iter()
        .zip(&code.entries)
        .map(|(e, (at, _))| (e.name.as_str(), *at))
        .collect()
}

/// A residual of a direct class, ready to be called; it lives as long as genesis does.
pub fn direct(written: &Written, code: &emit::Code) -> Option<Direct<'static>> {
    let text = run::code(&code.bytes);
    let names: Vec<(&'static str, u32)> = names(written, code)
        .into_iter()
        .map(|(name, at)| (&*Box::leak(name.to_string().into_boxed_str()), at))
        .collect();
    // SAFETY: as in `pump`.
    unsafe { Direct::new(text, code.bytes.len(), names, surroundings(places(written))) }.ok()
}

/// Direct classes: `init` must succeed; a clock must go forward, and as fast as the one before it. The interrupt controller
/// shows itself when the nucleus takes its first timer interrupt.
fn platform(class: &str, written: &Written, code: &emit::Code) -> (Vec<u8>, Proof) {
    let Some(mut device) = direct(written, code) else {
        let why = "the code does not fit its class".into();
        return (Vec::new(), Proof::Rejected(why));
    };
    let started = device.start();
    if started != status::OK {
        let failure = started
            .checked_sub(status::FAIL)
            .and_then(|n| written.residual.failures.get(n as usize));
        let why = format!(
            "init: {}",
            failure.map_or("unexpected status", |f| f.as_str())
        );
        return (Vec::new(), Proof::Rejected(why));
    }
    let fact = |name| written.facts.iter().find(|(n, _)| n == name).map(|f| f.1);
    let proof = match class {
        "clock" => {
            let rate = Rate {
                hz: fact("hz").unwrap_or(0),
                width: fact("width").map_or(64, |bits| bits.min(64) as u32),
            };
            verdict(selftest::clock::run(
                &mut device,
                rate,
                super::platform::timed(),
            ))
        }
        "calendar" => verdict(selftest::clock::calendar(&mut device)),
        "timer" => verdict(selftest::timer::run(
            &mut device,
            fact("most").unwrap_or(0xffff),
        )),
        _ => Proof::Unverified("called for the first time by the nucleus".into()),
    };
    (device.state().to_vec(), proof)
}
