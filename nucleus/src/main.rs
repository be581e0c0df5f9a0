//! The nucleus: address spaces, threads, portals, notifications, memory objects and interrupts. Nothing else.
//!
//! It has one stack, runs with interrupts off, and has no heap: objects live in memory that tasks donate.
//! `nucleus-core` says what happens; `arch` touches the machine; `platform` calls what genesis generated.
#![no_std]
#![no_main]

// Its functions take the place of the compiler's.
use copy as _;

mod account;
mod arch;
mod calls;
mod clock;
mod faults;
mod first;
mod float;
mod interrupts;
mod log;
mod memory;
mod objects;
mod platform;
mod space;

use nucleus_core::{kernel::Kernel, thread::Thread, State};

/// The machine's only one. First word: the current thread, for the entry code.
#[no_mangle]
// SAFETY: used by the nucleus's own code alone.
pub static STATE: Kernel<State> = unsafe { Kernel::new(State::new()) };

/// From the entry code, on the nucleus's own stack, with the physical address of the boot information.
#[no_mangle]
extern "C" fn nucleus_start(boot: u64) -> ! {
    // SAFETY: genesis jumps here with the address of the one that it laid out.
    let boot = unsafe { first::boot_info(boot) };
    arch::start(); // descriptor tables, exception vectors, system calls
    platform::start(boot); // which generated operations there are
    clock::start(boot);
    let ram = memory::start(boot, first::REGION); // who has which RAM; the identity map is forgotten
    memory::overwrite_genesis(boot);
    first::task(boot, ram); // the manager, with the rights to everything
    interrupts::start(boot);
    account::user_starts();
    arch::resume(leave())
}

/// Who runs next. If nobody can, waits for an interrupt instead of returning.
pub fn leave() -> &'static Thread {
    loop {
        if let Some(thread) = STATE.choose() {
            clock::running();
            account::runs(Some(thread));
            return thread;
        }
        account::runs(None);
        if clock::sleeping() {
            arch::idle()
        }
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    println!("nucleus: {info}");
    platform::power_off();
    arch::halt()
}
