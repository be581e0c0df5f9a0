//! PCI: every function behind every bridge, its registers' places, its wires (PCI Local Bus 3.0, PCI-to-PCI bridge 1.2,
//! PCI Express 3.0).

mod assign;
mod bridge;
mod capabilities;
mod compatible;
mod config;
mod describe;
mod master;
mod messages;
mod scan;
mod sizes;
mod wires;

pub use bridge::Windows;
pub use compatible::old_places;
pub use config::{Address, Config};
pub use master::bus_master;
pub use messages::Messages;
pub use wires::{Routing, Routings};

use crate::{hardware::Hardware, Notes};
use alloc::{format, string::String, vec::Vec};
use machine::{Capability, Device, Fact, Source, Value};

/// Number of the window that is a function's ROM, after those of its six registers.
pub const ROM: u8 = 6;

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
    /// What named it.
    pub source: Source,
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
    /// The range that passes on all of `size` bytes (or ports) from `bus`, as the bus sees them.
    fn aperture(&self, port: bool, bus: u64, size: u64) -> Option<&Aperture> {
        self.apertures.iter().find(|a| {
            a.port == port && bus >= a.bus && size <= a.size && bus - a.bus <= a.size - size
        })
    }

    /// What the bus sees where the processor sees `at`.
    fn on_bus(&self, port: bool, at: u64) -> Option<u64> {
        let found = self
            .apertures
            .iter()
            .find(|a| a.port == port && at.checked_sub(a.base).is_some_and(|into| into < a.size))?;
        Some(at - found.base + found.bus)
    }

    /// Path of a function behind this host bridge.
    pub(crate) fn name(&self, address: Address) -> String {
        match self.segment {
            0 => format!("pci/{address}"),
            segment => format!("pci/{segment:04x}:{address}"),
        }
    }
}

/// A range that another device claims, as the processor sees it.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    pub port: bool,
    pub base: u64,
    pub size: u64,
}

/// A function as the scan found it. A bridge stands before what is behind it.
pub(crate) struct Function {
    pub address: Address,
    /// Index of the bridge it is behind.
    pub behind: Option<usize>,
    pub header: u8,
    pub class: u32,
    /// The first 256 bytes of configuration space.
    pub config: Vec<u8>,
    pub capabilities: Vec<Capability>,
    pub bars: Vec<Bar>,
    /// Bridges: the bus behind, and what is passed on to it.
    pub secondary: u8,
    pub windows: Windows,
}

/// One base address register, or the ROM's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bar {
    pub index: u8,
    pub port: bool,
    pub wide: bool,
    pub prefetch: bool,
    /// False for a ROM that is switched off.
    pub enabled: bool,
    pub size: u64,
    /// On the bus; 0 when there is none.
    pub base: u64,
    pub assigned: bool,
}

impl Function {
    pub fn is_bridge(&self) -> bool {
        self.header & 0x7f == 1
    }

    /// A port of PCI Express with a link below: a root port, or a switch's downstream port.
    fn is_downstream(&self) -> bool {
        matches!(capabilities::express_kind(self), Some(4 | 6))
    }
}

/// Whether anything answers on a bus.
pub(crate) fn any_on(hardware: &mut dyn Hardware, config: &Config, bus: u8) -> bool {
    (0..32).any(|device| {
        let address = Address {
            bus,
            device,
            function: 0,
        };
        let id = config.read(hardware, address, 0);
        id & 0xffff != 0xffff && id != 0
    })
}

/// Buses that the bridges on a bus lead to, as they are numbered now.
pub(crate) fn led_to(hardware: &mut dyn Hardware, config: &Config, bus: u8) -> Vec<u8> {
    let mut led = Vec::new();
    for place in 0..=255u8 {
        let address = Address {
            bus,
            device: place >> 3,
            function: place & 7,
        };
        if config.read(hardware, address, 0) & 0xffff == 0xffff {
            continue;
        }
        if config.read(hardware, address, 0x0c) >> 16 & 0x7f == 1 {
            let numbers = config.read(hardware, address, 0x18);
            led.extend((numbers >> 8) as u8..=(numbers >> 16) as u8);
        }
    }
    led
}

/// Finds everything behind these host bridges. Assigns buses, places and windows where the firmware left none, and turns
/// memory and ports on; bus mastering stays as it was. `taken` is what others claim.
pub fn discover(
    hardware: &mut dyn Hardware,
    hosts: &[Host],
    taken: &[Taken],
    notes: &mut Notes,
) -> Vec<Device> {
    let mut seen = scan::Seen::new();
    let mut devices = Vec::new();
    for host in hosts {
        if seen.contains(&(host.segment, host.first_bus)) {
            notes.say(format!(
                "{}: bus {:02x} of its segment was found behind another host bridge",
                host.path, host.first_bus
            ));
            continue;
        }
        devices.extend(behind(hardware, host, &mut seen, taken, notes));
    }
    devices
}

fn behind(
    hardware: &mut dyn Hardware,
    host: &Host,
    seen: &mut scan::Seen,
    taken: &[Taken],
    notes: &mut Notes,
) -> Vec<Device> {
    let mut functions = scan::scan(hardware, host, seen, notes);
    for function in &mut functions {
        function.bars = sizes::sizes(hardware, host, function, notes);
        if function.is_bridge() {
            function.windows = Windows::read(function);
        }
    }
    assign::assign(hardware, host, &mut functions, taken, notes);
    let on = (functions.iter_mut())
        .map(|function| enable(hardware, host, function) as usize)
        .sum::<usize>();
    if on > 0 {
        notes.say(format!(
            "{}: memory and ports turned on for {on} functions",
            host.path
        ));
    }
    (0..functions.len())
        .map(|index| describe::device(host, &functions, index, notes))
        .collect()
}

/// Lets a function answer where all its registers have places, and a bridge pass on. The wire is not disabled. Whether
/// anything changed.
fn enable(hardware: &mut dyn Hardware, host: &Host, function: &mut Function) -> bool {
    let (address, config) = (function.address, &host.config);
    if function.secondary != 0 {
        bridge::close_unset(hardware, config, function);
    }
    let all = |port| {
        let mut bars = function
            .bars
            .iter()
            .filter(|b| b.port == port && b.index != ROM);
        bars.clone().next().is_some() && bars.all(|b| b.base != 0)
    };
    let before = config.read(hardware, address, 4) as u16;
    let mut command = before;
    if function.secondary != 0 || all(true) {
        command |= 1;
    }
    if function.secondary != 0 || all(false) {
        command |= 2;
    }
    if command & 3 != 0 {
        command &= !(1 << 10);
    }
    if command != before {
        config.write16(hardware, address, 4, command);
    }
    // What was read before is as it now stands in the registers.
    let moved = function.bars.iter().any(|bar| bar.assigned) || function.is_bridge();
    let words = if moved { 4..=0x30 } else { 4..=4 };
    for at in words.step_by(4).filter(|at| *at == 4 || *at >= 0x10) {
        let word = config.read(hardware, address, at).to_le_bytes();
        if let Some(bytes) = function.config.get_mut(at as usize..at as usize + 4) {
            bytes.copy_from_slice(&word);
        }
    }
    command != before
}

fn fact(name: &str, value: u64) -> Fact {
    fact_of(name, Value::Number(value))
}

fn fact_of(name: &str, value: Value) -> Fact {
    Fact {
        name: String::from(name),
        value,
        source: Source::Configuration,
    }
}
