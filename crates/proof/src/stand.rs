//! A device model that runs, and the driver that its rule becomes for it.

use crate::complaints;
use crate::models::{self, Model};
use crate::{failed, residue, Error, Result};
use machine::{Arch, Cpu, Device, Fact, Machine, Source, Value, Window, WindowKind, Wire};
use qtest::run::Event;
use qtest::{pci, peer, Config, Live};
use rulebook::tree::{Book, ItemKind};
use std::collections::BTreeMap;
use std::rc::Rc;
use synthesis::{Choice, LiveAccess, Subject};

/// A driver as a graph, and the choice it came from.
#[derive(Clone, Debug)]
pub struct Written {
    pub choice: Choice,
    pub residual: graph::Residual,
    /// The class's facts that are numbers.
    pub facts: Vec<(String, u64)>,
    /// Operations that give a value and no status.
    pub values: Vec<String>,
    /// What the rule calls the places in the driver's memory.
    pub names: graph::view::Names,
}

impl Written {
    /// A fact of the class, or of the driver.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<u64> {
        let found = self.facts.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| *value)
    }

    /// How many lanes it runs.
    #[must_use]
    pub fn lanes(&self) -> u64 {
        self.fact(synthesis::LANES).unwrap_or(1)
    }
}

/// What stands outside the machine. A disk is the same for all runs; the rest is made anew.
pub struct Outside {
    disks: Rc<Vec<peer::Disk>>,
}

impl Outside {
    pub fn new(model: &Model) -> Result<Outside> {
        let mut disks = Vec::new();
        for (number, mib) in model.disks.iter().enumerate() {
            let bytes: Vec<u8> = (0..mib << 20)
                .map(|k| (k * 7 + k / 512 * 13 + number) as u8)
                .collect();
            disks.push(peer::Disk::new(&bytes)?);
        }
        Ok(Outside {
            disks: Rc::new(disks),
        })
    }
}

/// A sector of 512 bytes that no watched disk can read.
pub const BAD: u64 = 1000;

/// One device model, running.
pub struct Stand {
    pub machine: qtest::Machine,
    pub device: Device,
    /// Interrupt lines are reported.
    pub lines: bool,
    line: Option<peer::Line>,
    cable: Option<peer::Cable>,
    disks: Rc<Vec<peer::Disk>>,
    /// Where messages go, if the device has them.
    pub messages: Option<qtest::Capture>,
    /// CPUs that run the driver.
    pub lanes: u64,
    /// What the emulator says of drivers that are right, too.
    pub expected: Vec<String>,
    /// A bus: where cards come and go.
    pub slot: Option<models::Cards>,
    /// See [`Model::masks`].
    pub masks: Vec<String>,
    /// Facts that a driver must have, or have learned.
    expects: BTreeMap<String, u64>,
}

impl Stand {
    /// Starts the emulator and finds the device in it.
    pub fn start(model: &Model, outside: &Outside) -> Result<Stand> {
        Stand::with(model, outside, false)
    }

    /// The same, with all that can be seen from outside: the cable of a network card, interrupt lines, and what the emulator
    /// has to say ([`Stand::complaints`]).
    pub fn watched(model: &Model, outside: &Outside) -> Result<Stand> {
        Stand::with(model, outside, true)
    }

    fn with(model: &Model, outside: &Outside, watched: bool) -> Result<Stand> {
        let mut config = match model.machine.as_str() {
            "q35" => Config::q35(),
            "virt" => Config::virt(),
            other if other.starts_with("virt,") => Config::virt().machine(other),
            other => Config::q35().machine(other),
        };
        if model.real_time {
            config = config.real_time();
        }
        for (number, disk) in outside.disks.iter().enumerate() {
            let id = format!("d{number}");
            config = config.args(match watched {
                true => disk.drive_with_bad(&id, BAD),
                false => disk.drive(&id),
            });
        }
        if watched {
            config = config.log(complaints::LOGGED);
        }
        let cable = match model.network && watched {
            true => Some(peer::Cable::new()?),
            false => None,
        };
        match &cable {
            // Two networks at one hub: the emulator's own, which answers, and the cable.
            Some(cable) => {
                let hub = |id: &str, of: &str| {
                    let of = if of.is_empty() {
                        String::new()
                    } else {
                        format!(",netdev={of}")
                    };
                    ["-netdev".to_owned(), format!("hubport,id={id},hubid=0{of}")]
                };
                config = config
                    .args(["-netdev", "user,id=u0"])
                    .args(cable.netdev("w0"))
                    .args(hub("h0", "u0"))
                    .args(hub("h1", "w0"))
                    .args(hub("n0", ""));
            }
            None if model.network => config = config.args(["-netdev", "user,id=n0"]),
            None => {}
        }
        let line = match model.line {
            true => {
                let line = peer::Line::new()?;
                config = config.args(line.chardev("c0"));
                Some(line)
            }
            false => None,
        };
        let machine = qtest::Machine::start(config.args(model.arguments.iter().cloned()))?;
        for models::Written { port, value } in &model.firmware {
            machine.port_out(*port, graph::Width::B32, (*value).into())?;
        }
        let mut messages = None;
        let mut device = match model.pci_class {
            Some(class) => function(&machine, class, model, &mut messages)?,
            None => placed(&machine, model)?,
        };
        if let Some(only) = &model.only {
            device.windows.retain(|w| only.contains(&w.index));
        }
        let lines = watched && machine.arch() == qtest::Arch::X86_64 && messages.is_none();
        if lines {
            machine.intercept(&model.controller)?;
        }
        Ok(Stand {
            machine,
            device,
            lines,
            line,
            cable,
            disks: outside.disks.clone(),
            messages,
            lanes: model.lanes,
            expected: model.complaints.clone(),
            masks: model.masks.clone(),
            slot: model.cards.clone(),
            expects: model.expects.clone(),
        })
    }

    pub fn disks(&self) -> &[peer::Disk] {
        &self.disks
    }

    /// The other end of the serial line, if the model has one.
    pub fn line(&self) -> Option<&peer::Line> {
        self.line.as_ref()
    }

    /// The other end of the cable, if the model is a network card and the stand is watched.
    pub fn cable(&self) -> Option<&peer::Cable> {
        self.cable.as_ref()
    }

    /// What the emulator had to say about a driver that did this. Nothing, where no one listened.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn complaints(&self, residual: &graph::Residual, events: &[Event]) -> Result<Vec<String>> {
        Ok(complaints::of(&self.machine.log()?, residual, events))
    }

    pub(crate) fn model(&self) -> Machine {
        let arch = match self.machine.arch() {
            qtest::Arch::X86_64 => Arch::X86_64,
            qtest::Arch::Aarch64 => Arch::Aarch64,
        };
        Machine {
            cpus: vec![Cpu {
                id: 0,
                facts: Vec::new(),
            }],
            devices: vec![self.device.clone()],
            facts: vec![fact("cpus", Value::Number(self.lanes))],
            ..Machine::new(arch)
        }
    }

    /// What is wrong with what the driver is made of ([`residue`]).
    #[must_use]
    pub fn faults(&self, book: &Book, written: &Written) -> Vec<String> {
        let machine = self.model();
        let subject = subject(book, &machine, &self.device);
        residue::faults(subject, &written.choice, &written.residual)
    }

    /// Whether another book, with the same rules in the same order, makes the same driver of the device as it is known by now.
    #[must_use]
    pub fn agrees(&self, book: &Book, written: &Written) -> bool {
        let machine = self.model();
        let again = synthesis::specialise(subject(book, &machine, &self.device), &written.choice);
        again.is_ok_and(|again| again.residual == written.residual)
    }

    /// What the rulebook says about the device, with probes.
    pub fn judge(&self, book: &Book) -> Result<synthesis::Verdict> {
        let machine = self.model();
        let mut probe = Opening::new(&self.machine)?;
        Ok(synthesis::match_device(
            subject(book, &machine, &self.device),
            Some(&mut probe),
        ))
    }

    /// Matched, learned and specialised for its class.
    pub fn write(&mut self, book: &Book, class: &str) -> Result<Written> {
        let verdict = self.judge(book)?;
        let Some(choice) = verdict.chosen.into_iter().find(|c| c.class == class) else {
            return failed(match verdict.nearest {
                Some((rule, clue)) => {
                    format!("no rule of class {class} fits; {rule} is nearest, and fails at {clue}")
                }
                None => format!("no rule of class {class} fits, and none is near"),
            });
        };
        let machine = self.model();
        let said = |error: synthesis::Error| Error(error.show(book));
        let mut live = Opening::new(&self.machine)?;
        let learned = synthesis::learn(subject(book, &machine, &self.device), &choice, &mut live)
            .map_err(said)?;
        live.0.check()?;
        self.device.learned.extend(learned);
        let (written, names) =
            synthesis::specialise_named(subject(book, &machine, &self.device), &choice)
                .map_err(said)?;
        if let Err(why) = written.residual.validate() {
            return failed(format!("the graph is not well formed: {why}"));
        }
        let learned = |name: &String| {
            let fact = self.device.learned.iter().find(|fact| fact.name == *name)?;
            match fact.value {
                Value::Number(n) => Some(n),
                Value::Flag(holds) => Some(holds.into()),
                _ => None,
            }
        };
        for (name, wanted) in &self.expects {
            let found = written.facts.iter().find(|(known, _)| known == name);
            let found = found.map(|(_, value)| *value).or_else(|| learned(name));
            if found != Some(*wanted) {
                return failed(format!(
                    "`{name}` is {wanted} by what the device is, and {found:?} for the rule"
                ));
            }
        }
        Ok(Written {
            choice,
            residual: written.residual,
            facts: written.facts,
            values: values(book, class),
            names,
        })
    }
}

fn values(book: &Book, class: &str) -> Vec<String> {
    let class = book.classes.iter().find(|c| book.name(c.name) == class);
    let items = class.map_or(&[][..], |class| &class.items);
    let routines = items.iter().filter_map(|item| match &item.kind {
        ItemKind::Routine(routine) if routine.returns.is_some() => Some(routine),
        _ => None,
    });
    routines
        .map(|routine| book.name(routine.name).to_owned())
        .collect()
}

fn subject<'a>(book: &'a Book, machine: &'a Machine, device: &'a Device) -> Subject<'a> {
    Subject {
        book,
        machine,
        device,
        given: &synthesis::GIVEN,
    }
}

/// The PCI function of this class, with addresses, as discovery would write it down.
fn function(
    machine: &qtest::Machine,
    class: u32,
    model: &Model,
    messages: &mut Option<qtest::Capture>,
) -> Result<Device> {
    let found = pci::scan(machine)?;
    let wanted = |f: &&pci::Function| match class {
        0..=0xff => f.class >> 16 == class,
        _ => f.class >> 8 == class,
    };
    match found.iter().find(wanted) {
        Some(function) => {
            function.bus_master(true)?;
            let mut device = on_pci(function)?;
            if let (Some(place), Some(bridge)) = (&model.configuration, found.first()) {
                bridge.write(place.register, graph::Width::B32, place.base | 1)?;
                let number = u64::from(function.slot) * 8 + u64::from(function.function);
                let own = Value::Number(place.base + number * 0x1000);
                device.facts.push(fact("configuration", own));
            }
            if model.messages {
                let capture = qtest::Capture::new(machine, function, synthesis::MOST_MESSAGES)?;
                let number = Value::Number(capture.count());
                device.learned.push(fact(synthesis::MESSAGES, number));
                *messages = Some(capture);
            }
            Ok(device)
        }
        None => failed(format!(
            "the emulator has no PCI function of class {class:#x}"
        )),
    }
}

/// The model of a PCI function.
pub fn on_pci(f: &pci::Function) -> Result<Device> {
    let number = |name: &str, n: u64| fact(name, Value::Number(n));
    let windows = f.bars.iter().map(|bar| Window {
        index: bar.index,
        kind: match bar.kind {
            graph::WindowKind::Port => WindowKind::Port,
            _ => WindowKind::Memory,
        },
        base: bar.base,
        size: bar.size,
        source: Source::Assigned,
    });
    let config = f.config()?;
    let header = config.get(0x0e).map_or(0, |header| header & 0x7f);
    let mut device = Device {
        path: format!("pci/00:{:02x}.{}", f.slot, f.function),
        bus: "pci".into(),
        facts: vec![
            number("vendor", f.vendor.into()),
            number("device", f.device.into()),
            number("revision", f.revision.into()),
            number("class", f.class.into()),
            number("subvendor", f.subsystem_vendor.into()),
            number("subsystem", f.subsystem.into()),
            number("header", header.into()),
        ],
        windows: windows.collect(),
        config,
        wires: vec![wire()],
        learned: Vec::new(),
        parent: None,
        capabilities: Vec::new(),
    };
    discovery::old_places(&mut device, |line| (line, false, false));
    Ok(device)
}

/// A device that no bus enumerates.
fn placed(machine: &qtest::Machine, model: &Model) -> Result<Device> {
    let mut windows = Vec::new();
    for (index, place) in model.windows.iter().enumerate() {
        let (kind, base) = match (place.memory, place.port) {
            (Some(base), None) => (WindowKind::Memory, base),
            (None, Some(base)) => (WindowKind::Port, base),
            _ => return failed("a window has `memory` or `port`"),
        };
        windows.push(Window {
            index: index as u8,
            kind,
            base,
            size: place.size,
            source: Source::Candidate,
        });
    }
    if let (Some(slot), Some(window)) = (&model.slot, windows.first_mut()) {
        window.base = find(machine, window.base, slot)?;
    }
    let facts = model.facts.iter().map(|(name, value)| {
        let value = match value.clone() {
            models::Fact::Flag(flag) => Value::Flag(flag),
            models::Fact::Number(n) => Value::Number(n),
            models::Fact::Text(text) => Value::Text(text),
            models::Fact::Texts(texts) => Value::Texts(texts),
        };
        fact(name, value)
    });
    Ok(Device {
        path: format!("model/{}", model.name),
        bus: model.bus.clone().unwrap_or_else(|| "platform".into()),
        facts: facts.collect(),
        windows,
        config: Vec::new(),
        wires: vec![wire()],
        learned: Vec::new(),
        parent: None,
        capabilities: Vec::new(),
    })
}

fn find(machine: &qtest::Machine, base: u64, slot: &models::Slot) -> Result<u64> {
    for number in 0..slot.count {
        let at = base + number * slot.step;
        if machine.read(at + slot.at, graph::Width::B32)? == slot.value {
            return Ok(at);
        }
    }
    failed(format!("no slot of the board reads {:#x}", slot.value))
}

fn wire() -> Wire {
    Wire {
        line: 16,
        level: true,
        low: true,
        source: Source::Assigned,
        pin: 1,
    }
}

fn fact(name: &str, value: Value) -> Fact {
    Fact {
        name: name.into(),
        value,
        source: Source::Configuration,
    }
}

/// A live device whose windows open as the rule names them.
pub struct Opening(pub Live);

impl Opening {
    pub fn new(machine: &qtest::Machine) -> Result<Opening> {
        Ok(Opening(Live::with(
            machine,
            Vec::new(),
            1 << 16,
            1 << 20,
            4096,
        )?))
    }
}

impl LiveAccess for Opening {
    fn open(&mut self, index: u8, window: &graph::Window) -> bool {
        self.0.open(index, window.clone());
        true
    }
}

impl graph::Access for Opening {
    fn read(&mut self, window: u8, at: u64, width: graph::Width) -> u64 {
        self.0.read(window, at, width)
    }
    fn write(&mut self, window: u8, at: u64, width: graph::Width, value: u64) {
        self.0.write(window, at, width, value)
    }
    fn load(&mut self, space: graph::Space, at: u64, width: graph::Width) -> u64 {
        self.0.load(space, at, width)
    }
    fn store(&mut self, space: graph::Space, at: u64, width: graph::Width, value: u64) {
        self.0.store(space, at, width, value)
    }
    fn fence(&mut self, fence: graph::Fence) {
        self.0.fence(fence)
    }
    fn late(&mut self, late: graph::Late) -> u64 {
        self.0.late(late)
    }
    fn clock(&mut self) -> u64 {
        self.0.clock()
    }
    fn pause(&mut self, ns: u64) {
        self.0.pause(ns)
    }
    fn up(&mut self, which: u8, args: &[u64]) -> u64 {
        self.0.up(which, args)
    }
    fn firmware(&mut self, conduit: graph::Conduit, args: [u64; 4]) -> u64 {
        self.0.firmware(conduit, args)
    }
}
