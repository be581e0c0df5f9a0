//! Prove: the code is run on its own device, by the self-test of its class.

use crate::Ground;
use abi::inventory::Proof;
use abi::status;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use classes::direct::Direct;
use classes::selftest::{self, Effort, Outcome};
use classes::stand::{Served, Stand};
use classes::{Class, Units};
use synthesis::Written;

/// Runs the self-test of the class and gives the verdict; of a direct class also the private state that it left, with
/// which its operations go on where they are bound.
pub fn prove(
    ground: &mut impl Ground,
    class: &str,
    direct: bool,
    written: &Written,
    code: &emit::Code,
) -> (Vec<u8>, Proof) {
    // Facts only: what they say shows when something relies on them.
    if direct && written.residual.entries.is_empty() {
        let why = "there is no code in it".into();
        return (Vec::new(), Proof::Unverified(why));
    }
    let stand = match ground.stand(written, code) {
        Ok(stand) => stand,
        Err(why) => return (Vec::new(), Proof::Rejected(why)),
    };
    let (state, proof) = match direct {
        true => platform(stand, class, written, ground.timed()),
        false => (Vec::new(), pumped(stand, class, written, ground.effort())),
    };
    match (proof, ground.unharmed()) {
        (proof @ Proof::Rejected(_), _) | (proof, Ok(())) => (state, proof),
        (_, Err(why)) => (state, Proof::Rejected(why)),
    }
}

fn pumped(stand: Stand, class: &str, written: &Written, effort: Effort) -> Proof {
    let Some(class) = Class::of_name(class) else {
        return Proof::Rejected(format!("there is no pump for class `{class}`"));
    };
    match served(stand, class, written) {
        // It ends with the device holding none of our buffers: their memory may be given back.
        Ok(mut made) => verdict(selftest::run(&mut made.pump, made.area.client(), effort)),
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

/// The driver of a class with requests. It is not started yet.
///
/// # Errors
/// What does not fit the class, in words.
pub fn served(stand: Stand, class: Class, written: &Written) -> Result<Served, String> {
    let facts = Units::from_pairs(written.facts.iter().map(|(n, v)| (n.as_str(), *v)));
    let residual = &written.residual;
    let failures = residual.failures.iter().map(|f| f.as_str());
    let upcalls = residual.upcalls.iter().map(|u| u.as_str());
    let made = stand.pump(class, facts, failures, upcalls);
    made.map_err(|unfit| unfit.to_string())
}

/// The driver of a direct class, going on where its proof left it.
pub fn direct<'a>(stand: Stand<'a>, state: &[u8]) -> Option<Direct<'a>> {
    let mut direct = stand.direct().ok()?;
    direct.resume(state);
    Some(direct)
}

/// Direct classes: `init` must succeed; a clock must go forward, and as fast as the one before it. A timer fires where
/// interrupts are taken ([`Ground::asked_next`]). The interrupt controller shows itself when whoever it is bound into takes its first timer interrupt.
fn platform(stand: Stand, class: &str, written: &Written, timed: bool) -> (Vec<u8>, Proof) {
    let Ok(mut device) = stand.direct() else {
        let why = "the code does not fit its class".into();
        return (Vec::new(), Proof::Rejected(why));
    };
    let started = device.start();
    if started != status::OK {
        let failures = &written.residual.failures;
        let number = started.checked_sub(status::FAIL);
        let failure = number.and_then(|n| failures.get(n as usize));
        let named = failure.map_or("unexpected status", |f| f.as_str());
        return (Vec::new(), Proof::Rejected(format!("init: {named}")));
    }
    let fact = |name: &str| written.facts.iter().find(|(n, _)| n == name).map(|f| f.1);
    let proof = match class {
        "clock" | "calendar" | "timer" => {
            selftest::direct(class, &mut device, &fact, timed).map(verdict)
        }
        _ => None,
    };
    let untried = || Proof::Unverified("called for the first time by the nucleus".into());
    let proof = proof.unwrap_or_else(untried);
    (device.state().to_vec(), proof)
}
