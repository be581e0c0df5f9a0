//! Interrupts as messages: a function's table of them, and the switches beside it (PCI Local Bus 3.0, 6.8.2).

use super::{master::place, Address, Config};
use crate::hardware::Hardware;
use machine::{Machine, Value, WindowKind};

const MSIX: u16 = 0x11;
const COMMAND: u16 = 4;
/// Of the command register: the wire is silent.
const NO_WIRE: u16 = 1 << 10;
/// Of the message control register.
const ENABLE: u16 = 1 << 15;
const HOLD: u16 = 1 << 14;
/// An entry: address, upper half of it, data, control.
const ENTRY: u64 = 16;
const MASKED: u64 = 1;

/// The table of messages of one function.
#[derive(Clone, Copy, Debug)]
pub struct Messages {
    config: Config,
    address: Address,
    /// Offset of the message control register.
    control: u16,
    /// Physical address of the table.
    table: u64,
    /// Entries of the table, at most 2048.
    pub count: u64,
    /// Physical address and bytes of what says where messages go: the table, and the pending bits behind it or elsewhere.
    pub places: [(u64, u64); 2],
}

impl Messages {
    /// That of the function at `path`, if it has one, and its table lies inside a window that has a place.
    pub fn of(machine: &Machine, path: &str) -> Option<Messages> {
        let device = machine.devices.iter().find(|d| d.path == path)?;
        let number = |name: &str| match device.fact(name) {
            Some(Value::Number(n)) => Some(*n),
            _ => None,
        };
        let capability = |c: &&machine::Capability| c.id == MSIX && !c.extended;
        let at = device.capabilities.iter().find(capability)?.at;
        let inside = |bar: &str, offset: &str, size: u64| {
            let window = device.window(u8::try_from(number(bar)?).ok()?)?;
            let offset = number(offset)?;
            let end = offset.checked_add(size)?;
            let whole = window.kind == WindowKind::Memory && window.base != 0 && end <= window.size;
            whole.then(|| window.base.checked_add(offset))?
        };
        let count = number("msix").filter(|count| (1..=2048).contains(count))?;
        let table = inside("msix_bar", "msix_at", ENTRY * count)?;
        let bits = count.div_ceil(64) * 8;
        let pending = inside("msix_pending_bar", "msix_pending_at", bits)?;
        let (config, address) = place(device)?;
        Some(Messages {
            config,
            address,
            control: at.checked_add(2)?,
            table,
            count,
            places: [(table, ENTRY * count), (pending, bits)],
        })
    }

    /// Messages instead of the wire from now on; all are held back.
    pub fn hold(&self, hardware: &mut dyn Hardware) {
        self.switch(hardware, ENABLE | HOLD, 0);
        self.wire(hardware, false);
        for entry in 0..self.count {
            let control = self.table + entry * ENTRY + 12;
            if hardware
                .read(control, 32)
                .is_some_and(|word| word & MASKED == 0)
            {
                hardware.write(control, 32, MASKED);
            }
        }
    }

    /// Says where message `number` goes, and lets it go there once all are released. False without such a message.
    pub fn set(&self, hardware: &mut dyn Hardware, number: u64, address: u64, data: u32) -> bool {
        if number >= self.count {
            return false;
        }
        let entry = self.table + number * ENTRY;
        hardware.write(entry, 32, address & 0xffff_ffff);
        hardware.write(entry + 4, 32, address >> 32);
        hardware.write(entry + 8, 32, data.into());
        hardware.write(entry + 12, 32, 0);
        true
    }

    /// Messages that were set go out.
    pub fn release(&self, hardware: &mut dyn Hardware) {
        self.switch(hardware, ENABLE, HOLD);
    }

    /// Back to the wire, which firmware may have left for messages.
    pub fn off(&self, hardware: &mut dyn Hardware) {
        self.switch(hardware, 0, ENABLE | HOLD);
        self.wire(hardware, true);
    }

    fn switch(&self, hardware: &mut dyn Hardware, set: u16, clear: u16) {
        self.change(hardware, self.control, |old| old & !clear | set);
    }

    fn wire(&self, hardware: &mut dyn Hardware, on: bool) {
        self.change(hardware, COMMAND, |old| match on {
            true => old & !NO_WIRE,
            false => old | NO_WIRE,
        });
    }

    fn change(&self, hardware: &mut dyn Hardware, at: u16, change: impl Fn(u16) -> u16) {
        let word = self.config.read(hardware, self.address, at & !3);
        let old = (word >> (8 * u32::from(at & 3))) as u16;
        // All ones: the function is gone.
        if word != u32::MAX && change(old) != old {
            self.config.write16(hardware, self.address, at, change(old));
        }
    }
}
