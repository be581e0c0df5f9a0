//! The first instructions of a program, and its end by panic.

use abi::{boot::BootInfo, layout, program::Startup, system::root};
use core::sync::atomic::{AtomicU64, Ordering};

/// The first thread's argument: 0 in the first task, `layout::STARTUP` in the others.
static ARGUMENT: AtomicU64 = AtomicU64::new(0);

extern "C" {
    /// Made by `program!`.
    fn program_main(argument: u64);
}

// SAFETY of both: the nucleus starts a thread with a 16-byte aligned stack and its argument in the first word.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
#[no_mangle]
#[link_section = ".text.start"]
extern "C" fn _start() {
    core::arch::naked_asm!("xor ebp, ebp", "call {start}", "ud2", start = sym start)
}

#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
#[no_mangle]
#[link_section = ".text.start"]
extern "C" fn _start() {
    core::arch::naked_asm!("mov x29, xzr", "bl {start}", "udf #0", start = sym start)
}

extern "C" fn start(argument: u64) -> ! {
    ARGUMENT.store(argument, Ordering::Relaxed);
    crate::sys::platform_is(startup().map_or(root::PLATFORM, |startup| startup.platform));
    let heap = startup().map_or(root::HEAP_SIZE, |startup| startup.heap_size);
    if heap > 0 {
        // SAFETY: who made this task mapped that much there, for this; and a program starts once.
        unsafe { crate::heap::HEAP.start(layout::HEAP, heap) };
    }
    // SAFETY: `program!` makes exactly this function, and calls nothing but a safe one.
    unsafe { program_main(argument) };
    crate::sys::exit()
}

/// What the manager told this program; `None` in the first task.
pub fn startup() -> Option<&'static Startup> {
    match ARGUMENT.load(Ordering::Relaxed) {
        0 => None,
        address => Some(crate::memory::record(address)),
    }
}

/// What the nucleus told the first task; `None` in the others.
pub fn boot_info() -> Option<&'static BootInfo> {
    match ARGUMENT.load(Ordering::Relaxed) {
        0 => Some(crate::memory::record(layout::STARTUP)),
        _ => None,
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    crate::println!("{info}");
    // A panic is a fault, so that whoever bound this task's faults hears of it.
    #[cfg(target_arch = "x86_64")]
    // SAFETY: an instruction that always faults; the nucleus stops this thread.
    unsafe {
        core::arch::asm!("ud2", options(noreturn))
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        core::arch::asm!("udf #0", options(noreturn))
    }
}
