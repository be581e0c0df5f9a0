//! Proof of rules on device models.
//!
//! * [`models`] is the list of device models, as data: which emulated device stands for which rule.
//! * [`Stand`] is one of them running, with what stands outside, and the driver that its rule becomes.
//! * [`ways`] carries the driver out by interpreter, by the text of its rule alone ([`rule`]), by emitted code for both
//!   processors and by the compiled C view, has the class's self-test tried on each, and compares what they did to the device.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

pub mod arms;
mod bounds;
pub mod complaints;
pub mod faults;
pub mod lanes;
pub mod models;
pub mod mutate;
pub mod order;
pub mod outside;
pub mod residue;
pub mod rule;
pub mod stand;
mod trace;
pub mod ways;

pub use models::Model;
pub use stand::{Stand, Written};
pub use trace::{compare, settled, Difference};

/// Why something could not be tried, in words.
#[derive(Debug)]
pub struct Error(pub String);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<qtest::Error> for Error {
    fn from(error: qtest::Error) -> Error {
        Error(error.to_string())
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        Error(error.to_string())
    }
}

pub type Result<T> = std::result::Result<T, Error>;

pub(crate) fn failed<T>(what: impl Into<String>) -> Result<T> {
    Err(Error(what.into()))
}
