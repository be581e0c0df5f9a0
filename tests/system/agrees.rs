//! Discovery against the emulator's own account: every PCI function, every processor, every range of memory.

use crate::account::{self, Account, Bar, Function};
use crate::boots::workspace;
use crate::ranges;
use machine::{Device, Machine, Source, Value, WindowKind};
use meta::discover::outside;
use meta::{machines, rules};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

/// Differences that are known and wait for mending: which machine, and part of what is said of it. A row that no longer is
/// so must go.
pub const KNOWN: &[(&str, &str)] = &[];

/// Takes out what is known; says which known differences of these machines are gone.
pub fn without_known(faults: Vec<String>, machines: &[&str]) -> Vec<String> {
    let is = |fault: &str, (machine, part): &(&str, &str)| {
        fault.starts_with(&format!("{machine}: ")) && fault.contains(part)
    };
    let unknown = |fault: &&String| !KNOWN.iter().any(|known| is(fault, known));
    let mut left: Vec<String> = faults.iter().filter(unknown).cloned().collect();
    for known in KNOWN
        .iter()
        .filter(|(machine, _)| machines.contains(machine))
    {
        if !faults.iter().any(|fault| is(fault, known)) {
            left.push(format!(
                "{known:?} is no longer so: take it out of the table"
            ));
        }
    }
    left
}

/// Everything in which the model differs from the account.
pub fn differences(model: &Machine, account: &Account) -> Vec<String> {
    let mut all = functions(model, account);
    all.extend(processors(model, account));
    all.extend(ranges::memory(model, account));
    all.extend(ranges::platform(model, account));
    all
}

fn number(device: &Device, name: &str) -> Option<u64> {
    match device.fact(name) {
        Some(Value::Number(n)) => Some(*n),
        _ => None,
    }
}

fn functions(model: &Machine, account: &Account) -> Vec<String> {
    let mut all = Vec::new();
    // A function without any identification is one that does not answer: so do the empty slots of some boards.
    let answers = |f: &&Function| f.vendor != 0 || f.device != 0;
    for function in account.functions.iter().filter(answers) {
        let path = format!("pci/{}", function.at);
        match model.devices.iter().find(|d| d.path == path) {
            None => all.push(format!("{path} is not in the model")),
            Some(device) => {
                let say = |what: String| format!("{path}: {what}");
                all.extend(function_differs(device, function).into_iter().map(say));
                all.extend(parent_differs(device, function, account).map(say));
            }
        }
    }
    for device in model.devices.iter().filter(|d| d.bus == "pci") {
        if !account
            .functions
            .iter()
            .any(|f| format!("pci/{}", f.at) == device.path)
        {
            all.push(format!("{} is in the model alone", device.path));
        }
    }
    all
}

fn function_differs(device: &Device, function: &Function) -> Vec<String> {
    let mut all = Vec::new();
    let mut same = |what: &str, model: Option<u64>, account: Option<u64>| {
        if model != account {
            all.push(format!(
                "{what}: {model:x?} in the model, {account:x?} in the account"
            ));
        }
    };
    same("vendor", number(device, "vendor"), Some(function.vendor));
    same("device", number(device, "device"), Some(function.device));
    let class = number(device, "class").map(|class| class >> 8);
    same("class", class, Some(function.class));
    if let Some((vendor, id)) = function.subsystem.filter(|_| function.bridge.is_none()) {
        same("subvendor", number(device, "subvendor"), Some(vendor));
        same("subsystem", number(device, "subsystem"), Some(id));
    }
    let byte = |at: usize| device.config.get(at).map(|byte| u64::from(*byte));
    same("interrupt pin", byte(0x3d), Some(function.pin));
    if function.pin != 0 && function.bridge.is_none() {
        let wired = device.wires.first().map(|wire| u64::from(wire.pin));
        same("the wire's pin", wired, Some(function.pin));
    }
    if let Some(bridge) = &function.bridge {
        same("bus behind", byte(0x19), Some(bridge.secondary));
        same("last bus behind", byte(0x1a), Some(bridge.subordinate));
    }
    // The expansion ROM is not sized: nothing reads it, and its decoding is off.
    for bar in function.bars.iter().filter(|bar| bar.index < 6) {
        all.extend(bar_differs(device, bar));
    }
    // Where old channels are follows from the class: no register says it.
    let told = |w: &&machine::Window| w.source != Source::Inferred;
    for window in device.windows.iter().filter(told) {
        let known = |bar: &Bar| bar.index == u64::from(window.index);
        if !function.bars.iter().any(known) {
            all.push(format!("BAR {} is in the model alone", window.index));
        }
    }
    all
}

fn bar_differs(device: &Device, bar: &Bar) -> Option<String> {
    let window = device
        .windows
        .iter()
        .find(|w| u64::from(w.index) == bar.index);
    let Some(window) = window else {
        // One without a place is a note.
        return bar
            .base
            .map(|base| format!("BAR {} at {base:#x} is not in the model", bar.index));
    };
    // Ports that are reached through memory are elsewhere for the processor than on the bus.
    let through_memory = bar.port && window.kind == WindowKind::Memory;
    let kind = bar.port == (window.kind == WindowKind::Port) || through_memory;
    let place = bar.base == Some(window.base) || through_memory;
    // The lowest bits of a register are not part of its base, so that no size is below what they can tell.
    let size = bar.size.max(if bar.port { 4 } else { 16 });
    let same = kind && place && window.size == size;
    (!same).then(|| {
        format!(
            "BAR {}: {window:?} in the model, {bar:?} in the account",
            bar.index
        )
    })
}

/// A function's parent is the bridge whose bus it is on.
fn parent_differs(device: &Device, function: &Function, account: &Account) -> Option<String> {
    let behind = |f: &&Function| {
        f.bridge
            .as_ref()
            .is_some_and(|b| b.secondary == function.bus)
    };
    let parent = device.parent.as_deref()?;
    match account.functions.iter().find(behind) {
        Some(bridge) if parent != format!("pci/{}", bridge.at) => Some(format!(
            "its parent is {parent}, and it is on the bus of {}",
            bridge.at
        )),
        None if parent.starts_with("pci/") && function.bus == 0 => Some(format!(
            "its parent is {parent}, and it is on the first bus"
        )),
        _ => None,
    }
}

fn processors(model: &Machine, account: &Account) -> Vec<String> {
    let mut found: Vec<u64> = model.cpus.iter().map(|cpu| cpu.id).collect();
    let mut expected = account.cpus.clone();
    found.sort_unstable();
    expected.sort_unstable();
    let same = found == expected;
    (!same)
        .then(|| format!("processors {found:x?} in the model, {expected:x?} in the account"))
        .into_iter()
        .collect()
}

#[test]
fn every_machine_is_what_the_emulator_says() {
    let workspace = workspace();
    let book = rules::book(&workspace.root.join("rules")).expect("the rules are right");
    let candidates = synthesis::candidates(&book);
    let mut machines = machines::all(&workspace).expect("the machines");
    // Of those that UEFI firmware boots, nothing is handed over that could be seen from outside.
    machines.retain(|machine| machine.firmware.is_none());
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(machine) = machines.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = outside::discover(&workspace, machine, &candidates)
                        .unwrap_or_else(|error| panic!("{error:#}"));
                    let account = account::ask(&found.emulator);
                    let told = differences(&found.model, &account);
                    let mut faults = faults.lock().expect("the list");
                    faults.extend(told.into_iter().map(|d| format!("{}: {d}", machine.name)));
                }
            });
        }
    });
    let names: Vec<&str> = machines.iter().map(|m| m.name.as_str()).collect();
    let faults = without_known(faults.into_inner().expect("the list"), &names);
    assert!(
        faults.is_empty(),
        "{} differences:\n{}",
        faults.len(),
        faults.join("\n")
    );
}
