//! Devicetrees (devicetree.org specification 0.4).

mod blob;
mod boot;
mod chosen;
mod devices;
mod hosts;
mod interrupts;
mod memory;
mod processors;
mod tree;

pub use boot::{boot, Boot};
pub use tree::{Node, Tree};

use crate::{hardware::Hardware, pci::Host, Notes};
use alloc::{format, vec::Vec};
use machine::Machine;

/// Bytes of the largest blob that a door should believe in. Loaders leave room to grow: one of a few KiB comes as two MiB.
pub const LARGEST: u64 = 16 << 20;

pub(crate) const SOURCE: machine::Source = machine::Source::Firmware(*b"dtb ");

/// Everything that the blob tells of a machine, save what is on its buses; gives the PCI host bridges.
pub(crate) fn discover<'a>(
    hardware: &mut dyn Hardware,
    machine: &mut Machine,
    blob: &[u8],
    notes: &mut Notes,
) -> Vec<Host<'a>> {
    let tree = match Tree::new(blob) {
        Ok(tree) => tree,
        Err(why) => {
            notes.say(format!("devicetree: {why}"));
            return Vec::new();
        }
    };
    if let Some(why) = tree.cut {
        notes.say(format!("devicetree: {why}: some nodes are left out"));
    }
    processors::processors(hardware, &tree, machine);
    memory::memory(&tree, machine);
    let first = machine.devices.len();
    let mut nodes = Vec::new();
    for (node, device) in devices::devices(&tree, notes) {
        nodes.push(node);
        machine.devices.push(device);
    }
    chosen::chosen(&tree, machine, |devices, node| {
        let at = nodes.iter().position(|n| *n == node)?;
        devices.get_mut(first + at)
    });
    let path = |node| {
        let at = nodes.iter().position(|n| *n == node)?;
        Some(machine.devices.get(first + at)?.path.clone())
    };
    hosts::hosts(&tree, path, notes)
}
