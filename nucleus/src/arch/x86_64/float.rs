//! How floating-point and SIMD registers and segments are loaded and stored (SDM 1, chapters 8, 10, 11 and 13).

use super::{cpuid, model};
use core::arch::asm;
use core::cell::Cell;
use nucleus_core::{
    kernel::Kernel,
    thread::{Float, Thread},
};

/// What XSAVE saves; 0: there is FXSAVE only.
// SAFETY: private to this module, whose functions run in the nucleus alone.
static SAVED: Kernel<Cell<u64>> = unsafe { Kernel::new(Cell::new(0)) };

const FS_BASE: u32 = 0xc000_0100;
const GS_BASE: u32 = 0xc000_0101;
/// Bits of MXCSR that may be set where the processor does not say which (SDM 1, 11.6.6).
const MXCSR: u64 = 0xffbf;

/// Turns SSE on, and AVX where there is XSAVE; with the trap.
pub fn start() {
    const TASK_SWITCHED: u64 = 1 << 3;
    const MONITOR: u64 = 1 << 1;
    const EMULATE: u64 = 1 << 2;
    const NUMERIC_ERRORS: u64 = 1 << 5;
    const SIMD: u64 = 1 << 9 | 1 << 10;
    const XSAVE: u64 = 1 << 18;
    let features = cpuid(1).ecx;
    let has_xsave = features >> 26 & 1 != 0;
    // SAFETY: the nucleus is compiled without floating point; what programs do with it traps until it is theirs.
    unsafe {
        let (mut cr0, mut cr4): (u64, u64);
        asm!("mov {}, cr0", out(reg) cr0, options(nomem, nostack));
        asm!("mov {}, cr4", out(reg) cr4, options(nomem, nostack));
        cr0 = (cr0 | TASK_SWITCHED | MONITOR | NUMERIC_ERRORS) & !EMULATE;
        cr4 |= SIMD | if has_xsave { XSAVE } else { 0 };
        asm!("mov cr0, {}", in(reg) cr0, options(nostack));
        asm!("mov cr4, {}", in(reg) cr4, options(nostack));
    }
    if has_xsave {
        // x87, SSE, and AVX where it is: 832 bytes (SDM 1, 13.4).
        let saved = 0b11 | u64::from(features >> 28 & 1) << 2;
        SAVED.set(saved);
        // SAFETY: CPUID says that the processor has these, and CR4 allows the instruction.
        unsafe {
            asm!("xsetbv", in("ecx") 0, in("eax") saved as u32, in("edx") 0, options(nomem, nostack))
        };
    }
}

/// Puts the processor's registers into their thread's memory, while the trap is off.
pub fn store(float: &Float) {
    let (at, saved) = (core::ptr::from_ref(float), SAVED.get());
    // SAFETY: the memory is the thread's, aligned and as large as what is saved; the trap is off where this is called.
    unsafe {
        match saved {
            0 => asm!("fxsave64 [{}]", in(reg) at, options(nostack)),
            _ => {
                asm!("xsave64 [{}]", in(reg) at, in("eax") saved as u32, in("edx") 0, options(nostack))
            }
        }
    }
}

pub fn load(float: &Float) {
    let (at, saved) = (core::ptr::from_ref(float), SAVED.get());
    // SAFETY: as in `store`; the memory holds what was stored, or what `check` left, which the processor accepts.
    unsafe {
        match saved {
            0 => asm!("fxrstor64 [{}]", in(reg) at, options(nostack)),
            _ => {
                asm!("xrstor64 [{}]", in(reg) at, in("eax") saved as u32, in("edx") 0, options(nostack))
            }
        }
    }
}

/// Whether floating point traps (SDM 3A, 2.5, CR0.TS).
pub fn set_trap(trap: bool) {
    // SAFETY: the bit decides whether floating point traps, and nothing else.
    unsafe {
        match trap {
            false => asm!("clts", options(nomem, nostack)),
            true => {
                asm!("mov {0}, cr0", "or {0}, 8", "mov cr0, {0}", out(reg) _, options(nomem, nostack))
            }
        }
    }
}

/// What somebody else wrote there is nothing that the processor refuses to load (SDM 1, 13.8.1; 2A, FXRSTOR).
pub fn check(float: &Float) {
    float.0[3].set(float.0[3].get() & (MXCSR | MXCSR << 32));
    float.0[64].set(float.0[64].get() & SAVED.get());
    for word in &float.0[65..72] {
        word.set(0);
    }
}

/// Programs cannot change the beginnings of segments themselves: the thread's are known.
pub fn store_bases(_thread: &Thread) {}

pub fn load_bases(thread: &Thread) {
    model::write(FS_BASE, thread.bases[0].get());
    model::write(GS_BASE, thread.bases[1].get());
}
