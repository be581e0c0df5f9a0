//! Exceptions: a faulting probe goes on at its recovery point, everything else stops the machine and says why. And
//! interrupts, which are off unless [`interrupt`] lets one in.

use crate::single::Single;
use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What `vectors.s` leaves on the stack.
#[repr(C)]
pub struct Frame {
    r: [u64; 15],
    vector: u64,
    error: u64,
    ip: u64,
    cs: u64,
    flags: u64,
    sp: u64,
    ss: u64,
}

#[repr(C, align(16))]
struct Table([[u64; 2]; 256]);

static TABLE: Single<Table> = Single::new(Table([[0; 2]; 256]));

/// Vectors from here on are interrupts.
const INTERRUPTS: u64 = 32;
/// In the flags: interrupts are let in.
const LET_IN: u64 = 1 << 9;
const NONE: u64 = u64::MAX;

/// The vector of the interrupt that was let in.
static TAKEN: AtomicU64 = AtomicU64::new(NONE);

/// Lets one interrupt in, until `late` says that it has been long enough. Its vector; the controller waits for its end.
pub fn interrupt(mut late: impl FnMut() -> bool) -> Option<Option<u64>> {
    TAKEN.store(NONE, Relaxed);
    // SAFETY: every vector has a gate; the handler notes the first interrupt and lets in no second.
    unsafe { asm!("sti", options(nostack)) };
    while TAKEN.load(Relaxed) == NONE && !late() {
        core::hint::spin_loop();
    }
    // SAFETY: interrupts are off as before.
    unsafe { asm!("cli", options(nostack)) };
    let vector = TAKEN.load(Relaxed);
    (vector != NONE).then_some(Some(vector))
}

/// As [`interrupt`], with the processor at rest until one comes: something that will interrupt must have been asked.
pub fn rest() -> Option<Option<u64>> {
    TAKEN.store(NONE, Relaxed);
    // SAFETY: as in `interrupt`. `sti` lets nothing in before the next instruction has begun (SDM volume 2, STI), so no
    // interrupt comes before `hlt` and is then waited for in vain.
    unsafe { asm!("sti", "hlt", "cli", options(nostack)) };
    let vector = TAKEN.load(Relaxed);
    (vector != NONE).then_some(Some(vector))
}

extern "C" {
    static vector_stubs: u8;
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
    fn probe_model_read(register: u64) -> Probe;
    fn probe_model_write(register: u64, value: u64) -> Probe;
}

/// Comes back in two registers.
#[repr(C)]
pub struct Probe {
    pub value: u64,
    pub failed: u64,
}

/// Loads the table of gates.
pub fn set_vectors() {
    TABLE.with(|table| {
        // Stubs are 16 bytes apart, see vectors.s.
        let first = &raw const vector_stubs as u64;
        for (n, gate) in table.0.iter_mut().enumerate() {
            let at = first + 16 * n as u64;
            // Interrupt gate, present, code segment 8.
            *gate = [
                at & 0xffff | 8 << 16 | 0x8e00 << 32 | (at >> 16 & 0xffff) << 48,
                at >> 32,
            ];
        }
        let pointer: [u16; 5] = {
            let base = table as *const Table as u64;
            let limit = size_of::<Table>() as u16 - 1;
            [
                limit,
                base as u16,
                (base >> 16) as u16,
                (base >> 32) as u16,
                (base >> 48) as u16,
            ]
        };
        // SAFETY: the table is static, complete, and its gates lead to the stubs in vectors.s.
        unsafe { asm!("lidt [{}]", in(reg) &pointer, options(nostack, readonly)) };
    });
}

/// Vector and error code of the last exception that a probe met.
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// What the processor said when the last probe failed.
pub fn refused() -> alloc::string::String {
    let refused = REFUSED.load(Relaxed);
    alloc::format!("exception {} (error {:#x})", refused >> 32, refused as u32)
}

/// Called by vectors.s.
#[no_mangle]
extern "C" fn exception(frame: &mut Frame) {
    if frame.vector >= INTERRUPTS {
        TAKEN.store(frame.vector, Relaxed);
        frame.flags &= !LET_IN;
        return;
    }
    let first = &raw const probe_first as u64;
    let last = &raw const probe_last as u64;
    if (first..last).contains(&frame.ip) {
        REFUSED.store(frame.vector << 32 | frame.error & 0xffff_ffff, Relaxed);
        frame.ip = probe_failed as *const () as u64;
        return;
    }
    let address: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, cr2", out(reg) address, options(nomem, nostack)) };
    crate::stop!(
        "exception {} (error {:#x}) at {:#x}, address {:#x}, stack {:#x}",
        frame.vector,
        frame.error,
        frame.ip,
        address,
        frame.sp
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

/// Reads, or writes if there is a value, a model-specific register.
pub fn probe_register(register: u32, write: Option<u64>) -> Probe {
    // SAFETY: an absent register comes back as `failed`. Writes come from checked rules only.
    unsafe {
        match write {
            None => probe_model_read(register as u64),
            Some(value) => probe_model_write(register as u64, value),
        }
    }
}
