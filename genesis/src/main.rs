//! Genesis: finds out what the machine is, writes the code for exactly that hardware, installs it around the nucleus,
//! and is gone.
#![no_std]
#![no_main]

extern crate alloc;

// Its functions take the place of the compiler's.
use copy as _;

use generator::{record::Record, Stages};

mod arch;
mod bind;
mod clock;
mod discover;
mod door;
#[cfg(feature = "faults")]
mod faults;
mod ground;
mod hardware;
mod heap;
mod idle;
mod install;
mod journal;
mod keep;
mod live;
mod loaded;
mod log;
mod memory;
mod paging;
mod payload;
mod platform;
mod probe;
mod run;
mod single;
mod thorough;

/// The six steps. Every door ends here.
fn main(door: door::Handover) -> ! {
    let mut stages = Stages::start(door.ticks);
    let Ok(book) = rulebook::unpack(payload::RULEBOOK) else {
        stop!("the rulebook in this image is missing or damaged");
    };
    let unpacked = arch::ticks();

    // 1 discover: hardware → machine model
    let (mut machine, mut ground) = discover::machine(&door, &synthesis::candidates(&book));
    stages.passed_at(unpacked, "unpack");
    stages.passed(&mut ground, "discover");
    log!(
        "genesis: {} devices found; writing their drivers",
        machine.devices.len()
    );

    // 2 match, 3 specialise, 4 emit, 5 prove: facts × rulebook → rule → code graph → machine code → verdict
    let mut written = generator::all(&book, &mut machine, &mut ground, &mut stages);
    if ground.thorough {
        thorough::thorough(&mut written.drivers, &machine, written.messages.0);
        stages.passed(&mut ground, "thorough");
    }
    #[cfg(feature = "faults")]
    {
        faults::faults(&mut written.drivers, &door.options, &machine, &mut ground);
        stages.passed(&mut ground, "fault");
    }
    discover::say_notes(&machine);

    // 6 install, and vanish
    if !arch::entry::forbids_execution() {
        stop!(
            "this processor does not forbid execution (NX; firmware may have switched it off: look for \"execute disable\" in its \
             set-up); the nucleus keeps code and data apart by it, and does not start without"
        );
    }
    let mut kernel = install::nucleus(payload::NUCLEUS);
    (kernel.info.message_first, kernel.info.message_count) = written.messages;
    let bound = bind::bind(&mut kernel, &written.drivers, machine.arch);
    kernel.program(abi::boot::ModuleKind::Manager, payload::MANAGER);
    kernel.program(abi::boot::ModuleKind::Driver, payload::DRIVER);
    kernel.program(abi::boot::ModuleKind::Console, payload::CONSOLE);
    stages.passed(&mut ground, "install");
    let record = Record::of(&machine, &written);
    keep::keep(&mut kernel, &machine, record, &bound, &stages);
    if let Some(module) = door.module {
        kernel.given(module);
    }
    kernel.vanish(door.ticks)
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    stop!("{info}")
}
