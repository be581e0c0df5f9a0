//! Device classes: what a kind of device offers, whatever the hardware, and the two things that are
//! written once per class instead of once per device: the *pump* that drives a residual, and the *self-test*.
//!
//! ```text
//!            todo ring                       entries (init, transmit, supply, irq, …)
//!   client ─────────────▶ pump::Pump ───────────────────────────────▶ residual ──▶ device
//!          ◀─────────────            ◀───────────────────────────────
//!            done ring                       upcalls (sent, received, finished, …)
//! ```
//!
//! The same pump runs in genesis (for the self-test), in a driver's task, and in host tests on device models.
//! `unsafe` is confined to [`residual`] (calling generated code), [`memory`] (the client's buffers), [`ring`]
//! (memory shared with the other side) and the few lines of [`pump`] that turn a context back into its pump.
#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]

pub mod direct;
pub mod facts;
pub mod fault;
pub mod guard;
pub mod memory;
pub mod pump;
pub mod residual;
pub mod ring;
pub mod selftest;
pub mod stand;
pub mod tickets;

pub use facts::{Class, Facts, Units};
pub use memory::{Memory, Pool};
pub use pump::{Failure, Pump, Turn};
pub use residual::Residual;
pub use ring::{Area, Client, Driver};
