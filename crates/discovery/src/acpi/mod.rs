//! ACPI's static tables, and the little AML that says how PCI's interrupts are wired (ACPI 6.5).

mod devices;
mod madt;
mod routing;
mod tables;

pub use tables::Tables;

pub(crate) use devices::{configuration, devices, sleep};
pub(crate) use madt::{Interrupts, Overrides};
pub(crate) use routing::{loaded, routings, soft_off};
