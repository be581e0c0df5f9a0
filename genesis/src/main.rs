//! Genesis: finds out what the machine is, writes the code for exactly that hardware, installs it around the nucleus,
//! and is gone.
#![no_std]
#![no_main]

extern crate alloc;

mod arch;
mod clock;
mod discover;
mod door;
mod generate;
mod hardware;
mod heap;
mod idle;
mod install;
mod journal;
mod live;
mod loaded;
mod log;
mod memory;
mod paging;
mod payload;
mod probe;
mod run;
mod single;

/// The six steps. Every door ends here.
fn main(door: door::Handover) -> ! {
    let mut stages = generate::Stages::start(door.ticks);
    let Ok(book) = rulebook::unpack(payload::RULEBOOK) else {
        stop!("the rulebook in this image is missing or damaged");
    };
    stages.passed("unpack");

    // 1 discover: hardware → machine model
    let (mut machine, mut probing) = discover::machine(&door, &synthesis::candidates(&book));
    stages.passed("discover");
    log!(
        "genesis: {} devices found; writing their drivers",
        machine.devices.len()
    );

    // 2 match, 3 specialise, 4 emit, 5 prove: facts × rulebook → rule → code graph → machine code → verdict
    let mut written = generate::all(&book, &mut machine, &mut probing, &mut stages);
    if door.options.iter().any(|o| o == abi::options::THOROUGH) {
        generate::thorough(&mut written.drivers, &machine, written.messages.0);
        stages.passed("thorough");
    }
    if door
        .options
        .iter()
        .any(|o| o.starts_with(abi::options::FAULT))
    {
        generate::faults(&mut written.drivers, &door.options, &machine, &mut probing);
        stages.passed("fault");
    }
    discover::say_notes(&machine);

    // 6 install, and vanish
    let mut kernel = install::nucleus(payload::NUCLEUS);
    (kernel.info.message_first, kernel.info.message_count) = written.messages;
    generate::bind(&mut kernel, &mut written.drivers, machine.arch);
    kernel.program(abi::boot::ModuleKind::Manager, payload::MANAGER);
    kernel.program(abi::boot::ModuleKind::Driver, payload::DRIVER);
    kernel.program(abi::boot::ModuleKind::Console, payload::CONSOLE);
    stages.passed("install");
    generate::keep(&mut kernel, &machine, &written, &stages);
    if let Some(module) = door.module {
        kernel.given(module);
    }
    kernel.vanish(door.ticks)
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    stop!("{info}")
}
