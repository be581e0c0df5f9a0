//! Rules and a machine model become drivers: match, learn, specialise, emit, prove, record.
//!
//! ```text
//!  rulebook ─┐
//!  machine ──┼─▶ choose ─▶ for each device: offer ─▶ write ─▶ prove ─▶ settle ─▶ record
//!  ground ───┘
//! ```
//!
//! What this stands on is behind one trait, [`Ground`]: registers, memory in which generated code can run, time, a place
//! to say things, and the few privileged steps (bus mastering, tables of messages, the journal of what could hang).
//! Genesis is one ground, and the only one that is the whole machine; a task with rights to one device can be another.
//!
//! [`all`] does everything; what it makes is an [`Output`], which [`record::Record`] turns into what outlives the
//! generator: the inventory, the code and the graphs.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod choose;
mod driver;
mod generate;
mod ground;
mod messages;
mod prove;
pub mod record;
mod stages;
mod suppliers;
mod write;

pub use driver::Driver;
pub use generate::{all, Output};
pub use ground::{Ground, Registers};
pub use prove::{direct, served};
pub use stages::Stages;
pub use suppliers::{range, suppliers};
