//! What genesis, nucleus and programs share: layouts, numbers and words. Nothing here does anything.
#![no_std]
#[cfg(feature = "inventory")]
extern crate alloc;

pub mod boot;
pub mod context;
pub mod door;
pub mod frame;
#[cfg(feature = "inventory")]
pub mod inventory;
pub mod layout;
pub mod options;
pub mod program;
pub mod ring;
pub mod status;
pub mod system;
