//! The prompt: client of all drivers, over the serial driver's session.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]
extern crate alloc;

mod see;
mod shell;
mod system;
mod world;

use runtime::println;

runtime::program!(main);

fn main(_argument: u64) {
    match runtime::startup() {
        Some(startup) => shell::run(startup),
        None => println!("console: not started by the manager, so there is nothing to talk to"),
    }
}
