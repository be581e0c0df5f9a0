//! Bus mastering: whether a function may read and write memory of its own accord.

use super::{Address, Config};
use crate::hardware::Hardware;
use machine::{Device, Machine, Value};

const COMMAND: u16 = 4;
const MASTER: u16 = 4;

/// Lets the device at `path`, and the bridges above it, master the bus; or, with `on` false, takes that from the device
/// alone. False if this is no PCI function that can be reached.
pub fn bus_master(hardware: &mut dyn Hardware, machine: &Machine, path: &str, on: bool) -> bool {
    let mut next = Some(path);
    let mut done = false;
    // No deeper than there are buses, should parents lead in a circle.
    for _ in 0..256 {
        let found = next.and_then(|path| machine.devices.iter().find(|d| d.path == path));
        let Some((device, (config, address))) = found.and_then(|d| Some((d, place(d)?))) else {
            break;
        };
        let old = config.read(hardware, address, COMMAND) as u16;
        let new = if on { old | MASTER } else { old & !MASTER };
        if old == u16::MAX {
            return false;
        }
        if new != old {
            config.write16(hardware, address, COMMAND, new);
        }
        done = true;
        if !on {
            break;
        }
        next = device.parent.as_deref();
    }
    done
}

/// How the configuration space of a function of the model is reached.
pub(super) fn place(device: &Device) -> Option<(Config, Address)> {
    let address = Address::of_path(&device.path)?;
    let config = match device.fact("configuration") {
        Some(Value::Number(base)) => Config::Mapped {
            // The base of a space that would begin with bus 0.
            base: base.checked_sub(address.offset())?,
            first: 0,
            last: 255,
        },
        _ => Config::Ports,
    };
    Some((config, address))
}
