//! What the manager decides, apart from the system calls that carry it out: where memory is, what a packed program
//! contains, how large a driver's parts are, and how often a task is started anew.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
extern crate alloc;

pub mod pack;
pub mod plan;
pub mod regions;
pub mod restarts;
