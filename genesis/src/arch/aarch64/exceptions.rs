//! Exceptions: a faulting probe goes on at its recovery point, everything else stops the machine and says why. And
//! interrupts, which are off unless [`interrupt`] lets one in.

use core::arch::asm;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// What `vectors.s` leaves on the stack.
#[repr(C)]
pub struct Frame {
    r: [u64; 20],
    fp: u64,
    lr: u64,
    ip: u64,
    state: u64,
}

extern "C" {
    static probe_first: u8;
    static probe_last: u8;
    fn probe_failed();
    fn probe_read_8(at: u64) -> Probe;
    fn probe_read_16(at: u64) -> Probe;
    fn probe_read_32(at: u64) -> Probe;
    fn probe_read_64(at: u64) -> Probe;
    fn probe_write_8(at: u64, value: u64) -> Probe;
    fn probe_write_16(at: u64, value: u64) -> Probe;
    fn probe_write_32(at: u64, value: u64) -> Probe;
    fn probe_write_64(at: u64, value: u64) -> Probe;
    #[link_name = "probe_register"]
    fn probe_register_run(value: u64) -> Probe;
}

/// Comes back in two registers.
#[repr(C)]
pub struct Probe {
    pub value: u64,
    pub failed: u64,
}

/// Syndrome of the last exception that a probe met.
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// What the processor said when the last probe failed.
pub fn refused() -> alloc::string::String {
    alloc::format!("exception with syndrome {:#x}", REFUSED.load(Relaxed))
}

fn syndrome() -> u64 {
    let syndrome;
    // SAFETY: reads a register.
    unsafe { asm!("mrs {}, esr_el1", out(reg) syndrome, options(nomem, nostack)) };
    syndrome
}

/// The vector for interrupts, of code that uses the stack pointer of its level.
const INTERRUPT: u64 = 5;
/// In the saved state: interrupts are kept out.
const KEPT_OUT: u64 = 1 << 7;

/// An interrupt was let in.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Lets one interrupt in, until `late` says that it has been long enough. Which it is, its controller has to be asked.
pub fn interrupt(mut late: impl FnMut() -> bool) -> Option<Option<u64>> {
    TAKEN.store(false, Relaxed);
    // SAFETY: the vector table has a place for it; the handler notes the interrupt and lets in no second.
    unsafe { asm!("msr daifclr, #2", "isb", options(nostack)) };
    while !TAKEN.load(Relaxed) && !late() {
        core::hint::spin_loop();
    }
    // SAFETY: interrupts are off as before.
    unsafe { asm!("msr daifset, #2", "isb", options(nostack)) };
    TAKEN.load(Relaxed).then_some(None)
}

/// As [`interrupt`], with the processor at rest until one comes: something that will interrupt must have been asked.
pub fn rest() -> Option<Option<u64>> {
    TAKEN.store(false, Relaxed);
    // SAFETY: as in `interrupt`. A pending interrupt ends `wfi` also while interrupts are kept out (Arm ARM, D1.6.2), so
    // none is taken before it and then waited for in vain.
    unsafe {
        asm!(
            "dsb sy",
            "wfi",
            "msr daifclr, #2",
            "isb",
            "msr daifset, #2",
            "isb",
            options(nostack)
        )
    };
    TAKEN.load(Relaxed).then_some(None)
}

/// Called by vectors.s; `kind` is the number of the vector.
#[no_mangle]
extern "C" fn exception(kind: u64, frame: &mut Frame) {
    if kind == INTERRUPT {
        TAKEN.store(true, Relaxed);
        frame.state |= KEPT_OUT;
        return;
    }
    let first = &raw const probe_first as u64;
    let last = &raw const probe_last as u64;
    if (first..last).contains(&frame.ip) {
        REFUSED.store(syndrome(), Relaxed);
        frame.ip = probe_failed as *const () as u64;
        return;
    }
    let address: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mrs {}, far_el1", out(reg) address, options(nomem, nostack)) };
    crate::stop!(
        "exception {kind} (syndrome {:#x}) at {:#x}, address {address:#x}, image at {:#x}",
        syndrome(),
        frame.ip,
        super::image::start()
    );
}

/// Reads `bits` at a virtual address; `failed` after an exception.
pub fn probe_read(at: u64, bits: u32) -> Probe {
    // SAFETY: the stubs touch nothing but the address and their own registers, and an exception in them comes back as
    // `failed`. Reading it may change a device: `probe` is for addresses that a table or BAR names.
    unsafe {
        match bits {
            8 => probe_read_8(at),
            16 => probe_read_16(at),
            32 => probe_read_32(at),
            _ => probe_read_64(at),
        }
    }
}

/// # Safety
/// `at` must not be memory that Rust values live in.
pub unsafe fn probe_write(at: u64, bits: u32, value: u64) -> Probe {
    // SAFETY: as above; the caller vouches for the address.
    unsafe {
        match bits {
            8 => probe_write_8(at, value),
            16 => probe_write_16(at, value),
            32 => probe_write_32(at, value),
            _ => probe_write_64(at, value),
        }
    }
}

/// Reads, or writes if there is a value, a system register: `register` is op0<<14 | op1<<11 | CRn<<7 | CRm<<3 | op2.
/// The instruction names its register, so it is written where it is then run.
pub fn probe_register(register: u32, write: Option<u64>) -> Probe {
    let register = register & 0xffff;
    if register < 2 << 14 {
        return Probe {
            value: 0,
            failed: 1,
        };
    }
    // `mrs x0, …` and `msr …, x0`: bit 20 of the instruction is op0's upper bit, which is 1 for registers.
    let instruction = match write {
        None => 0xd530_0000 | (register - (2 << 14)) << 5,
        Some(_) => 0xd510_0000 | (register - (2 << 14)) << 5,
    };
    let code = probe_register_run as *const () as *mut u32;
    // SAFETY: genesis's image is mapped writable and executable, this word of it is there to be replaced, and the caches
    // are told before it runs. An absent register comes back as `failed`. Writes come from checked rules only.
    unsafe {
        if code.read_volatile() != instruction {
            code.write_volatile(instruction);
            super::code_written(code as u64, 4);
        }
        probe_register_run(write.unwrap_or(0))
    }
}
