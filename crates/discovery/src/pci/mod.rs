//! PCI: every function behind every bridge, its registers' places, its wires (PCI Local Bus 3.0, PCI-to-PCI bridge 1.2).

mod assign;
mod config;
mod scan;
mod sizes;
mod wires;

pub use config::{Address, Config};
pub use wires::{Routing, Routings};

use crate::{hardware::Hardware, Notes};
use alloc::{format, string::String, vec::Vec};
use machine::{Device, Fact, Source, Value, Window, WindowKind};

/// A range that a host bridge passes on: what the processor addresses, and what the bus sees.
#[derive(Clone, Copy, Debug)]
pub struct Aperture {
    pub port: bool,
    /// As the processor sees it: a physical address, or a port.
    pub base: u64,
    pub size: u64,
    /// As the bus sees it.
    pub bus: u64,
    /// The processor reaches the bus's ports through memory.
    pub mapped: bool,
}

/// One host bridge.
pub struct Host<'a> {
    /// Path of its device, for `parent`: `acpi/PCI0`, `dt/pcie@10000000`.
    pub path: String,
    /// PCI segment group. Functions of segment 0 leave it out of their paths.
    pub segment: u16,
    pub config: Config,
    pub first_bus: u8,
    pub last_bus: u8,
    /// What it passes on, and where places may be assigned; empty when that is not known.
    pub apertures: Vec<Aperture>,
    pub routings: Routings<'a>,
}

impl Host<'_> {
    /// Path of a function behind this host bridge.
    pub(crate) fn name(&self, address: Address) -> String {
        match self.segment {
            0 => format!("pci/{address}"),
            segment => format!("pci/{segment:04x}:{address}"),
        }
    }
}

/// A function as the scan found it. A bridge stands before what is behind it.
pub(crate) struct Function {
    pub address: Address,
    /// Index of the bridge it is behind.
    pub behind: Option<usize>,
    pub header: u8,
    pub class: u32,
    pub bars: Vec<Bar>,
    /// Bridges: the bus behind.
    pub secondary: u8,
}

/// One base address register.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bar {
    pub index: u8,
    pub port: bool,
    pub wide: bool,
    pub size: u64,
    /// On the bus; 0 when there is none.
    pub base: u64,
    pub assigned: bool,
}

impl Function {
    pub fn is_bridge(&self) -> bool {
        self.header & 0x7f == 1
    }
}

/// Finds everything behind one host bridge. Assigns buses, places and windows where the firmware left none, and turns the
/// functions on.
pub fn discover(hardware: &mut dyn Hardware, host: &Host, notes: &mut Notes) -> Vec<Device> {
    let mut functions = scan::scan(hardware, host, notes);
    for function in &mut functions {
        function.bars = sizes::sizes(hardware, &host.config, function, notes);
    }
    assign::assign(hardware, host, &mut functions, notes);
    let mut devices = Vec::new();
    for index in 0..functions.len() {
        enable(hardware, host, &functions[index]);
        devices.push(device(hardware, host, &functions, index, notes));
    }
    if !functions.is_empty() {
        notes.say(format!(
            "pci: memory, ports and bus mastering turned on for {} functions",
            functions.iter().filter(|f| turned_on(f)).count()
        ));
    }
    devices
}

/// Functions with registers or a bus behind them; a bridge of the host itself is left as it is.
fn turned_on(function: &Function) -> bool {
    function.is_bridge() || function.bars.iter().any(|bar| bar.base != 0)
}

fn enable(hardware: &mut dyn Hardware, host: &Host, function: &Function) {
    if !turned_on(function) {
        return;
    }
    let mut command = host.config.read(hardware, function.address, 4) as u16;
    let placed = |port| function.bars.iter().any(|b| b.port == port && b.base != 0);
    let all_placed = |port| function.bars.iter().all(|b| b.port != port || b.base != 0);
    if function.is_bridge() || placed(true) && all_placed(true) {
        command |= 1;
    }
    if function.is_bridge() || placed(false) && all_placed(false) {
        command |= 2;
    }
    // Bus mastering on, the wire not disabled.
    command = (command | 4) & !(1 << 10);
    host.config.write16(hardware, function.address, 4, command);
}

fn fact(name: &str, value: u64) -> Fact {
    Fact {
        name: String::from(name),
        value: Value::Number(value),
        source: Source::Configuration,
    }
}

fn device(
    hardware: &mut dyn Hardware,
    host: &Host,
    functions: &[Function],
    index: usize,
    notes: &mut Notes,
) -> Device {
    let function = &functions[index];
    let address = function.address;
    let mut config = Vec::with_capacity(256);
    for at in (0..256).step_by(4) {
        config.extend(host.config.read(hardware, address, at).to_le_bytes());
    }
    let word = |at: usize| u16::from_le_bytes([config[at], config[at + 1]]) as u64;
    let mut facts = Vec::from([
        fact("vendor", word(0)),
        fact("device", word(2)),
        fact("revision", config[8] as u64),
        fact("class", function.class as u64),
        fact("header", (function.header & 0x7f) as u64),
    ]);
    if function.header & 0x7f == 0 {
        facts.push(fact("subvendor", word(0x2c)));
        facts.push(fact("subsystem", word(0x2e)));
    }
    Device {
        path: host.name(address),
        bus: String::from("pci"),
        facts,
        windows: (function.bars.iter())
            .filter_map(|bar| window(host, bar, address, notes))
            .collect(),
        wires: wires::wire(host, functions, index, config[0x3d], notes)
            .into_iter()
            .collect(),
        config,
        learned: Vec::new(),
        parent: Some(match function.behind {
            Some(bridge) => host.name(functions[bridge].address),
            None => host.path.clone(),
        }),
        capabilities: Vec::new(),
    }
}

/// Where the processor finds a base address register's range.
fn window(host: &Host, bar: &Bar, address: Address, notes: &mut Notes) -> Option<Window> {
    if bar.base == 0 {
        notes.say(format!("pci/{address}: BAR {} has no place", bar.index));
        return None;
    }
    let aperture = host.apertures.iter().find(|a| {
        a.port == bar.port
            && bar.base >= a.bus
            && bar.base - a.bus <= a.size.saturating_sub(bar.size)
    });
    let (kind, base) = match aperture {
        Some(a) if bar.port && a.mapped => (WindowKind::Memory, bar.base - a.bus + a.base),
        Some(a) if bar.port => (WindowKind::Port, bar.base - a.bus + a.base),
        Some(a) => (WindowKind::Memory, bar.base - a.bus + a.base),
        None if bar.port => (WindowKind::Port, bar.base),
        None => (WindowKind::Memory, bar.base),
    };
    Some(Window {
        index: bar.index,
        kind,
        base,
        size: bar.size,
        source: match bar.assigned {
            true => Source::Assigned,
            false => Source::Configuration,
        },
    })
}
