//! The first task: makes a task for every device that genesis wrote a driver for, then the console, and looks after them.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]
extern crate alloc;

mod bus;
mod client;
mod driver;
mod memory;
mod modules;
mod portal;
mod task;
mod trouble;
mod ward;

use runtime::println;

runtime::program!(main);

fn main(_argument: u64) {
    match ward::start() {
        Ok(notification) => ward::watch(notification),
        Err(trouble) => println!("manager stopped: {trouble}"),
    }
}
