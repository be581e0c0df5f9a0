//! Devicetrees (devicetree.org specification 0.4).

mod boot;
mod devices;
mod hosts;
mod interrupts;
mod tree;

pub use boot::{boot, Boot};
pub(crate) use devices::{devices, processors};
pub(crate) use hosts::hosts;
pub use tree::{Node, Tree};

pub(crate) const SOURCE: machine::Source = machine::Source::Firmware(*b"dtb ");
