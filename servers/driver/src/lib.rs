//! When a driver looks at its device without being told to: decided here, apart from the system calls.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod watch;
