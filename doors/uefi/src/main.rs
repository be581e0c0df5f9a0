//! The UEFI door: says what the machine is while firmware still lends its console and its file system, then puts genesis
//! into memory, ends firmware's boot services, and jumps. What genesis is told is in `abi::door`.
#![no_std]
#![no_main]

extern crate alloc;

mod files;
mod hardware;
mod image;
mod jump;
mod map;
mod options;
mod pci;
mod processor;
mod report;
mod tables;

use uefi::prelude::*;
use uefi::{boot, println};

/// The packed genesis and the rulebook (build.rs).
static GENESIS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/genesis.load"));
static RULEBOOK: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rulebook.bin"));

#[entry]
fn main() -> Status {
    if uefi::helpers::init().is_err() {
        return Status::LOAD_ERROR;
    }
    // What follows takes as long as it takes; firmware would reset the machine after five minutes.
    let _ = boot::set_watchdog_timer(0, 0xffff_ffff, None);
    let found = tables::find();
    let line = options::line();
    report::report(&found, &line, RULEBOOK);
    match start(&found, &line) {
        Ok(never) => match never {},
        Err(why) => {
            println!("MetaOS cannot start: {why}");
            println!("Firmware goes on in ten seconds.");
            boot::stall(core::time::Duration::from_secs(10));
            Status::LOAD_ERROR
        }
    }
}

/// Loads genesis and starts it.
///
/// # Errors
/// Says why that cannot be; nothing has then been changed.
fn start(
    found: &tables::Found,
    line: &str,
) -> Result<core::convert::Infallible, alloc::string::String> {
    jump::possible()?;
    let placed = image::place(GENESIS, found, line)?;
    println!(
        "starting genesis at {:#x} ({} KiB)",
        placed.base,
        placed.size >> 10
    );
    // SAFETY: protocols were closed when their guards were dropped; what is used from here on is `placed`, which is plain
    // numbers, and memory of the types that the map will call RAM or ours.
    let memory = unsafe { boot::exit_boot_services(None) };
    placed.tell_map(&memory);
    core::mem::forget(memory);
    // SAFETY: boot services have ended, the image and what it is told are in memory that was allocated for them.
    unsafe { jump::to(&placed) }
}
