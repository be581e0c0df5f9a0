//! arm64.

pub mod entry;
mod exceptions;
mod image;
mod port;

pub use exceptions::{interrupt, probe_read, probe_register, probe_write, refused, rest, Probe};
pub use port::{port_read, port_write};

use core::arch::asm;

core::arch::global_asm!(include_str!("door.s"));
core::arch::global_asm!(include_str!("vectors.s"));

/// The door maps this much memory, from 0.
pub const REACH: u64 = 512 << 30;

/// The journal is where RAM ends: the loader puts images and the devicetree to its beginning.
pub const JOURNAL: Option<u64> = None;

/// Stops this processor for good.
pub fn halt() -> ! {
    loop {
        // SAFETY: with interrupts masked this only waits.
        unsafe { asm!("wfi", options(nostack)) };
    }
}

/// The virtual counter.
pub fn ticks() -> u64 {
    let ticks: u64;
    // SAFETY: reads a counter.
    unsafe { asm!("isb", "mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
    ticks
}

/// The counter in nanoseconds, by the rate that the firmware put into its register.
pub fn nanoseconds() -> u64 {
    let hz: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mrs {}, cntfrq_el0", out(reg) hz, options(nomem, nostack)) };
    (ticks() as u128 * 1_000_000_000 / hz.max(1) as u128) as u64
}

/// A call by the SMC calling convention (Arm DEN0028): function and three arguments, gives x0.
pub fn firmware(conduit: graph::Conduit, args: [u64; 4]) -> u64 {
    let result: u64;
    macro_rules! call {
        ($instruction:literal) => {
            asm!(
                $instruction,
                inout("x0") args[0] => result,
                inout("x1") args[1] => _, inout("x2") args[2] => _, inout("x3") args[3] => _,
                out("x4") _, out("x5") _, out("x6") _, out("x7") _, out("x8") _, out("x9") _,
                out("x10") _, out("x11") _, out("x12") _, out("x13") _, out("x14") _, out("x15") _,
                out("x16") _, out("x17") _,
                options(nostack)
            )
        };
    }
    // SAFETY: the convention keeps x18 and up and the stack; which function is called is the checked rule's business.
    unsafe {
        match conduit {
            graph::Conduit::Hvc => call!("hvc #0"),
            graph::Conduit::Smc => call!("smc #0"),
        }
    }
    result
}

/// Root of the page tables that genesis runs on.
pub fn own_root() -> u64 {
    let root: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mrs {}, ttbr0_el1", out(reg) root, options(nomem, nostack)) };
    root & 0x0000_ffff_ffff_f000
}

pub fn forget_translations() {
    // SAFETY: drops cached translations only.
    unsafe {
        asm!(
            "dsb ishst",
            "tlbi vmalle1",
            "dsb ish",
            "isb",
            options(nostack)
        )
    };
}

/// Size and geometry of a cache (CCSIDR_EL1), for a value of CSSELR_EL1.
pub fn cache(selector: u64) -> Option<u64> {
    let size: u64;
    // SAFETY: selects which cache the other register tells of, and reads that; neither touches the caches.
    unsafe {
        asm!("msr csselr_el1, {}", "isb", "mrs {}, ccsidr_el1", in(reg) selector, out(reg) size, options(nomem, nostack))
    };
    Some(size)
}

/// Orders every access before it with every access after it, devices included.
pub fn barrier() {
    // SAFETY: a barrier.
    unsafe { asm!("dsb sy", options(nostack)) };
}

/// Makes code written at `base` (as data) visible to execution.
pub fn code_written(base: u64, size: u64) {
    let cache: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) cache, options(nomem, nostack)) };
    let line = 4u64 << (cache >> 16 & 15);
    let mut at = base / line * line;
    while at < base + size {
        // SAFETY: cleaning a line writes back what is there; `at` is mapped RAM.
        unsafe { asm!("dc cvau, {}", in(reg) at, options(nostack)) };
        at += line;
    }
    // SAFETY: invalidating instruction caches only costs time.
    unsafe { asm!("dsb ish", "ic ialluis", "dsb ish", "isb", options(nostack)) };
}

/// Writes back and forgets the cache line at `at`, so that memory itself holds what was stored, and is read next.
///
/// # Safety
/// `at` is mapped.
pub unsafe fn past_caches(at: u64) {
    // SAFETY: `at` is mapped RAM; no value changes, only where it is held.
    unsafe { asm!("dsb sy", "dc civac, {}", "dsb sy", in(reg) at, options(nostack)) };
}

/// Switches the kernel's half to the tables at `root` and jumps to `nucleus` with `info` as its argument. The lower half
/// stays genesis's until the nucleus replaces it.
///
/// # Safety
/// `root` is a complete set of tables for the kernel's half, in identity-mapped RAM; `nucleus` is its entry there, and `info` the
/// physical address of the boot information. Nothing runs in the nucleus's room yet, whose byte at its end is at both addresses.
pub unsafe fn enter(root: u64, nucleus: u64, info: u64, _room: u64, _room_physical: u64) -> ! {
    // SAFETY: `root` is a complete set of tables for the kernel's half, which genesis itself does not use; this code goes
    // on in the lower half until the jump, and nothing of genesis runs after it.
    unsafe {
        asm!(
            "dsb ish",
            "msr ttbr1_el1, {root}",
            "isb",
            "tlbi vmalle1",
            "dsb ish",
            "ic iallu",
            "dsb ish",
            "isb",
            "br {nucleus}",
            root = in(reg) root, nucleus = in(reg) nucleus, in("x0") info,
            options(noreturn)
        )
    }
}

/// The instruction at `site`, a `b` or `bl`, changed to go to `target`, if it is one and can reach.
pub fn call_to(site: u64, old: u32, target: u64) -> Option<u32> {
    let distance = target.wrapping_sub(site) as i64;
    let branch = old & 0x7c00_0000 == 0x1400_0000;
    let near = distance % 4 == 0 && (-(1 << 27)..1 << 27).contains(&distance);
    (branch && near).then_some(old & 0xfc00_0000 | (distance >> 2) as u32 & 0x03ff_ffff)
}

/// Runs so many instructions (an even number), and hardly more.
pub fn run_instructions(count: u64) {
    // SAFETY: counts a register down.
    unsafe {
        asm!("2:", "subs {0}, {0}, #1", "b.ne 2b", inout(reg) (count / 2).max(1) => _, options(nomem, nostack))
    };
}

/// Runs so many instructions (a multiple of three), of which one in three divides what the one before it gave.
pub fn run_divisions(count: u64) {
    // SAFETY: counts a register down; a division does not fail.
    unsafe {
        asm!(
            "2:", "udiv {1}, {1}, {2}", "subs {0}, {0}, #1", "b.ne 2b",
            inout(reg) (count / 3).max(1) => _, inout(reg) u64::MAX => _, in(reg) 3u64,
            options(nomem, nostack)
        )
    };
}

/// There is no such instruction on this architecture.
pub fn cpuid(_leaf: u32, _sub: u32) -> [u32; 4] {
    [0; 4]
}
