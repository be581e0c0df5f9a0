//! What genesis wrote in a machine is what this computer writes for the same machine model: to the byte, read out of the
//! machine's memory. And what was written touches nothing but its device.

use crate::boots::{boot_image, boot_with, driver_names, image, machine, workspace, Booted};
use crate::monitor::Monitor;
use graph::{Id, Op, RegionId, Residual, WindowKind};
use meta::image::Arch;
use meta::{discover, explain, rules};
use rulebook::tree::Book;
use std::collections::{BTreeMap, BTreeSet};
use synthesis::{Job, Written};

/// What the prompt tells of one driver.
struct Told {
    proof: String,
    bytes: usize,
    hash: String,
    /// Physical addresses of its code.
    at: Vec<u64>,
}

fn told(booted: &mut Booted, name: &str) -> Told {
    let text = booted.ask_well(&format!("devices {name}"));
    let line = |word: &str| {
        let found = text.lines().find_map(|l| l.strip_prefix(word));
        found
            .unwrap_or_else(|| panic!("`devices {name}` has no line `{word}`:\n{text}"))
            .trim()
            .to_owned()
    };
    let code = line("code ");
    let (bytes, hash) = code.split_once(" bytes, BLAKE3 ").expect("size and hash");
    let at = |l: &str| {
        let digits = l.strip_prefix("at ")?.trim_start().strip_prefix("0x")?;
        u64::from_str_radix(digits.split(' ').next()?, 16).ok()
    };
    Told {
        proof: line("proof "),
        bytes: bytes.parse().expect("a number of bytes"),
        hash: hash.to_owned(),
        at: text.lines().filter_map(at).collect(),
    }
}

/// Every driver of this model, as it is written here.
fn write(book: &Book, model: &mut machine::Machine) -> Vec<(Job, Written, emit::Code)> {
    let target = match model.arch {
        machine::Arch::X86_64 => emit::Target::X86_64,
        machine::Arch::Aarch64 => emit::Target::Aarch64,
    };
    let plan = explain::plan(book, model);
    let write = |job: Job| {
        let subject = synthesis::subject(book, model, job.device).expect("it is in the model");
        // A controller without anything behind it gets no driver.
        if synthesis::serves_nothing(subject, &job.choice) {
            return None;
        }
        let written = synthesis::specialise(subject, &job.choice)
            .unwrap_or_else(|e| panic!("{}: {}", job.name, e.show(book)));
        let faults = proof::residue::faults(subject, &job.choice, &written.residual);
        assert!(faults.is_empty(), "{}: {}", job.name, faults.join("; "));
        let code =
            emit::emit(&written.residual, target).unwrap_or_else(|e| panic!("{}: {e}", job.name));
        Some((job, written, code))
    };
    plan.jobs.into_iter().filter_map(write).collect()
}

fn host_and_guest_agree(name: &str) {
    let emulated = machine(name);
    let image = image(emulated.arch);
    let book = rules::book(&workspace().root.join("rules")).expect("the rules are right");
    let monitor = Monitor::new(name);
    let mut booted = boot_with(&emulated, &image, &monitor.arguments());
    let mut model = discover::model_of(&booted.ask_well("machine")).expect("a machine model");
    let drivers = write(&book, &mut model);
    let mut qmp = monitor.connect();

    let here: BTreeSet<String> = drivers.iter().map(|(job, ..)| job.name.clone()).collect();
    let there = driver_names(&booted.ask_well("devices"));
    assert_eq!(there.into_iter().collect::<BTreeSet<_>>(), here);
    let mut bound = 0;
    for (job, _, code) in &drivers {
        let there = told(&mut booted, &job.name);
        let proof = &there.proof;
        assert!(!proof.starts_with("rejected"), "{}: {proof}", job.name);
        assert_eq!(there.bytes, code.bytes.len(), "{}", job.name);
        let hash = blake3::hash(&code.bytes).to_hex();
        assert_eq!(there.hash, hash.as_str(), "{}", job.name);
        assert!(!there.at.is_empty(), "{}: no address", job.name);
        bound += there.at.len() - 1;
        for at in there.at {
            let bytes = qmp.memory(at, code.bytes.len());
            assert!(bytes == code.bytes, "{}: not so at {at:#x}", job.name);
        }
    }
    // Clock, timer, console and what ends interrupts at least are called by the nucleus itself.
    assert!(bound >= 4, "the nucleus calls only {bound} devices");
    drop(booted);
    residuals_stay_inside(&model, &drivers);

    // Time that passes differently changes what is measured, and no code.
    let slow = ["-icount", "shift=0,sleep=off"].map(str::to_owned);
    let mut booted = boot_with(&emulated, &image, &slow);
    for (job, _, code) in &drivers {
        let hash = blake3::hash(&code.bytes).to_hex();
        assert_eq!(told(&mut booted, &job.name).hash, hash.as_str());
    }
}

fn residuals_stay_inside(model: &machine::Machine, drivers: &[(Job, Written, emit::Code)]) {
    let mut accesses = 0;
    for (job, written, _) in drivers {
        let residual = &written.residual;
        let name = &job.name;
        residual
            .validate()
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        windows_are_the_devices(name, residual, model, job.device);
        let looked = Looked::at(residual);
        for id in 0..residual.graph.nodes.len() as Id {
            assert!(
                looked.reached.contains(&id),
                "{name}: node {id} is never reached"
            );
            accesses += match looked.access(name, id) {
                None => 0,
                Some(Access::Inside) => 1,
                // Interrupt controllers walk their own tables; drivers in tasks never go where a device sends them.
                Some(Access::Computed(place)) => {
                    assert!(job.choice.direct, "{place}");
                    println!("not proved: {place}");
                    1
                }
            };
            nothing_known_is_left(name, residual, id);
        }
    }
    assert!(accesses > 20, "only {accesses} accesses to devices");
}

/// Every memory or port window lies in one that discovery gave this device, or where a fact says, or in the configuration
/// space of the bus that it leads to.
fn windows_are_the_devices(
    name: &str,
    residual: &Residual,
    model: &machine::Machine,
    device: usize,
) {
    let device = &model.devices[device];
    let numbers: Vec<u64> = (device.facts.iter().chain(&device.learned))
        .chain(&model.facts)
        .filter_map(|f| match f.value {
            machine::Value::Number(n) => Some(n),
            _ => None,
        })
        .collect();
    // PCI-to-PCI bridge 1.2, 3.2.5.3: the bus that it leads to; a bus has 1 MiB.
    let behind = match (device.fact("configuration"), device.config.get(0x18..0x1a)) {
        (Some(machine::Value::Number(own)), Some([primary, secondary])) => {
            Some((own & !0xf_ffff) + (u64::from(secondary.wrapping_sub(*primary)) << 20))
        }
        _ => None,
    };
    for window in &residual.windows {
        let kind = match window.kind {
            WindowKind::Memory => machine::WindowKind::Memory,
            WindowKind::Port => machine::WindowKind::Port,
            WindowKind::System | WindowKind::Model => continue,
        };
        let inside = device.windows.iter().any(|w| {
            w.kind == kind && window.base >= w.base && window.base + window.size <= w.base + w.size
        });
        assert!(
            inside || numbers.contains(&window.base) || behind == Some(window.base),
            "{name}: {window:?} is not the device's"
        );
    }
}

/// Where a step stands.
#[derive(Clone, Copy)]
struct Stands {
    entry: usize,
    /// How often it runs at most while the entry does.
    times: u64,
}

/// A driver, and what is known of its nodes.
struct Looked<'a> {
    residual: &'a Residual,
    /// Steps that some entry reaches.
    steps: BTreeMap<Id, Stands>,
    /// Nodes that those use.
    reached: BTreeSet<Id>,
}

impl<'a> Looked<'a> {
    fn at(residual: &'a Residual) -> Self {
        let (steps, reached) = (BTreeMap::new(), BTreeSet::new());
        let mut looked = Looked {
            residual,
            steps,
            reached,
        };
        for (entry, e) in residual.entries.iter().enumerate() {
            looked.region(e.body, Stands { entry, times: 1 });
        }
        looked
    }

    fn op(&self, id: Id) -> &'a Op {
        &self.residual.graph.nodes[id as usize]
    }

    fn region(&mut self, region: RegionId, stands: Stands) {
        for &step in &self.residual.graph.regions[region as usize].steps {
            self.steps.insert(step, stands);
            let op = self.op(step);
            let mut open = vec![step];
            while let Some(id) = open.pop() {
                if self.reached.insert(id) {
                    self.op(id).operands(|operand| open.push(operand));
                }
            }
            let again = match op {
                Op::Loop { most, .. } => self.known(*most).unwrap_or(u64::MAX),
                Op::Await { .. } => u64::MAX,
                _ => 1,
            };
            let times = stands.times.saturating_mul(again);
            for inner in op.inner().into_iter().flatten() {
                self.region(inner, Stands { times, ..stands });
            }
        }
    }

    fn known(&self, id: Id) -> Option<u64> {
        match self.op(id) {
            Op::Const(n) => Some(*n),
            _ => None,
        }
    }

    /// An upper bound of a value; of shapes that places in windows do not have, nothing is known.
    fn most(&self, id: Id, found: &mut BTreeMap<Id, u64>) -> u64 {
        use graph::BinOp::{Add, And, Min, Mul, Rem, Shl, Shr};
        if let Some(most) = found.get(&id) {
            return *most;
        }
        // Until more is known: a value may rest on itself, through a variable.
        found.insert(id, u64::MAX);
        let mut of = |id: Id| self.most(id, found);
        let shift = |id: Id| self.known(id).map(|n| n.min(63));
        let bound = match *self.op(id) {
            Op::Const(n) => n,
            Op::Bin(And | Min, a, b) => of(a).min(of(b)),
            Op::Bin(Add, a, b) => of(a).saturating_add(of(b)),
            Op::Bin(Mul, a, b) => of(a).saturating_mul(of(b)),
            Op::Bin(Rem, _, b) => of(b).saturating_sub(1),
            Op::Bin(Shl, a, b) => shift(b).map_or(u64::MAX, |n| of(a).saturating_mul(1 << n)),
            Op::Bin(Shr, a, b) => shift(b).map_or(of(a), |n| of(a) >> n),
            Op::Select(_, a, b) => of(a).max(of(b)),
            Op::Extract { bits, .. } => u64::MAX >> (64 - u32::from(bits)),
            Op::Load { width, .. } | Op::Read { width, .. } => width.mask(),
            Op::Local(slot) => self.most_of_local(self.steps[&id].entry, slot, found),
            _ => u64::MAX,
        };
        found.insert(id, bound);
        bound
    }

    /// The greatest value that is put into a variable, and what is added to it as often as that can happen.
    fn most_of_local(&self, entry: usize, slot: u16, found: &mut BTreeMap<Id, u64>) -> u64 {
        let (mut base, mut added) = (0, 0u64);
        for (id, stands) in &self.steps {
            match self.op(*id) {
                Op::SetLocal(to, value) if *to == slot && stands.entry == entry => {
                    match self.added_to(slot, *value) {
                        Some(n) => added = added.saturating_add(n.saturating_mul(stands.times)),
                        None => base = self.most(*value, found).max(base),
                    }
                }
                _ => {}
            }
        }
        base.saturating_add(added)
    }

    /// `n` where a value is the variable plus `n`.
    fn added_to(&self, slot: u16, value: Id) -> Option<u64> {
        let is_it = |id: Id| matches!(self.op(id), Op::Local(l) if *l == slot);
        match self.op(value) {
            Op::Bin(graph::BinOp::Add, a, b) if is_it(*a) => self.known(*b),
            Op::Bin(graph::BinOp::Add, a, b) if is_it(*b) => self.known(*a),
            _ => None,
        }
    }

    /// What an access to the device does at node `id`; none if it is no access.
    fn access(&self, name: &str, id: Id) -> Option<Access> {
        let (window, at, width) = match *self.op(id) {
            Op::Read { window, at, width }
            | Op::Write {
                window, at, width, ..
            } => (window, at, width),
            _ => return None,
        };
        let window = &self.residual.windows[window as usize];
        if matches!(window.kind, WindowKind::System | WindowKind::Model) {
            assert!(self.known(at).is_some(), "{name}: {id}");
            return Some(Access::Inside);
        }
        let most = self.most(at, &mut BTreeMap::new());
        let inside = most.checked_add(width.bytes().into());
        if inside.is_some_and(|end| end <= window.size) {
            return Some(Access::Inside);
        }
        let place = format!("{name}: node {id} may reach {most:#x} of {window:?}");
        assert!(self.known(at).is_none(), "{place}");
        Some(Access::Computed(place))
    }
}

/// Whether an access to a device is proved to be inside its window.
enum Access {
    Inside,
    /// Where it goes is decided while it runs, and only the mapping of the window holds it in.
    Computed(String),
}

/// No arithmetic on known numbers is left, and nothing is decided by what was known when the code was written.
fn nothing_known_is_left(name: &str, residual: &Residual, id: Id) {
    let op = &residual.graph.nodes[id as usize];
    let known = |id: Id| matches!(residual.graph.nodes[id as usize], Op::Const(_));
    match op {
        Op::If { cond, .. } | Op::Select(cond, ..) => {
            assert!(
                at_run_time(residual, *cond),
                "{name}: node {id} decides on a fact"
            );
        }
        Op::Await { value, .. } => {
            assert!(!known(*value), "{name}: node {id} waits for a fact");
        }
        _ => {}
    }
    if op.is_pure() {
        let (mut operands, mut open) = (0, 0);
        op.operands(|operand| {
            operands += 1;
            open += u32::from(!known(operand));
        });
        assert!(
            operands == 0 || open > 0,
            "{name}: node {id} computes with facts alone"
        );
    }
}

/// Whether a value rests on anything that client, device or time decides.
fn at_run_time(residual: &Residual, id: Id) -> bool {
    let (mut open, mut seen) = (vec![id], BTreeSet::new());
    while let Some(id) = open.pop() {
        let op = &residual.graph.nodes[id as usize];
        if !op.is_pure() || matches!(op, Op::Arg(_)) {
            return true;
        }
        if seen.insert(id) {
            op.operands(|operand| open.push(operand));
        }
    }
    false
}

#[test]
fn host_and_guest_agree_on_q35_virtio() {
    host_and_guest_agree("q35-virtio");
}
#[test]
fn host_and_guest_agree_on_q35_e1000() {
    host_and_guest_agree("q35-e1000");
}
#[test]
fn host_and_guest_agree_on_q35_hotplug() {
    host_and_guest_agree("q35-hotplug");
}
#[test]
fn host_and_guest_agree_on_q35_bare() {
    host_and_guest_agree("q35-bare");
}
#[test]
fn host_and_guest_agree_on_pc_rtl8139() {
    host_and_guest_agree("pc-rtl8139");
}

#[test]
fn host_and_guest_agree_on_virt_gicv3() {
    host_and_guest_agree("virt-gicv3");
}
#[test]
fn host_and_guest_agree_on_microvm() {
    host_and_guest_agree("microvm");
}
#[test]
fn host_and_guest_agree_on_virt_gicv2() {
    host_and_guest_agree("virt-gicv2");
}

#[test]
fn explaining_names_rules_and_failed_clues() {
    let book = rules::book(&workspace().root.join("rules")).expect("the rules are right");
    let mut booted = boot_image(&machine("q35-e1000"), &image(Arch::X86_64));
    let answer = booted.ask_well("machine");
    let mut model = discover::model_of(&answer).expect("a machine model");
    let plan = explain::plan(&book, &mut model);
    let told = explain::explain(&book, &model, &plan, "");
    for device in &model.devices {
        assert!(told.contains(&device.path), "{}:\n{told}", device.path);
    }
    assert!(
        told.contains("  e1000: rule e1000, class nic, score "),
        "{told}"
    );
    // It agrees with what genesis says of the devices that no rule serves.
    let devices = booted.ask_well("devices --all");
    for unmatched in &plan.unmatched {
        let path = &model.devices[unmatched.device].path;
        let (_, without) = devices.split_once("without a rule:").expect("some");
        let line = without.lines().find(|l| l.starts_with(path.as_str()));
        let line = line.unwrap_or_else(|| panic!("{path} is not unmatched:\n{devices}"));
        if let Some((rule, clue)) = &unmatched.nearest {
            assert!(line.contains(&format!("nearest {rule}: {clue}")), "{line}");
            // Sizes of windows and numbers of wires agree by accident.
            assert!(!line.contains("interrupt link"), "{line}");
        }
    }
    // What a person would not miss is only counted otherwise.
    let short = booted.ask_well("devices");
    let (_, counted) = short.split_once(" others without a rule: ").expect("some");
    assert!(counted.contains("interrupt links"), "{short}");
    assert!(!short.contains("nearest arm_clock"), "{short}");
    let nic = explain::explain(&book, &model, &plan, "e1000");
    assert!(
        nic.lines().count() < told.lines().count() && nic.contains("    + "),
        "{nic}"
    );
}
