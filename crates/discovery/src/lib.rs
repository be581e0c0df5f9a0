//! Finds out what a machine is: firmware tables, processor, buses → [`machine::Machine`].
#![no_std]
extern crate alloc;

pub mod devicetree;
