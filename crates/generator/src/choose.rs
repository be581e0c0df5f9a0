//! Match: which rule serves which device, asked of the devices themselves where their facts do not decide.

use crate::{Ground, Registers};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use discovery::policy::Place;
use machine::{Fact, Machine, Source, Value};
use rulebook::tree::Book;
use synthesis::Plan;

/// What is to be written, in order. What went wrong while devices were asked goes into the model.
pub fn choose(book: &Book, machine: &mut Machine, ground: &mut impl Ground) -> Plan {
    let mut faults: Vec<(String, Vec<String>)> = Vec::new();
    let plan = synthesis::plan(book, machine, |subject| {
        let device = subject.device;
        let place = match device.fact("candidate") {
            Some(_) => Place::Candidate,
            None => Place::Window,
        };
        let mut registers = ground.registers(place);
        let verdict = ground.guarded(&device.path, |_| {
            synthesis::match_device(subject, Some(&mut registers))
        });
        if !registers.errors().is_empty() {
            faults.push((device.path.clone(), registers.errors().to_vec()));
        }
        verdict.unwrap_or_else(|| synthesis::match_device(subject, None))
    });
    for (path, errors) in faults {
        put(machine, &path, &errors);
    }
    plan
}

/// Puts what went wrong while a device was asked into the model.
fn put(machine: &mut Machine, path: &str, errors: &[String]) {
    let Some(device) = machine.devices.iter_mut().find(|d| d.path == path) else {
        return;
    };
    for error in errors {
        let told = Value::Text(error.clone());
        if device.learned.iter().any(|f| f.value == told) {
            continue;
        }
        machine.notes.push(alloc::format!("{path}: {error}"));
        device.learned.push(Fact {
            name: "fault".to_string(),
            value: told,
            source: Source::Probe,
        });
    }
}
