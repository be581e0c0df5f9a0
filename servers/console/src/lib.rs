//! What the prompt understands and how it answers, apart from the tasks it talks to: all of it runs on the host.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
extern crate alloc;

pub mod account;
pub mod arp;
pub mod banner;
pub mod command;
pub mod date;
pub mod edit;
pub mod hex;
pub mod report;
pub mod table;
