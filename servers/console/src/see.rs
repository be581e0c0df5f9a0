//! The code that was written for a device, in the forms that are kept.

use crate::world::World;
use abi::inventory::Installed;
use alloc::format;
use alloc::string::String;
use console::command::{nearest, Form};
use console::report;
use core::fmt::{Result as Written, Write};

/// The device of this name, or what to say instead.
pub fn find<'a>(world: &'a World, name: &str) -> Result<&'a Installed, String> {
    let devices = &world.view.devices;
    devices
        .iter()
        .find(|device| device.name == name)
        .ok_or_else(|| {
            let mut wrong = format!("no device `{}`", name.escape_default());
            let names = devices.iter().map(|device| device.name.as_str());
            if let Some(near) = nearest(name, names) {
                wrong += &format!("; did you mean `{near}`?");
            }
            wrong + " `devices` lists them"
        })
}

pub fn print(world: &mut World, name: &str, operation: Option<&str>, form: Form) -> Written {
    let device = match find(world, name) {
        Ok(device) => device.clone(),
        Err(wrong) => return writeln!(world, "error: {wrong}"),
    };
    let Some(operation) = operation else {
        report::entries(world, &device)?;
        return match device.entries.first() {
            Some((entry, ..)) => writeln!(world, "`see {name}.{entry}` shows one"),
            None => writeln!(world, "{name} has no code"),
        };
    };
    let _ = form;
    writeln!(world, "error: {name}.{operation} cannot be shown")
}
