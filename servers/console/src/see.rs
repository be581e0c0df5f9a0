//! The code that was written for a device, in the forms that are kept.

use crate::world::World;
use abi::inventory::Installed;
use abi::layout;
use alloc::format;
use alloc::string::String;
use console::command::{nearest, Form};
use console::report;
use core::fmt::{Result as Written, Write};
use graph::Residual;
use runtime::memory;

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
                return wrong;
            }
            wrong + "; `devices` lists them"
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
    let Some((_, at, size)) = device.entries.iter().find(|(name, ..)| name == operation) else {
        let operation = operation.escape_default();
        return writeln!(
            world,
            "error: {name} has no operation `{operation}`; `see {name}` lists them"
        );
    };
    let shows = |this| form == Form::All || form == this;
    if shows(Form::Graph) || shows(Form::C) {
        match residual(world, &device, operation) {
            Some((residual, entry)) => {
                if shows(Form::Graph) {
                    section(world, "graph", &graph::view::semantic(&residual, entry))?;
                }
                if shows(Form::C) {
                    section(world, "C", &graph::view::c(&residual, entry))?;
                }
            }
            None => writeln!(world, "the graph of {name}.{operation} was not kept")?,
        }
    }
    if shows(Form::Assembly) {
        let code = code(world, &device, *at, *size).zip(graph::code::Target::here());
        match code {
            Some((code, target)) => {
                let text = disassembly::function(code, target, u64::from(*at));
                section(world, "assembly", &text)?;
            }
            None => writeln!(world, "the code of {name}.{operation} was not kept")?,
        }
    }
    Ok(())
}

fn section(world: &mut World, title: &str, text: &str) -> Written {
    writeln!(world, "-- {title}")?;
    for line in text.lines() {
        writeln!(world, "{line}")?;
    }
    Ok(())
}

/// A module that the manager mapped, or nothing.
fn module(address: u64, size: u64) -> &'static [u8] {
    match size {
        0 => &[],
        size => memory::region(address, size as usize),
    }
}

/// The kept graph, and the number of the operation in it.
fn residual(world: &World, device: &Installed, operation: &str) -> Option<(Residual, usize)> {
    let bytes = module(layout::GRAPHS, world.startup.graphs_size).get(device.graph.0 as usize..)?;
    let bytes = bytes.get(..device.graph.1 as usize)?;
    let residual: Residual = postcard::from_bytes(bytes).ok()?;
    let entry = residual
        .entries
        .iter()
        .position(|entry| entry.name == operation)?;
    Some((residual, entry))
}

/// The machine code of one entry.
fn code(world: &World, device: &Installed, at: u32, size: u32) -> Option<&'static [u8]> {
    let bytes = module(layout::CODES, world.startup.codes_size).get(device.code.0 as usize..)?;
    let bytes = bytes.get(..device.code.1 as usize)?;
    bytes.get(at as usize..)?.get(..size as usize)
}
