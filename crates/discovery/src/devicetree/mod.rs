//! Devicetrees (devicetree.org specification 0.4).

mod boot;
mod devices;
mod hosts;
mod interrupts;
mod tree;

pub use boot::{boot, Boot};
pub use tree::{Node, Tree};

use crate::{hardware::Hardware, pci::Host, Notes};
use alloc::{format, vec::Vec};
use machine::Machine;

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
    if tree.cut {
        notes.say("devicetree: too many nodes, or too deep: some are left out".into());
    }
    devices::processors(hardware, &tree, machine);
    machine.devices.extend(devices::devices(&tree, notes));
    hosts::hosts(&tree, notes)
}
