//! Genesis: finds out what the machine is, writes the code for exactly that hardware, installs it around the nucleus,
//! and is gone.
#![no_std]
#![no_main]

extern crate alloc;

mod arch;
mod clock;
mod discover;
mod door;
mod hardware;
mod heap;
mod install;
mod live;
mod log;
mod memory;
mod paging;
mod payload;
mod probe;
mod run;
mod single;

/// The six steps. Every door ends here.
fn main(door: door::Handover) -> ! {
    // 1 discover: hardware → machine model
    let start = arch::ticks();
    let machine = discover::machine(&door, &[]);
    log!(
        "discovered in {} ticks, {} since the door",
        arch::ticks() - start,
        arch::ticks() - door.ticks
    );
    discover::say(&machine);
    // 2 match: facts × rulebook → one rule a device
    // 3 specialise: rule × facts → code graph
    // 4 emit: code graph → machine code
    // 5 prove: checks and self-tests
    // 6 install, and vanish
    let mut kernel = install::nucleus(payload::NUCLEUS);
    kernel.program(abi::boot::ModuleKind::Manager, payload::MANAGER);
    kernel.program(abi::boot::ModuleKind::Driver, payload::DRIVER);
    kernel.program(abi::boot::ModuleKind::Console, payload::CONSOLE);
    if let Some(module) = door.module {
        kernel.given(module);
    }
    kernel.vanish(door.ticks)
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    stop!("{info}")
}
