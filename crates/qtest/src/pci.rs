//! PCI as firmware would leave it: functions found, addresses given, decoding on (PCI Local Bus 3.0, 6.1 and 6.2.5).
//!
//! Only bus 0. Bridges pass their bus number on and nothing else: what is behind them answers to its configuration alone.

use crate::{Arch, Machine, Result, Window};
use graph::{Width, WindowKind};

const COMMAND: u64 = 0x04;
const CLASS: u64 = 0x08;
const HEADER: u64 = 0x0e;
const BARS: u64 = 0x10;
const BUSES: u64 = 0x18;
const SUBSYSTEM: u64 = 0x2c;
const CAPABILITIES: u64 = 0x34;
const PIN: u64 = 0x3d;
/// Ports, memory, bus master.
const ENABLE: u64 = 7;

/// A base address register that was given an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Number of the (first) register.
    pub index: u8,
    pub kind: WindowKind,
    /// Address, or first port.
    pub base: u64,
    pub size: u64,
    /// It takes two registers.
    pub wide: bool,
}

impl Bar {
    /// The whole of it as a window of a device.
    pub fn window(&self, name: &str) -> Window {
        self.part(name, 0, self.size)
    }

    /// `size` bytes from `at` of it, as a capability names them.
    pub fn part(&self, name: &str, at: u64, size: u64) -> Window {
        Window {
            name: name.into(),
            kind: self.kind,
            base: self.base + at,
            size,
        }
    }
}

/// One function of a device.
#[derive(Clone)]
pub struct Function {
    machine: Machine,
    /// On bus 0.
    pub slot: u8,
    pub function: u8,
    pub vendor: u16,
    pub device: u16,
    pub revision: u8,
    /// Base class, sub-class and interface: 24 bits.
    pub class: u32,
    pub subsystem_vendor: u16,
    pub subsystem: u16,
    /// 1 to 4 for INTA to INTD, 0 for none.
    pub pin: u8,
    pub bars: Vec<Bar>,
}

/// Addresses to give away, with ports as memory where the processor has none.
struct Room {
    memory: u64,
    port: u64,
    /// Where port 0 is in memory.
    ports_at: Option<u64>,
    /// The last bus that has a number.
    bus: u64,
}

/// The functions of bus 0 as they are; nothing is changed, and no BAR is known.
pub fn scan_only(machine: &Machine) -> Result<Vec<Function>> {
    look(machine, |_| Ok(()))
}

/// Finds every function of bus 0 and gives its BARs addresses.
pub fn scan(machine: &Machine) -> Result<Vec<Function>> {
    let mut room = match machine.arch() {
        Arch::X86_64 => Room {
            memory: 0xe000_0000,
            port: 0xc000,
            ports_at: None,
            bus: 0,
        },
        Arch::Aarch64 => Room {
            memory: 0x1000_0000,
            port: 0x1000,
            ports_at: Some(0x3eff_0000),
            bus: 0,
        },
    };
    look(machine, |function| function.assign(&mut room))
}

fn look(
    machine: &Machine,
    mut found_one: impl FnMut(&mut Function) -> Result<()>,
) -> Result<Vec<Function>> {
    let mut found = Vec::new();
    for slot in 0..32 {
        for number in 0..8 {
            let Some(mut function) = identify(machine, slot, number)? else {
                if number == 0 {
                    break;
                }
                continue;
            };
            let several = function.read(HEADER, Width::B8)? & 0x80 != 0;
            found_one(&mut function)?;
            found.push(function);
            if number == 0 && !several {
                break;
            }
        }
    }
    Ok(found)
}

fn identify(machine: &Machine, slot: u8, number: u8) -> Result<Option<Function>> {
    let mut function = Function {
        machine: machine.clone(),
        slot,
        function: number,
        vendor: 0,
        device: 0,
        revision: 0,
        class: 0,
        subsystem_vendor: 0,
        subsystem: 0,
        pin: 0,
        bars: Vec::new(),
    };
    let id = function.read(0, Width::B32)?;
    if id as u16 == 0xffff {
        return Ok(None);
    }
    let class = function.read(CLASS, Width::B32)?;
    let subsystem = function.read(SUBSYSTEM, Width::B32)?;
    function.vendor = id as u16;
    function.device = (id >> 16) as u16;
    function.revision = class as u8;
    function.class = (class >> 8) as u32;
    function.subsystem_vendor = subsystem as u16;
    function.subsystem = (subsystem >> 16) as u16;
    function.pin = function.read(PIN, Width::B8)? as u8;
    Ok(Some(function))
}

impl Function {
    /// Reads configuration space.
    pub fn read(&self, offset: u64, width: Width) -> Result<u64> {
        match self.machine.arch() {
            Arch::X86_64 => {
                let port = self.select(offset)?;
                self.machine.port_in(port, width)
            }
            Arch::Aarch64 => self.machine.read(self.ecam(offset), width),
        }
    }

    pub fn write(&self, offset: u64, width: Width, value: u64) -> Result<()> {
        match self.machine.arch() {
            Arch::X86_64 => {
                let port = self.select(offset)?;
                self.machine.port_out(port, width, value)
            }
            Arch::Aarch64 => self.machine.write(self.ecam(offset), width, value),
        }
    }

    /// The first 256 bytes of configuration space.
    pub fn config(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(256);
        for offset in (0..256).step_by(4) {
            let word = self.read(offset, Width::B32)? as u32;
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        Ok(bytes)
    }

    /// Identifier and offset of each capability, in the list's order.
    pub fn capabilities(&self) -> Result<Vec<(u8, u8)>> {
        let mut found = Vec::new();
        let mut at = self.read(CAPABILITIES, Width::B8)? & !3;
        // The list has at most so many members, whatever the device says.
        for _ in 0..48 {
            if at == 0 {
                break;
            }
            found.push((self.read(at, Width::B8)? as u8, at as u8));
            at = self.read(at + 1, Width::B8)? & !3;
        }
        Ok(found)
    }

    pub fn bar(&self, index: u8) -> Option<Bar> {
        self.bars.iter().copied().find(|bar| bar.index == index)
    }

    /// Lets the function reach memory by itself, or not.
    pub fn bus_master(&self, on: bool) -> Result<()> {
        self.write(COMMAND, Width::B16, if on { ENABLE } else { ENABLE & !4 })
    }

    fn select(&self, offset: u64) -> Result<u16> {
        let place = u64::from(self.slot) << 11 | u64::from(self.function) << 8;
        let address = 0x8000_0000 | place | (offset & 0xfc);
        self.machine.port_out(0xcf8, Width::B32, address)?;
        Ok(0xcfc + (offset & 3) as u16)
    }

    fn ecam(&self, offset: u64) -> u64 {
        let place = u64::from(self.slot) << 15 | u64::from(self.function) << 12;
        0x40_1000_0000 + place + offset
    }

    fn assign(&mut self, room: &mut Room) -> Result<()> {
        let bridge = self.read(HEADER, Width::B8)? & 0x7f != 0;
        self.write(COMMAND, Width::B16, 0)?;
        let last = if bridge { 2 } else { 6 };
        let mut index = 0;
        while index < last {
            let bar = self.place(index, room)?;
            index += 1 + u8::from(bar.is_some_and(|bar| bar.wide));
            self.bars.extend(bar);
        }
        if bridge {
            room.bus += 1;
            self.write(BUSES, Width::B32, room.bus << 8 | room.bus << 16)?;
        }
        self.bus_master(true)
    }

    /// Sizes one register and gives it an address.
    fn place(&self, index: u8, room: &mut Room) -> Result<Option<Bar>> {
        let offset = BARS + 4 * u64::from(index);
        self.write(offset, Width::B32, 0xffff_ffff)?;
        let answer = self.read(offset, Width::B32)?;
        if answer == 0 {
            return Ok(None);
        }
        if answer & 1 == 1 {
            let size = (!(answer & !3) & 0xffff) + 1;
            let port = give(&mut room.port, size);
            self.write(offset, Width::B32, port)?;
            let (kind, base) = match room.ports_at {
                None => (WindowKind::Port, port),
                Some(at) => (WindowKind::Memory, at + port),
            };
            return Ok(Some(Bar {
                index,
                kind,
                base,
                size,
                wide: false,
            }));
        }
        let wide = answer & 6 == 4;
        let size = (!(answer & !15) & 0xffff_ffff) + 1;
        let base = give(&mut room.memory, size.max(4096));
        self.write(offset, Width::B32, base)?;
        if wide {
            self.write(offset + 4, Width::B32, 0)?;
        }
        Ok(Some(Bar {
            index,
            kind: WindowKind::Memory,
            base,
            size,
            wide,
        }))
    }
}

/// The next free place for `size` bytes, a power of two.
fn give(next: &mut u64, size: u64) -> u64 {
    let at = next.next_multiple_of(size);
    *next = at + size;
    at
}
